"""What each vendor says of a message, after the samples of its own documentation (the pages its adapter names)."""

import json
import uuid
from datetime import UTC, datetime

AT = datetime(2026, 11, 22, 9, 30, 12, tzinfo=UTC)
KEY = "acme/1001/welcome/0"
ADDRESS = "ada@example.com"
PHONE = "+4915112345678"
LINK = "https://fernhill.example/mats?utm=1"
PERSON = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
APPLE = "Mozilla/5.0"


def tag(key):
    """How a key travels where only letters and digits may: SES and Resend tags."""
    return uuid.uuid5(uuid.NAMESPACE_URL, key).hex


def resend(kind, *, key=KEY, address=ADDRESS, at=AT, agent=PERSON, **more):
    """https://resend.com/docs/webhooks/emails/bounced and its neighbours."""
    extra = {
        "bounced": {"bounce": {"message": "…", "subType": "General", "type": "Permanent"}},
        "soft_bounced": {"bounce": {"message": "…", "subType": "MailboxFull", "type": "Transient"}},
        "clicked": {
            "click": {"ipAddress": "203.0.113.7", "link": LINK, "timestamp": at.isoformat(), "userAgent": agent}
        },
    }.get(kind, {})
    name = "bounced" if kind == "soft_bounced" else kind
    return {
        "type": f"email.{name}",
        "created_at": at.isoformat().replace("+00:00", ".126Z"),
        "data": {
            "created_at": "2026-11-22T09:30:11.894719+00:00",
            "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
            "from": "Acme <onboarding@resend.dev>",
            "to": [address],
            "subject": "Sending this example",
            "tags": {"category": "confirm_email", "postlude": tag(key)},
            **extra,
            **more,
        },
    }


def sendgrid(kind, *, key=KEY, address=ADDRESS, at=AT, agent=PERSON, name=None, **more):
    """One event of the array in https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event."""
    extra = {
        "bounce": {"status": "5.1.1", "type": "bounce", "reason": f"550 5.1.1 <{address}> user unknown"},
        "deferred": {"response": "400 try again later", "attempt": "5"},
        "dropped": {"reason": "Bounced Address", "status": "5.0.0"},
        "open": {"useragent": agent, "ip": "203.0.113.7", "sg_machine_open": False},
        "click": {"useragent": agent, "ip": "203.0.113.7", "url": LINK, "url_offset": {"index": 0, "type": "html"}},
    }.get(kind, {})
    return {
        "email": address,
        "timestamp": int(at.timestamp()),
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": kind,
        "category": ["cat facts"],
        "sg_event_id": name or uuid.uuid4().hex,
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "postlude": key,
        **extra,
        **more,
    }


def postmark(kind, *, key=KEY, address=ADDRESS, at=AT, agent=PERSON, **more):
    """https://postmarkapp.com/developer/webhooks/bounce-webhook and its neighbours; `kind` is RecordType[:Type]."""
    record, _, detail = kind.partition(":")
    moment = at.isoformat().replace("+00:00", ".2735393Z")
    bounce = {
        "ID": 42,
        "Type": detail or record,
        "TypeCode": 1,
        "Email": address,
        "BouncedAt": moment,
        "Inactive": True,
    }
    reader = {"Recipient": address, "ReceivedAt": moment, "UserAgent": agent, "Platform": "Desktop"}
    extra = {
        "Delivery": {"Recipient": address, "DeliveredAt": moment, "Details": "Test delivery webhook details"},
        "Bounce": bounce,
        "SpamComplaint": bounce,
        "Open": {"FirstOpen": True, **reader},
        "Click": {"ClickLocation": "HTML", "OriginalLink": LINK, **reader},
        "SubscriptionChange": {
            "ChangedAt": moment,
            "Recipient": address,
            "Origin": "Recipient",
            "SuppressSending": True,
            "SuppressionReason": detail,
        },
    }[record]
    return {
        "RecordType": record,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "ServerID": 123456,
        "MessageStream": "outbound",
        "Tag": "welcome-email",
        "Metadata": {"example": "value", "postlude": key},
        **extra,
        **more,
    }


def mailgun(kind, *, key=KEY, address=ADDRESS, at=AT, agent=PERSON, bot="", **more):
    """`event-data` of https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads."""
    event, _, severity = kind.partition(":")
    client = {"client-info": {"client-type": "browser", "device-type": "desktop", "user-agent": agent, "bot": bot}}
    extra = {
        "failed": {
            "severity": severity,
            "reason": "bounce" if severity == "permanent" else "generic",
            "delivery-status": {"attempt-no": 1, "code": 550, "message": f"5.1.1 {address} does not exist"},
        },
        "opened": client,
        "clicked": {"url": LINK, **client},
    }.get(event, {})
    return {
        "id": "CPgfbmQMTCKtHW6uIWtuVe",
        "event": event,
        "timestamp": at.timestamp() + 0.153125,
        "log-level": "info",
        "recipient": address,
        "message": {"headers": {"to": address, "message-id": "20260203192638.000be97f99f8cea1@sample.mailgun.com"}},
        "user-variables": {"postlude": key},
        **extra,
        **more,
    }


def ses(kind, *, key=KEY, address=ADDRESS, at=AT, agent=PERSON, **more):
    """https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html; `kind` Bounce[:Type]."""
    event, _, detail = kind.partition(":")
    moment = at.isoformat().replace("+00:00", ".669Z")
    place, extra = {
        "Delivery": ("delivery", {"recipients": [address], "smtpResponse": "250 ok", "processingTimeMillis": 546}),
        "Bounce": (
            "bounce",
            {
                "bounceType": detail or "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{"emailAddress": address, "action": "failed", "status": "5.1.1"}],
                "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
            },
        ),
        "Complaint": (
            "complaint",
            {"complainedRecipients": [{"emailAddress": address}], "complaintFeedbackType": detail or "abuse"},
        ),
        "DeliveryDelay": (
            "deliveryDelay",
            {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": address, "status": "4.2.2"}]},
        ),
        "Open": ("open", {"ipAddress": "192.0.2.1", "userAgent": agent}),
        "Click": ("click", {"ipAddress": "192.0.2.1", "link": LINK, "userAgent": agent}),
        "Send": ("send", {}),
        "Reject": ("reject", {"reason": "Bad content"}),
        "Rendering Failure": ("failure", {"errorMessage": "Attribute 'name' is not present", "templateName": "T"}),
        "Subscription": ("subscription", {"newTopicPreferences": {"unsubscribeAll": detail == "all"}}),
    }[event]
    return {
        "eventType": event,
        "mail": {
            "timestamp": "2026-11-22T09:30:02.012Z",
            "source": "Sender Name <sender@example.com>",
            "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
            "destination": [address],
            "tags": {"ses:configuration-set": ["ConfigSet"], "postlude": [tag(key)]},
        },
        place: {**({} if event == "Reject" else {"timestamp": moment}), **extra},
        **more,
    }


def sns(message, *, topic, cert, kind="Notification", **more):
    """An SNS envelope around it: https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html."""
    text = message if isinstance(message, str) else json.dumps(message) + "\n"
    envelope = {
        "Type": kind,
        "MessageId": str(uuid.uuid4()),
        "TopicArn": topic,
        "Message": text,
        "Timestamp": "2026-11-22T09:30:13.675Z",
        "SignatureVersion": "2",
        "SigningCertURL": cert,
    }
    if kind == "Notification":
        return {**envelope, "Subject": "Amazon SES Email Event Notification", **more}
    return {**envelope, "Token": "2336412f37f", **more}


def twilio_status(status, *, code=None, to=PHONE, sid="SM0123456789abcdef0123456789abcdef"):
    """The form of https://www.twilio.com/docs/messaging/guides/track-outbound-message-status."""
    form = {
        "SmsSid": sid,
        "SmsStatus": status,
        "MessageStatus": status,
        "To": to,
        "MessageSid": sid,
        "AccountSid": "AC0123456789abcdef0123456789abcdef",
        "From": "+15017250604",
        "ApiVersion": "2010-04-01",
    }
    return form | ({"ErrorCode": code} if code else {})


def twilio_incoming(body, *, sender=PHONE, opted=None, sid="SMfedcba9876543210fedcba9876543210"):
    """The form of https://www.twilio.com/docs/messaging/guides/webhook-request."""
    form = {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsStatus": "received",
        "AccountSid": "AC0123456789abcdef0123456789abcdef",
        "From": sender,
        "To": "+15017250604",
        "Body": body,
        "NumMedia": "0",
        "NumSegments": "1",
        "FromCity": "",
    }
    return form | ({"OptOutType": opted} if opted else {})


def whatsapp(*, field="messages", **value):
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
    change = {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}


def whatsapp_status(status, *, code=None, key=KEY, wamid="wamid.HBgLMTU1NTEyMzQ1NjcVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"):
    """One status of the array `statuses`."""
    given = {
        "id": wamid,
        "status": status,
        "timestamp": str(int(AT.timestamp())),
        "recipient_id": PHONE[1:],
        "biz_opaque_callback_data": key,
        "pricing": {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"},
    }
    errors = [{"code": code, "title": "Message undeliverable", "error_data": {"details": "…"}}]
    return given | ({"errors": errors} if code else {})


def whatsapp_message(body, *, context=None, name="wamid.incoming"):
    """One message of the array `messages`."""
    given = {
        "from": PHONE[1:],
        "id": name,
        "timestamp": str(int(AT.timestamp())),
        "type": "text",
        "text": {"body": body},
    }
    return given | ({"context": {"from": "15550783881", "id": context}} if context else {})

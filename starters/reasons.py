"""Every rule by which a message does not go, or a person may or may not be written to, in a sentence for people."""

from collections.abc import Mapping
from typing import Final

_SENTENCES: Final[Mapping[str, str]] = {
    # The journey's own: the itinerary lets a touch go by.
    "condition": "the playbook's condition for it does not hold for this order and customer",
    "condition_error": "the playbook's condition for it could not be evaluated: lint the playbook",
    "ended_by_order_cancelled": "the order was cancelled, which ends it",
    "ended_by_order_refunded": "the order was refunded in full, which ends it",
    "ended_by_order_returned": "everything went back, which ends it",
    "ended_by_order_lost": "the order was lost on its way, which ends it",
    "ended_by_customer_reordered": "the customer ordered again, which ends it",
    "ended_by_review_posted": "the customer has reviewed the order, which ends it",
    "ended_by_negative_review": "the customer's review was bad, which ends it",
    "ended_by_parcel_delivered": "the parcel arrived before it was due",
    "ended_by_parcel_out_for_delivery": "the parcel was out for delivery before it was due",
    "journey_ended": "the journey was over before it was due",
    "never_delivered": "it counts from the delivery, which never came",
    "open_parcel_problem": "marketing rests while a parcel's problem stands open, and the journey ended so",
    "averted": "what was missed came after all, before this could go",
    "skipped_by_operator": "an operator skipped it",
    "too_late": "it was past the lateness that the playbook allows when it could have gone",
    "order_unknown_or_erased": "the order is not in the database any more, or never was",
    "order_cancelled": "the order was cancelled, and marketing about it ends then",
    # Consent, as `journey.consent.permits` has it.
    "transactional": "it is about the order, which needs no consent",
    "express": "the customer said yes",
    "implied_purchase": "a purchase implies the consent, for as long as the law of the country says",
    "implied_inquiry": "an inquiry implies the consent, for as long as the law of the country says",
    "soft_opt_in": "a buyer who was told may be written to about similar products",
    "inbox": "the inbox is the customer's own page, and nothing was said against it",
    "opted_out": "the customer said no to marketing on this channel",
    "no_consent": "there is no consent to marketing on this channel",
    "unconfirmed": "the consent was never confirmed from the address itself, which the law there wants",
    "consent_expired": "the consent that a purchase or an inquiry implied has run out",
    "topic_refused": "the customer does not want to hear about this topic",
    # The address.
    "no_address": "no address or device is known for this channel",
    "no_provider": "no provider serves this channel here: its URL is not set",
    "suppressed_bounced": "the address bounced for good",
    "suppressed_complained": "the customer reported an earlier message as spam",
    "suppressed_opted_out": "the address is on the suppression list: its owner opted out",
    "too_long": "the text has more segments than the touch allows",
    # When.
    "quiet_hours": "it was night, a Sunday or a holiday for the customer, or may have been",
    "hours_never_meet": "at no hour is it day in every zone that the customer may be in",
    "send_time": "it waits for the hour at which the customer opens messages",
    "cap_per_day": "the day's messages were used up",
    "cap_per_week": "the week's messages were used up",
    "channel_cap_per_day": "this channel's messages of the day were used up",
    "channel_cap_per_week": "this channel's messages of the week were used up",
    "min_gap": "another message went out too short a time before",
    "yields_to_higher_priority": "a message worth more waits for the same slot",
    "paused_by_customer": "the customer asked for a pause",
    "fewer_wished": "the customer asked for fewer messages",
    "merged": "it went along in another message",
    "goes_along": "another message that has not gone yet tells of it; it is looked at again",
    "adapter_error": "the adapter made a mistake after it asked: look at the shop whether it was done",
    "left_behind": "the message that was to tell of it did not go; it is asked for by itself again",
    "no_answer": "the shop gave no answer, so it may have done it; it is looked at before anything else is done",
    "no_worker": "no worker took it within half a minute; it goes when one does",
    # Sending.
    "crash_between_send_and_record": "a worker died while it was sending: it may have gone out, and nobody can say",
    "sent_again": "it may have gone out; to be sure it was sent once more, see the next row",
    "attempt_failed": "a worker failed before anything was sent; it is tried again",
    "attempt_stopped": "it was stopped before anything was sent; it is asked for again while it is wanted",
    "attempt_lost": "a worker broke off before anything was written down of it; it is asked for again",
    "template_error": "its template is missing or could not be rendered: see the workers' log",
    # What providers and their adapters say.
    "provider_lookup_unavailable": "the provider could not be asked whether it took the message before",
    "never_went_out": "an attempt broke off before the provider had the message: it is asked for again",
    "provider_log_not_settled": "the provider's log is given time to show whether it took the message before",
    "provider_stood_still": "the worker stood still before it was handed over: it is tried again",
    "provider_not_configured": "the provider that it was meant for is not set up in this worker",
    "provider_address_invalid": "the address cannot be one",
    "provider_address_needs_smtputf8": "the address has characters that the mail server does not take",
    "provider_parameter_empty": "a field of the provider's template would have been empty",
    "provider_validity_over": "its hours were over before the provider could send it",
    "provider_paced": "the rate set for the provider was used up for the moment",
    "graphql_error": "the shop's API did not understand the question",
    "max_cost_exceeded": "the question was too big for the shop's API",
    "provider_http_unreachable": "the provider could not be reached",
    "provider_http_not_sendable": "the provider's address, or the message, cannot be put into a request",
    "provider_http_no_answer": "the provider did not answer: it may have taken the message",
    "provider_http_garbled_answer": "the provider's answer cannot be read: it may have taken the message",
    "provider_http_401": "the provider does not accept our credentials (HTTP 401)",
    "provider_http_403": "the provider does not let this account do that (HTTP 403)",
    "provider_http_429": "the provider was asked too often (HTTP 429)",
    "provider_smtp_unreachable": "the mail server could not be reached",
    "provider_smtp_dropped_before_data": "the mail server hung up before the message was sent",
    "provider_smtp_dropped_in_data": "the mail server hung up over the message: it may have taken it",
    "provider_smtp_garbled_answer": "the mail server's answer cannot be read",
    "provider_mailgun_account": "Mailgun does not let this account send at the moment",
    "provider_postmark_406": "Postmark has the address on its list of inactive ones",
    "provider_sendgrid_sender": "SendGrid has not verified the sender",
    "provider_ses_not_verified": "Amazon SES has not verified the sender, or the account is still in its sandbox",
    "provider_twilio_21610": "the customer has answered STOP to this number",
    "provider_twilio_63016": "outside of WhatsApp's 24 hours only an approved template may go, and there is none",
    "provider_whatsapp_131047": "outside of WhatsApp's 24 hours only an approved template may go, and there is none",
    "provider_whatsapp_131050": "the customer has stopped marketing messages in WhatsApp",
    "provider_fcm_unregistered": "the app is no longer on the device",
    "provider_fcm_invalid_argument": "the device's token is none, or the message was malformed",
    "provider_fcm_sender_id_mismatch": "the device's token belongs to another app",
    "provider_fcm_third_party_auth_error": "Apple, or the browser's push service, refuses the app's credentials",
    "provider_inbox_away": "the database was away when the inbox's row was to be written",
    "provider_inbox_order_unknown": "the order is not in the database any more, or never was",
    "provider_web_push_subscription_invalid": "the browser's subscription cannot be used",
    "provider_web_push_too_large": "the notification is larger than push services take",
    "provider_web_push_not_public": "the browser's push service is at an address that is not public",
    "provider_web_push_unresolved": "the browser's push service could not be found",
}

_CODES: Final[Mapping[str, str]] = {
    "http": "the provider answered with HTTP status {code}",
    "smtp_sender": "the mail server does not take mail from this sender ({code})",
    "smtp": "the mail server answered with {code}",
    "postmark": "Postmark answered with error {code}",
    "ses": "Amazon SES answered with {code}",
    "twilio": "Twilio answered with error {code}",
    "whatsapp": "WhatsApp answered with error {code}",
    "fcm_token": "Google gave no access token for notifications ({code})",
    "slack": "the chat's webhook answered with {code}",
}
"""By what comes before a provider's own code, after `provider_`; the longer beginning first."""

_EXPIRED: Final = "expired_"
_HTTP: Final = "http_"
_PROVIDER: Final = "provider_"


def sentence(rule: str) -> str | None:
    """What a rule says, as half a sentence without a full stop; None for one that is not known here."""
    if rule in _SENTENCES:
        return _SENTENCES[rule]
    if rule.startswith(_EXPIRED):
        held = sentence(rule.removeprefix(_EXPIRED))
        return None if held is None else f"it would have had to wait for longer than it is worth: {held}"
    if rule.startswith(_PROVIDER):
        said = rule.removeprefix(_PROVIDER)
        for family, words in _CODES.items():
            code = said.removeprefix(f"{family}_")
            if code not in {said, ""}:
                return words.format(code=code)
    if rule.startswith(_HTTP):
        return f"a shop's or carrier's API answered with HTTP {rule.removeprefix(_HTTP)}"
    return None


def in_words(rule: str) -> str:
    """What a rule says; of one that a newer version wrote, its name."""
    return sentence(rule) or f"by the rule {rule}"


def table() -> Mapping[str, str]:
    """Every rule that has a sentence of its own."""
    return _SENTENCES

"""Word to the shop's own people: by a Slack-compatible webhook on loopback, and by mail."""

from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from activities.alerts import Alert, Alerts
from activities.messaging.email.smtp import Smtp
from activities.messaging.protocol import Accepted, Busy, Rejected, Unclear
from tests.support.providers import Impatient
from tests.support.sockets import HOST
from tests.support.standin import Asked, Said, StandIn
from workers.mail_catcher import MailCatcher

SENDER = "hello@shop.test"
ALERT = Alert(
    kind="message failed",
    order="acme/1001",
    touch="shipped:1Z<&>",
    rule="provider_http_401",
    link="https://temporal.test/namespaces/default/workflows/order:acme:1001",
)
SENT = Accepted(None)


class SlackChannel(StandIn):
    """An incoming webhook: `ok`, in plain text."""

    def usual(self, request: Asked) -> Said:  # noqa: ARG002  the same for all
        return Said(200, b"ok", {"Content-Type": "text/html"})


@pytest.fixture
async def slack() -> AsyncIterator[SlackChannel]:
    made = SlackChannel()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def alerts(slack: SlackChannel) -> AsyncIterator[Alerts]:
    url = f"slack+https://{HOST}:{slack.port}/services/T0/B0/secret?insecure=1"
    made = Alerts(url, sender=SENDER, transport=Impatient())
    yield made
    await made.aclose()


@pytest.fixture
def by_mail(catcher: MailCatcher) -> Alerts:
    return Alerts("mailto:ops@shop.test", sender=SENDER, email=Smtp(urlsplit(catcher.url)))


async def test_a_channel_hears_what_happened_and_where_to_look(alerts: Alerts, slack: SlackChannel) -> None:
    """One POST to the webhook: a line for phones, and the same in Slack's markup with the link, escaped."""
    assert await alerts.tell(ALERT) == SENT
    (asked,) = slack.asked
    assert (asked.method, asked.path, asked.headers["content-type"]) == (
        "POST",
        "/services/T0/B0/secret",
        "application/json",
    )
    assert asked.json() == {
        "text": "message failed · acme/1001 · shipped:1Z&lt;&amp;&gt; · provider_http_401",
        "blocks": [
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "*message failed* · acme/1001 · shipped:1Z&lt;&amp;&gt; · provider_http_401 · "
                    "<https://temporal.test/namespaces/default/workflows/order:acme:1001|look>",
                },
            }
        ],
    }


@pytest.mark.parametrize("link", [None, "javascript:alert(1)", "https://a.test/|b> <!channel", "https://a.test/\n"])
async def test_a_link_that_is_none_is_left_out(alerts: Alerts, slack: SlackChannel, link: str | None) -> None:
    """Nothing in a link can call a channel together or pass for another one."""
    assert await alerts.tell(ALERT.but(link=link)) == SENT
    text = slack.asked[0].json()["blocks"][0]["text"]["text"]
    assert text.endswith("provider_http_401")


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        (Said(404, b"no_service"), "slack_no_service"),
        (Said(410, b"channel_is_archived"), "slack_channel_is_archived"),
        (Said(403, b"action_prohibited"), "slack_action_prohibited"),
        (Said(403, b"invalid_token"), "slack_invalid_token"),
        (Said(400, b"invalid_payload"), "slack_invalid_payload"),
        (Said(404, b"<html>nothing here</html>"), "http_404"),
        (Said(302, b"", {"Location": "http://127.0.0.1:1/"}), "http_302"),
    ],
)
async def test_a_webhook_that_will_not_work_is_not_tried_again(
    alerts: Alerts, slack: SlackChannel, said: Said, rule: str
) -> None:
    """Slack's own names for it become the rule; what it says otherwise does not get into any log."""
    slack.then(said)
    assert await alerts.tell(ALERT) == Rejected(rule)
    assert len(slack.asked) == 1


@pytest.mark.parametrize(
    ("said", "receipt"),
    [
        (Said(429, b"rate_limited", {"Retry-After": "30"}), Busy("http_429", timedelta(seconds=30))),
        (Said(429, b"rate_limited"), Busy("http_429")),
        (Said(500, b"rollup_error"), Unclear("http_500")),
        (Said(503, b""), Busy("http_503")),
        (Said(200, b"<html>Log in to the hotel's network</html>"), Unclear("slack_garbled_answer")),
        (Said(manner="hang"), Unclear("http_no_answer")),
        (Said(manner="cut", body=b"ok"), Unclear("http_no_answer")),
    ],
)
async def test_a_channel_that_is_busy_says_so(
    alerts: Alerts, slack: SlackChannel, said: Said, receipt: Busy | Unclear
) -> None:
    """Whoever told it knows whether it was heard, and how long the channel wants to be left alone."""
    slack.then(said)
    assert await alerts.tell(ALERT) == receipt


async def test_an_alert_by_mail_has_one_name_for_ever(by_mail: Alerts, catcher: MailCatcher) -> None:
    """Asked for twice it has the same Message-ID; another rule is another alert; no robot answers it."""
    for alert in (ALERT, ALERT, ALERT.but(rule="provider_http_503")):
        assert await by_mail.tell(alert) == SENT
    first, second, third = catcher.messages()
    assert first.message_id == second.message_id != third.message_id
    assert first.message_id.endswith("@shop.test>")
    assert (first.sender, first.recipients) == (SENDER, ("ops@shop.test",))
    assert first.subject == "message failed · acme/1001 · shipped:1Z<&> · provider_http_401"
    parsed = first.parsed()
    assert parsed["Auto-Submitted"] == "auto-generated"
    html = parsed.get_body(("html",)).get_content()
    assert "shipped:1Z&lt;&amp;&gt;" in html
    assert f'href="{ALERT.link}"' in html
    assert ALERT.link in parsed.get_body(("plain",)).get_content()


async def test_a_mail_alert_is_no_header_injection(by_mail: Alerts, catcher: MailCatcher) -> None:
    """Line breaks in an id stay inside the subject."""
    assert await by_mail.tell(ALERT.but(order="acme/1\r\nBcc: eve@evil.test")) == SENT
    (mail,) = catcher.messages()
    assert mail.recipients == ("ops@shop.test",)
    assert mail.parsed()["Bcc"] is None


async def test_a_relay_that_is_away_says_so(by_mail: Alerts, catcher: MailCatcher) -> None:
    """The mail provider's own word for its trouble is the rule."""
    await catcher.stop()
    assert await by_mail.tell(ALERT) == Busy("smtp_unreachable")


@pytest.mark.parametrize("url", [None, ""])
async def test_without_a_setting_nobody_is_told(url: str | None) -> None:
    """An unset address is no error."""
    assert await Alerts(url, sender=SENDER).tell(ALERT) is None


@pytest.mark.parametrize(
    "url",
    [
        "mailto:ops@shop.test",
        "slack+https:///services/secret",
        "slack+https://hooks.slack.com/",
        "https://hooks.slack.com/services/secret",
        "pager://secret",
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(url: str) -> None:
    """The whole webhook is a secret: the text says what is missing and not what is there."""
    with pytest.raises(ValueError, match="POSTLUDE_ALERT_URL") as raised:
        Alerts(url, sender=SENDER)
    assert "secret" not in str(raised.value)
    assert "shop.test" not in str(raised.value)


@pytest.mark.parametrize("url", ["mailto:", "mailto:ops", "mailto:a@shop.test,b@shop.test"])
def test_alerts_by_mail_need_one_address(catcher: MailCatcher, url: str) -> None:
    """One mailbox: lists are the mail server's business."""
    with pytest.raises(ValueError, match="one mail address"):
        Alerts(url, sender=SENDER, email=Smtp(urlsplit(catcher.url)))


def test_an_alert_travels_without_anything_personal() -> None:
    """Its fields are ids, a number, a code and a link, so that it may go through Temporal."""
    assert set(Alert.model_fields) == {"kind", "order", "touch", "rule", "link", "number"}

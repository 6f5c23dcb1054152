"""Word to the shop's own people that something wants looking at: by a Slack-compatible webhook, or by mail.

`POSTLUDE_ALERT_URL` is `slack+https://hooks.slack.com/services/…` or `mailto:ops@shop.example`; unset, nobody is
told. An alert names an order by id and number, a touch and a rule, never a person: whoever may see more follows its
link.
"""

import uuid
from html import escape as escape_html
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx
import structlog

from activities.by_shop import ByShop
from activities.messaging.mime import address
from activities.messaging.protocol import EmailProvider, Mail, Receipt
from activities.messaging.slack import Slack, escape
from journey.base import Frozen

log = structlog.get_logger()

_SPACE = uuid.UUID("6f1c0f0e-6d0b-5c8e-9f0a-2c7d4a1b9e55")
_WEB = ("https://", "http://")


class Alert(Frozen):
    """What happened, in ids only.

    `kind` says it in a few plain words (`message failed`), `order` is `shop/order_id`, `number` what the shop shows
    of it, and `link` leads to where it can
    be seen, such as the order's journey in the Temporal UI.
    """

    kind: str
    order: str
    touch: str | None = None
    rule: str | None = None
    link: str | None = None
    number: str | None = None

    @property
    def about(self) -> str:
        """The order by its id, and by its number where that is another."""
        return (
            self.order if not self.number or self.order.endswith(f"/{self.number}") else f"{self.order} {self.number}"
        )

    @property
    def key(self) -> str:
        """The alert's own name: the same facts are the same alert, however often it is asked for."""
        facts = "\0".join((self.kind, self.order, self.touch or "", self.rule or ""))
        return str(uuid.uuid5(_SPACE, facts))

    @property
    def line(self) -> str:
        """The alert as one line of plain text."""
        return " · ".join(part for part in (self.kind, self.about, self.touch, self.rule) if part)


class Alerting(Protocol):
    """Whoever tells the shop's people."""

    async def tell(self, alert: Alert) -> Receipt | None:
        """Tell people, in one try; None where nobody is to be told."""


class Alerts:
    """One way to reach the shop's people."""

    def __init__(
        self,
        url: str | None,
        *,
        sender: str,
        email: EmailProvider | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepare the way.

        Args:
            url: `POSTLUDE_ALERT_URL`; None or empty for no alerts at all.
            sender: the shop's own mail address, for alerts by mail.
            email: sends those.
            transport: for tests of the webhook.

        Raises:
            ValueError: the scheme is unknown or something is missing; never repeats the URL, which is a secret.
        """
        self._slack: Slack | None = None
        self._to = ""
        self._sender = sender
        self._email = email
        if not url:
            return
        parts = urlsplit(url)
        match parts.scheme:
            case "slack+https":
                self._slack = Slack(parts, transport=transport)
            case "mailto":
                if email is None:
                    raise ValueError("POSTLUDE_ALERT_URL: alerts by mail need POSTLUDE_EMAIL_URL")
                try:
                    self._to = address(unquote(parts.path)).addr_spec
                except ValueError:
                    raise ValueError("POSTLUDE_ALERT_URL: mailto: needs one mail address") from None
            case other:
                raise ValueError(f"POSTLUDE_ALERT_URL: no way for {other}://; known are slack+https and mailto")

    async def tell(self, alert: Alert) -> Receipt | None:
        """Tell people, in one try; None where nobody is to be told.

        A repeated mail has the same Message-ID and key, so that most mailboxes and providers make one of them; in a
        Slack channel it is there twice. Whether to try again is the caller's: a journey is not to wait for an alert.
        """
        link = alert.link if alert.link is not None and alert.link.startswith(_WEB) else None
        if self._slack is not None:
            words = [
                f"*{escape(alert.kind)}*",
                *(escape(part) for part in (alert.about, alert.touch, alert.rule) if part),
            ]
            if link is not None and not set(link) & set("<>| \n"):
                words.append(f"<{escape(link)}|look>")
            return await self._slack.send(alert.line, mrkdwn=" · ".join(words))
        if self._email is not None and self._to:
            return await self._email.send(self._mail(alert, link))
        return None

    async def aclose(self) -> None:
        """Close the webhook's connections; the mail provider is its owner's."""
        if self._slack is not None:
            await self._slack.aclose()

    def _mail(self, alert: Alert, link: str | None) -> Mail:
        shown = escape_html(alert.line)
        anchor = f'<p><a href="{escape_html(link)}">{escape_html(link)}</a></p>' if link else ""
        domain = self._sender.rpartition("@")[2]
        return Mail(
            key=f"alert/{alert.key}",
            message_id=f"<alert.{alert.key}@{domain}>",
            sender=self._sender,
            sender_name="Postlude",
            to=self._to,
            reply_to=self._sender,
            subject=alert.line,
            html=f"<p>{shown}</p>{anchor}",
            text="\n\n".join(part for part in (alert.line, link) if part) + "\n",
            # RFC 3834: no out-of-office answers to a machine.
            headers=(("Auto-Submitted", "auto-generated"),),
        )


class AlertsByShop:
    """Tells each shop's own people; an alert names its shop first, in `order`."""

    def __init__(self, alerts: ByShop[Alerting | None]) -> None:
        self._alerts = alerts

    async def tell(self, alert: Alert) -> Receipt | None:
        """See `Alerting.tell`."""
        alerts = self._alerts.of(alert.order.partition("/")[0])
        return None if alerts is None else await alerts.tell(alert)

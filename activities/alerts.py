"""Word to the shop's own people that something wants looking at: by a Slack-compatible webhook, or by mail.

`POSTLUDE_ALERT_URL` is `slack+https://hooks.slack.com/services/…` or `mailto:ops@shop.example`; unset, nobody is
told. An alert names an order, a touch and a rule, never a person: whoever may see more follows its link.
"""

import uuid
from html import escape as escape_html
from typing import Literal
from urllib.parse import unquote, urlsplit

import httpx
import structlog
from temporalio import activity

from activities.attempt import QUICK_RETRIES, attempt_number, beating, soon, try_again
from activities.messaging.mime import address
from activities.messaging.protocol import Accepted, Busy, EmailProvider, Mail, Receipt, Rejected, Unclear
from activities.messaging.slack import Slack, escape
from journey.base import Frozen

log = structlog.get_logger()

_SPACE = uuid.UUID("6f1c0f0e-6d0b-5c8e-9f0a-2c7d4a1b9e55")
_WEB = ("https://", "http://")


class Alert(Frozen):
    """What happened, in ids only.

    `kind` says it in a few plain words (`message failed`), `order` is `shop/order_id`, `link` leads to where it can
    be seen, such as the order's journey in the Temporal UI.
    """

    kind: str
    order: str
    touch: str | None = None
    rule: str | None = None
    link: str | None = None

    @property
    def key(self) -> str:
        """The alert's own name: the same facts are the same alert, however often it is asked for."""
        facts = "\0".join((self.kind, self.order, self.touch or "", self.rule or ""))
        return str(uuid.uuid5(_SPACE, facts))

    @property
    def line(self) -> str:
        """The alert as one line of plain text."""
        return " · ".join(part for part in (self.kind, self.order, self.touch, self.rule) if part)


class AlertAnswer(Frozen):
    """What became of an alert; `rule` is the code of a refusal."""

    status: Literal["sent", "disabled", "refused"]
    rule: str | None = None


class Alerts:
    """The activity `alert`, over one way to reach people."""

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

    @activity.defn(name="alert")
    async def alert(self, alert: Alert) -> AlertAnswer:
        """Tell people, at least once.

        A repeated mail has the same Message-ID and key, so that most mailboxes and providers make one of them; in a
        Slack channel it may be there twice. After a few tries an alert gives up: a journey is not to wait for it.

        Raises:
            ApplicationError: the way was busy or unclear, with `next_retry_delay`; ask again.
        """
        async with beating():
            receipt = await self.tell(alert)
        match receipt:
            case None:
                return AlertAnswer(status="disabled")
            case Accepted():
                return AlertAnswer(status="sent")
            case Busy() | Unclear():
                pause = receipt.retry_after if isinstance(receipt, Busy) else None
                delay = soon(attempt_number(), pause) if attempt_number() <= len(QUICK_RETRIES) else None
                if delay is not None:
                    raise try_again(receipt.rule, delay)
            case Rejected():
                pass
        log.error("alert_not_sent", order=alert.order, touch=alert.touch, rule=receipt.rule)
        return AlertAnswer(status="refused", rule=receipt.rule)

    async def tell(self, alert: Alert) -> Receipt | None:
        """Tell people, in one try, outside of any journey; None where nobody is to be told."""
        return await self._send(alert)

    async def aclose(self) -> None:
        """Close the webhook's connections; the mail provider is its owner's."""
        if self._slack is not None:
            await self._slack.aclose()

    async def _send(self, alert: Alert) -> Receipt | None:
        link = alert.link if alert.link is not None and alert.link.startswith(_WEB) else None
        if self._slack is not None:
            words = [
                f"*{escape(alert.kind)}*",
                *(escape(part) for part in (alert.order, alert.touch, alert.rule) if part),
            ]
            if link is not None and not set(link) & set("<>| \n"):
                words.append(f"<{escape(link)}|look>")
            return await self._slack.send(alert.line, mrkdwn=" · ".join(words))
        if self._email is not None and self._to:
            return await self._email.send(self._mail(alert, link))
        return None

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

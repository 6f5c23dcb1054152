"""What people text back: STOP and START are acted on, HELP is answered, a choice of remedy is one like on its page.

All the rest is for the shop's own people.

The answer to HELP says who writes, where to ask and how it ends, as 47 CFR 64.1200(a)(12) and the carriers want it
(CTIA's Messaging Principles and Best Practices). Twilio's Advanced Opt-Out answers HELP by itself and says so
(`OptOutType`, https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out): then nobody is answered twice.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from activities.alerts import Alert, Alerting
from activities.by_shop import ByShop
from activities.messaging.brand import Brand
from activities.messaging.protocol import Busy, Receipt, Rejected, Text, Unclear, WhatsApp
from activities.messaging.senders import Senders
from activities.messaging.text.segments import plain
from journey.keywords import Word
from journey.playbook import Channel
from journey.remedies import By
from journey.remedy_words import chosen
from starters.outgoing import NOBODY, send
from starters.ports import Then
from starters.words import language_of, words_of
from store import consents, people, remedies
from store.inbox import Claimed
from store.intake import MessageFeedback
from store.people import Writer
from store.pool import Connection
from store.standing import NUMBERS

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 10.0
_TRIES = 10
"""Some five minutes, as the relay tries: who texts HELP waits no longer."""


class BusyError(Exception):
    """Certainly not sent, and worth another try by the relay."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How a shop answers: who carries it, and the shop in a language."""

    senders: Senders
    brand_in: Callable[[str], Brand]


class Replies:
    """Listens to people, as `starters.dispatch.Replies` wants it.

    An answer and an alert go out behind the transaction that keeps the word, at least once as far as the sender is
    known not to have taken them, and never twice for a doubt.
    """

    def __init__(self, voices: ByShop[Voice], *, alerts: Alerting) -> None:
        """Prepare to listen.

        Args:
            voices: each shop's own.
            alerts: tells the shop's people.
        """
        self._voices = voices
        self._alerts = alerts

    async def __call__(self, connection: Connection, event: MessageFeedback) -> Then | None:
        """Act on a word; what is left to do once it is kept."""
        heard = await consents.replied(connection, event)
        address, by_number = event.address, event.channel in NUMBERS
        if event.kind != "replied" or heard.word in {Word.STOP, Word.START}:
            return None
        called = address if by_number else None
        writer = None if called is None else await people.writer(connection, called, shop=event.shop)
        if address is not None and by_number and heard.word is Word.NONE and await _chooses(connection, event, address):
            return None
        if not heard.help_due or address is None:
            return lambda row: self._tell(row, event, writer)
        if event.reason == Word.HELP.name:
            return None
        return lambda row: self._help(row, event, writer, address)

    async def _help(self, row: Claimed, event: MessageFeedback, writer: Writer | None, to: str) -> None:
        language = language_of(writer.locale if writer else "en")
        voice = self._voices.of(writer.shop if writer else event.shop)
        brand = voice.brand_in(language)
        body = words_of(language)["help_reply"].format(shop=brand.name, email=brand.support_email)
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"help/{event.provider}/{event.identity}"))
        key = f"{writer.shop}/help/{name}" if writer else name
        message: Text | WhatsApp
        if event.channel is Channel.SMS:
            message = Text(key=key, to=to, body=plain(body))
        else:
            # They wrote just now, so the 24 hours are open and no template is needed.
            message = WhatsApp(
                key=key, to=to, template="", language=language, parameters=(), body=body, conversing=True
            )
        self._settle(row, "help", await send(voice.senders, event.channel, message, first=event.provider))

    async def _tell(self, row: Claimed, event: MessageFeedback, writer: Writer | None) -> None:
        alert = Alert(
            kind=f"a reply by {event.channel.value} wants reading",
            order=f"{writer.shop}/{writer.order_id}" if writer else "",
            # Never their words, which stand in the inbox.
            rule=f"inbox {row.id}",
            number=writer.number if writer else None,
        )
        receipt: Receipt | None = Unclear("no_answer_in_time")
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                receipt = await self._alerts.tell(alert)
        self._settle(row, "alert", receipt)

    def _settle(self, row: Claimed, what: str, receipt: Receipt | None) -> None:
        """Let it be when it went out, may have, or never will.

        Raises:
            BusyError: it is worth another try.
        """
        if not isinstance(receipt, Busy | Rejected):
            return
        if isinstance(receipt, Busy) and receipt.rule != NOBODY and row.attempts < _TRIES:
            raise BusyError
        _log.error("reply not answered", inbox_id=row.id, what=what, rule=receipt.rule)


async def _chooses(connection: Connection, event: MessageFeedback, number: str) -> bool:
    """Whether it is the choice of the one remedy that is offered to whoever has that number; it stands then."""
    choice = chosen(event.text or "")
    offers = await remedies.open_for(connection, number, now=event.at, shop=event.shop) if choice is not None else []
    if choice is None or len(offers) != 1:
        return False
    made = await remedies.choose(connection, *offers[0], choice, by=By.REPLY, at=event.at, received_at=event.at)
    return made is not None and made.new

"""How many mails one core writes: from an order's facts to what a provider takes, and on to MIME."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import TypeVar

from activities.links import Links
from activities.messaging.context import build_message
from activities.messaging.mime import as_bytes
from activities.messaging.protocol import Mail
from activities.messaging.templates import Templates
from bench.people import NOW, OFFSETS, PLACES
from bench.sides import CARRIER, SHOP
from journey.playbook import Playbook
from store.messages import MessageFacts, MessageLine, MessageParcel
from workers.settings import shipped_playbooks

_T = TypeVar("_T")
_ORDER = "217fb509a20c"
_MESSAGE_ID = "<0b8d2ad0-58c5-5a3e-9d5c-0d7b4a1f6a52@shop.test>"


@dataclass(frozen=True, slots=True)
class Rates:
    """Mails a second on one core.

    `ready` are mails as providers by API take them (HTML, text, header fields); `mime` the same as bytes for SMTP and
    SES, everything included; `mime_alone` from a ready mail to bytes, and `standard_library` the same by
    `email.message`. `kib` is the mean size of HTML and text.
    """

    ready: float
    mime: float
    mime_alone: float
    standard_library: float
    kib: float


def rates(playbook: Playbook, *, seconds: float) -> Rates:
    """Each for `seconds`: every touch of the first weeks, in four languages, templates compiled beforehand."""
    templates, links = Templates.load(shipped_playbooks()), Links("bench-secret-key", "http://shop.test")
    wanted = [(touch, facts) for facts in _orders() for touch in OFFSETS]

    def write(asked: tuple[str, MessageFacts]) -> Mail:
        touch, facts = asked
        mail = build_message(
            templates,
            links,
            facts,
            playbook.by_id[touch],
            parcels=facts.parcels[:1],
            subject=touch,
            key=f"{SHOP}/{_ORDER}/{touch}/0",
            message_id=_MESSAGE_ID,
            now=NOW,
        )
        if mail is None:
            raise RuntimeError("the bench's customers have addresses")
        return mail

    ready = [write(asked) for asked in wanted]
    return Rates(
        ready=_rate(write, wanted, seconds),
        mime=_rate(lambda asked: as_bytes(write(asked)), wanted, seconds),
        mime_alone=_rate(as_bytes, ready, seconds),
        standard_library=_rate(_by_the_standard_library, ready, seconds),
        kib=statistics.mean(len(mail.html.encode()) + len(mail.text.encode()) for mail in ready) / 1024,
    )


def _orders() -> list[MessageFacts]:
    parcel = MessageParcel("00340434", CARRIER, "delivered", None, NOW.date(), NOW.date(), 1, 1)
    line = MessageLine("YM-1", "Yoga mat", 1, Decimal("79.00"), "fitness", "physical")
    return [
        MessageFacts(
            shop=SHOP,
            order_id=_ORDER,
            email="buyer-1@example.com",
            first_name="Zoë",
            locale=locale,
            time_zone=zone,
            country=country,
            placed_at=NOW - timedelta(days=7),
            currency="EUR",
            total=Decimal("79.00"),
            channel="online",
            buyer="repeat",
            lines=(line,),
            parcels=(parcel,),
            refunded=None,
        )
        for locale, zone, country in PLACES
    ]


def _by_the_standard_library(mail: Mail) -> bytes:
    made = EmailMessage(policy=SMTP)
    made["Message-ID"] = mail.message_id
    made["From"] = Address(mail.sender_name, addr_spec=mail.sender)
    made["To"] = Address(addr_spec=mail.to)
    made["Reply-To"] = Address(addr_spec=mail.reply_to)
    made["Subject"] = mail.subject
    for name, value in mail.headers:
        made[name] = value
    made.set_content(mail.text)
    made.add_alternative(mail.html, subtype="html")
    return made.as_bytes()


def _rate(work: Callable[[_T], object], over: Sequence[_T], seconds: float) -> float:
    """Pieces a second by this process's CPU; the median over rounds, so that a busy machine's hiccups do not count."""
    found: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or not found:
        began = time.process_time()
        for piece in over:
            work(piece)
        found.append(len(over) / (time.process_time() - began))
    return statistics.median(found)

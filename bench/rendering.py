"""How many mails one core writes: from an order's facts to what a provider takes, and on to MIME."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, TypeVar

import jinja2

from activities.links import Links
from activities.messaging.compiled import Language, load_languages
from activities.messaging.context import build_message, message_context
from activities.messaging.mime import as_bytes
from activities.messaging.mjml import GLOBALS, fill
from activities.messaging.protocol import Mail
from activities.messaging.templates import Templates
from bench.people import NOW, OFFSETS, PLACES
from bench.sides import CARRIER, SHOP
from journey.playbook import Playbook, Touch
from journey.sandbox import plain
from store.messages import MessageFacts, MessageLine, MessageParcel
from workers.settings import shipped_playbooks

_T = TypeVar("_T")
_ORDER = "217fb509a20c"
_MESSAGE_ID = "<0b8d2ad0-58c5-5a3e-9d5c-0d7b4a1f6a52@shop.test>"


@dataclass(frozen=True, slots=True)
class Rates:
    """Mails a second on one core.

    `ready` are mails as providers by API take them (HTML, text, header fields), `body` the HTML and the text of the
    same ones alone, rendered by Jinja from compiled templates and a finished context; `mime` are mails as bytes for
    SMTP and SES, everything included; `mime_alone` from a ready mail to bytes, and `standard_library` the same by
    `email.message`. `kib` is the mean size of HTML and text.
    """

    ready: float
    body: float
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
    languages = load_languages([shipped_playbooks()], {})
    bodies = [_compiled(templates, languages, links, playbook.by_id[touch], facts) for touch, facts in wanted]
    return Rates(
        ready=_rate(write, wanted, seconds),
        body=_rate(_body, bodies, seconds),
        mime=_rate(lambda asked: as_bytes(write(asked)), wanted, seconds),
        mime_alone=_rate(as_bytes, ready, seconds),
        standard_library=_rate(_by_the_standard_library, ready, seconds),
        kib=statistics.mean(len(mail.html.encode()) + len(mail.text.encode()) for mail in ready) / 1024,
    )


def _compiled(
    templates: Templates, languages: Mapping[str, Language], links: Links, wanted: Touch, facts: MessageFacts
) -> tuple[jinja2.Template, jinja2.Template, dict[str, Any]]:
    """The compiled HTML and text of a touch in the customer's language, and all that they read."""
    compiled = languages[templates.language(facts.locale)].touch(wanted.template)
    if compiled is None:
        raise RuntimeError(f"the bench's playbook has {wanted.id}, and the templates do not")
    unsubscribe = links.unsubscribe(facts.shop, facts.order_id) if wanted.marketing else None
    context = message_context(
        templates, links, facts, wanted, parcels=facts.parcels[:1], subject=wanted.id, unsubscribe=unsubscribe, now=NOW
    )
    return (
        compiled.html,
        compiled.text,
        {**GLOBALS, **plain(context), "brand": compiled.brand, "subject": "A subject", "preview": "A preview"},
    )


def _body(given: tuple[jinja2.Template, jinja2.Template, dict[str, Any]]) -> tuple[str, str]:
    html, text, context = given
    return fill(html, context), fill(text, context)


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

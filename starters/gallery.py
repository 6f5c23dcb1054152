"""Every touch in every language on every channel, on one made-up order: the gallery of the embedded stack.

Only the embedded stack serves these pages; in production there is no such route.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from activities.links import Links
from activities.messaging.context import build_short, message_context
from activities.messaging.samples import PROBLEMS
from activities.messaging.short import Short
from activities.messaging.templates import Rendered, Templates
from activities.messaging.text.segments import Segments, count
from journey.playbook import PARCEL_ANCHORS, Anchor, Channel, Playbook, Touch
from store.messages import MessageFacts, MessageLine, MessageParcel, MessageRemedy
from store.refunds import Refund

_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'self'"
SHOWN: Final = (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP, Channel.PUSH, Channel.INBOX)
"""The channels that read differently; a notification in the browser is one on the phone."""
_WIDTHS: Final = (375, 640)
_NOW: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
_LINKS: Final = Links("gallery", "https://shop.example")
_GOODS: Final[Mapping[str, tuple[str, str, str]]] = {
    "de": ("Yogamatte", "Hauskaffee Slow Drip, 1 kg", "Yoga am Morgen: der Kurs"),
    "fr": ("Tapis de yoga", "Café maison Slow Drip, 1 kg", "Le yoga du matin : le cours"),
    "es": ("Esterilla de yoga", "Café de la casa Slow Drip, 1 kg", "Yoga por la mañana: el curso"),
}
_ENGLISH: Final = ("Yoga mat", "Slow Drip house coffee, 1 kg", "Morning yoga: the course")


@dataclass(frozen=True, slots=True)
class Card:
    """One touch in one language on one channel. `segments` are an SMS's, `reason` the problem it is about."""

    touch: str
    locale: str
    channel: Channel
    reason: str | None
    mail: Rendered | None = None
    short: Short | None = None
    segments: Segments | None = None


def example_order(locale: str) -> MessageFacts:
    """An order of two things and a course by a customer who has been here before."""
    mat, coffee, course = _GOODS.get(locale.partition("-")[0], _ENGLISH)
    lines = (
        MessageLine("YM-1", mat, 2, Decimal("39.50"), "fitness", "physical"),
        MessageLine("CF-3", coffee, 1, Decimal("24.90"), "coffee", "physical"),
        MessageLine("CLS-1", course, 1, Decimal("1049.00"), "course", "digital"),
    )
    return MessageFacts(
        shop="acme",
        order_id="1001",
        email="ada@example.com",
        first_name="Ada",
        locale=locale,
        time_zone="Europe/Berlin",
        country="DE",
        placed_at=_NOW,
        currency="EUR",
        total=sum((line.unit_price * line.quantity for line in lines), Decimal(0)),
        channel="online",
        buyer="repeat",
        lines=lines,
        parcels=(),
        number="#1001",
    )


def example_parcel(placed: date, reason: str | None) -> MessageParcel:
    """The first of two parcels, two days later than first said."""
    return MessageParcel(
        tracking_number="00340434161094021501",
        carrier="DHL",
        status="in_transit",
        reason=reason,
        estimated_delivery=placed + timedelta(days=6),
        first_estimate=placed + timedelta(days=4),
        number=1,
        count=2,
    )


def example_remedy(choice: str | None) -> MessageRemedy:
    """A lost parcel, to be made good as `choice` says; a replacement where it says nothing."""
    return MessageRemedy(
        reason="lost",
        options=("replacement", "refund"),
        amount=Decimal("79.00"),
        choose_by=_NOW + timedelta(days=3),
        choice=choice or "replacement",
        reference="1002",
        coupon="SORRY-7QX2",
    )


def card(templates: Templates, facts: MessageFacts, touch: Touch, channel: Channel, reason: str | None = None) -> Card:
    """Write one touch to a customer, as it would be sent.

    Raises:
        TemplateError: it cannot be written on this channel.
    """
    parcel = example_parcel(facts.placed_at.date(), reason) if touch.anchor in PARCEL_ANCHORS else None
    if parcel is not None and touch.anchor in _IN_THE_STORE:
        parcel = replace(parcel, carrier=None, pickup=True)
    parcels = () if parcel is None else (parcel,)
    subject = f"{touch.id}:{parcel.tracking_number if parcel else ''}:{reason or 'other'}"
    if parcel is not None and touch.anchor in (Anchor.REMEDY_OFFERED, Anchor.REMEDY_SETTLED):
        facts = replace(facts, remedies={parcel.tracking_number: example_remedy(reason)})
    if touch.anchor in (Anchor.REFUND, Anchor.ORDER_CANCELLED) and not facts.refunds:
        facts = replace(facts, refunds={subject.partition(":")[2]: Refund(facts.total, facts.currency)})
    shown = Card(touch.id, facts.locale, channel, reason)
    if channel is Channel.EMAIL:
        unsubscribe = _LINKS.unsubscribe(facts.shop, facts.order_id) if touch.marketing else None
        context = message_context(
            templates, _LINKS, facts, touch, parcels=parcels, subject=subject, unsubscribe=unsubscribe, now=_NOW
        )
        return replace(shown, mail=templates.render(touch.template, context, locale=facts.locale))
    short = build_short(templates, _LINKS, facts, touch, channel, parcels=parcels, subject=subject, now=_NOW)
    return replace(shown, short=short, segments=count(short.body) if channel is Channel.SMS else None)


_CASES: Mapping[Anchor, Sequence[str | None]] = {
    Anchor.PARCEL_PROBLEM: PROBLEMS,
    Anchor.REMEDY_SETTLED: ("replacement", "refund"),
}
"""The cases in which a touch's message reads differently, by its anchor."""
_IN_THE_STORE = frozenset(
    {Anchor.PICKUP_READY, Anchor.PICKUP_LAST_CALL, Anchor.PICKUP_COLLECTED, Anchor.PICKUP_NOT_COLLECTED}
)


def text_page(shown: Card) -> str:
    """A short text as a page of its own."""
    return _environment().get_template("text.html").render(card=shown)


def gallery_pages(templates: Templates, playbook: Playbook) -> APIRouter:
    """`/dev/gallery` and each mail alone for its frame."""
    env = _environment()
    router = APIRouter(prefix="/dev", include_in_schema=False)

    @router.get("/gallery")
    def gallery(touch: str = "", locale: str = "en", channel: str = "email", width: int = _WIDTHS[1]) -> Response:
        """The touches, narrowed to one touch, language or channel; empty or `all` shows every one."""
        languages = [one for one in templates.languages if locale in ("", "all", one)]
        channels = [one for one in SHOWN if channel in ("", "all", one.value)]
        touches = [one for one in playbook.touches if touch in ("", "all", one.id)]
        rows = [(one, list(_cards(templates, one, languages, channels))) for one in touches]
        page = env.get_template("gallery.html").render(
            rows=rows,
            touches=[one.id for one in playbook.touches],
            languages=templates.languages,
            channels=[one.value for one in SHOWN],
            widths=_WIDTHS,
            chosen={"touch": touch, "locale": locale, "channel": channel, "width": width},
            count=sum(len(cards) for _, cards in rows),
        )
        return _html(page, _PAGE_POLICY)

    @router.get("/gallery/{touch}/{locale}")
    def mail(touch: str, locale: str, reason: str = "") -> Response:
        """One mail's HTML part."""
        found = playbook.by_id.get(touch)
        cases = () if found is None else _CASES.get(found.anchor, ())
        if found is None or locale not in templates.languages or (reason and reason not in cases):
            return _html("<p>There is no such mail.</p>", _MAIL_POLICY, 404)
        shown = card(templates, example_order(locale), found, Channel.EMAIL, reason or None)
        return _html(shown.mail.html if shown.mail else "", _MAIL_POLICY)

    return router


def _cards(templates: Templates, touch: Touch, languages: list[str], channels: list[Channel]) -> Iterator[Card]:
    reasons = _CASES.get(touch.anchor, (None,))
    for reason in reasons:
        for locale in languages:
            for channel in channels:
                yield card(templates, example_order(locale), touch, channel, reason)


def _environment() -> Environment:
    loader = PackageLoader("starters", "pages/dev")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def _html(page: Any, policy: str, status: int = 200) -> Response:
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(page, status_code=status, headers=headers)

"""The customers' pages under signed links: an order's page, and the way out of marketing mail."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import structlog
from babel.dates import format_date
from babel.numbers import format_currency
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from activities.links import Links
from activities.messaging.brand import Brand
from journey.consent import How
from journey.hours import is_zone
from journey.order import LineKind
from journey.parcels import ParcelStatus, Reason
from store import people
from store.pool import AWAY, Pool
from store.views import OrderView, ParcelView, order_view

_log = structlog.get_logger(__name__)

STEPS = ("Packed", "Sent", "On its way", "Out for delivery", "Delivered")
_SENT, _MOVING, _NEAR, _THERE = range(1, 5)
_STEP = {
    ParcelStatus.PENDING: _SENT,
    ParcelStatus.LABEL_CREATED: _SENT,
    ParcelStatus.OUT_FOR_DELIVERY: _NEAR,
    ParcelStatus.ATTEMPT_FAILED: _NEAR,
    ParcelStatus.AVAILABLE_FOR_PICKUP: _NEAR,
    ParcelStatus.DELIVERED: _THERE,
}
_SAID = {
    ParcelStatus.PENDING: "Handed to the carrier. The first scan is usually a matter of hours.",
    ParcelStatus.LABEL_CREATED: "Packed and labelled, waiting for the carrier to collect it.",
    ParcelStatus.PICKED_UP: "The carrier has it.",
    ParcelStatus.IN_TRANSIT: "On its way to you.",
    ParcelStatus.OUT_FOR_DELIVERY: "On the van, and due today.",
    ParcelStatus.ATTEMPT_FAILED: "The carrier tried to deliver it and will try again.",
    ParcelStatus.AVAILABLE_FOR_PICKUP: "Waiting for you at the pick-up point.",
    ParcelStatus.DELIVERED: "Delivered.",
    ParcelStatus.EXCEPTION: "The carrier reports a problem. We are looking into it.",
    ParcelStatus.RETURNING: "On its way back to us. Write to us and we will put it right.",
    ParcelStatus.RETURNED: "It came back to us. Write to us and we will put it right.",
    ParcelStatus.CANCELLED: "This shipment was called off.",
    ParcelStatus.EXPIRED: "The carrier has had no news for a while. We are asking.",
    ParcelStatus.UNKNOWN: "On its way. The carrier has not said more yet.",
}
_WHY = {
    Reason.DELAYED: "Running late. We are sorry.",
    Reason.ADDRESS: "The carrier has a question about the address. Please write to us.",
    Reason.CUSTOMS: "Held at customs. That usually clears by itself in a few days.",
    Reason.DAMAGED: "It was damaged on the way. We are putting it right.",
    Reason.LOST: "The carrier cannot find it. We are putting it right.",
}
_OVER = {ParcelStatus.DELIVERED, ParcelStatus.CANCELLED, ParcelStatus.RETURNED, ParcelStatus.RETURNING}
_TROUBLE = {ParcelStatus.EXCEPTION, ParcelStatus.RETURNING, ParcelStatus.RETURNED, ParcelStatus.EXPIRED}
_BODY_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Progress:
    """A parcel for the page: `step` counts into `STEPS`, `expected` is words or None."""

    parcel: ParcelView
    step: int
    said: str
    expected: str | None
    troubled: bool


class Pages:
    """Renders the pages in the shop's own colours; everything that came from outside is escaped."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand
        self._env = Environment(
            loader=PackageLoader("starters", "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
        """A page with its security headers: no script at all, no foreign form, no frame, no trace in caches."""
        nonce = secrets.token_urlsafe(16)
        html = self._env.get_template(template).render(brand=self._brand, nonce=nonce, **context)
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; img-src https:; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex",
        }
        return HTMLResponse(html, status_code=status, headers=headers)

    def not_found(self) -> HTMLResponse:
        """For a link that was cut, altered or made for something that is no more; all look alike."""
        return self.render(
            "message.html",
            status=404,
            title="This link does not work",
            text="It may have been cut in two by a mail program. Try it again from the mail, or write to us.",
        )

    def away(self) -> HTMLResponse:
        """For the minute in which the database is not there."""
        return self.render(
            "message.html",
            status=503,
            title="One moment, please",
            text="This page is taking a short break. Nothing is lost: please try again in a minute.",
        )

    def way_out(self, preferences: str) -> HTMLResponse:
        """The button that ends marketing mail, with the address of the preference centre beside it."""
        return self.render("unsubscribe.html", preferences=preferences)

    def order(self, order: OrderView) -> HTMLResponse:
        """An order with its parcels."""
        locale = (order.locale if order.locale.partition("-")[0] == "en" else "en").replace("-", "_")
        zone = ZoneInfo(order.time_zone) if order.time_zone and is_zone(order.time_zone) else ZoneInfo("UTC")

        def money(amount: Decimal) -> str:
            return format_currency(amount, order.currency, locale=locale)

        return self.render(
            "order.html",
            order=order,
            steps=STEPS,
            progress=[_progress(parcel, locale, zone) for parcel in order.parcels],
            placed_on=_day(order.placed_at.astimezone(zone).date(), locale),
            money=money,
            digital=any(line.kind is LineKind.DIGITAL for line in order.lines),
            travels=order.channel != "pos" and any(line.kind is LineKind.PHYSICAL for line in order.lines),
        )


def router(*, pool: Pool, links: Links, brand: Brand, clock: Callable[[], datetime]) -> APIRouter:
    """The routes `/o/{token}` and `/u/{token}`. `clock` (UTC) dates an opt-out."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(brand)

    @routes.get("/o/{token}")
    async def order_page(token: str) -> Response:
        ids = links.read_order(token)
        if ids is None:
            return pages.not_found()
        try:
            order = await order_view(pool, *ids)
        except AWAY:
            return pages.away()
        return pages.not_found() if order is None else pages.order(order)

    @routes.get("/u/{token}")
    async def ask(token: str) -> Response:
        # Scanners follow links in mails, so looking at this page must not change anything (RFC 8058).
        ids = links.read_unsubscribe(token)
        return pages.not_found() if ids is None else pages.way_out(links.preferences(*ids))

    @routes.post("/u/{token}")
    async def opt_out(token: str, request: Request) -> Response:
        one_click = await _one_click(request)
        ids = links.read_unsubscribe(token)
        if ids is None:
            return PlainTextResponse("Unknown link.\n", status_code=404) if one_click else pages.not_found()
        shop, order_id = ids
        try:
            done = await people.opt_out(
                pool,
                shop=shop,
                order_id=order_id,
                at=clock(),
                how=How.ONE_CLICK if one_click else How.UNSUBSCRIBE_LINK,
                source_hash=source_of(links, request),
            )
        except AWAY:
            # Mail programs and people try again on a 503; a 200 would promise what has not happened.
            return PlainTextResponse("Try again.\n", status_code=503) if one_click else pages.away()
        if not done:
            return PlainTextResponse("Unknown link.\n", status_code=404) if one_click else pages.not_found()
        _log.info("opted out", shop=shop, order=order_id, one_click=one_click)
        if one_click:
            return PlainTextResponse("Unsubscribed.\n")
        return pages.render(
            "message.html",
            title="You are unsubscribed",
            text="No more offers, tips or news from us, starting now. Mails about an order itself, such as its "
            "confirmation and its parcels, still come.",
        )

    return routes


def source_of(links: Links, request: Request) -> str | None:
    """Where a request came from, as evidence: hashed with a key, see `Links.source_hash`."""
    return links.source_hash(request.client.host if request.client else None)


async def _one_click(request: Request) -> bool:
    """Whether a mail program asks (RFC 8058: form-encoded or multipart), rather than a person with our form."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            break
    return b"List-Unsubscribe" in body and b"One-Click" in body


def _progress(parcel: ParcelView, locale: str, zone: ZoneInfo) -> Progress:
    said = _SAID[parcel.status]
    if parcel.status is ParcelStatus.DELIVERED:
        expected = _day(parcel.status_at.astimezone(zone).date(), locale) if parcel.status_at else None
    elif parcel.status in _OVER or parcel.estimated_delivery is None or parcel.reason is Reason.LOST:
        expected = None
    else:
        expected = f"Expected {_day(parcel.estimated_delivery, locale)}"
    if parcel.status not in _OVER and parcel.reason in _WHY:
        said = _WHY[parcel.reason]
    troubled = parcel.status in _TROUBLE or (parcel.reason in _WHY and parcel.status not in _OVER)
    return Progress(parcel, _STEP.get(parcel.status, _MOVING), said, expected, troubled)


def _day(day: date, locale: str) -> str:
    return format_date(day, "EEEE, d MMMM", locale=locale)

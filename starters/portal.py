"""The customers' pages under signed links: an order's page, and the way out of marketing mail."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from activities.links import Links
from activities.messaging.brand import Brand
from activities.messaging.language import country, locale_of, money
from activities.messaging.sums import sums_shown
from journey.consent import How
from journey.order import LineKind
from journey.playbook import Channel
from journey.zones import possible_zones, zone_named
from starters import denials
from starters.parcel_page import Reader, promised, show, still_to_be_sent, still_to_come
from starters.preference_form import read_form
from starters.words import asked_for, language_of, words_of
from store import people
from store.delivery import PickupPoint
from store.pool import AWAY, Pool
from store.views import OrderView, order_view

_log = structlog.get_logger(__name__)

_BODY_LIMIT = 64 * 1024


class Pages:
    """Renders the pages in the shop's own colours; everything that came from outside is escaped.

    `brand` is the shop in English; `brand_in` in any of the pages' languages, where it has others.
    """

    def __init__(self, brand: Brand, *, brand_in: Callable[[str], Brand] | None = None) -> None:
        self.brand = brand
        self.brand_in = brand_in or (lambda _language: brand)
        self._env = Environment(
            loader=PackageLoader("starters", "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, *, language: str, status: int = 200, **context: object) -> HTMLResponse:
        """A page with its security headers: no script at all, no foreign form, no frame, no trace in caches.

        Args:
            template: its file in `pages`.
            language: one of `starters.words.LANGUAGES`; its words are there as `words`, unless the context has some.
            status: of the answer.
            context: what else the template wants.
        """
        nonce = secrets.token_urlsafe(16)
        given = {"words": words_of(language), "brand": self.brand_in(language), "language": language, **context}
        html = self._env.get_template(template).render(nonce=nonce, **given)
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; img-src https:; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "Content-Language": language,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex",
        }
        return HTMLResponse(html, status_code=status, headers=headers)

    def message(self, language: str, title: str, text: str, *, status: int = 200) -> HTMLResponse:
        """A page that says one thing."""
        return self.render("message.html", language=language, status=status, title=title, text=text)

    def not_found(self, language: str) -> HTMLResponse:
        """For a link that was cut, altered or made for something that is no more; all look alike."""
        said = words_of(language)["not_found"]
        return self.message(language, said["title"], said["text"], status=404)

    def away(self, language: str) -> HTMLResponse:
        """For the minute in which the database is not there."""
        said = words_of(language)["away"]
        return self.message(language, said["title"], said["text"], status=503)

    def way_out(self, language: str, preferences: str) -> HTMLResponse:
        """The button that ends marketing mail, with the address of the preference centre beside it."""
        return self.render("unsubscribe.html", language=language, preferences=preferences)

    def order(
        self,
        order: OrderView,
        *,
        wanted: str,
        now: datetime,
        notes: str,
        preferences: str,
        deny_at: str,
        said: str | None = None,
    ) -> HTMLResponse:
        """An order with its parcels.

        Args:
            order: what to show.
            wanted: the customer's locale: its language where these pages speak it, its region for money and days.
            now: UTC, for when parcels are expected.
            notes: the address of the order's messages.
            preferences: the address of the preference centre.
            deny_at: where the page sends the word that a parcel never came.
            said: that word, where it was just given: `denied`, `found` or `enough`; anything else means nothing.
        """
        language = language_of(wanted)
        words, locale = words_of(language)["order"], locale_of(wanted, language)
        zone = zone_named(possible_zones(order.time_zone, order.country)[0])
        reader = Reader(words, locale, zone, now)

        total, parts, prices = sums_shown(order, lambda amount, currency: money(amount, currency, locale))
        return self.render(
            "order.html",
            language=language,
            order=order,
            parcels=[show(parcel, order, reader) for parcel in order.parcels],
            unsent=still_to_be_sent(order),
            placed_on=reader.day(order.placed_at),
            paid_back=" + ".join(money(amount, currency, locale) for currency, amount in order.paid_back.items()),
            total=total,
            sums=parts,
            prices=prices,
            digital=any(line.kind is LineKind.DIGITAL for line in order.lines),
            point=order.delivery.pickup_point if order.delivery.pickup_point != PickupPoint() else None,
            country=lambda code: country(code, locale),
            promised=promised(order, reader),
            **still_to_come(order),
            notes=notes,
            preferences=preferences,
            deny_at=deny_at,
            heard=words["heard"].get(said),
        )


def _asleep() -> None:
    """A relay that polls need not be woken."""


def router(
    *,
    pool: Pool,
    links: Links,
    pages: Pages,
    clock: Callable[[], datetime],
    wake: Callable[[], object] = _asleep,
) -> APIRouter:
    """The routes `/o/{token}`, `/o/{token}/denied` and `/u/{token}`.

    Args:
        pool: the database.
        links: reads the tokens.
        pages: how they look.
        clock: UTC, dates what customers say, and says how far their parcels are.
        wake: called when there is something new in the inbox.
    """
    portal = _Portal(pool, links, pages, clock, wake)
    routes = APIRouter(include_in_schema=False)
    routes.add_api_route("/o/{token}", portal.order, methods=["GET"])
    routes.add_api_route("/o/{token}/denied", portal.deny, methods=["POST"])
    routes.add_api_route("/u/{token}", portal.ask, methods=["GET"])
    routes.add_api_route("/u/{token}", portal.opt_out, methods=["POST"])
    return routes


@dataclass(frozen=True, slots=True)
class _Portal:
    """The endpoints, over one database."""

    pool: Pool
    links: Links
    pages: Pages
    clock: Callable[[], datetime]
    wake: Callable[[], object]

    async def order(self, token: str, request: Request) -> Response:
        ids = self.links.read_order(token)
        if ids is None:
            return self.pages.not_found(asked_for(request))
        try:
            order = await order_view(self.pool, *ids)
            wanted = await people.locale_of(self.pool, *ids)
        except AWAY:
            return self.pages.away(asked_for(request))
        if order is None or wanted is None:
            return self.pages.not_found(asked_for(request))
        # Links to an order are passed on, so this one proves no address: see `store.preferences.proven_by`.
        preferences = self.links.preferences(*ids, Channel.INBOX)
        return self.pages.order(
            order,
            wanted=wanted,
            now=self.clock(),
            notes=f"{self.links.path}/notes/{token}",
            preferences=preferences,
            deny_at=f"{self.links.path}/o/{token}/denied",
            said=request.query_params.get("said"),
        )

    async def deny(self, token: str, request: Request) -> Response:
        form = await read_form(request)
        ids = self.links.read_order(token)
        found = form.get("found") == ["yes"]
        number = (form.get("parcel") or [""])[0]
        try:
            kept = ids and await denials.keep(
                self.pool, shop=ids[0], order_id=ids[1], tracking_number=number, found=found, at=self.clock()
            )
        except AWAY:
            return self.pages.away(asked_for(request))
        if ids is None or kept is None:
            return self.pages.not_found(asked_for(request))
        if kept == "new":
            _log.info("delivery found" if found else "delivery denied", shop=ids[0], order=ids[1])
            self.wake()
        # Loading the page that is shown next sends nothing again.
        said = "enough" if kept == "enough" else "found" if found else "denied"
        return RedirectResponse(f"{self.links.path}/o/{token}?said={said}", status_code=303)

    async def ask(self, token: str, request: Request) -> Response:
        # Scanners follow links in mails, so looking at this page must not change anything (RFC 8058).
        ids = self.links.read_unsubscribe(token)
        if ids is None:
            return self.pages.not_found(asked_for(request))
        return self.pages.way_out(await self._language(request, ids), self.links.preferences(*ids))

    async def opt_out(self, token: str, request: Request) -> Response:
        one_click = await _one_click(request)
        ids = self.links.read_unsubscribe(token)
        try:
            done = ids is not None and await self._opt_out(request, ids, one_click=one_click)
        except AWAY:
            # Mail programs and people try again on a 503; a 200 would promise what has not happened.
            return PlainTextResponse("Try again.\n", 503) if one_click else self.pages.away(asked_for(request))
        if ids is None or not done:
            return PlainTextResponse("Unknown link.\n", 404) if one_click else self.pages.not_found(asked_for(request))
        if one_click:
            return PlainTextResponse("Unsubscribed.\n")
        language = await self._language(request, ids)
        said = words_of(language)["unsubscribe"]
        return self.pages.message(language, said["done"], said["done_text"])

    async def _opt_out(self, request: Request, ids: tuple[str, str], *, one_click: bool) -> bool:
        shop, order_id = ids
        done = await people.opt_out(
            self.pool,
            shop=shop,
            order_id=order_id,
            at=self.clock(),
            how=How.ONE_CLICK if one_click else How.UNSUBSCRIBE_LINK,
            source_hash=source_of(self.links, request),
        )
        if done:
            _log.info("opted out", shop=shop, order=order_id, one_click=one_click)
        return done

    async def _language(self, request: Request, ids: tuple[str, str]) -> str:
        """The customer's; what their browser asks for where nobody knows, or can say just now."""
        try:
            locale = await people.locale_of(self.pool, *ids)
        except AWAY:
            locale = None
        return asked_for(request) if locale is None else language_of(locale)


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

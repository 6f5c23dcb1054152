"""The preference centre behind a signed link, and the page that confirms a double opt-in.

Looking changes nothing (scanners follow links in mails); a form's POST is answered with 303, so that a page that is
loaded again sends nothing again. There is no script: what is left of a form is what HTML itself sends.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from babel.dates import format_date
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from activities.links import Links
from activities.messaging.brand import Brand
from journey.playbook import Channel, Topic
from starters.portal import Pages, source_of
from starters.preference_form import LANGUAGES, Form, Offer, choices_of, language_of, offers_to, read_form, words_of
from store import double_opt_in, preferences
from store.double_opt_in import Pending
from store.pool import AWAY, Pool
from store.standing import Standing


class Confirmations(Protocol):
    """Sends the links of double opt-ins."""

    async def send(self, pending: Pending, link: str) -> None:
        """Send `link` to the customer's address of `pending.channel`, in `pending.locale`; nothing else with it."""


def router(
    *,
    pool: Pool,
    links: Links,
    brand: Brand,
    clock: Callable[[], datetime],
    confirmations: Confirmations | None = None,
) -> APIRouter:
    """The routes `/p/{token}` and `/confirm/{token}`.

    Args:
        pool: the database.
        links: reads the tokens, and makes the links of double opt-ins.
        brand: how the pages look.
        clock: UTC, dates what is chosen.
        confirmations: sends the links of double opt-ins; without it, a yes that would need one is not offered.
    """
    centre = _Centre(pool, links, brand, clock, confirmations)
    routes = APIRouter(include_in_schema=False)
    routes.add_api_route("/p/{token}", centre.look, methods=["GET"])
    routes.add_api_route("/p/{token}", centre.choose, methods=["POST"])
    routes.add_api_route("/confirm/{token}", centre.ask, methods=["GET"])
    routes.add_api_route("/confirm/{token}", centre.confirm, methods=["POST"])
    return routes


class _Centre:
    """The four endpoints."""

    def __init__(
        self,
        pool: Pool,
        links: Links,
        brand: Brand,
        clock: Callable[[], datetime],
        confirmations: Confirmations | None,
    ) -> None:
        self._pool = pool
        self._links = links
        self._brand = brand
        self._clock = clock
        self._confirmations = confirmations
        self._pages = Pages(brand)

    async def look(self, token: str, request: Request) -> Response:
        ids = self._links.read_preferences(token)
        try:
            known = await preferences.load(self._pool, *ids[:2]) if ids else None
        except AWAY:
            return self._pages.away()
        if ids is None or known is None:
            return self._pages.not_found()
        now = self._clock()
        return _page(
            self._pages, known, self._offers(known, ids[2], now), now=now, note=request.query_params.get("saved")
        )

    async def choose(self, token: str, request: Request) -> Response:
        form = await read_form(request)
        ids = self._links.read_preferences(token)
        try:
            asked = await self._choose(ids, form, source_of(self._links, request)) if ids else None
        except AWAY:
            return self._pages.away()
        if asked is None:
            return self._pages.not_found()
        if self._confirmations is not None:
            for pending in (one for one in asked if one.fresh):
                await self._confirmations.send(pending, self._links.confirm(pending.nonce))
        return RedirectResponse("?saved=asked" if asked else "?saved=yes", status_code=303)

    async def ask(self, token: str) -> Response:
        nonce = self._links.read_confirm(token)
        try:
            pending = await double_opt_in.find(self._pool, nonce, now=self._clock()) if nonce else None
        except AWAY:
            return self._pages.away()
        if pending is None:
            return self._pages.not_found()
        language = language_of(pending.locale)
        words = words_of(language)
        return self._pages.render(
            "preferences_confirm.html",
            language=language,
            words=words,
            channel=words["channels"][pending.channel.value],
            done=pending.confirmed,
        )

    async def confirm(self, token: str, request: Request) -> Response:
        nonce = self._links.read_confirm(token)
        try:
            source = source_of(self._links, request)
            done = nonce and await double_opt_in.confirm(self._pool, nonce, at=self._clock(), source_hash=source)
        except AWAY:
            return self._pages.away()
        return RedirectResponse("?", status_code=303) if done else self._pages.not_found()

    async def _choose(
        self, ids: tuple[str, str, Channel], form: Form, source_hash: str | None
    ) -> tuple[Pending, ...] | None:
        shop, order_id, via = ids
        now = self._clock()
        known = await preferences.load(self._pool, shop, order_id)
        if known is None:
            return None
        choices = choices_of(form, known, self._offers(known, via, now), shop_name=self._brand.name, now=now)
        return await preferences.choose(
            self._pool, shop=shop, order_id=order_id, via=via, choices=choices, at=now, source_hash=source_hash
        )

    def _offers(self, known: Standing, via: Channel, now: datetime) -> list[Offer]:
        return offers_to(known, via, now, confirms=self._confirmations is not None)


def _page(pages: Pages, known: Standing, offers: Sequence[Offer], *, now: datetime, note: str | None) -> Response:
    language = language_of(known.locale)
    words = words_of(language)
    rests = known.preferences.rests_until(now)
    return pages.render(
        "preferences.html",
        language=language,
        languages=LANGUAGES,
        words=words,
        # Whatever the address line says, the page only ever shows words of its own.
        note={"yes": words["saved"], "asked": words["asked"]}.get(note or ""),
        offers=[
            {
                "name": offer.channel.value,
                "label": words["channels"][offer.channel.value],
                "on": offer.on,
                "unreachable": offer.unreachable,
                "confirm": offer.confirm,
            }
            for offer in offers
        ],
        topics=[
            {"name": topic.value, "label": words["topics"][topic.value], "on": topic not in known.topics_refused}
            for topic in Topic
        ],
        wishes=known.preferences,
        addressed=[channel.value for channel in preferences.MARKETED if channel in known.addressed],
        paused_until=format_date(rests.astimezone(ZoneInfo("UTC")).date(), "long", locale=language) if rests else None,
    )

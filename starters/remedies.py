"""The page behind a signed link on which a customer chooses what makes a lost or late parcel good.

Looking at it chooses nothing (scanners follow links in mails); the form's POST is answered with 303, so that a page
that is loaded again chooses nothing again. Two tabs, or two presses, are one choice: the second is shown what stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from babel.dates import format_time
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from activities.links import Links
from activities.messaging.language import day, locale_of, money
from journey.remedies import By, Choice, Stand
from journey.zones import is_zone, zone_named
from starters.portal import Pages
from starters.preference_form import read_form
from starters.words import asked_for, language_of, words_of
from store import remedies
from store.pool import AWAY, Pool
from store.remedies import Chosen
from store.remedy_rows import Remedy
from store.remedy_view import RemedyView, remedy_view

_log = structlog.get_logger(__name__)

_UNDER_WAY: Final = {Stand.CHOSEN, Stand.AWAITING_APPROVAL, Stand.IN_HAND}
_PEOPLES: Final = {Stand.FAILED, Stand.DECLINED}


def router(*, pool: Pool, links: Links, pages: Pages, clock: Callable[[], datetime]) -> APIRouter:
    """The route `/r/{token}`. `clock` (UTC) says whether there is still time to choose, and dates a choice."""
    desk = _Desk(pool, links, pages, clock)
    routes = APIRouter(include_in_schema=False)
    routes.add_api_route("/r/{token}", desk.look, methods=["GET"])
    routes.add_api_route("/r/{token}", desk.choose, methods=["POST"])
    return routes


@dataclass(frozen=True, slots=True)
class _Desk:
    """The endpoints, over one database."""

    pool: Pool
    links: Links
    pages: Pages
    clock: Callable[[], datetime]

    async def look(self, token: str, request: Request) -> Response:
        ids = self.links.read_remedy(token)
        try:
            found = await remedy_view(self.pool, *ids) if ids else None
        except AWAY:
            return self.pages.away(asked_for(request))
        if ids is None or found is None:
            return self.pages.not_found(asked_for(request))
        # Whatever the address line says, the page only ever shows words of its own.
        return self._page(found, second=request.query_params.get("said") == "stands")

    async def choose(self, token: str, request: Request) -> Response:
        wanted = (await read_form(request)).get("choice", [""])[-1]
        ids = self.links.read_remedy(token)
        choice = Choice(wanted) if wanted in set(Choice) else None
        try:
            stands = await self._choose(ids, choice) if ids and choice else None
            known = stands or (ids and await remedies.get(self.pool, *ids))
        except AWAY:
            return self.pages.away(asked_for(request))
        if not known:
            return self.pages.not_found(asked_for(request))
        other = stands is not None and stands.stands not in {None, choice}
        return RedirectResponse("?said=stands" if other else "?", status_code=303)

    async def _choose(self, ids: tuple[str, str, str], choice: Choice) -> Chosen | None:
        shop, order_id, part = ids
        now = self.clock()
        async with self.pool.acquire() as connection, connection.transaction():
            chosen = await remedies.choose(
                connection, shop, order_id, part, choice, by=By.CUSTOMER, at=now, received_at=now
            )
        if chosen is not None and chosen.new:
            _log.info("remedy chosen", shop=shop, order=order_id, choice=choice)
        return chosen

    def _page(self, found: RemedyView, *, second: bool) -> Response:
        remedy, now = found.remedy, self.clock()
        language = language_of(found.locale)
        locale = locale_of(found.locale, language)
        known = found.time_zone is not None and is_zone(found.time_zone)
        zone = zone_named(found.time_zone if known and found.time_zone else "UTC")
        until = remedy.choose_by.astimezone(zone)
        hour = format_time(until.timetz(), "short", locale=locale)
        said = words_of(language)["remedy"]
        return self.pages.render(
            "remedy.html",
            language=language,
            say=said,
            remedy=remedy,
            number=found.number,
            lead=said["reasons"].get(remedy.reason, said["reasons"]["other"]).format(part=remedy.part),
            goods=found.goods,
            amount=money(remedy.amount, remedy.currency, locale),
            until=said["until"].format(day=day(until.date(), locale), time=hour if known else f"{hour} UTC"),
            shows=_shows(remedy, now),
            second=second,
            order_page=self.links.order(remedy.shop, remedy.order_id),
        )


def _shows(remedy: Remedy, now: datetime) -> str:
    """Which of its faces the page shows."""
    if remedy.status is Stand.OFFERED:
        return "offer" if now < remedy.choose_by and remedy.options else "expired"
    if remedy.status in _UNDER_WAY:
        return "chosen"
    if remedy.status is Stand.DONE:
        return "refunded" if remedy.failure == "already_refunded" else "done"
    return "people" if remedy.status in _PEOPLES else "withdrawn"

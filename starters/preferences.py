"""The preference centre behind a signed link, and the page that confirms a double opt-in.

Looking changes nothing (scanners follow links in mails); a form's POST is answered with 303, so that a page that is
loaded again sends nothing again. There is no script: what is left of a form is what HTML itself sends.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from babel.dates import format_date
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from activities.links import Links
from journey.consent import Frequency, Policy
from journey.playbook import Channel, Topic
from starters.portal import Pages, source_of
from starters.preference_form import Form, Offer, choices_of, offers_to, read_form
from starters.words import LANGUAGES, asked_for, language_of, words_of
from store import double_opt_in, preferences
from store.double_opt_in import Pending
from store.pool import AWAY, Pool
from store.preferences import Chosen
from store.standing import Standing

_LEAST = Policy()
_NOTES = {"yes": "saved", "asked": "asked", "not_sent": "not_sent", "too_many": "too_many"}


class Confirmations(Protocol):
    """Sends the links of double opt-ins; `channels` are those it can send one for."""

    channels: frozenset[Channel]

    async def send(self, pending: Pending, link: str) -> bool:
        """Send `link` to the customer's address of `pending.channel`, in `pending.locale`; nothing else with it.

        False when it certainly did not go out.
        """


def router(
    *,
    pool: Pool,
    links: Links,
    pages: Pages,
    clock: Callable[[], datetime],
    confirmations: Confirmations | None = None,
    policy: Policy = _LEAST,
) -> APIRouter:
    """The routes `/p/{token}` and `/confirm/{token}`.

    Args:
        pool: the database.
        links: reads the tokens, and makes the links of double opt-ins.
        pages: how they look.
        clock: UTC, dates what is chosen.
        confirmations: sends the links of double opt-ins; without it, a yes that would need one is not offered.
        policy: what the shop does about consent beyond the law's least.
    """
    centre = _Centre(pool, links, pages, clock, confirmations, policy)
    routes = APIRouter(include_in_schema=False)
    routes.add_api_route("/p/{token}", centre.look, methods=["GET"])
    routes.add_api_route("/p/{token}", centre.choose, methods=["POST"])
    routes.add_api_route("/confirm/{token}", centre.ask, methods=["GET"])
    routes.add_api_route("/confirm/{token}", centre.confirm, methods=["POST"])
    return routes


@dataclass(frozen=True, slots=True)
class _Centre:
    """The four endpoints."""

    pool: Pool
    links: Links
    pages: Pages
    clock: Callable[[], datetime]
    confirmations: Confirmations | None
    policy: Policy

    async def look(self, token: str, request: Request) -> Response:
        ids = self.links.read_preferences(token)
        try:
            known = await preferences.load(self.pool, *ids[:2]) if ids else None
        except AWAY:
            return self.pages.away(asked_for(request))
        if ids is None or known is None:
            return self.pages.not_found(asked_for(request))
        now = self.clock()
        return _page(
            self.pages,
            known,
            self._offers(known, ids[2], now),
            via=ids[2],
            now=now,
            note=request.query_params.get("saved"),
        )

    async def choose(self, token: str, request: Request) -> Response:
        form = await read_form(request)
        ids = self.links.read_preferences(token)
        try:
            chosen = await self._choose(ids, form, source_of(self.links, request)) if ids else None
        except AWAY:
            return self.pages.away(asked_for(request))
        if chosen is None:
            return self.pages.not_found(asked_for(request))
        said = "asked" if chosen.asked else "yes"
        for pending in (one for one in chosen.asked if one.fresh):
            if not await self._confirm(pending):
                said = "not_sent"
        if chosen.too_many:
            said = "too_many"
        return RedirectResponse(f"?saved={said}", status_code=303)

    async def ask(self, token: str, request: Request) -> Response:
        nonce = self.links.read_confirm(token)
        try:
            pending = await double_opt_in.find(self.pool, nonce, now=self.clock()) if nonce else None
        except AWAY:
            return self.pages.away(asked_for(request))
        if pending is None:
            return self.pages.not_found(asked_for(request))
        language = language_of(pending.locale)
        words = words_of(language)
        return self.pages.render(
            "preferences_confirm.html",
            language=language,
            words=words,
            channel=words["channels"][pending.channel.value],
            done=pending.confirmed,
        )

    async def confirm(self, token: str, request: Request) -> Response:
        nonce = self.links.read_confirm(token)
        try:
            source = source_of(self.links, request)
            done = nonce and await double_opt_in.confirm(self.pool, nonce, at=self.clock(), source_hash=source)
        except AWAY:
            return self.pages.away(asked_for(request))
        return RedirectResponse("?", status_code=303) if done else self.pages.not_found(asked_for(request))

    async def _choose(self, ids: tuple[str, str, Channel], form: Form, source_hash: str | None) -> Chosen | None:
        shop, order_id, via = ids
        now = self.clock()
        known = await preferences.load(self.pool, shop, order_id)
        if known is None:
            return None
        choices = choices_of(form, known, self._offers(known, via, now), shop_name=self.pages.brand.name, now=now)
        return await preferences.choose(
            self.pool,
            shop=shop,
            order_id=order_id,
            via=via,
            choices=choices,
            at=now,
            source_hash=source_hash,
            policy=self.policy,
        )

    async def _confirm(self, pending: Pending) -> bool:
        """Send a link; one that did not go out is forgotten, so that it can be asked for again."""
        link = self.links.confirm(pending.shop, pending.nonce)
        sent = self.confirmations is not None and await self.confirmations.send(pending, link)
        if not sent:
            with suppress(*AWAY):
                await double_opt_in.forget(self.pool, pending.nonce)
        return sent

    def _offers(self, known: Standing, via: Channel, now: datetime) -> list[Offer]:
        able = self.confirmations.channels if self.confirmations is not None else frozenset[Channel]()
        return offers_to(known, via, now, confirms=able, policy=self.policy)


def _page(
    pages: Pages, known: Standing, offers: Sequence[Offer], *, via: Channel, now: datetime, note: str | None
) -> Response:
    language = language_of(known.locale)
    words = words_of(language)
    rests = known.preferences.rests_until(now)
    less_only = not preferences.proves_person(via)
    fewer = known.preferences.frequency is Frequency.FEWER
    return pages.render(
        "preferences.html",
        language=language,
        languages=LANGUAGES,
        words=words,
        # Whatever the address line says, the page only ever shows words of its own.
        note=words[_NOTES[note]] if note in _NOTES else None,
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
            {
                "name": topic.value,
                "label": words["topics"][topic.value],
                "on": topic not in known.topics_refused,
                "fixed": less_only and topic in known.topics_refused,
            }
            for topic in Topic
        ],
        wishes=known.preferences,
        # Links to an order are passed on: whoever holds one may ask for less, not for more than the person wants.
        less_only=less_only,
        held_back=less_only and (fewer or rests is not None or bool(known.topics_refused)),
        addressed=[channel.value for channel in preferences.MARKETED if channel in known.addressed],
        paused_until=format_date(rests.astimezone(UTC).date(), "long", locale=language) if rests else None,
    )

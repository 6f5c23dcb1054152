"""The customer's in-app inbox and their devices, under an order's signed link: a page, and an API for the shop's app.

The API is also for scripts on the shop's own pages, so it answers any origin: the token in the address is all that
opens it, and no cookie is ever read. It shows the notes of the token's own order alone, because links to an order are
passed on: to whoever gets the parcel as a present, for one.
"""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.requests import ClientDisconnect

from activities.links import Links
from activities.messaging.language import day, locale_of
from activities.messaging.push.subscription import Subscription
from journey.zones import is_zone, zone_named
from starters.portal import Pages
from starters.words import asked_for, language_of
from store import devices, notes, people
from store.pool import AWAY, Pool
from store.views import order_view

T = TypeVar("T")
_log = structlog.get_logger(__name__)

BODY_LIMIT = 64 * 1024
"""Bytes of a request's body; a subscription is well under two thousand."""
_MOST_IDS = notes.MOST
_KEY_LENGTH = 400
# What Firebase's clients are given; neither its length nor its alphabet is promised, so this is generous.
_TOKEN = re.compile(r"[A-Za-z0-9_:.=/+-]{10,2000}")
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "86400",
}


class _RefusedError(Exception):
    """A request that is answered with `status` and what is wrong with which field, never with a value of it."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


def router(*, pool: Pool, links: Links, pages: Pages, clock: Callable[[], datetime]) -> APIRouter:
    """The routes `/notes/{token}`, `/notes/{token}/read` and `/devices/{token}`; tokens are those of order pages.

    `clock` (UTC) says what has expired, and dates what is read or registered.
    """
    routes = APIRouter(include_in_schema=False)
    desk = _Desk(pool, links, pages, clock)
    for path, method, endpoint in (
        ("/notes/{token}", "GET", desk.show),
        ("/notes/{token}/read", "POST", desk.read),
        ("/devices/{token}", "POST", desk.register),
    ):
        routes.add_api_route(path, endpoint, methods=[method])
        routes.add_api_route(path, _preflight, methods=["OPTIONS"])
    return routes


@dataclass(frozen=True, slots=True)
class _Desk:
    """The endpoints, over one database."""

    pool: Pool
    links: Links
    pages: Pages
    clock: Callable[[], datetime]

    async def show(self, token: str, request: Request) -> Response:
        """The inbox, as a page for whoever asks for HTML, else as JSON. Looking at it marks nothing as read."""
        return await self._answer(request, self._page(token) if _wants_page(request) else self._list(token))

    async def read(self, token: str, request: Request) -> Response:
        """Mark the notes named as read: JSON `{"ids": […]}`, or the page's form."""
        return await self._answer(request, self._mark(token, request))

    async def register(self, token: str, request: Request) -> Response:
        """Register a device: `{"channel": "web_push", "subscription": {…}}` or `{"channel": "push", "token": "…"}`."""
        return await self._answer(request, self._add(token, request))

    async def _list(self, token: str) -> Response:
        found = _known(await notes.listed(self.pool, *self._order(token), now=self.clock()))
        return JSONResponse({"notes": [_shown(note) for note in found]}, headers=_ANY_ORIGIN)

    async def _page(self, token: str) -> Response:
        ids = self._order(token)
        found = _known(await notes.listed(self.pool, *ids, now=self.clock()))
        order = _known(await order_view(self.pool, *ids))
        wanted = _known(await people.locale_of(self.pool, *ids))
        language = language_of(wanted)
        locale = locale_of(wanted, language)
        zone = zone_named(order.time_zone) if order.time_zone and is_zone(order.time_zone) else zone_named("UTC")
        return self.pages.render(
            "notes.html",
            language=language,
            number=order.number,
            notes=[(note, day(note.created_at.astimezone(zone).date(), locale)) for note in found],
            unread=[note.touch_key for note in found if note.read_at is None],
            read_at=f"{self.links.path}/notes/{token}/read",
            order_page=f"{self.links.path}/o/{token}",
        )

    async def _mark(self, token: str, request: Request) -> Response:
        body = await _body(request)
        ids = self._order(token)
        done = _known(await notes.mark_read(self.pool, *ids, _note_ids(request, body), at=self.clock()))
        if _wants_page(request):
            return RedirectResponse(f"{self.links.path}/notes/{token}", status_code=303)
        return JSONResponse({"read": done}, headers=_ANY_ORIGIN)

    async def _add(self, token: str, request: Request) -> Response:
        body = await _body(request)
        shop, order_id = self._order(token)
        channel, address = _device(_object(body))
        known = await devices.register(
            self.pool, shop=shop, order_id=order_id, channel=channel, address=address, at=self.clock()
        )
        _known(known or None)
        _log.info("device registered", shop=shop, order=order_id, channel=channel)
        return JSONResponse({"status": "registered"}, headers=_ANY_ORIGIN)

    def _order(self, token: str) -> tuple[str, str]:
        return _known(self.links.read_order(token))

    async def _answer(self, request: Request, work: Awaitable[Response]) -> Response:
        """The answer, or what went wrong as the caller can read it: a page for a person, else JSON."""
        as_page = _wants_page(request)
        try:
            return await work
        except _RefusedError as error:
            if as_page and error.status == HTTPStatus.NOT_FOUND:
                return self.pages.not_found(asked_for(request))
            return _problem(error.status, error.problem)
        except AWAY:
            return self.pages.away(asked_for(request)) if as_page else _problem(503, "try again")
        except ClientDisconnect:
            return Response(status_code=400)


async def _preflight(token: str) -> Response:  # noqa: ARG001  the same for every token
    """What browsers ask before a script of another origin may (https://fetch.spec.whatwg.org/#http-cors-protocol)."""
    return Response(status_code=204, headers=_ANY_ORIGIN | _PREFLIGHT)


def _known(found: T | None) -> T:
    """What was found, or the answer that all unknown links have in common."""
    if found is None:
        raise _RefusedError(404, "unknown link")
    return found


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status, headers=_ANY_ORIGIN)


def _shown(note: notes.Note) -> dict[str, str | None]:
    return {
        "id": note.touch_key,
        "title": note.title,
        "body": note.body,
        "link": note.link,
        "created_at": note.created_at.isoformat(),
        "read_at": note.read_at.isoformat() if note.read_at else None,
    }


async def _body(request: Request) -> bytes:
    """The body, of which no more than the limit is ever kept."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise _RefusedError(413, f"the body is larger than {BODY_LIMIT} bytes")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        raise _RefusedError(422, "the body must be JSON") from None
    if not isinstance(parsed, dict):
        raise _RefusedError(422, "the body must be a JSON object")
    return parsed


def _device(said: dict[str, Any]) -> tuple[devices.PushChannel, str]:
    match said.get("channel"):
        case "web_push":
            try:
                return "web_push", Subscription.read(said.get("subscription")).text()
            except ValueError as error:
                raise _RefusedError(422, str(error)) from None
        case "push":
            token = said.get("token")
            if not isinstance(token, str) or not _TOKEN.fullmatch(token):
                raise _RefusedError(422, "token: must be a registration token")
            return "push", token
        case _:
            raise _RefusedError(422, "channel: must be web_push or push")


def _note_ids(request: Request, body: bytes) -> Sequence[str]:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            ids: object = parse_qs(body.decode("ascii"), max_num_fields=_MOST_IDS).get("id", [])
        except ValueError:
            raise _RefusedError(422, "the form cannot be read") from None
    else:
        ids = _object(body).get("ids")
    if not isinstance(ids, list) or len(ids) > _MOST_IDS or not all(_is_key(one) for one in ids):
        raise _RefusedError(422, f"ids: must be a list of at most {_MOST_IDS} notes' ids")
    return ids


def _is_key(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _KEY_LENGTH and value.isprintable()

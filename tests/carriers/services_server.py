"""EasyPost, AfterShip, Shippo and 17TRACK on loopback: each in its documented wire format, and told to misbehave."""

import asyncio
import base64
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from activities.carriers.aftership import AfterShipPoll
from activities.carriers.easypost_poll import EasyPostPoll
from activities.carriers.protocol import Poller
from activities.carriers.seventeentrack import SeventeenTrackPoll
from activities.carriers.shippo import ShippoPoll
from tests.support.providers import Impatient
from tests.support.sockets import HOST, Request, SocketServer

KEY = "a/secret key"
_QUOTED = "a%2Fsecret%20key"


@dataclass(frozen=True)
class Misdeed:
    """How one request is treated: `status` in the vendor's own form, `garbled` without JSON, `cut` or `slow`."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    how: Literal["plain", "garbled", "cut", "slow"] = "plain"


TOO_MANY = Misdeed(429, {"Retry-After": "7"})
GARBLED = Misdeed(how="garbled")
CUT = Misdeed(how="cut")
SLOW = Misdeed(how="slow")
AWAY = Misdeed(503)


@dataclass(frozen=True)
class Asking:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any


class Service(SocketServer):
    """A service's API; `asked` is what came, `then` queues misdeeds for the next requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asking] = []
        self._script: deque[Misdeed] = deque()

    def then(self, *misdeeds: Misdeed) -> None:
        """Treat the next requests like this."""
        self._script.extend(misdeeds)

    def url(self, scheme: str, key: str) -> Any:
        """Where it is, as `activities.carriers.pollers` hands it on."""
        return urlsplit(f"//{key}@{HOST}:{self.port}?insecure=1")._replace(scheme=scheme)

    def poller(self, key: str = _QUOTED) -> Poller:
        """The adapter under test, pointed here."""
        raise NotImplementedError

    def authorised(self, headers: dict[str, str]) -> bool:
        """Whether the key came in the vendor's own header."""
        raise NotImplementedError

    def failure(self, status: int) -> dict[str, Any]:
        """The vendor's own form of an error."""
        raise NotImplementedError

    def serve(self, asking: Asking) -> tuple[int, Any]:
        """Answer as the vendor does."""
        raise NotImplementedError

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer as the vendor does, or as a misdeed says."""
        address = urlsplit(request.target)
        body = json.loads(request.body) if request.body else None
        asking = Asking(request.method, unquote(address.path), parse_qs(address.query), body)
        self.asked.append(asking)
        misdeed = self._script.popleft() if self._script else Misdeed()
        if misdeed.how == "slow":
            await reader.read()  # until the client hangs up
            return False
        if not self.authorised(request.headers):
            status, document = 401, self.failure(401)
        elif misdeed.status != 200:
            status, document = misdeed.status, self.failure(misdeed.status)
        else:
            status, document = self.serve(asking)
        text = "<html>welcome to the proxy</html>" if misdeed.how == "garbled" else json.dumps(document)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(text)), **misdeed.headers}
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", text]
        whole = "\r\n".join(lines).encode()
        writer.write(whole[:-5] if misdeed.how == "cut" else whole)
        await writer.drain()
        return misdeed.how != "cut"


class EasyPostApi(Service):
    """`POST /v2/trackers/batch` and `POST /v2/trackers`; `trackers` is what it knows, `unmatched` what it refuses."""

    def __init__(self, *trackers: dict[str, Any]) -> None:
        super().__init__()
        self.trackers = list(trackers)
        self.unmatched: set[str] = set()
        self.has_more = False

    def poller(self, key: str = _QUOTED) -> EasyPostPoll:
        return EasyPostPoll(self.url("easypost", key), transport=Impatient())

    def authorised(self, headers: dict[str, str]) -> bool:
        return headers.get("authorization") == "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()

    def failure(self, status: int) -> dict[str, Any]:
        return {"error": {"code": "NOT.OK", "message": f"status {status}", "errors": []}}

    def serve(self, asking: Asking) -> tuple[int, Any]:
        if (asking.method, asking.path) == ("POST", "/v2/trackers/batch"):
            known = [one for one in self.trackers if one.get("tracking_code") in asking.body["tracking_codes"]]
            return 200, {"trackers": known, "has_more": self.has_more}
        if (asking.method, asking.path) != ("POST", "/v2/trackers"):
            return 404, self.failure(404)
        wanted = asking.body["tracker"]
        if wanted["tracking_code"] in self.unmatched:
            return 422, self.failure(422)
        made = {"id": f"trk_{len(self.trackers)}", "object": "Tracker", "status": "unknown", "tracking_details": []}
        self.trackers.append(made | wanted | {"updated_at": "2026-11-24T09:00:00Z"})
        return 201, self.trackers[-1]


class AfterShipApi(Service):
    """`GET /tracking/2026-07/trackings`, `page` trackings at a time."""

    def __init__(self, *trackings: dict[str, Any], page: int = 200) -> None:
        super().__init__()
        self.trackings = list(trackings)
        self.page = page

    def poller(self, key: str = _QUOTED) -> AfterShipPoll:
        return AfterShipPoll(self.url("aftership", key), transport=Impatient())

    def authorised(self, headers: dict[str, str]) -> bool:
        return headers.get("as-api-key") == KEY

    def failure(self, status: int) -> dict[str, Any]:
        return {"meta": {"code": status, "type": "NotOk", "message": "no"}, "data": {}}

    def serve(self, asking: Asking) -> tuple[int, Any]:
        if (asking.method, asking.path) != ("GET", "/tracking/2026-07/trackings"):
            return 404, self.failure(404)
        wanted = asking.query["tracking_numbers"][0].split(",")
        found = [one for one in self.trackings if one.get("tracking_number") in wanted]
        start = int(asking.query.get("cursor", ["0"])[0])
        end = start + self.page
        pages = {"total": len(found), "next_cursor": str(end), "has_next_page": end < len(found)}
        return 200, {"meta": {"code": 200}, "data": {"pagination": pages, "trackings": found[start:end]}}


class ShippoApi(Service):
    """`GET /tracks/{carrier}/{number}`; what it does not know is 404."""

    def __init__(self, *tracks: dict[str, Any]) -> None:
        super().__init__()
        self.tracks = {f"/tracks/{track['carrier']}/{track['tracking_number']}": track for track in tracks}

    def poller(self, key: str = _QUOTED) -> ShippoPoll:
        return ShippoPoll(self.url("shippo", key), transport=Impatient())

    def authorised(self, headers: dict[str, str]) -> bool:
        return headers.get("authorization") == f"ShippoToken {KEY}"

    def failure(self, status: int) -> dict[str, Any]:
        return {"detail": f"status {status}"}

    def serve(self, asking: Asking) -> tuple[int, Any]:
        track = self.tracks.get(asking.path) if asking.method == "GET" else None
        return (200, track) if track is not None else (404, self.failure(404))


class SeventeenTrackApi(Service):
    """`gettrackinfo` and `register`; `refused` is the code by which a number is rejected, `code` fails the whole."""

    def __init__(self, *parcels: dict[str, Any]) -> None:
        super().__init__()
        self.parcels = list(parcels)
        self.refused: dict[str, int] = {}
        self.unregistrable: dict[str, int] = {}
        self.registered: list[dict[str, Any]] = []
        self.code = 0

    def poller(self, key: str = _QUOTED) -> SeventeenTrackPoll:
        return SeventeenTrackPoll(self.url("17track", key), transport=Impatient())

    def authorised(self, headers: dict[str, str]) -> bool:
        return headers.get("17token") == KEY

    def failure(self, status: int) -> dict[str, Any]:
        return {"code": status, "data": {"errors": [{"code": status, "message": "no"}]}}

    def serve(self, asking: Asking) -> tuple[int, Any]:
        if asking.method != "POST" or len(asking.body) > 40:
            return 404, self.failure(404)
        if self.code:
            return 200, self.failure(self.code)
        if asking.path == "/track/v2.2/register":
            return 200, self._registered(asking.body)
        wanted = [one["number"] for one in asking.body]
        known = [one for one in self.parcels if one.get("number") in wanted]
        missing = set(wanted) - {one["number"] for one in known}
        rejected = [_rejected(number, self.refused.get(number, -18019902)) for number in sorted(missing)]
        return 200, {"code": 0, "data": {"accepted": known, "rejected": rejected}}

    def _registered(self, wanted: list[dict[str, Any]]) -> dict[str, Any]:
        taken = [one for one in wanted if one["number"] not in self.unregistrable]
        self.registered += taken
        rejected = [_rejected(one["number"], self.unregistrable[one["number"]]) for one in wanted if one not in taken]
        return {"code": 0, "data": {"accepted": [one | {"origin": 1} for one in taken], "rejected": rejected}}


def _rejected(number: str, code: int) -> dict[str, Any]:
    return {"number": number, "error": {"code": code, "message": "no"}}

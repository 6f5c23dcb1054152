"""The carriers' own APIs on loopback, in their documented wire formats, token endpoints and all."""

import base64
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx

from activities.carriers.protocol import Poller
from tests.support.standin import Asked, Said, StandIn

CLIENT, SECRET = "the-client", "s/e:c@ret"
URL_CREDENTIALS = "the-client:s%2Fe%3Ac%40ret"
_S = TypeVar("_S", bound="CarrierServer")


class CarrierServer(StandIn):
    """Knows parcels by number; `trouble` is what the next questions about parcels get instead of an answer."""

    scheme = ""
    grants_at = ""
    lifetime: object = 3600

    def __init__(self) -> None:
        super().__init__()
        self.parcels: dict[str, Any] = {}
        self.trouble: deque[Said] = deque()
        self.token_trouble: deque[Said] = deque()
        self._issued = itertools.count(1)
        self.token = ""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{URL_CREDENTIALS}@127.0.0.1:{self.port}?insecure=1"

    @property
    def token_requests(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == self.grants_at]

    @property
    def questions(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.path != self.grants_at]

    def usual(self, request: Asked) -> Said:
        if request.path == self.grants_at:
            return self.token_trouble.popleft() if self.token_trouble else self.grant(request)
        if self.trouble:
            return self.trouble.popleft()
        return self.track(request) if self.authorized(request) else self.unauthorized()

    def grant(self, request: Asked) -> Said:
        """A token, RFC 6749 section 5.1; the one before is void from now on."""
        if request.form().get("grant_type") != "client_credentials" or not self.knows(request):
            return self.unauthorized()
        self.token = f"token-{next(self._issued)}"
        return Said(body={"access_token": self.token, "token_type": "Bearer", "expires_in": self.lifetime})

    def knows(self, request: Asked) -> bool:
        """Whether the client is who it says: FedEx and USPS have its id and secret in the form."""
        return (request.form().get("client_id"), request.form().get("client_secret")) == (CLIENT, SECRET)

    def authorized(self, request: Asked) -> bool:
        return request.headers.get("authorization") == f"Bearer {self.token}" != "Bearer "

    def void(self) -> None:
        """Take the token back."""
        self.token = ""

    def unauthorized(self) -> Said:
        raise NotImplementedError

    def track(self, request: Asked) -> Said:
        raise NotImplementedError


class UpsServer(CarrierServer):
    """GET /api/track/v1/details/{number}; a parcel is a `Package`, or several of a shipment."""

    scheme = "ups"
    grants_at = "/security/v1/oauth/token"
    lifetime = "14399"
    unknown_as_warning = False

    def knows(self, request: Asked) -> bool:
        pair = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {pair}"

    def unauthorized(self) -> Said:
        return self.error(401, "250002", "Invalid Authentication Information.")

    def error(self, status: int, code: str, message: str) -> Said:
        return Said(status, {"response": {"errors": [{"code": code, "message": message}]}})

    def track(self, request: Asked) -> Said:
        if not request.headers.get("transid") or not request.headers.get("transactionsrc"):
            return self.error(400, "TV0001", "Missing header")
        number = urlsplit(request.path).path.removeprefix("/api/track/v1/details/")
        if number.startswith("BAD"):
            return self.error(400, "TV1002", "Invalid inquiry number")
        package = self.parcels.get(number)
        if package is None and not self.unknown_as_warning:
            return self.error(404, "TW0001", "Tracking Information Not Found")
        warnings = [{"code": "TW0001", "message": "Tracking Information Not Found"}]
        found = (
            {"warnings": warnings}
            if package is None
            else {"package": package if isinstance(package, list) else [package]}
        )
        return Said(body={"trackResponse": {"shipment": [{"inquiryNumber": number, **found}]}})


class FedexServer(CarrierServer):
    """POST /track/v1/trackingnumbers; a parcel is a list of `trackResults`, None one that FedEx fails to look up."""

    scheme = "fedex"
    grants_at = "/oauth/token"

    def unauthorized(self) -> Said:
        error = {"code": "NOT.AUTHORIZED.ERROR", "message": "Access token expired. Please modify your request."}
        return Said(401, {"transactionId": "624deea6", "errors": [error]})

    def track(self, request: Asked) -> Said:
        asked = [info["trackingNumberInfo"]["trackingNumber"] for info in request.json()["trackingInfo"]]
        if len(asked) > 30:
            error = {"code": "TRACKING.TRACKINGNUMBERS.EXCEEDED", "message": "Please limit your request to 30."}
            return Said(400, {"transactionId": "624deea6", "errors": [error]})
        results = [{"trackingNumber": number, "trackResults": self.results(number)} for number in asked]
        return Said(body={"transactionId": "624deea6", "output": {"completeTrackResults": results}})

    def results(self, number: str) -> list[dict[str, Any]]:
        if self.parcels.get(number):
            return self.parcels[number]
        code = "SYSTEM.UNEXPECTED.ERROR" if number in self.parcels else "TRACKING.TRACKINGNUMBER.NOTFOUND"
        error = {"code": code, "message": "Tracking number cannot be found. Please correct the number and try again."}
        return [{"trackingNumberInfo": {"trackingNumber": number}, "error": error}]


class UspsServer(CarrierServer):
    """POST /tracking/v3r2/tracking; a parcel is a `TrackingDetail`, None one that USPS fails to look up."""

    scheme = "usps"
    grants_at = "/oauth2/v3/token"
    lifetime = 28799

    def unauthorized(self) -> Said:
        return Said(401, self.error("401", "The client application identifier is invalid."))

    def error(self, code: str, message: str) -> dict[str, Any]:
        return {"apiVersion": "/tracking/v3r2", "error": {"code": code, "message": message, "errors": []}}

    def track(self, request: Asked) -> Said:
        asked = [item["trackingNumber"] for item in request.json()]
        if len(asked) > 35:
            return Said(400, self.error("400", "too many"))
        said = [self.detail(number) for number in asked]
        if all(item["statusCode"] == "200" for item in said):
            return Said(body=[{key: value for key, value in item.items() if key != "statusCode"} for item in said])
        if len(said) == 1:
            return Said(int(said[0]["statusCode"]), self.error(said[0]["statusCode"], "Tracking is not available"))
        return Said(207, said)

    def detail(self, number: str) -> dict[str, Any]:
        if self.parcels.get(number):
            return {"statusCode": "200", "trackingNumber": number, **self.parcels[number]}
        code = "503" if number in self.parcels else "404"
        return {"statusCode": code, "trackingNumber": number, **self.error(code, "Tracking is not available")}


class DhlServer(CarrierServer):
    """GET /track/shipments; a parcel is a list of `shipments`. There is no token: the key is the client's id."""

    scheme = "dhl"

    @property
    def url(self) -> str:
        return f"dhl://{CLIENT}@127.0.0.1:{self.port}?insecure=1&rate=1000"

    def authorized(self, request: Asked) -> bool:
        return request.headers.get("dhl-api-key") == CLIENT

    def unauthorized(self) -> Said:
        return Said(401, {"title": "Unauthorized", "status": 401, "detail": "Unauthorized for given resource."})

    def track(self, request: Asked) -> Said:
        (number,) = parse_qs(urlsplit(request.path).query)["trackingNumber"]
        if number not in self.parcels:
            detail = "No shipment with given tracking number found."
            return Said(404, {"title": "No result found", "status": 404, "detail": detail, "instance": number})
        return Said(body={"url": request.path, "shipments": self.parcels[number]})


class Hasty(httpx.AsyncHTTPTransport):
    """The real network, with little patience."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["timeout"] = {"connect": 1.0, "read": 0.2, "write": 1.0, "pool": 1.0}
        return await super().handle_async_request(request)


@asynccontextmanager
async def running(make: Callable[[], _S], poller: Callable[..., Poller]) -> AsyncIterator[tuple[_S, Any]]:
    """A carrier's server and the poller that asks it."""
    server = make()
    await server.start()
    asking = poller(urlsplit(server.url), transport=Hasty())
    try:
        yield server, asking
    finally:
        await asking.aclose()
        await server.stop()

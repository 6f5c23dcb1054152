"""Tokens: one request however many ask, kept until shortly before they expire, renewed once when refused."""

import asyncio
import base64
from urllib.parse import urlsplit

import pytest

from activities.vendors.http import Vendor, VendorBusyError, VendorGarbledError
from activities.vendors.oauth import Authorized, Client, client_of
from tests.carriers.carriers_server import CLIENT, SECRET, FedexServer, Hasty
from tests.support.standin import Said


class Api(FedexServer):
    """Knows the tokens of the base server, and answers any question that has the present one."""

    def track(self, request):
        return Said(body={"path": request.path, "with": request.headers["authorization"]})


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def server():
    server = Api()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def api(server, clock):
    vendor = Vendor("acme", f"http://127.0.0.1:{server.port}", transport=Hasty())
    api = Authorized(vendor, server.grants_at, form=Client(CLIENT, SECRET).fields, clock=clock)
    yield api
    await api.aclose()


async def _tokens(api, questions=1):
    """With which token each of so many questions at once was answered."""
    replies = await asyncio.gather(*[api.call("GET", "/thing") for _ in range(questions)])
    return [reply.document["with"] for reply in replies]


async def test_a_token_is_asked_for_by_the_standard(server, api):
    """A form with the grant's type and the client; then the token goes before each question."""
    reply = await api.call("POST", "/thing", params={"a": "1"}, json_body={"b": 2}, headers={"x-more": "yes"})
    asked, question = server.asked
    assert (asked.method, asked.path) == ("POST", "/oauth/token")
    assert asked.form() == {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
    assert (question.path, question.json(), question.headers["x-more"]) == ("/thing?a=1", {"b": 2}, "yes")
    assert reply.document["with"] == "Bearer token-1"


async def test_fifty_questions_at_once_fetch_one_token(server, api):
    """However many ask while there is no token, it is fetched by one request."""
    assert await _tokens(api, 50) == ["Bearer token-1"] * 50
    assert len(server.token_requests) == 1


@pytest.mark.parametrize(("lifetime", "kept"), [(3600, 3539), ("14399", 14338), (80, 39), (3599.5, 3539)])
async def test_a_token_is_kept_until_shortly_before_its_end(server, api, clock, lifetime, kept):
    """A minute before, or half of a short life; UPS writes the number as text."""
    server.lifetime = lifetime
    await _tokens(api)
    clock.now += kept
    assert await _tokens(api) == ["Bearer token-1"]
    clock.now += 2
    assert await _tokens(api, 3) == ["Bearer token-2"] * 3


@pytest.mark.parametrize("lifetime", [None, "soon", True, -1])
async def test_a_token_that_does_not_say_how_long_is_kept(server, api, clock, lifetime):
    """Until it is refused, that is."""
    server.lifetime = lifetime
    await _tokens(api)
    clock.now += 10**6
    assert await _tokens(api) == ["Bearer token-1"]
    server.void()
    assert await _tokens(api) == ["Bearer token-2"]


async def test_a_token_that_was_taken_back_is_renewed_once_for_all(server, api):
    """A 401 long before the end: one new token for all who were refused, and their questions are asked again."""
    await _tokens(api)
    server.void()
    assert await _tokens(api, 4) == ["Bearer token-2"] * 4
    assert len(server.token_requests) == 2


async def test_a_second_refusal_is_the_answer(server, api):
    """Who is refused with a fresh token, too, is told so, and is not asked again and again."""
    server.trouble.extend([server.unauthorized()] * 2)
    with pytest.raises(VendorBusyError, match=r"^acme: http_401$"):
        await api.call("GET", "/thing")
    assert (len(server.token_requests), len(server.questions)) == (2, 2)
    assert await _tokens(api) == ["Bearer token-2"]


@pytest.mark.parametrize("status", [403, 429, 500])
async def test_other_errors_renew_nothing(server, api, status):
    """The vendor's error is the caller's, and the token stays."""
    server.trouble.append(Said(status))
    with pytest.raises(VendorBusyError, match=f"^acme: http_{status}$"):
        await api.call("GET", "/thing")
    assert await _tokens(api) == ["Bearer token-1"]


@pytest.mark.parametrize(
    ("said", "error", "rule"),
    [
        (Said(401, {"error": "invalid_client"}), VendorBusyError, "http_401"),
        (Said(400, {"error": "invalid_client"}), VendorBusyError, "token_http_400"),
        (Said(404), VendorBusyError, "token_http_404"),
        (Said(429), VendorBusyError, "http_429"),
        (Said(503), VendorBusyError, "http_503"),
        (Said(manner="hang"), VendorBusyError, "no_answer"),
        (Said(body={"access_token": "x", "expires_in": 9}, manner="cut"), VendorBusyError, "no_answer"),
        (Said(body=b"<html>"), VendorGarbledError, "not_json"),
        (Said(body={"token": "x"}), VendorGarbledError, "token_missing"),
        (Said(body={"access_token": ""}), VendorGarbledError, "token_missing"),
        (Said(body={"access_token": "a\r\nx: y"}), VendorGarbledError, "token_missing"),
        (Said(body={"access_token": 7}), VendorGarbledError, "token_missing"),
        (Said(body=["x"]), VendorGarbledError, "token_missing"),
    ],
)
async def test_no_token_is_never_the_answer_to_the_question(server, api, said, error, rule):
    """A token endpoint that refuses says nothing of a parcel: busy, nothing asked, and the next one tries again."""
    server.token_trouble.append(said)
    with pytest.raises(error, match=f"^acme: {rule}$"):
        await api.call("GET", "/thing")
    assert server.questions == []
    assert await _tokens(api) == ["Bearer token-1"]


async def test_one_who_gives_up_does_not_hold_up_the_rest(server, api):
    """Whoever was fetching the token may be cancelled: another fetches it."""
    server.token_trouble.append(Said(manner="hang"))
    first = asyncio.create_task(api.call("GET", "/thing"))
    await asyncio.sleep(0.05)
    others = asyncio.create_task(_tokens(api, 3))
    await asyncio.sleep(0)
    first.cancel()
    assert await others == ["Bearer token-1"] * 3


def test_a_client_is_the_urls_user_and_password():
    """Percent-decoded; one that lacks either is refused by the setting's name, and nothing of the URL is repeated."""
    client = client_of(urlsplit("ups://an%40id:s%2Fe%3Ac@host"), "ups://ID:SECRET@host", "POSTLUDE_CARRIER_URLS")
    assert client == ("an@id", "s/e:c")
    assert base64.b64decode(client.basic.removeprefix("Basic ")) == b"an@id:s/e:c"
    for url in ("ups://host-name", "ups://an-id@host-name", "ups://:a-secret@host-name"):
        with pytest.raises(
            ValueError, match=r"^POSTLUDE_CARRIER_URLS: ups:// needs .*: ups://ID:SECRET@host$"
        ) as raised:
            client_of(urlsplit(url), "ups://ID:SECRET@host", "POSTLUDE_CARRIER_URLS")
        assert not any(word in str(raised.value) for word in ("host-name", "an-id", "a-secret"))

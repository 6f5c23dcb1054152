"""Web Push against a push service on loopback: what is sent is read with the browser's own private key."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import http_ece
import jwt
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Rejected, Unclear
from activities.messaging.push.subscription import base64url, from_base64url
from activities.messaging.push.web_push import WebPush
from tests.messaging.push.browser import Browser, point
from tests.messaging.push.kit import NOW, SECRET, URL, VAPID_KEY, Clock, push
from tests.support.providers import Impatient
from tests.support.standin import Asked, Said, StandIn


class PushService(StandIn):
    """Takes every message, as RFC 8030 5 has it."""

    def usual(self, request: Asked) -> Said:  # noqa: ARG002  the same for all
        return Said(201, b"", {"Location": f"{self.origin}/message/qDIYHNcfAIPP_5ITvURr-d6BGt"})


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    made = PushService()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def provider(clock: Clock) -> AsyncIterator[WebPush]:
    made = WebPush(urlsplit(f"{URL}&insecure=1"), transport=Impatient(), clock=clock)
    yield made
    await made.aclose()


async def test_only_the_browser_can_read_what_it_gets(provider: WebPush, service: PushService) -> None:
    """The body opens with the subscription's private key and secret, with no other secret, and says it all."""
    browser = Browser()
    receipt = await provider.send(push(browser.text(f"{service.origin}/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV")))
    assert receipt == Accepted(f"{service.origin}/message/qDIYHNcfAIPP_5ITvURr-d6BGt")
    (asked,) = service.asked
    assert (asked.method, asked.path) == ("POST", "/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV")
    said = json.loads(browser.decrypt(asked.body))
    tag = said["notification"].pop("tag")
    assert said == {
        "web_push": 8030,
        "notification": {
            "title": "Unterwegs: Grüße!",
            "body": "Deine Yogamatte ist heute abgereist.",
            "navigate": "https://shop.test/o/abc",
            "data": {"postlude": "acme/1001/shipped/0"},
        },
    }
    assert tag == asked.headers["topic"]
    with pytest.raises(InvalidTag):
        Browser(browser.key, b"another's secret").decrypt(asked.body)


async def test_every_message_has_a_key_of_its_own(provider: WebPush, service: PushService) -> None:
    """The same words twice are two different bodies (RFC 8291 3.1: a fresh key pair and salt each)."""
    browser = Browser()
    for _ in range(2):
        await provider.send(push(browser.text(f"{service.origin}/push/1")))
    first, second = (one.body for one in service.asked)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]
    assert browser.decrypt(first) == browser.decrypt(second)


def test_encryption_and_the_tests_own_decryption_hold_the_rfcs_example() -> None:
    """RFC 8291 5 and appendix A, byte for byte, both ways."""
    scalar = int.from_bytes(from_base64url("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"))
    browser = Browser(ec.derive_private_key(scalar, ec.SECP256R1()), from_base64url("BTBZMqHH6r4Tts7J_aSIgg"))
    sender = ec.derive_private_key(
        int.from_bytes(from_base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1()
    )
    expected = (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBr"
        "u3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    words = b"When I grow up, I want to be a watermelon"
    sealed = http_ece.encrypt(
        words,
        salt=from_base64url("DGv6ra1nlYgDCS1FRnbzlw"),
        private_key=sender,
        dh=point(browser.key.public_key()),
        auth_secret=browser.auth,
        version="aes128gcm",
    )
    assert base64url(sealed) == expected
    assert browser.decrypt(from_base64url(expected)) == words


async def test_headers_are_those_of_the_rfcs(provider: WebPush, service: PushService) -> None:
    """TTL in seconds, a topic of 32 base64url characters that hides the order, urgency and encoding."""
    await provider.send(push(Browser().text(f"{service.origin}/push/1")))
    headers = service.asked[0].headers
    assert {name: headers[name] for name in ("ttl", "urgency", "content-encoding", "content-type")} == {
        "ttl": "21600",
        "urgency": "normal",
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
    }
    assert len(headers["topic"]) == 32
    assert headers["topic"].isalnum()


@pytest.mark.parametrize(
    ("lasts", "ttl"), [(timedelta(days=90), "2419200"), (timedelta(seconds=-5), "0"), (timedelta(seconds=90.9), "90")]
)
async def test_a_life_is_bounded(provider: WebPush, service: PushService, lasts: timedelta, ttl: str) -> None:
    """No longer than any push service keeps it, never negative, whole seconds."""
    await provider.send(push(Browser().text(f"{service.origin}/push/1"), lasts=lasts))
    assert service.asked[0].headers["ttl"] == ttl


async def test_who_sends_it_is_proven(provider: WebPush, service: PushService) -> None:
    """VAPID: a JWT by ES256 for the endpoint's origin, under a day, with its public key beside it (RFC 8292 2, 3)."""
    await provider.send(push(Browser().text(f"{service.origin}/push/1")))
    scheme, _, rest = service.asked[0].headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert (scheme, parts["k"]) == ("vapid", provider.public_key)
    assert provider.public_key == base64url(point(VAPID_KEY.public_key()))
    claims = jwt.decode(
        parts["t"], VAPID_KEY.public_key(), algorithms=["ES256"], audience=service.origin, options={"verify_exp": False}
    )
    lasts = claims["exp"] - NOW.timestamp()
    assert claims == {"aud": service.origin, "exp": claims["exp"], "sub": "mailto:ops@shop.test"}
    assert 0 < lasts < 24 * 3600


async def test_the_proof_is_used_again_until_it_is_about_to_end(
    provider: WebPush, service: PushService, clock: Clock
) -> None:
    """One signature serves for hours; a new one comes an hour before the old one ends."""
    to = Browser().text(f"{service.origin}/push/1")
    for later in (timedelta(0), timedelta(hours=10, minutes=59), timedelta(minutes=1)):
        clock.now += later
        await provider.send(push(to))
    first, second, third = (one.headers["authorization"] for one in service.asked)
    assert first == second != third


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(201, b""), Accepted(None)),
        (Said(200, b"ok", {"Location": "https://x.test/m/1"}), Accepted("https://x.test/m/1")),
        (Said(202, b""), Accepted(None)),
        (Said(404, {"errno": 102}), Rejected("http_404", address_dead=True)),
        (Said(410, {"errno": 103}), Rejected("http_410", address_dead=True)),
        (Said(413, {"errno": 104}), Rejected("http_413")),
        (Said(429, b"", {"Retry-After": "120"}), Busy("http_429", timedelta(seconds=120), everyone=False)),
        (Said(429, b"", {"Retry-After": "9" * 40}), Busy("http_429", timedelta(days=1), everyone=False)),
        (Said(429, b"", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), Busy("http_429", everyone=False)),
        (Said(400, b"UnauthorizedRegistration"), Busy("http_400", everyone=False)),
        (Said(401, {"errno": 109}), Busy("http_401", everyone=False)),
        (Said(403, {"reason": "BadJwtToken"}), Busy("http_403", everyone=False)),
        (Said(500, {"errno": 999}), Unclear("http_500")),
        (Said(502, b""), Unclear("http_502")),
        (Said(503, b"", {"Retry-After": "10"}), Busy("http_503", timedelta(seconds=10), everyone=False)),
        (Said(307, b"", {"Location": "http://127.0.0.1:1/"}), Rejected("http_307")),
        (Said(manner="hang"), Unclear("http_no_answer")),
        (Said(201, b"ok", manner="cut"), Unclear("http_no_answer")),
    ],
)
async def test_every_answer_means_one_thing(
    provider: WebPush, service: PushService, said: Said, expected: object
) -> None:
    """What push services answer, and what they do when they break down."""
    service.then(said)
    assert await provider.send(push(Browser().text(f"{service.origin}/push/1"))) == expected


async def test_an_endless_answer_is_not_read_to_its_end(provider: WebPush, service: PushService) -> None:
    """An endpoint may be anybody's: what it says beyond 64 KiB is of no interest."""
    service.then(Said(410, b"", manner="endless"))
    receipt = await provider.send(push(Browser().text(f"{service.origin}/push/1")))
    assert receipt == Rejected("http_410", address_dead=True)


async def test_a_service_that_is_away_took_nothing(provider: WebPush, service: PushService) -> None:
    """A refused connection is certain."""
    await service.stop()
    assert await provider.send(push(Browser().text(f"{service.origin}/push/1"))) == Busy(
        "http_unreachable", everyone=False
    )


async def test_what_fits_goes_and_one_byte_more_does_not(provider: WebPush, service: PushService) -> None:
    """A body is 4,096 bytes at the most, which every push service takes, and never two records."""
    browser = Browser()
    to = browser.text(f"{service.origin}/push/1")
    await provider.send(push(to, body=""))
    room = 3993 - len(browser.decrypt(service.asked[0].body))
    assert isinstance(await provider.send(push(to, body="x" * room)), Accepted)
    assert len(service.asked[1].body) == 4096
    assert len(browser.decrypt(service.asked[1].body)) == 3993
    assert await provider.send(push(to, body="x" * (room + 1))) == Rejected("web_push_too_large")
    assert len(service.asked) == 2


@pytest.mark.parametrize("to", ["", "{}", "[]", "token", "[" * 5000, '{"endpoint": "https://a.test", "keys": {}}'])
async def test_what_is_no_subscription_is_dead(provider: WebPush, to: str) -> None:
    """An address that cannot be read will never be reached."""
    assert await provider.send(push(to)) == Rejected("web_push_subscription_invalid", address_dead=True)


# ---- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "vapid://?subject=mailto:ops@shop.test",
        f"vapid://{SECRET}@",
        f"vapid://{SECRET}@?subject=ops@shop.test",
        f"vapid://{SECRET[:-3]}@?subject=mailto:ops@shop.test",
        f"vapid://{SECRET}!@?subject=mailto:ops@shop.test",
        f"vapid://{base64url(bytes(32))}@?subject=mailto:ops@shop.test",
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(url: str) -> None:
    """The text says which setting and what it needs; the key is not in it."""
    with pytest.raises(ValueError, match=r"^POSTLUDE_WEB_PUSH_URL: ") as raised:
        WebPush(urlsplit(url))
    assert SECRET[:10] not in str(raised.value)


async def test_push_services_cannot_be_asked(provider: WebPush) -> None:
    """There is no search by key."""
    with pytest.raises(LookupUnavailableError):
        await provider.find("key", "")

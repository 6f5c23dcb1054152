"""Where a notification's request may go: to public push services, whatever a stranger registered."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import pytest

from activities.messaging.protocol import Accepted, Busy, Rejected
from activities.messaging.push.subscription import Subscription, is_public
from activities.messaging.push.web_push import WebPush
from tests.messaging.push.browser import Browser
from tests.messaging.push.kit import URL, push

ELSEWHERE = [
    "http://push.example.com/1",
    "https://127.0.0.1/1",
    "https://[::1]/1",
    "https://2130706433/1",
    "https://0x7f.1/1",
    "https://localhost/1",
    "https://db/1",
    "https://api.internal/1",
    "https://printer.local/1",
    "https://push.example.com:8443/1",
    "https://user:pw@push.example.com/1",
    "https://push.example.com:99999/1",
    "https://push.example.com/a b",
    "https://push.example.com/\r\nX: y",
    "https://пример.test/1",
    "ftp://push.example.com/1",
    "https:///1",
    "https://push.example.com./1",
    "https://" + "a" * 1800 + ".com/",
]


@pytest.mark.parametrize("endpoint", ELSEWHERE)
async def test_no_request_goes_where_no_push_service_can_be(endpoint: str) -> None:
    """A subscription that leads to plain HTTP, an address, an odd port or a private name is none, at both doors."""
    reached: list[str] = []
    provider = _public(reached, ["93.184.216.34"])
    assert await provider.send(push(Browser().text(endpoint))) == Rejected(
        "web_push_subscription_invalid", address_dead=True
    )
    assert reached == []
    with pytest.raises(ValueError, match="endpoint") as raised:
        Subscription.read(Browser().subscription(endpoint))
    assert endpoint not in str(raised.value)


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.7"],
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["::1"],
        ["fd00::1"],
        ["fe80::1%eth0"],
        ["::ffff:10.0.0.1"],
        ["93.184.216.34", "192.168.1.1"],
        ["224.0.0.1"],
        ["0.0.0.0"],  # noqa: S104  nothing is bound to it
    ],
)
async def test_no_request_goes_to_a_name_inside_our_network(addresses: list[str]) -> None:
    """A public name whose addresses are not all public is refused before anything is sent, and kept: DNS may err."""
    reached: list[str] = []
    provider = _public(reached, addresses)
    receipt = await provider.send(push(Browser().text("https://push.attacker.test/1")))
    assert (receipt, reached) == (Rejected("web_push_not_public"), [])


async def test_a_public_push_service_is_reached() -> None:
    """A name with public addresses gets its message."""
    reached: list[str] = []
    provider = _public(reached, ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
    receipt = await provider.send(push(Browser().text("https://fcm.googleapis.com/fcm/send/abc:def")))
    assert (receipt, reached) == (Accepted(None), ["https://fcm.googleapis.com/fcm/send/abc:def"])


async def test_a_name_that_nobody_knows_now_is_tried_again() -> None:
    """A resolver that fails says nothing about the subscription."""
    reached: list[str] = []
    provider = _public(reached, [])
    receipt = await provider.send(push(Browser().text("https://push.example.com/1")))
    assert (receipt, reached) == (Busy("web_push_unresolved", everyone=False), [])


async def test_no_address_at_all_is_not_public() -> None:
    """An empty answer does not pass for a good one."""

    async def nothing(_host: str) -> Sequence[str]:
        return []

    assert await is_public("push.example.com", nothing) is False


def test_a_subscription_has_one_written_form() -> None:
    """However a browser orders, pads or spaces it, the same subscription is the same address."""
    plain = Browser().subscription("https://push.example.com/1")
    padded = {"keys": {name: f"{value}=" for name, value in plain["keys"].items()}, "endpoint": plain["endpoint"]}
    written = Subscription.read(plain).text()
    assert Subscription.read(padded).text() == written == Subscription.read(written).text()


def _public(reached: list[str], addresses: list[str]) -> WebPush:
    """A provider with a resolver that knows these addresses, and a network that only notes where it was sent."""

    async def resolve(_host: str) -> Sequence[str]:
        if not addresses:
            raise OSError("no such name")
        return addresses

    def answer(request: httpx.Request) -> httpx.Response:
        reached.append(str(request.url))
        return httpx.Response(201, stream=httpx.ByteStream(b""))

    return WebPush(urlsplit(URL), transport=httpx.MockTransport(answer), resolve=resolve)

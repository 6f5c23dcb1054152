"""A vendor's circuit and its key: who is let through, who is turned away, and what is never sent."""

import asyncio
from datetime import timedelta

import pytest

from activities.vendors.http import (
    Vendor,
    VendorBusyError,
    VendorError,
    VendorGarbledError,
    VendorRefusedError,
    VendorUnclearError,
)
from tests.carriers.carriers_server import Hasty
from tests.support.standin import Said, StandIn

REST = 0.15


@pytest.fixture
async def server():
    server = StandIn()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def vendor(server):
    vendor = Vendor("acme", server.origin, headers={"x-key": "the-secret"}, transport=Hasty(), rest=REST)
    yield vendor
    await vendor.aclose()


async def _failed(vendor, *, changes=False):
    """The error of one more request."""
    with pytest.raises(VendorError) as raised:
        await vendor.call("GET", "/thing", changes=changes)
    return raised.value


@pytest.mark.parametrize("status", [401, 403, 425, 429])
async def test_a_vendor_that_wants_a_pause_is_there(server, vendor, status):
    """A limit or a token that ran out does not open the circuit: its own word of when to come back stays."""
    server.then(*[Said(status, headers={"Retry-After": "7"})] * 8)
    errors = [await _failed(vendor) for _ in range(8)]
    assert {(error.rule, error.retry_after) for error in errors} == {(f"http_{status}", timedelta(seconds=7))}


async def test_one_request_tries_whether_the_vendor_is_back(server, vendor):
    """After the rest, of ten who ask at once one gets through; the others are told to wait."""
    server.then(*[Said(500)] * 5)
    for _ in range(5):
        await _failed(vendor)
    await asyncio.sleep(REST + 0.05)
    server.then(*[Said(500)] * 10)
    rules = sorted([error.rule for error in await asyncio.gather(*[_failed(vendor) for _ in range(10)])])
    assert rules == ["circuit_open"] * 9 + ["http_500"]


async def test_an_open_circuit_keeps_nobodys_frames(server, vendor):
    """However many are turned away, what is raised does not grow, nor hold on to what they asked."""
    server.then(*[Said(500)] * 5)
    for _ in range(5):
        await _failed(vendor)
    for _ in range(50):
        await _failed(vendor)
    context = (await vendor._breakers.get_breaker("acme")).context
    assert context.state == "opened"
    assert context._state.__traceback__ is None


@pytest.mark.parametrize("url", ["http://localhost:{port}/thing", "https://127.0.0.1:{port}/thing"])
async def test_another_host_does_not_get_the_key(server, vendor, url):
    """A link that leads elsewhere is not followed; one to the same place is."""
    with pytest.raises(VendorGarbledError, match=r"^acme: other_host$"):
        await vendor.call("GET", url.format(port=server.port))
    assert server.asked == []
    assert (await vendor.call("GET", f"{server.origin}/page/2")).status == 200


@pytest.mark.parametrize(
    "parts", [{"path": "/a\nb"}, {"path": "/a", "headers": {"x": "é"}}, {"path": "/a", "json_body": float("nan")}]
)
async def test_what_cannot_be_written_is_not_asked(server, vendor, parts):
    """A part that no request can carry is the caller's, not the vendor's failure, and counts for nothing."""
    for _ in range(6):
        with pytest.raises(VendorRefusedError, match=r"^acme: request_invalid$"):
            await vendor.call("GET", **parts)
    assert server.asked == []
    await vendor.call("GET", "/thing")


class Drip(StandIn):
    """Answers a byte at a time, each well within the time that a read may take."""

    async def answer(self, request, reader, writer):  # noqa: ARG002  whatever is asked
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)
        return True


@pytest.mark.parametrize(("changes", "expected"), [(False, VendorBusyError), (True, VendorUnclearError)])
async def test_an_answer_that_drips_is_given_up(changes, expected):
    """A vendor may not hold a slot for ever by always saying a little more."""
    server = Drip()
    await server.start()
    vendor = Vendor("acme", server.origin, patience=0.2)
    error = await _failed(vendor, changes=changes)
    assert (type(error), error.rule) == (expected, "no_answer")
    await vendor.aclose()
    await server.stop()

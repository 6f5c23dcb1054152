"""One request to a vendor: what each of its answers, and no answer, means for the caller."""

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from activities.vendors.http import (
    MOST_RETRY_AFTER,
    Vendor,
    VendorBusyError,
    VendorError,
    VendorGarbledError,
    VendorRefusedError,
    VendorUnclearError,
    retry_after,
)
from tests.carriers.carriers_server import Hasty
from tests.support.standin import Said, StandIn

LARGEST = 8 * 1024 * 1024
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


async def test_an_answer_has_its_parts(server, vendor):
    """Status, headers in any case, the bytes as they came and the JSON in them; nothing at all is None."""
    server.then(Said(207, {"a": [1]}, {"X-Next": "2"}), Said(204))
    reply = await vendor.call("GET", "/thing")
    assert (reply.status, reply.headers["x-next"], reply.body, reply.document) == (207, "2", b'{"a": [1]}', {"a": [1]})
    assert (await vendor.call("GET", "/thing")).document is None


async def test_a_request_has_its_parts(server, vendor):
    """Query, the vendor's own headers and the request's, and one of three kinds of body."""
    await vendor.call("GET", "/a", params={"q": "1 2&3"}, headers={"x-more": "yes"})
    await vendor.call("POST", "/b", json_body={"a": "ü"})
    await vendor.call("POST", "/c", form={"a": "1", "b": "/@"})
    await vendor.call("PUT", "/d", content=b"<x/>", headers={"content-type": "application/xml"})
    query, as_json, as_form, as_it_is = server.asked
    assert (query.method, query.path) == ("GET", "/a?q=1+2%263")
    assert (query.headers["x-key"], query.headers["x-more"]) == ("the-secret", "yes")
    assert (as_json.json(), as_json.headers["content-type"]) == ({"a": "ü"}, "application/json")
    assert as_form.form() == {"a": "1", "b": "/@"}
    assert (as_it_is.method, as_it_is.body, as_it_is.headers["content-type"]) == ("PUT", b"<x/>", "application/xml")


@pytest.mark.parametrize("packed", [False, True])
async def test_eight_megabytes_and_no_more(server, vendor, packed):
    """The largest answer is read whole; one byte more is too much, also when it came compressed."""

    def said(size):
        body = json.dumps("x" * (size - 2)).encode()
        return Said(body=gzip.compress(body), headers={"Content-Encoding": "gzip"}) if packed else Said(body=body)

    server.then(said(LARGEST), said(LARGEST + 1))
    assert len((await vendor.call("GET", "/thing")).body) == LARGEST
    error = await _failed(vendor)
    assert (type(error), error.rule) == (VendorGarbledError, "answer_too_large")


async def test_an_answer_without_an_end_is_hung_up_on(server, vendor):
    """Who never stops talking is not listened to for ever."""
    server.then(Said(manner="endless"))
    assert (await _failed(vendor)).rule == "answer_too_large"


@pytest.mark.parametrize(
    ("said", "changes", "expected"),
    [
        (Said(manner="hang"), False, (VendorBusyError, "no_answer")),
        (Said(manner="hang"), True, (VendorUnclearError, "no_answer")),
        (Said(body={"a": 1}, manner="cut"), False, (VendorBusyError, "no_answer")),
        (Said(body={"a": 1}, manner="cut"), True, (VendorUnclearError, "no_answer")),
        (Said(body=b"no gzip", headers={"Content-Encoding": "gzip"}), True, (VendorUnclearError, "no_answer")),
        (Said(500), False, (VendorBusyError, "http_500")),
        (Said(500), True, (VendorUnclearError, "http_500")),
        (Said(502), False, (VendorBusyError, "http_502")),
        (Said(502), True, (VendorUnclearError, "http_502")),
        (Said(504), True, (VendorUnclearError, "http_504")),
        (Said(503), False, (VendorBusyError, "http_503")),
        (Said(503), True, (VendorBusyError, "http_503")),
        (Said(503, body={"code": "maintenance"}), True, (VendorBusyError, "http_503")),
        (Said(503, body=b"<p>Maintenance", headers={"Retry-After": "600"}), True, (VendorBusyError, "http_503")),
        (Said(503, body=b"Backend fetch failed"), True, (VendorUnclearError, "http_503")),
        (Said(503, body=b"Backend fetch failed"), False, (VendorBusyError, "http_503")),
        (Said(403, body=b"<h1>Blocked"), True, (VendorUnclearError, "http_403")),
        (Said(403, body=b"<h1>Blocked"), False, (VendorBusyError, "http_403")),
        (Said(403, body={"code": "no_right"}), True, (VendorBusyError, "http_403")),
        (Said(401), True, (VendorBusyError, "http_401")),
        (Said(403), True, (VendorBusyError, "http_403")),
        (Said(408), True, (VendorBusyError, "http_408")),
        (Said(425), True, (VendorBusyError, "http_425")),
        (Said(429), True, (VendorBusyError, "http_429")),
        (Said(400), True, (VendorRefusedError, "http_400")),
        (Said(404), False, (VendorRefusedError, "http_404")),
        (Said(409), True, (VendorRefusedError, "http_409")),
        (Said(422), True, (VendorRefusedError, "http_422")),
        (Said(301, headers={"Location": "/other"}), False, (VendorGarbledError, "http_301")),
        (Said(307, headers={"Location": "/other"}), True, (VendorGarbledError, "http_307")),
        (Said(304), False, (VendorGarbledError, "http_304")),
        (Said(body=b"<html>"), False, (VendorGarbledError, "not_json")),
        (Said(body=b'{"a":'), True, (VendorGarbledError, "not_json")),
        (Said(body=b"\xff\xfe"), False, (VendorGarbledError, "not_json")),
        (Said(body=b"[" * 200_000), False, (VendorGarbledError, "not_json")),
        (Said(body=b"9" * 6_000), False, (VendorGarbledError, "not_json")),
    ],
)
async def test_what_an_answer_means(server, vendor, said, changes, expected):
    """Each failure is the error that tells the caller what to do, named by one word and asked once."""
    server.then(said)
    error = await _failed(vendor, changes=changes)
    assert (type(error), error.rule) == expected
    assert (error.vendor, str(error)) == ("acme", f"acme: {expected[1]}")
    assert [asked.path for asked in server.asked] == ["/thing"]


@pytest.mark.parametrize("changes", [False, True])
async def test_nobody_there_is_certainly_nothing_done(server, vendor, changes):
    """A connection that was refused carried no change."""
    await server.stop()
    error = await _failed(vendor, changes=changes)
    assert (type(error), error.rule) == (VendorBusyError, "unreachable")


async def test_a_refusal_says_what_the_vendor_said(server, vendor):
    """Status and JSON are handed on for the caller to read; a body that is no JSON is None, and is no other error."""
    server.then(Said(422, {"errors": ["sku"]}), Said(404, b"<html>"), Said(400, b"[" * 200_000))
    errors = [await _failed(vendor) for _ in range(3)]
    assert [(error.status, error.body) for error in errors] == [(422, {"errors": ["sku"]}), (404, None), (400, None)]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 409, 410, 422, 503])
async def test_a_page_says_nothing_of_a_change(server, vendor, status):
    """It may be a proxy's, about an answer that was no page; of what was only asked for nothing is unclear."""
    server.then(Said(status, b"<html>blocked</html>"), Said(status, b"<html>blocked</html>"))
    error = await _failed(vendor, changes=True)
    assert (type(error), error.rule) == (VendorUnclearError, f"http_{status}")
    assert not isinstance(await _failed(vendor), VendorUnclearError)


@pytest.mark.parametrize("status", [400, 413, 414, 431])
async def test_what_was_never_taken_in_is_refused(server, vendor, status):
    """A server that could not even read the request made nothing of it, whatever its page looks like."""
    server.then(Said(status, b"<html>Bad Request</html>"))
    assert isinstance(await _failed(vendor, changes=True), VendorRefusedError)


async def test_errors_say_no_secret(server, vendor):
    """Neither the message nor what is shown of the error names the address or the key."""
    server.then(Said(500, b"the-secret"))
    error = await _failed(vendor)
    assert error.__cause__ is None
    assert not any(word in repr(error) + str(error.args) for word in ("the-secret", "127.0.0.1", "/thing"))


def _in(seconds):
    """A date that far from the moment it is asked for, which is not when tests are collected."""
    return lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def _said(value):
    return value if isinstance(value, str) else value()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("30", 30),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 40, 86400),
        (_in(600), 600),
        (_in(-600), 0),
        (_in(10**7), 86400),
        ("Sun, 22 Nov 2099 10:00:00 +0100", 86400),
        ("Sun, 22 Nov 2099 10:00:00 -0000", 86400),
        ("Sun, 22 Nov 99999999999999999999 10:00:00 GMT", None),
        ("Sun, 22 Nov 2026 10:00:00 +9999999999999999999", None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("30, 60", None),
        ("soon", None),
        ("٣٠", None),
        ("Sun, 99 Nov 2026 25:00:00 GMT", None),
    ],
)
def test_both_forms_of_retry_after(value, expected):
    """Seconds or a date, never below nothing or above a day; what is neither says nothing."""
    wait = retry_after({"retry-after": _said(value)})
    assert (wait is None) is (expected is None)
    assert expected is None or abs(wait.total_seconds() - expected) < 60
    assert retry_after({}) is None
    assert timedelta(days=1) == MOST_RETRY_AFTER


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("value", "expected"), [("30", 30), (_in(600), 600)])
async def test_how_long_to_rest_is_handed_on(server, vendor, status, value, expected):
    """The vendor's own word of when to come back reaches the caller in either form."""
    server.then(Said(status, headers={"Retry-After": _said(value)}))
    assert abs((await _failed(vendor)).retry_after.total_seconds() - expected) < 60


async def test_five_failures_open_the_circuit(server, vendor):
    """Then nobody asks for a while, and whoever would is told at once, and for how long."""
    server.then(*[Said(500)] * 5)
    assert [(await _failed(vendor)).rule for _ in range(5)] == ["http_500"] * 5
    error = await _failed(vendor, changes=True)
    assert (type(error), error.rule, error.retry_after) == (VendorBusyError, "circuit_open", timedelta(seconds=REST))
    assert len(server.asked) == 5


async def test_a_good_answer_after_the_rest_closes_it(server, vendor):
    """A vendor that is back is asked as before, and has five failures again."""
    server.then(*[Said(500)] * 5)
    for _ in range(5):
        await _failed(vendor)
    await asyncio.sleep(REST + 0.05)
    await vendor.call("GET", "/thing")
    server.then(*[Said(500)] * 4)
    assert [(await _failed(vendor)).rule for _ in range(4)] == ["http_500"] * 4
    await vendor.call("GET", "/thing")


async def test_a_failure_after_the_rest_opens_it_again(server, vendor):
    """A vendor that is not back is left alone at once."""
    server.then(*[Said(500)] * 6)
    for _ in range(5):
        await _failed(vendor)
    await asyncio.sleep(REST + 0.05)
    assert [(await _failed(vendor)).rule for _ in range(2)] == ["http_500", "circuit_open"]


async def test_refusals_and_good_answers_keep_it_closed(server, vendor):
    """A vendor that answers is there: refusals count for nothing, and one good answer forgets the failures."""
    server.then(*[Said(404)] * 8, *[Said(500)] * 4, Said(), *[Said(500)] * 4)
    assert {(await _failed(vendor)).rule for _ in range(8)} == {"http_404"}
    assert {(await _failed(vendor)).rule for _ in range(4)} == {"http_500"}
    await vendor.call("GET", "/thing")
    assert {(await _failed(vendor)).rule for _ in range(4)} == {"http_500"}
    await vendor.call("GET", "/thing")


async def test_each_vendor_has_a_circuit_of_its_own(server, vendor):
    """One that fails does not close the door to another, nor to another shop's account at the same one."""
    other = Vendor("acme", server.origin, rest=REST)
    server.then(*[Said(500)] * 5)
    for _ in range(5):
        await _failed(vendor)
    assert (await other.call("GET", "/thing")).status == 200
    await other.aclose()

"""The customer's inbox and devices over HTTP: who sees what, and what a hostile hand can do."""

from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI

from activities.links import Links
from activities.messaging.push.subscription import Subscription, base64url
from starters import notes as endpoints
from starters.portal import Pages
from store import devices, notes
from tests.gateway.kit import SECRET_KEY, Clock
from tests.support.orders import Order, Person, put

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "<script>alert(1)</script>"


@dataclass
class Inbox:
    client: httpx.AsyncClient
    pool: object
    clock: Clock
    token: str
    order: Order
    links: Links

    def path(self, what, token=None):
        return f"/{what}/{token or self.token}"

    async def put(self, touch_key, **changes):
        usual = {"title": "On its way", "body": "It left us.", "link": None, "at": self.clock(), "expires_at": None}
        laid = await notes.put(self.pool, shop="acme", order_id="1001", touch_key=touch_key, **{**usual, **changes})
        assert laid

    async def addresses(self, channel="web_push"):
        return await devices.addresses(self.pool, "acme", "1001", channel)


@pytest.fixture
async def inbox(pool, brand):
    clock, links = Clock(), Links(SECRET_KEY, "http://gate")
    order = Order("1001", placed_at=clock(), person=Person(time_zone="Pacific/Auckland"))
    await put(pool, order, "digest")
    app = FastAPI()
    app.include_router(endpoints.router(pool=pool, links=links, pages=Pages(brand), clock=clock))
    token = links.order("acme", "1001").rpartition("/")[2]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client:
        yield Inbox(client, pool, clock, token, order, links)


def subscription(endpoint="https://updates.push.services.mozilla.com/wpush/v2/gAAA"):
    point = (
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
    return {"endpoint": endpoint, "keys": {"p256dh": base64url(point), "auth": base64url(bytes(16))}}


async def test_the_inbox_is_json_for_apps(inbox):
    """Newest first, with what an app needs to show and to mark them."""
    await inbox.put("shipped")
    inbox.clock.forward(hours=1)
    await inbox.put("delivered", title="Grüße", link="https://shop.test/o/abc")
    answer = await inbox.client.get(inbox.path("notes"))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json()["notes"] == [
        {
            "id": "delivered",
            "title": "Grüße",
            "body": "It left us.",
            "link": "https://shop.test/o/abc",
            "created_at": "2026-11-22T11:00:00+00:00",
            "read_at": None,
        },
        {
            "id": "shipped",
            "title": "On its way",
            "body": "It left us.",
            "link": None,
            "created_at": "2026-11-22T10:00:00+00:00",
            "read_at": None,
        },
    ]


async def test_the_inbox_is_a_page_for_people(inbox):
    """The shop's own page, dated in the customer's zone, closed to scripts; an empty one says so."""
    empty = await inbox.client.get(inbox.path("notes"), headers=HTML)
    assert "Nothing here yet" in empty.text
    await inbox.put("shipped", at=inbox.clock() + timedelta(hours=2), link="https://shop.test/o/abc")
    page = await inbox.client.get(inbox.path("notes"), headers=HTML)
    assert page.status_code == 200
    # Noon in London on Sunday is one o'clock on Monday morning in Auckland.
    for text in (
        "Fernhill Supply",
        "On its way",
        "It left us.",
        "Monday 23 November",
        'href="https://shop.test/o/abc"',
    ):
        assert text in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_hostile_words_are_shown_as_words(inbox):
    """Markup in a note is text on the page, and its id cannot leave the form."""
    await inbox.put(f'x">{EVIL}', title=EVIL, body=f"{EVIL}\n\n{EVIL}", link='https://shop.test/"><script>')
    page = await inbox.client.get(inbox.path("notes"), headers=HTML)
    assert (page.status_code, "<script" in page.text) == (200, False)
    assert page.text.count("&lt;script&gt;alert(1)") == 4


async def test_looking_marks_nothing_as_read(inbox):
    """Scanners and previews follow links too."""
    await inbox.put("shipped")
    for headers in ({}, HTML):
        await inbox.client.get(inbox.path("notes"), headers=headers)
    assert await inbox.pool.fetchval("SELECT read_at FROM notes") is None


async def test_notes_are_marked_as_read_by_name(inbox):
    """An app names them; what came since stays new; again is no mistake."""
    await inbox.put("a")
    await inbox.put("b")
    answers = [await inbox.client.post(inbox.path("notes") + "/read", json={"ids": ["a", "x"]}) for _ in range(2)]
    assert [(one.status_code, one.json()) for one in answers] == [(200, {"read": 1}), (200, {"read": 0})]
    listed = (await inbox.client.get(inbox.path("notes"))).json()["notes"]
    assert {one["id"]: one["read_at"] is None for one in listed} == {"a": False, "b": True}


async def test_the_pages_button_reads_what_the_page_showed(inbox):
    """The form names the notes that were on the page, and leads back to it."""
    await inbox.put("shipped:1Z & 2")
    page = await inbox.client.get(inbox.path("notes"), headers=HTML)
    assert 'name="id" value="shipped:1Z &amp; 2"' in page.text
    await inbox.put("since")
    back = await inbox.client.post(inbox.path("notes") + "/read", data={"id": ["shipped:1Z & 2"]}, headers=HTML)
    assert (back.status_code, back.headers["location"]) == (303, inbox.path("notes"))
    unread = await inbox.pool.fetch("SELECT touch_key FROM notes WHERE read_at IS NULL")
    assert [row["touch_key"] for row in unread] == ["since"]


async def test_a_browser_and_an_app_register(inbox):
    """Each in its channel, in one written form, however often."""
    given = subscription()
    for _ in range(2):
        answer = await inbox.client.post(
            inbox.path("devices"), json={"channel": "web_push", "subscription": {**given, "expirationTime": None}}
        )
        assert (answer.status_code, answer.json()) == (200, {"status": "registered"})
    app = await inbox.client.post(inbox.path("devices"), json={"channel": "push", "token": "cXm:APA91bH-x_y" * 10})
    assert app.status_code == 200
    assert await inbox.addresses() == [Subscription.read(given).text()]
    assert await inbox.addresses("push") == ["cXm:APA91bH-x_y" * 10]


REFUSED = [
    (b"", "JSON"),
    (b"\xff\xfe", "JSON"),
    (b"[" * 60_000, "JSON"),
    (b"[]", "object"),
    (b"{}", "channel"),
    (b'{"channel": "email"}', "channel"),
    (b'{"channel": ["push"]}', "channel"),
    (b'{"channel": "push"}', "token"),
    (b'{"channel": "push", "token": "short"}', "token"),
    (b'{"channel": "push", "token": "0123456789\\u0000abc"}', "token"),
    (b'{"channel": "push", "token": "%s"}' % (b"x" * 2001), "token"),
    (b'{"channel": "web_push"}', "subscription"),
    (b'{"channel": "web_push", "subscription": {"endpoint": "https://a.test", "keys": "k"}}', "subscription"),
]


@pytest.mark.parametrize(("body", "field"), REFUSED)
async def test_what_is_no_device_is_refused_by_field(inbox, body, field):
    """422 says which part is wrong, and nothing is kept."""
    answer = await inbox.client.post(inbox.path("devices"), content=body)
    assert (answer.status_code, field in answer.json()["error"]) == (422, True)
    assert await inbox.pool.fetchval("SELECT count(*) FROM devices") == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"endpoint": "https://127.0.0.1/push"}, "endpoint"),
        ({"endpoint": "http://push.example.com/1"}, "endpoint"),
        ({"endpoint": "https://push.example.com:22/1"}, "endpoint"),
        ({"endpoint": 7}, "endpoint"),
        ({"keys": {"p256dh": "BAAA", "auth": base64url(bytes(16))}}, "p256dh"),
        ({"keys": {"p256dh": "B" * 87, "auth": base64url(bytes(16))}}, "p256dh"),
        ({"keys": {"auth": base64url(bytes(16))}}, "p256dh"),
        ({"keys": {**subscription()["keys"], "auth": base64url(bytes(15))}}, "auth"),
        ({"keys": {**subscription()["keys"], "auth": "not base64!"}}, "auth"),
    ],
)
async def test_a_subscription_has_to_be_one(inbox, change, field):
    """An endpoint inside somebody's network, a point off the curve, a short secret: 422, with the part named."""
    body = {"channel": "web_push", "subscription": {**subscription(), **change}}
    answer = await inbox.client.post(inbox.path("devices"), json=body)
    assert (answer.status_code, field in answer.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({}, b'{"ids": "a"}'),
        ({}, b'{"ids": [1]}'),
        ({}, b'{"ids": ["a\\u0000"]}'),
        ({}, b'{"ids": ["\\ud800"]}'),
        ({}, b'{"ids": [""]}'),
        ({}, b'{"ids": ["%s"]}' % (b"x" * 401)),
        ({}, b'{"ids": [%s"a"]}' % (b'"a",' * 100)),
        ({"content-type": "application/x-www-form-urlencoded"}, b"id=a%00"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"id=" + "ä".encode()),
        ({"content-type": "application/x-www-form-urlencoded"}, b"id=a&" * 101),
    ],
)
async def test_what_names_no_notes_is_refused(inbox, headers, body):
    """422, whatever is wrong with the names."""
    answer = await inbox.client.post(inbox.path("notes") + "/read", content=body, headers=headers)
    assert (answer.status_code, "error" in answer.json()) == (422, True)


@pytest.mark.parametrize("path", ["devices/{}", "notes/{}/read"])
async def test_a_body_that_is_too_large_is_not_read(inbox, path):
    """413 over 64 KiB, also where nobody said how long it would be."""
    answer = await inbox.client.post(f"/{path.format(inbox.token)}", content=b"x" * (64 * 1024 + 1))
    assert answer.status_code == 413

    async def dripping():
        for _ in range(65):
            yield b"x" * 1024

    assert (await inbox.client.post(f"/{path.format(inbox.token)}", content=dripping())).status_code == 413


async def test_altered_links_open_nothing(inbox):
    """Cut, altered, foreign, of another purpose, of an unknown order: 404 at every door, as a page and as JSON."""
    device = {"channel": "push", "token": "x" * 100}
    for token in (
        inbox.token[:-1],
        inbox.token[:5] + "A" + inbox.token[6:],
        "%00",
        "a" * 5000,
        Links("another key", "http://gate").order("acme", "1001").rpartition("/")[2],
        inbox.links.unsubscribe("acme", "1001").rpartition("/")[2],
        inbox.links.order("acme", "no-such").rpartition("/")[2],
    ):
        answers = [
            await inbox.client.get(inbox.path("notes", token)),
            await inbox.client.get(inbox.path("notes", token), headers=HTML),
            await inbox.client.post(inbox.path("notes", token) + "/read", json={"ids": ["a"]}),
            await inbox.client.post(inbox.path("devices", token), json=device),
        ]
        assert [one.status_code for one in answers] == [404] * 4, token
    assert await inbox.pool.fetchval("SELECT count(*) FROM devices") == 0


async def test_scripts_of_the_shops_pages_may_ask(inbox):
    """A browser's preflight is granted to any origin, without cookies, and so is the answer itself."""
    for path in (inbox.path("notes"), inbox.path("notes") + "/read", inbox.path("devices")):
        granted = await inbox.client.options(path, headers={"origin": "https://shop.test"})
        assert granted.status_code == 204
        assert granted.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in granted.headers
    answer = await inbox.client.get(inbox.path("notes"), headers={"origin": "https://shop.test"})
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_inbox_waits_for_the_database(inbox):
    """While it is away apps are told to try again, and people see a page that says so."""
    await inbox.pool.close()
    answers = [
        await inbox.client.get(inbox.path("notes")),
        await inbox.client.get(inbox.path("notes"), headers=HTML),
        await inbox.client.post(inbox.path("notes") + "/read", json={"ids": ["a"]}),
        await inbox.client.post(inbox.path("devices"), json={"channel": "push", "token": "x" * 100}),
    ]
    assert [one.status_code for one in answers] == [503] * 4

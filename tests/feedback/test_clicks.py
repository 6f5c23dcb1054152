"""Our own click redirect: where it leads, and what it writes down."""

import asyncio

import pytest

from activities.links import Links, Purpose
from tests.feedback.payloads import LINK, PERSON
from tests.gateway.kit import SECRET_KEY

BROWSER = {"user-agent": PERSON}


async def settled(feed):
    """The events once the writing behind the answers is done."""
    for _ in range(100):
        if rows := await feed.events():
            return rows
        await asyncio.sleep(0.05)
    return []


def path(url):
    return url.removeprefix("http://gate")


async def test_a_click_leads_on_and_is_counted(feed):
    """302 to the very address, kept by nobody, and one event of the message, which is out by that."""
    await feed.message(status="in_doubt")
    answer = await feed.client.get(path(feed.links.click("acme", "1001", "welcome", LINK)), headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (302, LINK)
    assert answer.headers["cache-control"] == "no-store"
    assert await settled(feed) == [("clicked", False)]
    row = await feed.pool.fetchrow("SELECT * FROM message_events")
    assert (row["provider"], row["link"], row["channel"], row["at"]) == ("postlude", LINK, "email", feed.clock.now)
    assert await feed.statuses() == {"welcome": ("sent", None)}


async def test_a_machines_click_is_marked_and_led_on_too(feed):
    """Looking with HEAD and fetching ahead are answered like any click, and marked."""
    await feed.message()
    link = path(feed.links.click("acme", "1001", "welcome", LINK))
    looked = await feed.client.head(link, headers=BROWSER)
    ahead = await feed.client.get(link, headers=BROWSER | {"sec-purpose": "prefetch"})
    assert [answer.status_code for answer in (looked, ahead)] == [302, 302]
    assert await settled(feed) == [("clicked", True)]


async def test_the_same_link_within_a_minute_is_one_click(feed):
    """Asking again and again does not fill the table; a minute later it is another click."""
    await feed.message()
    link = path(feed.links.click("acme", "1001", "welcome", LINK))
    for _ in range(3):
        await feed.client.get(link, headers=BROWSER)
    assert await settled(feed) == [("clicked", False)]
    feed.clock.forward(minutes=1)
    await feed.client.get(link, headers=BROWSER)
    for _ in range(100):
        if len(await feed.events()) == 2:
            break
        await asyncio.sleep(0.05)
    assert await feed.events() == [("clicked", False)] * 2


async def test_an_altered_link_leads_nowhere(feed):
    """Cut, altered, signed for another purpose or with another key: 404, and no redirect at all."""
    await feed.message()
    good = path(feed.links.click("acme", "1001", "welcome", LINK))
    token = good.removeprefix("/c/")
    payload, _, signature = token.rpartition(".")
    foreign = Links("another key", "http://gate").click("acme", "1001", "welcome", "https://evil.example/")
    wrong = [
        good[:-1],
        f"/c/{payload[:-2]}AA.{signature}",
        f"/c/{payload}",
        "/c/https://evil.example",
        path(foreign),
        path(feed.links.order("acme", "1001")).replace("/o/", "/c/"),
        path(feed.links.unsubscribe("acme", "1001")).replace("/u/", "/c/"),
        f"/c/{token}?url=https://evil.example"[: len(good) - 2],
    ]
    for one in wrong:
        answer = await feed.client.get(one, headers=BROWSER)
        assert (answer.status_code, answer.headers.get("location")) == (404, None)
    assert await feed.events() == []


def test_only_the_web_can_be_led_to():
    """Other schemes and odd addresses are refused when the link is made, and when it is read."""
    links = Links(SECRET_KEY, "http://gate")
    for url in (
        "mailto:hello@fernhill.example",
        "javascript:alert(1)",
        "data:text/html,hi",
        "//evil.example",
        "/o/x",
        "https://",
        "https://fernhill.example/\r\nSet-Cookie: a=b",
        "https://[",
        "",
    ):
        with pytest.raises(ValueError, match="http or https"):
            links.click("acme", "1001", "welcome", url)
        assert links.read_click(links._serializers[Purpose.CLICK].dumps(["acme", "1001", "welcome", url])) is None
    assert links.read_click(links._serializers[Purpose.CLICK].dumps(["acme", "1001", LINK])) is None
    assert links.read_click(links._serializers[Purpose.CLICK].dumps({"url": LINK})) is None


async def test_the_redirect_does_not_wait_for_the_database(feed):
    """While the database is away a visitor is led on all the same; the click is lost, nothing else."""
    await feed.message()
    await feed.pool.close()
    answer = await feed.client.get(path(feed.links.click("acme", "1001", "welcome", LINK)), headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (302, LINK)


async def test_a_click_of_an_erased_message_leads_on(feed):
    """A link outlives what it was about: it still leads where it led."""
    answer = await feed.client.get(path(feed.links.click("acme", "gone", "welcome", LINK)), headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (302, LINK)

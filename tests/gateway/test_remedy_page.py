"""The page of a remedy over HTTP: what it shows when, what a press does, and what it never does."""

import asyncio
import html
import re
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from fastapi import FastAPI

from journey.remedies import By, Choice, Stand
from starters import remedies as page
from starters.portal import Pages
from starters.words import LANGUAGES, words_of
from store import remedies
from tests.support.orders import Order, Person, put, put_parcel
from tests.support.remedies import step

ORDER = Order("1001", person=Person(locale="en-GB"))


class Desk:
    def __init__(self, gate, client):
        self.gate, self.client, self.pool = gate, client, gate.pool
        self.link = gate.links.remedy("acme", "1001", "T1")

    async def text(self, link=None):
        return html.unescape((await self.client.get(link or self.link, follow_redirects=True)).text)

    async def press(self, choice, link=None):
        return await self.client.post(link or self.link, data={"choice": choice})

    async def row(self):
        return await remedies.get(self.pool, "acme", "1001", "T1")

    async def set(self, **columns):
        for name, value in columns.items():
            await self.pool.execute(f"UPDATE remedies SET {name} = $1", value)  # noqa: S608  our own names


async def offered(gate, client, order=ORDER, **changes):
    await put(gate.pool, order, "digest")
    await put_parcel(gate.pool, order, "T1", order.placed_at)
    now = gate.clock.now
    async with gate.pool.acquire() as connection, connection.transaction():
        asked = step(order, at=now, choose_by=now + timedelta(days=3), **changes)
        await remedies.offer(connection, asked, otherwise=Choice.REFUND)
    return Desk(gate, client)


@pytest.fixture
async def client(gate, brand):
    app = FastAPI()
    app.include_router(page.router(pool=gate.pool, links=gate.links, pages=Pages(brand), clock=gate.clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as made:
        yield made


@pytest.fixture
async def desk(gate, client):
    return await offered(gate, client)


async def test_it_says_what_happened_and_what_there_is_to_choose(desk):
    """Both ways in plain words with the amount, until when in the customer's own zone, and what happens otherwise."""
    shown = await desk.text()
    for said in (
        "cannot find your parcel T1",
        "Yoga mat",
        "Send it again",
        "Pay €79.00 back",
        "until Wednesday 25 November, 11:00.",
        "If we do not hear from you by then, you get your money back.",
    ):
        assert said in shown
    assert shown.count("<form") == 2


async def test_looking_chooses_nothing(desk):
    """Neither a GET nor a HEAD, nor an address that says so."""
    for link in (desk.link, f"{desk.link}?choice=refund", f"{desk.link}?said=stands"):
        await desk.client.get(link)
        await desk.client.head(link)
    assert (await desk.row()).choice is None


async def test_the_page_keeps_to_itself(desk):
    """No script, no trace in caches or search engines, and nothing that names the person."""
    answer = await desk.client.get(desk.link)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "<script" not in answer.text
    assert not any(secret in answer.text.lower() for secret in ("ada@", "ada ", "c-1"))


@pytest.mark.parametrize(
    ("choice", "said"), [("refund", "You get your money back"), ("replacement", "sending it again")]
)
async def test_a_press_chooses(desk, choice, said):
    """One press, a 303 back to the page, and the page says what stands."""
    answer = await desk.press(choice)
    assert (answer.status_code, answer.headers["location"]) == (303, "?")
    row = await desk.row()
    assert (row.status, row.choice, row.chosen_by) == (Stand.CHOSEN, choice, By.CUSTOMER)
    shown = await desk.text()
    assert said in shown
    assert "<form" not in shown


async def test_twenty_presses_at_once_are_one(desk):
    """From two tabs, ten each: one choice and one event, and everybody is shown the same."""
    answers = await asyncio.gather(*(desk.press(choice) for choice in ("refund", "replacement") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {303}
    lost = [answer for answer in answers if answer.headers["location"] == "?said=stands"]
    assert len(lost) == 10
    assert await desk.pool.fetchval("SELECT count(*) FROM inbox WHERE source = 'remedy'") == 1


async def test_the_second_tab_is_told_what_stands(desk):
    """It chose the other way: its press changes nothing, and says so."""
    await desk.press("refund")
    answer = await desk.press("replacement")
    assert answer.headers["location"] == "?said=stands"
    shown = await desk.text(f"{desk.link}?said=stands")
    assert "A choice was made already" in shown
    assert "You get your money back" in shown


@pytest.mark.parametrize(
    "body", [b"", b"choice=both", b"choice=", b"choice=refund&choice=x", b"\xff\xfe", b"x" * 200_000]
)
async def test_what_is_no_choice_chooses_nothing(desk, body):
    """An odd form brings back the page."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await desk.client.post(desk.link, content=body, headers=headers)
    assert (answer.status_code, (await desk.row()).choice) == (303, None)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"status": "withdrawn"}, "nothing to choose any more"),
        ({"status": "awaiting_approval", "choice": "refund", "chosen_by": "customer"}, "We are paying €79.00 back"),
        ({"status": "in_hand", "choice": "replacement", "chosen_by": "reply"}, "We are sending it again"),
        ({"status": "chosen", "choice": "refund", "chosen_by": "default"}, "we chose for you"),
        ({"status": "done", "choice": "refund", "chosen_by": "customer"}, "We have paid €79.00 back"),
        ({"status": "done", "choice": "replacement", "chosen_by": "operator"}, "One of us arranged it"),
        ({"status": "done", "choice": "refund", "chosen_by": "customer", "coupon": "SORRY-10"}, "SORRY-10"),
        ({"status": "done", "choice": "refund", "chosen_by": "customer", "failure": "already_refunded"}, "already"),
        ({"status": "failed", "choice": "refund", "chosen_by": "customer"}, "One of us is looking after it"),
        ({"status": "declined", "choice": "refund", "chosen_by": "customer"}, "One of us is looking after it"),
    ],
)
async def test_every_stand_has_its_own_words(desk, columns, said):
    """And none of them a button; a press then changes nothing."""
    await desk.set(**columns)
    before = await desk.row()
    shown = await desk.text()
    assert said in shown
    assert "<form" not in shown
    assert (await desk.press("replacement")).status_code == 303
    assert await desk.row() == before


async def test_when_time_is_up_there_is_nothing_to_press(desk):
    """The page says so, and an old tab's press finds nothing standing."""
    desk.gate.clock.forward(days=4)
    assert "The time to choose is over" in await desk.text()
    assert (await desk.press("refund")).headers["location"] == "?"
    assert (await desk.row()).choice is None


async def test_only_its_own_link_opens_it(desk):
    """No order's link, no altered one, none of a parcel without a remedy."""
    links = desk.gate.links
    order = links.order("acme", "1001").replace("/o/", "/r/")
    for link in (order, desk.link[:-2], links.remedy("acme", "1001", "T9"), links.remedy("other", "1001", "T1")):
        assert (await desk.client.get(link)).status_code == 404
        assert (await desk.press("refund", link)).status_code == 404
    assert (await desk.row()).choice is None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_speaks_the_customers_language(gate, client, language):
    """Every text of the page is there in each of them, with the amount as that language writes it."""
    desk = await offered(gate, client, Order("1001", person=Person(locale=f"{language}-ES")), reason="damaged")
    shown = await desk.text()
    said = words_of(language)["remedy"]
    assert all(text in shown for text in (said["title"], said["question"], said["otherwise"]["refund"]))
    assert said["reasons"]["damaged"].format(part="T1") in shown
    assert not re.search(r"\{\w+\}", shown.split("</style>")[1])


async def test_goods_that_cost_nothing_are_only_sent_again(gate, client):
    """A single option has a single button."""
    desk = await offered(gate, client, Order("1001", total=Decimal(0)))
    assert (await desk.text()).count("<form") == 1
    assert (await desk.press("refund")).status_code == 303
    assert (await desk.row()).choice is None

import fcntl
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import httpx
import pytest

from activities.shops import backend as shops
from activities.shops.api import Done, Wanted
from starters.demo import second_shop
from starters.demo.backend import Backend
from tests.cli.commands import postlude
from tests.support.patience import PATIENCE
from workers.mail_catcher import MailFolder

OPERATORS = "operators@fernhill.example"


@pytest.fixture(scope="module")
def played(tmp_path_factory, worker_id):
    """One run of `postlude demo --exit --json` for all test processes: its object, and the mails that were caught."""
    ours = tmp_path_factory.getbasetemp()
    folder = (ours if worker_id == "master" else ours.parent) / "played"
    folder.mkdir(exist_ok=True)
    told = folder / "told.json"
    # Whoever comes first plays it, the others wait: several at once would share two cores.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            environment = {"POSTLUDE_HOME": str(folder / "demo"), "POSTLUDE_LISTEN": "127.0.0.1:0"}
            ran = postlude("demo", "--exit", "--json", environment=environment, timeout=2 * PATIENCE)
            assert ran.code == 0, ran.err
            told.write_text(ran.out)
    return json.loads(told.read_text()), MailFolder(folder / "demo" / "mail")


@pytest.fixture
def sides(played):
    """Both sides of the orders that are told from both, by their kind."""
    return {one["kind"]: one for one in played[0]["sides"]}


def sent(found):
    """How often each touch of each order went out, by the ledger."""
    return Counter(
        (order["order"], message["touch"])
        for order in found["orders"]
        for message in order["messages"]
        if message["status"] == "sent"
    )


def days(side):
    """When its customer saw what, offers aside."""
    return [(one["day"], one["what"]) for one in side["customer"] if not one["marketing"]]


def test_the_demo_plays_eleven_whole_journeys(played, playbook):
    """`postlude demo --exit --json` prints one object: every journey finished, each mail caught once, rules kept."""
    found, mails = played
    assert set(found) == {"orders", "seconds", "mails", "links", "sides"}
    orders = {order["order"]: order for order in found["orders"]}
    assert len(orders) == 11
    assert {order["status"] for order in orders.values()} == {"finished"}

    to_customers = [mail for mail in mails.messages() if OPERATORS not in mail.recipients]
    assert max(Counter(mail.message_id for mail in to_customers).values()) == 1
    assert Counter((mail.order, mail.touch) for mail in to_customers) == sent(found)
    assert found["mails"] == len(to_customers)

    def purposes(order):
        touches = [touch for name, touch in sent(found) if name == order]
        return {playbook.by_id[touch.partition(":")[0]].purpose for touch in touches}

    cancelled, no_consent = (f"fernhill.myshopify.com/540000000{number}" for number in (1009, 1010))
    assert purposes(cancelled) == {"transactional"}
    assert purposes(no_consent) == {"transactional"}
    rules = {message["rule"] for message in orders[no_consent]["messages"] if message["status"] == "refused"}
    assert rules == {"no_consent", "condition"}

    first = {message["touch"]: message for message in orders["fernhill/1001"]["messages"]}
    assert first["whats_new"]["rule"] == "ended_by_customer_reordered"
    assert ("fernhill/1002", "vip_invite") in sent(found)


def test_a_lost_parcel_is_sent_again_once_its_customer_pressed_the_button(sides):
    """The carrier's word brings the offer, the page the choice, the shop's backend the replacement: all in one day."""
    lost = sides["lost"]
    assert days(lost)[-3:] == [(4, "remedy offer"), (4, "pressed: replacement"), (4, "remedy settled")]
    assert "a remedy is offered: lost, 118.00 EUR" in lost["alerts"]
    (stand,) = lost["remedies"]
    assert stand == "lost: replacement by customer, done, 118.00 EUR, the shop's R-1007, coupon MADEGOOD-1007"
    assert [one["what"] for one in lost["attention"]] == ["lost", "remedy_offered", "remedy_chosen"]


def test_what_nobody_chooses_is_paid_back(sides):
    """A parcel that stands still is given up, and after three days without a choice the money goes back by itself."""
    stuck = sides["stuck"]
    told = days(stuck)
    assert told[2:5] == [(4, "overdue"), (5, "late apology"), (7, "stuck")]
    assert {(11, "remedy offer"), (13, "remedy reminder"), (14, "remedy settled")} <= set(told)
    assert {"overdue", "stuck", "a remedy is offered: severe_delay, 139.00 EUR"} <= set(stuck["alerts"])
    (stand,) = stuck["remedies"]
    assert stand.startswith("severe_delay: refund by default, done, 139.00 EUR, the shop's P-1008")


def test_a_late_parcel_is_told_of_before_its_promise_passes(sides):
    """News of the delay comes on the promised day, a code a day after it; what follows counts from the delivery."""
    late = sides["late"]
    told = [(3, "delayed"), (5, "late apology"), (6, "out for delivery"), (6, "delivered"), (8, "care")]
    assert told == days(late)[2:7]
    assert {"what": "parcel_late", "since": 4, "until": 6} in late["attention"]


def test_a_split_order_is_told_of_as_it_comes(sides):
    """Two parcels within the hour are one message, and care and reviews are asked about what has come by then."""
    split = sides["three parcels"]
    assert [one for one in days(split) if "shipped" in one[1]] == [(1, "shipped (2 parcels)"), (2, "shipped")]
    assert [one for one in days(split) if "care" in one[1]] == [(6, "care (2 parcels)"), (9, "care")]
    reviews = [one["what"] for one in split["customer"] if "review request" in one["what"]]
    assert reviews == ["review request (2 parcels)", "review request"]
    assert "2 of 3 parcels delivered" in [one["what"] for one in split["delivery"]]
    assert split["alerts"] == []


@pytest.mark.parametrize(
    ("kind", "told", "stood"),
    [
        (
            "picked up",
            [
                (0, "order confirmation"),
                (1, "pickup ready"),
                (3, "pickup reminder"),
                (4, "pickup collected"),
                (6, "care"),
            ],
            ["not dispatched", "ready in the store", "delivered"],
        ),
        ("digital", [(0, "order confirmation"), (0, "digital access")], ["handed over"]),
    ],
)
def test_an_order_without_a_carrier_is_told_of_in_its_own_words(sides, kind, told, stood):
    """A pick-up has ready, reminder and collected; digital goods have their access at once and no shipping."""
    assert days(sides[kind]) == told
    assert [one["what"] for one in sides[kind]["delivery"]] == stood


async def test_the_sample_shop_does_what_it_is_asked_once():
    """The demo's backend answers the product's own adapter: a repeated key is its first outcome, no order is new."""
    sample = Backend("fernhill")
    wanted = Wanted("remedy:1:refund", "1001", [("HG-1", 1)], Decimal("129.00"), "EUR")
    with sample.serving() as url:
        api = shops.Backend(urlsplit(url), secret_key="key")
        try:
            made = [await api.refund(wanted) for _ in range(2)]
            await api.release(wanted)
            page = await api.changed(datetime(2026, 11, 1, tzinfo=UTC), None)
        finally:
            await api.aclose()
    assert made == [Done("P-1001"), Done("P-1001")]
    assert [entry.kind for entry in sample.book("1001")] == ["refund", "release"]
    assert (page.orders, page.cursor) == (0, None)


async def test_the_sample_shop_does_nothing_for_a_stranger():
    """A request that the shop's secret did not sign is answered 401 and leaves nothing in the book."""
    sample = Backend("fernhill")
    asked = {"key": "k", "kind": "refund", "order_id": "1001", "amount": "129.00", "currency": "EUR"}
    with sample.serving() as url:
        parts = urlsplit(url)
        async with httpx.AsyncClient(base_url=f"http://{parts.hostname}:{parts.port}{parts.path}") as stranger:
            answers = [await stranger.post("/remedies", json=asked), await stranger.get("/orders")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert sample.book("1001") == []


def test_json_alone_is_a_wrong_use(home):
    """`--json` without `--exit` would never print anything, so it is refused."""
    ran = postlude("demo", "--json", environment={"POSTLUDE_HOME": str(home / "none")})
    assert (ran.code, ran.out) == (2, "")
    assert "--json needs --exit" in ran.err


def test_a_second_shop_writes_as_itself_in_its_own_language(played):
    """Its order has an id that the first shop has, too; nobody said what its customer speaks, the shop's file did."""
    found, mails = played
    orders = [tuple(order["order"].split("/")) for order in found["orders"]]
    own = next(order_id for shop, order_id in orders if shop == second_shop.SHOP)
    assert any(order_id == own and shop != second_shop.SHOP for shop, order_id in orders)
    order = f"{second_shop.SHOP}/{own}"
    theirs = [mail for mail in mails.messages() if mail.order == order and OPERATORS not in mail.recipients]
    others = [mail for mail in mails.messages() if mail.order != order and OPERATORS not in mail.recipients]
    assert theirs
    for mail in theirs:
        html, text = (mail.parsed().get_body((kind,)).get_content() for kind in ("html", "plain"))
        assert second_shop.NAME in text
        assert "Fernhill" not in html + text
        assert f"/s/{second_shop.SHOP}/" in html
        assert 'lang="de"' in html
    assert not any(second_shop.NAME in mail.parsed().get_body(("plain",)).get_content() for mail in others)

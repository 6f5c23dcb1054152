"""Parcels in the tables: the same words give the same row, and every word reaches the parcel it means."""

from datetime import date, timedelta
from itertools import permutations
from random import Random

import pytest

from journey.events import DeliveryDenied
from journey.folding import dispatched, scanned
from journey.lanes import USUAL_OF
from journey.parcels import Parcel, Scan, pickup_number
from journey.standards import Reach
from store import intake, shipments
from tests.store.parcels import NUMBER, SENT, created, hear, hours, ordered, row_of, sent, whose, word

WORDS = (
    word("label_created", hours(-2), carrier="ups", tracker="easypost:trk_1"),
    word("in_transit", hours(5), carrier="DHL", service="paket", estimated_delivery=date(2026, 11, 24)),
    word("exception", hours(9), reason="customs", action_required=True, location="Leipzig"),
    word("out_for_delivery", hours(30), service="express", estimated_delivery=date(2026, 11, 25)),
    word("delivered", hours(33), location="Berlin"),
    word("in_transit", hours(40), estimated_delivery=date(2026, 11, 26)),
)
SHIPPED = created(carrier="UPS", skus=("YM-1",), estimated_delivery=date(2026, 11, 23))


async def scans_of(pool, shop="acme"):
    rows = await pool.fetch(
        "SELECT occurred_at, status, reason, location FROM scans WHERE shop = $1 ORDER BY occurred_at, status", shop
    )
    return [tuple(row) for row in rows]


async def deny(pool, at, *, found=False, number=NUMBER):
    event = intake.DeliveryDenied(shop="acme", order_id="1", tracking_number=number, at=at, found=found)
    async with pool.acquire() as connection, connection.transaction():
        return await shipments.deny(connection, event)


async def test_the_order_of_words_does_not_matter(pool, say):
    """Scans, a shop's repeated word and repeats in sixty orders leave one row and one history."""
    seed = Random().randrange(10**6)
    say(f"seed {seed}")
    orders = list(permutations((*WORDS, created(carrier="Hermes", at=hours(1)))))
    rows, histories = set(), set()
    for told in [tuple(orders[0]), *Random(seed).sample(orders, 59)]:
        await sent(pool, carrier="UPS", skus=("YM-1",), estimated_delivery=date(2026, 11, 23))
        for one in (*told, told[0]):
            if isinstance(one, intake.ShipmentCreated):
                async with pool.acquire() as connection, connection.transaction():
                    await shipments.ship(connection, one)
            else:
                await hear(pool, one)
        rows.add(tuple((await row_of(pool)).items()))
        histories.add(tuple(await scans_of(pool)))
        await pool.execute("DELETE FROM orders")
    assert (len(rows), len(histories)) == (1, 1)
    row = dict(rows.pop())
    shown = {name: row[name] for name in ("carrier", "service", "status", "status_at", "tracker", "action_required")}
    assert shown == {
        "carrier": "Hermes",
        "service": "express",
        "status": "delivered",
        "status_at": hours(33),
        "tracker": "easypost:trk_1",
        "action_required": False,
    }
    assert (row["first_estimate"], row["estimated_delivery"]) == (date(2026, 11, 23), date(2026, 11, 26))
    moments = ("created_at", "first_scan_at", "out_for_delivery_at", "delivered_at", "last_scan_at")
    assert [row[name] for name in moments] == [SENT, hours(5), hours(30), hours(33), hours(40)]
    assert len(histories.pop()) == len(WORDS)


async def test_page_and_journey_fold_alike(pool):
    """The row says of a parcel what the core's own fold says."""
    await sent(pool, carrier="UPS", skus=("YM-1",), estimated_delivery=date(2026, 11, 23))
    parcel: Parcel = dispatched(
        None,
        tracking_number=NUMBER,
        carrier="UPS",
        skus=("YM-1",),
        estimated_delivery=date(2026, 11, 23),
        at=SENT,
    )
    for one in WORDS:
        await hear(pool, one)
        said = Scan(one.status, one.at, reason=one.reason, estimated_delivery=one.estimated_delivery)
        parcel = scanned(parcel, said, tracking_number=NUMBER, carrier=one.carrier, service=one.service)
        row = await row_of(pool)
        for name in ("carrier", "service", "status", "status_at", "reason", "skus", "first_estimate", "delivered_at"):
            assert row[name] == getattr(parcel, name), (one.status, name)
        assert row["estimated_delivery"] == parcel.estimated_delivery


async def test_a_word_is_written_once_with_its_place(pool):
    """The same word again adds nothing, and a place that only one of two tellings has is kept."""
    await sent(pool)
    for _ in range(2):
        await hear(pool, word("in_transit", hours(5)))
        await hear(pool, word("in_transit", hours(5), location="Leipzig"))
    assert await scans_of(pool) == [(hours(5), "in_transit", None, "Leipzig")]


async def test_a_label_is_no_scan(pool):
    """Only who has the parcel in hand scans it: labels and announcements leave both ends of the scans open."""
    await sent(pool)
    await hear(pool, word("label_created", hours(1)))
    row = await row_of(pool)
    assert (row["first_scan_at"], row["last_scan_at"]) == (None, None)
    await hear(pool, word("picked_up", hours(4)))
    row = await row_of(pool)
    assert (row["first_scan_at"], row["last_scan_at"]) == (hours(4), hours(4))


async def test_the_last_word_says_whether_somebody_must_act(pool):
    """A customs hold asks for something; the next scan takes that back, an older one does not."""
    await sent(pool)
    asked = []
    for one in (
        word("exception", hours(9), reason="customs", action_required=True),
        word("in_transit", hours(5)),
        word("in_transit", hours(12)),
    ):
        await hear(pool, one)
        asked.append((await row_of(pool))["action_required"])
    assert asked == [True, True, False]


async def test_a_scan_corrects_a_guessed_carrier_but_not_the_shop(pool):
    """Of two guesses the later one counts, and the shop's own word beats both."""
    await sent(pool)
    await hear(pool, word(at=hours(2), carrier="ups"))
    await hear(pool, word(at=hours(1), carrier="usps"))
    assert (await row_of(pool))["carrier"] == "UPS"
    await hear(pool, word(at=hours(3), carrier="dhl"))
    assert (await row_of(pool))["carrier"] == "DHL"
    async with pool.acquire() as connection, connection.transaction():
        await shipments.ship(connection, created(carrier="Hermes", at=SENT))
    await hear(pool, word(at=hours(4), carrier="dhl"))
    assert (await row_of(pool))["carrier"] == "Hermes"


async def test_what_is_usual_comes_with_the_lane(pool):
    """With the shop's word always, with a scan when it changes the lane or may not have been told, else never."""
    await pool.execute("INSERT INTO dispatch_habits (shop, samples, home, learnt_at) VALUES ('acme', 9, 'DE', now())")
    told, _ = await sent(pool)
    assert told[0].expected == USUAL_OF[None, Reach.HOME]
    known = []
    for event, again in (
        (word(at=hours(1), carrier="DHL"), False),
        (word(at=hours(2), carrier="dhl_express"), False),
        (word(at=hours(2), carrier="dhl_express"), True),
        (word(at=hours(3), service="express"), False),
    ):
        heard = await hear(pool, event, again=again)
        known.append(heard["acme", "1"][0].expected)
    dhl = USUAL_OF["dhl", Reach.HOME]
    assert known == [dhl, None, dhl, dhl]


async def test_a_pick_up_waits_for_no_carrier(pool):
    """It is followed under its own number, ready and collected like a parcel, and nothing is usual on its way."""
    number = pickup_number("acme", "1")
    told, new = await sent(pool, number=number, method="pickup")
    heard = await hear(pool, word("available_for_pickup", hours(3), number=number), again=True)
    assert (told[0].expected, new, heard["acme", "1"][0].expected) == (None, True, None)
    row = await row_of(pool, number)
    assert (row["method"], row["waiting_at"]) == ("pickup", hours(3))


async def test_a_shop_that_repeats_itself_says_nothing_new(pool):
    """The same fulfilment again is no news; another line, carrier or date is."""
    news = [(await sent(pool, carrier="UPS", skus=("A",)))[1]]
    for more in (
        {"carrier": "UPS", "skus": ("A",)},
        {"carrier": "UPS", "skus": ("B",)},
        {"carrier": "DHL", "at": hours(1)},
        {"estimated_delivery": date(2026, 11, 25)},
        {"service": "express"},
        {},
    ):
        async with pool.acquire() as connection, connection.transaction():
            news.append((await shipments.ship(connection, created(**more)))[1])
    assert news == [True, False, True, True, True, True, False]
    assert (await row_of(pool))["skus"] == ("A", "B")


ACME, BOLT, BOTH = [("acme", "1")], [("bolt", "1")], [("acme", "1"), ("bolt", "1")]


@pytest.mark.parametrize(
    ("scan", "places"),
    [
        ({}, BOTH),
        ({"shop": "bolt"}, BOLT),
        ({"shop": "nobody"}, []),
        ({"tracker": "easypost:trk_bolt"}, BOLT),
        ({"tracker": "easypost:trk_bolt", "carrier": "DHL"}, BOLT),
        ({"tracker": "easypost:trk_new"}, BOTH),
        ({"carrier": "DHLExpress"}, ACME),
        ({"carrier": "ups"}, BOLT),
        ({"carrier": "fedex"}, BOTH),
    ],
)
async def test_two_shops_with_one_number(pool, scan, places):
    """The shop, the source's own id and the carrier say whose it is; where nothing does, both are told."""
    await sent(pool, carrier="DHL")
    await sent(pool, shop="bolt", carrier="UPS")
    await pool.execute("UPDATE shipments SET tracker = 'easypost:trk_' || shop")
    assert await whose(pool, word(at=hours(1), **scan)) == places


async def test_a_word_changes_only_the_parcel_it_means(pool):
    """The other shop's parcel of that number keeps its row and its history, and is told nothing."""
    await sent(pool, carrier="DHL")
    await sent(pool, shop="bolt", carrier="UPS")
    before = await row_of(pool, shop="acme")
    told = await hear(pool, word("delivered", hours(9), carrier="ups"))
    assert list(told) == BOLT
    assert await row_of(pool, shop="acme") == before
    assert (await scans_of(pool, "acme"), len(await scans_of(pool, "bolt"))) == ([], 1)


async def test_one_parcel_of_two_orders_of_a_shop(pool):
    """Both orders hear it, also when one of them does not know the carrier, or came when the parcel was under way."""
    await sent(pool, carrier="DHL")
    await hear(pool, word(at=hours(1), carrier="dhl", tracker="easypost:trk_1"))
    await sent(pool, order_id="2", at=hours(2))
    both = [("acme", "1"), ("acme", "2")]
    assert await whose(pool, word(at=hours(3), carrier="dhl", tracker="easypost:trk_1")) == both
    assert await whose(pool, word(at=hours(3), carrier="dhl")) == both


async def test_the_sources_id_outlives_a_wrong_carrier(pool):
    """A parcel known by its tracker is found though the source now names another shop's carrier."""
    await sent(pool, carrier="UPS")
    await sent(pool, shop="bolt", carrier="DHL")
    await hear(pool, word(at=hours(1), tracker="easypost:trk_1", shop="acme"))
    assert await whose(pool, word(at=hours(2), carrier="dhl", tracker="easypost:trk_1")) == ACME


@pytest.mark.parametrize(
    ("after", "places"),
    [
        (timedelta(days=59), [("acme", "1"), ("acme", "2")]),
        (timedelta(days=61), [("acme", "2")]),
    ],
)
async def test_a_number_that_is_used_again(pool, after, places):
    """A parcel delivered more than sixty days ago leaves the number to the one that is open."""
    await sent(pool)
    await hear(pool, word("delivered", hours(48)))
    moment = hours(48) + after
    await sent(pool, order_id="2", at=moment)
    assert await whose(pool, word(at=moment)) == places
    assert await whose(pool, word("delivered", hours(48))) == ACME


async def test_a_word_long_before_the_parcel_is_nobodys(pool):
    """A delivery of the year before is not this parcel's; a label of some days before is, where no other takes it."""
    await sent(pool)
    assert await whose(pool, word("delivered", SENT - timedelta(days=365))) == []
    assert await whose(pool, word("label_created", SENT - timedelta(days=3))) == ACME
    await sent(pool, order_id="2", at=SENT - timedelta(days=3))
    assert await whose(pool, word("label_created", SENT - timedelta(days=3))) == [("acme", "2")]


async def test_an_unknown_number_is_nobodys(pool):
    """It waits for its parcel."""
    assert await whose(pool, word()) == []


async def test_a_denial_stands_until_it_is_taken_back(pool):
    """The moment of the denial is kept, found takes it away, and a denial from before that does not bring it back."""
    await sent(pool)
    await hear(pool, word("delivered", hours(30)))
    stands = []
    for at, found in ((40, False), (44, True), (42, False), (50, False)):
        told, new = await deny(pool, hours(at), found=found)
        assert told == [DeliveryDenied(at=hours(at), tracking_number=NUMBER, found=found)]
        stands.append(((await row_of(pool))["denied_at"], new))
    assert stands == [(hours(40), True), (None, True), (None, True), (hours(50), True)]
    assert (await deny(pool, hours(50)))[1] is False


async def test_a_denial_of_a_strangers_parcel_is_none(pool):
    """A number that is not the order's own tells nobody anything."""
    await ordered(pool)
    await sent(pool, shop="bolt")
    assert await deny(pool, hours(40)) == ([], False)


async def test_parcels_of_before_the_migration_are_understood(pool):
    """A row without the moments of its words still folds: the shop's own carrier and first promise stay."""
    await ordered(pool)
    await pool.execute(
        """INSERT INTO shipments (shop, order_id, tracking_number, carrier, status, status_at, estimated_delivery,
               first_estimate, created_at, number)
           VALUES ('acme', '1', $1, 'DHL', 'in_transit', $2, '2026-11-26', '2026-11-25', $3, $1)""",
        NUMBER,
        hours(5),
        SENT,
    )
    await hear(pool, word("in_transit", hours(8), carrier="ups", estimated_delivery=date(2026, 11, 27)))
    row = await row_of(pool)
    assert (row["carrier"], row["first_estimate"]) == ("DHL", date(2026, 11, 25))
    assert (row["estimated_delivery"], row["status_at"]) == (date(2026, 11, 27), hours(8))


@pytest.mark.parametrize("backwards", [False, True])
async def test_an_estimate_counts_from_when_it_was_said(pool, backwards):
    """A carrier that moves its promise forward between two scans is believed, whichever word comes in first."""
    later = word(at=hours(5), estimated_delivery=date(2026, 11, 26), estimated_at=hours(6))
    sooner = word(at=hours(5), estimated_delivery=date(2026, 11, 25), estimated_at=hours(9))
    await sent(pool)
    for one in (sooner, later) if backwards else (later, sooner):
        await hear(pool, one)
    row = await row_of(pool)
    assert (row["estimated_delivery"], row["first_estimate"]) == (date(2026, 11, 25), date(2026, 11, 26))
    told = await hear(pool, sooner)
    assert told["acme", "1"][0].estimated_at == hours(9)


@pytest.mark.parametrize(
    ("shown", "code", "said"),
    [
        ("UPS", "ups", "UPS"),
        ("UPS", "ups", "ups"),
        ("DHL Express", "dhl", "DHL Express"),
        ("DHL Express", "dhl", "dhl-express"),
        ("FedEx", "fedex", "FedEx"),
        ("Österreichische Post", "sterreichischepost", "Österreichische Post"),
        (None, None, None),
    ],
)
async def test_a_carrier_is_matched_in_one_form_and_shown_in_another(pool, shown, code, said):
    """Whatever a shop writes, its customers read the name they know, and nobody matches by that."""
    (told,), _ = await sent(pool, carrier=said)
    row = await row_of(pool)
    assert (shown, code, shown) == (row["carrier"], row["carrier_code"], told.carrier)

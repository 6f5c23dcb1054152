"""Attempts to ask a vendor about everything that is due: news is kept once, trouble loses no parcel's turn."""

from datetime import date, timedelta

import pytest

from activities.carriers.news import scan_id
from activities.carriers.pollers import Paced, Pollers
from activities.carriers.protocol import Asked
from activities.polling import RESTS, Polling
from activities.vendors.http import VendorBusyError, VendorGarbledError, VendorRefusedError, VendorUnclearError
from store import intake
from store.pool import Pool
from tests.store.parcels import hear, row_of, sent
from tests.support.parcels import NOON, AskedVendor, Clock, change, moments, scan, ship

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Desk:
    """A vendor, a clock, and the activity between them."""

    def __init__(self, pool: Pool, *vendors: AskedVendor) -> None:
        self.pool = pool
        self.vendor, *_ = vendors
        self.clock = Clock()
        self.polling = Polling(pool, Pollers(vendors), clock=self.clock)

    async def poll(self):
        return await self.polling.poll(self.vendor.name)

    async def kept(self) -> list[intake.ShipmentUpdated]:
        """What went into the inbox, in its order."""
        return [
            intake.from_json(event) for (event,) in await self.pool.fetch("SELECT event::text FROM inbox ORDER BY id")
        ]


class SlowVendor(AskedVendor):
    """Takes two minutes of `clock` for every request."""

    async def ask(self, parcels):
        self.clock.forward(minutes=2)
        return await super().ask(parcels)


@pytest.fixture
def desk(pool: Pool) -> Desk:
    return Desk(pool, AskedVendor())


async def due(pool: Pool, *numbers: str, **columns) -> None:
    for number in numbers:
        await ship(pool, number, poll_at=NOON - MINUTE, **columns)


async def test_one_attempt_asks_about_all_that_is_due(desk: Desk) -> None:
    """Thirty-five parcels, ten in a request: four requests, and none is asked about twice."""
    numbers = [f"T{n}" for n in range(35)]
    await due(desk.pool, *numbers)
    done = await desk.poll()
    assert (done.requests, done.parcels, done.news, done.trouble) == (4, 35, 0, None)
    assert sorted(numbers) == sorted(desk.vendor.asked)
    assert all(at is not None and at > NOON for at in (await moments(desk.pool)).values())


async def test_news_is_kept_once_with_what_the_vendor_wrote(desk: Desk) -> None:
    """The same answer a second time, before or after the tables know of it, leaves nothing behind."""
    await due(desk.pool, "T1")
    told = [scan("T1", at=NOON - 2 * HOUR, location="Leipzig"), scan("T1", "out_for_delivery", NOON - HOUR)]
    desk.vendor.knows["T1"] = told[::-1]
    assert (await desk.poll()).news == 2
    assert [one.model_copy(update={"shop": "acme"}) for one in told] == await desk.kept()
    rows = await desk.pool.fetch("SELECT source, subject, status, body, occurred_at FROM inbox ORDER BY id")
    assert {("poll:ups", "tracking:acme:T1", "pending")} == {tuple(row)[:3] for row in rows}
    assert [row["body"] for row in rows] == [b'{"T1": true}', b""]
    for last_scan_at in (NOON - 48 * HOUR, NOON - HOUR):
        desk.clock.forward(hours=5)
        await change(desk.pool, "T1", last_scan_at=last_scan_at)
        assert ((done := await desk.poll()).parcels, done.news) == (1, 0)
    assert len(await desk.kept()) == 2


async def test_scans_that_are_written_down_already_are_no_news(desk: Desk) -> None:
    """What a webhook brought is in `scans`; an older one that it missed is news all the same."""
    await due(desk.pool, "T1", last_scan_at=NOON - 6 * HOUR, polled_at=NOON - 5 * HOUR)
    await desk.pool.execute(
        "INSERT INTO scans (shop, order_id, tracking_number, occurred_at, status, received_at)"
        " VALUES ('acme', 'o-T1', 'T1', $1, 'in_transit', $1)",
        NOON - 6 * HOUR,
    )
    desk.vendor.knows["T1"] = [scan("T1", at=NOON - 6 * HOUR), scan("T1", "picked_up", NOON - 9 * HOUR)]
    assert (await desk.poll()).news == 1
    assert [event.status for event in await desk.kept()] == ["picked_up"]


async def test_an_estimate_that_moves_between_scans_is_news(desk: Desk) -> None:
    """Once; the scan it came with is known, and its moment stays the carrier's."""
    await due(desk.pool, "T1", last_scan_at=NOON - HOUR, estimated_delivery=date(2026, 11, 24))
    await desk.pool.execute(
        "INSERT INTO scans (shop, order_id, tracking_number, occurred_at, status, received_at)"
        " VALUES ('acme', 'o-T1', 'T1', $1, 'in_transit', $1)",
        NOON - HOUR,
    )
    await change(desk.pool, "T1", polled_at=NOON - HOUR / 2)
    desk.vendor.knows["T1"] = [scan("T1", at=NOON - HOUR, estimated_delivery="2026-11-26")]
    for news in (1, 0):
        desk.clock.forward(hours=6)
        assert news == (await desk.poll()).news
    (event,) = await desk.kept()
    assert (NOON - HOUR, date(2026, 11, 26)) == (event.at, event.estimated_delivery)


async def test_an_estimate_that_moves_back_and_forth_is_news_each_time(desk: Desk) -> None:
    """Earlier or later, and where it was before: the vendor's last word is the parcel's, and is kept once."""
    await sent(desk.pool, number="T1", carrier="UPS", at=NOON - 24 * HOUR)
    await hear(desk.pool, scan("T1", at=NOON - HOUR))
    await change(desk.pool, "T1", polled_at=NOON, poll_at=NOON + HOUR)
    for day in (26, 24, 26, 24):
        desk.vendor.knows["T1"] = [scan("T1", at=NOON - HOUR, estimated_delivery=f"2026-11-{day}")]
        desk.clock.forward(hours=5)
        assert (await desk.poll()).news == 1
        # Before the relay has written it down, and after.
        for _ in range(2):
            desk.clock.forward(hours=5)
            assert ((done := await desk.poll()).parcels, done.news) == (1, 0)
            *_, event = await desk.kept()
            await hear(desk.pool, event)
        assert date(2026, 11, day) == (await row_of(desk.pool, "T1"))["estimated_delivery"]
    assert len(await desk.kept()) == 4


async def test_an_estimate_of_a_time_to_come_stands_until_then(desk: Desk) -> None:
    """What a sender with a wrong clock said last is the last word; afterwards the vendor's other day is news."""
    await due(desk.pool, "T1", last_scan_at=NOON - HOUR, polled_at=NOON - HOUR / 2)
    await change(desk.pool, "T1", estimated_delivery=date(2026, 11, 26), estimate_at=NOON + 12 * HOUR)
    await hear(desk.pool, scan("T1", at=NOON - HOUR))
    desk.vendor.knows["T1"] = [scan("T1", at=NOON - HOUR, estimated_delivery="2026-11-25")]
    for news in (0, 0, 1):
        desk.clock.forward(hours=5)
        assert ((done := await desk.poll()).parcels, done.news) == (1, news)
    (event,) = await desk.kept()
    assert (desk.clock.now, date(2026, 11, 25)) == (event.estimated_at, event.estimated_delivery)


async def test_a_shops_own_word_for_a_carrier_finds_its_poller(pool: Pool) -> None:
    """A carrier that has a poller of its own is asked by that one, however the shop writes it; the rest is the rest."""
    vendors = [AskedVendor(name, frozenset({name})) for name in ("ups", "dhl", "fedex")]
    rest = AskedVendor("easypost", None)
    desk = Desk(pool, *vendors, rest)
    for number, carrier in (("T1", "UPS"), ("T2", "DHL Express"), ("T3", "FedEx"), ("T4", "GLS")):
        await sent(pool, order_id=carrier, number=number, carrier=carrier, at=NOON - 24 * HOUR)
    for vendor in (rest, *vendors):
        await desk.polling.poll(vendor.name)
    asked = {vendor.name: [(one.tracking_number, one.carrier) for one in vendor.requests[0]] for vendor in vendors}
    assert asked == {"ups": [("T1", "ups")], "dhl": [("T2", "dhl")], "fedex": [("T3", "fedex")]}
    assert rest.asked == ["T4"]


@pytest.mark.parametrize("status", ["unknown", "pending"])
async def test_a_vendor_that_knows_nothing_says_so_in_vain(desk: Desk, status) -> None:
    """Its word has another date each time, and is no event at all."""
    await due(desk.pool, "T1")
    desk.vendor.knows["T1"] = [scan("T1", status)]
    assert ((done := await desk.poll()).parcels, done.news) == (1, 0)
    assert await desk.kept() == []


async def test_an_earlier_parcel_of_the_same_number_is_not_this_one(desk: Desk) -> None:
    """Carriers use numbers again: what was delivered a season before this parcel left is neither news nor its end."""
    await due(desk.pool, "T1")
    desk.vendor.knows["T1"] = [scan("T1", "delivered", NOON - timedelta(days=90))]
    assert (await desk.poll()).news == 0
    desk.clock.forward(hours=5)
    assert (await desk.poll()).parcels == 1


async def test_what_was_told_decides_the_next_turn(desk: Desk) -> None:
    """Out for delivery is asked about within the hour, although the tables do not say so yet."""
    await due(desk.pool, "T1", "T2")
    desk.vendor.knows["T1"] = [scan("T1", "out_for_delivery", NOON - MINUTE)]
    await desk.poll()
    found = await moments(desk.pool)
    assert found["T1"] < NOON + HOUR < found["T2"]


async def test_a_delivered_parcel_is_not_asked_about_again(desk: Desk) -> None:
    """Once the relay has written it down it is off the list."""
    await due(desk.pool, "T1")
    desk.vendor.knows["T1"] = [scan("T1", "delivered", NOON - MINUTE)]
    await desk.poll()
    await change(desk.pool, "T1", status="delivered", last_scan_at=NOON - MINUTE)
    desk.clock.forward(days=1)
    assert (await desk.poll()).parcels == 0
    assert await moments(desk.pool) == {"T1": None}


@pytest.mark.parametrize(
    ("rest", "error"),
    [
        (timedelta(minutes=42), VendorBusyError("ups", "http_429", timedelta(minutes=42))),
        (timedelta(minutes=5), VendorBusyError("ups", "http_503")),
        (timedelta(minutes=5), VendorUnclearError("ups", "no_answer")),
    ],
)
async def test_a_vendors_trouble_loses_no_turn(desk: Desk, rest, error) -> None:
    """The attempt ends for as long as the vendor said; every parcel is due as it was, and then asked about once."""
    numbers = [f"T{n}" for n in range(60)]
    await due(desk.pool, *numbers)
    desk.vendor.then.append(error)
    done = await desk.poll()
    assert (error.rule, rest) == (done.trouble, done.rest)
    left = [number for number, at in (await moments(desk.pool)).items() if at == NOON - MINUTE]
    assert 60 - done.parcels == len(left) >= 10
    desk.clock.now += rest
    desk.vendor.requests.clear()
    assert len(left) == (await desk.poll()).parcels
    assert sorted(left) == sorted(desk.vendor.asked)


@pytest.mark.parametrize(
    "error", [VendorRefusedError("ups", "http_400", 400), VendorGarbledError("ups", "odd"), KeyError()]
)
async def test_one_bad_parcel_does_not_spoil_the_others_turn(desk: Desk, error) -> None:
    """What they were asked about with is asked about in halves; the bad one comes again another time."""
    numbers = [f"T{n}" for n in range(10)]
    await due(desk.pool, *numbers)
    desk.vendor.spoilt["T7"] = error
    desk.vendor.knows = {number: [scan(number)] for number in numbers}
    done = await desk.poll()
    assert (done.trouble, done.news) == (None, 9)
    assert {f"tracking:acme:{number}" for number in numbers} - {"tracking:acme:T7"} == {
        event.subject for event in await desk.kept()
    }
    assert all(at > NOON for at in (await moments(desk.pool)).values())


async def test_an_answer_that_nobody_can_read_is_the_vendors_trouble(desk: Desk) -> None:
    """After a few such parcels the attempt ends; the others keep their turn."""
    desk.vendor.at_once = 1
    numbers = [f"T{n}" for n in range(30)]
    await due(desk.pool, *numbers)
    desk.vendor.spoilt = {number: VendorGarbledError("ups", "not_json") for number in numbers}
    done = await desk.poll()
    assert ("garbled", timedelta(minutes=5)) == (done.trouble, done.rest)
    assert done.requests < 10
    found = await moments(desk.pool)
    assert 30 - done.requests == list(found.values()).count(NOON - MINUTE)


async def test_a_parcel_that_was_not_answered_for_is_asked_about_again(desk: Desk) -> None:
    """In an hour, and it does not count as asked."""
    await due(desk.pool, "T1")
    desk.vendor.silent.add("T1")
    assert (await desk.poll()).parcels == 0
    assert tuple(await desk.pool.fetchrow("SELECT poll_at, polls FROM shipments")) == (NOON + HOUR, 0)


async def test_a_parcel_that_is_never_answered_for_is_given_up(desk: Desk) -> None:
    """After weeks of questions in vain it is off the list, and stays off it."""
    await due(desk.pool, "T1", last_scan_at=None)
    desk.vendor.silent.add("T1")
    for days, requests in ((0, 1), (40, 1), (4, 0), (1, 0)):
        desk.clock.forward(days=days)
        assert requests == (await desk.poll()).requests
    assert await moments(desk.pool) == {"T1": None}


async def test_two_shops_with_one_number_hear_of_their_own_parcel(pool: Pool) -> None:
    """One request for the number; each shop gets its own event. Of two carriers' numbers each is asked apart."""
    desk = Desk(pool, AskedVendor(carriers=None))
    await ship(pool, "T1", shop="acme", poll_at=NOON)
    await ship(pool, "T1", shop="bolt", poll_at=NOON)
    await ship(pool, "T1", shop="crate", poll_at=NOON, carrier="gls")
    desk.vendor.knows["T1"] = [scan("T1", at=NOON - HOUR)]
    done = await desk.poll()
    assert (done.requests, done.news) == (2, 3)
    assert sorted(event.shop for event in await desk.kept()) == ["acme", "bolt", "crate"]
    assert {"ups", "gls"} == {one.carrier for request in desk.vendor.requests for one in request}


async def test_one_parcel_for_two_orders_is_one_event(desk: Desk) -> None:
    """Asked about once, told once: the relay tells both orders."""
    for order_id in ("o-1", "o-2"):
        await ship(desk.pool, "T1", order_id=order_id, poll_at=NOON)
    desk.vendor.knows["T1"] = [scan("T1", at=NOON - HOUR)]
    assert ((done := await desk.poll()).requests, done.news) == (1, 1)


@pytest.mark.parametrize(
    ("rest", "poll_at"),
    [
        (RESTS[1], None),
        (RESTS[0], NOON + timedelta(seconds=5)),
        (timedelta(minutes=7), NOON + timedelta(minutes=7)),
        (RESTS[1], NOON + timedelta(days=1)),
    ],
)
async def test_an_attempt_rests_until_the_next_parcel_is_due(desk: Desk, rest, poll_at) -> None:
    """At least a minute, so that parcels gather, and at most a quarter of an hour, so that new ones are found."""
    if poll_at is not None:
        await ship(desk.pool, "T1", poll_at=poll_at)
    assert rest == (await desk.poll()).rest


async def test_an_attempt_that_lasts_is_handed_on(pool: Pool) -> None:
    """After five minutes the next attempt goes on at once, with whatever code is current; nothing is left out."""
    desk = Desk(pool, SlowVendor(at_once=1))
    desk.vendor.clock = desk.clock
    await due(pool, *(f"T{n}" for n in range(12)))
    done = await desk.poll()
    assert ("handed_on", timedelta(seconds=1)) == (done.trouble, done.rest)
    assert 3 <= done.parcels <= 7
    while (await desk.poll()).trouble:
        pass
    assert 12 == len(set(desk.vendor.asked)) == len(desk.vendor.asked)


async def test_new_parcels_are_found_by_the_next_attempt(desk: Desk) -> None:
    """Nobody has to tell the poller of a parcel, or that it was given to another carrier."""
    await ship(desk.pool, "T1")
    await ship(desk.pool, "T2", carrier="gls")
    assert (await desk.poll()).parcels == 1
    await change(desk.pool, "T2", carrier_code="ups")
    assert (await desk.poll()).parcels == 1
    assert desk.vendor.asked == ["T1", "T2"]


async def test_a_vendor_that_is_not_configured_here_waits_for_one_who_has_it(desk: Desk) -> None:
    """The attempt does not end the polling: another worker of the queue may know it."""
    done = await desk.polling.poll("fedex")
    assert ("not_configured", RESTS[0]) == (done.trouble, done.rest)


def test_a_scans_id_is_made_of_what_it_says() -> None:
    """Every part of it counts, and when it was heard of does not."""
    plain = {"at": NOON, "shop": "acme"}
    variants = [
        scan("T1", **plain),
        scan("T2", **plain),
        scan("T1", "picked_up", **plain),
        scan("T1", **plain | {"at": NOON + MINUTE}),
        scan("T1", **plain, location="Leipzig"),
        scan("T1", **plain, reason="customs"),
        scan("T1", **plain | {"shop": "bolt"}),
    ]
    assert len(variants) == len({scan_id(one) for one in variants})
    assert scan_id(variants[0]) == scan_id(scan("T1", **plain, carrier="ups"))


def test_settings_name_the_pollers_in_their_order() -> None:
    """URLs are divided by blanks or line ends; unset or blank is nobody."""
    assert [] == Pollers.named_by(None).names == Pollers.named_by("  ").names
    found = Pollers.named_by(
        "ups://ID:SECRET@onlinetools.ups.com\n17track://KEY@api.17track.net?rate=3 dhl://KEY@api-eu.dhl.com"
    )
    assert found.names == ["ups", "seventeentrack", "dhl"]


@pytest.mark.parametrize(
    "urls",
    [
        "hermes://s3cret@x",
        "s3cret",
        "ups://ID:s3cret@[x",
        "ups://ID:s3cret@x:port",
        "dhl://s3cret@api-eu.dhl.com dhl://s3cret@api-eu.dhl.com",
        "dhl://s3cret@api-eu.dhl.com?rate=0",
        "dhl://s3cret@api-eu.dhl.com?rate=1e3",
        "dhl://:s3cret@",
    ],
)
def test_a_setting_that_is_no_use_is_named_without_its_secret(urls) -> None:
    """The message says POSTLUDE_CARRIER_URLS and repeats nothing of a URL."""
    with pytest.raises(ValueError, match="POSTLUDE_CARRIER_URLS") as caught:
        Pollers.named_by(urls)
    assert "s3cret" not in str(caught.value)


async def test_a_paced_vendor_is_asked_in_its_own_time() -> None:
    """One request in five seconds, also after a rest, whoever asks; and closing goes through."""
    vendor, slept, clock = AskedVendor(), [], Clock()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    paced = Paced(vendor, 0.2, clock=lambda: clock().timestamp(), sleep=sleep)
    for _ in range(3):
        await paced.ask([Asked("T1")])
    clock.forward(minutes=1)
    await paced.ask([Asked("T1")])
    assert slept == [5, 10]
    await Pollers([paced]).aclose()
    assert vendor.closed

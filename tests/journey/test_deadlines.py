"""What should have happened and did not: by when, what averts it, and what it keeps back."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from journey.base import LONGEST
from journey.events import OrderCancelled, OrderRefunded, RemedySettled, ShipmentCreated
from journey.facts import attention, deadlines, delivery_state
from journey.itinerary import outlook
from journey.lanes import Expectation
from journey.outcomes import Held, Sent
from journey.parcels import ParcelStatus as S
from journey.parcels import Reason
from journey.remedies import Stand
from journey.state import JourneyState
from tests.journey.driver import drive
from tests.journey.makers import PLACED, after, begun, delivered, folded, line, order, pickup, scan, shipped
from tests.journey.stories import PLAYBOOK, revised, story

FAST = Expectation(
    first_scan=timedelta(hours=6),
    gap=timedelta(days=1),
    transit=((0.5, 1.0), (0.8, 2.0), (0.95, 3.0)),
    last_mile=timedelta(hours=12),
    keeps=timedelta(days=3),
)
"""A lane on which everything is quick."""

SENT, MOVING, VAN = shipped(after(1)), scan(after(2), S.IN_TRANSIT), scan(after(3), S.OUT_FOR_DELIVERY)
WAITING = scan(after(3), S.AVAILABLE_FOR_PICKUP)
PROMISED = shipped(after(1), promised=date(2026, 11, 5))
END_OF_THE_5TH = datetime(2026, 11, 5, 23, tzinfo=UTC)
"""Midnight in Berlin."""


def quick(sent: ShipmentCreated = SENT) -> ShipmentCreated:
    return sent.but(expected=FAST)


def watched(state: JourneyState, now: datetime = PLACED) -> dict[str, datetime]:
    """What would be said, and when, if nothing were heard any more."""
    return {stop.key: stop.due for stop in outlook(state, PLAYBOOK, now=now).ahead}


@pytest.mark.parametrize(
    ("told", "touch", "due"),
    [
        ([], "not_dispatched", after(4)),
        ([SENT], "not_scanned:T1", after(4)),
        ([SENT, scan(after(1.5), S.LABEL_CREATED)], "not_scanned:T1", after(4)),
        ([scan(after(1.5), S.LABEL_CREATED)], "not_scanned:T1", after(4.5)),
        ([SENT, MOVING], "stuck:T1", after(7)),
        ([SENT, MOVING], "overdue:T1", after(14)),
        ([SENT, MOVING, VAN], "not_brought:T1", after(5)),
        ([PROMISED], "overdue:T1", END_OF_THE_5TH),
        ([PROMISED], "late_apology:T1", END_OF_THE_5TH + timedelta(days=1)),
        ([SENT, WAITING], "pickup_last_call:T1", after(8)),
        ([SENT, WAITING], "pickup_not_collected:T1", after(10)),
    ],
)
def test_each_absence_has_its_hour(told, touch, due):
    """Where nothing was learnt, the table of what is usual anywhere says by when the event should have come."""
    assert due == watched(folded(*told)).get(touch)


@pytest.mark.parametrize(
    ("told", "touch", "due"),
    [
        ([quick()], "not_scanned:T1", after(1, hours=6)),
        ([quick(), MOVING], "stuck:T1", after(3)),
        ([quick(), MOVING], "overdue:T1", after(5)),
        ([quick(), MOVING, VAN], "not_brought:T1", after(3, hours=12)),
        ([quick(), WAITING], "pickup_last_call:T1", after(4.5)),
        ([quick(), WAITING], "pickup_not_collected:T1", after(6)),
        ([SENT, MOVING.but(expected=FAST)], "stuck:T1", after(3)),
    ],
)
def test_late_means_late_for_that_lane(told, touch, due):
    """What was learnt of the lane goes before the table, whether the shop or a scan brought it."""
    assert due == watched(folded(*told)).get(touch)


def test_a_shop_that_tells_of_no_parcels_misses_none():
    """Where nothing is ever told of dispatch there is no deadline for it, not even one in ten years."""
    assert list(deadlines(begun(order().but(dispatch_within=LONGEST)), PLAYBOOK)) == []


def test_the_shops_own_habit_says_when_an_order_should_have_left():
    """A shop that packs within the day is missed after a day."""
    facts = order().but(dispatch_within=timedelta(days=1))

    assert after(1) == watched(begun(facts))["not_dispatched"]


@pytest.mark.parametrize(
    ("told", "touch", "news"),
    [
        ([], "not_dispatched", SENT),
        ([], "not_dispatched", MOVING),
        ([], "not_dispatched", pickup(after(1))),
        ([SENT], "not_scanned:T1", MOVING),
        ([SENT, MOVING], "stuck:T1", VAN),
        ([SENT, MOVING, VAN], "not_brought:T1", scan(after(4), S.ATTEMPT_FAILED)),
        ([SENT, MOVING, VAN], "not_brought:T1", delivered(after(4))),
        ([PROMISED, MOVING], "overdue:T1", delivered(after(2.5))),
        ([PROMISED, MOVING], "late_apology:T1", delivered(after(4))),
        ([SENT, WAITING], "pickup_last_call:T1", delivered(after(4))),
        ([SENT, WAITING], "pickup_not_collected:T1", scan(after(9), S.RETURNING)),
    ],
)
def test_the_scan_that_comes_takes_the_absence_away(told, touch, news):
    """It stood ahead; with the news it is neither ahead nor reported, for it never failed to come."""
    assert touch in watched(folded(*told))

    heard = outlook(folded(*told, news), PLAYBOOK, now=after(30))
    assert touch not in [stop.key for stop in heard.ahead] + [stop.key for stop, _ in heard.non_sends]


def test_a_new_scan_and_a_new_promise_move_the_hour():
    """Each scan begins the silence anew, and the last promise is the one that is overdue; the first one stays late."""
    later = scan(after(4), S.IN_TRANSIT, promised=date(2026, 11, 15))
    due = watched(folded(PROMISED, MOVING, later))

    assert after(9) == due["stuck:T1"]
    assert END_OF_THE_5TH + timedelta(days=10) == due["overdue:T1"]
    assert END_OF_THE_5TH + timedelta(days=1) == due["late_apology:T1"]


def test_absences_are_told_one_after_the_other():
    """Nothing was ever heard but that it left: each silence has its message on its day."""
    journey = story(SENT, end=after(20))

    assert after(4) == journey.sent_at("not_scanned:T1")
    assert after(13) == journey.sent_at("overdue:T1")
    assert {"not_dispatched", "stuck:T1", "not_brought:T1"}.isdisjoint(journey.sent)


@pytest.mark.parametrize(
    ("zone", "country", "end"),
    [
        ("Asia/Tokyo", "JP", datetime(2026, 11, 4, 15, tzinfo=UTC)),
        ("America/Los_Angeles", "US", datetime(2026, 11, 5, 8, tzinfo=UTC)),
        # Nobody knows where in the United States: the day ends on Hawaii.
        (None, "US", datetime(2026, 11, 5, 10, tzinfo=UTC)),
    ],
)
def test_a_promised_day_ends_where_the_customer_lives(zone, country, end):
    """The promise is broken at their midnight, the last one where the zone is not known."""
    facts = order().but(time_zone=zone, country=country)

    promised = shipped(after(1), promised=date(2026, 11, 4))
    assert end == watched(folded(promised, facts=facts))["overdue:T1"]


def test_silences_that_follow_each_other_soon_are_one():
    """Overdue a few hours before it is stuck: only the first is told; three days apart both are."""
    near = story(shipped(after(1), promised=date(2026, 11, 8)), MOVING, end=after(13))
    apart = story(shipped(after(1), promised=date(2026, 11, 12)), MOVING, end=after(13))

    silences = ("overdue:T1", "stuck:T1")
    assert [name for name in near.sent if name in silences] == ["overdue:T1"]
    assert [name for name in apart.sent if name in silences] == ["stuck:T1", "overdue:T1"]


def test_a_silence_that_was_told_before_hides_no_other():
    """It was stuck and told so; it moved and is stuck anew, untold: that it is overdue by then is still told."""
    journey = story(shipped(after(1), promised=date(2026, 11, 15)), MOVING, scan(after(8), S.IN_TRANSIT), end=after(14))

    assert after(7) == journey.sent_at("stuck:T1")
    assert datetime(2026, 11, 15, 23, tzinfo=UTC) == journey.sent_at("overdue:T1")


def test_a_silence_told_yesterday_is_not_told_again_as_another():
    """Stuck was told; half a day later it is overdue and then scanned: no second message, and yet it is overdue."""
    journey = story(shipped(after(1), promised=date(2026, 11, 9)), MOVING, scan(after(8), S.IN_TRANSIT), end=after(8.5))

    assert after(7) == journey.sent_at("stuck:T1")
    assert "overdue:T1" not in journey.sent
    assert "parcel_overdue" in attention(journey.state, PLAYBOOK, journey.now)


def test_a_silence_that_nobody_speaks_of_hides_no_other():
    """A playbook that says nothing of stuck parcels says when one is overdue, however close the two are."""
    touches = [touch for touch in PLAYBOOK.model_dump(mode="json")["touches"] if touch["anchor"] != "parcel_stuck"]
    quiet = revised(touches=touches)
    told = [shipped(after(1), promised=date(2026, 11, 9)), MOVING]
    journey = drive(begun(None, quiet), quiet, [(one.at, one) for one in told], now=PLACED, end=after(9))

    assert datetime(2026, 11, 9, 23, tzinfo=UTC) == journey.sent_at("overdue:T1")


@pytest.mark.parametrize(
    "end",
    [
        delivered(after(3)),
        scan(after(3), S.EXCEPTION, reason=Reason.LOST),
        scan(after(3), S.RETURNING),
        scan(after(3), S.RETURNED),
        OrderCancelled(at=after(3)),
        OrderRefunded(at=after(3), refund_id="r1", amount=Decimal(79), full=True),
        RemedySettled(at=after(3), part="T1", stand=Stand.DONE),
    ],
)
def test_nothing_is_missed_after_the_end(end):
    """Delivered, given up, on its way back, cancelled, refunded or made good: nobody waits for the parcel any more."""
    assert deadlines(folded(PROMISED, MOVING), PLAYBOOK)
    assert list(deadlines(folded(PROMISED, MOVING, end), PLAYBOOK)) == []


def test_a_shipment_called_off_is_missed_as_not_dispatched():
    """No parcel is left: what is waited for is another one."""
    called_off = folded(SENT, scan(after(2), S.CANCELLED))

    assert [(None, [("order_not_dispatched", after(4))])] == deadlines(called_off, PLAYBOOK)


def test_what_does_not_travel_is_not_missed():
    """An order bought at the till has nothing to be dispatched."""
    assert list(deadlines(begun(order(channel="pos")), PLAYBOOK)) == []


def test_marketing_rests_while_an_event_is_overdue_and_goes_on_after():
    """The welcome falls due while the promise is broken, and goes when the parcel is there."""
    journey = story(shipped(after(0.1), promised=date(2026, 11, 2)), delivered(after(2)))

    assert datetime(2026, 11, 2, 23, tzinfo=UTC) == journey.sent_at("overdue:T1")
    assert after(2) == journey.sent_at("welcome")


def test_a_day_late_brings_the_apology_and_less_does_not():
    """More than twenty-four hours behind the first promise there is a discount, told once; in time after all: none."""
    late = story(PROMISED, MOVING, delivered(after(8)))
    nearly = story(PROMISED, MOVING, delivered(after(4)))

    assert END_OF_THE_5TH + timedelta(days=1) == late.sent_at("late_apology:T1")
    assert late.sent.count("late_apology:T1") == 1
    assert "late_apology:T1" not in nearly.sent


def test_a_held_word_about_an_absence_is_closed_when_the_event_comes():
    """Held till the morning, and scanned in the night: the ledger hears that it was averted."""

    def answer(step, now):
        held = Held(until=after(4.5), rule="quiet_hours")
        return held if step.stop.key == "not_scanned:T1" and now < after(4.5) else Sent(at=now)

    journey = story(SENT, scan(after(4.2), S.IN_TRANSIT), delivered(after(6)), answer=answer)

    assert "not_scanned:T1" not in journey.sent
    assert journey.rules["not_scanned:T1"] == "averted"
    assert journey.state.held == {}


def test_a_promise_without_end_keeps_no_journey_open():
    """A carrier that writes the year 9999 is waited for as long as any other: the playbook's limit after dispatch."""
    journey = story(shipped(after(1), promised=date.max), scan(after(2), S.UNKNOWN, promised=date.max))

    assert ("no delivery within the playbook's limit", after(91)) == (journey.finished, journey.now)


MUG = line("MUG")
MAT_SENT, MUG_SENT = shipped(after(1), "T1", ("MAT",)), shipped(after(1), "T2", ("MUG",))
LOST = scan(after(4), S.EXCEPTION, "T2", reason=Reason.LOST)


@pytest.mark.parametrize(
    ("told", "delivery", "wants"),
    [
        ([], "not dispatched", ["order_not_dispatched"]),
        ([MAT_SENT], "1 of 2 goods dispatched", ["parcel_late", "parcel_not_scanned", "parcel_overdue"]),
        ([SENT, VAN], "dispatched", ["parcel_late", "parcel_not_brought", "parcel_overdue"]),
        ([MAT_SENT, MUG_SENT, delivered(after(3)), LOST], "1 of 2 parcels delivered", ["lost"]),
        (
            [MAT_SENT, MUG_SENT, delivered(after(3)), LOST, RemedySettled(at=after(5), part="T2", stand=Stand.FAILED)],
            "1 of 2 parcels delivered",
            ["lost", "remedy_failed"],
        ),
        ([MAT_SENT, MUG_SENT, LOST, RemedySettled(at=after(5), part="T2", stand=Stand.DONE)],
            "0 of 2 parcels delivered, 1 made good", ["parcel_late", "parcel_not_scanned", "parcel_overdue"]),
        ([SENT, delivered(after(3))], "delivered", []),
        ([pickup(after(1)), scan(after(1), S.AVAILABLE_FOR_PICKUP, "P1")], "ready in the store",
            ["pickup_not_collected"]),
        ([SENT, scan(after(3), S.EXPIRED)], "dispatched", ["expired", "parcel_late", "parcel_overdue"]),
        ([OrderCancelled(at=after(1))], "cancelled", []),
    ],
)  # fmt: skip
def test_an_operator_sees_where_the_order_is_and_what_wants_a_look(told, delivery, wants):
    """The order's state over its parcels and lines, and what a person may want to look at after thirty days."""
    state = folded(*told, facts=order(line(), MUG))

    assert (delivery, tuple(wants)) == (delivery_state(state), attention(state, PLAYBOOK, after(30)))


def test_what_is_handed_over_has_no_parcels():
    """Bought at the till: nothing is waited for and nothing wants a look."""
    state = begun(order(channel="pos"))

    assert (delivery_state(state), attention(state, PLAYBOOK, after(30))) == ("handed over", ())

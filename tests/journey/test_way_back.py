"""What is expected of an order and its parcels once something was put right, went back or was refunded."""

from datetime import date, timedelta

import pytest

from journey.events import GoodsTakenOff, ShipmentCancelled
from journey.facts import attention, delivery_state, order_delivered_at, overdue, troubled
from journey.parcels import ParcelStatus as S
from journey.parcels import Reason
from journey.remedies import Action
from journey.state import renewed
from journey.telling import apply
from tests.journey.driver import drive
from tests.journey.makers import PLACED, after, begun, delivered, folded, line, order, pickup, scan, shipped
from tests.journey.stories import PLAYBOOK, story
from tests.journey.test_fulfilments import fulfilled

NOW = after(60)
BACK = scan(after(5), S.RETURNING)


def heard_late(*told, rules):
    """A journey by these rules that hears each fact at its given moment."""
    return drive(begun().but(rules=rules), PLAYBOOK, told, now=PLACED, end=after(20))


@pytest.mark.parametrize(("rules", "missed"), [(4, True), (5, False)])
def test_a_number_that_was_just_put_right_is_not_missed(rules, missed):
    """It has as long to be scanned as any other, from when the shop named it; older runs go on by theirs."""
    told = [(after(1), *fulfilled(1, "WRONG1")), (after(3.9), *fulfilled(3.9, "RIGHT1", at=1))]
    journey = heard_late(*told, (after(5), scan(after(4.9), S.IN_TRANSIT, "RIGHT1")), rules=rules)

    assert ("not_scanned:RIGHT1" in journey.sent) == missed


def test_a_number_that_comes_late_is_late_from_then_on():
    """Put right after the usual time it is not called overdue at once."""
    told = [(after(1), *fulfilled(1, "WRONG1")), (after(16), *fulfilled(16, "RIGHT1", at=1))]
    journey = heard_late(*told, rules=5)

    assert not [key for key in journey.sent if key in ("overdue:RIGHT1", "late_apology:RIGHT1")]


@pytest.mark.parametrize(("rules", "awaited"), [(4, True), (5, False)])
def test_an_order_whose_parcel_came_before_it_was_called_off_has_left(rules, awaited):
    """Its customer has the goods: that they have not left yet would not be true."""
    state = begun().but(rules=rules)
    for fact in (*fulfilled(1, "A1"), delivered(after(2), "A1"), ShipmentCancelled(at=after(3), fulfilment="F1")):
        state = apply(state, fact, now=NOW)

    assert (state.to_be_sent, bool(overdue(state, PLAYBOOK, after(10)))) == (awaited, awaited)
    assert renewed(state).to_be_sent is False
    assert delivery_state(renewed(state)) == "delivered, then called off"


def test_what_is_scanned_on_the_way_back_is_no_news_of_a_delivery():
    """A van to the sender, an attempt there: nobody is told to wait at home, nobody is sold anything, people look."""
    van, attempt = scan(after(6), S.OUT_FOR_DELIVERY), scan(after(6.2), S.ATTEMPT_FAILED)
    journey = story(shipped(after(1)), BACK, van, attempt, scan(after(6.5), S.IN_TRANSIT), end=after(7))

    assert not [key for key in journey.sent if key.startswith(("out_for_delivery", "parcel_problem", "delayed"))]
    parcel = journey.state.parcels[0]
    assert (parcel.going_back, troubled(journey.state, PLAYBOOK, after(7))) == (True, True)
    assert "returning" in attention(journey.state, PLAYBOOK, after(7))
    assert Action.WITHDRAW not in [action for action, _, _ in journey.mended]
    came = folded(shipped(after(1)), BACK, van, delivered(after(7)))
    assert (came.parcels[0].status, order_delivered_at(came)) == (S.RETURNED, None)


def test_a_van_before_it_went_back_was_on_its_way_to_the_customer():
    """Whatever order the scans are heard in."""
    van = scan(after(4), S.OUT_FOR_DELIVERY)
    for told in ([van, BACK], [BACK, van]):
        state = folded(shipped(after(1)), *told)
        assert (state.parcels[0].status, state.parcels[0].back_by(after(4))) == (S.RETURNING, False)


def test_a_pick_up_that_is_ready_again_is_ready():
    """It was in the shop's own store all the time."""
    number = pickup(after(1)).tracking_number
    state = folded(
        pickup(after(1)), scan(after(5), S.RETURNING, number), scan(after(6), S.AVAILABLE_FOR_PICKUP, number)
    )

    assert not state.parcels[0].going_back


def test_no_default_is_paid_where_shop_and_carrier_disagree():
    """The offer stays, and a person says what was so."""
    journey = story(shipped(after(1)), BACK, delivered(after(6)).but(by_shop=True), end=after(30))

    assert [action for action, _, _ in journey.mended] == [Action.OFFER]
    assert "delivery_disputed" in attention(journey.state, PLAYBOOK, after(30))


def off(days, *units, refund="R1"):
    return GoodsTakenOff(at=after(days), refund_id=refund, units=units)


def test_what_was_refunded_before_it_left_is_waited_for_no_more():
    """All of it: nobody is told that it has not left. Some of it: the rest is all that is to come."""
    nothing = folded(off(1, ("MAT", 1)))
    assert (nothing.to_be_sent, overdue(nothing, PLAYBOOK, after(10))) == (False, set())
    assert delivery_state(nothing) == "nothing left of it"

    facts = order(line("A"), line("B"))
    sent = [*fulfilled(1, "A1", skus=("A",)), delivered(after(3), "A1")]
    assert order_delivered_at(folded(*sent, facts=facts)) is None
    assert order_delivered_at(folded(*sent, off(2, ("B", 1)), facts=facts)) == after(3)


def test_a_refund_that_failed_takes_nothing_off():
    """The latest word of each refund counts, in whatever order they are heard."""
    words = [off(1, ("MAT", 1)), off(2)]
    for told in (words, words[::-1], [*words, *words]):
        assert folded(*told).to_be_sent
    assert not folded(*words, off(1.5, ("MAT", 1), refund="R2")).to_be_sent


@pytest.mark.parametrize("day", [date(1999, 1, 1), date(2026, 10, 1), date(2199, 12, 31)])
def test_a_day_that_nobody_can_mean_is_no_promise(day):
    """Before the order, or years ahead: the word counts without it."""
    state = folded(shipped(after(1), promised=day), scan(after(2), S.IN_TRANSIT, promised=day))
    assert (state.parcels[0].estimates, state.parcels[0].status) == ((), S.IN_TRANSIT)
    meant = PLACED.date() + timedelta(days=9)
    assert folded(shipped(after(1), promised=meant)).parcels[0].estimated_delivery == meant


def test_lost_on_the_way_back_is_lost():
    """It is told with the offer that stands."""
    state = folded(shipped(after(1)), BACK, scan(after(8), S.EXCEPTION, reason=Reason.LOST))
    assert state.parcels[0].lost_at == after(8)

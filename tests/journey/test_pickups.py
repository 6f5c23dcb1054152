"""What is kept ready in the shop's own store: ready, reminded of, collected or not."""

import pytest

from journey.facts import attention, delivery_state
from journey.parcels import ParcelStatus as S
from tests.journey.driver import Drive
from tests.journey.makers import after, delivered, folded, order, pickup, scan, shipped
from tests.journey.stories import PLAYBOOK, story

PACKED = pickup(after(0.5))
READY = scan(after(1), S.AVAILABLE_FOR_PICKUP, "P1")


def told(journey: Drive) -> dict[str, object]:
    """What was sent about the pick-up, and when."""
    return {name: journey.sent_at(name) for name in journey.sent if name.startswith("pickup")}


def test_an_order_that_is_collected_late_hears_of_each_day():
    """Ready, reminded after two days, called a last time two days before the end, thanked when it is collected."""
    journey = story(PACKED, READY, delivered(after(7), "P1"))

    assert told(journey) == {
        "pickup_ready:P1": after(1),
        "pickup_reminder:P1": after(3),
        "pickup_last_call:P1": after(6),
        "pickup_collected:P1": after(7),
    }


def test_who_collects_at_once_is_not_reminded():
    """Ready and collected on one day; what follows counts from the collection."""
    journey = story(PACKED, READY, delivered(after(1.2), "P1"))

    assert told(journey) == {"pickup_ready:P1": after(1), "pickup_collected:P1": after(1.2)}
    assert after(3.2) == journey.sent_at("care:P1")
    assert delivery_state(journey.state) == "delivered"


def test_nothing_of_it_is_told_as_of_a_parcel():
    """Neither shipped nor delivered, nor a parcel in trouble, and no remedy: it lies in the store."""
    journey = story(PACKED, READY, delivered(after(7), "P1"))

    assert {"shipped:P1", "delivered:P1", "parcel_problem:P1:pickup_waiting"}.isdisjoint(journey.sent)
    assert journey.mended == []


def test_what_waits_in_the_store_keeps_no_marketing_back():
    """Nothing is wrong with an order that lies ready."""
    assert after(1) == story(PACKED, READY, delivered(after(3), "P1")).sent_at("welcome")


def test_what_nobody_collects_is_told_when_its_time_is_over():
    """Seven days are over: the customer is told, a person sees it, and nothing more is sold."""
    journey = story(PACKED, READY, end=after(12))

    assert after(8) == journey.sent_at("pickup_not_collected:P1")
    assert attention(journey.state, PLAYBOOK, journey.now) == ("pickup_not_collected",)
    assert delivery_state(journey.state) == "ready in the store"
    assert delivery_state(folded(pickup(after(1)))) == "to be collected"


@pytest.mark.parametrize("status", [S.RETURNING, S.RETURNED])
def test_what_the_shop_takes_back_was_not_collected(status):
    """Back on the shelf on the fifth day, before its time was over: told then, and called no more."""
    journey = story(PACKED, READY, scan(after(5), status, "P1"), end=after(12))

    assert told(journey) == {
        "pickup_ready:P1": after(1),
        "pickup_reminder:P1": after(3),
        "pickup_not_collected:P1": after(5),
    }
    assert journey.mended == []


def test_what_was_told_as_not_collected_is_not_told_again_when_it_goes_back():
    """The time ran out, and two days later the shop takes it back: one message."""
    journey = story(PACKED, READY, scan(after(10), S.RETURNING, "P1"), end=after(12))

    assert journey.sent.count("pickup_not_collected:P1") == 1


def test_a_carriers_point_calls_a_last_time_and_offers_when_it_goes_back():
    """Waiting at the carrier's point: told at once, called two days before it goes back, offered for when it does."""
    waiting = scan(after(3), S.AVAILABLE_FOR_PICKUP)
    journey = story(shipped(after(1)), waiting, scan(after(10.5), S.RETURNING), end=after(11))

    assert after(3) == journey.sent_at("parcel_problem:T1:pickup_waiting")
    assert after(8) == journey.sent_at("pickup_last_call:T1")
    assert after(10) == journey.sent_at("pickup_not_collected:T1")
    assert after(10.5) == journey.sent_at("remedy_offer:T1")


def test_a_pickup_beside_a_parcel_is_part_of_the_order():
    """One line by carrier and one in the store: the order is delivered when both are in the customer's hands."""
    journey = story(PACKED, READY, shipped(after(1)), delivered(after(3)), delivered(after(5), "P1"), facts=order())

    assert after(9) == journey.sent_at("check_in")

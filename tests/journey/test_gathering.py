"""What happens to several parcels within a short time is one message, and each parcel's news is told once."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey.base import TrackingNumber
from journey.events import Paused, Resumed, SendNow, ShipmentCreated, ShipmentUpdated, TouchSkipped
from journey.itinerary import find_stop, outlook
from journey.outcomes import Held, Sent, Status
from journey.parcels import ParcelStatus as S
from tests.journey.driver import Drive, drive
from tests.journey.makers import PLACED, after, begun, delivered, folded, key, line, order, scan, shipped
from tests.journey.stories import PLAYBOOK, story

MINUTES = timedelta(minutes=1)
THREE = order(line("MAT"), line("MUG"), line("BAG"))
LEFT = after(1)


def told(journey: Drive, touch: str) -> list[tuple[tuple[str, ...], timedelta]]:
    """Each message of a touch: which parcels it told of, and how long after the order."""
    return [
        (tuple(name.partition(":")[2] for name in one.stop.keys), one.at - PLACED)
        for one in journey.asked
        if one.stop.touch.id == touch and isinstance(one.outcome, Sent)
    ]


def left(number: str, sku: str, minutes: int) -> ShipmentCreated:
    """A parcel that left so long after the first day, with one of the goods."""
    return shipped(LEFT + minutes * MINUTES, number, (sku,))


def test_what_left_within_an_hour_is_one_message_once_the_goods_are_covered():
    """Three parcels in fifty minutes: told together with the third, for then nothing is left to wait for."""
    journey = story(left("T1", "MAT", 0), left("T2", "MUG", 20), left("T3", "BAG", 50), facts=THREE, end=after(2))

    assert [(("T1", "T2", "T3"), timedelta(days=1, minutes=50))] == told(journey, "shipped")
    settled = {name: journey.state.settled[name] for name in ("shipped:T1", "shipped:T2", "shipped:T3")}
    assert {name: one.rule for name, one in settled.items()} == {
        "shipped:T1": None,
        "shipped:T2": "merged",
        "shipped:T3": "merged",
    }
    assert Status.SENT is settled["shipped:T1"].status


def test_the_hour_ends_the_waiting():
    """Two of three goods left: their message goes an hour after the first, and the late one has its own."""
    journey = story(left("T1", "MAT", 0), left("T2", "MUG", 59), left("T3", "BAG", 61), facts=THREE, end=after(2))

    assert told(journey, "shipped") == [
        (("T1", "T2"), timedelta(days=1, minutes=60)),
        (("T3",), timedelta(days=1, minutes=61)),
    ]


def test_a_parcel_that_says_nothing_of_its_contents_waits_for_nobody():
    """It may be all there is: the customer is told at once."""
    assert told(story(shipped(LEFT), facts=THREE, end=after(2)), "shipped") == [(("T1",), timedelta(days=1))]


def test_two_vans_within_the_hour_are_one_message():
    """The second van is waited for, and once both are known nobody waits any longer."""
    vans = [scan(after(3), S.OUT_FOR_DELIVERY), scan(after(3) + 30 * MINUTES, S.OUT_FOR_DELIVERY, "T2")]
    journey = story(shipped(LEFT), shipped(LEFT, "T2"), *vans, end=after(3.5))

    assert [(("T1", "T2"), timedelta(days=3, minutes=30))] == told(journey, "out_for_delivery")


def test_a_parcel_that_was_told_of_is_not_waited_for():
    """The other van came in vain the day before: this one's news is not kept back for it."""
    first = [scan(after(2), S.OUT_FOR_DELIVERY, "T2"), scan(after(2.3), S.ATTEMPT_FAILED, "T2")]
    journey = story(shipped(LEFT), shipped(LEFT, "T2"), *first, scan(after(3), S.OUT_FOR_DELIVERY), end=after(3.5))

    assert told(journey, "out_for_delivery")[1:] == [(("T1",), timedelta(days=3))]


def test_a_group_never_swallows_the_parcel_that_is_still_on_its_way():
    """One of two parcels arrives before their hour is over: the other one's departure is told all the same."""
    told_now = [left("T1", "MAT", 0), left("T2", "MUG", 5), delivered(LEFT + 30 * MINUTES)]
    journey = story(*told_now, delivered(after(3), "T2"), facts=THREE, end=after(5))

    assert [(("T2",), timedelta(days=1, minutes=65))] == told(journey, "shipped")
    assert journey.rules["shipped:T1"] == "ended_by_parcel_delivered"


def test_news_heard_after_its_group_was_told_is_told_by_itself():
    """A parcel that left within the hour, and of which nobody said so for a day, has its own message then."""
    journey = story(left("T1", "MAT", 0), (after(2), left("T2", "MUG", 10)), facts=THREE, end=after(3))

    assert told(journey, "shipped") == [(("T1",), timedelta(days=1, hours=1)), (("T2",), timedelta(days=2))]


def test_an_earlier_parcel_heard_of_late_takes_the_head_of_its_group():
    """Whichever is heard of first, the group begins with the first that happened, and nobody is told twice."""
    journey = story(left("T2", "MUG", 30), (LEFT + 40 * MINUTES, left("T1", "MAT", 0)), facts=THREE, end=after(2))

    assert [(("T1", "T2"), timedelta(days=1, minutes=60))] == told(journey, "shipped")


COFFEE_AND_MAT = order(line("BEANS", "coffee"), line("MAT"))


def test_care_waits_for_the_lines_it_speaks_about():
    """Beans on the third day, the mat on the ninth: each has its care in its own time, and only the beans have tips."""
    journey = story(
        shipped(LEFT, "T1", ("BEANS",)),
        shipped(LEFT, "T2", ("MAT",)),
        delivered(after(3)),
        delivered(after(9), "T2"),
        facts=COFFEE_AND_MAT,
    )

    assert told(journey, "care") == [(("T1",), timedelta(days=5)), (("T2",), timedelta(days=11))]
    assert [(("T1",), timedelta(days=8))] == told(journey, "setup_tips")
    assert journey.rules["setup_tips:T2"] == "condition"


def test_what_arrives_within_a_day_is_cared_for_together():
    """Two parcels on one day are one care message, two days after the second, and its condition sees both."""
    journey = story(
        shipped(LEFT, "T1", ("MAT",)),
        shipped(LEFT, "T2", ("BEANS",)),
        delivered(after(3)),
        delivered(after(3.5), "T2"),
        facts=COFFEE_AND_MAT,
    )

    assert [(("T1", "T2"), timedelta(days=5.5))] == told(journey, "care")
    assert [(("T1", "T2"), timedelta(days=8.5))] == told(journey, "setup_tips")


def test_a_condition_is_judged_anew_when_the_contents_become_known():
    """Taken to carry everything it gets the tips; once the shop says that only the mat is in it, it does not."""
    unnamed = folded(shipped(LEFT), delivered(after(3)), facts=COFFEE_AND_MAT)
    seen = [stop.key for stop in outlook(unnamed, PLAYBOOK, now=after(3)).ahead]
    assert "setup_tips:T1" in seen

    journey = Drive(unnamed, PLAYBOOK, after(3), lambda _, now: Sent(at=now))
    journey.look()
    journey.hear(shipped(after(2), "T1", ("MAT",)))
    journey.until(after(9))
    assert "setup_tips:T1" not in journey.sent
    assert journey.rules["setup_tips:T1"] == "condition"


def test_each_member_of_a_group_that_does_not_go_has_its_rule():
    """Paused until it is stale: the ledger hears of both parcels."""
    both = [delivered(after(3)), delivered(after(3), "T2")]
    sent = [shipped(LEFT), shipped(LEFT, "T2")]
    journey = story(*sent, Paused(at=after(2.5)), *both, Resumed(at=after(7)))

    assert {"too_late"} == {journey.rules[f"delivered:{number}"] for number in ("T1", "T2")}


@pytest.mark.parametrize("asked_for", ["shipped:T1", "shipped:T2"])
def test_an_operator_sends_a_group_by_any_of_its_parcels(asked_for):
    """What waits for its hour goes at once, whichever parcel was named, and is asked for no more."""
    wanted = SendNow(at=LEFT + 20 * MINUTES, key=key(asked_for))
    journey = story(left("T1", "MAT", 0), left("T2", "MUG", 10), wanted, facts=THREE, end=after(2))

    assert [(("T1", "T2"), timedelta(days=1, minutes=20))] == told(journey, "shipped")
    assert journey.state.send_now == ()


def test_every_parcel_of_a_group_is_found():
    """The stop that tells of a parcel is found by that parcel, too."""
    state = folded(left("T1", "MAT", 0), left("T2", "MUG", 10), facts=THREE)

    first, second = (find_stop(state, PLAYBOOK, f"shipped:{number}", now=LEFT) for number in ("T1", "T2"))
    assert first is not None
    assert first == second


@pytest.mark.parametrize(("skipped", "rest"), [("T1", "T2"), ("T2", "T1")])
def test_an_operator_skips_one_parcel_of_a_group(skipped, rest):
    """The other one is told all the same."""
    skip = TouchSkipped(at=LEFT + 20 * MINUTES, key=key(f"shipped:{skipped}"))
    journey = story(left("T1", "MAT", 0), left("T2", "MUG", 10), skip, facts=THREE, end=after(2))

    assert [(rest,)] == [numbers for numbers, _ in told(journey, "shipped")]
    assert journey.rules[f"shipped:{skipped}"] == "skipped_by_operator"


NUMBERS = [TrackingNumber(f"T{count}") for count in range(1, 5)]


@st.composite
def dispatches(draw: st.DrawFn) -> list:
    """Up to four parcels that left and mostly arrived within some hours of each other, heard of in any order, late."""
    heard = []
    for number in NUMBERS[: draw(st.integers(1, 4))]:
        sent = LEFT + draw(st.integers(0, 150)) * MINUTES
        contents = draw(st.sampled_from([None, ("MAT",), ("MUG",), ("BAG",)]))
        facts: list = [ShipmentCreated(at=sent, tracking_number=number, skus=contents)]
        for status in (S.OUT_FOR_DELIVERY, S.DELIVERED):
            sent += draw(st.integers(5, 90)) * MINUTES
            if draw(st.integers(0, 4)):
                facts.append(ShipmentUpdated(at=sent, tracking_number=number, status=status))
        for fact in facts:
            late = draw(st.one_of(st.integers(0, 90), st.integers(0, 60 * 24 * 12)))
            heard.append((fact.at + late * MINUTES, fact))
    return heard


@settings(max_examples=250, deadline=None)
@given(dispatches())
def test_each_parcels_news_is_told_once_whatever_the_order_and_however_late(heard):
    """Whatever is gathered with what: no key goes twice, and what the facts call for was told or has a rule."""
    journey = drive(begun(THREE), PLAYBOOK, heard, now=PLACED)

    went = Counter(name for one in journey.asked for name in one.stop.keys)
    assert {name for name, times in went.items() if times > 1} == set()
    numbers = {parcel.tracking_number: parcel for parcel in journey.state.parcels}
    called_for = {f"shipped:{number}" for number, parcel in numbers.items() if parcel.shipped_at}
    called_for |= {f"{touch}:{n}" for touch in ("delivered", "care") for n, p in numbers.items() if p.delivered_at}
    assert called_for <= went.keys() | journey.rules.keys()


def test_a_message_that_was_asked_for_keeps_its_name_when_an_earlier_parcel_joins():
    """A held notice of T2 stays T2's when T1, which left earlier, is heard of: its row and its doubt have that name."""
    held = Held(until=LEFT + 3 * 60 * MINUTES, rule="provider_unreachable")
    journey = drive(
        begun(THREE),
        PLAYBOOK,
        [(LEFT + 20 * MINUTES, left("T2", "MUG", 20)), (LEFT + 100 * MINUTES, left("T1", "MAT", 0))],
        now=PLACED,
        answer=lambda step, now: held if step.stop.key == "shipped:T2" and now < held.until else Sent(at=now),
        end=after(2),
    )

    asked = [one.stop.keys for one in journey.asked if one.stop.touch.id == "shipped"]
    assert asked == [("shipped:T2",), ("shipped:T2", "shipped:T1")]

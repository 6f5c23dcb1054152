"""Late, held, paused, skipped, given up: when messages go that could not go when they were due."""

from decimal import Decimal

import pytest

from journey.base import TouchKey
from journey.events import (
    OrderCancelled,
    OrderEdited,
    Paused,
    Resumed,
    SendNow,
    TouchSkipped,
)
from journey.itinerary import Deliver, Finish, Wait, find_stop, next_step, outlook, phase
from journey.outcomes import Failed, Held, InDoubt, Refused, Sent
from journey.parcels import ParcelStatus as S
from journey.telling import apply
from tests.journey.driver import Drive, drive, patient
from tests.journey.makers import (
    PLACED,
    after,
    begun,
    delivered,
    key,
    line,
    order,
    scan,
    shipped,
)
from tests.journey.stories import AFTER_DELIVERY, PLAYBOOK, revised, smooth, story


def test_an_order_years_old_is_not_written_to():
    """An import of old orders sends nothing and closes the books at once."""
    old = order(placed_at=after(-1000))
    journey = drive(begun(old), PLAYBOOK, now=PLACED)

    assert journey.sent == []
    assert journey.rules["order_confirmation"] == "too_late"


def test_an_order_dated_in_the_future_was_placed_now():
    """A shop's clock ahead of ours does not keep the confirmation waiting."""
    assert after(0) == drive(begun(order(placed_at=after(3))), PLAYBOOK, now=PLACED).sent_at("order_confirmation")


def test_an_edited_order_is_judged_anew():
    """Edited to something for the kettle, it gets the tips; and the older of two edits never wins."""
    coffee = OrderEdited(at=after(2), total=Decimal(10), lines=(line("BEANS", "coffee"),))
    outdated = OrderEdited(at=after(1), total=Decimal(99), lines=(line(),))
    journey = story(*smooth(), coffee, (after(4), outdated))

    assert "setup_tips:T1" in journey.sent
    assert journey.rules["discount"] == "condition"


def test_a_condition_that_cannot_be_judged_is_a_rule_not_a_crash():
    """A condition that fails on this very order keeps its message back, by name, and the journey goes on."""
    when = "order.items // (order.categories | length) > 0"
    touches = PLAYBOOK.model_dump(mode="json")["touches"]
    playbook = revised(touches=[touch | {"when": when} if touch["id"] == "welcome" else touch for touch in touches])
    journey = drive(begun(order(line(category=None)), playbook), playbook, [], now=PLACED)

    assert journey.rules["welcome"] == "condition_error"


def test_late_news_of_a_delivery_skips_what_is_stale_and_spaces_the_rest():
    """Heard of eight days late: no stale care mail, the review asked for at once, the thank-you a space later."""
    journey = story(shipped(after(1)), (after(12), delivered(after(3))))

    assert journey.rules["care:T1"] == "too_late"
    asked, thanked = journey.sent_at("review_request:T1"), journey.sent_at("thank_you")
    assert asked == after(12)
    assert thanked >= asked + PLAYBOOK.contact.spacing


def test_of_two_overdue_the_higher_priority_goes_first():
    """When a pause has made several due at once, the review request goes before the suggestion."""
    journey = story(*smooth(), (after(8.9), Paused(at=after(8.9))), (after(10.5), Resumed(at=after(10.5))))

    assert journey.sent.index("review_request:T1") < journey.sent.index("also_enjoyed")


def test_pause_sends_nothing_and_resume_goes_on():
    """Facts are taken in meanwhile; what is stale when it goes on says so."""
    journey = story(Paused(at=after(0.5)), *smooth(), Resumed(at=after(30)))

    assert [one.stop.key for one in journey.asked if one.at < after(30)] == ["order_confirmation"]
    assert journey.rules["shipped:T1"] == "ended_by_parcel_delivered"
    assert journey.rules["delivered:T1"] == "too_late"
    assert "miss_you" in journey.sent


def test_what_is_held_goes_when_its_hold_ends():
    """Held till the morning, sent in the morning, and the others do not wait for it."""
    held = Held(until=after(1.2), rule="cap_per_day")
    journey = story(*smooth(), answer=patient([lambda now: Sent(at=now), lambda _: held]))

    assert (after(1.2), after(1)) == (journey.sent_at("welcome"), journey.sent_at("shipped:T1"))


def test_what_is_held_past_its_patience_expires_and_the_journey_goes_on():
    """Patience is the touch's own; after it the rule stands in the state."""
    hold = Held(until=after(40), rule="cap_per_week")
    journey = story(*smooth(), answer=patient([lambda _: hold]))

    assert journey.state.settled["order_confirmation"].rule == "expired_cap_per_week"
    assert "care:T1" in journey.sent


def test_a_held_touch_that_ends_is_told_to_the_ledger_again():
    """Passed over, revived, held, and ended once more: the ledger's row must not stay held for ever."""
    hold = Held(until=after(1), rule="provider_429")
    journey = Drive(begun(), PLAYBOOK, PLACED, patient([lambda _: hold]))
    journey.state = journey.state.but(reported=frozenset({"order_confirmation"}))
    journey.until(after(0.1))
    journey.hear(OrderCancelled(at=after(0.1)))
    journey.until(None)

    assert journey.rules["order_confirmation"] == "ended_by_order_cancelled"
    assert "order_confirmation" not in journey.state.held


@pytest.mark.parametrize("outcome", [Failed(rule="provider_500"), Refused(rule="no_address"), InDoubt(rule="crash")])
def test_a_final_answer_is_not_asked_for_again(outcome):
    """Failed, refused or in doubt: the touch is settled and the journey goes on to the next."""
    journey = story(*smooth(), answer=patient([lambda _: outcome]))

    assert sum(one.stop.key == "order_confirmation" for one in journey.asked) == 1
    assert outcome.rule == journey.state.settled["order_confirmation"].rule
    assert "care:T1" in journey.sent


def test_an_operator_sends_a_touch_before_its_time():
    """Send now goes at once and forced, whatever its day and condition, and not again on its day."""
    journey = story(*smooth(), SendNow(at=after(4), key=key("review_request:T1")))

    (asked,) = [one for one in journey.asked if one.stop.key == "review_request:T1"]
    assert (after(4), True) == (asked.at, asked.forced)


def test_an_operator_cannot_send_what_has_ended():
    """A cancelled order's upsell is not sent, even when asked for."""
    journey = story(*smooth(), OrderCancelled(at=after(4)), SendNow(at=after(5), key=key("bundle")))

    assert "bundle" not in journey.sent
    assert journey.rules["bundle"] == "ended_by_order_cancelled"


def test_an_operator_skips_a_touch():
    """Skipped is settled by that rule, and the ledger hears of it."""
    journey = story(*smooth(), TouchSkipped(at=after(1), key=key("care:T1")))

    assert "care:T1" not in journey.sent
    assert journey.rules["care:T1"] == "skipped_by_operator"


def test_skipping_a_held_touch_ends_its_hold():
    """What is skipped while it waits is not shown as waiting any more."""
    journey = story(answer=patient([lambda _: Held(until=after(1), rule="quiet_hours")]), end=after(0.2))
    skipped = apply(journey.state, TouchSkipped(at=after(0.2), key=key("order_confirmation")), now=after(0.2))

    assert skipped.held == {}


def test_a_delivery_is_waited_for_ninety_days():
    """No parcel ever: the wait has a bound, and the end says why."""
    journey = story()

    assert ("no delivery within the playbook's limit", after(90)) == (journey.finished, journey.now)
    assert {"never_delivered"} == {journey.rules[name] for name in AFTER_DELIVERY}


def test_a_parcel_sent_late_is_waited_for_as_long():
    """A pre-order that leaves after eighty-nine days is still followed to the door."""
    journey = story(shipped(after(89)), delivered(after(93)))

    assert after(93) == journey.sent_at("delivered:T1")
    assert after(95) == journey.sent_at("care:T1")


def test_trouble_that_never_ends_does_not_keep_a_journey_for_ever():
    """A parcel that expires in the carrier's system, and is not made good, holds marketing back until the limit."""
    told = [(one.at, one) for one in (shipped(after(0.1)), scan(after(0.5), S.EXPIRED))]
    playbook = revised(remedies=None)
    journey = drive(begun(None, playbook), playbook, told, now=PLACED)

    assert journey.finished == "no delivery within the playbook's limit"
    assert "welcome" in journey.rules


def test_a_fact_from_the_future_happened_on_arrival():
    """A carrier whose clock runs ahead delivered now, not next year."""
    journey = story(shipped(after(1)), (after(3), delivered(after(400))))

    assert after(5) == journey.sent_at("care:T1")


def test_a_cancellation_dated_before_the_order_is_still_told():
    """A shop's bogus date does not keep the customer in the dark."""
    assert "order_cancelled" in story((after(1), OrderCancelled(at=after(-9000)))).sent


def test_a_wait_names_the_touch_and_looking_twice_says_the_same():
    """Between the confirmation and the welcome the journey waits for the welcome."""
    journey = story(end=after(0.5))

    assert Wait(after(1), TouchKey("welcome"), "welcome is next") == journey.look()
    ahead = outlook(journey.state, PLAYBOOK, now=journey.now).ahead
    assert [stop.key for stop in ahead] == ["welcome", "not_dispatched"]


def test_a_touch_is_found_once_its_fact_is_known():
    """What has nothing to speak about yet cannot be sent now."""
    state = apply(begun(), shipped(after(1)), now=after(1))

    assert find_stop(state, PLAYBOOK, "care:T1", now=after(1)) is None
    assert find_stop(state, PLAYBOOK, "shipped:T1", now=after(1)).parcel is state.parcels[0]


def phase_of(journey: Drive) -> str:
    """Where a journey stands."""
    return phase(journey.state, PLAYBOOK, outlook(journey.state, PLAYBOOK, now=journey.now).ahead)


def test_the_phase_is_the_next_touchs_or_else_the_last_ones():
    """A cancelled order that waits for its refund is closing, not being won back."""
    journey = story(end=after(0.5))
    assert phase_of(journey) == "onboarding"

    cancelled = story(OrderCancelled(at=after(0.2)), end=after(3))
    assert phase_of(cancelled) == "closing"


def test_steps_read_as_what_they_are():
    """The three answers, at the beginning, in the middle and at the end of one order."""
    state = begun()
    assert isinstance(next_step(state, PLAYBOOK, now=after(0)), Deliver)
    assert isinstance(next_step(state, PLAYBOOK, now=after(-1)), Wait)
    assert isinstance(next_step(state, PLAYBOOK, now=after(200)), Finish)


def test_marketing_waits_for_the_morning_by_itself():
    """What falls due at night is looked at when the customer is awake: no message, no question, no lateness."""
    placed = after(hours=12)
    journey = drive(begun(order(placed_at=placed), now=placed), PLAYBOOK, now=placed)

    # Due at 23:00 in Berlin; its quiet hours end at 08:00.
    assert after(1, hours=21) == journey.sent_at("welcome")


def test_a_night_waited_for_is_not_lateness():
    """A touch that may be two hours late and falls due at night goes in the morning."""
    strict = {"policy": "skip", "after": "2h"}
    touches = PLAYBOOK.model_dump(mode="json")["touches"]
    playbook = revised(touches=[touch | {"late": strict} if touch["id"] == "welcome" else touch for touch in touches])
    placed = after(hours=12)
    journey = drive(begun(order(placed_at=placed), playbook, now=placed), playbook, now=placed)

    assert after(1, hours=21) == journey.sent_at("welcome")

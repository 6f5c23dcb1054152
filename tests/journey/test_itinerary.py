"""What customers get and do not get, told as the stories that shops know."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from journey.base import TouchKey
from journey.events import (
    CustomerReordered,
    OrderCancelled,
    OrderEdited,
    OrderRefunded,
    Paused,
    Resumed,
    ReviewPosted,
    SendNow,
    TouchSkipped,
)
from journey.facts import order_delivered_at
from journey.itinerary import Deliver, Finish, Wait, find_stop, next_step, phase, upcoming
from journey.order import Buyer, LineKind
from journey.outcomes import Failed, Held, InDoubt, Refused, Sent
from journey.parcels import ParcelStatus, Reason
from journey.state import apply
from tests.journey.driver import Drive, drive, patient
from tests.journey.makers import (
    PLACED,
    after,
    begun,
    default_playbook,
    delivered,
    key,
    line,
    order,
    scan,
    shipped,
)

S = ParcelStatus
PLAYBOOK = default_playbook()
AFTER_DELIVERY = {touch.id for touch in PLAYBOOK.touches if touch.anchor == "order_delivered"}


def story(*told, facts=None, answer=None, end=None) -> Drive:
    """A journey that hears each fact when it happens, or at the given moment."""
    arrivals = [one if isinstance(one, tuple) else (one.at, one) for one in told]
    answers = {} if answer is None else {"answer": answer}
    return drive(begun(facts), PLAYBOOK, arrivals, now=PLACED, end=end, **answers)


def smooth(days: float = 3) -> list:
    return [shipped(after(1)), scan(after(days - 0.2), S.OUT_FOR_DELIVERY), delivered(after(days))]


def test_an_order_without_trouble_gets_its_messages_on_their_days():
    """The satisfaction loop, the upsells and the win-back come at the days the playbook gives."""
    journey = story(*smooth(), facts=order(line("MAT", "electronics")))

    assert "every touch is settled" == journey.finished
    assert after(0) == journey.sent_at("order_confirmation")
    days = {name: 3 + PLAYBOOK.by_id[name].offset / timedelta(days=1) for name in AFTER_DELIVERY}
    assert days == {name: (journey.sent_at(name) - PLACED) / timedelta(days=1) for name in AFTER_DELIVERY}


def test_a_moved_delivery_moves_all_that_counts_from_it():
    """A second parcel found after the first arrived puts the care mail two days after the second."""
    journey = story(shipped(after(1)), delivered(after(3)), shipped(after(4), "T2"), delivered(after(9), "T2"))

    assert after(11) == journey.sent_at("care")


def test_split_parcels_are_delivered_when_the_last_line_is():
    """Parcels that name their lines: the order is there when every line is, not when every known parcel is."""
    facts = order(line("MAT"), line("MUG"))
    state = apply(begun(facts), shipped(after(1), "T1", ("MAT",)), now=after(1))
    state = apply(state, delivered(after(2), "T1"), now=after(2))
    assert order_delivered_at(state) is None

    state = apply(state, shipped(after(3), "T2", ("MUG",)), now=after(3))
    state = apply(state, delivered(after(5), "T2"), now=after(5))
    assert after(5) == order_delivered_at(state)


def test_a_parcel_of_unnamed_contents_carries_what_is_missing():
    """A shop that names the lines of one parcel only has sent the rest in the other."""
    facts = order(line("MAT"), line("MUG"))
    state = apply(begun(facts), shipped(after(1), "T1", ("MAT",)), now=after(1))
    for event in (shipped(after(1), "T2"), delivered(after(2), "T1"), delivered(after(4), "T2")):
        state = apply(state, event, now=event.at)

    assert after(4) == order_delivered_at(state)


def test_a_parcel_called_off_is_not_waited_for():
    """A label bought and cancelled does not hold the order back."""
    journey = story(shipped(after(1)), shipped(after(1), "T2"), scan(after(2), S.CANCELLED, "T2"), delivered(after(3)))

    assert after(5) == journey.sent_at("care")


def test_a_parcel_found_after_it_was_lost_brings_the_journey_back():
    """Lost ends what follows a delivery; the delivery that comes after all begins it."""
    lost = scan(after(9), S.EXCEPTION, reason=Reason.LOST)
    journey = story(shipped(after(1)), lost, delivered(after(20)))

    assert after(9) == journey.sent_at("parcel_lost:T1")
    assert after(22) == journey.sent_at("care")


def test_an_order_lost_for_good_ends_without_marketing():
    """Nobody is asked for a review of a parcel that never came, and each message says by which rule it stayed out."""
    journey = story(shipped(after(1)), scan(after(9), S.EXCEPTION, reason=Reason.LOST))

    assert set() == AFTER_DELIVERY & set(journey.sent)
    assert {"ended_by_order_lost", "never_delivered"} >= {journey.rules[name] for name in AFTER_DELIVERY}
    assert "no delivery within the playbook's limit" == journey.finished


def test_a_delay_after_a_failed_attempt_is_told():
    """The van that came in vain does not make the new date old news."""
    journey = story(
        shipped(after(1), promised=date(2026, 11, 5)),
        scan(after(3), S.OUT_FOR_DELIVERY),
        scan(after(3.3), S.ATTEMPT_FAILED, promised=date(2026, 11, 9)),
        delivered(after(7)),
    )

    assert after(3.3) == journey.sent_at("delayed:T1")


def test_the_van_at_the_door_makes_a_delay_old_news():
    """A delay heard of while the parcel was out already, dated before, is not told any more."""
    late = scan(after(2), S.IN_TRANSIT, reason=Reason.DELAYED)
    journey = story(shipped(after(1)), scan(after(3), S.OUT_FOR_DELIVERY), (after(3), late))

    assert "delayed:T1" not in journey.sent
    assert "ended_by_parcel_out_for_delivery" == journey.rules["delayed:T1"]


def test_each_problem_of_a_parcel_is_told_once():
    """Customs, then damage: two messages; the same customs scan again: none."""
    customs = scan(after(2), S.EXCEPTION, reason=Reason.CUSTOMS)
    journey = story(shipped(after(1)), customs, scan(after(3), S.EXCEPTION, reason=Reason.DAMAGED), (after(4), customs))

    assert ["parcel_problem:T1:customs", "parcel_problem:T1:damaged"] == [
        name for name in journey.sent if name.startswith("parcel_problem")
    ]


def test_marketing_rests_while_a_parcel_is_in_trouble():
    """The welcome waits for the failed attempt to be mended, and is too late when that takes a week."""
    trouble = scan(after(0.5), S.ATTEMPT_FAILED)
    soon = story(shipped(after(0.1)), trouble, scan(after(2), S.IN_TRANSIT), delivered(after(3)))
    late = story(shipped(after(0.1)), trouble, scan(after(8), S.IN_TRANSIT), delivered(after(9)))

    assert after(2) == soon.sent_at("welcome")
    assert "too_late" == late.rules["welcome"]


def test_an_order_cancelled_before_it_left_gets_two_messages():
    """Confirmed, cancelled, and a fortnight later the books are closed."""
    journey = story(OrderCancelled(at=after(0.2)))

    assert ["order_confirmation", "order_cancelled"] == journey.sent
    assert "order cancelled" == journey.finished
    assert after(14.2) == journey.now


def test_an_order_cancelled_under_way_is_followed_no_more():
    """Once it is cancelled, neither the van nor the delivery is announced."""
    journey = story(shipped(after(1)), OrderCancelled(at=after(2)), *smooth()[1:])

    assert ["order_confirmation", "shipped:T1", "welcome", "order_cancelled"] == journey.sent


def test_a_cancelled_order_waits_for_its_refund():
    """The money back is told, and then it is over at once."""
    refund = OrderRefunded(at=after(5), refund_id="r1", amount=Decimal(79), full=True)
    journey = story(OrderCancelled(at=after(1.5)), refund)

    assert ["order_cancelled", "order_refunded:r1"] == journey.sent[-2:]
    assert ("order refunded", after(5)) == (journey.finished, journey.now)


def test_a_partial_refund_is_told_and_the_journey_goes_on():
    """Each refund has its message; only a full one ends the relationship."""
    partial = OrderRefunded(at=after(4), refund_id="r1", amount=Decimal(9))
    journey = story(*smooth(), partial, (after(5), partial))

    assert 1 == journey.sent.count("order_refunded:r1")
    assert "review_request" in journey.sent


def test_a_bad_review_stops_marketing_and_brings_the_followup():
    """Two stars: a person's words at once, and no offers any more."""
    journey = story(*smooth(), ReviewPosted(at=after(6), rating=2))

    assert after(6) == journey.sent_at("feedback_followup")
    marketing = {touch.id for touch in PLAYBOOK.touches if touch.marketing} - {"welcome"}
    assert set() == marketing & set(journey.sent)
    assert "ended_by_review_posted" == journey.rules["review_request"]


def test_a_good_review_ends_only_the_asking():
    """Five stars before we asked: no request, no reminder, everything else."""
    journey = story(*smooth(), ReviewPosted(at=after(6), rating=5))

    assert {"review_request", "review_reminder"}.isdisjoint(journey.sent)
    assert {"thank_you", "also_enjoyed", "miss_you"} <= set(journey.sent)


def test_a_newer_order_ends_cross_sell_and_win_back():
    """Who came back by themselves is not won back; care and feedback go on."""
    journey = story(*smooth(), CustomerReordered(at=after(5.5), order_id="1002"))

    selling = {touch.id for touch in PLAYBOOK.touches if touch.phase in {"cross_sell", "win_back"}}
    assert set() == selling & set(journey.sent)
    assert {"ended_by_customer_reordered"} == {journey.rules[name] for name in selling}
    assert "review_request" in journey.sent


def test_an_order_is_not_its_own_successor():
    """A shop that reports the same order twice has not sold twice."""
    journey = story(*smooth(), CustomerReordered(at=after(5), order_id="1001"))

    assert "miss_you" in journey.sent


def test_first_buyers_are_welcomed_and_repeat_buyers_invited():
    """The welcome is for the first time; the invitation for whoever came again or spent enough."""
    first = story(*smooth(), facts=order(total="30"))
    repeat = story(*smooth(), facts=order(total="30", buyer=Buyer.REPEAT))

    assert ("welcome" in first.sent, "vip_invite" in first.sent) == (True, False)
    assert ("welcome" in repeat.sent, "vip_invite" in repeat.sent) == (False, True)
    assert ("condition", "condition") == (first.rules["vip_invite"], repeat.rules["welcome"])


def test_digital_goods_arrive_with_the_order():
    """Access at once, no shipping, and what follows counts from the order."""
    journey = story(facts=order(line("APP", None, LineKind.DIGITAL)))

    assert after(0) == journey.sent_at("digital_access")
    assert "condition" == journey.rules["care"]
    assert after(6) == journey.sent_at("review_request")


def test_a_mixed_order_has_both():
    """Access at once for the course, and the mat's own story by parcel."""
    journey = story(*smooth(), facts=order(line(), line("APP", None, LineKind.DIGITAL)))

    assert (after(0), after(5)) == (journey.sent_at("digital_access"), journey.sent_at("care"))


def test_what_was_bought_at_the_till_is_delivered():
    """A point-of-sale order has no shipping to wait for."""
    assert after(6) == story(facts=order(channel="pos")).sent_at("review_request")


def test_an_order_without_lines_is_a_sane_journey():
    """No lines: confirmed, followed up, finished."""
    assert "every touch is settled" == story(facts=order().but(lines=())).finished


def test_an_order_years_old_is_not_written_to():
    """An import of old orders sends nothing and closes the books at once."""
    old = order(placed_at=after(-1000))
    journey = drive(begun(old), PLAYBOOK, now=PLACED)

    assert [] == journey.sent
    assert "too_late" == journey.rules["order_confirmation"]


def test_an_order_dated_in_the_future_was_placed_now():
    """A shop's clock ahead of ours does not keep the confirmation waiting."""
    assert after(0) == drive(begun(order(placed_at=after(3))), PLAYBOOK, now=PLACED).sent_at("order_confirmation")


def test_an_edited_order_is_judged_anew():
    """Edited to something for the kettle, it gets the tips; and the older of two edits never wins."""
    coffee = OrderEdited(at=after(2), total=Decimal(10), lines=(line("BEANS", "coffee"),))
    outdated = OrderEdited(at=after(1), total=Decimal(99), lines=(line(),))
    journey = story(*smooth(), coffee, (after(4), outdated))

    assert "setup_tips" in journey.sent
    assert "condition" == journey.rules["discount"]


def test_a_condition_that_cannot_be_judged_is_a_rule_not_a_crash():
    """A condition that fails on this very order keeps its message back, by name, and the journey goes on."""
    touches = tuple(
        touch.but(when="'{0}'.format(*order.categories) != ''") if touch.id == "welcome" else touch
        for touch in PLAYBOOK.touches
    )
    playbook = PLAYBOOK.but(touches=touches)
    for cached in ("by_id", "endings", "by_anchor", "compact", "digest"):
        playbook.__dict__.pop(cached, None)
    journey = drive(begun(order(line(category=None)), playbook), playbook, [], now=PLACED)

    assert "condition_error" == journey.rules["welcome"]


def test_late_news_of_a_delivery_skips_what_is_stale_and_spaces_the_rest():
    """Heard of eight days late: no stale care mail, the review asked for at once, the thank-you a space later."""
    journey = story(shipped(after(1)), (after(12), delivered(after(3))))

    assert "too_late" == journey.rules["care"]
    asked, thanked = journey.sent_at("review_request"), journey.sent_at("thank_you")
    assert asked == after(12)
    assert thanked >= asked + PLAYBOOK.contact.spacing


def test_of_two_overdue_the_higher_priority_goes_first():
    """When a pause has made several due at once, the review request goes before the suggestion."""
    journey = story(*smooth(), (after(8.9), Paused(at=after(8.9))), (after(10.5), Resumed(at=after(10.5))))

    assert journey.sent.index("review_request") < journey.sent.index("also_enjoyed")


def test_pause_sends_nothing_and_resume_goes_on():
    """Facts are taken in meanwhile; what is stale when it goes on says so."""
    journey = story(Paused(at=after(0.5)), *smooth(), Resumed(at=after(30)))

    assert ["order_confirmation"] == [one.stop.key for one in journey.asked if one.at < after(30)]
    assert "too_late" == journey.rules["shipped:T1"] if "shipped:T1" in journey.rules else True
    assert "miss_you" in journey.sent


def test_what_is_held_goes_when_its_hold_ends():
    """Held till the morning, sent in the morning, and the others do not wait for it."""
    held = Held(until=after(1.5), rule="quiet_hours")
    answers = patient([lambda now: Sent(at=now), lambda _: held])
    journey = story(*smooth(), answer=answers)

    assert after(1.5) in {journey.sent_at("welcome"), journey.sent_at("shipped:T1")}


def test_what_is_held_past_its_patience_expires_and_the_journey_goes_on():
    """Patience is the touch's own; after it the rule stands in the state."""
    hold = Held(until=after(40), rule="cap_per_week")
    journey = story(*smooth(), answer=patient([lambda _: hold]))

    assert "expired_cap_per_week" == journey.state.settled["order_confirmation"].rule
    assert "care" in journey.sent


def test_a_held_touch_that_ends_is_told_to_the_ledger_again():
    """Passed over, revived, held, and ended once more: the ledger's row must not stay held for ever."""
    journey = Drive(begun(), PLAYBOOK, PLACED, lambda _step, now: Held(until=now + timedelta(days=1), rule="cap"))
    journey.state = journey.state.but(reported=frozenset({"order_confirmation"}))
    journey.until(after(0.1))
    journey.hear(OrderCancelled(at=after(0.1)))
    journey.until(None)

    assert "ended_by_order_cancelled" == journey.rules["order_confirmation"]
    assert "order_confirmation" not in journey.state.held


@pytest.mark.parametrize("outcome", [Failed(rule="provider_500"), Refused(rule="no_address"), InDoubt(rule="crash")])
def test_a_final_answer_is_not_asked_for_again(outcome):
    """Failed, refused or in doubt: the touch is settled and the journey goes on to the next."""
    journey = story(*smooth(), answer=patient([lambda _: outcome]))

    assert 1 == sum(one.stop.key == "order_confirmation" for one in journey.asked)
    assert outcome.rule == journey.state.settled["order_confirmation"].rule
    assert "care" in journey.sent


def test_an_operator_sends_a_touch_before_its_time():
    """Send now goes at once and forced, whatever its day and condition, and not again on its day."""
    journey = story(*smooth(), SendNow(at=after(4), key=key("review_request")))

    (asked,) = [one for one in journey.asked if one.stop.key == "review_request"]
    assert (after(4), True) == (asked.at, asked.forced)


def test_an_operator_cannot_send_what_has_ended():
    """A cancelled order's upsell is not sent, even when asked for."""
    journey = story(*smooth(), OrderCancelled(at=after(4)), SendNow(at=after(5), key=key("bundle")))

    assert "bundle" not in journey.sent
    assert "ended_by_order_cancelled" == journey.rules["bundle"]


def test_an_operator_skips_a_touch():
    """Skipped is settled by that rule, and the ledger hears of it."""
    journey = story(*smooth(), TouchSkipped(at=after(1), key=key("care")))

    assert "care" not in journey.sent
    assert "skipped_by_operator" == journey.rules["care"]


def test_skipping_a_held_touch_ends_its_hold():
    """What is skipped while it waits is not shown as waiting any more."""
    journey = story(answer=patient([lambda _: Held(until=after(1), rule="quiet_hours")]), end=after(0.2))
    skipped = apply(journey.state, TouchSkipped(at=after(0.2), key=key("order_confirmation")), now=after(0.2))

    assert {} == skipped.held


def test_a_delivery_is_waited_for_ninety_days():
    """No parcel ever: the wait has a bound, and the end says why."""
    journey = story()

    assert ("no delivery within the playbook's limit", after(90)) == (journey.finished, journey.now)
    assert {"never_delivered"} == {journey.rules[name] for name in AFTER_DELIVERY}


def test_a_parcel_sent_late_is_waited_for_as_long():
    """A pre-order that leaves after eighty-nine days is still followed to the door."""
    journey = story(shipped(after(89)), delivered(after(93)))

    assert after(93) == journey.sent_at("delivered:T1")
    assert after(95) == journey.sent_at("care")


def test_trouble_that_never_ends_does_not_keep_a_journey_for_ever():
    """A parcel that expires in the carrier's system holds marketing back until the playbook gives up."""
    journey = story(shipped(after(0.1)), scan(after(0.5), S.EXPIRED))

    assert "no delivery within the playbook's limit" == journey.finished
    assert "welcome" in journey.rules


def test_a_fact_from_the_future_happened_on_arrival():
    """A carrier whose clock runs ahead delivered now, not next year."""
    journey = story(shipped(after(1)), (after(3), delivered(after(400))))

    assert after(5) == journey.sent_at("care")


def test_a_cancellation_dated_before_the_order_is_still_told():
    """A shop's bogus date does not keep the customer in the dark."""
    assert "order_cancelled" in story((after(1), OrderCancelled(at=after(-9000)))).sent


def test_a_wait_names_the_touch_and_looking_twice_says_the_same():
    """Between the confirmation and the welcome the journey waits for the welcome."""
    journey = story(end=after(0.5))

    assert Wait(after(1), TouchKey("welcome"), "welcome is next") == journey.look()
    assert ["welcome"] == [stop.key for stop in upcoming(journey.state, PLAYBOOK, now=journey.now)]


def test_a_touch_is_found_once_its_fact_is_known():
    """What has nothing to speak about yet cannot be sent now."""
    state = apply(begun(), shipped(after(1)), now=after(1))

    assert find_stop(state, PLAYBOOK, "care", now=after(1)) is None
    assert find_stop(state, PLAYBOOK, "shipped:T1", now=after(1)).parcel is state.parcels[0]


def test_the_phase_is_the_next_touchs_or_else_the_last_ones():
    """A cancelled order that waits for its refund is closing, not being won back."""
    journey = story(end=after(0.5))
    assert "onboarding" == phase(journey.state, PLAYBOOK, now=journey.now)

    cancelled = story(OrderCancelled(at=after(0.2)), end=after(3))
    assert "closing" == phase(cancelled.state, PLAYBOOK, now=cancelled.now)


def test_steps_read_as_what_they_are():
    """The three answers, at the beginning, in the middle and at the end of one order."""
    state = begun()
    assert isinstance(next_step(state, PLAYBOOK, now=after(0)), Deliver)
    assert isinstance(next_step(state, PLAYBOOK, now=after(-1)), Wait)
    assert isinstance(next_step(state, PLAYBOOK, now=after(200)), Finish)

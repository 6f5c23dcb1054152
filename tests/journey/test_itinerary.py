"""What customers get and do not get, told as the stories that shops know."""

from datetime import date, timedelta
from decimal import Decimal

from journey.events import (
    CustomerReordered,
    OrderCancelled,
    OrderRefunded,
    ReviewPosted,
)
from journey.facts import order_delivered_at
from journey.order import Buyer, LineKind
from journey.parcels import ParcelStatus as S
from journey.parcels import Reason
from journey.telling import apply
from tests.journey.makers import (
    PLACED,
    after,
    begun,
    delivered,
    line,
    order,
    scan,
    shipped,
)
from tests.journey.stories import AFTER_DELIVERY, PLAYBOOK, smooth, story


def test_an_order_without_trouble_gets_its_messages_on_their_days():
    """The satisfaction loop, the upsells and the win-back come at the days the playbook gives."""
    journey = story(*smooth(), facts=order(line("MAT", "electronics")))

    assert journey.finished == "every touch is settled"
    assert after(0) == journey.sent_at("order_confirmation")
    days = {name: 3 + PLAYBOOK.by_id[name].offset / timedelta(days=1) for name in AFTER_DELIVERY}
    assert days == {name: (journey.sent_at(name) - PLACED) / timedelta(days=1) for name in AFTER_DELIVERY}


def test_a_moved_delivery_moves_all_that_counts_from_it():
    """A second parcel found after the first arrived puts the check-in four days after the second."""
    journey = story(shipped(after(1)), delivered(after(3)), shipped(after(4), "T2"), delivered(after(9), "T2"))

    assert after(13) == journey.sent_at("check_in")
    assert (after(5), after(11)) == (journey.sent_at("care:T1"), journey.sent_at("care:T2"))


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

    assert after(5) == journey.sent_at("care:T1")


def test_a_parcel_found_after_it_was_lost_brings_the_journey_back():
    """Lost ends what follows a delivery; the delivery that comes after all begins it."""
    lost = scan(after(9), S.EXCEPTION, reason=Reason.LOST)
    journey = story(shipped(after(1)), lost, delivered(after(20)))

    assert after(9) == journey.sent_at("remedy_offer:T1")
    assert after(22) == journey.sent_at("care:T1")


def test_an_order_lost_for_good_ends_without_marketing():
    """Nobody is asked for a review of a parcel that never came, and each message says by which rule it stayed out."""
    journey = story(shipped(after(1)), scan(after(9), S.EXCEPTION, reason=Reason.LOST))

    assert set() == AFTER_DELIVERY & set(journey.sent)
    assert {"ended_by_order_lost", "never_delivered"} >= {journey.rules[name] for name in AFTER_DELIVERY}
    assert (after(9), after(12)) == (journey.sent_at("remedy_offer:T1"), journey.sent_at("remedy_settled:T1"))
    # Made good on the twelfth day, and open for thirty more.
    assert ("every touch is settled", after(42)) == (journey.finished, journey.now)


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
    assert journey.rules["delayed:T1"] == "ended_by_parcel_out_for_delivery"


def test_each_problem_of_a_parcel_is_told_once():
    """Customs, then damage, which brings an offer with it: two messages; the same customs scan again: none."""
    customs = scan(after(2), S.EXCEPTION, reason=Reason.CUSTOMS)
    journey = story(shipped(after(1)), customs, scan(after(3), S.EXCEPTION, reason=Reason.DAMAGED), (after(4), customs))

    assert [name for name in journey.sent if name.startswith(("parcel_problem", "remedy_offer"))] == [
        "parcel_problem:T1:customs",
        "remedy_offer:T1",
    ]


def test_marketing_rests_while_a_parcel_is_in_trouble():
    """The welcome waits for the failed attempt to be mended, and is too late when that takes a week."""
    trouble = scan(after(0.5), S.ATTEMPT_FAILED)
    soon = story(shipped(after(0.1)), trouble, scan(after(2), S.IN_TRANSIT), delivered(after(3)))
    late = story(shipped(after(0.1)), trouble, scan(after(8), S.IN_TRANSIT), delivered(after(9)))

    assert after(2) == soon.sent_at("welcome")
    assert late.rules["welcome"] == "too_late"


def test_an_order_cancelled_before_it_left_gets_two_messages():
    """Confirmed, cancelled, and a fortnight later the books are closed."""
    journey = story(OrderCancelled(at=after(0.2)))

    assert journey.sent == ["order_confirmation", "order_cancelled"]
    assert journey.finished == "order cancelled"
    assert after(14.2) == journey.now


def test_an_order_cancelled_under_way_is_followed_no_more():
    """Once it is cancelled, neither the van nor the delivery is announced."""
    journey = story(shipped(after(1)), OrderCancelled(at=after(2)), *smooth()[1:])

    assert journey.sent == ["order_confirmation", "welcome", "shipped:T1", "order_cancelled"]


def test_a_cancelled_order_waits_for_its_refund():
    """The money back is told, and then it is over at once."""
    refund = OrderRefunded(at=after(5), refund_id="r1", amount=Decimal(79), full=True)
    journey = story(OrderCancelled(at=after(1.5)), refund)

    assert journey.sent[-2:] == ["order_cancelled", "order_refunded:r1"]
    assert ("order refunded", after(5)) == (journey.finished, journey.now)


def test_a_partial_refund_is_told_and_the_journey_goes_on():
    """Each refund has its message; only a full one ends the relationship."""
    partial = OrderRefunded(at=after(4), refund_id="r1", amount=Decimal(9))
    journey = story(*smooth(), partial, (after(5), partial))

    assert journey.sent.count("order_refunded:r1") == 1
    assert "review_request:T1" in journey.sent


def test_a_bad_review_stops_marketing_and_brings_the_followup():
    """Two stars: a person's words at once, and no offers any more."""
    journey = story(*smooth(), ReviewPosted(at=after(6), rating=2))

    assert after(6) == journey.sent_at("feedback_followup")
    marketing = {touch.id for touch in PLAYBOOK.touches if touch.marketing} - {"welcome"}
    assert set() == marketing & set(journey.sent)
    assert journey.rules["review_request:T1"] == "ended_by_review_posted"


def test_a_good_review_ends_only_the_asking():
    """Five stars before we asked: no request, no reminder, everything else."""
    journey = story(*smooth(), ReviewPosted(at=after(6), rating=5))

    assert {"review_request:T1", "review_reminder:T1"}.isdisjoint(journey.sent)
    assert {"thank_you", "also_enjoyed", "miss_you"} <= set(journey.sent)


def test_a_newer_order_ends_cross_sell_and_win_back():
    """Who came back by themselves is not won back; care and feedback go on."""
    journey = story(*smooth(), CustomerReordered(at=after(5.5), order_id="1002"))

    selling = {touch.id for touch in PLAYBOOK.touches if touch.phase in {"cross_sell", "win_back"}}
    assert set() == selling & set(journey.sent)
    assert {"ended_by_customer_reordered"} == {journey.rules[name] for name in selling}
    assert "review_request:T1" in journey.sent


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
    assert (first.rules["vip_invite"], repeat.rules["welcome"]) == ("condition", "condition")


def test_digital_goods_arrive_with_the_order():
    """Access at once, no shipping, and what follows counts from the order."""
    journey = story(facts=order(line("APP", None, LineKind.DIGITAL)))

    assert after(0) == journey.sent_at("digital_access")
    assert journey.rules["care"] == "condition"
    assert after(6) == journey.sent_at("review_request")


def test_a_mixed_order_has_both():
    """Access at once for the course, and the mat's own story by parcel."""
    journey = story(*smooth(), facts=order(line(), line("APP", None, LineKind.DIGITAL)))

    assert (after(0), after(5)) == (journey.sent_at("digital_access"), journey.sent_at("care:T1"))


def test_what_was_bought_at_the_till_is_delivered():
    """A point-of-sale order has no shipping to wait for."""
    assert after(6) == story(facts=order(channel="pos")).sent_at("review_request")


def test_an_order_without_lines_is_a_sane_journey():
    """No lines: confirmed, followed up, finished."""
    assert story(facts=order().but(lines=())).finished == "every touch is settled"

"""When a parcel is given up, and how what is offered for it comes to its end."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings

from journey.answers import mended
from journey.events import DeliveryDenied, OrderCancelled, OrderRefunded, RemedyChosen, RemedySettled
from journey.facts import delivery_state, order_delivered_at
from journey.itinerary import Wait, next_step
from journey.mending import mends, still_gone
from journey.moments import moments_of
from journey.parcels import ParcelStatus as S
from journey.parcels import Reason
from journey.playbook import Anchor
from journey.remedies import Action, By, Choice, RemedyAnswer, Stand
from journey.state import JourneyState, renewed
from journey.telling import apply
from tests.journey.driver import Drive, drive
from tests.journey.makers import PLACED, after, begun, delivered, folded, line, order, pickup, scan, shipped
from tests.journey.stories import PLAYBOOK, revised, story
from tests.journey.strategies import arrivals, orders

SENT, MOVING = shipped(after(1)), scan(after(2), S.IN_TRANSIT)
LOST = scan(after(9), S.EXCEPTION, reason=Reason.LOST)
DAMAGED = scan(after(9), S.EXCEPTION, reason=Reason.DAMAGED)
RETURNING = scan(after(9), S.RETURNING)
ALL_BACK = OrderRefunded(at=after(10), refund_id="r1", amount=Decimal(79), full=True)
CHOSEN = RemedyChosen(at=after(10), part="T1", choice=Choice.REPLACEMENT, by=By.CUSTOMER)
DONE = RemedySettled(at=after(11), part="T1", stand=Stand.DONE, choice=Choice.REPLACEMENT)


def offers(state: JourneyState, now: datetime = PLACED) -> list[tuple[str, str, datetime]]:
    """For which parcels, why and when a remedy is to be offered."""
    wanted = mends(state, PLAYBOOK, now)
    return [(one.part, one.reason, one.at) for one in wanted if one.action is Action.OFFER]


def actions(journey: Drive) -> list[tuple[Action, datetime]]:
    return [(action, at) for action, _, at in journey.mended]


@pytest.mark.parametrize(
    ("told", "reason", "at"),
    [
        ([SENT, MOVING, LOST], "lost", after(9)),
        ([SENT, MOVING, DAMAGED], "damaged", after(9)),
        ([SENT, MOVING, RETURNING], "returning", after(9)),
        ([SENT, MOVING, RETURNING, scan(after(12), S.RETURNED)], "returning", after(9)),
        # Seven days after the end of the fifth in Berlin, although a later day is promised by now.
        (
            [shipped(after(1), promised=date(2026, 11, 5)), scan(after(3), S.IN_TRANSIT, promised=date(2026, 11, 30))],
            "severe_delay",
            datetime(2026, 11, 12, 23, tzinfo=UTC),
        ),
        # Nothing was promised: twelve days of the lane from the first scan, and seven more.
        ([SENT, MOVING], "severe_delay", after(21)),
    ],
)
def test_a_parcel_is_given_up(told, reason, at):
    """Lost, damaged and sent back at once; late a week after what was promised first."""
    assert [("T1", reason, at)] == offers(folded(*told))


REFUSED = scan(after(8), S.EXCEPTION, reason=Reason.REFUSED)


@pytest.mark.parametrize(
    "told",
    [
        [SENT, MOVING, REFUSED, RETURNING],
        # Nobody ever scanned it: it may be with somebody who tells nobody, and long there.
        [SENT],
        [SENT, MOVING, scan(after(3), S.AVAILABLE_FOR_PICKUP)],
        [pickup(after(1), "T1"), scan(after(1), S.AVAILABLE_FOR_PICKUP), RETURNING],
        [SENT, RETURNING, OrderCancelled(at=after(9))],
        [OrderCancelled(at=after(0.5)), SENT, LOST],
        [SENT, LOST, ALL_BACK],
        [SENT, scan(after(2), S.CANCELLED, reason=Reason.LOST)],
        [SENT, LOST, delivered(after(10))],
        [SENT, scan(after(3), S.IN_TRANSIT, reason=Reason.DAMAGED), delivered(after(4))],
        [],
    ],
)
def test_nothing_is_offered_where_nothing_was_taken(told):
    """Refused by the customer, waiting for them, called off, paid back, arrived after all, or never sent."""
    assert offers(folded(*told)) == []


def test_a_damage_that_travels_on_is_only_told():
    """Repacked and on its way: the customer hears of it, and gets the parcel."""
    journey = story(SENT, scan(after(3), S.IN_TRANSIT, reason=Reason.DAMAGED), delivered(after(5)))

    assert after(3) == journey.sent_at("parcel_problem:T1:damaged")
    assert journey.mended == []


def test_a_playbook_without_terms_offers_nothing():
    """The loss is told by what the playbook has for it, and nobody is asked to choose."""
    assert mends(folded(SENT, LOST), revised(remedies=None), after(30)) == []


def test_what_nobody_chooses_falls_to_the_default():
    """Offered at once, reminded of on the second day, refunded on the third; each told once."""
    journey = story(SENT, MOVING, LOST)

    assert actions(journey) == [(Action.OFFER, after(9)), (Action.DEFAULT, after(12))]
    told = {name: journey.sent_at(name) for name in journey.sent if name.startswith("remedy")}
    assert told == {"remedy_offer:T1": after(9), "remedy_reminder:T1": after(11), "remedy_settled:T1": after(12)}


def test_a_choice_in_time_leaves_nothing_to_the_default():
    """Chosen on the next day: no reminder, no default, and the end is told when it is heard."""
    journey = story(SENT, MOVING, LOST, CHOSEN, DONE)

    assert actions(journey) == [(Action.OFFER, after(9))]
    assert after(11) == journey.sent_at("remedy_settled:T1")
    assert "remedy_reminder:T1" not in journey.sent


@pytest.mark.parametrize("news", [delivered(after(10)), scan(after(10), S.CANCELLED), ALL_BACK])
def test_an_offer_is_taken_back_when_its_reason_is_gone(news):
    """It turned up, was called off, or the whole order was: the offer is withdrawn at once, and nothing refunded."""
    journey = story(SENT, MOVING, LOST, news)

    assert actions(journey) == [(Action.OFFER, after(9)), (Action.WITHDRAW, after(10))]
    assert journey.state.remedies["T1"].stand is Stand.WITHDRAWN
    assert "remedy_settled:T1" not in journey.sent


def test_the_loss_of_what_was_sent_before_a_cancellation_is_made_good():
    """The rest of the order was called off: the part that left and was lost is still owed."""
    journey = story(SENT, MOVING, OrderCancelled(at=after(4)), LOST)

    assert actions(journey)[0] == (Action.OFFER, after(9))
    assert after(9) == journey.sent_at("remedy_offer:T1")


def test_older_runs_make_nothing_good_of_a_cancelled_order():
    """A run that began by older rules goes on by them, so that it replays."""
    state = folded(SENT, MOVING, OrderCancelled(at=after(4)), LOST)

    assert offers(state) != []
    assert offers(state.but(rules=2)) == []


def test_a_parcel_is_offered_for_only_once():
    """Late, then found on its way, then lost: the offer that was taken back or made good is not made again."""
    late = [shipped(after(1), promised=date(2026, 11, 5)), MOVING]
    journey = story(*late, delivered(after(12)), (after(12.5), scan(after(12.4), S.EXCEPTION, reason=Reason.LOST)))
    made_good = story(SENT, LOST, (after(20), scan(after(20), S.EXCEPTION, reason=Reason.DAMAGED)))

    assert [action for action, _ in actions(journey)] == [Action.OFFER, Action.WITHDRAW]
    assert [action for action, _ in actions(made_good)] == [Action.OFFER, Action.DEFAULT]


def test_a_loss_heard_of_late_still_leaves_time_to_choose():
    """Lost three weeks ago and heard of today: the three days count from today."""
    journey = story(SENT, MOVING, (after(13), LOST))

    assert after(16) == journey.state.remedies["T1"].choose_by


TWO = order(line("MAT"), line("MUG"))
MAT, MUG = shipped(after(1), "T1", ("MAT",)), shipped(after(1), "T2", ("MUG",))
MUG_LOST = scan(after(4), S.EXCEPTION, "T2", reason=Reason.LOST)


def test_a_partial_loss_leaves_the_other_parcels_journey_alone():
    """The mat arrives and is cared for; the mug is made good, and then the order counts as delivered."""
    lost = folded(MAT, MUG, delivered(after(3)), MUG_LOST, facts=TWO)
    assert (delivery_state(lost), order_delivered_at(lost)) == ("1 of 2 parcels delivered", None)

    journey = story(MAT, MUG, delivered(after(3)), MUG_LOST, facts=TWO)
    assert [(part, action) for action, part, _ in journey.mended] == [("T2", Action.OFFER), ("T2", Action.DEFAULT)]
    assert after(5) == journey.sent_at("care:T1")
    assert "care:T2" not in journey.sent
    assert (after(3), "delivered") == (order_delivered_at(journey.state), delivery_state(journey.state))
    # While the offer was open nobody was sold anything; from the seventh day on the journey went on.
    assert after(7) <= min(one.at for one in journey.asked if one.stop.touch.marketing and one.at > after(4))
    assert {"review_request:T1", "thank_you", "also_enjoyed", "miss_you"} <= set(journey.sent)


def test_the_rest_is_waited_for_when_a_part_is_made_good_first():
    """Refunded on the seventh day, the other parcel arrives on the ninth: the order is delivered then."""
    journey = story(MAT, MUG, MUG_LOST, delivered(after(9)), facts=TWO)

    assert after(7) == journey.sent_at("remedy_settled:T2")
    assert after(9) == order_delivered_at(journey.state)
    assert after(13) == journey.sent_at("check_in")


def test_a_refund_heard_of_before_its_remedy_ends_does_not_close_the_journey():
    """The shop's word for the money comes before ours: the customer still hears that it was made good."""
    journey = story(SENT, MOVING, LOST, CHOSEN, ALL_BACK.but(at=after(10.5)), DONE)

    assert journey.sent[-2:] == ["order_refunded:r1", "remedy_settled:T1"]
    assert ("order refunded", after(11)) == (journey.finished, journey.now)


def test_an_offer_left_to_a_person_is_waited_for():
    """Nobody chose and the terms leave it to the shop's people: the journey stays for them, up to its bound."""
    playbook = revised(remedies=PLAYBOOK.model_dump(mode="json")["remedies"] | {"default": "person"})
    journey = drive(begun(None, playbook), playbook, [(one.at, one) for one in (SENT, LOST)], now=PLACED, end=after(9))
    (offer,) = mends(journey.state, playbook, after(9))
    state = mended(journey.state, offer.step(journey.state, journey.now), RemedyAnswer(status=Stand.OFFERED))

    assert state.remedies["T1"].defaulted
    assert mends(state, playbook, after(12)) == []
    assert Wait(after(99), None, "waiting for a remedy") == next_step(state, playbook, now=after(30))


def test_a_choice_heard_while_the_offer_is_written_down_stands():
    """The customer was quicker than our own answer: neither their choice nor the offer's reason is lost."""
    state = folded(SENT, LOST)
    (offer,) = mends(state, PLAYBOOK, after(9))
    heard = folded(SENT, LOST, CHOSEN)
    written = mended(heard, offer.step(state, after(9)), RemedyAnswer(status=Stand.OFFERED))

    remedy = written.remedies["T1"]
    assert (remedy.stand, remedy.choice, remedy.by) == (Stand.CHOSEN, Choice.REPLACEMENT, By.CUSTOMER)
    assert ("lost", after(12)) == (remedy.reason, remedy.choose_by)


def test_an_end_heard_while_a_step_is_under_way_stands():
    """The answer of a step that came too late changes nothing."""
    state = folded(SENT, LOST, DONE)
    (offer,) = mends(folded(SENT, LOST), PLAYBOOK, after(9))

    assert mended(state, offer.step(state, after(9)), RemedyAnswer(status=Stand.OFFERED)) == state


def test_a_choice_and_its_end_are_one_whatever_their_order():
    """The saga may be done before the choice that began it is told to the journey."""
    assert folded(SENT, CHOSEN, DONE) == folded(SENT, DONE, CHOSEN)
    assert (
        folded(SENT, DONE, CHOSEN).remedies["T1"].by,
        folded(SENT, DONE, CHOSEN).remedies["T1"].stand,
    ) == (By.CUSTOMER, Stand.DONE)


def gone_by(state, parcel, now):
    since = still_gone(state, parcel, PLAYBOOK.remedies)
    return since is not None and since <= now


@settings(max_examples=250, deadline=None)
@given(orders, arrivals())
def test_no_offer_is_made_twice_or_forgotten(facts, told):
    """Whatever is heard: one offer for a parcel and one end for it, but for one that moved again, or came undone."""
    journey = drive(begun(facts), PLAYBOOK, told, now=PLACED)

    assert journey.finished is not None
    made = Counter((action, part) for action, part, _ in journey.mended)
    state = journey.state
    assert all(count <= state.remedies[part].times for (_, part), count in made.items())
    left = [state.parcel(part) for part, remedy in state.remedies.items() if remedy.stand is Stand.OFFERED]
    assert [parcel for parcel in left if gone_by(state, parcel, journey.now)] == []


DENIED = DeliveryDenied(at=after(11), tracking_number="T1")
BACK = scan(after(11), S.RETURNING)


@pytest.mark.parametrize("news", [DENIED, BACK], ids=["denied", "returning"])
def test_an_offer_that_a_false_delivery_took_back_comes_back(news):
    """Offered, withdrawn because it counts as delivered, and that was not so: offered and told anew, with a default."""
    journey = story(SENT, MOVING, LOST, delivered(after(10)), news)

    assert actions(journey) == [
        (Action.OFFER, after(9)),
        (Action.WITHDRAW, after(10)),
        (Action.OFFER, after(11)),
        (Action.DEFAULT, after(14)),
    ]
    assert (after(9), after(11)) == (journey.sent_at("remedy_offer:T1"), journey.sent_at("remedy_offer:T1:2"))


def test_an_offer_comes_back_once_for_one_denial():
    """Denied, found, denied: twice; the same denial said again is no reason for a third one."""
    found = DENIED.but(at=after(12), found=True)
    again = DENIED.but(at=after(13))
    journey = story(SENT, MOVING, LOST, delivered(after(10)), DENIED, DENIED, found, again, again.but(at=after(13.5)))

    offered = [at for action, at in actions(journey) if action is Action.OFFER]
    assert offered == [after(9), after(11), after(13)]


def test_what_was_chosen_does_not_come_back():
    """The customer chose, a person called it off, and the parcel is denied later: that is for a person."""
    off = RemedySettled(at=after(10.5), part="T1", stand=Stand.WITHDRAWN, choice=Choice.REPLACEMENT)
    journey = story(SENT, MOVING, LOST, CHOSEN, off, delivered(after(10.7)), DENIED)

    assert actions(journey) == [(Action.OFFER, after(9))]


def test_where_nothing_is_offered_the_customer_still_hears_what_happened():
    """Without an API of the shop people are told instead: a return is then told by its own message."""
    state = folded(SENT, MOVING, RETURNING)
    (offer,) = mends(state, PLAYBOOK, after(9))
    answer = RemedyAnswer(status=Stand.WITHDRAWN, unoffered=True)
    silent = mended(state, offer.step(state, after(9)), answer)
    offered = mended(state, offer.step(state, after(9)), RemedyAnswer(status=Stand.OFFERED))

    assert [subject for subject, _, _ in moments_of(Anchor.PARCEL_PROBLEM, silent, PLAYBOOK)] == ["T1:returning"]
    assert moments_of(Anchor.PARCEL_PROBLEM, offered, PLAYBOOK) == []
    assert moments_of(Anchor.REMEDY_OFFERED, silent, PLAYBOOK) == []


def losses(state):
    return [subject for subject, _, _ in moments_of(Anchor.PARCEL_LOST, state, PLAYBOOK)]


def test_a_loss_is_told_once_by_its_offer_or_without_one():
    """The message of a loss waits for the word whether something is offered, and goes only where nothing is."""
    state = folded(SENT, MOVING, LOST)
    (offer,) = mends(state, PLAYBOOK, after(9))
    silent = mended(state, offer.step(state, after(9)), RemedyAnswer(status=Stand.WITHDRAWN, unoffered=True))
    offered = mended(state, offer.step(state, after(9)), RemedyAnswer(status=Stand.OFFERED))

    assert (losses(state), losses(offered), losses(silent)) == ([], [], ["T1"])
    assert losses(apply(silent, delivered(after(10)), now=after(10))) == []


def test_a_run_of_the_first_rules_tells_a_loss_at_once_until_it_is_renewed():
    """What an open run did before the rule changed is what its replay does; its next run has the new rule."""
    old = folded(SENT, MOVING, LOST).but(rules=1)

    assert losses(old) == ["T1"]
    assert losses(renewed(old)) == []


def test_people_may_choose_where_nothing_was_offered():
    """They do it by hand and say so: the parcel is made good, and its customer is told."""
    state = folded(SENT, MOVING, LOST)
    (offer,) = mends(state, PLAYBOOK, after(9))
    silent = mended(state, offer.step(state, after(9)), RemedyAnswer(status=Stand.WITHDRAWN, unoffered=True))
    chosen = apply(silent, CHOSEN, now=after(10))
    done = apply(chosen, DONE, now=after(11))

    assert (chosen.remedies["T1"].stand, done.remedies["T1"].stand) == (Stand.CHOSEN, Stand.DONE)
    assert [subject for subject, _, _ in moments_of(Anchor.REMEDY_SETTLED, done, PLAYBOOK)] == ["T1"]


PAID = RemedySettled(at=after(12), part="T1", stand=Stand.DONE, choice=Choice.REFUND, reference="R-7")
TO_PAY = CHOSEN.but(choice=Choice.REFUND)


@pytest.mark.parametrize("reference", ["R-7", "r1", "gid://shopify/Refund/r1"])
@pytest.mark.parametrize("late", [False, True])
def test_a_refund_by_hand_is_told_once_whatever_it_is_called(reference, late):
    """What the person wrote matches the shop's id or not; the shop's word comes before theirs or after."""
    part = OrderRefunded(at=after(13 if late else 11), refund_id="r1", amount=Decimal(40))
    journey = story(SENT, MOVING, LOST, TO_PAY, part, PAID.but(reference=reference))

    assert "remedy_settled:T1" in journey.sent
    assert "order_refunded:r1" not in journey.sent


def test_another_refund_is_told_beside_a_remedys_own():
    """One is the remedy's, by its time, and the next one is not."""
    refunds = [OrderRefunded(at=after(at), refund_id=f"r{at}", amount=Decimal(10)) for at in (11, 13)]
    journey = story(SENT, MOVING, LOST, TO_PAY, *refunds, PAID)

    assert [name for name in journey.sent if name.startswith("order_refunded")] == ["order_refunded:r13"]


@pytest.mark.parametrize("news", [scan(after(10), S.IN_TRANSIT), scan(after(10), S.OUT_FOR_DELIVERY)])
def test_no_money_is_sent_after_a_parcel_that_moves_again(news):
    """It was lost and offered for, and before the time to choose is over it is scanned: nobody is paid by default."""
    journey = story(SENT, MOVING, LOST, news, end=after(14))

    assert [action for action, _, _ in journey.mended] == [Action.OFFER]


def test_what_was_not_sent_yet_is_waited_for_when_the_rest_is_made_good():
    """A lost parcel was paid back, and the journey stays for the back-ordered line as long as for any parcel."""
    facts = order().but(lines=(line("MAT"), line("BELT")))
    sent = SENT.but(skus=("MAT",))
    journey = drive(begun(facts), PLAYBOOK, [(one.at, one) for one in (sent, MOVING, LOST)], now=PLACED)

    assert "remedy_settled:T1" in journey.sent
    assert ("no delivery within the playbook's limit", after(91)) == (journey.finished, journey.now)


def test_a_refund_of_before_the_offer_is_told_while_a_remedy_is_under_way():
    """What came back before anything was offered is no remedy's."""
    early = OrderRefunded(at=after(3), refund_id="r0", amount=Decimal(5))
    state = folded(SENT, LOST, early, CHOSEN.but(choice=Choice.REFUND))

    assert [refund for refund, _, _ in moments_of(Anchor.REFUND, state, PLAYBOOK)] == ["r0"]


def test_the_journey_waits_for_the_day_on_which_a_parcel_is_given_up():
    """With every message told there is still a remedy ahead, and what is waited for says so."""
    journey = story(SENT, MOVING, end=after(18))

    step = journey.look()
    assert Wait(after(21), None, "offer of a remedy for T1 is next") == step
    assert timedelta(days=3) == journey.playbook.remedies.choose_within

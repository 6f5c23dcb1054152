"""What holds of every journey, whatever is told, in whatever order, how often and how late."""

from collections import Counter
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from journey.events import CustomerReordered, Event, OrderCancelled, OrderRefunded, Paused, Resumed, ReviewPosted
from journey.itinerary import Wait, next_step
from journey.moments import moments_of
from journey.order import OrderFacts
from journey.outcomes import Held, Sent
from journey.playbook import Anchor, Ending
from journey.state import JourneyState
from journey.telling import apply
from tests.journey.driver import Answer, Arrival, Drive, always_sent, drive, patient, round_trip
from tests.journey.makers import PLACED, begun, default_playbook
from tests.journey.strategies import arrivals, operators, orders, outcomes, outside

PLAYBOOK = default_playbook()
MANY = settings(max_examples=250, deadline=None)


def run(facts: OrderFacts, told: list[Arrival], answer: Answer = always_sent, *, round_trips: bool = False) -> Drive:
    return drive(begun(facts), PLAYBOOK, told, now=PLACED, answer=answer, round_trips=round_trips)


@MANY
@given(orders, arrivals(), outcomes)
def test_no_touch_is_sent_twice_and_every_journey_ends(facts, told, answers):
    """Whatever comes, each message goes out at most once and the journey finishes within its bounds."""
    journey = run(facts, told, patient(answers))

    assert journey.finished is not None
    assert [key for key, times in Counter(journey.sent).items() if times > 1] == []
    final = {one.stop.key for one in journey.asked if not isinstance(one.outcome, Held)}
    assert len(final) == sum(not isinstance(one.outcome, Held) for one in journey.asked)


def _key(touch: str, subject: str | None) -> str:
    return touch if subject is None else f"{touch}:{subject}"


@MANY
@given(orders, arrivals(), outcomes)
def test_nothing_goes_before_its_anchor_and_offset(facts, told, answers):
    """A touch is asked for only once its fact is known and its offset has passed, and a hold is kept to its end."""
    journey = run(facts, told, patient(answers))

    held: dict[str, datetime] = {}
    for one in journey.asked:
        stop = one.stop
        found = moments_of(stop.touch.anchor, one.state, PLAYBOOK)
        anchored = {(_key(stop.touch.id, whom), at) for whom, at, _ in found}
        assert (stop.key, stop.since) in anchored
        last = max([stop.since, *(at for key, at in anchored if key in dict(stop.along))])
        assert stop.due >= last + stop.touch.offset
        assert stop.due <= last + stop.touch.offset + (stop.touch.gather or timedelta(0))
        if not one.forced:
            assert one.at >= stop.due
            if stop.key not in journey.rules:
                assert one.at >= held.get(stop.key, one.at)
        if isinstance(one.outcome, Held):
            # What waits for a way is asked for again as soon as that is open.
            held[stop.key] = one.at if one.outcome.waits_for else one.outcome.until


def _heard_before(journey: Drive, at: datetime) -> set[Ending]:
    """What had ended by then, told from the facts themselves rather than from the state."""
    over = set()
    for _, event in [arrival for arrival in journey.heard if arrival[0] <= at]:
        match event:
            case OrderCancelled():
                over.add(Ending.ORDER_CANCELLED)
            case OrderRefunded(full=True):
                over.add(Ending.ORDER_REFUNDED)
            case CustomerReordered(order_id="1002"):
                over.add(Ending.CUSTOMER_REORDERED)
            case ReviewPosted():
                over.add(Ending.REVIEW_POSTED)
                if event.rating <= PLAYBOOK.negative_rating:
                    over.add(Ending.NEGATIVE_REVIEW)
    return over


@MANY
@given(orders, arrivals(), outcomes)
def test_nothing_goes_after_what_ends_it(facts, told, answers):
    """Once the order is cancelled, refunded, reviewed or followed by another, what that ends is not even asked for."""
    journey = run(facts, told, patient(answers))

    # A fact that arrives in the very moment of a look is heard after it, so only earlier ones count here.
    for one in journey.asked:
        over = _heard_before(journey, one.at - timedelta(microseconds=1))
        assert not PLAYBOOK.endings[one.stop.touch.id] & over


@MANY
@given(orders, arrivals(), outcomes)
def test_nothing_is_silently_lost(facts, told, answers):
    """At the end every touch whose fact held has an outcome or a rule, and so has all that follows a delivery."""
    journey = run(facts, told, patient(answers))

    accounted = set(journey.state.settled) | set(journey.rules)
    groups = [*PLAYBOOK.by_anchor, *PLAYBOOK.gathering]
    for anchor, touches in groups:
        for subject, at, _ in moments_of(anchor, journey.state, PLAYBOOK):
            # What may still come in time was not missed, and has nothing to be told.
            if at <= journey.now:
                assert {_key(touch.id, subject) for touch in touches} <= accounted
        if anchor is Anchor.ORDER_DELIVERED:
            assert {touch.id for touch in touches} <= accounted
    assert set() == set(journey.state.held) - set(journey.state.settled) - journey.state.reported


@MANY
@given(orders, arrivals(), outcomes)
def test_continue_as_new_between_any_two_steps_changes_nothing(facts, told, answers):
    """A journey whose state goes through JSON before every step is the very same journey."""
    kept, sent_on = (run(facts, told, patient(answers), round_trips=trips) for trips in (False, True))

    assert [(one.stop.key, one.at) for one in kept.asked] == [(one.stop.key, one.at) for one in sent_on.asked]
    assert kept.state.model_dump() == sent_on.state.model_dump()
    assert kept.rules == sent_on.rules


@settings(max_examples=500, deadline=None)
@given(orders, st.lists(outside, max_size=10), st.data())
def test_the_order_and_number_of_facts_do_not_matter(facts, told, data):
    """Any permutation of the same facts, each as often as you like, leaves the same state."""
    now = PLACED + timedelta(days=30)
    shuffled = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told or [None]), max_size=5))))

    assert _folded(facts, told, now).model_dump() == _folded(facts, shuffled, now).model_dump()


def _folded(facts: OrderFacts, told: list[Event], now: datetime) -> JourneyState:
    state = begun(facts)
    for event in told:
        if event is not None:
            state = apply(state, event, now=now)
            next_step(state, PLAYBOOK, now=now)
    return state


class AnyJourney(RuleBasedStateMachine):
    """An operator and the world at play with one journey; what must hold is looked at after every move."""

    @initialize(facts=orders, answers=outcomes)
    def place(self, facts, answers):
        self.journey = Drive(begun(facts), PLAYBOOK, PLACED, patient(answers), round_trips=True)

    @rule(event=st.one_of(outside, operators))
    def hear(self, event):
        self.journey.hear(event)

    @rule(hours=st.integers(1, 24 * 10))
    def pass_time(self, hours):
        if self.journey.finished is None:
            self.journey.until(self.journey.now + timedelta(hours=hours))

    @precondition(lambda self: self.journey.finished is None)
    @rule(hours=st.integers(1, 24 * 40))
    def pause_for_a_while(self, hours):
        """A paused journey sends nothing and waits for nobody but its operator."""
        self.journey.hear(Paused(at=self.journey.now))
        asked = len(self.journey.asked)
        assert self.journey.look() == Wait(None, None, "paused by an operator")
        self.journey.until(self.journey.now + timedelta(hours=hours))
        assert asked == len(self.journey.asked)
        self.journey.hear(Resumed(at=self.journey.now))

    @invariant()
    def once_at_most(self):
        sent = [one.stop.key for one in self.journey.asked if isinstance(one.outcome, Sent)]
        assert len(sent) == len(set(sent))

    @invariant()
    def survives_a_new_run(self):
        here, there = self.journey.state, round_trip(self.journey.state)
        now = self.journey.now
        assert next_step(here, PLAYBOOK, now=now) == next_step(there, PLAYBOOK, now=now)


TestAnyJourney = AnyJourney.TestCase
TestAnyJourney.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)

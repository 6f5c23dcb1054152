"""Facts come in any order, any number of times and years late; what they say together is always the same.

What is not asked for: that no message goes out on news which an earlier scan, heard of later, would have averted. A
message goes by what is known when it is due.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from journey.events import Event
from journey.itinerary import next_step, outlook
from journey.mending import mends
from journey.moments import moments_of
from journey.order import OrderFacts
from journey.state import JourneyState
from journey.stops import Stop
from journey.telling import apply
from tests.journey.driver import Drive, always_sent
from tests.journey.makers import PLACED, begun, default_playbook, line, order
from tests.journey.strategies import about_parcels, orders, outside

PLAYBOOK = default_playbook()
NOW = PLACED + timedelta(days=30)
TWO_LINES = order(line("MAT", "electronics"), line("MUG", "kitchen"))


def fold(facts: OrderFacts, told: Iterable[Event], now: datetime = NOW) -> JourneyState:
    """The state by `now`, planned after every fact as a worker does, so that no cache goes stale unseen."""
    state = begun(facts)
    for event in told:
        state = apply(state, event, now=now)
        next_step(state, PLAYBOOK, now=now)
    return state


def plan(state: JourneyState, now: datetime = NOW) -> dict[str, Any]:
    """All that follows from a state: each message ahead, each that does not go and why, and what is to be mended."""

    def shown(stop: Stop) -> tuple[object, ...]:
        return (stop.keys, stop.since, stop.due, stop.at)

    seen = outlook(state, PLAYBOOK, now=now)
    return {
        "ahead": [shown(stop) for stop in seen.ahead],
        "non_sends": sorted((shown(stop), why) for stop, why in seen.non_sends),
        "mends": [(mend.at, mend.step(state, now).model_dump()) for mend in mends(state, PLAYBOOK, now)],
    }


@settings(max_examples=150, deadline=None)
@given(st.lists(about_parcels, min_size=2, max_size=4))
def test_every_permutation_of_a_few_facts_is_one_order_and_one_plan(told):
    """Every order in which up to four facts can come leaves the same state, and the same to do."""
    states = [fold(TWO_LINES, again) for again in permutations(told)]

    first = states[0]
    assert all(first.model_dump() == state.model_dump() for state in states)
    assert all(plan(first) == plan(state) for state in states)


@settings(max_examples=200, deadline=None)
@given(orders, st.lists(outside, min_size=5, max_size=30), st.randoms(use_true_random=False), st.integers(0, 20))
def test_many_facts_shuffled_and_repeated_are_one_order_and_one_plan(facts, told, chance, repeats):
    """Thirty facts of three parcels, shuffled, up to twenty of them heard again: the same state, the same to do."""
    shuffled = told + chance.choices(told, k=repeats)
    chance.shuffle(shuffled)
    there, back = fold(facts, told), fold(facts, shuffled)

    assert there.model_dump() == back.model_dump()
    assert plan(there) == plan(back)


class AnyOrder(RuleBasedStateMachine):
    """Facts of several parcels arrive at a living journey; told anew in another order they are the same facts."""

    @initialize(facts=orders)
    def place(self, facts):
        self.journey = Drive(begun(facts), PLAYBOOK, PLACED, always_sent)
        self.facts = facts
        self.plain = begun(facts)
        self.heard: list[Event] = []

    def goes_on(self) -> bool:
        return self.journey.finished is None

    @precondition(lambda self: self.goes_on())
    @rule(event=outside)
    def hear(self, event):
        # A fact that lies ahead happened when it was heard; whoever tells it again says so.
        self._hear(event.but(at=min(event.at, self.journey.now)))

    @precondition(lambda self: self.heard and self.goes_on())
    @rule(chance=st.randoms(use_true_random=False))
    def hear_again(self, chance):
        self._hear(chance.choice(self.heard))

    @rule(hours=st.integers(1, 24 * 6))
    def pass_time(self, hours):
        if self.goes_on():
            self.journey.until(self.journey.now + timedelta(hours=hours))

    @precondition(lambda self: self.heard)
    @rule(chance=st.randoms(use_true_random=False))
    def tell_it_in_another_order(self, chance):
        """The fold over a permutation, with repeats, is the fold over what was heard."""
        now = self.journey.now
        shuffled = self.heard + chance.choices(self.heard, k=3)
        chance.shuffle(shuffled)
        other = fold(self.facts, shuffled, now)
        assert self.plain.model_dump() == other.model_dump()
        assert plan(self.plain, now) == plan(other, now)
        # What was sent meanwhile has not changed what is known of the parcels.
        assert self.plain.parcels == self.journey.state.parcels

    def _hear(self, event: Event) -> None:
        self.journey.hear(event)
        self.plain = apply(self.plain, event, now=self.journey.now)
        self.heard.append(event)

    def teardown(self):
        """Run to its end, nothing was told twice, and what the facts call for was told or has its rule."""
        if not hasattr(self, "journey"):
            return
        journey = self.journey
        journey.until(None)
        assert journey.finished is not None
        told = Counter(name for one in journey.asked for name in one.stop.keys)
        assert {name for name, times in told.items() if times > 1} == set()
        accounted = set(journey.state.settled) | set(journey.rules)
        for touch in PLAYBOOK.touches:
            for subject, at, _ in moments_of(touch.anchor, journey.state, PLAYBOOK):
                if at <= journey.now:
                    key = touch.id if subject is None else f"{touch.id}:{subject}"
                    assert key in accounted, (key, at, journey.finished, journey.now)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

"""The recorded histories hold the rules: a rule that is changed makes at least one of them fail to replay.

Elsewhere in this suite parts are injected and never patched. Here the patch is the subject: each mutation replaces one
function of the rules for the time of a replay, as a careless change of it would for every open journey.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest

from journey import answers, gathering, mending, moments, stops, telling
from journey.outcomes import InDoubt
from journey.parcels import Parcel
from journey.state import JourneyState
from journey.stops import Stop
from tests.support.histories import todays
from tests.support.replaying import replay
from workflows import order_journey
from workflows.order_journey import OrderJourney


@dataclass(frozen=True)
class Mutation:
    """A function of the rules, where it is looked up, and what takes its place, made from the function itself."""

    module: ModuleType
    function: str
    instead: Callable[[Callable[..., Any]], Callable[..., Any]]


def _lower_first(original: Callable[..., bool]) -> Callable[..., bool]:
    def goes_before(stop: Stop, other: Stop, now: datetime) -> bool:
        if stop.at <= now and other.at <= now and stop.touch.priority != other.touch.priority:
            return stop.touch.priority < other.touch.priority
        return original(stop, other, now)

    return goes_before


def _without_holds(original: Callable[..., datetime]) -> Callable[..., datetime]:
    def looked_at(state: JourneyState, *others: Any) -> datetime:
        return original(state.but(held={}), *others)

    return looked_at


def _doubts_forgotten(original: Callable[..., JourneyState]) -> Callable[..., JourneyState]:
    def settle(state: JourneyState, request: Any, outcome: Any, *, now: datetime) -> JourneyState:
        return state if isinstance(outcome, InDoubt) else original(state, request, outcome, now=now)

    return settle


def _answers(value: object) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function that answers the same whatever it is asked."""
    return lambda _original: lambda *_given, **_named: value


def _shipped(parcel: Parcel) -> datetime | None:
    return parcel.shipped_at


MUTATIONS: Mapping[str, Mutation] = {
    "of two that are due the lower priority goes first": Mutation(stops, "goes_before", _lower_first),
    "late ones are not spaced": Mutation(stops, "_respaced", lambda _: lambda _state, _playbook, due: due),
    "holds are forgotten": Mutation(stops, "_looked_at", _without_holds),
    "doubts are forgotten": Mutation(order_journey, "settle", _doubts_forgotten),
    "quiet hours are not planned": Mutation(stops, "awake", lambda _: lambda _state, _playbook, stop, _now: stop),
    "an open problem holds no marketing back": Mutation(stops, "troubled", _answers(value=False)),
    "silences are not merged": Mutation(moments, "apart", lambda _: lambda found, _told: list(found)),
    "a group waits for no other parcel": Mutation(gathering, "_may_grow", _answers(value=False)),
    "a default is not put off for a parcel that moves": Mutation(
        mending, "still_gone", lambda _: lambda _state, parcel, _terms: _shipped(parcel)
    ),
    "what is expected of a number counts from when the parcel left": Mutation(
        telling, "dispatched", lambda original: lambda *given, **named: original(*given, **named | {"named_at": None})
    ),
    "a number that is back is not offered again": Mutation(answers, "_without", _answers(value=False)),
    "a remedy's refund is told separately": Mutation(
        moments, "_refunds", lambda _: lambda state: [(refund, at, None) for refund, at in state.refunds]
    ),
}
"""What is changed, in words. A rule that moves to another function is followed here and in no other place."""


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """The rules with this one changed."""
    original = getattr(mutation.module, mutation.function)
    setattr(mutation.module, mutation.function, mutation.instead(original))
    try:
        yield
    finally:
        setattr(mutation.module, mutation.function, original)


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
async def test_a_changed_rule_makes_a_recorded_history_fail(mutation: Mutation) -> None:
    """Temporal itself refuses at least one journey that begins today, for each rule that is changed."""
    histories = todays()
    assert histories, "no history was recorded with today's commands: RECORD_HISTORIES=1 uv run pytest tests/replay"
    with mutated(mutation):
        failed = [name for name, history in histories.items() if (await replay(history, OrderJourney)).failure]
    assert failed

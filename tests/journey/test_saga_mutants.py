"""The stories and properties of the saga hold its rules: one that is changed makes at least one of them fail.

Elsewhere in this suite parts are injected and never patched. Here the patch is the subject: each mutation rewrites one
line of a function for the time of a run, as a careless change of it would for every remedy.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FunctionType, ModuleType
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from journey import made_good
from journey.saga import moves, words
from tests.journey import test_made_good, test_saga_turns, test_saga_words
from tests.journey.test_saga import Sagas

EXAMPLES: Final = 120
"""So many sagas are played against each change that no story catches."""


@dataclass(frozen=True)
class Mutation:
    """A function of the rules, a piece of it that is there once, and what takes its place."""

    function: FunctionType
    piece: str
    instead: str


MUTATIONS: Mapping[str, Mutation] = {
    "a stale look is never taken again": Mutation(moves._on, "now - saga.looked_at > STALE", "False"),
    "what changed is not looked at again": Mutation(
        moves._changed, "saga.but(fresh=False, rechecks=", "saga.but(rechecks="
    ),
    "what changed is looked at again for ever": Mutation(moves._changed, "saga.rechecks >= MOST_RECHECKS", "False"),
    "after an undo the turn is the same": Mutation(moves._undone, "turn=saga.turn + 1", "turn=saga.turn"),
    "a refused refund stays in doubt": Mutation(moves._refunded, "saga.but(money=Request())", "saga"),
    "a refund that cannot be looked for is none": Mutation(
        moves._did, "return saga.but(refused=did.rule).asking(Asked.CHECK, at)", "return saga.but(money=Request())"
    ),
    "what gets no answer is asked for for ever": Mutation(
        moves._given_up, "return move.step in {Step.REFUND, Step.CANCEL, Step.RELEASE}", "return False"
    ),
    "people look before it can be known": Mutation(moves._did, "at = now + saga.settles", "at = now"),
    "people answer before they are asked to look": Mutation(
        words.say, "None if _early(saga) else saga.asked", "saga.asked"
    ),
    "a check is answered for goods alone": Mutation(words._taken, "paid = not saga.money.clear", "paid = False"),
    "what wants a yes becomes a refund without one": Mutation(
        moves._becomes_refund, " and not look.wants_approval", ""
    ),
    "a restart forgets what was set aside": Mutation(moves._looked, "reserved=maybe, ", ""),
    "a restart forgets what was made": Mutation(moves._looked, ", goods=goods)", ")"),
    "a look ends what people are asked to check": Mutation(moves._looked, " or saga.asked is Asked.CHECK", ""),
    "by hand goes before the yes": Mutation(
        moves._question,
        "if look.wants_approval and saga.agreed",
        "if look.by_hand:\n        return Asked.HAND\n    if look.wants_approval and saga.agreed",
    ),
    "money that was asked for is not asked for first": Mutation(
        moves._on, "if not saga.money.clear and", "if False and"
    ),
    "a yes is to whatever is chosen by then": Mutation(
        words._too_late, 'word.kind == "approve" and word.about is not saga.choice', "False"
    ),
    "a word from before answers the check": Mutation(
        words._too_late, "saga.asked is Asked.CHECK and word.question is not Asked.CHECK", "False"
    ),
    "a refund without units is of nothing": Mutation(made_good._concerns, "if not given.units or ", "if "),
    "a refund without units is taken off": Mutation(made_good.judge, "if one.units and one not in", "if one not in"),
    "a refund without units has not gone": Mutation(
        made_good._gone, "in given if one.what", "in given if one.units and one.what"
    ),
    "the units of other remedies are free": Mutation(made_good.judge, "free.subtract(dict(claim.units))", "pass"),
    "what other remedies made concerns everybody": Mutation(
        made_good.judge, "not any(claim.made(one) for claim in claims)", "True"
    ),
    "what is told and what is done are summed": Mutation(made_good._gone, "max(told, done)", "told + done"),
    "what is promised is free": Mutation(made_good._gone, "promised + ", ""),
    "what is done is free": Mutation(made_good._gone, "max(told, done)", "told"),
    "what was taken off at the offer is taken off again": Mutation(made_good.judge, " and one.name not in known", ""),
}


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """The rules with this line changed; whoever holds the function has it changed, too."""
    function, original = mutation.function, mutation.function.__code__
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(mutation.piece) == 1, f"{function.__name__} does not say {mutation.piece!r} once"
    made: dict[str, FunctionType] = {}
    exec(compile(source.replace(mutation.piece, mutation.instead), "<mutation>", "exec"), function.__globals__, made)  # noqa: S102  our own words
    function.__code__ = made[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = original


def stories(module: ModuleType) -> Iterator[Callable[[], object]]:
    """The tests of a module, each with what it is given; its properties are not among them."""
    for name, test in vars(module).items():
        if name.startswith("test_") and not hasattr(test, "hypothesis"):
            given: list[Mapping[str, object]] = [{}]
            for mark in getattr(test, "pytestmark", ()):
                names, values = mark.args
                names = names.split(", ") if isinstance(names, str) else names
                cases = [dict(zip(names, value if len(names) > 1 else [value], strict=True)) for value in values]
                given = [{**one, **case} for one in given for case in cases]
            yield from (partial(test, **one) for one in given)


def played() -> None:
    """Some sagas, always the same."""
    run_state_machine_as_test(
        Sagas,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def fails(test: Callable[[], object]) -> bool:
    """Whether it does."""
    try:
        test()
    except Exception:  # noqa: BLE001  a change may make it fail in any way
        return True
    return False


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_a_changed_rule_makes_a_story_or_a_property_fail(mutation: Mutation) -> None:
    """The stories first, which are quick."""
    told = [*stories(test_saga_turns), *stories(test_saga_words), *stories(test_made_good)]
    with mutated(mutation):
        assert any(fails(test) for test in [*told, played])

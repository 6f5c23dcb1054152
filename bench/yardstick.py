"""A fixed piece of pure Python that tells how fast this machine is, to compare the rules' speed over versions with.

It does what the rules do: reads attributes of frozen objects, makes new ones and tuples of them, adds to moments,
sorts and searches. It must not be changed: `FIRST` is measured in its rounds.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

FIRST = 0.67
"""Rounds of the yardstick that one pair of `apply` and `next_step` took at commit 73ad135: the median of six runs of
`bench.rules.pace` with today's playbook (`bench/playbook.yaml`), which said 0.48 to 0.74 on a busy machine."""

_START = datetime(2026, 1, 5, 9, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Touch:
    name: str
    offset: timedelta
    priority: int


@dataclass(frozen=True)
class _State:
    at: datetime
    settled: frozenset[str]
    told: tuple[tuple[str, datetime], ...]


_TOUCHES = tuple(_Touch(f"touch_{number}", _DAY * number, number % 3) for number in range(14))


def round_once() -> int:
    """One round: fourteen touches placed, sorted, and settled one after the other."""
    state = _State(_START, frozenset(), ())
    while True:
        due = sorted(
            (state.at + touch.offset, -touch.priority, touch.name)
            for touch in _TOUCHES
            if touch.name not in state.settled and (not state.told or state.told[-1][0] != touch.name)
        )
        if not due:
            return len(state.told)
        at, _, name = due[0]
        state = replace(state, at=at, settled=state.settled | {name}, told=(*state.told, (name, at)))


def seconds_of(work: Callable[[], object], *, seconds: float, times: int = 20) -> float:
    """CPU seconds that one call takes; the median over slices, so that a busy machine's hiccups do not count."""
    found: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or not found:
        began = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - began) / times)
    return statistics.median(found)

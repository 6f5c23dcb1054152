"""The pure core alone: the default journey as states over time, and how fast it folds and decides."""

import statistics
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench import scenario
from bench.sides import SHOP, created, facts, scanned
from bench.yardstick import round_once, seconds_of
from journey.answers import settle
from journey.events import Event, ReviewPosted
from journey.itinerary import Deliver, FindOut, Finish, Step, next_step, outlook, passed_over
from journey.mending import Mend
from journey.outcomes import DeliverRequest, Sent
from journey.parcels import ParcelStatus
from journey.playbook import Playbook
from journey.state import RULES, JourneyState
from journey.telling import apply

PLACED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
_ORDER = "217fb509a20c"
_TURNS = 5


@dataclass(frozen=True, slots=True)
class Pause:
    """A moment at which the journey starts a timer.

    `ends` is when the timer fires, `last` when the last touch now foreseen is due (None: none is), and
    `new_phase` whether the touch waited for opens another phase than that of the touch sent last.
    """

    at: datetime
    ends: datetime
    last: datetime | None
    new_phase: bool
    state: JourneyState


def events() -> list[Event]:
    """The five facts of the default journey."""
    return [
        created(_ORDER, PLACED + scenario.SHIPPED_AFTER),
        scanned(_ORDER, ParcelStatus.IN_TRANSIT, PLACED + scenario.IN_TRANSIT_AFTER),
        scanned(_ORDER, ParcelStatus.OUT_FOR_DELIVERY, PLACED + scenario.OUT_AFTER),
        scanned(_ORDER, ParcelStatus.DELIVERED, PLACED + scenario.DELIVERED_AFTER),
        ReviewPosted(at=PLACED + scenario.REVIEWED_AFTER, rating=5),
    ]


def pauses(playbook: Playbook) -> list[Pause]:
    """Every timer of the default journey, one kept over events as the workflow keeps it."""
    state = JourneyState(order=facts(_ORDER, PLACED), playbook=playbook.digest, rules=RULES)
    told, now = events(), PLACED
    deadline: datetime | None = None
    phase: str | None = None
    found: list[Pause] = []
    while not isinstance(step := next_step(state, playbook, now=now), Finish):
        if isinstance(step, Deliver):
            state = _sent(state, step, playbook, now)
            phase = step.stop.touch.phase
            continue
        if isinstance(step, Mend | FindOut):
            raise TypeError("an order whose parcel arrives is never made good, and nothing of it is lost")
        if step.until is not None and step.until != deadline:
            deadline = step.until
            ahead = outlook(state, playbook, now=now).ahead
            found.append(
                Pause(
                    at=now,
                    ends=deadline,
                    last=ahead[-1].at if ahead else None,
                    new_phase=bool(ahead) and phase is not None and ahead[0].touch.phase != phase,
                    state=state,
                )
            )
        if told and (step.until is None or told[0].at < step.until):
            event = told.pop(0)
            now = event.at
            state = apply(state, event, now=now)
        elif step.until is not None:
            now, deadline = step.until, None
    return found


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the rules are on one core: `apply` + `next_step` a second, and rounds of the yardstick for one."""

    pairs_a_second: float
    rounds: float


def pace(playbook: Playbook, *, seconds: float) -> Pace:
    """The five facts, over and over, each on the state as the journey has it right before; beside the yardstick."""
    moments = _moments(playbook)

    def five_pairs() -> None:
        for state, event in moments:
            next_step(apply(state, event, now=event.at), playbook, now=event.at)

    # In turns, so that a machine that slows down in the middle slows down both.
    ours, round_s = [], []
    for _ in range(_TURNS):
        ours.append(seconds_of(five_pairs, seconds=seconds / _TURNS) / len(moments))
        round_s.append(seconds_of(round_once, seconds=seconds / _TURNS))
    ratio = statistics.median(a / b for a, b in zip(ours, round_s, strict=True))
    return Pace(1 / statistics.median(ours), ratio)


def steps_of(playbook: Playbook) -> list[Step]:
    """What the core says after each of the five facts; the tests look at it."""
    return [next_step(apply(state, event, now=event.at), playbook, now=event.at) for state, event in _moments(playbook)]


def _moments(playbook: Playbook) -> list[tuple[JourneyState, Event]]:
    """The state right before each fact."""
    state = JourneyState(order=facts(_ORDER, PLACED), playbook=playbook.digest, rules=RULES)
    now, found = PLACED, []
    for event in events():
        while True:
            step = next_step(state, playbook, now=now)
            if isinstance(step, Deliver):
                state = _sent(state, step, playbook, now)
            elif isinstance(step, Finish | Mend | FindOut) or step.until is None or step.until > event.at:
                break
            else:
                now = step.until
        now = event.at
        found.append((state, event))
        state = apply(state, event, now=now)
    return found


def _sent(state: JourneyState, step: Deliver, playbook: Playbook, now: datetime) -> JourneyState:
    request = DeliverRequest(
        shop=SHOP,
        order_id=_ORDER,
        playbook=playbook.digest,
        key=step.stop.key,
        due=step.stop.due,
        now=now,
        passed_over=passed_over(state, playbook, now=now),
    )
    return settle(state, request, Sent(at=now), now=now + timedelta(milliseconds=30))

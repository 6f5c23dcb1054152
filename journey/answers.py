"""How what the activities answer changes a journey's state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from journey.base import TouchKey
from journey.mending import came_undone
from journey.outcomes import DeliverRequest, Held, Outcome, PassedOver, Refused, Sent, Status, unsent
from journey.remedies import ENDS, Action, RemedyAnswer, RemedyStep
from journey.state import (
    DATABASE,
    NO_WORKER,
    SKIPPED,
    WORKER,
    JourneyState,
    Lost,
    Remedy,
    Settled,
    paced,
    unmade,
    unreached,
    with_remedy,
    without,
)


def settle(state: JourneyState, request: DeliverRequest, outcome: Outcome, *, now: datetime) -> JourneyState:
    """The state after `deliver` answered at `now` what became of one touch."""
    key = request.key
    state = _doubts_ended(state, request.passed_over, now)
    if state.lost or state.unanswered:
        state = state.but(lost=_but(state.lost, key), unanswered=_but(state.unanswered, key))
    reported = state.reported | {passed.key for passed in request.passed_over}
    send_now = tuple(wanted for wanted in state.send_now if wanted != key and wanted not in request.along)
    if state.readdressed:
        state = state.but(readdressed=False)
        if isinstance(outcome, Refused) and unreached(outcome):
            # Decided before the address was known: once more.
            return state
    if isinstance(outcome, Held):
        # What an operator wants at once is forgotten where the rules hold it, not where it could not be sent.
        kept = state.send_now if unmade(outcome) else send_now
        return _hold(state, key, outcome, reported, now).but(send_now=kept)
    # What stays as it was is not mentioned: fields that nobody set are left out when a state is written down.
    changes: dict[str, Any] = {}
    if isinstance(outcome, Sent):
        settled = Settled(status=Status.SENT, at=outcome.at)
        changes["last_sent_at"] = outcome.at
    else:
        why = {"why": outcome.why} if isinstance(outcome, Refused) and outcome.why else {}
        settled = Settled(status=Status(outcome.status), at=now, rule=outcome.rule, **why)
    if state.send_now:
        changes["send_now"] = send_now
    settling = {key: settled}
    if request.along:
        # They shared its fate, and the ledger was told of it with the message.
        alike = Settled(status=Status.REFUSED, at=settled.at, rule=unsent(outcome))
        settling |= dict.fromkeys(request.along, alike)
        reported |= set(request.along)
    if state.held:
        changes["held"] = without(state.held, {key} | reported)
    if request.passed_over or request.along:
        changes["reported"] = reported
    return state.but(settled={**state.settled, **settling}, **changes)


def not_taken(state: JourneyState, key: TouchKey, *, now: datetime, until: datetime) -> JourneyState:
    """The state after no worker took the attempt at a message by `now`: it waits for one, until `until` at the latest.

    It counts as an attempt without an answer, so that journeys ask more and more rarely while workers cannot keep up.
    """
    if key in state.settled:
        return state
    hold = Held(until=until, rule=NO_WORKER, waits_for=WORKER)
    return failed(state, key, now=now).but(held={**state.held, key: hold}, ways={**state.ways, WORKER: None})


def _hold(state: JourneyState, key: TouchKey, hold: Held, reported: frozenset[str], now: datetime) -> JourneyState:
    """The ledger's last word on it is now the hold: should it be passed over later, that is news again."""
    held = without(state.held, reported)
    if key in state.settled:
        # An operator skipped it while it was under way.
        if hold.doubtful:
            doubt = Settled(status=Status.IN_DOUBT, at=now, rule=SKIPPED)
            state = state.but(settled={**state.settled, key: doubt})
        return state.but(held=held, reported=reported - {key})
    if hold.waits_for is not None:
        state = state.but(ways={**state.ways, hold.waits_for: None})
    return state.but(held={**held, key: hold}, reported=reported - {key})


def found_out(state: JourneyState, key: TouchKey, outcome: Outcome, *, now: datetime) -> JourneyState:
    """The state after the ledger said at `now` what became of an attempt that gave no answer.

    What did not go out is decided on anew. The more attempts in a row came to nothing, the longer that waits.
    """
    request = DeliverRequest(
        shop=state.order.shop,
        order_id=state.order.order_id,
        playbook=state.playbook,
        key=key,
        along=state.unanswered.get(key, ()),
        due=now,
    )
    lost = state.lost.get(key)
    if isinstance(outcome, Held):
        outcome = outcome.but(until=max(outcome.until, paced(lost)))
        request = request.but(along=())
    settled = settle(state, request, outcome, now=now)
    return settled.but(lost={**settled.lost, key: lost}) if lost and isinstance(outcome, Held) else settled


def unanswered(state: JourneyState, key: TouchKey, along: tuple[TouchKey, ...], *, now: datetime) -> JourneyState:
    """The state after an attempt at a message was given up at `now` without an answer."""
    return failed(state, key, now=now).but(unanswered={**state.unanswered, key: along})


def failed(state: JourneyState, name: str, *, now: datetime) -> JourneyState:
    """The state after an attempt at this message, or at the remedy of this part, came to nothing at `now`."""
    known = state.lost.get(name)
    return state.but(lost={**state.lost, name: Lost(times=known.times + 1 if known else 1, at=now)})


def opened(state: JourneyState, way: str, *, now: datetime) -> JourneyState:
    """The state after a way that was closed opened at `now`; what nothing waits for is forgotten."""
    waiting = {hold.waits_for for hold in state.held.values()} | ({DATABASE} - {way})
    return state.but(ways={name: now if name == way else at for name, at in state.ways.items() if name in waiting})


def closed_ways(state: JourneyState) -> Mapping[str, TouchKey]:
    """The ways that held messages wait for, each with the first message that does; none while nothing may be sent."""
    if state.paused or not state.ways:
        return {}
    closed = [name for name, at in state.ways.items() if at is None]
    found = {DATABASE: TouchKey("remedy")} if DATABASE in closed else {}
    for key, hold in state.held.items():
        if hold.waits_for in closed:
            found.setdefault(hold.waits_for, TouchKey(key))
    return found


def not_mended(state: JourneyState, part: str, *, now: datetime) -> JourneyState:
    """The state after a step of this part's remedy came to nothing at `now`: it waits for the database."""
    return failed(state, part, now=now).but(ways={**state.ways, DATABASE: None})


def mended(state: JourneyState, step: RemedyStep, answer: RemedyAnswer) -> JourneyState:
    """The state after the activity `remedy` answered one step; what was heard of it meanwhile is the later word."""
    known = state.remedies.get(step.part)
    offer = Remedy(reason=step.reason, offered_at=step.at, choose_by=step.choose_by)
    if known is not None and known.reopens and step.action is Action.OFFER:
        parcel = state.parcel(step.part)
        undone_at = came_undone(parcel, known) if parcel is not None else None
        known = offer.but(times=known.times + 1, undone_at=undone_at)
    if known is not None and not known.open:
        return state
    remedy = known or offer
    changes: dict[str, Any] = {}
    if step.action is Action.OFFER:
        changes |= {"reason": offer.reason, "offered_at": offer.offered_at, "choose_by": offer.choose_by}
    if answer.choice is not None or remedy.choice is None:
        changes |= {"stand": answer.status, "choice": answer.choice, "by": answer.by}
    if step.action is Action.DEFAULT:
        changes["defaulted"] = True
    if answer.status in ENDS:
        changes["settled_at"] = step.at
    if step.part in state.lost:
        state = state.but(lost=_but(state.lost, step.part))
    if answer.unoffered:
        changes["unoffered"] = True
    if step.action is Action.WITHDRAW and _without(state, step.part):
        changes["left_out"] = True
    return with_remedy(state, step.part, remedy.but(**changes))


def _without(state: JourneyState, part: str) -> bool:
    """Whether a parcel is none of the order's any more; nobody asked by the first three of the RULES."""
    return state.rules > 3 and any(parcel.tracking_number == part for parcel in state.left_out)  # noqa: PLR2004


def report(state: JourneyState, passed_over: tuple[PassedOver, ...], *, now: datetime) -> JourneyState:
    """The state after these non-sends reached the ledger at `now`."""
    state = _doubts_ended(state, passed_over, now)
    reported = state.reported | {passed.key for passed in passed_over}
    return state.but(reported=reported, held=without(state.held, reported))


def _doubts_ended(state: JourneyState, passed_over: tuple[PassedOver, ...], now: datetime) -> JourneyState:
    """Messages that may have gone out and are not wanted any more stay in doubt, in the journey as in the ledger."""
    doubtful = {
        passed.key: Settled(status=Status.IN_DOUBT, at=now, rule=passed.rule)
        for passed in passed_over
        if (hold := state.held.get(passed.key)) is not None and hold.doubtful
    }
    return state.but(settled={**state.settled, **doubtful}) if doubtful else state


def _but(known: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return {other: value for other, value in known.items() if other != key} if key in known else known

"""How what the activities answer changes a journey's state."""

from datetime import datetime
from typing import Any

from journey.mending import came_undone
from journey.outcomes import DeliverRequest, Held, Outcome, PassedOver, Refused, Sent, Status, unsent
from journey.remedies import ENDS, Action, RemedyAnswer, RemedyStep
from journey.state import JourneyState, Remedy, Settled, with_remedy, without


def settle(state: JourneyState, request: DeliverRequest, outcome: Outcome, *, now: datetime) -> JourneyState:
    """The state after `deliver` answered at `now` what became of one touch."""
    key = request.key
    reported = state.reported | {passed.key for passed in request.passed_over}
    send_now = tuple(wanted for wanted in state.send_now if wanted != key and wanted not in request.along)
    if isinstance(outcome, Held):
        # The ledger's last word on it is now the hold: should it be passed over later, that is news again.
        held = {**without(state.held, reported), key: outcome}
        return state.but(held=held, reported=reported - {key}, send_now=send_now)
    # What stays as it was is not mentioned: fields that nobody set are left out when a state is written down.
    changes: dict[str, Any] = {}
    if isinstance(outcome, Sent):
        settled = Settled(status=Status.SENT, at=outcome.at)
        changes["last_sent_at"] = outcome.at
    else:
        why = {"why": outcome.why} if isinstance(outcome, Refused) and outcome.why else {}
        settled = Settled(status=Status(outcome.status), at=now, rule=outcome.rule, **why)
    if state.held:
        changes["held"] = without(state.held, {key} | reported)
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
    if answer.unoffered:
        changes["unoffered"] = True
    return with_remedy(state, step.part, remedy.but(**changes))


def report(state: JourneyState, passed_over: tuple[PassedOver, ...]) -> JourneyState:
    """The state after these non-sends reached the ledger."""
    reported = state.reported | {passed.key for passed in passed_over}
    return state.but(reported=reported, held=without(state.held, reported))

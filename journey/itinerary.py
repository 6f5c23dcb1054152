"""What follows from a journey's state: who is next, when, and what was passed over by which rule.

Nothing here is remembered. The itinerary is derived from state, playbook and `now` each time it is asked
for, so a moved delivery date, a cancellation or a newer order re-plans what lies ahead by itself.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from journey.base import TouchKey
from journey.facts import ended, order_delivered_at, troubled
from journey.mending import Mend, mends
from journey.outcomes import DeliverRequest, PassedOver, Status
from journey.playbook import ABSENCES, Anchor, Ending, Playbook, touch_id
from journey.state import DATABASE, NO_WORKER, SKIPPED, JourneyState, Settled, unmade
from journey.stops import Stop, awake, ending_of, first_of, first_stop, rule_against, stops

_OF_DELIVERY = frozenset({Anchor.ORDER_DELIVERED, Anchor.LINES_DELIVERED})


class Deliver(NamedTuple):
    """Send this one now. `forced` when an operator asked for it: caps and quiet hours then stand aside."""

    stop: Stop
    forced: bool = False


class Wait(NamedTuple):
    """Nothing to do until `until` (None: until something happens). `key` is the touch waited for, if one is."""

    until: datetime | None
    key: TouchKey | None
    why: str


class FindOut(NamedTuple):
    """Ask what became of an attempt at this message that gave no answer, before anything else is decided."""

    key: TouchKey
    along: tuple[TouchKey, ...]


class Finish(NamedTuple):
    """Nothing can come any more."""

    why: str


Step = Deliver | FindOut | Mend | Wait | Finish


class After(NamedTuple):
    """What follows once a stop is settled.

    `why` the journey is over then (None: it goes on), and the non-sends that the ledger has not been told of.
    """

    why: str | None
    passed: tuple[PassedOver, ...]


def next_step(state: JourneyState, playbook: Playbook, *, now: datetime) -> Step:
    """What to do at `now`: deliver a touch, find out about one, take a step of a remedy, wait, or finish."""
    for key, along in state.unanswered.items():
        return FindOut(TouchKey(key), along)
    if state.paused:
        return Wait(None, None, "paused by an operator")
    over = ended(state, playbook)
    best, blocked = first_stop(state, playbook, over, now)
    due = mends(state, playbook, now, until=None if best is None else max(best.at, now))
    # Its row decides, in the database: while that is away there is nothing to be done about a remedy.
    mend = due[0] if due and state.ways.get(DATABASE, now) is not None else None
    if mend is not None and mend.at <= now:
        return mend
    forced = _forced(state, playbook, over, now) if state.send_now else None
    if forced is not None:
        return Deliver(forced, forced=True)
    if best is not None and best.at <= now:
        return Deliver(best)
    return _wait(state, playbook, now, (best, mend), blocked=blocked)


def _forced(state: JourneyState, playbook: Playbook, over: Sequence[Ending], now: datetime) -> Stop | None:
    """The first stop that an operator asked for and whose reason is not gone."""
    for stop in stops(state, playbook, now):
        wanted = any(key in state.send_now for key in stop.keys) and ending_of(playbook, over, stop) is None
        if wanted and not _must_wait(state, stop.key, now):
            return stop
    return None


def _must_wait(state: JourneyState, key: TouchKey, now: datetime) -> bool:
    """Whether a message cannot be sent yet, whatever an operator wants: its way is closed, or attempts are paced."""
    hold, until = state.held.get(key), state.held_until(key)
    return hold is not None and until is not None and unmade(hold) and until > now


def _wait(
    state: JourneyState, playbook: Playbook, now: datetime, ahead: tuple[Stop | None, Mend | None], *, blocked: bool
) -> Wait | Finish:
    """For what of both comes first, unless nothing is ahead or the journey's own end is sooner."""
    best, mend = ahead
    if mend is not None and (best is None or mend.at < best.at):
        at, averted = mend.at, mend.averted
        wait = Wait(at, None, f"{mend.action} of a remedy for {mend.part} is next")
    elif best is not None:
        # What is waited for is the event, and not its absence.
        at, averted = best.at, best.touch.anchor in ABSENCES
        wait = Wait(at, best.key, f"{best.touch.id} {'unless there is news' if averted else 'is next'}")
    else:
        return _what_remains(state, playbook, now, blocked=blocked)
    # Carriers promise the year 9999, and no journey lasts so long; but none ends sooner than this.
    if not averted or at <= state.order.placed_at + min(playbook.gives_up_after, playbook.stays_open):
        return wait
    remains = _what_remains(state, playbook, now, blocked=blocked)
    sooner = isinstance(remains, Finish) or (remains.until is not None and remains.until < at)
    return remains if sooner else wait


class Outlook(NamedTuple):
    """Every unsettled stop as things stand.

    Those still `ahead`, by time, and those that will not be sent, each with its rule: their time has come, or their
    reason is gone. `averted` are the keys of holds whose fact holds no longer: a parcel that was missed came.
    """

    ahead: list[Stop]
    non_sends: list[tuple[Stop, str]]
    averted: tuple[TouchKey, ...]


def outlook(state: JourneyState, playbook: Playbook, *, now: datetime) -> Outlook:
    """What an operator is shown of what is to come, and of what was passed over."""
    over = ended(state, playbook)
    ahead: list[Stop] = []
    passed: list[tuple[Stop, str]] = []
    averted = {TouchKey(key) for key in state.held}
    for stop in stops(state, playbook, now):
        averted.difference_update(stop.keys)
        rule = rule_against(state, playbook, over, stop, now)
        if rule is None:
            ahead.append(awake(state, playbook, stop, now) if stop.touch.marketing else stop)
        elif stop.since > now or any(key in state.send_now for key in stop.keys):
            # What may still come in time has nothing to be reported.
            continue
        elif stop.at <= now or ending_of(playbook, over, stop) is not None:
            passed += [(one, rule) for one in stop.each()]
    ahead.sort(key=lambda stop: (stop.at, -stop.touch.priority))
    return Outlook(ahead, passed, tuple(sorted(averted)))


def find_stop(state: JourneyState, playbook: Playbook, key: str, *, now: datetime) -> Stop | None:
    """The unsettled stop that tells of that key, if its anchor is known."""
    for stop in stops(state, playbook, now):
        if key in stop.keys:
            return stop
    return None


def passed_over(state: JourneyState, playbook: Playbook, *, now: datetime) -> tuple[PassedOver, ...]:
    """The non-sends of this moment that the ledger has not been told of, each with its rule."""
    return _untold(state, outlook(state, playbook, now=now))


def left_over(state: JourneyState, playbook: Playbook, *, now: datetime) -> tuple[PassedOver, ...]:
    """At the end: all that was passed over and not yet told, and what would have followed a delivery that never was."""
    over = ended(state, playbook)
    trouble = troubled(state, playbook, now)
    found = list(passed_over(state, playbook, now=now))
    told = {passed.key for passed in found} | state.reported | set(state.settled)
    for stop in stops(state, playbook, now):
        if stop.since <= now and not told.issuperset(stop.keys):
            rule = rule_against(state, playbook, over, stop, now)
            blocked = "open_parcel_problem" if trouble and stop.touch.marketing else "journey_ended"
            found += [PassedOver(key=key, rule=rule or blocked) for key in stop.keys if key not in told]
            told.update(stop.keys)
    spoken_of = {touch_id(key) for key in told}
    for touch in playbook.touches:
        if touch.anchor in _OF_DELIVERY and touch.id not in spoken_of:
            ending = first_of(over, playbook.endings[touch.id])
            found.append(PassedOver(key=TouchKey(touch.id), rule=ending or "never_delivered"))
    return tuple(found)


def after(state: JourneyState, playbook: Playbook, stop: Stop, *, now: datetime) -> After:
    """What the ledger has to know beside this stop's message: the journey's end, or what was passed over."""
    sent = Settled(status=Status.SENT, at=now)
    settled = {**state.settled} | {str(key): sent for key in stop.keys}
    held = {key: hold for key, hold in state.held.items() if key not in stop.keys}
    send_now = tuple(key for key in state.send_now if key not in stop.keys)
    left = state.but(settled=settled, held=held, send_now=send_now)
    seen = outlook(left, playbook, now=now)
    # Whatever is ahead keeps the journey going, but marketing does not while a parcel's problem stands open.
    if not seen.ahead or (troubled(left, playbook, now) and all(one.touch.marketing for one in seen.ahead)):
        step = next_step(left, playbook, now=now)
        if isinstance(step, Finish):
            return After(step.why, left_over(left, playbook, now=now))
    return After(None, _untold(left, seen))


def request_for(state: JourneyState, playbook: Playbook, step: Deliver, *, now: datetime) -> DeliverRequest:
    """What the activity `deliver` is asked, at `now`, with what the ledger has to know beside it."""
    stop = step.stop
    # What stays as it is by default is not mentioned: fields that nobody set are left out when it is written down.
    said: dict[str, Any] = {}
    if stop.parcel is not None:
        said["parcel"] = stop.parcel.tracking_number
    if stop.along:
        said["parcels"] = tuple(parcel.tracking_number for _, parcel in stop.along)
        said["along"] = tuple(key for key, _ in stop.along)
    hold = state.held.get(stop.key)
    if stop.touch.alert and hold is not None and hold.rule != NO_WORKER:
        said["again"] = True
    if step.forced:
        said["forced"] = True
    why, passed = after(state, playbook, stop, now=now)
    if why is not None:
        said["last"] = why
    if passed:
        said["passed_over" if why is None else "left_over"] = passed
    return DeliverRequest(
        shop=state.order.shop,
        order_id=state.order.order_id,
        playbook=state.playbook,
        key=stop.key,
        due=stop.due,
        **said,
    )


def phase(state: JourneyState, playbook: Playbook, ahead: Sequence[Stop]) -> str:
    """Where the journey stands: the phase of the next touch `ahead`, else that of the last one settled."""
    if ahead:
        return ahead[0].touch.phase
    last = next((playbook.by_id.get(touch_id(key)) for key in reversed(list(state.settled))), None)
    return playbook.phases[0].id if last is None else last.phase


def _untold(state: JourneyState, seen: Outlook) -> tuple[PassedOver, ...]:
    found = [PassedOver(key=stop.key, rule=rule) for stop, rule in seen.non_sends if stop.key not in state.reported]
    found += [PassedOver(key=key, rule="averted") for key in seen.averted if key not in state.reported]
    return (*found, *_skipped(state))


def _skipped(state: JourneyState) -> tuple[PassedOver, ...]:
    return tuple(
        PassedOver(key=TouchKey(key), rule=settled.rule or "")
        for key, settled in state.settled.items()
        if settled.rule == SKIPPED and key not in state.reported
    )


def _what_remains(state: JourneyState, playbook: Playbook, now: datetime, *, blocked: bool) -> Wait | Finish:
    """No touch is ahead: either something can still happen, until a bound, or this is the end."""
    # First: the money that a remedy gave back may be heard of before the remedy's own end.
    if state.remedies and any(remedy.open for remedy in state.remedies.values()):
        offered = max(remedy.offered_at for remedy in state.remedies.values())
        return _until(offered + playbook.gives_up_after, now, "waiting for a remedy", "no end of a remedy in sight")
    if state.fully_refunded_at is not None:
        return Finish("order refunded")
    called_off = state.called_off_at
    if called_off is not None:
        return _until(called_off + playbook.after_cancel, now, "waiting for the refund", "order cancelled")
    delivered = order_delivered_at(state) or _made_good_at(state)
    if delivered is not None and not blocked:
        # Somebody may still send it back: the refund is then told by a journey that is there to hear of it.
        return _until(delivered + playbook.stays_open, now, "open for a refund or a return", "every touch is settled")
    # A parcel sent late, or a replacement months on, is waited for as long as one sent at once.
    began = state.order.placed_at
    for parcel in state.parcels:
        if parcel.shipped_at is not None and parcel.shipped_at > began and not parcel.void:
            began = parcel.shipped_at
    why = "waiting for an open parcel problem" if blocked else "waiting for the parcels"
    return _until(began + playbook.gives_up_after, now, why, "no delivery within the playbook's limit")


def _made_good_at(state: JourneyState) -> datetime | None:
    """When the last parcel was made good, if every one was, so that none is waited for."""
    if not state.remedies or not all(parcel.void or state.written_off(parcel) for parcel in state.parcels):
        return None
    carried = [parcel.skus for parcel in state.parcels if not parcel.void]
    if None not in carried and not state.goods <= {sku for skus in carried for sku in skus or ()}:
        # The rest of the order is still to be sent, and to be told of.
        return None
    return max((remedy.settled_at for remedy in state.remedies.values() if remedy.settled_at is not None), default=None)


def _until(bound: datetime, now: datetime, waiting: str, ended: str) -> Wait | Finish:
    return Finish(ended) if now >= bound else Wait(bound, None, waiting)

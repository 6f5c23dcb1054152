"""What an operator is told: where a journey stands, what comes next and when, and what was held back and why."""

from journey.base import Frozen, Instant
from journey.facts import attention, delivery_state, order_delivered_at
from journey.itinerary import Deliver, FindOut, Finish, Step, next_step, outlook, phase
from journey.markdown import code, shown
from journey.mending import Mend
from journey.order import OrderFacts
from journey.outcomes import Why, unsaid
from journey.parcels import Parcel
from journey.playbook import ABSENCES, Playbook
from journey.state import JourneyState


class NextStop(Frozen):
    """The touch waited for (None when only an event can move the journey on), when, and why."""

    touch: str | None
    at: Instant | None
    why: str


class ParcelView(Frozen):
    """A parcel as shown: dates as ISO dates, status in the normal form."""

    tracking_number: str
    carrier: str | None
    status: str
    estimated_delivery: str | None
    reason: str | None = None


class PastTouch(Frozen):
    """A touch that is settled or held, with its rule; `why` has each channel's, where there were several."""

    touch: str
    status: str
    at: Instant
    rule: str | None = None
    why: Why = unsaid()


class Ahead(Frozen):
    """A touch still to come, as things stand."""

    touch: str
    at: Instant


class RemedyView(Frozen):
    """How far the making good of a parcel has come; `choose_by` is until when the customer may choose."""

    part: str
    reason: str
    stand: str
    choice: str | None = None
    by: str | None = None
    choose_by: Instant


class Timeline(Frozen):
    """The whole journey at `now` of its own clock. `status` is running, paused or finished.

    `delivery` is the order's state over its parcels and lines. `watching` are the touches whose event is the absence
    of another: they go only if nothing comes before their time. `attention` names what a person may want to look at.
    """

    order: str
    about: str
    status: str
    phase: str
    delivery: str = ""
    now: Instant
    next: NextStop
    parcels: tuple[ParcelView, ...]
    past: tuple[PastTouch, ...]
    ahead: tuple[Ahead, ...]
    notes: tuple[str, ...] = ()
    watching: tuple[Ahead, ...] = ()
    remedies: tuple[RemedyView, ...] = ()
    attention: tuple[str, ...] = ()
    number: str | None = None
    """What the shop shows of the order, None where that is its id."""


def tell(
    state: JourneyState, playbook: Playbook, *, now: Instant, finished: str | None = None, step: Step | None = None
) -> Timeline:
    """The timeline at `now`; `finished` says why it ended, when it has, and `step` is the next one, if it is known."""
    step = step or next_step(state, playbook, now=now)
    seen = outlook(state, playbook, now=now)
    if finished is not None:
        following = NextStop(touch=None, at=None, why=finished)
    elif isinstance(step, Deliver):
        following = NextStop(touch=step.stop.key, at=now, why="due now")
    elif isinstance(step, FindOut):
        following = NextStop(touch=step.key, at=now, why="an attempt gave no answer: finding out what became of it")
    elif isinstance(step, Mend):
        following = NextStop(touch=None, at=now, why=f"{step.action} of a remedy")
    elif isinstance(step, Finish):
        following = NextStop(touch=None, at=None, why=step.why)
    else:
        following = NextStop(touch=step.key, at=step.until, why=_why(state, step.key, step.why))
    past = [
        PastTouch(touch=key, status=settled.status, at=settled.at, rule=settled.rule, why=settled.why)
        for key, settled in state.settled.items()
    ]
    past += [
        PastTouch(touch=stop.key, status="refused", at=min(stop.at, now), rule=rule) for stop, rule in seen.non_sends
    ]
    past.sort(key=lambda touch: touch.at)
    ahead = [] if finished is not None else seen.ahead
    past += [
        PastTouch(touch=key, status="held", at=held.until, rule=held.rule, why=held.why)
        for key, held in state.held.items()
    ]
    return Timeline(
        order=f"{state.order.shop}/{state.order.order_id}",
        about=about(state.order),
        status="finished" if finished is not None else "paused" if state.paused else "running",
        phase="finished" if finished is not None else phase(state, playbook, ahead),
        now=now,
        next=following,
        delivery=delivery_state(state),
        parcels=tuple(_parcel(parcel) for parcel in state.parcels),
        past=tuple(past),
        ahead=tuple(Ahead(touch=stop.key, at=stop.at) for stop in ahead if stop.touch.anchor not in ABSENCES),
        notes=tuple(_notes(state)),
        watching=tuple(Ahead(touch=stop.key, at=stop.at) for stop in ahead if stop.touch.anchor in ABSENCES),
        remedies=tuple(
            RemedyView(
                part=part,
                reason=remedy.reason,
                stand=remedy.stand,
                choice=remedy.choice,
                by=remedy.by,
                choose_by=remedy.choose_by,
            )
            for part, remedy in state.remedies.items()
        ),
        attention=() if finished is not None else attention(state, playbook, now),
        number=state.order.number,
    )


def _parcel(parcel: Parcel) -> ParcelView:
    return ParcelView(
        tracking_number=parcel.tracking_number,
        carrier="in the store" if parcel.pickup else parcel.carrier,
        status="denied" if parcel.denied else parcel.status,
        estimated_delivery=parcel.estimated_delivery.isoformat() if parcel.estimated_delivery else None,
        reason=parcel.reason,
    )


def markdown(timeline: Timeline) -> str:
    """The timeline as Markdown, for the workflow's current details in the Temporal UI."""
    # About the order first: its static summary belongs to the first run and is not carried into later ones.
    lines = [
        f"**{shown(timeline.order)}**{f' {code(timeline.number)}' if timeline.number else ''}: {timeline.about}",
        "",
        f"**{timeline.status.capitalize()}**, phase *{timeline.phase}*, {timeline.delivery}",
        "",
    ]
    if timeline.attention:
        lines += [f"**Wants a look:** {', '.join(map(shown, timeline.attention))}", ""]
    following = timeline.next
    if following.at is not None:
        what = code(following.touch) if following.touch else "look again"
        lines.append(f"**Next:** {what} at {_clock(following.at)} UTC: {shown(following.why)}")
    else:
        lines.append(f"**Next:** {shown(following.why)}")
    if timeline.notes:
        lines += ["", *(f"- {note}" for note in timeline.notes)]
    if timeline.parcels:
        lines += ["", "| Parcel | Carrier | Status | Expected |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {code(p.tracking_number)} | {shown(p.carrier or 'unknown')} | {shown(p.status)}"
            f"{f' ({shown(p.reason)})' if p.reason else ''}"
            f" | {p.estimated_delivery or '-'} |"
            for p in timeline.parcels
        ]
    if timeline.remedies:
        lines += ["", "| Remedy for | Because | Stands | Choice | Until |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {code(r.part)} | {shown(r.reason)} | {r.stand} | {f'{r.choice} by {r.by}' if r.choice else '-'}"
            f" | {_clock(r.choose_by)} |"
            for r in timeline.remedies
        ]
    if timeline.past:
        lines += ["", "| Touch | What became of it | When (UTC) |", "| --- | --- | --- |"]
        lines += [
            f"| {shown(p.touch)} | {shown(_became(p))} | {'until ' if p.status == 'held' else ''}{_clock(p.at)} |"
            for p in timeline.past
        ]
    if timeline.ahead:
        lines += ["", "**Ahead:** " + " · ".join(f"{shown(stop.touch)} {_clock(stop.at)}" for stop in timeline.ahead)]
    if timeline.watching:
        watched = " · ".join(f"{shown(stop.touch)} {_clock(stop.at)}" for stop in timeline.watching)
        lines += ["", f"**Only if nothing comes before:** {watched}"]
    return "\n".join(lines)


def about(order: OrderFacts) -> str:
    """An order in one line: goods, money, and what kind of buyer."""
    goods = ", ".join(f"{line.quantity} x {code(line.sku)}" for line in order.lines)
    return f"{goods}, {order.total} {order.currency}, {order.buyer} buyer, {order.country or 'country unknown'}"


def _why(state: JourneyState, key: str | None, why: str) -> str:
    held = state.held.get(key) if key is not None else None
    return f"held by {held.rule}" if held is not None else why


def _notes(state: JourneyState) -> list[str]:
    """Facts that explain the plan, each with its day."""
    facts = {
        "order cancelled": state.cancelled_at,
        "order edited down to nothing": None if state.cancelled_at is not None else state.called_off_at,
        "fully refunded": state.fully_refunded_at,
        "reviewed": state.reviewed_at,
        "customer ordered again": state.reordered_at,
        "everything delivered": order_delivered_at(state, told=True) if state.order.physical else None,
    }
    notes = [f"{fact} {_clock(at)}" for fact, at in facts.items() if at is not None]
    notes += [f"{way} is away: messages wait for it" for way, at in state.ways.items() if at is None]
    notes += [f"{code(kept.name)} is kept until a worker knows its words" for kept in state.unread]
    return notes


def _became(past: PastTouch) -> str:
    if past.rule is None:
        return past.status
    channels = ", ".join(f"{channel}: {rule}" for channel, rule in past.why.items())
    return f"{past.status}: {past.rule}" + (f" ({channels})" if channels else "")


def _clock(at: Instant) -> str:
    return f"{at:%Y-%m-%d %H:%M}"

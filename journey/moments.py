"""The facts that a journey's touches count from: for whom each holds, and since when."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from journey.deadlines import apart
from journey.facts import deadlines, negative_review_at, order_delivered_at
from journey.made_good import same
from journey.order import Handover
from journey.parcels import Parcel, Reason
from journey.playbook import ABSENCES, PARCEL_ANCHORS, Anchor, Groups, Playbook, Touch
from journey.remedies import Choice, Stand
from journey.state import JourneyState, Remedy

Moment = tuple[str | None, datetime, Parcel | None]
"""For whom (None: the order), since when, and with which parcel an anchor's fact holds."""


def _of_order(at: datetime | None) -> Sequence[Moment]:
    return () if at is None else ((None, at, None),)


def _problems(state: JourneyState, playbook: Playbook) -> Sequence[Moment]:
    # A damage or a return is told with what is offered for it, where there is something.
    offered = _TOLD_BY_OFFER if playbook.remedies is not None else frozenset()
    return [
        (f"{parcel.tracking_number}:{reason}", at, parcel)
        for parcel in state.parcels
        for reason, at in (() if parcel.pickup else parcel.problems)
        if reason not in _TOLD_BY_OTHERS
        and not (reason in offered and _offered(state, parcel))
        # Nobody waits at home for what is on its way back.
        and (reason in _TOLD_BY_OFFER or not parcel.back_by(at))
    ]


def _losses(state: JourneyState, playbook: Playbook) -> Sequence[Moment]:
    # What is offered for a loss tells of it; so a loss waits for the answer whether something is.
    offers = playbook.remedies is not None and state.rules > 1
    return [
        (parcel.tracking_number, parcel.lost_at, parcel)
        for parcel in state.parcels
        if parcel.lost_at and (not offers or (parcel.troubled and _unoffered(state, parcel)))
    ]


def _unoffered(state: JourneyState, parcel: Parcel) -> bool:
    remedy = state.remedies.get(parcel.tracking_number)
    return remedy is not None and remedy.unoffered


def _offered(state: JourneyState, parcel: Parcel) -> bool:
    """Whether the customer was offered something for the parcel, in words that tell what happened to it."""
    remedy = state.remedies.get(parcel.tracking_number)
    return remedy is not None and not remedy.unoffered


def _refunds(state: JourneyState) -> Sequence[Moment]:
    """The refunds to be told of by themselves: a remedy's own is told with the remedy.

    While one is under way it is not known whose a refund since its offer is.
    """
    paid_back = [remedy for remedy in state.remedies.values() if remedy.choice is Choice.REFUND]
    since = min((remedy.offered_at for remedy in paid_back if remedy.open), default=None)
    told = _of_remedies(state, paid_back) if paid_back else set()
    return [(refund, at, None) for refund, at in state.refunds if (since is None or at < since) and refund not in told]


def _of_remedies(state: JourneyState, paid_back: Sequence[Remedy]) -> set[str]:
    """The refunds that are told with a remedy: by their id, or, where a person gave another name, by their time."""
    found: set[str] = set()
    unmatched: list[tuple[datetime, datetime]] = []
    for remedy in paid_back:
        reference = remedy.reference
        if reference is None:
            continue
        matching = {refund for refund, _ in state.refunds if same(reference, refund)}
        found |= matching
        if not matching and remedy.settled_at is not None:
            unmatched.append((remedy.offered_at, remedy.settled_at + BY_HAND))
    by_time = sorted(state.refunds, key=lambda refund: (refund[1], refund[0]))
    for since, until in sorted(unmatched):
        own = next((one for one, at in by_time if one not in found and since <= at <= until), None)
        found |= {own} if own is not None else set()
    return found


def _lines_delivered(state: JourneyState) -> Sequence[Moment]:
    if not state.order.physical and order_delivered_at(state) is None:
        return ()
    if not state.order.physical:
        return ((None, state.order.placed_at, None),)
    return [
        (p.tracking_number, at, p)
        for p in state.parcels
        if (at := p.arrived_at) is not None or (at := p.assumed_at) is not None
    ]


def _shipments(state: JourneyState) -> Sequence[Moment]:
    # Access that a shop marks as fulfilled, or what was sold at a till, was sent to nobody.
    travels = state.order.handover is Handover.SENT
    return [
        (p.tracking_number, p.shipped_at, p)
        for p in state.parcels
        if p.shipped_at and not p.void and not p.pickup and (travels or not p.unnumbered)
    ]


def _denial(parcel: Parcel) -> str:
    """A denial after the parcel was found is another one, which is told again; a repeated one is not."""
    found = parcel.found_at
    return parcel.tracking_number if found is None else f"{parcel.tracking_number}:{found:%Y%m%dT%H%M%S}"


def _remedies(state: JourneyState, stand: Stand) -> Sequence[Moment]:
    found: list[Moment] = []
    for part, remedy in state.remedies.items():
        at = remedy.offered_at if stand is Stand.OFFERED else remedy.settled_at
        if remedy.stand is stand and at is not None:
            # Offered anew it is told anew.
            again = stand is Stand.OFFERED and remedy.times > 1
            found.append((f"{part}:{remedy.times}" if again else part, at, state.parcel(part)))
    return found


BY_HAND: Final = timedelta(days=14)
"""A refund that somebody made by hand is heard of no later than this after they said so."""
_TOLD_BY_OFFER: frozenset[Reason] = frozenset({Reason.DAMAGED, Reason.RETURNING})
_TOLD_BY_OTHERS = (Reason.DELAYED, Reason.LOST)
"""Problems with an anchor of their own."""

MOMENTS: dict[Anchor, Callable[[JourneyState, Playbook], Sequence[Moment]]] = {
    Anchor.ORDER_PLACED: lambda state, _: _of_order(state.order.placed_at),
    Anchor.ORDER_DELIVERED: lambda state, _: _of_order(order_delivered_at(state)),
    Anchor.ORDER_CANCELLED: lambda state, _: _of_order(state.cancelled_at),
    Anchor.REFUND: lambda state, _: _refunds(state),
    Anchor.NEGATIVE_REVIEW: lambda state, playbook: _of_order(negative_review_at(state, playbook)),
    Anchor.PARCEL_SHIPPED: lambda state, _: _shipments(state),
    Anchor.PARCEL_OUT_FOR_DELIVERY: lambda state, _: [
        (p.tracking_number, at, p) for p in state.parcels if (at := p.out_for_delivery_at) and not p.back_by(at)
    ],
    Anchor.PARCEL_DELIVERED: lambda state, _: [
        (p.tracking_number, p.delivered_at, p) for p in state.parcels if p.delivered_at and not p.pickup
    ],
    Anchor.PARCEL_DELAYED: lambda state, _: [
        (p.tracking_number, at, p) for p in state.parcels if (at := p.delayed_at) and not p.back_by(at)
    ],
    Anchor.PARCEL_LOST: _losses,
    Anchor.PARCEL_PROBLEM: _problems,
    Anchor.LINES_DELIVERED: lambda state, _: _lines_delivered(state),
    Anchor.DELIVERY_DENIED: lambda state, _: [
        (_denial(p), p.denied_at, p) for p in state.parcels if p.denied and p.denied_at
    ],
    Anchor.PICKUP_READY: lambda state, _: [
        (p.tracking_number, p.waiting_at, p)
        for p in state.parcels
        if p.pickup and p.waiting_at and not p.delivered_at and not p.void and not p.going_back
    ],
    Anchor.PICKUP_COLLECTED: lambda state, _: [
        (p.tracking_number, p.delivered_at, p) for p in state.parcels if p.pickup and p.delivered_at
    ],
    Anchor.REMEDY_OFFERED: lambda state, _: _remedies(state, Stand.OFFERED),
    Anchor.REMEDY_SETTLED: lambda state, _: _remedies(state, Stand.DONE),
}
"""When, and for whom, each anchor's fact holds; absences are deadlines, see `missed`."""

_OF_REMEDIES = frozenset({Anchor.REMEDY_OFFERED, Anchor.REMEDY_SETTLED})
_ABSENT_WITHOUT = (
    frozenset({Anchor.ORDER_CANCELLED}),
    frozenset({Anchor.REFUND}),
    frozenset({Anchor.NEGATIVE_REVIEW}),
    _OF_REMEDIES,
    PARCEL_ANCHORS - _OF_REMEDIES,
    frozenset({Anchor.PARCEL_DELAYED, Anchor.PARCEL_PROBLEM, Anchor.PARCEL_LOST}),
    frozenset({Anchor.DELIVERY_DENIED, Anchor.PICKUP_READY, Anchor.PICKUP_COLLECTED}),
    frozenset({Anchor.PARCEL_OUT_FOR_DELIVERY}),
    frozenset({Anchor.ORDER_DELIVERED, Anchor.LINES_DELIVERED, Anchor.PARCEL_DELIVERED}),
)
"""The facts that a journey has not which is not of that kind, in the order in which `looked_for` sorts them."""


def looked_for(state: JourneyState, playbook: Playbook) -> tuple[Groups, Groups]:
    """The touches by anchor that this journey can have facts for: those that stand alone, and those that gather.

    What most journeys never have is not looked for in each: this is done for every step of every journey. Absences
    are in `missed`.
    """
    parcels = bad = odd = out = False
    came = not state.order.physical
    for parcel in state.parcels:
        parcels = True
        bad = bad or bool(parcel.problems) or len(parcel.estimates) > 1
        odd = odd or parcel.pickup or parcel.denied_at is not None
        out = out or parcel.out_for_delivery_at is not None
        came = came or parcel.delivered_at is not None or parcel.unnumbered
    kind = (
        state.cancelled_at is not None,
        bool(state.refunds),
        negative_review_at(state, playbook) is not None,
        bool(state.remedies),
        parcels,
        bad,
        odd,
        out,
        came,
    )
    groups = playbook.looked_for.get(kind)
    if groups is None:
        absent = ABSENCES.union(*(anchors for has, anchors in zip(kind, _ABSENT_WITHOUT, strict=True) if not has))
        groups = playbook.looked_for[kind] = (
            tuple(group for group in playbook.by_anchor if group[0] not in absent),
            tuple(group for group in playbook.gathering if group[0] not in absent) if parcels or came else (),
        )
    return groups


def missed(state: JourneyState, playbook: Playbook) -> Sequence[tuple[Sequence[Touch], Moment]]:
    """Each absence that is worth a word, with its touches, each parcel's by time; most of them still lie ahead."""
    absences = playbook.absences
    missing: list[tuple[Sequence[Touch], Moment]] = []
    for parcel, found in deadlines(state, playbook):
        if parcel is None:
            missing += [(absences[anchor], (None, at, None)) for anchor, at in found]
        elif found:
            number = parcel.tracking_number
            for anchor, at in apart(found, _told(state, playbook, parcel)):
                missing.append((absences[anchor], (number, at, parcel)))
    return missing


def _told(state: JourneyState, playbook: Playbook, parcel: Parcel) -> Mapping[Anchor, datetime]:
    """When each of a parcel's silences was told, or was decided not to be."""
    told: dict[Anchor, datetime] = {}
    for anchor, touch in playbook.silences:
        settled = state.settled.get(f"{touch}:{parcel.tracking_number}")
        if settled is not None:
            told[anchor] = settled.at
    return told


def moments_of(anchor: Anchor, state: JourneyState, playbook: Playbook) -> Sequence[Moment]:
    """One fact's moments; an absence's lies ahead as long as it may be averted."""
    if anchor in ABSENCES:
        touches = playbook.absences.get(anchor)
        return [moment for told, moment in missed(state, playbook) if told is touches]
    return MOMENTS[anchor](state, playbook)

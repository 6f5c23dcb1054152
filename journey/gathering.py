"""What happens to several parcels of an order within a short time is one message, and not one each."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from journey.facts import over_for
from journey.moments import Moment
from journey.parcels import Parcel
from journey.playbook import Anchor, Playbook, Touch
from journey.state import JourneyState

_SHIPPED = Anchor.PARCEL_SHIPPED


def complete(state: JourneyState) -> bool:
    """Whether nothing of the order may come in a further parcel, as with most: nothing is then gathered."""
    if len(state.parcels) != 1:
        return not state.parcels
    skus = state.parcels[0].skus
    return skus is None or state.goods.issubset(skus)


def alone(touches: Sequence[Touch], state: JourneyState, fact: Moment) -> bool:
    """Whether there is none to wait for that could be told with this one."""
    subject, _, parcel = fact
    return not any(f"{touch.id}:{subject}" not in state.settled and _waits(touch, state, [parcel]) for touch in touches)


def gathered(
    touch: Touch, facts: Sequence[Moment], state: JourneyState, playbook: Playbook
) -> Iterator[tuple[datetime, list[Moment]]]:
    """What of a touch's facts is told together, and when that is due; those already told are left out.

    A group lasts for the touch's `gather` from its first fact. It is due by its last one, and as long as other parcels
    may still bring the same news it waits for its end. What is old news of one parcel is no part of it: it would take
    the others' reason away, too.
    """
    within, endings = touch.gather or timedelta(0), playbook.endings[touch.id]
    found: list[Moment] = []
    for moment in facts:
        subject, since, parcel = moment
        if (touch.id if subject is None else f"{touch.id}:{subject}") in state.settled:
            continue
        if parcel is not None and over_for(parcel, since, endings) is not None:
            yield since + touch.offset, [moment]
        else:
            found.append(moment)
    found.sort(key=lambda moment: (moment[1], moment[0] or ""))
    while found:
        first = found[0][1]
        group = [moment for moment in found if moment[1] - first <= within]
        found = found[len(group) :]
        due = group[-1][1] + touch.offset
        if _waits(touch, state, [parcel for _, _, parcel in group]):
            due = max(due, first + within)
        yield due, group


def _waits(touch: Touch, state: JourneyState, told: list[Parcel | None]) -> bool:
    return touch.gather is not None and touch.offset < touch.gather and _may_grow(touch, state, told)


def _may_grow(touch: Touch, state: JourneyState, told: list[Parcel | None]) -> bool:
    """Whether another parcel of the order may still bring the same news."""
    if touch.anchor is _SHIPPED:
        live = [parcel for parcel in state.parcels if not parcel.void]
        if any(parcel.skus is None for parcel in live):
            return False
        return not state.order.goods <= {sku for parcel in live for sku in parcel.skus or ()}
    return any(
        parcel.delivered_at is None and not parcel.void and not parcel.going_back
        for parcel in state.parcels
        if parcel not in told and f"{touch.id}:{parcel.tracking_number}" not in state.settled
    )

"""What a template may know of how an order gets to its customer, by the rules that the journey goes by."""

from collections.abc import Mapping

from journey.awaited import awaits_dispatch, awaits_pickup
from journey.order import LineKind, handover
from journey.parcels import ParcelStatus
from store.messages import MessageFacts


def handed_over(facts: MessageFacts) -> Mapping[str, object]:
    """How its goods are handed over, what is still waited for, and what of it needs no handing over."""
    kinds = [LineKind(line.kind) for line in facts.lines]
    way = handover(channel=facts.channel, kinds=kinds, collected=facts.collected)
    over = facts.cancelled or (facts.refunded is not None and 0 < facts.total <= facts.refunded)
    there = [parcel for parcel in facts.parcels if parcel.status != ParcelStatus.CANCELLED]
    ready = any(not parcel.pickup or parcel.status != ParcelStatus.PENDING for parcel in there)
    return {
        "handover": way.value,
        "awaits_dispatch": awaits_dispatch(way, over=over, sent=bool(there)),
        "awaits_pickup": awaits_pickup(way, over=over, ready=ready),
        "digital": LineKind.DIGITAL in kinds,
        "service": LineKind.SERVICE in kinds,
        "physical": LineKind.PHYSICAL in kinds,
    }

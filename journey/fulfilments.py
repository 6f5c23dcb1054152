"""Which parcels an order consists of, by the shop's word: each fulfilment has those of its last word.

A fulfilment is corrected, cancelled and made again. A parcel that one named and that none has any more is left out:
nobody waits for it and nothing is told of it, and it may come back.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from journey.base import Frozen, Instant, TrackingNumber
from journey.numbers import fulfilment_key, made_up

WHOLE_ORDER: Final = "order"
"""The fulfilment of a shop that tells of an order's parcels as one list, or names none."""


class Fulfilment(Frozen):
    """What the shop said of one fulfilment: its `parcels` as of `said_at`, and every one that it ever `named`.

    `parcels` is empty for one that was cancelled.
    """

    fulfilment: str
    said_at: Instant
    parcels: tuple[TrackingNumber, ...] = ()
    named: tuple[TrackingNumber, ...] = ()


def said(
    known: Fulfilment | None,
    fulfilment: str,
    parcels: Iterable[TrackingNumber],
    *,
    said_at: datetime,
    named: Iterable[TrackingNumber] = (),
) -> Fulfilment:
    """The fulfilment after one more word about it; the very same one when that says nothing new.

    The latest word stands. Of two said at once a cancellation goes first, then one with numbers, then always the same.
    `named` are parcels that were once in it, whether they are now or not.
    """
    now = tuple(sorted(set(parcels)))
    every = {*now, *named}
    if known is None:
        return Fulfilment(fulfilment=fulfilment, said_at=said_at, parcels=now, named=tuple(sorted(every)))
    names = known.named if every <= set(known.named) else tuple(sorted({*known.named, *every}))
    if _weight(said_at, now) > _weight(known.said_at, known.parcels):
        return known.but(said_at=said_at, parcels=now, named=names)
    return known if names is known.named else known.but(named=names)


def with_word(
    fulfilments: tuple[Fulfilment, ...],
    fulfilment: str,
    parcels: Iterable[TrackingNumber],
    *,
    said_at: datetime,
    named: Iterable[TrackingNumber] = (),
) -> tuple[Fulfilment, ...]:
    """The fulfilments of an order after one more word about one; the very same ones when that says nothing new."""
    before = next((one for one in fulfilments if one.fulfilment == fulfilment), None)
    after = said(before, fulfilment, parcels, said_at=said_at, named=named)
    if after is before:
        return fulfilments
    others = [one for one in fulfilments if one is not before]
    return tuple(sorted((*others, after), key=lambda one: one.fulfilment))


def left_out(fulfilments: Sequence[Fulfilment], *, whole_gives_way: bool = True) -> Collection[TrackingNumber]:
    """The parcels that a fulfilment named once and that none has any more.

    That the order was sent, somehow, says nothing beside what one of its fulfilments says (`whole_gives_way`; journeys
    of before that rule go on without it).
    """
    if not fulfilments:
        return ()
    live = {number for one in fulfilments for number in one.parcels}
    if whole_gives_way and any(one.parcels for one in fulfilments if one.fulfilment != WHOLE_ORDER):
        live.discard(fulfilment_key(WHOLE_ORDER))
    return {number for one in fulfilments for number in one.named if number not in live}


def _weight(said_at: datetime, parcels: tuple[TrackingNumber, ...]) -> tuple[datetime, bool, bool, Sequence[str]]:
    return said_at, not parcels, not all(made_up(number) for number in parcels), parcels

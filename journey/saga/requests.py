"""A request to a shop whose answer may not be known: whether the shop has what was asked for, and when to ask again.

One rule holds for everything that is asked: after a request that got no answer the shop is left alone until that
request can no longer be carried out. Its retry waits for that, and so does whatever undoes it. Of goods and money one
is asked for only while the shop certainly does not have the other; see `clear`.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from journey.base import Frozen, Instant
from journey.remedy_steps import Answer, RemedyDid

FIRST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=30)
_DOUBLINGS: Final = 12


class There(StrEnum):
    """Whether the shop has something of ours."""

    NO = "no"
    MAYBE = "maybe"
    """A request for it got no answer."""
    YES = "yes"


class Request(Frozen):
    """One thing that a shop is asked for, or is asked to undo.

    Attributes:
        there: whether the shop has it.
        tries: how often the shop was asked since it last gave a final answer.
        again_at: before that the shop is not asked about it; None for at once.
    """

    there: There = There.NO
    tries: int = 0
    again_at: Instant | None = None

    @property
    def clear(self) -> bool:
        """Whether the shop certainly does not have it, and no request for it is still under way."""
        return self.there is There.NO

    def due(self, now: datetime) -> bool:
        """Whether the shop may be asked now."""
        return self.again_at is None or self.again_at <= now


def asked(request: Request, did: RemedyDid, *, now: datetime, settles: timedelta) -> Request:
    """What is known after the shop was asked to make it; `settles` as of `RemedyLook`."""
    match did.answer:
        case Answer.DONE:
            return Request(there=There.YES)
        case Answer.REFUSED:
            # What an earlier request may have made is still to be undone.
            return Request(there=request.there)
        case Answer.BUSY:
            return _later(request, now + (did.wait or _pause(request.tries)))
        case Answer.UNKNOWN:
            return _later(request.but(there=There.MAYBE), now + max(settles, _pause(request.tries)))


def undone(request: Request, did: RemedyDid, *, now: datetime, settles: timedelta) -> Request:
    """What is known after the shop was asked to undo it."""
    match did.answer:
        case Answer.DONE:
            return Request()
        case Answer.REFUSED:
            return Request(there=request.there)
        case Answer.BUSY:
            return _later(request, now + (did.wait or _pause(request.tries)))
        case Answer.UNKNOWN:
            return _later(request, now + max(settles, _pause(request.tries)))


def _later(request: Request, at: datetime) -> Request:
    return request.but(tries=request.tries + 1, again_at=at)


def _pause(tries: int) -> timedelta:
    return min(FIRST_WAIT * (1 << min(tries, _DOUBLINGS)), LONGEST_WAIT)

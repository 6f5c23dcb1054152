"""When a carrier is asked about a parcel again, and by which of the pollers that are configured.

A parcel is asked about more often while something is about to happen, and less and less while nothing does. "Quiet"
is the time since its last scan; since the shop's word that it left, where it was never scanned:

=====================================================  ==================  ==================  ===============
its last word                                          quiet up to 3 days  quiet up to 14 days  quiet up to 45
=====================================================  ==================  ==================  ===============
out for delivery                                       30 min (the first   daily               every 3 days
                                                       day), then 4 h
picked up, in transit, exception, attempt failed       4 h                 daily               every 3 days
pending, label created, unknown                        8 h                 daily               every 3 days
ready for pick-up, returning, expired                  daily               daily               every 3 days
delivered, returned, cancelled                         never
=====================================================  ==================  ==================  ===============

- On the day it is estimated for, a parcel on its way is asked about every hour, and for the first time as that day
  begins. Nobody knows the zone of a carrier's date, so the day is UTC's and the six hours after it, when it is still
  that day's evening in the Americas.
- After 45 quiet days nobody asks any more, also where no question was ever answered; a scan that comes by webhook
  takes it up again.
- A parcel that webhooks tell about (it has a scan later than its last poll) is asked about a quarter as often, but
  daily at least: the polls are then only there for what the webhooks lose.

Every span is longer or shorter by up to a tenth, and the first poll comes at some moment of its first span, both by
the tracking number: ten thousand parcels of one morning do not fall due together, and the same parcel falls due at
the same moment whoever works it out.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from journey.parcels import ParcelStatus

OVER: Final = frozenset({ParcelStatus.DELIVERED, ParcelStatus.RETURNED, ParcelStatus.CANCELLED})
"""Nothing more is heard of such a parcel by asking."""
GIVES_UP: Final = timedelta(days=45)
"""A parcel quiet for so long is not asked about any more."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_FRESH, _SLEEPING = 3 * _DAY, 14 * _DAY
_SELDOM = 3 * _DAY
_ON_ITS_DAY = _HOUR
_AT_THE_DOOR = timedelta(minutes=30)
_EVENING = 6 * _HOUR
_WEBHOOKS = 4
_SPREAD = 0.1
_MOVING = frozenset(
    {
        ParcelStatus.PICKED_UP,
        ParcelStatus.IN_TRANSIT,
        ParcelStatus.EXCEPTION,
        ParcelStatus.ATTEMPT_FAILED,
        ParcelStatus.OUT_FOR_DELIVERY,
    }
)
_NOT_THERE_YET = frozenset({ParcelStatus.PENDING, ParcelStatus.LABEL_CREATED, ParcelStatus.UNKNOWN})


def next_poll(
    status: ParcelStatus,
    *,
    tracking_number: str,
    created_at: datetime,
    last_scan_at: datetime | None,
    estimated_delivery: date | None,
    polled_at: datetime | None,
    now: datetime,
) -> datetime | None:
    """When a parcel is to be asked about, which may be long past; None for never. See the table above.

    Args:
        status: its last word.
        tracking_number: spreads parcels over time.
        created_at: when the shop said that it left; aware, as all moments here.
        last_scan_at: the carrier's time of its latest scan, None when there is none. A time to come, which a carrier
            with a wrong clock may name, counts as unknown.
        estimated_delivery: the date promised last.
        polled_at: when it was asked about last, None when never.
        now: tells a time to come from one past.
    """
    if status in OVER:
        return None
    scan = last_scan_at if last_scan_at is not None and last_scan_at <= now else None
    webhooks = scan is not None and (polled_at is None or scan > polled_at)
    since = scan or created_at
    heard = max(polled_at or since, since)
    share = _share(tracking_number)
    every = _every(status, quiet=heard - since)
    if webhooks:
        every = min(_WEBHOOKS * every, max(every, _DAY))
    first = polled_at is None and scan is None
    at = heard + every * (share if first else 1 + _SPREAD * (2 * share - 1))
    if estimated_delivery is not None and status in _MOVING | _NOT_THERE_YET:
        at = min(at, _on_its_day(estimated_delivery, heard, share, times=_WEBHOOKS if webhooks else 1) or at)
    long_quiet = at - since > GIVES_UP or now - max(since, created_at) > GIVES_UP
    return None if long_quiet else at


def _every(status: ParcelStatus, *, quiet: timedelta) -> timedelta:
    """The table."""
    if quiet >= _SLEEPING:
        return _SELDOM
    if quiet >= _FRESH:
        return _DAY
    if status is ParcelStatus.OUT_FOR_DELIVERY and quiet < _DAY:
        return _AT_THE_DOOR
    if status in _MOVING:
        return 4 * _HOUR
    return 8 * _HOUR if status in _NOT_THERE_YET else _DAY


def _on_its_day(estimate: date, heard: datetime, share: float, *, times: int) -> datetime | None:
    """The next moment at which the day it is due asks for a poll; None when that day is over."""
    begins = datetime.combine(estimate, time(), UTC)
    if heard < begins:
        return begins + _ON_ITS_DAY * times * share
    at = heard + _ON_ITS_DAY * times * (1 + _SPREAD * (2 * share - 1))
    # Subtracted, not added: a carrier's 31 December 9999 has no day after it.
    return at if at - begins < _DAY + _EVENING else None


def _share(tracking_number: str) -> float:
    """A number's own place between 0 and 1."""
    return int.from_bytes(sha256(tracking_number.encode()).digest()[:4]) / 2**32


class Reach(NamedTuple):
    """The parcels that one poller asks about: those of `carriers`; None for all but those of `besides`.

    Carriers are in their one form, `journey.carriers.normal`.
    """

    carriers: frozenset[str] | None
    besides: frozenset[str] = frozenset()

    def covers(self, carrier: str | None) -> bool:
        """Whether a parcel of that carrier (None: nobody knows whose) is asked about."""
        if self.carriers is None:
            return carrier not in self.besides
        return carrier in self.carriers


def reaches(speaks_for: Mapping[str, frozenset[str] | None]) -> dict[str, Reach]:
    """Who asks about what, of pollers and the carriers they speak for (None: any), in the order they are configured.

    A carrier that somebody names is that one's, the first's who does. Everything else, and the parcels whose carrier
    nobody knows, is the first's who speaks for any. So each parcel has one poller at most.
    """
    found: dict[str, Reach] = {}
    named: frozenset[str] = frozenset().union(*(carriers or () for carriers in speaks_for.values()))
    taken: frozenset[str] = frozenset()
    anybody = False
    for name, carriers in speaks_for.items():
        if carriers is not None:
            found[name] = Reach(carriers - taken)
            taken |= carriers
        else:
            found[name] = Reach(frozenset()) if anybody else Reach(None, named)
            anybody = True
    return found

"""What of a polled answer is news: it goes into the inbox, as a webhook's would, and nothing else does."""

from collections.abc import Collection
from datetime import datetime
from hashlib import sha256
from operator import attrgetter

from activities.carriers.protocol import Told
from journey.parcels import ParcelStatus
from store import inbox
from store.intake import ShipmentUpdated
from store.polling import KnownScan, Turn
from store.pool import Pool
from store.shipments import REUSED

_SAYS_NOTHING = frozenset({ParcelStatus.UNKNOWN, ParcelStatus.PENDING})


def telling(told: Told, turn: Turn) -> list[ShipmentUpdated]:
    """The scans that say something about this parcel, oldest first.

    A vendor that knows nothing says so with every poll, under another date; what is long before the parcel is told of
    an earlier one with its number, and would wait in the inbox for a parcel that never comes.
    """
    about = [scan for scan in told.scans if scan.status not in _SAYS_NOTHING and turn.created_at <= scan.at + REUSED]
    return sorted(about, key=attrgetter("at"))


async def keep_news(
    pool: Pool, vendor: str, turn: Turn, told: Told, known: Collection[KnownScan], *, now: datetime
) -> int:
    """Keep what an answer says that is new, oldest first; how many events that were.

    `known` are scans that are written down. The bytes of the answer go with the first of its events. An estimate is
    that of `now`, whatever scan it came with.
    """
    scans = telling(told, turn)
    kept = 0
    for scan in scans:
        told_before = (turn.shop, turn.order_id, turn.tracking_number, scan.at, scan.status, scan.reason) in known
        new = not told_before or turn.last_scan_at is None or scan.at > turn.last_scan_at
        # Carriers move their estimate between two scans: that is news, though the scan is none.
        moved = scan is scans[-1] and _moved(scan, turn, now)
        if not new and not moved:
            continue
        said = {"estimated_at": None if scan.estimated_delivery is None else now}
        event = scan.model_copy(update={"shop": turn.shop, "tracking_number": turn.tracking_number, **said})
        # An estimate may come back to what it was: which word it takes the place of tells one move from the other.
        change = () if new else (str(turn.estimated_at), str(scan.estimated_delivery))
        kept += await inbox.keep(
            pool,
            source=f"poll:{vendor}",
            event_id=scan_id(event, *change),
            topic=f"scan.{event.status}",
            body=b"" if kept else told.raw,
            events=[event],
            received_at=now,
        )
    return kept


def _moved(scan: ShipmentUpdated, turn: Turn, now: datetime) -> bool:
    """Whether the estimate is another by now; a word of a time to come, by a wrong clock, stands until then."""
    if scan.estimated_delivery in {None, turn.estimated_delivery}:
        return False
    return turn.estimated_at is None or turn.estimated_at < now


def scan_id(scan: ShipmentUpdated, *more: str) -> str:
    """The same for the same scan of the same shop's parcel, whenever it is heard of."""
    said = (scan.shop, scan.tracking_number, scan.status, scan.at.isoformat(), scan.location, scan.reason, *more)
    return sha256("\0".join(part or "" for part in said).encode()).hexdigest()

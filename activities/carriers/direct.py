"""What the carriers' own APIs have in common: local clocks, scans built newest first, and what is kept as raw.

Some carriers give a scan's time as the clock on its wall showed it, without an offset. It is resolved by the scan's
country, or where that is not told by the countries in which the parcel starts and ends, if all their zones agree on
the moment. Else it is the earliest moment that it can have been: by the easternmost of those zones (the world's, where
no country is told), and later than the scan before it in the carrier's own order. So the order of a parcel's scans
stays right, no scan is later than it really was, and the same scan has the same moment whenever it is asked for.
"""

import html
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final

from activities.carriers.protocol import Asked, Told
from activities.carriers.reading import Meaning, place
from activities.shops.protocol import Malformed
from activities.vendors.http import VendorBusyError
from journey.parcels import ParcelStatus
from journey.zones import zone_named, zones_by_country
from store.intake import ShipmentUpdated, build

SETTING: Final = "POSTLUDE_CARRIER_URLS"
EASTERNMOST: Final = timezone(timedelta(hours=14))
"""Where every day begins (Pacific/Kiritimati)."""
_YEARS = range(1971, 2200)  # a year less than an event's own at both ends, for the way to UTC
_TICK = timedelta(seconds=1)
_DAY = timedelta(days=1)
_OVER = {ParcelStatus.DELIVERED, ParcelStatus.RETURNED, ParcelStatus.CANCELLED}
_MARKUP = re.compile(r"<[^>]*>|[®™℠]")


@dataclass(frozen=True, slots=True)
class Event:
    """One scan as its carrier tells it.

    Attributes:
        clock: aware where the offset is known, else what the clock on the wall showed.
        meaning: in the normal form.
        location: city, state and country; see `whereabouts`.
        countries: ISO 3166 alpha-2: the scan's own, else those where it may be.
    """

    clock: datetime
    meaning: Meaning
    location: str | None = None
    countries: Collection[str] = ()


def told(
    parcel: Asked,
    carrier: str,
    events: Sequence[Event],
    *,
    service: object = None,
    estimate: str | None = None,
    raw: Mapping[str, Any],
) -> Told:
    """What a carrier says of a parcel.

    Args:
        parcel: as it was asked for.
        carrier: in the normal form.
        events: newest first.
        service: the carrier's name of it, markup and all.
        estimate: the day of delivery as it is promised now, YYYY-MM-DD. The newest scan has it, unless that ends the
            journey: when older scans were made, another day may have been promised.
        raw: what to keep of the answer; nothing that names a person or a street.
    """
    values = {
        "tracking_number": parcel.tracking_number,
        "carrier": carrier,
        "service": _MARKUP.sub("", html.unescape(text(service))).strip() or None,
    }
    scans: list[ShipmentUpdated] = []
    for position, (at, event) in enumerate(_dated(events)):
        status, reason, action = event.meaning
        promised = estimate if position == 0 and status not in _OVER else None
        said = {"at": at, "status": status, "reason": reason, "action_required": action, "location": event.location}
        try:
            scans.append(build(ShipmentUpdated, {**values, **said, "estimated_delivery": promised}))
        except Malformed:
            # All but the promise was made here: the carrier's word for "no day yet" is none.
            scans.append(build(ShipmentUpdated, {**values, **said}))
    return Told(tuple(dict.fromkeys(scans)), json.dumps(raw).encode())


def _dated(events: Sequence[Event]) -> list[tuple[datetime, Event]]:
    """The events with their moments, newest first."""
    dated: list[tuple[datetime, Event]] = []
    before: datetime | None = None
    for event in reversed(events):
        at, certain = resolved(event.clock, event.countries)
        if not certain and before is not None and at <= before:
            at = before + _TICK
        dated.append((at, event))
        before = at if before is None else max(at, before)
    return dated[::-1]


def resolved(clock: datetime, countries: Collection[str]) -> tuple[datetime, bool]:
    """The moment in UTC of what a clock in one of these countries shows, and whether it is certain; see the module."""
    if clock.tzinfo is not None:
        return clock.astimezone(UTC), True
    zones = [zone for country in countries for zone in _zones(country.upper())] or [EASTERNMOST]
    moments = {clock.replace(tzinfo=zone).astimezone(UTC) for zone in zones}
    return min(moments), len(moments) == 1 and zones != [EASTERNMOST]


@lru_cache(maxsize=512)
def _zones(country: str) -> tuple[tzinfo, ...]:
    return tuple(zone_named(name) for name in zones_by_country().get(country, ()))


def newest_first(dated: list[tuple[dict[str, Any], datetime]]) -> list[tuple[dict[str, Any], datetime]]:
    """Scans with their clocks, turned round where the carrier began with the oldest; else in its own order.

    Two walls' clocks must be more than a day apart to tell which is the older.
    """
    if not dated:
        return dated
    first, last = dated[0][1], dated[-1][1]
    exact = first.tzinfo is not None and last.tzinfo is not None
    oldest_first = first < last if exact else first.replace(tzinfo=None) + _DAY < last.replace(tzinfo=None)
    return dated[::-1] if oldest_first else dated


def read_clock(written: object) -> datetime | None:
    """A date and time in ISO 8601, with or without an offset; None for none, and for years nobody means."""
    try:
        read = datetime.fromisoformat(text(written))
    except ValueError:
        return None
    return read if read.year in _YEARS else None


def country(given: object) -> tuple[str, ...]:
    """An ISO 3166 alpha-2 code that has a clock of its own, as `Event.countries` takes it; empty for anything else."""
    code = text(given).upper()
    return (code,) if _zones(code) else ()


def whereabouts(*parts: object) -> str | None:
    """City, state and country as one line; what has a digit in it may be a street and is left out."""
    said = [part.strip() for given in parts for part in text(given).split(",")]
    return place(*(part for part in said if not any(char.isdigit() for char in part)))


def text(given: object) -> str:
    """A text without the blanks around it; empty for anything else."""
    return given.strip() if isinstance(given, str) else ""


def branch(given: object, *path: str) -> Any:
    """What stands at a path of keys; None where there is none."""
    for key in path:
        given = given.get(key) if isinstance(given, dict) else None
    return given


def objects(given: object) -> list[dict[str, Any]]:
    """The objects in a list; what is none is left out, and what is no list has none."""
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


def kept(given: object, *names: str) -> dict[str, Any]:
    """The plain values that an object has under these names, for raw; none where it is no object."""
    found = given if isinstance(given, dict) else {}
    return {name: found[name] for name in names if isinstance(found.get(name), str | int)}


@contextmanager
def limited(wait: timedelta) -> Iterator[None]:
    """`wait` as the time to rest after a 429 that does not say one.

    Raises:
        VendorBusyError: as inside, with `retry_after`.
    """
    try:
        yield
    except VendorBusyError as error:
        if error.rule != "http_429" or error.retry_after is not None:
            raise
        raise VendorBusyError(error.vendor, error.rule, wait) from None

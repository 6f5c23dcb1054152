"""What the services' pollers share: their key, which of the answer's entries is whose, and entries read one by one."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, unquote

import httpx

from activities.carriers.protocol import Asked, Told
from activities.messaging.email.resend import base_url
from activities.shops.protocol import Malformed
from activities.vendors.http import Vendor, VendorGarbledError
from journey.carriers import normal
from store.intake import ShipmentUpdated

Entry = Mapping[str, Any]
"""One parcel's part of an answer."""


def key_of(url: SplitResult, example: str) -> str:
    """The API key, which stands where an address has its user.

    Raises:
        ValueError: there is none, or it cannot stand in a header.
    """
    key = unquote(url.username or "")
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError(f"POSTLUDE_CARRIER_URLS: {url.scheme}:// needs the API key: {example}")
    return key


def api(
    name: str,
    url: SplitResult,
    host: str,
    headers: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None,
) -> Vendor:
    """The service's API, at the URL's host, else at its usual one."""
    return Vendor(name, base_url(url, host), headers=headers, transport=transport)


def part(vendor: str, document: Any, *path: str) -> Any:
    """What an answer has at a path.

    Raises:
        VendorGarbledError: it has no such thing.
    """
    for key in path:
        if not isinstance(document, dict) or key not in document:
            raise VendorGarbledError(vendor, "not_as_documented")
        document = document[key]
    return document


def entries(vendor: str, document: Any, *path: str) -> list[Entry]:
    """The list of objects that an answer has at a path.

    Raises:
        VendorGarbledError: it has no such list.
    """
    found = part(vendor, document, *path)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise VendorGarbledError(vendor, "not_as_documented")
    return found


def plain(number: object) -> str:
    """A tracking number without blanks, hyphens and case, which services drop or change."""
    return re.sub(r"[^0-9a-z]+", "", str(number).casefold())


def matched(parcels: Sequence[Asked], found: Iterable[Entry], number: str) -> dict[str, list[Entry]]:
    """The entries of each parcel, by its tracking number as it was asked for; `number` is theirs for it."""
    by_number: dict[str, list[Entry]] = {}
    for entry in found:
        by_number.setdefault(plain(entry.get(number)), []).append(entry)
    return {parcel.tracking_number: by_number.get(plain(parcel.tracking_number), []) for parcel in parcels}


def chosen(source: str, parcel: Asked, found: Sequence[Entry], carrier: str) -> Entry:
    """Which of several entries is the parcel's: the one known by its id, else by carrier; of those the newest.

    Carriers give a number to another parcel after some months, and two carriers may have the same one.
    """
    newest = sorted(found, key=lambda entry: str(entry.get("created_at")), reverse=True)
    by_id = [entry for entry in newest if f"{source}:{entry.get('id')}" == parcel.tracker]
    by_carrier = [entry for entry in newest if _carrier(entry.get(carrier)) == parcel.carrier]
    return (by_id or by_carrier or newest)[0]


def heard(
    vendor: str,
    found: Iterable[tuple[Asked, Entry]],
    read: Callable[[Asked, Entry], Sequence[ShipmentUpdated]],
) -> dict[str, Told]:
    """What each entry says. One that cannot be read is left out: its parcel is asked about again.

    Raises:
        VendorGarbledError: there are entries, and none can be read.
    """
    told: dict[str, Told] = {}
    garbled = False
    for parcel, entry in found:
        try:
            told[parcel.tracking_number] = Told(tuple(read(parcel, entry)), json.dumps(entry).encode())
        except Malformed:
            garbled = True
    if garbled and not told:
        raise VendorGarbledError(vendor, "not_as_documented")
    return told


def _carrier(given: object) -> str | None:
    return normal(given) if isinstance(given, str) else None

"""How a service's answers and webhooks are read: its words, moments, places and ids, brought to one form.

The same everywhere: a thing that stops a parcel is an exception, a mere delay is not; what was destroyed or disposed
of counts as lost, since it never arrives; somebody must act on a wrong address, a payment, a paper that customs want
and a parcel that waits to be picked up. Words that a service does not list have the meaning of the wider word they
came with, else `unknown`.
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from activities.shops.payloads import At, Code, Estimate, read
from activities.shops.protocol import Delivery, Ignored, Malformed
from journey.parcels import ParcelStatus, Reason
from store.fields import moment as known
from store.intake import ShipmentUpdated
from store.reading import Lenient, Many

__all__ = [
    "ONCE",
    "At",
    "Code",
    "Estimate",
    "Lenient",
    "Many",
    "Meaning",
    "identity",
    "moment",
    "now",
    "once",
    "place",
    "same",
    "topic",
    "understood",
]

_M = TypeVar("_M", bound=Lenient)

ONCE = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands for when it was heard, where only what is said counts: a repeat is heard later and says the same."""


def now() -> datetime:
    """The moment at which something is heard that has none of its own."""
    return datetime.now(UTC)


class Meaning(NamedTuple):
    """What a word says in the normal form; `action` is whether the parcel waits for somebody to act."""

    status: ParcelStatus
    reason: Reason | None = None
    action: bool = False


def understood(model: type[_M], body: object, *, prefix: str = "") -> _M:
    """A part of a body as its model.

    Raises:
        Malformed: names the first field that is wrong, with `prefix` before it.
    """
    return read(model, body, prefix=prefix)


def moment(text: object, *, zone: tzinfo | None = None) -> datetime | None:
    """A moment in ISO 8601; None for none, for years nobody means, and for one without an offset unless `zone` is it.

    A time without an offset cannot be put in order with others, and no zone is guessed for it.
    """
    try:
        said = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if said is None else known(said.replace(tzinfo=said.tzinfo or zone))
    except ValueError:
        return None


def place(*parts: object) -> str | None:
    """City, state and country, as far as they are known, as one line."""
    return ", ".join(part.strip() for part in parts if isinstance(part, str) and part.strip()) or None


def same(given: str, expected: str) -> bool:
    """Whether a signature is the expected one, in the same time whatever differs."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def once(scans: Iterable[ShipmentUpdated]) -> tuple[ShipmentUpdated, ...]:
    """The scans without exact repeats."""
    return tuple(dict.fromkeys(scans))


def identity(delivery: Delivery, translate: Callable[[Delivery], Sequence[ShipmentUpdated] | Ignored]) -> str:
    """An id for a webhook whose sender gave it none: the hash of what it says of the parcel, else of its bytes.

    So the same news sent again has the same id, also where a field that does not matter differs.
    """
    try:
        said = translate(delivery)
    except Malformed:
        return delivery.digest
    if isinstance(said, Ignored):
        return delivery.digest
    return "sha256:" + sha256("".join(event.model_dump_json() for event in said).encode()).hexdigest()


def topic(delivery: Delivery, field: str, example: str) -> str:
    """The kind of event that the body's `field` names.

    Raises:
        Malformed: it does not.
    """
    found: Any = delivery.payload.get(field)
    if not isinstance(found, str) or not found.strip():
        raise Malformed(field, f"must name the event, such as {example}")
    return found

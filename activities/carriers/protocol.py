"""What is asked of a carrier, or of a service that speaks for many: webhooks (`Carrier`), answers (`Poller`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from activities.shops.protocol import Delivery, Ignored, Source
from store.intake import ShipmentUpdated


class Carrier(Source, Protocol):
    """As `Source`, but nothing else than `ShipmentUpdated` comes out of it."""

    def translate(self, delivery: Delivery) -> Sequence[ShipmentUpdated] | Ignored:
        """What it says about its parcels, or why that means nothing here.

        Raises:
            Malformed: names the field that is wrong.
        """


@dataclass(frozen=True, slots=True)
class Asked:
    """A parcel to ask about: as its shop named it, nothing of the person.

    Attributes:
        tracking_number: the carrier's.
        carrier: in our normal form (`journey.carriers.normal`), None when nobody said.
        country: where it goes, ISO 3166 alpha-2, None when unknown.
        tracker: the service's own id of it, as an earlier answer or webhook gave it.
    """

    tracking_number: str
    carrier: str | None = None
    country: str | None = None
    tracker: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a poll said of one parcel: every scan it knows, in any order, and the bytes it was read from (JSON).

    No scans at all: the carrier does not know the number yet, or has nothing to say.
    """

    scans: Sequence[ShipmentUpdated] = field(default=())
    raw: bytes = b""


class Poller(Protocol):
    """Asks one vendor's tracking API. It keeps no state but its connections and tokens.

    Attributes:
        name: the vendor's, such as `ups`; `poll:{name}` is the `source` of its rows in the inbox.
        carriers: the carriers (normal form) it can speak for; None for a service that speaks for any.
        at_once: how many parcels it takes in one request.
    """

    name: str
    carriers: frozenset[str] | None
    at_once: int

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """What it knows of these parcels (at most `at_once`), by tracking number; one request of the vendor's.

        A number that is missing from the answer was not answered for, and is asked again at its next turn.

        Raises:
            activities.vendors.http.VendorError: nothing was learnt; see its subclasses for what to do.
        """

    async def aclose(self) -> None:
        """Close the connections."""

"""A carrier, or a service that speaks for many: a `Source` whose webhooks are about parcels alone."""

from collections.abc import Sequence
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

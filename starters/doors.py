"""Who is proven by which secret, and for whom it speaks.

A shop's secret proves that shop and no other: what a body or an unsigned header says is checked against it. The
deployment's own secrets speak for every shop that has no file, and its carriers for the parcels of all.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from activities.shops.protocol import (
    Delivery,
    Greeting,
    Ignored,
    Inquiring,
    SignatureError,
    Source,
    UnreachableError,
)
from store import intake

_KEY_LENGTH = 255
_OWN: frozenset[str] = frozenset({"events", "shopify", "woocommerce", "bigcommerce"})
"""The endpoints of shops; all others are of those who carry parcels or messages."""


class WrongShopError(Exception):
    """A webhook speaks of another shop than its secret's."""


@dataclass(frozen=True, slots=True)
class Door:
    """One secret of one endpoint.

    Attributes:
        source: verifies and reads what comes by it.
        shop: whom it proves; None for the deployment's own.
        names: what that shop is called in webhooks, its id among them.
    """

    source: Source
    shop: str | None = None
    names: frozenset[str] = frozenset()

    def key(self, event_id: str) -> str:
        """The event's id in the inbox, see `key_of`."""
        return key_of(self.shop, event_id)


def key_of(shop: str | None, event_id: str) -> str:
    """An event's id in the inbox, fit for the database's unique key: as it is, or hashed when it is long or odd.

    A shop's is its own: it cannot take the place of another's event by guessing its id.
    """
    if shop is None and len(event_id) <= _KEY_LENGTH and event_id.isprintable():
        return event_id
    said = event_id if shop is None else f"{shop}\n{event_id}"
    return "sha256:" + hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


class Doors:
    """Every door of the deployment, by endpoint and shop."""

    def __init__(self, own: Mapping[str, Source], shops: Iterable[Door] = (), *, closed: Iterable[str] = ()) -> None:
        """Arrange the doors.

        Args:
            own: the deployment's adapters, by endpoint.
            shops: the doors of shops with a file.
            closed: the names of all those shops, for which the deployment's secrets of shops do not speak.
        """
        self._doors: dict[str, list[Door]] = {}
        for door in (*shops, *(Door(source) for source in own.values())):
            self._doors.setdefault(door.source.name, []).append(door)
        self._closed = frozenset(closed)

    def at(self, endpoint: str, shop: str | None = None) -> Sequence[Door]:
        """The doors of an endpoint; with `shop`, its id, of that shop alone."""
        found = self._doors.get(endpoint, [])
        return found if shop is None else [door for door in found if door.shop == shop]

    async def proven(self, doors: Sequence[Door], delivery: Delivery) -> Door:
        """The door whose secret proves the sender.

        Raises:
            SignatureError: none does; says why the last of them does not.
            UnreachableError: the sender's own server had to be asked and did not answer.
        """
        problem = SignatureError("no secret is configured")
        for door in doors:
            source = door.source
            try:
                if isinstance(source, Inquiring):
                    await source.inquire(delivery)
                source.verify(delivery)
                if isinstance(source, Inquiring):
                    await source.confirm(delivery)
            except SignatureError as error:
                problem = error
            else:
                return door
        raise problem

    def greeted(self, doors: Sequence[Door], query: Mapping[str, str]) -> str | None:
        """What to answer a sender who asks whether the endpoint is ours; None where nobody knows its token."""
        answers = (door.source.greet(query) for door in doors if isinstance(door.source, Greeting))
        return next((answer for answer in answers if answer is not None), None)

    def for_its_shop(self, door: Door, said: Sequence[intake.Event] | Ignored) -> Sequence[intake.Event] | Ignored:
        """The events with the shop's id in them, as far as the door's secret speaks for them.

        Raises:
            WrongShopError: one is about another shop.
        """
        if isinstance(said, Ignored):
            return said
        return [self._for_its_shop(door, event) for event in said]

    def _for_its_shop(self, door: Door, event: intake.Event) -> intake.Event:
        if door.shop is None:
            return self._of_the_rest(door, event)
        if event.shop is not None and event.shop not in door.names:
            raise WrongShopError
        return event if event.shop == door.shop else event.model_copy(update={"shop": door.shop})

    def _of_the_rest(self, door: Door, event: intake.Event) -> intake.Event:
        if door.source.name not in _OWN or not self._closed:
            return event
        if event.shop is None or event.shop in self._closed:
            # Without a shop it would be about the parcels of all.
            raise WrongShopError
        return event


__all__ = ["Door", "Doors", "UnreachableError", "WrongShopError"]

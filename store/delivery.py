"""How an order comes to its customer, as the shop says it: sent or collected, where to, from which pick-up point."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ConfigDict, model_validator

from journey.parcels import Method
from store import cleaning
from store.fields import Day, Word, lower
from store.reading import EXACT, Lenient, listed

_MOST_HOURS = 14
_HOURS_LENGTH = 120


def _hours(value: object) -> tuple[str, ...]:
    """Opening hours, a line each, as they were written: a text of several lines, or a list of texts."""
    found = value.splitlines() if isinstance(value, str) else listed(value)
    texts = [one for one in found if isinstance(one, str)] if isinstance(found, list | tuple) else []
    lines = [cleaning.plain(text, _HOURS_LENGTH) for text in texts]
    return tuple([line for line in lines if line][:_MOST_HOURS])


class _Edge(Lenient):
    model_config = ConfigDict(frozen=True)


class Address(_Edge):
    """Where something is sent to, or where a pick-up point stands; every field as a letter has it."""

    name: Word = None
    company: Word = None
    street: Word = None
    street2: Word = None
    postcode: Word = None
    city: Word = None
    region: Word = None
    country: Annotated[str | None, BeforeValidator(cleaning.country)] = None

    def lines(self, named: Callable[[str], str]) -> tuple[str, ...]:
        """As it stands on an envelope, without its empty lines; `named` writes a country that is given by its code."""
        place = " ".join(part for part in (self.postcode, self.city) if part)
        country = named(self.country) if self.country else None
        written = (self.name, self.company, self.street, self.street2, place, self.region, country)
        return tuple(line for line in written if line)


class PickupPoint(_Edge):
    """Where it is fetched: the shop's own store, or a carrier's point; opening hours are lines of text."""

    name: Word = None
    address: Address = Address()
    opening_hours: Annotated[tuple[str, ...], BeforeValidator(_hours)] = ()


class Promise(_Edge):
    """The days between which it is said to come; one of them may be unknown."""

    earliest: Day = None
    latest: Day = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_day(cls, given: Any) -> Any:
        """One day is a window that begins and ends with it."""
        return given if isinstance(given, Mapping | Promise) else {"earliest": given, "latest": given}

    @model_validator(mode="after")
    def _in_order(self) -> "Promise":
        if self.earliest is None and self.latest is None:
            raise ValueError("must be a day, or have an earliest or a latest one")
        if self.earliest is not None and self.latest is not None and self.earliest > self.latest:
            raise ValueError("must not end before it begins")
        return self


class Delivery(_Edge):
    """How an order comes: `method` pickup is in the shop's own store; `title` what the customer chose."""

    method: Annotated[Method, BeforeValidator(lower), EXACT] = Method.DELIVERY
    title: Word = None
    address: Address = Address()
    pickup_point: PickupPoint = PickupPoint()

    @property
    def collected(self) -> bool:
        """Whether it is kept ready in the shop's own store."""
        return self.method is Method.PICKUP


UNSAID: Final = Delivery()
"""Of an order of which nobody says how it comes: it is sent."""

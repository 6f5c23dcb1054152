"""What each shop has of its own, and the deployment's for every other shop."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ByShop(Generic[T]):
    """One thing a shop: `own` by the shops' ids, `rest` for all shops that have none of their own."""

    rest: T
    own: Mapping[str, T] = field(default_factory=dict)

    def of(self, shop: str | None) -> T:
        """That shop's."""
        return self.own.get(shop, self.rest) if shop is not None else self.rest

    def __iter__(self) -> Iterator[T]:
        """Every one of them, the rest's first."""
        yield self.rest
        yield from self.own.values()

"""Several providers of one channel: which of them a message goes to, and which is next when that one is busy."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Generic, TypeVar

from activities.messaging.protocol import Message, Provider

M = TypeVar("M", bound=Message)


class Route(Generic[M]):
    """Providers with their weights. Every message key has its own order of them, the same in every process.

    The order is weighted rendezvous hashing by the logarithmic method (https://dl.acm.org/doi/10.1145/1073970.1074008,
    Schindelhauer and Schomaker): each provider scores a key by its name alone, so that it comes first for its share
    of the keys, and one that is added or taken away moves no other's. A key meets the same provider again, which is
    where doubt about its message can be settled. Weight 0 is a stand-by, for when the others are busy.

    Two providers of one name are told apart as `postmark` and `postmark-2`, in the order given: a provider is added
    at the end of the setting.

    Raises:
        ValueError: there is no provider, or not one weight, finite and not negative, for each.
    """

    def __init__(self, providers: Sequence[Provider[M]], weights: Sequence[float]) -> None:
        if not providers or len(providers) != len(weights):
            raise ValueError("a route needs providers, and one weight for each")
        if not all(0 <= weight < math.inf for weight in weights):
            raise ValueError("a weight is 0 or a positive number")
        met: Counter[str] = Counter()
        for provider in providers:
            met[provider.name] += 1
            if met[provider.name] > 1:
                provider.name = f"{provider.name}-{met[provider.name]}"
        self._weights = dict(zip((provider.name for provider in providers), weights, strict=True))
        self._by_name = {provider.name: provider for provider in providers}

    @property
    def names(self) -> tuple[str, ...]:
        """The providers' names, in the order given."""
        return tuple(self._by_name)

    def pick(self, key: str) -> Provider[M]:
        """The first provider for the message of that key."""
        return self._by_name[self._order(key)[0]]

    def named(self, name: str) -> Provider[M] | None:
        """The provider of that name, as a ledger remembers it; None when it is no longer there."""
        return self._by_name.get(name)

    def after(self, name: str, key: str) -> Provider[M] | None:
        """The next to ask when `name` is busy; None when it was the key's last, or is not known.

        From `pick` on this meets every provider once.
        """
        if name not in self._by_name:
            return None
        order = self._order(key)
        rest = order[order.index(name) + 1 :]
        return self._by_name[rest[0]] if rest else None

    async def aclose(self) -> None:
        """Close every provider, also after one that fails to."""
        async with AsyncExitStack() as stack:
            for provider in self._by_name.values():
                stack.push_async_callback(provider.aclose)

    def _order(self, key: str) -> list[str]:
        return sorted(self._by_name, key=lambda name: (self._score(name, key), name), reverse=True)

    def _score(self, name: str, key: str) -> float:
        digest = hashlib.sha256(f"{name}\0{key}".encode()).digest()
        # 52 bits, so that the half fits in a float and the number stays between 0 and 1, neither included.
        drawn = (int.from_bytes(digest[:8]) >> 12) + 0.5
        return self._weights[name] / -math.log(drawn / 2**52)

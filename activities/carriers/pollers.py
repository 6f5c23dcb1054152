"""Which carriers are polled: POSTLUDE_CARRIER_URLS, in each URL `?rate=0.2` (requests a second) as wanted.

A carrier's own API serves that carrier's parcels, a service that speaks for any serves the rest
(`journey.polling.reaches`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pkgutil import resolve_name
from typing import Final, Self
from urllib.parse import SplitResult, parse_qs, urlsplit

from activities.carriers.protocol import Asked, Poller, Told
from journey.polling import Reach, reaches

SETTING: Final = "POSTLUDE_CARRIER_URLS"
_LEAST_RATE = 0.02
_KNOWN: Final = {
    "ups": "activities.carriers.ups:Ups",
    "fedex": "activities.carriers.fedex:Fedex",
    "usps": "activities.carriers.usps:Usps",
    "dhl": "activities.carriers.dhl:Dhl",
    "easypost": "activities.carriers.easypost_poll:EasyPostPoll",
    "aftership": "activities.carriers.aftership:AfterShipPoll",
    "shippo": "activities.carriers.shippo:ShippoPoll",
    "17track": "activities.carriers.seventeentrack:SeventeenTrackPoll",
}
"""By scheme; loaded when one is first wanted, since most shops use one or two of them."""


class Paced:
    """Another poller, asked `per_second` times a second at most, whoever asks. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        poller: Poller,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = poller.name
        self.carriers = poller.carriers
        self.at_once = poller.at_once
        self._poller = poller
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """Wait for a turn, then as the poller's own."""
        now = self._clock()
        turn = max(self._next, now)
        self._next = turn + self._interval
        if turn > now:
            await self._sleep(turn - now)
        return await self._poller.ask(parcels)

    async def aclose(self) -> None:
        """Close the poller."""
        await self._poller.aclose()


class Pollers:
    """The pollers that are configured, by name, each with the parcels it asks about.

    Raises:
        ValueError: two have the same name.
    """

    def __init__(self, pollers: Sequence[Poller]) -> None:
        self._by_name = {poller.name: poller for poller in pollers}
        if len(self._by_name) < len(pollers):
            raise ValueError(f"{SETTING}: each carrier or service is named once")
        self._reaches = reaches({poller.name: poller.carriers for poller in pollers})

    @classmethod
    def named_by(cls, urls: str | None) -> Self:
        """The pollers that the setting names, its URLs divided by blanks or line ends; None or blank for none.

        Raises:
            ValueError: a scheme is unknown, twice there, or something is missing; names the setting and never repeats
                a URL, which carries a secret.
        """
        return cls([_made(url) for url in (urls or "").split()])

    @property
    def names(self) -> list[str]:
        """The pollers' names, in the order they are configured; each has a workflow of its own."""
        return list(self._by_name)

    def named(self, name: str) -> tuple[Poller, Reach] | None:
        """The poller of that name, and which parcels it asks about; None when it is not configured here."""
        poller = self._by_name.get(name)
        return None if poller is None else (poller, self._reaches[name])

    async def aclose(self) -> None:
        """Close every poller, also after one that fails to."""
        async with AsyncExitStack() as stack:
            for poller in self._by_name.values():
                stack.push_async_callback(poller.aclose)


def _made(url: str) -> Poller:
    scheme, _, rest = url.partition("://")
    try:
        # A scheme that begins with a digit is none to the library (RFC 3986 3.1): it is told the rest alone.
        parts = urlsplit(f"//{rest}")._replace(scheme=scheme)
        _ = parts.port
    except ValueError:
        # What the library says repeats parts of the URL, and so of the secret in it.
        raise ValueError(f"{SETTING}: not a URL; in a user name or password write / as %2F, @ as %40") from None
    if parts.scheme not in _KNOWN:
        raise ValueError(f"{SETTING}: nobody known for this scheme; known are {', '.join(_KNOWN)}")
    make: Callable[[SplitResult], Poller] = resolve_name(_KNOWN[parts.scheme])
    poller = make(parts)
    rate = parse_qs(parts.query).get("rate")
    return poller if rate is None else Paced(poller, _rate(rate[0]))


def _rate(text: str) -> float:
    """A decimal number without sign or exponent. A lease is to outlast the longest wait for a turn."""
    if not text.isascii() or not text.replace(".", "", 1).isdecimal() or float(text) < _LEAST_RATE:
        raise ValueError(
            f"{SETTING}: ?rate= is a number of requests a second, such as 5 or 0.2, at least {_LEAST_RATE}"
        )
    return float(text)

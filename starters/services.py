"""What the gateway's endpoints work with, put together once where a process starts."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from activities.links import Links
from activities.messaging.brand import Brand
from activities.shops.protocol import Source
from journey.consent import Policy
from starters import preferences
from starters.relay import Relay
from store.pool import Pool

_LEAST = Policy()


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """What the gateway works with.

    Attributes:
        pool: the database.
        sources: adapters by endpoint, see `sources`.
        links: reads the tokens of the customers' pages.
        brand: how those pages look.
        brand_in: the same in the language of a locale; None where the shop has one for all.
        confirmations: sends the links of double opt-ins, see `starters.preferences.router`.
        policy: what the shop does about consent beyond the law's least.
        relay: woken by each webhook and run for the life of the app; None where relays run elsewhere and poll.
        temporal_ready: asks whether Temporal answers, for `/readyz`; None where nobody can say.
        clock: UTC, for when webhooks and opt-outs came.
    """

    pool: Pool
    sources: Mapping[str, Source]
    links: Links
    brand: Brand
    brand_in: Callable[[str], Brand] | None = None
    confirmations: preferences.Confirmations | None = None
    policy: Policy = _LEAST
    relay: Relay | None = None
    temporal_ready: Callable[[], Awaitable[bool]] | None = None
    clock: Callable[[], datetime] = _now

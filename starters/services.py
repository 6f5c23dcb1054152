"""What the gateway's endpoints work with, put together once where a process starts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from activities.links import Links
from activities.messaging.brand import Brand
from activities.shops.protocol import Source
from journey.consent import Policy
from starters import preferences
from starters.doors import Door
from starters.relay import Relay
from store.pool import Pool

_LEAST = Policy()


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Front:
    """What the customers' pages of a shop are made of.

    Attributes:
        links: reads the tokens of its pages, and makes further links.
        brand: how the pages look.
        brand_in: the same in the language of a locale; None where the shop has one for all.
        confirmations: sends the links of double opt-ins, see `starters.preferences.router`.
        policy: what the shop does about consent beyond the law's least.
    """

    links: Links
    brand: Brand
    brand_in: Callable[[str], Brand] | None = None
    confirmations: preferences.Confirmations | None = None
    policy: Policy = _LEAST


@dataclass(frozen=True, slots=True)
class Services:
    """What the gateway works with.

    Attributes:
        pool: the database.
        sources: the deployment's adapters by endpoint, see `starters.sources`.
        front: the customers' pages of all shops without a file.
        fronts: those of the shops with one, by their ids.
        relay: woken by each webhook and run for the life of the app; None where relays run elsewhere and poll.
        shops: the doors of the shops with a file, see `starters.doors`.
        closed: the names of those shops.
        temporal_ready: asks whether Temporal answers, for `/readyz`; None where nobody can say.
        clock: UTC, for when webhooks and opt-outs came.
    """

    pool: Pool
    sources: Mapping[str, Source]
    front: Front
    fronts: Mapping[str, Front] = field(default_factory=dict)
    relay: Relay | None = None
    shops: Sequence[Door] = ()
    closed: frozenset[str] = frozenset()
    temporal_ready: Callable[[], Awaitable[bool]] | None = None
    clock: Callable[[], datetime] = _now

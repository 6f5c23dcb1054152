"""What the ledger answers when it is asked for a message: the right to send it, or why not."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from journey.contact import Go
from journey.outcomes import DeliverRequest, FindOutRequest, Held, Refused
from journey.playbook import Channel

_KEY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one message, held by whoever has the token. `row` is the ledger's id.

    `doubtful` when an earlier try under the same name may have gone out: whatever comes of this one, the row
    can then not say any more that nothing did. `held_by` is the rule that the message waited for until now, and
    `asked_at` when, by its journey's clock, it was asked for first: a touch's patience begins then or when it was due.
    `again` is how often it may have gone out before under another name, and `rings_until` when the hours in which it
    may disturb end (UTC; None: never).
    """

    row: int
    token: uuid.UUID
    attempt_class: int
    message_id: str
    channel: Channel
    provider: str
    doubtful: bool = False
    held_by: str | None = None
    asked_at: datetime | None = None
    again: int = 0
    rings_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlreadySent:
    """An earlier attempt sent it and said so; only Temporal did not hear of it."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """An earlier attempt claimed it, its lease is over, and nobody knows what came of it.

    `claim` is the doubtful claim, to write down what became of it. `age` is how long ago, by the database's clock, the
    message may first have gone out under this name since it was last known not to have; `quiet` is for how long it
    surely has not been handed over under it. `answer` is what the contact rules say now: its own channel first.
    """

    claim: Claim
    age: timedelta
    quiet: timedelta
    answer: Go | Held | Refused


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Another attempt has claimed it and may be sending: its lease lasts for `rest` still, by the database's clock."""

    rest: timedelta


@dataclass(frozen=True, slots=True)
class Final:
    """The ledger ended this touch before; `status` is failed or in_doubt."""

    status: str
    rule: str


Ask = Claim | AlreadySent | Doubt | UnderWay | Final | Held | Refused


@dataclass(frozen=True, slots=True)
class Latest:
    """The row that says how a message stands: the one that was sent, else the one of the highest attempt class.

    `until`, `rule` and `why` are those of a hold. `provider` is None where nobody was to have it yet. `claim` is the
    doubtful claim of a row whose end nobody knows, with `rest` of its lease (zero when that is over), and `age` and
    `quiet` as a `Doubt` has them.
    """

    status: str
    channel: Channel
    provider: str | None
    rule: str | None
    until: datetime | None
    why: dict[str, str]
    claim: Claim | None
    rest: timedelta
    age: timedelta
    quiet: timedelta


class Settling(StrEnum):
    """What is to be done about a doubt."""

    LOOK_UP = "look_up"
    """The provider can say what became of it: ask."""
    SAME_KEY = "same_key"
    """The provider answers a repeated key with the first send: send it again under the same name."""
    NEW_NAME = "new_name"
    """Nobody can say, and a message twice is better than none: leave the doubt, send in the next attempt class."""
    HOLD = "hold"
    """It may not go now, and may later: the doubt waits."""
    LEAVE = "leave"
    """It does not go again."""


@dataclass(frozen=True, slots=True)
class Shut:
    """A way that is closed just now, by `rule`; `waits_for` is its name for `wait_for`."""

    rule: str
    waits_for: str


IsShut = Callable[[Channel, str | None], Shut | None]
"""Whether the way to a provider of a channel is closed; with None, whether those to all of the channel's are."""
Settles = Callable[[Doubt], Settling]


def message_key(request: DeliverRequest | FindOutRequest, attempt_class: int) -> str:
    """The message's name at the provider, the same for every try of one attempt class.

    Visible ASCII of at most 200 characters, so that it fits into any header and below Resend's limit of 256.
    """
    key = f"{request.shop}/{request.order_id}/{request.key}/{attempt_class}"
    if len(key) <= _KEY_LENGTH and key.isascii() and key.isprintable() and " " not in key:
        return key
    return str(uuid.uuid5(uuid.NAMESPACE_URL, key))

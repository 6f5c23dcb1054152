"""What the ledger answers when it is asked for a message: the right to send it, or why not."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from journey.contact import Go
from journey.outcomes import DeliverRequest, Held, Refused
from journey.playbook import Channel

_KEY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one message, held by whoever has the token. `row` is the ledger's id.

    `doubtful` when an earlier try under the same name may have gone out: whatever comes of this one, the row
    can then not say any more that nothing did. `held_by` is the rule that the message waited for until now, and
    `asked_at` when, by its journey's clock, it was asked for first: a touch's patience begins then or when it was due.
    `again` is how often it may have gone out before under another name, `rings_until` when the hours in which it may
    disturb end (UTC; None: never), and `version` the customer's `contact_version` that it was decided on.
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
    version: int = 0


@dataclass(frozen=True, slots=True)
class AlreadySent:
    """An earlier attempt sent it and said so; only Temporal did not hear of it."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """An earlier attempt claimed it and nobody knows what came of it.

    `age` is how long ago, by the database's clock, the message may first have gone out under this name since
    it was last known not to have; `provider` is whom it was given to, and `answer` what the contact rules say
    about it at `now` of the journey's clock, on the customer's `contact_version` of `version`: its own channel first.
    """

    row: int
    token: uuid.UUID
    attempt_class: int
    message_id: str
    channel: Channel
    provider: str
    age: timedelta
    answer: Go | Held | Refused
    now: datetime
    version: int
    held_by: str | None = None
    asked_at: datetime | None = None
    again: int = 0

    @property
    def claim(self) -> Claim:
        """The doubtful claim itself, to write down what became of it."""
        return Claim(
            self.row,
            self.token,
            self.attempt_class,
            self.message_id,
            self.channel,
            self.provider,
            doubtful=True,
            held_by=self.held_by,
            asked_at=self.asked_at,
            again=self.again,
            rings_until=self.answer.until if isinstance(self.answer, Go) else None,
            version=self.version,
        )


@dataclass(frozen=True, slots=True)
class Final:
    """The ledger ended this touch before; `status` is failed or in_doubt."""

    status: str
    rule: str


Ask = Claim | AlreadySent | Doubt | Final | Held | Refused


def message_key(request: DeliverRequest, attempt_class: int) -> str:
    """The message's name at the provider, the same for every try of one attempt class.

    Visible ASCII of at most 200 characters, so that it fits into any header and below Resend's limit of 256.
    """
    key = f"{request.shop}/{request.order_id}/{request.key}/{attempt_class}"
    if len(key) <= _KEY_LENGTH and key.isascii() and key.isprintable() and " " not in key:
        return key
    return str(uuid.uuid5(uuid.NAMESPACE_URL, key))

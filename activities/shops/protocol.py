"""What the gateway asks of whoever sends webhooks. One adapter a file; a new shop is a new file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol, runtime_checkable

from store.intake import Event, Malformed

__all__ = [
    "Answering",
    "Delivery",
    "Greeting",
    "Ignored",
    "Inquiring",
    "Malformed",
    "SignatureError",
    "Source",
    "UnreachableError",
]


class SignatureError(Exception):
    """The webhook is not proven to come from whom it claims; says why, never what was expected."""


class UnreachableError(Exception):
    """What the proof needs could not be had from the sender's own servers just now: let it send again."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A webhook that is rightly sent and means nothing here."""

    reason: str


@dataclass(frozen=True)
class Delivery:
    """One webhook as it came: headers with lower-case names, and the raw bytes that were signed.

    `query` are the parameters of its address, `target` is the path and query just as they were asked for
    (`/webhooks/twilio?key=a%2Fb`), for senders that sign where they send to.
    """

    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)
    target: str = ""

    @cached_property
    def document(self) -> Any:
        """The body as JSON, whatever it holds.

        Raises:
            Malformed: it is not JSON, not UTF-8, or nested beyond reason.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Malformed("body", "must be JSON in UTF-8") from None

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            Malformed: it is not JSON, not UTF-8, nested beyond reason, or not an object.
        """
        if not isinstance(self.document, dict):
            raise Malformed("body", "must be a JSON object")
        return self.document

    @cached_property
    def digest(self) -> str:
        """An id for a webhook whose sender gave it none: the hash of what it says."""
        return "sha256:" + sha256(self.body).hexdigest()


class Source(Protocol):
    """A shop or carrier that posts webhooks. Adapters do no I/O and keep no state."""

    name: str
    """The last part of its endpoint, `/webhooks/{name}`, and the `source` of its rows in the inbox."""

    def verify(self, delivery: Delivery) -> None:
        """Prove the sender.

        Raises:
            SignatureError: the signature is absent, malformed, wrong or too old.
        """

    def event_id(self, delivery: Delivery) -> str:
        """The sender's id of the event, the same for every repeat of it."""

    def topic(self, delivery: Delivery) -> str:
        """What kind of event it is, in the sender's words.

        Raises:
            Malformed: it does not say.
        """

    def translate(self, delivery: Delivery) -> Sequence[Event] | Ignored:
        """What it says, as canonical events in the order in which they hold; at least one, or why there is none.

        Raises:
            Malformed: names the field that is wrong.
        """


@runtime_checkable
class Inquiring(Protocol):
    """A source that asks its sender's own servers something about a webhook; both are awaited by the gateway."""

    async def inquire(self, delivery: Delivery) -> None:
        """Get what `verify` needs, such as a signing certificate.

        Raises:
            SignatureError: what it points to cannot be the sender's.
            UnreachableError: the sender's server did not answer.
        """

    async def confirm(self, delivery: Delivery) -> None:
        """Answer a verified webhook that wants more than a 2xx, such as a subscription to be confirmed.

        Raises:
            SignatureError: what it points to cannot be the sender's.
            UnreachableError: the sender's server did not answer.
        """


@runtime_checkable
class Answering(Protocol):
    """A source whose sender reads our answers: people who are just connecting a shop."""

    def unread(self, delivery: Delivery) -> Sequence[str]:
        """The fields of a webhook that nobody reads, dotted, without their values."""


@runtime_checkable
class Greeting(Protocol):
    """A source whose sender first asks by GET whether the endpoint is ours."""

    def greet(self, query: Mapping[str, str]) -> str | None:
        """What to answer, as plain text; None when the question does not know our secret."""

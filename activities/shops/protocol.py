"""What the gateway asks of whoever sends webhooks. One adapter a file; a new shop is a new file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol

from store.intake import Event, Malformed

__all__ = ["Delivery", "Ignored", "Malformed", "SignatureError", "Source"]


class SignatureError(Exception):
    """The webhook is not proven to come from whom it claims; says why, never what was expected."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A webhook that is rightly sent and means nothing here."""

    reason: str


@dataclass(frozen=True)
class Delivery:
    """One webhook as it came: headers with lower-case names, and the raw bytes that were signed."""

    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            Malformed: it is not JSON, not UTF-8, nested beyond reason, or not an object.
        """
        try:
            payload = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Malformed("body", "must be JSON in UTF-8") from None
        if not isinstance(payload, dict):
            raise Malformed("body", "must be a JSON object")
        return payload

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

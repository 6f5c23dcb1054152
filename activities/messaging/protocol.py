"""What every message provider is to us, and the four things that can come of asking it to send."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One mail, ready. `key` names it for ever at the provider, `message_id` is its RFC 5322 Message-ID.

    `headers` are further header fields, already free of line breaks.
    """

    key: str
    message_id: str
    sender: str
    sender_name: str
    to: str
    reply_to: str
    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it; `provider_id` is its own name for it, if it gave one."""

    provider_id: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never pass as it is. `rule` carries a code, never a text that might name a person."""

    rule: str
    address_dead: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """Certainly not accepted, and worth another try, at the provider's wish after `retry_after`."""

    rule: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have been accepted or not; only the provider knows."""

    rule: str


Receipt = Accepted | Rejected | Busy | Unclear


class LookupUnavailableError(Exception):
    """The provider could not be asked just now."""


class EmailProvider(Protocol):
    """A way to send mail.

    `remembers` is for how long the provider answers a repeated `key` with the first send (None: it does not);
    `looks_up` whether it can be asked what became of a key; `settles_after` how long its log may lag behind.
    """

    name: str
    remembers: timedelta | None
    looks_up: bool
    settles_after: timedelta

    async def send(self, message: Message) -> Receipt:
        """Ask the provider to send. Every failure is a `Receipt`; nothing is raised but a bug."""
        ...

    async def find(self, key: str, message_id: str) -> str | None:
        """The provider's own id for the message of that key, None when it never had it.

        Raises:
            LookupUnavailableError: it cannot be asked now, or not at all.
        """
        ...

    async def aclose(self) -> None:
        """Give connections back."""
        ...

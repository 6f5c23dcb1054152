"""What every message provider is to us, and the four things that can come of asking it to send."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar, runtime_checkable


@dataclass(frozen=True, slots=True)
class Mail:
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
class Text:
    """One SMS, ready. `key` names it for ever; `to` is E.164.

    `lasts` is for how long the network may try to deliver it (what is left of the hours in which it may ring),
    None for as long as the provider likes; `callback` where its provider tells what became of it.
    """

    key: str
    to: str
    body: str
    lasts: timedelta | None = None
    callback: str | None = None


@dataclass(frozen=True, slots=True)
class WhatsApp:
    """One WhatsApp message, ready. `to` is E.164.

    Outside of the 24 hours after the customer's own last word only an approved template may be sent: `template` is
    its name at the provider, `language` its code there (`de`, `en_GB`), `parameters` the values of its placeholders
    in order. `body` says the same in full, and goes as it is where `conversing`.
    """

    key: str
    to: str
    template: str
    language: str
    parameters: tuple[str, ...]
    body: str
    conversing: bool = False
    callback: str | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """One notification, ready. `to` is an FCM registration token, or a Web Push subscription as its JSON.

    `topic` replaces an older one on the screen that has the same (RFC 8030 5.4); after `lasts` it is not shown any
    more.
    """

    key: str
    to: str
    title: str
    body: str
    link: str
    topic: str
    lasts: timedelta


Message = Mail | Text | WhatsApp | Push


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it; `provider_id` is its own name for it, if it gave one."""

    provider_id: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never pass as it is. `rule` carries a code, never a text that might name a person.

    `address_dead` when nothing will ever reach this address again; `opted_out` when the provider knows that the
    person does not want to hear from this sender.
    """

    rule: str
    address_dead: bool = False
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """Certainly not accepted, and worth another try, at the provider's wish after `retry_after`.

    `everyone` when the provider would turn any message away just now; False when the answer may be about this one, its
    recipient or its hours alone.
    """

    rule: str
    retry_after: timedelta | None = None
    everyone: bool = True


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have been accepted or not; only the provider knows."""

    rule: str


Receipt = Accepted | Rejected | Busy | Unclear


class LookupUnavailableError(Exception):
    """The provider could not be asked just now."""


M_contra = TypeVar("M_contra", bound=Message, contravariant=True)


class Provider(Protocol[M_contra]):
    """A way to send one kind of message.

    `remembers` is for how long the provider answers a repeated `key` with the first send (None: it does not);
    `looks_up` whether it can be asked what became of a key; `settles_after` how long its log may lag behind.
    """

    name: str
    remembers: timedelta | None
    looks_up: bool
    settles_after: timedelta

    async def send(self, message: M_contra) -> Receipt:
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


@runtime_checkable
class Answering(Protocol):
    """A provider that can be asked whether it is there, without sending anything."""

    async def answers(self) -> bool:
        """Whether it answers, with anything but an error of its own. Nothing is raised."""
        ...


class Unsearchable:
    """What most providers have in common: they cannot be asked what became of a key, and do not know one again.

    One that answers a repeated key with the first send says for how long, in `remembers`.
    """

    remembers: timedelta | None = None
    looks_up = False
    settles_after = timedelta(0)

    async def find(self, key: str, message_id: str) -> str | None:
        """See `Provider`.

        Raises:
            LookupUnavailableError: always.
        """
        raise LookupUnavailableError(f"{type(self).__name__} cannot be asked about {key} ({message_id})")


EmailProvider = Provider[Mail]
TextProvider = Provider[Text]
WhatsAppProvider = Provider[WhatsApp]
PushProvider = Provider[Push]

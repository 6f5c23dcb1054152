"""What a message's provider, or its reader, said of it afterwards: one shape for every provider.

It names people (an address, a reply's words), so it lives in the inbox and its tables, never in a workflow. Forgiving
throughout: a provider's field that cannot be used becomes None, since a bounce without a readable code is a bounce.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from journey.playbook import Channel
from store import cleaning
from store.fields import TEXT_LENGTH, Identifier, Moment, Shop

Kind = Literal[
    "delivered", "bounced", "soft_bounce", "complained", "opened", "clicked", "replied", "opted_out", "failed"
]
"""What happened. `bounced` is for good, `soft_bounce` for now (a full mailbox, a delay); `failed` is a message that the
provider gave up without a word about the address."""

_NAME_LENGTH = 300
_LINK_LENGTH = 2000
# No blank and no @: a code, and never a server's sentence, which often quotes the address.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,79}")


def _name(value: object) -> str | None:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    text = text.strip() if isinstance(text, str) else ""
    return text if text and len(text) <= _NAME_LENGTH and text.isprintable() else None


def _link(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LINK_LENGTH or not value.isprintable():
        return None
    try:
        return value if urlsplit(value).scheme in {"http", "https"} else None
    except ValueError:
        return None


def _code(value: object) -> str | None:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text if isinstance(text, str) and _CODE.fullmatch(text) else None


def _said(value: object) -> str | None:
    return (cleaning.plain(value, TEXT_LENGTH) or None) if isinstance(value, str) else None


Name = Annotated[str | None, BeforeValidator(_name)]


class MessageFeedback(BaseModel):
    """One event of one message to one address.

    Attributes:
        provider: who says so, by the last part of its endpoint; `postlude` for our own click redirect.
        kind: see `Kind`.
        at: when it happened by the provider's clock, aware UTC.
        channel: how the message travelled.
        key: our own name for the message as the provider was given it, or the UUID made of it where the provider
            takes no other characters, see `store.feedback.names`.
        message_id: its RFC 5322 Message-ID.
        provider_id: the provider's name for the message; for a reply, for the message that was replied to.
        address: the e-mail address, or the number in E.164.
        machine: it was a proxy or a scanner that opened or clicked, no person.
        link: where a click went.
        text: a reply's words, in one line.
        reason: the provider's code for a failure, or its own reading of a reply (`STOP`), never a sentence.
        event_id: the provider's name for this event, the same for every repeat of it; None where it has none.
        shop: whose provider it is: it speaks of that shop's messages and people alone. None for the deployment's own.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["message.feedback"] = "message.feedback"
    provider: Identifier
    kind: Kind
    at: Moment
    channel: Channel
    key: Name = None
    message_id: Name = None
    provider_id: Name = None
    address: str | None = None
    machine: bool = False
    link: Annotated[str | None, BeforeValidator(_link)] = None
    text: Annotated[str | None, BeforeValidator(_said)] = None
    reason: Annotated[str | None, BeforeValidator(_code)] = None
    event_id: Name = None
    shop: Shop | None = None

    @model_validator(mode="before")
    @classmethod
    def _addressed(cls, given: Any) -> Any:
        """Bring the address to the one form that the tables have, or to None."""
        if not isinstance(given, Mapping):
            return given
        address, channel = given.get("address"), given.get("channel")
        if channel == Channel.EMAIL:
            address = cleaning.email(address)
        elif channel in {Channel.SMS, Channel.WHATSAPP}:
            address = cleaning.phone(address, None)
        else:
            address = _name(address)
        return {**given, "address": address}

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `message:{name}`, by the best name there is.

        WhatsApp's own names are left out as they are: they hold the number, and subjects are written to logs.
        """
        ours = self.key or self.message_id
        theirs = self.provider_id or self.identity
        if self.channel is Channel.WHATSAPP:
            theirs = hashlib.sha256(theirs.encode()).hexdigest()[:32]
        return f"message:{ours or theirs}"

    @property
    def identity(self) -> str:
        """The event's own name, or one made of what it says."""
        said = self.model_dump_json(exclude={"machine", "shop"})
        name = self.event_id or "sha256:" + hashlib.sha256(said.encode()).hexdigest()
        # Two shops' providers may have one name for two events.
        return name if self.shop is None else f"{self.shop}\n{name}"

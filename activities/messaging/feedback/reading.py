"""What the providers' adapters share: comparing secrets, judging timestamps, reaching into JSON."""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any

from activities.shops.protocol import Delivery, Malformed, SignatureError
from store.intake import MessageFeedback, build

AHEAD = timedelta(minutes=5)
"""How far a sender's clock may run ahead of ours."""
OURS = "postlude"
"""The name under which a provider keeps our key beside the message."""


_SECONDS = re.compile("[0-9]{10}")


def same(given: str, expected: str) -> bool:
    """Whether two texts are the same, told in a time that says nothing about where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def check_fresh(timestamp: object, *, now: datetime, within: timedelta) -> None:
    """See that a signed timestamp, in seconds since 1970, lies not further back than `within`.

    It has ten digits and nothing else, so that none of them can have been borrowed from what is signed after it.

    Raises:
        SignatureError: it is no timestamp, too old, or ahead of us.
    """
    if _SECONDS.fullmatch(str(timestamp)) is None:
        raise SignatureError("Malformed timestamp")
    signed = datetime.fromtimestamp(int(str(timestamp)), UTC)
    if signed < now - within:
        raise SignatureError("Message timestamp too old")
    if signed > now + AHEAD:
        raise SignatureError("Message timestamp too new")


def signed_object(delivery: Delivery) -> dict[str, Any]:
    """The body of a sender that signs inside it; what cannot be read proves nothing.

    Raises:
        SignatureError: the body is no JSON object.
    """
    try:
        return delivery.payload
    except Malformed as error:
        raise SignatureError(f"Malformed {error.field}") from None


def table(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one in the place of anything else."""
    return value if isinstance(value, Mapping) else {}


def objects(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects of a list, leaving out anything else."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def word(value: object) -> str:
    """A text, or an empty one in the place of anything else."""
    return value if isinstance(value, str) else ""


def from_epoch(value: object) -> datetime | None:
    """Seconds since 1970, as a number or as text, as a moment in UTC; None when they are not."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def mailbox(value: object) -> str | None:
    """The address of `Ada <ada@example.com>`, or of a bare one."""
    return parseaddr(word(value))[1] or None


def feedback(values: Mapping[str, Any], **names: str) -> MessageFeedback:
    """An event from an adapter's values; `names` are the provider's words for our fields.

    Raises:
        Malformed: there is no moment at which it happened.
    """
    return build(MessageFeedback, values, names=names)

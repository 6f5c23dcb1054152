"""What a codec keeps in Temporal, read again: whoever fetches a history himself gets it as it is kept."""

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import PayloadCodec


async def decoded(events: Sequence[HistoryEvent], codec: PayloadCodec | None) -> Sequence[HistoryEvent]:
    """The events with every payload in them decoded, in place; as they are where there is no codec.

    Raises whatever the codec raises, such as for a key that it does not have.
    """
    if codec is None:
        return events
    kept = [payload for event in events for payload in _payloads(event)]
    for payload, plain in zip(kept, await codec.decode(kept), strict=True):
        payload.CopyFrom(plain)
    return events


def _payloads(message: Message) -> Iterator[Payload]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for one in _messages(value):
            if isinstance(one, Payload):
                yield one
            else:
                yield from _payloads(one)


def _messages(value: Any) -> Iterator[Message]:
    """The messages of a field: one, several, or those of a map."""
    if isinstance(value, Message):
        yield value
    else:
        several = value.values() if hasattr(value, "values") else value
        yield from (one for one in several if isinstance(one, Message))

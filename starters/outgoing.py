"""The few messages that the HTTP side sends by itself, as an answer to what somebody just did: no journey knows them.

They are not in the ledger, since they are no part of a journey and nothing may hold them: who texts HELP, or asks for
a link, waits for it.
"""

import asyncio
from typing import Any

from activities.messaging.protocol import Busy, Message, Receipt, Unclear
from activities.messaging.senders import Senders
from journey.playbook import Channel

_PATIENCE_SECONDS = 10.0
NOBODY = "no_provider"
"""The rule where nobody carries the channel."""


async def send(senders: Senders, channel: Channel, message: Message, *, first: str | None = None) -> Receipt:
    """Send a message now, by the next provider where one is busy, for ten seconds at most.

    Args:
        senders: who carries what.
        channel: how it goes.
        message: ready, of that channel's kind.
        first: the provider to ask first, such as the one that somebody wrote to; passed over where there is none of
            that name.

    Returns:
        The last receipt; `Busy` where nobody carries the channel, `Unclear` where the time was up.
    """
    receipt: Receipt = Busy(NOBODY)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            provider = _first(senders, channel, message.key, first)
            while provider is not None and isinstance(receipt, Busy):
                receipt = await provider.send(message)
                following = senders.after(channel, provider.name, message.key)
                provider = None if following is None else senders.named(channel, following)
    except TimeoutError:
        return Unclear("no_answer_in_time")
    return receipt


def carries(senders: Senders, channel: Channel) -> bool:
    """Whether anybody carries the channel."""
    return senders.name_for(channel, "") is not None


def _first(senders: Senders, channel: Channel, key: str, wanted: str | None) -> Any | None:
    if wanted is not None and (provider := senders.named(channel, wanted)) is not None:
        return provider
    name = senders.name_for(channel, key)
    return None if name is None else senders.named(channel, name)

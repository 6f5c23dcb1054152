"""Everybody who can carry a message, by channel, and how one prepared message is handed to a provider."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from activities.messaging.inbox import Inbox, Note
from activities.messaging.pace import Paced
from activities.messaging.protocol import Accepted, Busy, EmailProvider, Message, Provider, Receipt, Rejected, Unclear
from activities.messaging.providers import route
from activities.messaging.routes import Route
from journey.playbook import Channel


class Senders:
    """The providers of each channel that has any. Channels that nobody serves are simply not there."""

    def __init__(self, routes: dict[Channel, Route[Any]], *, inbox: Inbox | None = None) -> None:
        self._routes = routes
        self._inbox = inbox

    @classmethod
    def of(cls, email: EmailProvider, **others: Provider[Any]) -> "Senders":
        """One provider for mail, and one for each further channel, by the channel's name."""
        routes: dict[Channel, Route[Any]] = {Channel.EMAIL: Route([email], [1])}
        return cls(routes | {Channel(name): Route([provider], [1]) for name, provider in others.items()})

    @classmethod
    def named_by(cls, settings: Mapping[Channel, str | None]) -> "Senders":
        """The providers that the settings' URLs name.

        Raises:
            ValueError: a URL is not usable; names the setting, never the URL.
        """
        return cls({channel: route(channel, urls) for channel, urls in settings.items() if urls})

    def with_inbox(self, inbox: Inbox) -> "Senders":
        """The same, and rows of the in-app inbox."""
        return Senders(self._routes, inbox=inbox)

    def name_for(self, channel: Channel, key: str) -> str | None:
        """Who carries the message of that key; None when nobody serves the channel."""
        if channel is Channel.INBOX:
            return self._inbox.name if self._inbox is not None else None
        providers = self._routes.get(channel)
        return None if providers is None else providers.pick(key).name

    def named(self, channel: Channel, name: str) -> Any | None:
        """The provider of a name, as the ledger remembers it; None when it is not there any more."""
        if channel is Channel.INBOX:
            return self._inbox
        providers = self._routes.get(channel)
        return None if providers is None else providers.named(name)

    def names(self, channel: Channel) -> tuple[str, ...]:
        """Everybody who carries messages of that channel."""
        if channel is Channel.INBOX:
            return (self._inbox.name,) if self._inbox is not None else ()
        providers = self._routes.get(channel)
        return () if providers is None else providers.names

    def after(self, channel: Channel, name: str, key: str) -> str | None:
        """Who is asked next when that one is busy; None when there is nobody else."""
        providers = self._routes.get(channel)
        following = providers.after(name, key) if providers is not None else None
        return None if following is None else following.name

    async def aclose(self) -> None:
        """Close every provider, also after one that fails to."""
        async with AsyncExitStack() as stack:
            for providers in self._routes.values():
                stack.push_async_callback(providers.aclose)


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of handing over: the receipt, and the addresses that nothing will ever reach again.

    `asked` is whether the provider was asked at all.
    """

    receipt: Receipt
    dead: tuple[str, ...] = ()
    asked: bool = True


async def carry(provider: Any, messages: Sequence[Message | Note], still_ours: Callable[[], bool]) -> Carried:
    """Hand a message to its provider: one, or the same notification to each of a customer's devices.

    It went out when one device took it. It is unclear when one may have; busy when every one that is alive was. Each
    is begun only while it is `still_ours`: an attempt that stood still may have been taken for dead.
    """
    receipts: list[tuple[Message | Note, Receipt]] = []
    asked = False
    for message in messages:
        paced = isinstance(provider, Paced)
        receipt: Receipt | None = await provider.turn() if paced else None
        if receipt is None and not still_ours():
            receipt = Busy("stood_still")
        if receipt is None:
            asked = True
            receipt = await (provider.at_once(message) if paced else provider.send(message))
        receipts.append((message, receipt))
    dead = tuple(
        message.to
        for message, receipt in receipts
        if isinstance(receipt, Rejected) and receipt.address_dead and not isinstance(message, Note)
    )
    for kind in (Accepted, Unclear, Busy):
        for _, receipt in receipts:
            if isinstance(receipt, kind):
                return Carried(receipt, dead, asked)
    return Carried(receipts[0][1], dead, asked)

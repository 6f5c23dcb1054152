"""What dispatching reaches beyond the tables, each injected: journeys, shops' APIs, and people."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from journey import events as facts
from journey.order import OrderFacts
from journey.remedies import RemedyRequest
from store import intake
from store.concerns import Concern
from store.inbox import Claimed
from store.letters import Letters
from store.pool import Connection

ENDED = "journey has ended"
"""The note of a fact that came after its journey's end."""
Then = Callable[[Claimed], Awaitable[None]]
"""What is left to do once a word of somebody's is kept. It may be done again, with a row that comes again."""
Replies = Callable[[Connection, intake.MessageFeedback], Awaitable[Then | None]]
"""Listens to people: awaited with each `replied` and `opted_out`, in the transaction that keeps it."""

Unheard = Callable[[Claimed, intake.DeliveryDenied], Awaitable[None]]
"""Told of a customer's word that no journey hears any more. May be told again, with a row that comes again."""
Buried = Callable[[Letters], Awaitable[bool]]
"""Told of dead letters of one kind; False where people could not be told now and are to be told later."""
Concerned = Callable[[Concern], Awaitable[bool]]
"""Told of what people are to know of an order; False as above."""
Fetch = Callable[[str, str], Awaitable[Sequence[intake.Event] | None]]
"""Reads an order (shop, order id) from the shop's own API, as canonical events; None where the shop has none here.

Raises whatever the shop's API raises: the row is tried again.
"""


class JourneyMissingError(Exception):
    """There is no such journey where there should be one."""


class Journeys(Protocol):
    """Where journeys run. Every call may be repeated, and raise `RPCError` while Temporal is away."""

    async def start(self, facts: OrderFacts, playbook: str) -> bool:
        """Start an order's journey under a playbook's digest; False when it exists already."""

    async def settle(self, request: RemedyRequest) -> bool:
        """Start the saga of a remedy that was chosen; False when it was started before."""

    async def signal(self, shop: str, order_id: str, event: facts.Event) -> bool:
        """Tell a journey one fact; False when it has closed.

        Raises:
            JourneyMissingError: there is none by this name, or none any more.
        """


async def no_shop(_shop: str, _order_id: str) -> None:
    """No shop's API is known here."""


async def nobody(_row: Claimed, _event: intake.DeliveryDenied) -> None:
    """Nobody is told."""


async def unsaid(_what: object) -> bool:
    """Nobody is to be told."""
    return True

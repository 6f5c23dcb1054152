"""The in-app inbox as a provider: a message is a row that the customer's page and an API show.

The row's key is the message's own, so that laying it in twice is laying it in once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.messaging.protocol import Accepted, Busy, Receipt, Rejected, Unsearchable
from store import notes
from store.pool import AWAY, Pool


@dataclass(frozen=True, slots=True)
class Note:
    """One row, ready: plain text, and a link or None. Not shown any more from `expires_at` on; moments are UTC."""

    shop: str
    order_id: str
    touch_key: str
    title: str
    body: str
    link: str | None
    at: datetime
    expires_at: datetime | None


class Inbox(Unsearchable):
    """Lays notes into the inbox of one database."""

    name = "inbox"
    remembers: timedelta | None = timedelta(days=3660)

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def send(self, message: Note) -> Receipt:
        """Lay it in, once."""
        try:
            there = await notes.put(
                self._pool,
                shop=message.shop,
                order_id=message.order_id,
                touch_key=message.touch_key,
                title=message.title,
                body=message.body,
                link=message.link,
                at=message.at,
                expires_at=message.expires_at,
            )
        except AWAY:
            return Busy("inbox_away")
        return Accepted(None) if there else Rejected("inbox_order_unknown")

    async def aclose(self) -> None:
        """Nothing is open."""

"""A desk with several ways out: mail, texts, notifications and the inbox, each to a vendor of its own on loopback."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from journey.outcomes import Outcome
from journey.playbook import Channel, ContactRules, Playbook
from store.ledger import Ledger
from tests.activities.desk import PLACED, Desk
from tests.messaging.push.kit import Google
from tests.messaging.text.standins import TwilioApi
from tests.support.loopback import Api, Arrival
from tests.support.orders import Order, Person
from tests.support.world import order_id

NUMBER = "+4915112340001"
ROOMY: Mapping[str, Any] = {"per_day": 20, "per_week": 50}
EMAIL, SMS, PUSH, INBOX = Channel.EMAIL, Channel.SMS, Channel.PUSH, Channel.INBOX


def somebody(**changes: Any) -> Person:
    """A customer nobody wrote to before, who can be reached by mail and by phone and said yes to both."""
    usual = {"customer_id": order_id(), "phone": NUMBER, "texts": True}
    usual["email"] = f"ada.{usual['customer_id']}@example.com"
    return Person(**{**usual, **changes})


@dataclass(frozen=True, kw_only=True)
class Street(Desk):
    """A desk whose mail goes by `mail` (Resend or Postmark), its texts by Twilio, its notifications by Google."""

    mail: Api
    twilio: TwilioApi
    google: Google

    def with_touches(self, *channels: Channel, rules: Mapping[str, Any] = ROOMY, **changes: Any) -> "Street":
        """The same street for touches that all name these channels, under contact rules that are in nobody's way."""
        touches = tuple(touch.but(channels=channels, **changes) for touch in self.playbook.touches)
        contact = ContactRules.model_validate(rules)
        # Built anew: a copy would keep what the first one worked out about its touches.
        playbook = Playbook.model_validate(self.playbook.model_dump() | {"touches": touches, "contact": contact})
        return replace(self, playbook=playbook)

    async def order(self, **changes: Any) -> Order:
        """An order of somebody who can be reached by mail and by text."""
        return await super().order(**{"person": somebody(), **changes})

    def mails(self, order: Order) -> list[Arrival]:
        """The mails that arrived, of this order."""
        return [one for one in self.mail.arrivals() if one.order == f"{order.shop}/{order.order_id}"]

    def texts(self, order: Order) -> list[Arrival]:
        """The texts that arrived, of this order."""
        return [one for one in self.twilio.arrivals() if one.key.startswith(f"{order.shop}/{order.order_id}/")]

    def pushed(self, order: Order) -> list[str]:
        """The devices that a notification of this order was sent to, whatever was answered."""
        messages = [one.json()["message"] for one in self.google.messages()]
        mine = f"{order.shop}/{order.order_id}/"
        return [one["token"] for one in messages if one["data"]["postlude"].startswith(mine)]

    async def once(self, order: Order, touch: str, **changes: Any) -> Outcome:
        """One attempt at a touch that is due now."""
        request = self.request(order, touch).but(**changes)
        return (await self.deliveries().deliver(request)).outcome(now=request.now)

    async def story(self, order: Order, touch: str | None = None) -> list[tuple[str, str, str | None]]:
        """Channel, status and rule of the order's rows, in order of attempt class."""
        rows = [row for row in await self.rows(order) if touch in {None, row["touch_key"]}]
        return [(row["channel"], row["status"], row["rule"]) for row in rows]


async def suppressed(desk: Desk, channel: Channel, address: str, reason: str) -> None:
    """That address has bounced, complained or opted out."""
    await Ledger(desk.pool, domain="shop.test").suppress("acme", channel, address, reason, now=PLACED)

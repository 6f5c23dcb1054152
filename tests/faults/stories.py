"""What shops and carriers tell about an order, as webhooks in the order in which it happened."""

from collections.abc import Callable
from datetime import datetime, timedelta

from journey.playbook import Playbook
from tests.faults.webhooks import Webhook, from_carrier, from_shop

SHOP = "acme"
REPEATING = frozenset(
    {
        "pickup_reminder",
        "remedy_reminder",
        "setup_tips",
        "check_in",
        "thank_you",
        "review_reminder",
        "bundle",
        "discount",
        "whats_new",
        "vip_invite",
    }
)
"""Touches that stand beside another one with the same anchor, phase and endings, only later."""


def short(playbook: Playbook) -> Playbook:
    """A playbook without them: every anchor, phase and ending is still there, at two thirds of the messages."""
    kept = [touch for touch in playbook.touches if touch.id not in REPEATING]
    fields = {name: getattr(playbook, name) for name in Playbook.model_fields}
    shorter = Playbook.model_validate(fields | {"touches": kept})
    for told in (
        lambda book: {(touch.anchor, touch.purpose) for touch in book.touches},
        lambda book: {touch.phase for touch in book.touches},
        lambda book: {ending for touch in book.touches for ending in book.endings[touch.id]},
    ):
        assert told(shorter) == told(playbook)
    return shorter


class Teller:
    """Tells one order's story; moments are hours before `base`."""

    def __init__(self, order_id: str, base: datetime, zone: str) -> None:
        self.order_id = order_id
        self.told: list[Webhook] = []
        self._base = base
        self._zone = zone

    def created(self, hours: float, *skus: str, orders: int = 1) -> None:
        """The order of these SKUs."""
        customer = {
            "customer_id": f"c-{self.order_id}",
            "email": "ada@example.com",
            "first_name": "Ada",
            "time_zone": self._zone,
            "country": "DE",
            "orders_count": orders,
            "consent": {"email_marketing": True},
        }
        self.shop("order.created", hours, currency="EUR", customer=customer, **_goods(*skus))

    def edited(self, hours: float, *skus: str) -> None:
        """The order is of these SKUs now."""
        self.shop("order.edited", hours, currency="EUR", **_goods(*skus))

    def refunded(self, hours: float, amount: str, *, full: bool) -> None:
        """Money went back."""
        self.shop("order.refunded", hours, refund_id=f"r{hours}", amount=amount, currency="EUR", full=full)

    def shipped(self, hours: float, number: str, *skus: str, days: int = 2) -> None:
        """A parcel left, promised in so many days."""
        promised = (self._at(hours) + timedelta(days=days)).date().isoformat()
        more = {"lines": list(skus)} if skus else {}
        number = self._number(number)
        self.shop("shipment.created", hours, tracking_number=number, carrier="DHL", estimated_delivery=promised, **more)

    def scan(self, hours: float, number: str, status: str, detail: str | None = None, days: int | None = None) -> None:
        """The carrier's word, perhaps with a reason, and with a promise in so many days."""
        at = self._at(hours)
        more: dict[str, object] = {"status_detail": detail} if detail else {}
        if days is not None:
            more["est_delivery_date"] = (at + timedelta(days=days)).date().isoformat()
        self.told.append(from_carrier(self._event(), self._number(number), at, status, **more))

    def shop(self, kind: str, hours: float, **data: object) -> None:
        """Any other word of the shop's."""
        data = {"shop": SHOP, "order_id": self.order_id, **data}
        self.told.append(from_shop(self._event(), kind, self._at(hours), **data))

    def _at(self, hours: float) -> datetime:
        return self._base - timedelta(hours=hours)

    def _event(self) -> str:
        return f"{self.order_id}-{len(self.told)}"

    def _number(self, number: str) -> str:
        return f"{self.order_id}-{number}"


def _goods(*skus: str) -> dict[str, object]:
    lines = [
        {"sku": sku, "title": "A thing", "quantity": 1, "unit_price": "30.00", "category": "fitness"} for sku in skus
    ]
    return {"total": f"{30 * len(skus)}.00", "lines": lines}


def delivered(story: Teller) -> None:
    """Without a hitch; the customer has everything and hears all of it."""
    story.created(80, "YM-1")
    story.shipped(50, "T1")
    story.scan(49, "T1", "pre_transit")
    story.scan(40, "T1", "in_transit")
    story.scan(6, "T1", "out_for_delivery")
    story.scan(2, "T1", "delivered")


def split_and_late(story: Teller) -> None:
    """Two parcels, one delayed and then tried in vain; a poor review."""
    story.created(100, "YM-1", "YB-2", orders=3)
    story.shipped(60, "T1", "YM-1")
    story.shipped(55, "T2", "YB-2")
    story.scan(40, "T1", "delivered")
    story.scan(30, "T2", "in_transit", "delayed", days=4)
    story.scan(20, "T2", "in_transit", "unable_to_deliver")
    story.scan(5, "T2", "delivered")
    story.shop("review.posted", 1, rating=1, sku="YB-2", text="Too late")


def called_off(story: Teller) -> None:
    """Edited, then cancelled and paid back."""
    story.created(30, "YM-1")
    story.edited(25, "YM-1", "YB-2")
    story.edited(24, "YB-2")
    story.shop("order.cancelled", 20)
    story.refunded(10, "30.00", full=True)


def cancelled_on_the_way(story: Teller) -> None:
    """Cancelled after the parcel had left."""
    story.created(70, "YM-1")
    story.shipped(50, "T1")
    story.scan(40, "T1", "in_transit")
    story.shop("order.cancelled", 30)
    story.scan(20, "T1", "return_to_sender")


def lost(story: Teller) -> None:
    """The carrier gives the parcel up, and the shop pays back."""
    story.created(90, "YM-1")
    story.shipped(60, "T1")
    story.scan(50, "T1", "in_transit")
    story.scan(20, "T1", "failure", "lost")
    story.refunded(5, "30.00", full=True)


def refused_at_the_door(story: Teller) -> None:
    """The customer does not take it, and gets a part of the money back, then the rest."""
    story.created(90, "YM-1")
    story.shipped(60, "T1")
    story.scan(40, "T1", "out_for_delivery")
    story.scan(39, "T1", "failure", "refused")
    story.refunded(12, "10.00", full=False)
    story.refunded(6, "20.00", full=True)


def praised_and_back(story: Teller) -> None:
    """Delivered, praised at once, and partly paid back for a scratch."""
    story.created(80, "YM-1")
    story.shipped(50, "T1")
    story.scan(3, "T1", "delivered")
    story.shop("review.posted", 2, rating=5, text="Good")
    story.shop("review.posted", 1, rating=2, text="A scratch, though")
    story.refunded(1, "5.00", full=False)


STORIES: tuple[Callable[[Teller], None], ...] = (
    called_off,
    split_and_late,
    lost,
    cancelled_on_the_way,
    refused_at_the_door,
    praised_and_back,
    called_off,
    lost,
    delivered,
    cancelled_on_the_way,
)

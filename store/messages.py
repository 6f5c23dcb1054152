"""What a message needs to be written: the person, the order and the parcel, looked up at the moment of sending."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from journey.numbers import made_up
from journey.parcels import Method
from journey.playbook import Channel, Touch
from journey.sums import Sums
from journey.zones import possible_zones, zone_named
from store import deliveries
from store.delivery import UNSAID, Delivery
from store.lanes import estimates
from store.line_facts import NOTHING, LineFact, of
from store.of_order import ITS_CUSTOMER
from store.pool import Pool
from store.refunds import OF_ORDER, Refund, all_back, of_row, paid_back, totals_of
from store.shipments import CAME_BEFORE
from store.sums import read as read_sums
from store.taken_off import TAKEN_OFF, units_of


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A line as it was bought; prices are per unit in the order's currency, `more` is what else is known of it."""

    sku: str
    title: str
    quantity: int
    unit_price: Decimal
    category: str | None
    kind: str
    more: LineFact = NOTHING


@dataclass(frozen=True, slots=True)
class MessageParcel:
    """A parcel as the shipments table has it; `number` counts from one among the order's `count`.

    `tracking_number` is its key; `shown` the number as the shop wrote it, empty where it was sent without one.
    `tracking_url` is where its carrier or the shop has it followed, `co2_grams` what it causes, as `co2_source` says.
    """

    tracking_number: str
    carrier: str | None
    status: str
    reason: str | None
    estimated_delivery: date | None
    first_estimate: date | None
    number: int
    count: int
    skus: tuple[str, ...] | None = None
    pickup: bool = False
    written: str | None = None
    tracking_url: str | None = None
    co2_grams: Decimal | None = None
    co2_source: str | None = None

    @property
    def shown(self) -> str:
        """The number that its customer reads."""
        return self.written or ("" if made_up(self.tracking_number) else self.tracking_number)


@dataclass(frozen=True, slots=True)
class MessageRemedy:
    """How the making good of a parcel stands; `amount` in the order's currency, `choose_by` UTC."""

    reason: str
    options: tuple[str, ...]
    amount: Decimal
    choose_by: datetime
    choice: str | None
    reference: str | None
    coupon: str | None


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """All of it. Times are UTC.

    `email` and `phone` (E.164) are the customer's own, `contact_email` and `contact_phone` those given for this order,
    None when there is no usable one. `devices` are the push addresses of a channel that the order's links registered,
    the last one first, `remedies` by the parcel they make good. `refunds` are those that were paid, by id. `number` is
    what the shop shows of the order, empty where that is its id. `revised` are the days by which overdue parcels may be
    expected, where somebody looked (`with_revised_days`). `locale` is BCP 47: the one the customer chose, else the one
    the shop knows. `collected`: it is kept ready in the shop's own store. `sums` is what the total is made of, in the
    currency that was paid in. `taken_off` is what refunds are of, paid or not, each SKU with how many; `came_before`
    whether a parcel was delivered that is none of the order's any more.
    """

    shop: str
    order_id: str
    email: str | None
    first_name: str
    locale: str
    time_zone: str | None
    country: str | None
    placed_at: datetime
    currency: str
    total: Decimal
    channel: str
    buyer: str
    lines: tuple[MessageLine, ...]
    parcels: tuple[MessageParcel, ...]
    phone: str | None = None
    collected: bool = False
    cancelled: bool = False
    delivery: Delivery = UNSAID
    promised: tuple[date | None, date | None] = (None, None)
    devices: Mapping[Channel, tuple[str, ...]] = field(default_factory=dict)
    remedies: Mapping[str, MessageRemedy] = field(default_factory=dict)
    number: str = ""
    sums: Sums | None = None
    contact_email: str | None = None
    contact_phone: str | None = None
    revised: Mapping[str, date] = field(default_factory=dict)
    refunds: Mapping[str, Refund] = field(default_factory=dict)
    taken_off: tuple[tuple[str, int], ...] = ()
    came_before: bool = False

    @property
    def paid_back(self) -> Mapping[str, Decimal]:
        """What was paid back so far, by currency."""
        return paid_back(self.refunds)

    @property
    def all_back(self) -> bool:
        """Whether all of it was paid back."""
        return all_back(self.refunds, totals_of(self.currency, self.total, self.sums))

    @property
    def shown(self) -> str:
        """The order as its customer knows it: by its number, or by its id where that is all there is."""
        return self.number or self.order_id

    def email_for(self, touch: Touch) -> str | None:
        """Where a mail goes: about the order to the address given for it, marketing to the one that agreed to it."""
        return self.email if touch.marketing else self.contact_email or self.email

    def phone_for(self, touch: Touch) -> str | None:
        """The same for texts."""
        return self.phone if touch.marketing else self.contact_phone or self.phone

    def parcel(self, tracking_number: str | None) -> MessageParcel | None:
        """The parcel of that number."""
        return next((one for one in self.parcels if one.tracking_number == tracking_number), None)


_LOAD = f"""
SELECT o.*, c.email, c.phone, c.first_name, coalesce(p.locale, c.locale) AS locale, c.time_zone, c.country,
       ARRAY(SELECT d.channel || ' ' || d.address FROM devices d
              WHERE d.shop = o.shop AND d.order_id = o.order_id AND d.dead_at IS NULL
              ORDER BY d.created_at DESC, d.address) AS devices,
       (SELECT row_to_json(d) FROM deliveries d WHERE (d.shop, d.order_id) = (o.shop, o.order_id)) AS delivery,
       {OF_ORDER} AS refunds, {TAKEN_OFF} AS taken_off, {CAME_BEFORE} AS came_before,
       (SELECT array_agg(l ORDER BY position) FROM lines l
         WHERE l.shop = o.shop AND l.order_id = o.order_id) AS lines,
       (SELECT array_agg(s ORDER BY created_at, tracking_number) FROM shipments s
         WHERE s.shop = o.shop AND s.order_id = o.order_id AND NOT s.left_out) AS parcels,
       (SELECT array_agg(r) FROM remedies r WHERE r.shop = o.shop AND r.order_id = o.order_id) AS remedies,
       (SELECT json_object_agg(made.order_id, made.number) FROM remedies r
          JOIN orders made ON made.shop = r.shop AND made.order_id = r.reference AND made.number IS NOT NULL
         WHERE r.shop = o.shop AND r.order_id = o.order_id AND r.choice = 'replacement') AS made
FROM orders o {ITS_CUSTOMER} LEFT JOIN preferences p ON p.shop = c.shop AND p.customer_id = c.customer_id
WHERE o.shop = $1 AND o.order_id = $2
"""  # noqa: S608  a constant


async def load(pool: Pool, shop: str, order_id: str) -> MessageFacts | None:
    """The facts of one order's next message, as of one moment; None when the order is unknown or was erased."""
    order = await pool.fetchrow(_LOAD, shop, order_id)
    if order is None:
        return None
    lines, parcels = order["lines"] or (), order["parcels"] or ()
    # What a remedy made goes by the number that its own webhook told, once that has come.
    made = json.loads(order["made"] or "{}")
    return MessageFacts(
        shop=shop,
        order_id=order_id,
        email=order["email"],
        first_name=order["first_name"],
        locale=order["locale"],
        time_zone=order["time_zone"],
        country=order["country"],
        placed_at=order["placed_at"],
        currency=order["currency"],
        total=order["total"],
        channel=order["channel"],
        buyer=order["buyer"],
        lines=tuple(
            MessageLine(
                row["sku"], row["title"], row["quantity"], row["unit_price"], row["category"], row["kind"], of(row)
            )
            for row in lines
        ),
        parcels=tuple(
            MessageParcel(
                row["tracking_number"],
                row["carrier"],
                row["status"],
                row["reason"],
                row["estimated_delivery"],
                row["first_estimate"],
                number,
                len(parcels),
                None if row["skus"] is None else tuple(row["skus"]),
                row["method"] == Method.PICKUP,
                row["written"],
                row["tracking_url"],
                row["co2_grams"],
                row["co2_source"],
            )
            for number, row in enumerate(parcels, start=1)
        ),
        refunds=of_row(order["refunds"]),
        sums=read_sums(order["sums"]),
        phone=order["phone"],
        collected=order["collected"],
        cancelled=order["status"] == "cancelled",
        taken_off=units_of(order["taken_off"]),
        came_before=order["came_before"],
        number=order["number"] or "",
        promised=(order["promised_from"], order["promised_until"]),
        delivery=deliveries.read(order["delivery"], collected=order["collected"]),
        contact_email=order["contact_email"],
        contact_phone=order["contact_phone"],
        devices=_by_channel(order["devices"]),
        remedies={
            row["part"]: MessageRemedy(
                row["reason"],
                tuple(row["options"]),
                row["amount"],
                row["choose_by"],
                row["choice"],
                made.get(row["reference"], row["reference"]),
                row["coupon"],
            )
            for row in order["remedies"] or ()
        },
    )


def _by_channel(devices: Iterable[str]) -> Mapping[Channel, tuple[str, ...]]:
    found: dict[Channel, tuple[str, ...]] = {}
    for device in devices:
        channel, _, address = device.partition(" ")
        found[Channel(channel)] = (*found.get(Channel(channel), ()), address)
    return found


async def with_revised_days(pool: Pool, facts: MessageFacts, *, now: datetime) -> MessageFacts:
    """The facts with the day by which each parcel under way is there almost surely, as known at `now` (UTC)."""
    zone = zone_named(possible_zones(facts.time_zone, facts.country)[0])
    async with pool.acquire() as connection:
        found = await estimates(connection, facts.shop, facts.order_id, now=now, zone=zone)
    return replace(facts, revised={number: estimate.latest for number, estimate in found.items()})

"""The parcels of a WooCommerce order, or its pick-up in the store.

WooCommerce has no parcels of its own. What extensions keep of them is read off their public code:

- WooCommerce Shipment Tracking and Advanced Shipment Tracking (`TRACKING`): a list in the order's meta data.
  `date_shipped` is mostly a day, kept as its midnight in UTC: the parcel left by the end of it, and no later than it
  was heard of. Without one it left when the order was completed, else when it was changed.
- AfterShip (`_aftership_tracking_items`, or one number alone) and YITH Order Tracking (`ywot_tracking_code`): the same
  in other words. DHL's own extension keeps the label it made (`_pr_shipment_dhl_label_tracking`), which is a parcel
  once the order was sent.
- Germanized and Shiptastic add `shipments` to the order, each with a status: those `shipped` or `delivered` left.
  Returns stand in the same list.

The list is the order's whole one as of its last change: what is on it no more is none of the order's.

An order that was completed, or has a status that extensions and shops use for what is sent, was sent, be it without a
number. What another status says after that is the shop's own affair: only `processing` and `on-hold` take it back.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from activities.shops import woocommerce_payloads as payloads
from activities.shops.payloads import text as text_of
from activities.shops.payloads import written
from activities.shops.woocommerce_payloads import utc
from journey.fulfilments import WHOLE_ORDER
from journey.numbers import fulfilment_key, tracking_numbers
from journey.order import LineKind
from journey.parcels import Method, ParcelStatus, pickup_number
from store.intake import Event, OrderCreated, ShipmentCancelled, ShipmentCreated, ShipmentUpdated, build

TRACKING: Final = "_wc_shipment_tracking_items"
_AFTERSHIP: Final = "_aftership_tracking_items"
_DHL: Final = "_pr_shipment_dhl_label_tracking"
_CALLED_OFF: Final = frozenset({"cancelled", "refunded"})
_PICKUP: Final = frozenset({"local_pickup", "pickup_location", "local_pickup_plus"})
_PICKUP_STATUS: Final = {
    "ready-pickup": ParcelStatus.AVAILABLE_FOR_PICKUP,
    "pickup": ParcelStatus.DELIVERED,
    "completed": ParcelStatus.DELIVERED,
    "cancelled": ParcelStatus.CANCELLED,
    "refunded": ParcelStatus.CANCELLED,
}
_DELIVERED: Final = "delivered"
_TO_BE_SENT: Final = frozenset({"processing", "on-hold"})
_SENT: Final = frozenset(
    {
        "completed",
        "shipped",
        "partial-shipped",
        "partially-shipped",
        "partial-completed",
        "updated-tracking",
        "delivered",
        "dispatched",
        "sent",
        "in-transit",
        "out-for-delivery",
        "versendet",
        "verschickt",
        "versandt",
        "expedie",
        "expediee",
        "enviado",
    }
)
"""Of WooCommerce, of extensions (Advanced Shipment Tracking, ParcelPanel), and what shops call it in four languages."""
_LEFT: Final = frozenset({"shipped", _DELIVERED})
_LONG: Final = 7
_NO_DAY: Final = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_NAMES: Final = {"order_id": "id", "at": "date_created_gmt"}
_CHANGED: Final = _NAMES | {"at": "date_modified_gmt"}


class _Tracked(NamedTuple):
    """A parcel as an extension keeps it; `text` is what stands in its number's place."""

    text: object
    carrier: str | None = None
    url: str | None = None
    left_at: datetime | None = None
    products: object = None
    name: str | None = None
    arrived: bool = False


def is_pickup(order: payloads.Order) -> bool:
    """Whether the order is collected in the store."""
    return bool(order.shipping_lines) and all(line.method_id in _PICKUP for line in order.shipping_lines)


def has_parcels(order: payloads.Order) -> bool:
    """Whether an extension knows a parcel of the order."""
    return bool(_tracked(order, _heard(order)))


def parcels(order: payloads.Order, created: OrderCreated, changed: str | None) -> list[Event]:
    """The pick-up, or every parcel that an extension knows, or that it was sent without a number."""
    common = {"shop": created.shop, "order_id": created.order_id}
    if is_pickup(order):
        return _pickup(order, created, changed)
    heard = _read_moment(changed) or created.at
    completed = _read_moment(utc(order.date_completed_gmt)) or heard
    status = status_of(order)
    whole = {**common, "fulfilment_id": WHOLE_ORDER, "said_at": max(heard, created.at)}
    tracked = _tracked(order, heard)
    found = [(number, one) for one in tracked for number in _numbers(one)]
    numbers = [number for number, _ in found]
    told: list[Event] = [
        build(
            ShipmentCreated,
            {
                **whole,
                "tracking_number": number,
                "tracking_numbers": numbers,
                "at": max(one.left_at or completed, created.at),
                "carrier": one.carrier,
                "tracking_url": one.url,
                "skus": _inside(one.products, order.line_items),
                "units": _counted(one.products, order.line_items),
            },
            names={"at": "date_shipped"},
        )
        for number, one in found
    ]
    # A word in a number's place says that it left all the same.
    sent = was_sent(order) or any(written(one.text) for one in tracked)
    physical = any(line.kind is LineKind.PHYSICAL for line in created.lines)
    if not found and physical and sent:
        told.append(build(ShipmentCreated, {**whole, "at": max(completed, created.at)}, names=_CHANGED))
    elif not found and (order.date_completed_gmt or _lists(order)) and status not in _CALLED_OFF:
        told.append(build(ShipmentCancelled, {**whole, "at": whole["said_at"]}, names=_CHANGED))
    arrived: list[str | None] = [number for number, one in found if one.arrived]
    if status == _DELIVERED and physical:
        arrived = [*numbers] or [None]
    came = {**whole, "at": max(heard, created.at), "status": ParcelStatus.DELIVERED}
    return told + [build(ShipmentUpdated, {**came, "tracking_number": one}, names=_CHANGED) for one in arrived]


def was_sent(order: payloads.Order) -> bool:
    """Whether the order says that it left, by its status or by having been completed before."""
    status = status_of(order)
    completed = bool(order.date_completed_gmt) and status not in _TO_BE_SENT | _CALLED_OFF
    return status in _SENT or completed or (order.shipping_status or "").removeprefix("partially-") in _LEFT


def status_of(order: payloads.Order) -> str:
    """The order's status as REST writes it; some copies keep the prefix that the database has."""
    return (order.status or "").removeprefix("wc-")


def sku_of(line: payloads.Line) -> str:
    """The SKU, or a name for a line that has none, the same each time."""
    if line.sku and line.sku.strip():
        return line.sku
    known = next((one for one in (line.variation_id, line.product_id) if one not in {None, "0"}), None)
    return f"product-{known}" if known else f"line-{line.id}" if line.id else "no-sku"


def _pickup(order: payloads.Order, created: OrderCreated, changed: str | None) -> list[Event]:
    number = pickup_number(created.shop, created.order_id)
    skus = [line.sku for line in created.lines if line.kind is LineKind.PHYSICAL]
    common = {"shop": created.shop, "order_id": created.order_id, "tracking_number": number}
    begun = {**common, "at": created.at, "skus": skus, "method": Method.PICKUP}
    events: list[Event] = [build(ShipmentCreated, begun, names=_NAMES)]
    status = _PICKUP_STATUS.get(status_of(order))
    if status is not None:
        at = utc(order.date_completed_gmt) if status is ParcelStatus.DELIVERED else None
        events.append(build(ShipmentUpdated, {**common, "status": status, "at": at or changed}, names=_CHANGED))
    return events


def _lists(order: payloads.Order) -> bool:
    """Whether an extension keeps a list of the order's parcels, be it an empty one."""
    return any(
        meta.get("key") in (TRACKING, _AFTERSHIP) and isinstance(meta.get("value"), list | Mapping)
        for meta in order.meta_data
    )


def _tracked(order: payloads.Order, heard: datetime) -> Sequence[_Tracked]:
    """Every parcel that an extension knows; of two that know the same one the first."""
    found = [*_listed(order, heard), *_shipments(order, heard), *_single(order)]
    seen: set[object] = set()
    kept = []
    for one in found:
        numbers = {number.normal for number in tracking_numbers(written(one.text))}
        if not numbers or not numbers <= seen:
            kept.append(one)
        seen |= numbers
    return kept


def _listed(order: payloads.Order, heard: datetime) -> Iterator[_Tracked]:
    for item in _items(order, TRACKING):
        yield _Tracked(
            item.get("tracking_number"),
            text_of(item.get("custom_tracking_provider")) or text_of(item.get("tracking_provider")),
            text_of(item.get("custom_tracking_link")),
            _shipped(item.get("date_shipped"), heard),
            item.get("products_list"),
        )
    for item in _items(order, _AFTERSHIP):
        lines = [{"item_id": one.get("id"), "qty": one.get("quantity")} for one in _several(item.get("line_items"))]
        yield _Tracked(item.get("tracking_number"), text_of(item.get("slug")), products=lines)


def _shipments(order: payloads.Order, heard: datetime) -> Iterator[_Tracked]:
    for shipment in order.shipments:
        if shipment.type == "return" or (shipment.status or "").removeprefix("gzd-") not in _LEFT:
            continue
        lines = [{"item_id": item.order_item_id, "qty": item.quantity} for item in shipment.items]
        left = _read_moment(utc(shipment.date_sent_gmt))
        yield _Tracked(
            shipment.tracking_id,
            shipment.shipping_provider,
            shipment.tracking_url,
            None if left is None else min(left, heard),
            lines,
            f"shipment-{shipment.id}" if shipment.id else None,
            (shipment.status or "").endswith(_DELIVERED),
        )


def _single(order: payloads.Order) -> Iterator[_Tracked]:
    """The number that an extension keeps for the order as a whole."""
    said = {key: meta.get("value") for meta in reversed(order.meta_data) if isinstance(key := meta.get("key"), str)}
    if said.get("_aftership_tracking_number"):
        yield _Tracked(said["_aftership_tracking_number"], text_of(said.get("_aftership_tracking_provider_name")))
    sent = was_sent(order)
    if said.get("ywot_tracking_code") and (sent or said.get("ywot_picked_up")):
        yield _Tracked(said["ywot_tracking_code"], text_of(said.get("ywot_carrier_name")))
    label = said.get(_DHL)
    if isinstance(label, Mapping) and sent:
        numbers = label.get("tracking_number")
        for number in numbers if isinstance(numbers, list) else [numbers]:
            yield _Tracked(number, "dhl")


def _items(order: payloads.Order, key: str) -> Sequence[Mapping[str, Any]]:
    return next((_several(meta.get("value")) for meta in order.meta_data if meta.get("key") == key), ())


def _numbers(one: _Tracked) -> list[str]:
    """Its numbers; one without is a parcel of its own all the same, where the extension gives it a name."""
    found = [number.written for number in tracking_numbers(written(one.text))]
    return found or ([fulfilment_key(one.name)] if one.name else [])


def _several(value: object) -> Sequence[Mapping[str, Any]]:
    given = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [item for item in given if isinstance(item, Mapping)]


def _inside(products: object, lines: Sequence[payloads.Line]) -> list[str] | None:
    """The SKUs of a parcel, where the extension says which lines are in it (Advanced Shipment Tracking does)."""
    if not isinstance(products, list):
        return None
    named = [one for one in products if isinstance(one, Mapping)]
    items = {str(one.get("item_id")) for one in named}
    goods = {str(one.get("product")) for one in named} - {"0", ""}
    return [sku_of(line) for line in lines if line.id in items or {line.product_id, line.variation_id} & goods] or None


def _counted(products: object, lines: Sequence[payloads.Line]) -> list[tuple[str | None, int | None]]:
    """How many of which SKU are in a parcel, where the extension says so for each by its line (`item_id`, `qty`)."""
    skus = {line.id: sku_of(line) for line in lines if line.id}
    named = [one for one in products if isinstance(one, Mapping)] if isinstance(products, list) else []
    return [(skus.get(str(one.get("item_id"))), _whole(one.get("qty"))) for one in named]


def _whole(given: object) -> int | None:
    text = str(given)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONG else None


def _shipped(given: object, heard: datetime) -> datetime | None:
    """When a parcel left, in seconds since 1970, which the extensions keep as a text; None for whatever is none.

    A day's midnight stands for the day, of which the end counts, but of a day that has begun nothing after `heard`.
    """
    seconds = str(given)
    if not _SECONDS.fullmatch(seconds) or int(seconds) >= _NO_DAY:
        return None
    left = datetime.fromtimestamp(int(seconds), UTC)
    return min(left + timedelta(days=1), max(heard, left)) if left.time() == time() else left


def _heard(order: payloads.Order) -> datetime:
    changed = _read_moment(utc(order.date_modified_gmt) or utc(order.date_created_gmt))
    return changed or datetime.min.replace(tzinfo=UTC)


def _read_moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None

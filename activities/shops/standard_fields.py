"""Which fields of a canonical event nobody reads. The sender is told of them, so that a slip of the pen is seen.

Where things stand is told, dotted, and never a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel

from store.intake import (
    Customer,
    CustomerDataRequested,
    CustomerRedacted,
    CustomerUpdated,
    DeliveryDenied,
    Event,
    OrderCancelled,
    OrderChanged,
    OrderCreated,
    OrderEdited,
    OrderRefunded,
    ReviewPosted,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentUpdated,
    ShopRedacted,
)

MOST: Final = 50
_LONGEST: Final = 80
_ENVELOPE: Final = frozenset({"type", "timestamp", "data"})
_OURS: Final = frozenset({"type", "at", "notes"})
"""What a sender cannot say: the envelope says the one, and the moment has other names."""
_PICKUP: Final[Mapping[str, Any]] = dict.fromkeys(("shop", "order_id", "skus", "occurred_at"))


def _shape(model: type[BaseModel], *more: str, **parts: Any) -> Mapping[str, Any]:
    """What a model reads: its fields, each with what it reads inside of it, None for anything."""
    inside = {name: _inside(field.annotation) for name, field in model.model_fields.items() if name not in _OURS}
    return inside | dict.fromkeys(more) | parts


def _inside(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _shape(annotation)
    return next((found for one in get_args(annotation) if (found := _inside(one)) is not None), None)


_CUSTOMER: Final = _shape(Customer)
_MODELS: Final[Sequence[type[Event]]] = (
    OrderEdited,
    OrderCancelled,
    OrderRefunded,
    OrderChanged,
    ShipmentUpdated,
    DeliveryDenied,
    ReviewPosted,
    ShipmentCancelled,
    CustomerDataRequested,
    CustomerRedacted,
    ShopRedacted,
)
_SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    **{model.model_fields["type"].default: _shape(model, "occurred_at") for model in _MODELS},
    "order.created": _shape(OrderCreated, "placed_at"),
    # A parcel's lines may be an order's, which say more than is asked.
    "shipment.created": _shape(ShipmentCreated, "occurred_at", "lines"),
    **dict.fromkeys(("pickup.ready", "pickup.collected", "pickup.returned"), _PICKUP),
}


def unread(payload: Mapping[str, Any]) -> Sequence[str]:
    """The fields of an event that nobody reads, dotted (`data.lines.0.colour`), at most `MOST` of them."""
    found = [_named(name) for name in payload if name not in _ENVELOPE]
    data = payload.get("data")
    if isinstance(data, Mapping):
        found += _unread(data, _shape_of(payload.get("type"), data), "data")
    return found[:MOST]


def _shape_of(kind: object, data: Mapping[str, Any]) -> Mapping[str, Any]:
    if kind == CustomerUpdated.model_fields["type"].default:
        # A customer stands by itself, or its fields stand beside the shop's name.
        alone = isinstance(data.get("customer"), Mapping)
        return {"shop": None, "occurred_at": None, **({"customer": _CUSTOMER} if alone else _CUSTOMER)}
    return _SHAPES.get(kind, {}) if isinstance(kind, str) else {}


def _unread(given: Mapping[str, Any], shape: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, value in given.items():
        if name not in shape:
            yield f"{where}.{_named(name)}"
        elif shape[name] is not None:
            if isinstance(value, Mapping):
                yield from _unread(value, shape[name], f"{where}.{name}")
            for position, one in enumerate(value if isinstance(value, list) else ()):
                if isinstance(one, Mapping):
                    yield from _unread(one, shape[name], f"{where}.{name}.{position}")


def _named(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"

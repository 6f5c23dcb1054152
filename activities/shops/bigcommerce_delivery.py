"""How a BigCommerce order comes: by its `consignments`, a mere link where the order was asked for without them.

https://developer.bigcommerce.com/docs/rest-management/orders (`include=consignments`): `shipping` and `pickups` hold
what is handed over, `downloads` and `email` (gift certificates) what is not.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from activities.shops.payloads import Payload, Text, read
from journey.parcels import Method

_KINDS: Final = ("shipping", "pickups", "downloads", "email")


class _Shipping(Payload):
    """One of `consignments.shipping`, which is an address, too."""

    first_name: Text = None
    last_name: Text = None
    company: Text = None
    street_1: Text = None
    street_2: Text = None
    zip: Text = None
    city: Text = None
    state: Text = None
    country_iso2: Text = None
    shipping_method: Text = None


class _Place(Payload):
    """The `location` of a pick-up."""

    name: Text = None
    address_line_1: Text = None
    address_line_2: Text = None
    city: Text = None
    state: Text = None
    postal_code: Text = None
    country_alpha2: Text = None


class _Pickup(Payload):
    """One of `consignments.pickups`."""

    pickup_method_display_name: Text = None
    location: _Place = _Place()


def delivery(consignments: object, *, collected: bool) -> Mapping[str, Any]:
    """How the order comes, as `OrderCreated.delivery` has it; of several addresses none is said to be the one."""
    method = Method.PICKUP if collected else Method.DELIVERY
    fetched = [one for group in _groups(consignments) for one in _several(group.get("pickups"))]
    if collected and len(fetched) == 1:
        return {"method": method, **_point(read(_Pickup, fetched[0], prefix="consignments.pickups."))}
    shipped = [one for group in _groups(consignments) for one in _several(group.get("shipping"))]
    if len(shipped) != 1:
        return {"method": method}
    said = read(_Shipping, shipped[0], prefix="consignments.shipping.")
    address = {
        "name": " ".join(part for part in (said.first_name, said.last_name) if part),
        "company": said.company,
        "street": said.street_1,
        "street2": said.street_2,
        "postcode": said.zip,
        "city": said.city,
        "region": said.state,
        "country": said.country_iso2,
    }
    return {"method": method, "title": said.shipping_method, "address": address}


def _point(said: _Pickup) -> Mapping[str, Any]:
    place = said.location
    address = {
        "street": place.address_line_1,
        "street2": place.address_line_2,
        "postcode": place.postal_code,
        "city": place.city,
        "region": place.state,
        "country": place.country_alpha2,
    }
    return {"title": said.pickup_method_display_name, "pickup_point": {"name": place.name, "address": address}}


def is_collected(consignments: object) -> bool:
    """Whether the order has pick-ups and nothing that is shipped."""
    found = _groups(consignments)
    return any(group.get("pickups") for group in found) and not any(group.get("shipping") for group in found)


def ships(consignments: object, shipments: Sequence[object]) -> bool:
    """Whether anything is sent or collected, as far as anybody says."""
    groups = _groups(consignments)
    told = any(name in group for group in groups for name in _KINDS)
    return not told or bool(shipments) or any(group.get(name) for group in groups for name in ("shipping", "pickups"))


def _groups(given: object) -> list[Mapping[str, Any]]:
    groups = given if isinstance(given, list) else [given]
    return [group for group in groups if isinstance(group, Mapping)]


def _several(given: object) -> list[Mapping[str, Any]]:
    return [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []

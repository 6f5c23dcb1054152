"""The demo's orders that come through Shopify."""

from starters.demo.carriers import delayed, moving, nearly, there
from starters.demo.payloads import (
    SHOPIFY_SHOP,
    buyer,
    called_off,
    fulfilled,
    item,
    refunded,
    reviewed,
    shopify_id,
    shopify_order,
)
from starters.demo.story import Story, beat


def late(run: int) -> Story:
    """It comes three days after its promise."""
    order, parcel = shopify_id(run, 6), f"RM{run:04d}0006GB"
    items = [item("WB-3", "Wool picnic blanket", "64.00", "outdoor")]
    who = buyer("amelia", run, "Amelia", "GB", subscribed=True)
    return Story(
        name="late",
        kind="late",
        title="three days late, then two stars",
        person="Amelia",
        city="London",
        zone="Europe/London",
        shop=SHOPIFY_SHOP,
        order_id=order,
        place=shopify_order(order, "GBP", "64.00", who, items, locale="en-GB"),
        beats=(
            beat(1, "14:00", fulfilled(order, parcel, "Royal Mail", items, days=2)),
            beat(2, "06:30", moving(parcel, "Royal Mail")),
            beat(3, "10:15", delayed(parcel, "Royal Mail", 3)),
            beat(6, "08:40", nearly(parcel, "Royal Mail")),
            beat(6, "12:55", there(parcel, "Royal Mail")),
            beat(13, "21:20", reviewed(SHOPIFY_SHOP, order, 2, "WB-3")),
        ),
        both_sides=True,
    )


def cancelled(run: int) -> Story:
    """Called off before anything left."""
    order = shopify_id(run, 9)
    items = [item("FL-1", "The Long Walk flask", "58.00", "outdoor")]
    return Story(
        name="cancelled",
        kind="cancelled",
        title="cancelled on the next day",
        person="Olivia",
        city="Sydney",
        zone="Australia/Sydney",
        shop=SHOPIFY_SHOP,
        order_id=order,
        place=shopify_order(
            order, "AUD", "58.00", buyer("olivia", run, "Olivia", "AU", subscribed=True), items, locale="en-AU"
        ),
        beats=(
            beat(1, "08:50", called_off(order)),
            beat(2, "15:15", refunded(order, "AUD", "58.00")),
        ),
    )


def no_consent(run: int) -> Story:
    """Only what is about the order."""
    order, parcel = shopify_id(run, 10), f"PK{run:04d}0010ES"
    items = [item("OB-1", "Olive wood board", "42.00", "kitchen")]
    who = buyer("mateo", run, "Mateo", "ES", subscribed=False)
    return Story(
        name="no_consent",
        kind="no consent",
        title="no consent to marketing",
        person="Mateo",
        city="Madrid",
        zone="Europe/Madrid",
        shop=SHOPIFY_SHOP,
        order_id=order,
        place=shopify_order(order, "EUR", "42.00", who, items, locale="es-ES"),
        beats=(
            beat(1, "16:20", fulfilled(order, parcel, "Correos", items, days=2)),
            beat(3, "09:45", nearly(parcel, "Correos")),
            beat(3, "11:30", there(parcel, "Correos")),
        ),
    )

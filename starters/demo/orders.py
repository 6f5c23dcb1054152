"""The eight orders of the demo. Each run has ids of its own, so a home can be used again."""

from starters.demo.carriers import late, lost, moving, nearly, there
from starters.demo.payloads import (
    OWN_SHOP,
    SHOPIFY_SHOP,
    buyer,
    called_off,
    fulfilled,
    item,
    line,
    ordered,
    person,
    refunded,
    reviewed,
    shipped,
    shopify_id,
    shopify_order,
)
from starters.demo.story import Story, beat


def own_id(run: int, number: int) -> str:
    """Order ids of the shop's own backend: `1001` in the first run, `2001` in the second."""
    return str(run * 1000 + number)


def stories(run: int) -> list[Story]:
    """The eight orders of that run (from 1)."""
    return [
        _first(run),
        _again(run),
        _digital(run),
        _split(run),
        _delayed(run),
        _lost(run),
        _cancelled(run),
        _no_consent(run),
    ]


# ---- through the shop's own backend ----------------------------------------------------------------------------------


def _first(run: int) -> Story:
    order, parcel = own_id(run, 1), f"JD01{run:04d}0001"
    who = person("ada", run, first_name="Ada", locale="de-DE", zone="Europe/Berlin", country="DE")
    lines = [line("HG-1", "Hand grinder", "129.00", "coffee")]
    return Story(
        name="first",
        kind="first order",
        title="first order, then another",
        person="Ada",
        city="Berlin",
        zone="Europe/Berlin",
        shop=OWN_SHOP,
        order_id=order,
        place=ordered(order, "EUR", "129.00", who, lines),
        beats=(
            beat(1, "09:40", shipped(order, parcel, "DHL", days=2)),
            beat(2, "04:15", moving(parcel, "DHL")),
            beat(3, "08:05", nearly(parcel, "DHL")),
            beat(3, "13:20", there(parcel, "DHL")),
            beat(10, "20:10", reviewed(OWN_SHOP, order, 5, "HG-1")),
            beat(40, "11:05", _again(run).place, begins="again"),
        ),
    )


def _again(run: int) -> Story:
    order, parcel = own_id(run, 2), f"JD01{run:04d}0002"
    who = person("ada", run, first_name="Ada", locale="de-DE", zone="Europe/Berlin", country="DE")
    lines = [line("YM-1", "Yoga mat", "79.00", "fitness")]
    return Story(
        name="again",
        kind="second order",
        title="repeat buyer, evening delivery",
        person="Ada",
        city="Berlin",
        zone="Europe/Berlin",
        shop=OWN_SHOP,
        order_id=order,
        place=ordered(order, "EUR", "79.00", who, lines),
        beats=(
            beat(1, "10:30", shipped(order, parcel, "DHL", days=2)),
            beat(3, "09:10", nearly(parcel, "DHL")),
            beat(3, "21:40", there(parcel, "DHL")),
        ),
        follows="first",
    )


def _digital(run: int) -> Story:
    order = own_id(run, 3)
    who = person("jack", run, first_name="Jack", locale="en-US", zone="America/New_York", country="US")
    lines = [line("CO-7", "Sourdough, slowly: the course", "49.00", "course", kind="digital")]
    return Story(
        name="digital",
        kind="digital",
        title="digital, nothing to ship",
        person="Jack",
        city="New York",
        zone="America/New_York",
        shop=OWN_SHOP,
        order_id=order,
        place=ordered(order, "USD", "49.00", who, lines),
        beats=(beat(9, "19:30", reviewed(OWN_SHOP, order, 4, "CO-7")),),
    )


def _split(run: int) -> Story:
    order, kettle, apron = own_id(run, 4), f"4809{run:04d}0041", f"4809{run:04d}0042"
    who = person("yuki", run, first_name="友紀", locale="ja-JP", zone="Asia/Tokyo", country="JP")
    lines = [line("EK-2", "Enamel kettle", "12800", "kitchen"), line("AP-1", "Linen apron", "5600", "apparel")]
    return Story(
        name="split",
        kind="split parcels",
        title="split into two parcels",
        person="Yuki",
        city="Tokyo",
        zone="Asia/Tokyo",
        shop=OWN_SHOP,
        order_id=order,
        place=ordered(order, "JPY", "18400", who, lines),
        beats=(
            beat(1, "11:00", shipped(order, kettle, "Yamato", days=2, lines=["EK-2"])),
            beat(2, "15:30", shipped(order, apron, "Yamato", days=3, lines=["AP-1"])),
            beat(3, "09:00", nearly(kettle, "Yamato")),
            beat(3, "12:10", there(kettle, "Yamato")),
            beat(4, "18:45", moving(apron, "Yamato")),
            beat(5, "09:00", nearly(apron, "Yamato")),
            beat(5, "17:25", there(apron, "Yamato")),
        ),
    )


# ---- through Shopify -------------------------------------------------------------------------------------------------


def _delayed(run: int) -> Story:
    order, parcel = shopify_id(run, 5), f"RM{run:04d}0005GB"
    items = [item("WB-3", "Wool picnic blanket", "64.00", "outdoor")]
    who = buyer("amelia", run, "Amelia", "GB", subscribed=True)
    return Story(
        name="delayed",
        kind="delayed",
        title="delayed, then two stars",
        person="Amelia",
        city="London",
        zone="Europe/London",
        shop=SHOPIFY_SHOP,
        order_id=order,
        place=shopify_order(order, "GBP", "64.00", who, items, locale="en-GB"),
        beats=(
            beat(1, "14:00", fulfilled(order, parcel, "Royal Mail", items, days=2)),
            beat(2, "06:30", moving(parcel, "Royal Mail")),
            beat(3, "10:15", late(parcel, "Royal Mail", 3)),
            beat(6, "08:40", nearly(parcel, "Royal Mail")),
            beat(6, "12:55", there(parcel, "Royal Mail")),
            beat(13, "21:20", reviewed(SHOPIFY_SHOP, order, 2, "WB-3")),
        ),
    )


def _lost(run: int) -> Story:
    order, parcel = shopify_id(run, 6), f"6A{run:04d}0006FR"
    items = [item("ST-9", "Stool, ash", "118.00", "furniture")]
    who = buyer("lucas", run, "Lucas", "FR", subscribed=True)
    return Story(
        name="lost",
        kind="lost",
        title="lost on the way, refunded",
        person="Lucas",
        city="Paris",
        zone="Europe/Paris",
        shop=SHOPIFY_SHOP,
        order_id=order,
        place=shopify_order(order, "EUR", "118.00", who, items, locale="fr-FR"),
        beats=(
            beat(1, "12:30", fulfilled(order, parcel, "Colissimo", items, days=3)),
            beat(2, "03:10", moving(parcel, "Colissimo")),
            beat(4, "09:30", late(parcel, "Colissimo", 4)),
            beat(9, "16:00", lost(parcel, "Colissimo")),
            beat(11, "10:20", refunded(order, "EUR", "118.00")),
        ),
    )


def _cancelled(run: int) -> Story:
    order = shopify_id(run, 7)
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


def _no_consent(run: int) -> Story:
    order, parcel = shopify_id(run, 8), f"PK{run:04d}0008ES"
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

"""The eleven orders of the demo. Each run has ids of its own, so a home can be used again."""

from journey.remedies import Choice
from starters.demo.carriers import lost, moving, nearly, there
from starters.demo.orders_shopify import cancelled, late, no_consent
from starters.demo.payloads import OWN_SHOP, collected, line, ordered, person, ready, reviewed, shipped
from starters.demo.second_shop import SHOP
from starters.demo.story import Defaults, Presses, Story, beat


def own_id(run: int, number: int) -> str:
    """Order ids of the shop's own backend: `1001` in the first run, `2001` in the second."""
    return str(run * 1000 + number)


def stories(run: int) -> list[Story]:
    """The eleven orders of that run (from 1)."""
    return [
        _first(run),
        _again(run),
        _digital(run),
        _picked_up(run),
        _split(run),
        late(run),
        _lost(run),
        _stuck(run),
        cancelled(run),
        no_consent(run),
        _second_shops(run),
    ]


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


def _second_shops(run: int) -> Story:
    """Under an id that the first shop has, too."""
    order, parcel = own_id(run, 1), f"JD01{run:04d}0011"
    who = {
        "customer_id": f"wiebke-{run}",
        "email": "wiebke@example.com",
        "first_name": "Wiebke",
        "consent": {"email_marketing": True},
    }
    lines = [line("AS-2", "Assam, zweite Pflückung", "18.00", "tea")]
    return Story(
        name="second_shop",
        kind="second shop",
        title="another shop, in German",
        person="Wiebke",
        city="Hamburg",
        zone="Europe/Berlin",
        shop=SHOP,
        order_id=order,
        place=ordered(order, "EUR", "18.00", who, lines, shop=SHOP),
        beats=(
            beat(1, "11:15", shipped(order, parcel, "DHL", days=2, shop=SHOP)),
            beat(3, "08:40", nearly(parcel, "DHL")),
            beat(3, "12:05", there(parcel, "DHL")),
        ),
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
        both_sides=True,
    )


def _picked_up(run: int) -> Story:
    order = own_id(run, 4)
    who = person("ciara", run, first_name="Ciara", locale="en-IE", zone="Europe/Dublin", country="IE")
    lines = [line("CP-5", "Cast iron pan", "72.00", "kitchen")]
    return Story(
        name="picked_up",
        kind="picked up",
        title="picked up in the store",
        person="Ciara",
        city="Dublin",
        zone="Europe/Dublin",
        shop=OWN_SHOP,
        order_id=order,
        place=ordered(order, "EUR", "72.00", who, lines),
        beats=(
            beat(1, "10:15", ready(order)),
            beat(4, "17:40", collected(order)),
        ),
        both_sides=True,
    )


def _split(run: int) -> Story:
    order = own_id(run, 5)
    kettle, apron, pot = (f"4809{run:04d}005{number}" for number in (1, 2, 3))
    who = person("yuki", run, first_name="友紀", locale="ja-JP", zone="Asia/Tokyo", country="JP")
    lines = [
        line("EK-2", "Enamel kettle", "12800", "kitchen"),
        line("AP-1", "Linen apron", "5600", "apparel"),
        line("DP-4", "Donabe pot", "9200", "kitchen"),
    ]
    return Story(
        name="split",
        kind="three parcels",
        title="split into three parcels",
        person="Yuki",
        city="Tokyo",
        zone="Asia/Tokyo",
        shop=OWN_SHOP,
        order_id=order,
        place=ordered(order, "JPY", "27600", who, lines),
        beats=(
            beat(1, "11:00", shipped(order, kettle, "Yamato", days=2, lines=["EK-2"])),
            beat(1, "11:25", shipped(order, apron, "Yamato", days=3, lines=["AP-1"])),
            beat(2, "15:30", shipped(order, pot, "Yamato", days=5, lines=["DP-4"])),
            beat(3, "09:00", nearly(kettle, "Yamato")),
            beat(3, "12:10", there(kettle, "Yamato")),
            beat(3, "18:45", moving(pot, "Yamato")),
            beat(4, "08:30", nearly(apron, "Yamato")),
            beat(4, "10:40", there(apron, "Yamato")),
            beat(7, "09:00", nearly(pot, "Yamato")),
            beat(7, "17:25", there(pot, "Yamato")),
        ),
        both_sides=True,
    )


def _lost(run: int) -> Story:
    order, parcel = own_id(run, 7), f"6A{run:04d}0007FR"
    who = person("lucas", run, first_name="Lucas", locale="fr-FR", zone="Europe/Paris", country="FR")
    lines = [line("ST-9", "Stool, ash", "118.00", "furniture")]
    return Story(
        name="lost",
        kind="lost",
        title="lost, and sent again",
        person="Lucas",
        city="Paris",
        zone="Europe/Paris",
        shop=OWN_SHOP,
        order_id=order,
        place=ordered(order, "EUR", "118.00", who, lines),
        beats=(
            beat(1, "12:30", shipped(order, parcel, "Colissimo", days=4)),
            beat(2, "03:10", moving(parcel, "Colissimo")),
            beat(4, "16:00", lost(parcel, "Colissimo")),
            beat(4, "18:40", Presses(parcel, Choice.REPLACEMENT)),
        ),
        both_sides=True,
    )


def _stuck(run: int) -> Story:
    order, parcel = own_id(run, 8), f"JJFI{run:04d}0008"
    who = person("nora", run, first_name="Nora", locale="fi-FI", zone="Europe/Helsinki", country="FI")
    lines = [line("LS-2", "Linen sheets", "139.00", "home")]
    return Story(
        name="stuck",
        kind="stuck",
        title="stuck, nobody chose: refunded",
        person="Nora",
        city="Helsinki",
        zone="Europe/Helsinki",
        shop=OWN_SHOP,
        order_id=order,
        place=ordered(order, "EUR", "139.00", who, lines),
        beats=(
            beat(1, "15:45", shipped(order, parcel, "Posti", days=2)),
            beat(2, "05:20", moving(parcel, "Posti")),
            # The promise of day 3, a week of severe delay, three days to choose.
            beat(14, "09:30", Defaults(parcel)),
        ),
        both_sides=True,
    )

"""The promise that an order is placed under: the shop's own word, else what its lanes have taught, else none.

It is written down once, with whose word it is, and never moved afterwards: whether it was kept is a fact for later.
"""

from datetime import timedelta
from typing import Final

from journey.lanes import lane_of
from journey.order import Handover, OrderFacts
from journey.promises import Window, learnt_window
from journey.zones import zone_named
from store import intake, lanes
from store.pool import Connection

SHOP: Final = "shop"
LANE: Final = "lane"
_WRITE: Final = """
UPDATE orders SET promised_from = $3, promised_until = $4, promised_by = $5 WHERE shop = $1 AND order_id = $2
"""


async def make(
    connection: Connection, event: intake.OrderCreated, facts: OrderFacts, *, dispatch_within: timedelta | None
) -> None:
    """Write down when a new order is to come, where anybody can say; `dispatch_within` as it was learnt."""
    said = event.estimated_delivery
    if said is not None:
        window: Window | None = Window(said.earliest, said.latest)
    else:
        window = await _learnt(connection, facts, dispatch_within)
    if window is not None:
        by = SHOP if said is not None else LANE
        await connection.execute(_WRITE, facts.shop, facts.order_id, *window, by)


async def _learnt(connection: Connection, facts: OrderFacts, dispatch_within: timedelta | None) -> Window | None:
    if facts.handover is not Handover.SENT or dispatch_within is None or facts.country is None:
        return None
    # Which carrier takes it nobody knows yet: all that go to its country speak.
    lane = lane_of(None, None, facts.country)
    usual = (await lanes.expected(connection, facts.shop, [lane]))[lane]
    zone = zone_named(facts.zones[0])
    return learnt_window(usual, dispatch_within=dispatch_within, placed_at=facts.placed_at, zone=zone)

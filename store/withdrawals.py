"""Orders that their shop took off its list."""

from journey import events
from store import intake, orders
from store.pool import Connection
from store.shipments import CAME_BEFORE


async def withdraw(connection: Connection, event: intake.OrderWithdrawn) -> tuple[list[events.Event], bool]:
    """Take off what of an order has not left: an edit that leaves no lines, and the total as it was.

    Of one that was sent, or in part, nothing is taken off.
    """
    order = await connection.fetchrow(
        f"""SELECT total, {CAME_BEFORE} OR EXISTS (SELECT FROM shipments s WHERE s.shop = $1 AND s.order_id = $2
                AND NOT s.left_out AND s.status <> 'cancelled') AS sent
            FROM orders o WHERE o.shop = $1 AND o.order_id = $2""",  # noqa: S608  a constant
        event.shop,
        event.order_id,
    )
    if order["sent"]:
        return [], False
    nothing = intake.OrderEdited(at=event.at, shop=event.shop, order_id=event.order_id, total=order["total"], lines=())
    return await orders.edit(connection, nothing)

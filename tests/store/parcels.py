"""Orders and parcels for the tests of what is known about parcels."""

from datetime import UTC, datetime, timedelta

from store import intake, shipments
from tests.support.orders import Order, Person, put

SENT = datetime(2026, 11, 22, 10, tzinfo=UTC)
NUMBER = "00340434161094042557"


def hours(count):
    return SENT + timedelta(hours=count)


def created(*, shop="acme", order_id="1", number=NUMBER, at=SENT, **more):
    return intake.ShipmentCreated(shop=shop, order_id=order_id, tracking_number=number, at=at, **more)


def word(status="in_transit", at=SENT, *, number=NUMBER, **more):
    return intake.ShipmentUpdated(tracking_number=number, status=status, at=at, **more)


async def ordered(pool, *, shop="acme", order_id="1", country="DE", placed_at=SENT):
    await put(
        pool,
        Order(order_id, shop=shop, placed_at=placed_at, person=Person(customer_id=f"c-{order_id}", country=country)),
        "digest",
    )


async def sent(pool, **given):
    """A parcel of an order, both new."""
    event = created(**given)
    await ordered(pool, shop=event.shop, order_id=event.order_id)
    async with pool.acquire() as connection, connection.transaction():
        return await shipments.ship(connection, event)


async def hear(pool, event, *, again=False):
    """A carrier's word, as the relay brings it in; what every place is told."""
    async with pool.acquire() as connection, connection.transaction():
        places = await shipments.carrying(connection, event)
        return await shipments.scan(connection, event, places, received_at=event.at, again=again)


async def whose(pool, event):
    async with pool.acquire() as connection:
        return await shipments.carrying(connection, event)


async def row_of(pool, number=NUMBER, shop="acme"):
    row = dict(await pool.fetchrow("SELECT * FROM shipments WHERE tracking_number = $1 AND shop = $2", number, shop))
    return row | {"skus": None if row["skus"] is None else tuple(row["skus"])}


async def history(pool, parcels):
    """Parcels that arrived, each a mapping: shop, carrier, service, country, and hours from when it left."""
    rows = [
        {"shop": "acme", "carrier": "DHL", "service": None, "country": "DE", "scanned": 5.0, "out": None}
        | {"waiting": None, "promised": None, "method": "delivery", "denied": None, "zone": "Europe/Berlin"}
        | {"left": SENT, "scans": (), "id": str(position), "ordered": 24.0}
        | parcel
        for position, parcel in enumerate(parcels)
    ]
    moment = lambda row, name: None if row[name] is None else row["left"] + timedelta(hours=row[name])  # noqa: E731
    async with pool.acquire() as connection, connection.transaction():
        await connection.executemany(
            """INSERT INTO customers (shop, customer_id, country, time_zone, updated_at) VALUES ($1, $2, $3, $4, $5)""",
            [(row["shop"], row["id"], row["country"], row["zone"], row["left"]) for row in rows],
        )
        await connection.executemany(
            """INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)
               VALUES ($1, $2, $2, $3, 'EUR', 10, 'first', 'digest')""",
            [(row["shop"], row["id"], row["left"] - timedelta(hours=row["ordered"])) for row in rows],
        )
        await connection.executemany(
            """INSERT INTO shipments (shop, order_id, tracking_number, carrier, service, method, status, created_at,
                   first_scan_at, out_for_delivery_at, waiting_at, delivered_at, denied_at, first_estimate)
               VALUES ($1, $2, $2, $3, $4, $5, 'delivered', $6, $7, $8, $9, $10, $11, $12)""",
            [
                [row["shop"], row["id"], row["carrier"], row["service"], row["method"], row["left"]]
                + [moment(row, name) for name in ("scanned", "out", "waiting", "delivered", "denied")]
                + [row["promised"]]
                for row in rows
            ],
        )
        await connection.executemany(
            """INSERT INTO scans (shop, order_id, tracking_number, occurred_at, status, received_at)
               VALUES ($1, $2, $2, $3, 'in_transit', $3)""",
            [(row["shop"], row["id"], row["left"] + timedelta(hours=at)) for row in rows for at in row["scans"]],
        )

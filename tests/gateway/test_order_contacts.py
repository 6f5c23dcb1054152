"""Messages about an order go to the address that was given for it, and everything else to the person's own."""

import asyncio
import uuid

import pytest

from journey.consent import How
from journey.playbook import Channel
from store import consents, erasure, history, people, personal
from store.consents import Evidence
from tests.gateway.kit import order_data
from tests.gateway.shopfront import SHOPIFY, WOO, ago, gmt, numeric_id, of_shopify, of_woo, opened
from tests.support.patience import PATIENCE


@pytest.fixture
async def front(journeys, stack):
    async with opened(journeys, stack) as made:
        yield made


def addresses(order_id):
    return f"desk{order_id}@office.example", f"old{order_id}@home.example"


def at_the_office(order_id, **changes):
    """An order whose checkout had another address than the account."""
    desk, home = addresses(order_id)
    customer = {"id": order_id + 1, "email": home, "first_name": "Noa"}
    return of_shopify(order_id, email=desk, contact_email=desk, customer=customer, **changes)


async def row(front, shop, order_id):
    return await front.pool.fetchrow(
        "SELECT email, phone, contact_email, contact_phone FROM orders JOIN customers USING (shop, customer_id)"
        " WHERE shop = $1 AND order_id = $2",
        shop,
        str(order_id),
    )


async def settled(front, shop, order_id, touch="order_confirmation"):
    """How a touch stands, once it stands."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await front.pool.fetchrow(
                "SELECT status, rule FROM ledger WHERE shop = $1 AND order_id = $2 AND touch_key = $3"
                " AND status NOT IN ('claimed', 'held')",
                shop,
                str(order_id),
                touch,
            )
            if found is not None:
                return tuple(found)
            await asyncio.sleep(0.05)


async def test_messages_about_an_order_go_to_the_address_of_its_checkout(front):
    """Shopify's order has an address of its own: the mail goes there, and the account keeps the person's."""
    order_id = numeric_id()
    desk, home = addresses(order_id)
    await front.shopify("orders/create", at_the_office(order_id))
    assert (await front.mail(SHOPIFY, str(order_id))).recipients == (desk,)
    assert tuple(await row(front, SHOPIFY, order_id))[::2] == (home, desk)
    page = await front.page(SHOPIFY, str(order_id))
    assert desk not in page
    assert home not in page


async def test_an_order_without_an_address_of_its_own_follows_its_customer(front):
    """What is the account's own is not kept a second time, so a corrected account corrects the order's messages."""
    order_id = numeric_id()
    await front.shopify("orders/create", of_shopify(order_id, email=f"B{order_id}@buyer.example"))
    account = {"id": order_id + 1, "email": f"new{order_id}@buyer.example", "updated_at": ago(1)}
    await front.shopify("customers/update", account)
    assert tuple(await row(front, SHOPIFY, order_id))[::2] == (f"new{order_id}@buyer.example", None)


async def test_an_account_of_woocommerce_keeps_its_own_address(front):
    """A billing address is the order's: the account's comes by its own webhook, and fills what is unknown."""
    first, second, customer = numeric_id(), numeric_id(), numeric_id()
    billing = {"first_name": "Ida", "country": "DE"}
    await front.woo(
        "order.created", of_woo(first, customer_id=customer, billing=billing | {"email": "a@buyer.example"})
    )
    assert tuple(await row(front, WOO, first))[::2] == ("a@buyer.example", None)
    account = {"id": customer, "email": f"ida{customer}@home.example", "date_modified_gmt": gmt(4), "billing": billing}
    await front.woo("customer.updated", account)
    desk = f"desk{second}@office.example"
    await front.woo(
        "order.created",
        of_woo(second, customer_id=customer, billing=billing | {"email": desk}, date_created_gmt=gmt(2)),
    )
    assert tuple(await row(front, WOO, second))[::2] == (f"ida{customer}@home.example", desk)
    assert (await front.mail(WOO, str(second))).recipients == (desk,)


async def test_a_canonical_order_has_an_address_of_its_own(front):
    """`email` and `phone` stand beside the customer; an edit corrects them, a late one does not."""
    order_id = uuid.uuid4().hex[:10]
    customer = {"customer_id": order_id, "email": f"{order_id}@home.example", "phone": "+4915112345678"}
    data = order_data(order_id=order_id, placed_at=ago(), customer=customer)
    await front.event("order.created", **data, email="Desk@Office.example", phone="0151 99999999")
    assert tuple(await row(front, "acme", order_id))[2:] == ("Desk@office.example", "+4915199999999")
    edited = {"shop": "acme", "order_id": order_id, "total": "79.00", "lines": data["lines"]}
    await front.event("order.edited", **edited, occurred_at=ago(2), email="door@office.example")
    await front.event("order.edited", **edited, occurred_at=ago(3), email="late@office.example", phone="nonsense")
    assert tuple(await row(front, "acme", order_id))[2:] == ("door@office.example", "+4915199999999")
    await front.event("order.edited", **edited, occurred_at=ago(1), email=f"{order_id}@HOME.example")
    assert tuple(await row(front, "acme", order_id))[2:] == (None, "+4915199999999")


async def test_a_guest_is_known_by_the_address_of_their_order(front):
    """Two orders of a guest are one person's, though the address stands beside an empty customer."""
    ids = [uuid.uuid4().hex[:10] for _ in range(2)]
    for order_id in ids:
        data = order_data(order_id=order_id, placed_at=ago(), customer={"customer_id": None, "email": None})
        await front.event("order.created", **data, email=f"{ids[0]}@home.example")
    found = await front.pool.fetch("SELECT DISTINCT customer_id FROM orders WHERE order_id = ANY($1)", ids)
    assert len(found) == 1
    assert tuple(await row(front, "acme", ids[1]))[::2] == (f"{ids[0]}@home.example", None)


async def test_a_dead_address_of_an_order_is_not_written_to(front):
    """What is asked of the list is the address that would really be written to: the order's, not the account's."""
    order_id, other = numeric_id(), numeric_id()
    for one, listed in ((order_id, 0), (other, 1)):
        await front.pool.execute(
            "INSERT INTO suppressions (shop, channel, address, reason, at) VALUES ($1, 'email', $2, 'bounced', now())",
            SHOPIFY,
            addresses(one)[listed],
        )
        await front.shopify("orders/create", at_the_office(one))
    assert await settled(front, SHOPIFY, order_id) == ("refused", "suppressed_bounced")
    assert (await front.mail(SHOPIFY, str(other))).recipients == (addresses(other)[0],)


async def test_an_opt_out_holds_for_both_addresses(front):
    """The link's word is the person's: both are listed. A no from the order's address counts, a yes does not."""
    order_id = numeric_id()
    desk, home = addresses(order_id)
    await front.shopify("orders/create", at_the_office(order_id))
    async with front.pool.acquire() as connection, connection.transaction():
        said = {"shop": SHOPIFY, "channel": Channel.EMAIL, "address": desk, "how": How.PROVIDER_OPTOUT}
        at = await connection.fetchval("SELECT now()")
        evidence = Evidence("test")
        yes = await consents.address_says(connection, **said, granted=True, at=at, evidence=evidence)
        no = await consents.address_says(connection, **said, granted=False, at=at, evidence=evidence)
    assert (yes, no) == ([], [(SHOPIFY, str(order_id + 1))])
    assert await people.opt_out(front.pool, shop=SHOPIFY, order_id=str(order_id), at=at)
    listed = await front.pool.fetch("SELECT address FROM suppressions WHERE address = ANY($1)", [desk, home])
    assert {found["address"] for found in listed} == {desk, home}
    assert await history.find(front.pool, email=desk) == [(SHOPIFY, str(order_id + 1))]


async def test_an_address_of_an_order_is_erased_with_its_customer(front):
    """It is found among what is theirs, goes with them, and an opt-out of it outlives them as a hash."""
    order_id = numeric_id()
    desk, home = addresses(order_id)
    await front.shopify("orders/create", at_the_office(order_id))
    who = (SHOPIFY, str(order_id + 1))
    async with front.pool.acquire() as connection, connection.transaction():
        at = await connection.fetchval("SELECT now()")
        await consents.suppress(connection, SHOPIFY, Channel.EMAIL, desk, at=at)
        assert {desk, home} <= set((await personal.traces(connection, *who)).addresses)
        await erasure.erase_customer(connection, *who, now=at)
    kept = await front.pool.fetch("SELECT body, event::text AS event FROM inbox")
    assert not [row for row in kept if desk in f"{row['body']!r}{row['event']}"]
    assert await front.pool.fetchval("SELECT count(*) FROM suppressions WHERE address = $1", desk) == 0
    again = numeric_id()
    changed = at_the_office(again) | {"email": desk, "contact_email": desk}
    await front.shopify("orders/create", changed)
    assert await front.pool.fetchval("SELECT reason FROM suppressions WHERE address = $1", desk) == "opted_out"


@pytest.mark.parametrize("told", ["the order again", "an edit", "the account"])
async def test_a_confirmation_goes_once_there_is_an_address(front, told):
    """What did not go for want of an address goes when one is told, by whichever word."""
    order_id = uuid.uuid4().hex[:10]
    email = f"{order_id}@home.example"
    customer = {"customer_id": order_id, "email": "none at all", "phone": None}
    data = order_data(order_id=order_id, placed_at=ago(), customer=customer)
    await front.event("order.created", **data)
    assert await settled(front, "acme", order_id) == ("refused", "no_address")
    if told == "the order again":
        data["customer"]["email"] = email
        await front.event("order.created", **data)
    elif told == "an edit":
        edited = {"shop": "acme", "order_id": order_id, "total": "79.00", "lines": data["lines"]}
        await front.event("order.edited", **edited, occurred_at=ago(1), email=email)
    else:
        await front.event("customer.updated", shop="acme", customer={"customer_id": order_id, "email": email})
    assert (await front.mail("acme", order_id)).recipients == (email,)


async def test_a_guest_who_mistyped_their_address_gets_the_confirmation(front):
    """An order of nobody is still the same order when its guest is told."""
    order_id = uuid.uuid4().hex[:10]
    customer = {"customer_id": None, "email": None, "phone": None}
    data = order_data(order_id=order_id, placed_at=ago(), customer=customer)
    await front.event("order.created", **data)
    assert await settled(front, "acme", order_id) == ("refused", "no_address")
    data["customer"]["email"] = f"{order_id}@home.example"
    await front.event("order.created", **data)
    assert (await front.mail("acme", order_id)).recipients == (f"{order_id}@home.example",)
    assert await front.pool.fetchval("SELECT count(*) FROM customers") == 1

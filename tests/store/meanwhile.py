"""What is written while a decision is being made, and two channels to decide about."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from journey.consent import Preferences
from journey.playbook import Channel, Playbook
from store import consents, feedback, intake, ledger_sql, orders, people, preferences
from store.claims import Ask, Settles
from store.intake import Consent, Customer
from store.ledger_rows import look_it_up
from store.message_feedback import MessageFeedback
from store.pool import Connection, Pool
from tests.store.books import NOON, Books, with_rules
from tests.support.orders import Order, Person
from tests.support.world import order_id

NUMBER = "+4915112340001"
HOUR = timedelta(hours=1)
Change = Callable[[Connection, Order], Awaitable[object]]


def served(channel: Channel, _key: str) -> str | None:
    """Mail by SMTP and texts by Twilio."""
    return {Channel.EMAIL: "smtp", Channel.SMS: "twilio"}.get(channel)


def two_channels(pool: Pool, playbook: Playbook) -> Books:
    """Touches that go by mail or by text, one marketing message a day."""
    touches = tuple(touch.but(channels=(Channel.EMAIL, Channel.SMS)) for touch in playbook.touches)
    changed = Playbook.model_validate(playbook.model_dump() | {"touches": touches})
    return with_rules(Books(pool, changed), per_day=1, quiet_hours={"start": "21:00", "end": "08:00"})


def somebody() -> Person:
    """Somebody new, with an address and a number, who said yes to both."""
    return Person(customer_id=order_id(), phone=NUMBER, texts=True)


async def asked(books: Books, order: Order, touch: str, settles: Settles = look_it_up) -> Ask:
    """What the ledger answers at noon."""
    request = books.request(order, touch)
    return await books.ledger.ask(request, books.playbook, now=NOON, providers=served, settles=settles)


async def overtaken(books: Books, order: Order, change: Change, then: Callable[[], Awaitable[Any]]) -> Any:
    """What `then` comes to that waits for the customer's row while `change` is made and committed."""
    async with books.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute(
                "SELECT 1 FROM customers WHERE customer_id = $1 FOR UPDATE", order.person.customer_id
            )
            waits = asyncio.create_task(then())
            await asyncio.sleep(0.15)
            assert not waits.done(), "it did not wait for the customer's row"
            await change(connection, order)
        return await waits


async def opt_out(connection: Connection, order: Order) -> None:
    """No more marketing mail."""
    await connection.execute(
        "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)"
        " VALUES ('acme', $1, 'email', 'marketing', false, 'unsubscribe_link', $2)",
        order.person.customer_id,
        NOON,
    )


async def complaint(connection: Connection, order: Order) -> None:
    """The provider tells that this address called it spam."""
    event = MessageFeedback(
        provider="postmark", kind="complained", at=NOON, channel=Channel.EMAIL, address=order.person.email
    )
    await feedback.record(connection, event)


async def bounce(connection: Connection, order: Order) -> None:
    """The address is dead."""
    await connection.execute(ledger_sql.SUPPRESS, "acme", order.person.email, "bounced", NOON, "email")


async def cancellation(connection: Connection, order: Order) -> None:
    """The order is cancelled."""
    await orders.cancel(connection, intake.OrderCancelled(shop="acme", order_id=order.order_id, at=NOON))


async def pause(connection: Connection, order: Order) -> None:
    """The customer wants to hear nothing for an hour."""
    await connection.execute(
        "INSERT INTO preferences (shop, customer_id, paused_until, updated_at) VALUES ('acme', $1, $2, $3)",
        order.person.customer_id,
        NOON + HOUR,
        NOON,
    )


async def rather_by_text(connection: Connection, order: Order) -> None:
    """The customer prefers texts."""
    await connection.execute(
        "INSERT INTO preferences (shop, customer_id, channel_preferred, updated_at) VALUES ('acme', $1, 'sms', $2)",
        order.person.customer_id,
        NOON,
    )


async def stop(connection: Connection, order: Order) -> None:
    """The customer texts STOP."""
    await consents.hear(
        connection,
        shop="acme",
        channel=Channel.SMS,
        address=order.person.phone or "",
        text="Stop.",
        at=NOON,
        provider="twilio",
    )


# ---- the ways in which the same is written by the project itself --------------------------------------------


async def by_link(books: Books, order: Order) -> None:
    """The customer follows the link that unsubscribes."""
    assert await people.opt_out(books.pool, shop="acme", order_id=order.order_id, at=NOON)


async def by_form(books: Books, order: Order) -> None:
    """The customer fills in the preference centre."""
    choices = preferences.Choices(Preferences(channel=Channel.SMS), channels={Channel.EMAIL: False})
    await preferences.choose(
        books.pool, shop="acme", order_id=order.order_id, via=Channel.EMAIL, choices=choices, at=NOON
    )


async def by_the_shop(books: Books, order: Order) -> None:
    """The shop tells of a new address and of a consent withdrawn."""
    said = Consent(email_marketing=False)
    moved = Customer(customer_id=order.person.customer_id, email="new@example.com", consent=said)
    async with books.pool.acquire() as connection, connection.transaction():
        await people.remember(connection, "acme", moved, at=NOON, source="customer.updated", evidence="test")


def within(change: Change) -> Callable[[Books, Order], Awaitable[None]]:
    """A change that is made in a transaction of its own."""

    async def write(books: Books, order: Order) -> None:
        async with books.pool.acquire() as connection, connection.transaction():
            await change(connection, order)

    return write

"""Which channel a message takes: the customer's own first, and each that cannot serve gives way, with its reason."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journey.outcomes import Held, Refused, Sent
from journey.playbook import Channel
from store import people
from store.intake import Customer
from tests.activities.desk import MARKETING, PLACED, TRANSACTIONAL
from tests.activities.street import EMAIL, INBOX, NUMBER, PUSH, SMS, Street, somebody, suppressed
from tests.support.orders import Order

WEB, WHATSAPP = Channel.WEB_PUSH, Channel.WHATSAPP
EVENING = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
"""Half past eight of a Monday evening in Miami."""


async def prefers(street: Street, order: Order, channel: Channel | None, **more: Any) -> None:
    """What the customer chose in the preference centre."""
    await street.pool.execute(
        "INSERT INTO preferences (shop, customer_id, channel_preferred, paused_until, updated_at)"
        " VALUES ('acme', $1, $2, $3, $4)",
        order.person.customer_id,
        channel.value if channel else None,
        more.get("paused_until"),
        PLACED,
    )


async def why(street: Street, order: Order) -> tuple[str, dict[str, str]]:
    """The channel of the order's newest row, and what spoke against others."""
    row = (await street.rows(order))[-1]
    return row["channel"], json.loads(row["why"] or "{}")


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_the_customers_own_channel_comes_first(street: Street, touch: str) -> None:
    """Third in the playbook and first with the customer: it goes there, and there is nothing to explain."""
    street = street.with_touches(EMAIL, PUSH, SMS)
    order = await street.order()
    await prefers(street, order, SMS)
    assert isinstance(await street.once(order, touch), Sent)
    assert await why(street, order) == ("sms", {})
    assert (len(street.texts(order)), len(street.mails(order))) == (1, 0)


async def test_a_wish_for_a_channel_that_the_touch_has_not_changes_nothing(street: Street) -> None:
    """The touch says where it may go; the wish orders what is there."""
    street = street.with_touches(EMAIL, SMS)
    order = await street.order()
    await prefers(street, order, INBOX)
    assert isinstance(await street.once(order, MARKETING), Sent)
    assert await why(street, order) == ("email", {})


async def test_a_preferred_channel_that_refuses_gives_way_to_the_others_in_order(street: Street) -> None:
    """After the wish come the touch's own channels, as it names them."""
    street = street.with_touches(EMAIL, PUSH, SMS)
    order = await street.order()
    await prefers(street, order, SMS)
    street.twilio.stopped.add(NUMBER)
    assert isinstance(await street.once(order, TRANSACTIONAL), Sent)
    assert await street.story(order) == [("sms", "refused", "provider_twilio_21610"), ("email", "sent", None)]


async def test_a_channel_that_nobody_serves_is_no_choice(street: Street) -> None:
    """Without a provider it is passed by; where the touch has no other, that is the rule."""
    street = street.with_touches(WHATSAPP, WEB, EMAIL)
    order = await street.order()
    assert isinstance(await street.once(order, TRANSACTIONAL), Sent)
    assert (await why(street, order))[0] == "email"
    alone = street.with_touches(WHATSAPP, WEB)
    order = await alone.order()
    refused = await alone.once(order, TRANSACTIONAL)
    assert refused == Refused(rule="no_provider", why={"whatsapp": "no_provider", "web_push": "no_provider"})
    assert await alone.story(order) == [("whatsapp", "refused", "no_provider")]


async def test_without_an_address_consent_or_a_clean_one_it_goes_on(street: Street) -> None:
    """No device, a bounced address, no yes to texts: each is named, and the inbox has it in the end."""
    street = street.with_touches(PUSH, EMAIL, SMS, INBOX)
    order = await street.order(person=somebody(texts=False))
    await suppressed(street, EMAIL, order.person.email or "", "complained")
    assert isinstance(await street.once(order, MARKETING), Sent)
    named = {"push": "no_address", "email": "suppressed_complained", "sms": "no_consent"}
    assert await why(street, order) == ("inbox", named)
    assert isinstance(await street.once(order, TRANSACTIONAL), Sent)
    (row,) = [row for row in await street.rows(order) if row["touch_key"] == TRANSACTIONAL]
    assert (row["channel"], json.loads(row["why"])) == ("email", {"push": "no_address"})


async def test_where_every_channel_refuses_each_says_why(street: Street) -> None:
    """The first one's rule is the message's; the row has them all, and so has the journey."""
    street = street.with_touches(PUSH, EMAIL, SMS)
    order = await street.order(person=somebody(texts=False, consent=False))
    named = {"push": "no_address", "email": "no_consent", "sms": "no_consent"}
    assert await street.once(order, MARKETING) == Refused(rule="no_address", why=named)
    assert await why(street, order) == ("push", named)
    assert (street.texts(order), street.mails(order), street.pushed(order)) == ([], [], [])


async def test_a_text_that_would_be_too_long_goes_by_mail(street: Street) -> None:
    """Its length is known before it is decided; within the bound it goes."""
    for most, channel, named in ((1, "email", {"sms": "too_long"}), (9, "sms", {})):
        there = street.with_touches(SMS, EMAIL, most_segments=most)
        order = await there.order(person=somebody(first_name="Ζωή"), sku="YM-2")
        assert isinstance(await there.once(order, TRANSACTIONAL), Sent)
        assert await why(there, order) == (channel, named)


# ---- hours --------------------------------------------------------------------------------------------------


async def test_no_text_rings_in_florida_after_eight_in_the_evening(street: Street) -> None:
    """Held until eight in the morning by the state's law; then Twilio is told to give up when the evening comes."""
    street = street.with_touches(SMS)
    person = somebody(phone="+13055550123", country="US", region="FL", time_zone="America/New_York")
    order = await street.order(person=person)
    morning, four = datetime(2026, 11, 24, 13, 0, tzinfo=UTC), timedelta(hours=4)
    held = await street.once(order, MARKETING, now=EVENING, due=EVENING)
    assert held == Held(until=morning, rule="quiet_hours")
    assert street.twilio.requests == []
    at_four = morning + timedelta(hours=8)
    assert isinstance(await street.once(order, MARKETING, now=at_four, due=EVENING), Sent)
    assert street.twilio.requests[-1]["ValidityPeriod"] == str(int(four.total_seconds()))
    order = await street.order(person=person)
    assert isinstance(await street.once(order, TRANSACTIONAL, now=EVENING, due=EVENING), Sent)
    assert "ValidityPeriod" not in street.twilio.requests[-1]


async def test_a_text_that_may_not_ring_waits_although_a_mail_could_go(street: Street) -> None:
    """Held is the first usable channel's word; the mail is not a way around the customer's night."""
    street = street.with_touches(PUSH, SMS, EMAIL)
    person = somebody(phone="+13055550123", country="US", region="FL", time_zone="America/New_York")
    order = await street.order(person=person)
    held = await street.once(order, MARKETING, now=EVENING, due=EVENING)
    assert held == Held(until=datetime(2026, 11, 24, 13, 0, tzinfo=UTC), rule="quiet_hours", why={"push": "no_address"})
    (row,) = await street.rows(order)
    assert (row["status"], row["channel"]) == ("held", "sms")
    assert json.loads(row["why"]) == {"push": "no_address"}


# ---- what changes while it is being decided -----------------------------------------------------------------


async def test_a_new_address_that_the_decision_saw_is_the_one_written_to(street: Street) -> None:
    """The facts were read before the customer moved, the decision after it: the old address gets nothing."""
    street = street.with_touches(EMAIL)
    order = await street.order()
    request = street.request(order, TRANSACTIONAL)
    async with street.pool.acquire() as connection:
        async with connection.transaction():
            moved = Customer(customer_id=order.person.customer_id, email="new.address@example.com")
            await people.remember(connection, "acme", moved, at=PLACED, source="customer.updated", evidence="test")
            waits = asyncio.create_task(street.deliveries().deliver(request))
            await asyncio.sleep(0.2)
            assert not waits.done()
        answer = await waits
    assert isinstance(answer.outcome(now=request.now), Sent)
    (arrival,) = street.mails(order)
    assert arrival.to == "new.address@example.com"

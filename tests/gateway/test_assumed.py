"""What a shop's file decides in the database: what is assumed of its people, and which playbook its journeys pin."""

import pytest

from store import playbooks
from store.shops import Assumed, assume
from tests.gateway.kit import order_data

TEA = Assumed("acme", "de-DE", "Europe/Berlin", "DE")


@pytest.fixture
async def shop(gate):
    async with gate.pool.acquire() as connection:
        await assume(connection, [TEA])
    return gate


async def person(gate):
    row = await gate.pool.fetchrow("SELECT locale, time_zone, country FROM customers")
    return tuple(row)


async def order(gate, **customer):
    said = {"customer_id": "c-17", "email": "ada@example.com", **customer}
    assert (await gate.send.event("order.created", **{**order_data(), "customer": said})).status_code == 202
    await gate.relay.drain()


async def test_of_whom_nobody_says_anything_the_shops_own_is_assumed(shop):
    """Language, hours and law are those of the shop's country."""
    await order(shop)
    assert await person(shop) == ("de-DE", "Europe/Berlin", "DE")
    facts = shop.journeys.started["order:acme:1001"]
    assert (facts.country, facts.time_zone) == ("DE", "Europe/Berlin")


async def test_what_is_said_counts(shop):
    """Somebody in Spain is not put on the shop's clock."""
    await order(shop, locale="es", country="ES")
    assert await person(shop) == ("es", None, "ES")


async def test_who_turns_out_to_live_elsewhere_has_that_clock(shop):
    """What was assumed gives way, the zone with the country."""
    await order(shop)
    later = {"customer_id": "c-17", "country": "US", "locale": "en-US"}
    await shop.send.event("customer.updated", timestamp="2026-11-22T10:05:00Z", shop="acme", customer=later)
    await shop.relay.drain()
    assert await person(shop) == ("en-US", None, "US")


async def test_another_shops_people_are_assumed_nothing(shop):
    """And nothing any more once the file is gone."""
    async with shop.pool.acquire() as connection:
        await assume(connection, [Assumed("other", "fr-FR", "Europe/Paris", "FR")])
    await order(shop)
    assert await person(shop) == ("en", None, None)


async def test_a_shops_journeys_pin_its_own_playbook(gate, playbook):
    """The others go on pinning the deployment's, and a shop without one does, too."""
    own = playbook.model_copy(update={"name": "tea"})
    await playbooks.publish(gate.pool, own, shop="tea")
    assert await playbooks.current(gate.pool, "tea") == own.digest
    assert await playbooks.current(gate.pool, "acme") == await playbooks.current(gate.pool) == playbook.digest
    assert await playbooks.of_shops(gate.pool) == {"tea": own.digest}
    async with gate.pool.acquire() as connection:
        await assume(connection, [TEA])
    assert await playbooks.current(gate.pool, "tea") == own.digest
    await playbooks.publish(gate.pool, own, shop="acme")
    await order(gate)
    assert gate.journeys.playbooks == [own.digest]

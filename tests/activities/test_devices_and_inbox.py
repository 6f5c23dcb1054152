"""Notifications go to each of a customer's devices, and inbox rows are laid in once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from activities.deliver import Deliveries, Gap, Sender, no_gap
from activities.links import Links
from journey.outcomes import InDoubt, Refused, Sent
from store import devices
from store.ledger import Ledger
from store.pool import Pool
from tests.activities.desk import GAPS, MARKETING, PLACED, SEARCHES, TRANSACTIONAL, Crash, at, crashed
from tests.activities.street import EMAIL, INBOX, PUSH, Street, somebody
from tests.support.orders import Order
from tests.support.standin import Said

GONE = Said(
    404,
    {
        "error": {
            "code": 404,
            "status": "NOT_FOUND",
            "message": "Requested entity was not found.",
            "details": [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"}],
        }
    },
)
ACCESS = Said(body={"access_token": "ya29.1", "expires_in": 3599, "token_type": "Bearer"})
TAKEN = Said(body={"name": "projects/fernhill/messages/1"})
BROKEN = Said(500, {"error": {"code": 500, "status": "INTERNAL", "message": "Internal error"}})
AWAY = Said(503, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "Try again"}})


async def with_devices(street: Street, *tokens: str) -> Order:
    """An order of somebody with these devices, the last one registered last, who said yes to notifications."""
    order = await street.order()
    for nth, token in enumerate(tokens):
        moment = PLACED - timedelta(days=1) + timedelta(minutes=nth)
        name = f"{token}-{order.order_id}"
        await devices.register(
            street.pool, shop="acme", order_id=order.order_id, channel="push", address=name, at=moment
        )
    await street.pool.execute(
        "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)"
        " VALUES ('acme', $1, 'push', 'marketing', true, 'test', $2)",
        order.person.customer_id,
        PLACED,
    )
    return order


class Away:
    """A database that is away for the facts until `back`, and for the first so many writes."""

    def __init__(self, pool: Pool, writes: int = 0) -> None:
        self._pool = pool
        self.writes = writes
        self.back = asyncio.Event()

    async def fetchrow(self, query: str, *args: Any) -> Any:
        await self.back.wait()
        return await self._pool.fetchrow(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        if self.writes:
            self.writes -= 1
            raise ConnectionRefusedError
        return await self._pool.execute(query, *args)


def deliveries(street: Street, pool: Away, gap: Gap = no_gap) -> Deliveries:
    """A worker whose facts and devices are in that database, and its ledger in the street's own."""
    assert street.senders is not None
    links = Links("test-secret-key", "http://shop.test")
    sender = Sender(street.senders, street.templates, links, lambda _: street.playbook)
    ledger = Ledger(street.pool, domain="shop.test")
    return Deliveries(pool, ledger, sender, gap=gap)  # type: ignore[arg-type]  # all that it asks of a pool


def answers(street: Street, *said: Said) -> None:
    """What Google answers to the next messages, behind the one question for an access token."""
    street.google.then(*([] if street.google.tokens() else [ACCESS]), *said)


async def alive(street: Street, order: Order) -> list[str]:
    """The tokens of the order's customer that are still sent to."""
    found = await devices.addresses(street.pool, "acme", order.order_id, "push")
    return [address.partition("-")[0] for address in found]


async def test_one_living_device_is_enough(street: Street) -> None:
    """Sent; the dead one is not written to again."""
    street = street.with_touches(PUSH, EMAIL)
    order = await with_devices(street, "phone", "tablet")
    answers(street, GONE, TAKEN)
    assert isinstance(await street.once(order, TRANSACTIONAL), Sent)
    assert await alive(street, order) == ["phone"]
    assert await street.story(order) == [("push", "sent", None)]
    assert isinstance(await street.once(order, MARKETING), Sent)
    assert [token.partition("-")[0] for token in street.pushed(order)] == ["tablet", "phone", "phone"]
    assert street.mails(order) == []


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_a_device_hears_of_the_order_whose_link_registered_it(street: Street, touch: str) -> None:
    """Another order of the same customer has no device, so it is told by mail: links to an order are passed on."""
    street = street.with_touches(PUSH, EMAIL)
    order = await with_devices(street, "a stranger's")
    other = await street.order(person=order.person)
    assert isinstance(await street.once(other, touch), Sent)
    assert (street.pushed(order), len(street.mails(other))) == ([], 1)


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_all_devices_dead_gives_way_to_a_mail(street: Street, touch: str) -> None:
    """Refused there, sent here; the next message does not try them again."""
    street = street.with_touches(PUSH, EMAIL)
    order = await with_devices(street, "phone", "tablet")
    answers(street, GONE, GONE)
    assert isinstance(await street.once(order, touch), Sent)
    assert await street.story(order) == [("push", "refused", "provider_fcm_unregistered"), ("email", "sent", None)]
    assert await alive(street, order) == []
    assert await street.pool.fetchval("SELECT count(*) FROM suppressions") == 0
    other = MARKETING if touch == TRANSACTIONAL else TRANSACTIONAL
    assert isinstance(await street.once(order, other), Sent)
    assert (len(street.pushed(order)), len(street.mails(order))) == (2, 2)


@pytest.mark.parametrize(("falls_through", "outcome"), [(True, Sent), (False, Refused)])
async def test_devices_that_died_since_the_decision_give_way_too(
    street: Street, *, falls_through: bool, outcome: type
) -> None:
    """Another message found out that they are dead: this one, claimed before that, is not lost with them."""
    street = street.with_touches(PUSH, EMAIL, falls_through=falls_through)
    order = await with_devices(street, "phone")
    pool = Away(street.pool)

    async def dropped() -> None:
        address = f"phone-{order.order_id}"
        await devices.drop(street.pool, shop="acme", channel="push", address=address, at=PLACED)
        pool.back.set()

    request = street.request(order, TRANSACTIONAL)
    answer = await deliveries(street, pool, at("after_claim", dropped)).deliver(request)
    assert isinstance(answer.outcome(now=request.now), outcome)
    story = [("push", "refused", "no_address"), ("email", "sent", None)]
    assert await street.story(order) == story[: 1 + falls_through]
    assert len(street.mails(order)) == falls_through


async def test_one_busy_device_beside_one_that_took_it_is_sent(street: Street) -> None:
    """One device has it, so it went; what is unclear on the one and busy on the other is a doubt; both busy waits."""
    street = street.with_touches(PUSH)
    order = await with_devices(street, "phone", "tablet")
    answers(street, AWAY, TAKEN)
    assert isinstance(await street.once(order, TRANSACTIONAL), Sent)
    order = await with_devices(street, "phone", "tablet")
    answers(street, BROKEN, AWAY)
    assert isinstance(await street.once(order, MARKETING), InDoubt)
    order = await with_devices(street, "phone", "tablet")
    answers(street, AWAY, AWAY)
    assert isinstance(await street.settle(street.request(order, MARKETING)), Sent)
    assert len(street.pushed(order)) == 4


async def test_a_device_that_cannot_be_dropped_at_once_is_no_reason_to_send_again(street: Street) -> None:
    """One device took it, one is dead, and the database is away for a moment: sent, once."""
    street = street.with_touches(PUSH)
    order = await with_devices(street, "phone", "tablet")
    answers(street, GONE, TAKEN)
    pool = Away(street.pool, writes=1)
    pool.back.set()
    request = street.request(order, TRANSACTIONAL)
    answer = await deliveries(street, pool).deliver(request)
    assert isinstance(answer.outcome(now=request.now), Sent)
    assert pool.writes == 0
    assert await alive(street, order) == ["phone"]
    assert len(street.pushed(order)) == 2


# ---- the inbox ----------------------------------------------------------------------------------------------


async def notes(street: Street, order: Order) -> list[tuple[str, str]]:
    """Touch and title of what the customer finds in the inbox."""
    rows = await street.pool.fetch("SELECT touch_key, title FROM notes WHERE order_id = $1", order.order_id)
    return [(row["touch_key"], row["title"]) for row in rows]


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
@pytest.mark.parametrize("gap", [gap for gap in GAPS if gap not in SEARCHES])
async def test_a_note_is_there_once_whatever_crashes(street: Street, touch: str, gap: str) -> None:
    """The row remembers its message, so that every doubt is settled by laying it in again."""
    street = street.with_touches(INBOX)
    order = await street.order()
    crash = Crash([gap])
    assert isinstance(await street.settle(street.request(order, touch), crash), Sent)
    assert crash.at == []
    assert isinstance(await street.once(order, touch), Sent)
    ((key, title),) = await notes(street, order)
    assert key == touch
    assert title
    assert await street.story(order) == [("inbox", "sent", None)]


async def test_the_inbox_takes_what_nobody_else_will(street: Street) -> None:
    """No address, no device: the customer finds it on the order's page."""
    street = street.with_touches(PUSH, EMAIL, INBOX)
    order = await street.order(person=somebody(email=None, phone=None))
    assert isinstance(await street.once(order, TRANSACTIONAL), Sent)
    (row,) = await street.rows(order)
    assert (row["channel"], row["why"]) == ("inbox", '{"push": "no_address", "email": "no_address"}')
    assert len(await notes(street, order)) == 1


async def test_a_note_in_doubt_is_not_laid_in_after_an_opt_out(street: Street) -> None:
    """Whoever said no to the inbox meanwhile gets nothing more there."""
    street = street.with_touches(INBOX)
    order = await street.order()
    request = street.request(order, MARKETING)
    await crashed(street, request, Crash(["before_send"]))
    await street.pool.execute(
        "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, how, at)"
        " VALUES ('acme', $1, 'inbox', 'marketing', false, 'preference_centre', 'preference_centre', $2)",
        order.person.customer_id,
        PLACED,
    )
    assert isinstance(await street.settle(request), InDoubt)
    assert await notes(street, order) == []

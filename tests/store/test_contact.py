"""May it go to this person now: decided on a real PostgreSQL, one at a time per customer."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from journey.outcomes import Held, Refused
from store.claims import Claim, UnderWay
from tests.store.books import CONFIRMATION, HIGHER, LOWER, NOON, Books, new_name, same_key, with_rules, withdraw
from tests.support.orders import Order, Person
from tests.support.world import order_id

# ---- one customer, many journeys ----------------------------------------------------------------------------


@pytest.mark.parametrize("per_day", [1, 3])
async def test_journeys_that_race_for_the_last_slot_share_it_fairly(books: Books, per_day: int) -> None:
    """Twenty journeys of one customer ask at once: as many go as the day allows, the others are held by the cap."""
    books = with_rules(books, per_day=per_day)
    person = Person(customer_id=order_id())
    orders = [await books.order(person) for _ in range(20)]
    answers = await asyncio.gather(*(books.ask(order, LOWER) for order in orders))
    assert sum(isinstance(answer, Claim) for answer in answers) == per_day
    held = [answer for answer in answers if isinstance(answer, Held)]
    assert {answer.rule for answer in held} == {"cap_per_day"}
    assert len(held) == 20 - per_day
    assert await books.pool.fetchval("SELECT count(*) FROM ledger WHERE status = 'claimed'") == per_day


async def test_journeys_of_different_people_do_not_share_a_day(books: Books) -> None:
    """The cap is a person's, not the shop's."""
    orders = [await books.order() for _ in range(10)]
    answers = await asyncio.gather(*(books.ask(order, LOWER) for order in orders))
    assert all(isinstance(answer, Claim) for answer in answers)


async def test_the_same_message_asked_for_twice_at_once_is_claimed_once(books: Books) -> None:
    """Eight attempts at one touch: one claims, and while its lease lasts the others know it at work."""
    order = await books.order()
    answers = await asyncio.gather(*(books.ask(order, LOWER) for _ in range(8)))
    assert [type(answer) for answer in answers].count(Claim) == 1
    assert [type(answer) for answer in answers].count(UnderWay) == 7


async def test_a_doubt_is_taken_over_by_one(books: Books) -> None:
    """Of many attempts that would settle the same doubt one gets the claim."""
    for touch in (LOWER, CONFIRMATION):
        order = await books.order()
        await books.in_doubt(order, touch)
        settles = new_name if touch == CONFIRMATION else same_key
        answers = await asyncio.gather(*(books.ask(order, touch, settles=settles) for _ in range(6)))
        won = [answer for answer in answers if isinstance(answer, Claim)]
        assert len(won) == 1
        assert won[0].attempt_class == (1 if touch == CONFIRMATION else 0)
        assert {type(answer) for answer in answers} == {Claim, UnderWay}


async def test_a_lower_priority_yields_to_a_higher_one_that_waits(books: Books) -> None:
    """At eight both may go; the slot is the review request's, and the check-in goes the day after."""
    person = Person(customer_id=order_id())
    first, second = await books.order(person), await books.order(person)
    asleep, awake = NOON - timedelta(hours=5), NOON - timedelta(hours=4)
    assert await books.ask(first, HIGHER, asleep) == Held(until=awake, rule="quiet_hours")
    yields = await books.ask(second, LOWER, awake)
    assert yields == Held(until=awake + timedelta(days=1), rule="yields_to_higher_priority")
    assert isinstance(await books.ask(first, HIGHER, awake), Claim)


async def test_a_higher_priority_does_not_wait_for_a_lower_one(books: Books) -> None:
    """Who waits with less to say does not own the slot."""
    person = Person(customer_id=order_id())
    first, second = await books.order(person), await books.order(person)
    await books.ask(first, LOWER, NOON - timedelta(hours=5))
    assert isinstance(await books.ask(second, HIGHER, NOON), Claim)


async def test_a_week_has_its_own_cap(books: Books) -> None:
    """The fifth message in seven days waits until the first is a week old."""
    order = await books.order()
    for day, touch in enumerate(("check_in", "also_enjoyed", "bundle", "discount")):
        await books.send(order, touch, NOON + timedelta(days=day))
    now = NOON + timedelta(days=4)
    answer = await books.ask(order, HIGHER, now)
    assert isinstance(answer, Held)
    assert answer.rule == "cap_per_week"
    assert answer.until == NOON + timedelta(days=7, seconds=1)


async def test_the_day_is_the_customers_own(books: Books) -> None:
    """Two hours of one UTC day are one day in Berlin and two in Auckland."""
    morning, evening = datetime(2026, 11, 23, 7, 0, tzinfo=UTC), datetime(2026, 11, 23, 19, 30, tzinfo=UTC)
    for zone, country, later in (("Europe/Berlin", "DE", Held), ("Pacific/Auckland", "NZ", Claim)):
        person = Person(customer_id=order_id(), time_zone=zone, country=country)
        first, second = await books.order(person), await books.order(person)
        await books.send(first, LOWER, morning)
        assert isinstance(await books.ask(second, LOWER, evening), later), zone


async def test_what_may_have_gone_out_takes_a_slot_too(books: Books) -> None:
    """In doubt, or held with its doubt: to the customer it may have been a message."""
    for settled in ("in_doubt", "held"):
        person = Person(customer_id=order_id())
        first, second = await books.order(person), await books.order(person)
        doubt = await books.in_doubt(first, LOWER)
        if settled == "held":
            await books.ledger.release(doubt.claim, "provider_http_500", until=NOON + timedelta(hours=1))
        else:
            await books.ledger.record_in_doubt(doubt.claim, "provider_http_500")
        assert (await books.rows(first))[LOWER] == (settled, "provider_http_500")
        answer = await books.ask(second, HIGHER)
        assert isinstance(answer, Held)
        assert answer.rule == "cap_per_day"


# ---- consent, suppression, the order ------------------------------------------------------------------------


async def test_consent_withdrawn_while_a_message_was_held_refuses_it(books: Books) -> None:
    """What was held asks again in the morning, and the newest word of the customer holds."""
    order = await books.order()
    assert isinstance(await books.ask(order, LOWER, NOON - timedelta(hours=5)), Held)
    await withdraw(books, order)
    assert await books.ask(order, LOWER) == Refused(rule="no_consent")
    assert await books.rows(order) == {LOWER: ("refused", "no_consent")}


async def test_an_opt_out_under_way_is_waited_for(books: Books) -> None:
    """A decision that waited for the customer's lock sees what was written while it waited."""
    order = await books.order()
    person = order.person.customer_id
    async with books.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM customers WHERE customer_id = $1 FOR UPDATE", person)
            asking = asyncio.create_task(books.ask(order, LOWER))
            await asyncio.sleep(0.15)
            assert not asking.done()
            await connection.execute(
                "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)"
                " VALUES ('acme', $1, 'email', 'marketing', false, 'unsubscribe_link', $2)",
                person,
                NOON,
            )
        assert await asking == Refused(rule="opted_out")


@pytest.mark.parametrize("reason", ["opted_out", "complained", "bounced"])
async def test_a_suppressed_address_hears_no_marketing_and_a_dead_one_nothing(books: Books, reason: str) -> None:
    """Whatever the case it is written in; in its own shop only."""
    person = Person(customer_id=order_id(), email="Ada@Example.com")
    order, elsewhere = await books.order(person), await books.order(person, shop="other")
    await books.suppress("ada@EXAMPLE.com", reason)
    assert await books.ask(order, LOWER) == Refused(rule=f"suppressed_{reason}")
    answer = await books.ask(order, CONFIRMATION)
    assert answer == Refused(rule="suppressed_bounced") if reason == "bounced" else isinstance(answer, Claim)
    assert isinstance(await books.ask(elsewhere, LOWER), Claim)


async def test_a_bounce_overrules_an_opt_out_and_nothing_overrules_a_bounce(books: Books) -> None:
    """The strictest reason stays, because it alone stops transactional mail."""
    order = await books.order()
    for reason in ("opted_out", "bounced", "complained"):
        await books.suppress(order.person.email or "", reason)
    assert await books.ask(order, CONFIRMATION) == Refused(rule="suppressed_bounced")


async def test_a_cancelled_order_sells_nothing_more(books: Books) -> None:
    """Marketing is refused by that rule; the cancellation itself may be told."""
    order = await books.order()
    await books.pool.execute("UPDATE orders SET status = 'cancelled'")
    assert await books.ask(order, LOWER) == Refused(rule="order_cancelled")
    assert isinstance(await books.ask(order, "order_cancelled"), Claim)


async def test_without_an_address_there_is_nothing_to_send(books: Books) -> None:
    """A refusal with its rule, not a crash."""
    order = await books.order(Person(customer_id=order_id(), email=None))
    assert await books.ask(order, CONFIRMATION) == Refused(rule="no_address")


async def test_an_order_that_is_unknown_or_erased_is_refused_without_a_row(books: Books) -> None:
    """Nothing is left to hang a row on; a claim that outlives its person settles nothing and fails nowhere."""
    assert await books.ask(Order("nobody"), CONFIRMATION) == Refused(rule="order_unknown_or_erased")
    order = await books.order()
    claim = await books.ask(order, CONFIRMATION)
    assert isinstance(claim, Claim)
    doubt = await books.doubt(order, CONFIRMATION)
    await books.pool.execute("DELETE FROM customers")
    assert await books.ask(order, CONFIRMATION) == Refused(rule="order_unknown_or_erased")
    await books.ledger.record_sent(claim, now=NOON, provider_id=None)
    await books.ledger.release(doubt.claim, "provider_http_500", until=NOON)
    assert not await books.ledger.renew(claim)
    await books.ledger.close(order.shop, order.order_id, (), books.playbook, now=NOON, why="erased")
    assert await books.rows(order) == {}


async def test_a_message_that_waits_for_its_provider_owns_its_slot_at_any_moment(books: Books) -> None:
    """Held until its patience ends, it may go as soon as the provider is back: what is worth less yields today."""
    person = Person(customer_id=order_id())
    first, second = await books.order(person), await books.order(person)
    claim = await books.ask(first, HIGHER)
    assert isinstance(claim, Claim)
    await books.ledger.release(claim, "provider_http_503", until=NOON + timedelta(days=3))
    yields = await books.ask(second, LOWER)
    assert isinstance(yields, Held)
    assert yields.rule == "yields_to_higher_priority"

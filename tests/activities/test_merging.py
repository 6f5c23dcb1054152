"""Several messages that wait together go as one: nothing of them is lost on the way, and nothing is said twice."""

import asyncio
from datetime import timedelta

import pytest

from journey.base import TouchKey
from journey.outcomes import Held, PassedOver, Refused, Sent
from store.ledger import Ledger
from tests.activities.desk import Crash, crashed
from tests.activities.street import EMAIL, SMS, Street, somebody
from tests.support.loopback import REFUSED, Misdeed
from tests.support.orders import Order

TIP = "also_enjoyed"
NIGHT, MORNING = timedelta(hours=11, minutes=30), timedelta(hours=21)
"""From the order at eleven to half past ten in the evening, and to eight on the next day."""
RULES = {"quiet_hours": {"start": "21:00", "end": "08:00"}, "per_day": 1, "per_week": 4}
MAT, COFFEE, BOOK = "Cork block", "coffee", "book"
AWAY = Misdeed(status=503)


@pytest.fixture
def tips(street: Street) -> Street:
    """A street whose tips go as one where they wait together, one message a day, by mail or by text."""
    return street.with_touches(EMAIL, SMS, rules=RULES, merge="tips")


async def waiting(street: Street, *categories: str) -> list[Order]:
    """Orders of one person, each with a tip that waits for the morning."""
    person = somebody()
    orders = [await street.order(person=person, category=category, sku=category) for category in categories]
    for order in orders:
        answer = await street.once(order, TIP, now=order.placed_at + NIGHT, due=order.placed_at + NIGHT)
        assert answer == Held(until=order.placed_at + MORNING, rule="quiet_hours")
    return orders


async def in_the_morning(street: Street, order: Order) -> object:
    """What becomes of an order's tip at eight, tried until it settles."""
    request = street.request(order, TIP)
    return await street.settle(request.but(now=order.placed_at + MORNING, due=order.placed_at + NIGHT))


def told(street: Street) -> list[set[str]]:
    """By mail that arrived, which of the categories it told of."""
    words = {"fitness": "Cork block", "kitchen": "Linen towels"}
    return [{name for name, word in words.items() if word in str(one["html"])} for one in street.mail.requests[-1:]]


async def test_two_tips_that_wait_together_are_one_mail(tips: Street) -> None:
    """It has both orders' products; the other's row says into which it went, and its own journey sends nothing."""
    first, second = await waiting(tips, "fitness", "kitchen")
    assert isinstance(await in_the_morning(tips, first), Sent)
    assert await in_the_morning(tips, second) == Refused(rule="merged")
    assert told(tips) == [{"fitness", "kitchen"}]
    assert len(tips.mail.arrivals()) == 1
    (row,) = await tips.rows(second)
    assert (row["status"], row["rule"]) == ("refused", "merged")
    assert row["why"] == f'{{"merged_into": "{first.order_id} {TIP}"}}'
    assert await in_the_morning(tips, second) == Refused(rule="merged")
    assert len(tips.mail.requests) == 1


@pytest.mark.parametrize("gap", ["after_claim", "before_send", "after_send"])
async def test_a_crash_keeps_both_together(tips: Street, gap: str) -> None:
    """Whichever gap the process died in, the one mail that arrives still tells of both orders."""
    first, second = await waiting(tips, "fitness", "kitchen")
    at_eight = tips.request(first, TIP).but(now=first.placed_at + MORNING, due=first.placed_at + NIGHT)
    await crashed(tips, at_eight, Crash([gap]))
    assert isinstance(await in_the_morning(tips, first), Sent)
    assert await in_the_morning(tips, second) == Refused(rule="merged")
    assert told(tips) == [{"fitness", "kitchen"}]
    assert len(tips.mail.arrivals()) == 1


async def test_a_provider_that_is_busy_keeps_both_together(tips: Street) -> None:
    """What was released and asked for again still has its company."""
    first, second = await waiting(tips, "fitness", "kitchen")
    tips.mail.then(AWAY, AWAY)
    assert isinstance(await in_the_morning(tips, first), Sent)
    assert await in_the_morning(tips, second) == Refused(rule="merged")
    assert told(tips) == [{"fitness", "kitchen"}]


async def test_company_goes_on_to_the_next_channel(tips: Street) -> None:
    """A mail refused for good goes on as a text, and nobody of the group goes by mail instead."""
    first, second = await waiting(tips, "fitness", "kitchen")
    tips.mail.then(REFUSED)
    assert isinstance(await in_the_morning(tips, first), Sent)
    assert await in_the_morning(tips, second) == Refused(rule="merged")
    assert (len(tips.mails(first)), len(tips.texts(first)), len(tips.texts(second))) == (0, 1, 0)


async def test_who_took_one_along_may_be_taken_along_itself(tips: Street) -> None:
    """The first had the second with it and found its provider away; the third takes both."""
    first, second = await waiting(tips, "fitness", "kitchen")
    third = await tips.order(person=first.person, category="fitness", sku="third")
    tips.mail.then(AWAY)
    held = await tips.once(first, TIP, now=first.placed_at + MORNING, due=first.placed_at + NIGHT)
    assert isinstance(held, Held)
    assert (held.rule, held.waits_for) == ("provider_http_503", "email")
    assert isinstance(await in_the_morning(tips, third), Sent)
    assert told(tips) == [{"fitness", "kitchen"}]
    for order in (first, second):
        assert await in_the_morning(tips, order) == Refused(rule="merged")
    assert len(tips.mail.arrivals()) == 1


async def test_what_was_cancelled_is_not_taken_along(tips: Street) -> None:
    """A cancelled order sells nothing, in another's mail either."""
    first, second = await waiting(tips, "fitness", "kitchen")
    await tips.pool.execute("UPDATE orders SET status = 'cancelled' WHERE order_id = $1", second.order_id)
    assert isinstance(await in_the_morning(tips, first), Sent)
    assert told(tips) == [{"fitness"}]
    assert await in_the_morning(tips, second) == Refused(rule="order_cancelled")


async def test_another_group_another_customer_and_no_group_stay_alone(tips: Street) -> None:
    """Only what one person's touches of one group and purpose share goes together."""
    (mine,) = await waiting(tips, "fitness")
    (theirs,) = await waiting(tips, "kitchen")
    assert isinstance(await in_the_morning(tips, mine), Sent)
    assert told(tips) == [{"fitness"}]
    assert isinstance(await in_the_morning(tips, theirs), Sent)
    assert len(tips.mail.arrivals()) == 2


async def test_what_was_taken_along_by_a_message_that_does_not_go_goes_by_itself(tips: Street) -> None:
    """A message that took another along and is called back leaves it behind: it waits for that, and then goes alone."""
    first, second = await waiting(tips, "fitness", "kitchen")
    at_eight = tips.request(first, TIP).but(now=first.placed_at + MORNING, due=first.placed_at + NIGHT)
    called_back: list[asyncio.Task[object]] = []

    async def gap(name: str, _request: object) -> None:
        if name == "after_claim":
            called_back[0].cancel()
            await asyncio.sleep(0.05)

    called_back.append(asyncio.create_task(tips.deliveries(gap).deliver(at_eight)))
    with pytest.raises(asyncio.CancelledError):
        await called_back[0]
    request = tips.request(second, TIP).but(now=second.placed_at + MORNING, due=second.placed_at + NIGHT)
    answer = (await tips.deliveries().deliver(request)).outcome(now=second.placed_at + MORNING)
    assert isinstance(answer, Held)
    assert answer.rule == "goes_along"
    over = (PassedOver(key=TouchKey(TIP), rule="skipped_by_operator"),)
    ledger = Ledger(tips.pool, domain="shop.test")
    await ledger.close(first.shop, first.order_id, over, tips.playbook, now=first.placed_at + MORNING, why="done")
    assert isinstance(await in_the_morning(tips, second), Sent)

"""Refunds through the real endpoints: each is told once, by its own sum, when it is paid."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from activities.messaging.context import build_message
from activities.messaging.templates import Templates
from activities.shops.bigcommerce_orders import order_events
from journey.base import workflow_id
from journey.events import OrderRefunded
from store import concerns, inbox, messages
from store.remedy_books import books_of
from tests.gateway.kit import order_data
from tests.gateway.shopfront import SHOPIFY, WOO, ago, gmt, numeric_id, of_shopify, of_woo, opened
from tests.journey.stories import PLAYBOOK
from tests.shops import test_bigcommerce
from workflows.order_journey import OrderJourney

AT = "2026-11-22T10:00:00Z"
STORE = "store"


@pytest.fixture
async def front(journeys, stack):
    async with opened(journeys, stack) as made:
        yield made


@pytest.fixture(scope="module")
def templates():
    return Templates.load(Path(__file__).parents[2] / "playbooks")


def paid_back(refund_id, *transactions, order_id=None, at=None):
    """A refund of Shopify's; a transaction is its status, amount and currency."""
    moment = at or ago(0)
    return {
        "id": refund_id,
        **({"order_id": order_id} if order_id else {}),
        "created_at": moment,
        "processed_at": moment,
        "transactions": [
            {"kind": "refund", "status": status, "amount": amount, "currency": currency}
            for status, amount, currency in transactions
        ],
    }


def told(gate, shop, order_id):
    """What the journey was told of refunds."""
    key = workflow_id(shop, order_id)
    return [event for name, event in gate.journeys.told if name == key and isinstance(event, OrderRefunded)]


async def refunded(gate, order_id="1001", **data):
    assert (await gate.send.event("order.refunded", shop="acme", order_id=order_id, **data)).is_success
    await gate.relay.drain()


async def mailed(gate, templates, refund_id, order_id="1001"):
    """The text of the mail about one refund, in English."""
    await gate.pool.execute("UPDATE customers SET locale = 'en'")
    facts = await messages.load(gate.pool, "acme", order_id)
    touch, now = PLAYBOOK.by_id["order_refunded"], gate.clock.now
    subject = f"order_refunded:{refund_id}"
    mail = build_message(
        templates, gate.links, facts, touch, parcels=(), subject=subject, key="k", message_id="<m@x>", now=now
    )
    return f"{mail.subject} {mail.text}"


async def test_a_refund_that_was_pending_is_told_once_it_is_paid(front):
    """Its success stands in a later update of the order alone; the journey ends by it and told no delay."""
    number = numeric_id()
    order_id = str(number)
    await front.shopify("orders/create", of_shopify(number))
    await front.mail(SHOPIFY, order_id)
    waiting = paid_back(1131, ("pending", "49.90", "EUR"), order_id=number)
    await front.shopify("refunds/create", waiting)
    gone = of_shopify(number)["line_items"][0] | {"current_quantity": 0}
    update = {"updated_at": ago(0), "current_total_price": "0.00", "line_items": [gone]}
    paid = paid_back(1131, ("success", "49.90", "EUR"), at=waiting["processed_at"])
    for _ in range(2):
        await front.shopify("orders/updated", of_shopify(number, **update, refunds=[paid]))
    mail = await front.mail(SHOPIFY, order_id, "order_refunded:1131")
    assert "49.90" in mail.subject
    await front.world.clocks.forward(SHOPIFY, order_id, timedelta(days=7))
    handle = front.world.client.get_workflow_handle_for(OrderJourney.run, workflow_id(SHOPIFY, order_id))
    assert await handle.result() == "order refunded"
    assert [one.touch for one in front.mails(SHOPIFY, order_id)] == ["order_confirmation", "order_refunded:1131"]


@pytest.mark.parametrize("status", ["failure", "error", "voided"])
async def test_what_failed_is_no_money(gate, status):
    """A transaction that did not go through is told to nobody, until another attempt does."""
    await gate.send.shopify("orders/create", of_shopify(7, created_at=AT, updated_at=AT))
    failed = paid_back(1, (status, "10.00", "EUR"), order_id=7)
    await gate.send.shopify("refunds/create", failed)
    await gate.relay.drain()
    assert not told(gate, SHOPIFY, "7")
    again = {**failed, "transactions": [*failed["transactions"], failed["transactions"][0] | {"status": "success"}]}
    await gate.send.shopify("orders/updated", of_shopify(7, created_at=AT, updated_at=ago(0), refunds=[again]))
    await gate.relay.drain()
    assert [(one.refund_id, one.amount) for one in told(gate, SHOPIFY, "7")] == [("1", Decimal("10.00"))]


async def test_a_message_says_the_sum_of_its_own_refund(gate, templates):
    """The second refund's mail does not tell the sum of both, and each is in its own currency."""
    await gate.send.order()
    for refund_id, amount, currency in (("a", "10.00", "EUR"), ("b", "12.50", None), ("c", "7.00", "USD")):
        await refunded(gate, refund_id=refund_id, amount=amount, currency=currency)
    for refund_id, sum_ in (("a", "€10.00"), ("b", "€12.50"), ("c", "$7.00")):
        said = await mailed(gate, templates, refund_id)
        assert sum_ in said
        assert not any(other in said for other in {"€10.00", "€12.50", "$7.00", "€22.50", "€29.50"} - {sum_})


async def test_two_currencies_are_never_added(gate):
    """What is paid back in another currency completes nothing by itself; the shop's own word does."""
    await gate.send.order()
    await refunded(gate, refund_id="a", amount="78.00", currency="EUR")
    await refunded(gate, refund_id="b", amount="79.00", currency="USD")
    assert [(one.refund_id, one.full) for one in told(gate, "acme", "1001")] == [("a", False), ("b", False)]
    await refunded(gate, refund_id="b", amount="79.00", currency="USD", full=True)
    assert told(gate, "acme", "1001")[-1].full


@pytest.mark.parametrize(
    ("currency", "total", "said", "kept"),
    [("JPY", "3000", "1000.5", "1001"), ("KWD", "9.125", "1.2345", "1.235"), ("EUR", "79.00", "5.005", "5.01")],
)
async def test_a_sum_without_a_currency_is_in_the_orders(gate, currency, total, said, kept):
    """A refund and an edit that name none are rounded as the order's currency has it when they are written down."""
    await gate.send.order(currency=currency, total=total)
    await refunded(gate, refund_id="r", amount=said)
    assert [one.amount for one in told(gate, "acme", "1001")] == [Decimal(kept)]
    lines = [{"sku": "YM-1", "quantity": 1, "unit_price": said}]
    await gate.send.event("order.edited", timestamp=AT, shop="acme", order_id="1001", total=said, lines=lines)
    await gate.relay.drain()
    assert await gate.pool.fetchval("SELECT total FROM orders") == Decimal(kept)
    assert await gate.pool.fetchval("SELECT unit_price FROM lines") == Decimal(kept)


async def test_shipping_alone_and_more_than_the_total(gate, templates):
    """Shipping alone leaves the order as it is; more than the total is told as it was paid; nothing is not told."""
    await gate.send.order()
    await refunded(gate, refund_id="none", amount="0")
    await refunded(gate, refund_id="shipping", amount="4.90")
    assert [(one.refund_id, one.full) for one in told(gate, "acme", "1001")] == [("shipping", False)]
    await refunded(gate, refund_id="more", amount="100.00")
    assert told(gate, "acme", "1001")[-1].full
    assert "€4.90" in await mailed(gate, templates, "shipping")
    assert "€100.00" in await mailed(gate, templates, "more")


async def test_the_canonical_refund_has_a_status(gate):
    """Pending and failed are not told; what was paid stays so whatever comes late; an unknown word is refused."""
    await gate.send.order()
    word = {"refund_id": "r", "amount": "5.00", "occurred_at": AT}
    for status in ("pending", "failed", "pending"):
        await refunded(gate, **word, status=status)
        assert not told(gate, "acme", "1001")
    for status in ("paid", "pending", "failed", None):
        await refunded(gate, **word, status=status)
    (once,) = told(gate, "acme", "1001")
    # Its payment is news: the moment at which it was asked for may be long past.
    assert once.at == gate.clock.now
    wrong = await gate.send.event("order.refunded", shop="acme", order_id="1001", **word, status="perhaps")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "data.status")


async def tell(gate, vendor, number, place, words):
    """One word of a vendor's about an order: what is known of its refunds, by id (status, amount, currency)."""
    if vendor == "shopify":
        known = [paid_back(one, *moved, at=AT) for one, moved in words.items()]
        if place.random() < 0.5:
            for refund in known:
                await gate.send.shopify("refunds/create", refund | {"order_id": number})
        else:
            body = of_shopify(number, created_at=AT, updated_at=ago(0), refunds=known)
            await gate.send.shopify("orders/updated", body)
    elif vendor == "woo":
        known = [{"id": one, "total": f"-{moved[0][1]}"} for one, moved in words.items()]
        body = of_woo(number, date_created_gmt=AT[:-1], date_modified_gmt=gmt(0), refunds=known)
        await gate.send.woo("order.updated", body | {"total": "900.00"}, shop=f"https://{WOO}/")
    elif vendor == "bigcommerce":
        known = [
            test_bigcommerce.REFUND
            | {
                "id": one,
                "total_amount": moved[0][1],
                "payments": [{"amount": moved[0][1], "is_declined": moved[0][0] != "success"}],
            }
            for one, moved in words.items()
        ]
        order = test_bigcommerce.ORDER | {"id": number}
        events = order_events(
            order, test_bigcommerce.PRODUCTS, [], known, shop=STORE, secret_key="key", read_at=datetime.now(UTC)
        )
        await inbox.keep(
            gate.pool,
            source="b",
            event_id=str(place.random()),
            topic="t",
            body=b"{}",
            events=events,
            received_at=gate.clock.now,
        )
    else:
        status = {"success": "paid", "pending": "pending", "failure": "failed"}
        for one, ((state, amount, currency), *_) in words.items():
            about = {"shop": "acme", "order_id": str(number), "refund_id": str(one), "occurred_at": AT}
            await gate.send.event("order.refunded", **about, amount=amount, currency=currency, status=status[state])
    await gate.relay.drain()


def stories(chance, vendor):
    """Every word that is said of some refunds, in some order, some of them twice; and what was really paid of each."""
    words, paid = [], {}
    for one in range(1, chance.randint(2, 5)):
        amount = f"{chance.randint(1, 99)}.{chance.randint(0, 99):02}"
        currency = chance.choice(["EUR", "USD"]) if vendor in {"shopify", "canonical"} else "EUR"
        ways = {"woo": ["success"], "bigcommerce": ["success", "failure"]}.get(
            vendor, ["success", "failure", "pending"]
        )
        end = chance.choice(ways)
        told_as = [end] if vendor in {"woo", "bigcommerce"} or chance.random() < 0.3 else ["pending", end]
        words += [{one: [(state, amount, currency)]} for state in told_as] * chance.randint(1, 2)
        if end == "success":
            paid[str(one)] = (Decimal(amount), currency)
    chance.shuffle(words)
    if vendor != "canonical":
        # A whole order says several at once.
        words.append({key: value for word in words for key, value in word.items()})
    return words, paid


@pytest.mark.parametrize("vendor", ["shopify", "woo", "bigcommerce", "canonical"])
async def test_what_is_told_adds_up_to_what_was_paid(gate, vendor):
    """Whatever comes in, in any order, again, pending, failed or paid: each refund that was paid is told once."""
    shop = {"shopify": SHOPIFY, "woo": WOO, "bigcommerce": STORE, "canonical": "acme"}[vendor]
    for seed in range(12):
        chance, number = random.Random(seed), 5000 + seed
        if vendor == "shopify":
            await gate.send.shopify("orders/create", of_shopify(number, created_at=AT, total_price="900.00"))
        elif vendor == "canonical":
            data = order_data(order_id=str(number), total="900.00")
            await gate.send.event("order.created", **data)
        elif vendor == "woo":
            await gate.send.woo("order.created", of_woo(number, date_created_gmt=AT[:-1], date_modified_gmt=AT[:-1]))
        words, paid = stories(chance, vendor)
        for word in words:
            await tell(gate, vendor, number, chance, word)
        facts = await messages.load(gate.pool, shop, str(number))
        events = told(gate, shop, str(number))
        # Said again only where with it everything is paid back: a journey tells each refund once, by its id.
        assert max(Counter(one.refund_id for one in events if not one.full).values(), default=1) == 1, seed
        assert {one.refund_id: one.amount for one in events} == {key: amount for key, (amount, _) in paid.items()}, seed
        assert {key: (one.amount, one.currency) for key, one in facts.refunds.items()} == {
            key: (amount, "EUR" if vendor == "woo" else facts.currency if vendor == "bigcommerce" else currency)
            for key, (amount, currency) in paid.items()
        }, seed


def abroad(number, **changes):
    """An order of 100 dollars, which are 92 euros for its shop."""
    line = of_shopify(number)["line_items"][0] | {"price": "92.00", "price_set": moneys("92.00", "100.00")}
    total = moneys("92.00", "100.00")
    sums = {"total_price_set": total, "current_total_price_set": total, "presentment_currency": "USD"}
    prices = {"total_price": "92.00", "current_total_price": "92.00", "line_items": [line]}
    return of_shopify(number, created_at=AT, updated_at=AT) | sums | prices | changes


def moneys(own, paid):
    """An amount in euros for the shop, and in dollars as it was paid."""
    return {
        "shop_money": {"amount": own, "currency_code": "EUR"},
        "presentment_money": {"amount": paid, "currency_code": "USD"},
    }


async def page(gate, shop, order_id):
    return (await gate.client.get(gate.links.order(shop, order_id))).text


async def test_all_is_paid_back_in_the_currency_that_was_paid_in(gate):
    """Two parts of a total in dollars come to it, though the shop counts in euros; nothing is packed any more."""
    await gate.send.shopify("orders/create", abroad(7))
    for number, at in ((1, "2026-11-22T10:01:00Z"), (2, "2026-11-22T10:02:00Z")):
        await gate.relay.drain()
        assert "We are packing it" in await page(gate, SHOPIFY, "7")
        back = paid_back(number, ("success", "50.00", "USD"), order_id=7, at=at)
        await gate.send.shopify("refunds/create", back)
    await gate.relay.drain()
    assert [(one.refund_id, one.full) for one in told(gate, SHOPIFY, "7")] == [("1", False), ("2", True)]
    shown = await page(gate, SHOPIFY, "7")
    assert "$100.00 went back" in shown
    assert "packing" not in shown
    async with gate.pool.acquire() as connection:
        books = await books_of(connection, SHOPIFY, "7", "P")
    assert sum(one.amount for one in books.given) == 92


async def test_each_currency_that_went_back_is_shown(gate):
    """A refund in a third currency completes nothing and is shown beside the other."""
    await gate.send.shopify("orders/create", abroad(7))
    for number, (amount, currency) in enumerate((("40.00", "USD"), ("200.00", "GBP")), start=1):
        await gate.send.shopify("refunds/create", paid_back(number, ("success", amount, currency), order_id=7, at=AT))
    await gate.relay.drain()
    assert "£200.00" in (shown := await page(gate, SHOPIFY, "7"))
    assert "$40.00" in shown
    assert not any(one.full for one in told(gate, SHOPIFY, "7"))


async def test_an_edit_counts_beside_refunds_in_dollars(gate):
    """A shop that counts in euros knows what an edited order comes to, whatever of it was paid back in dollars."""
    await gate.send.shopify("orders/create", abroad(7))
    tea = {"id": 2, "sku": "TEA", "title": "Tea", "quantity": 1, "current_quantity": 1, "price": "9.20"}
    lines = [*abroad(7)["line_items"], tea | {"price_set": moneys("9.20", "10.00")}]
    for back, own, paid in (("5.00", "96.60", "105.00"), ("15.00", "87.40", "95.00")):
        refunds = [paid_back(1, ("success", back, "USD"), at=AT)]
        now = {"current_total_price": own, "current_total_price_set": moneys(own, paid), "line_items": lines}
        await gate.send.shopify("orders/updated", abroad(7, **now, refunds=refunds, updated_at=ago(0)))
        await gate.relay.drain()
        assert await gate.pool.fetchval("SELECT total FROM orders") == Decimal("101.20")


@pytest.mark.parametrize("second", ["refunds/create", "orders/updated"])
async def test_a_refund_that_grows_has_its_newest_sum(gate, second):
    """What is paid over a second gateway later belongs to it; a word that came late does not make it less."""
    await gate.send.shopify("orders/create", of_shopify(7, created_at=AT, updated_at=AT))
    part = paid_back(1, ("success", "20.00", "EUR"), ("failure", "29.90", "EUR"), order_id=7, at=AT)
    whole = paid_back(1, ("success", "20.00", "EUR"), ("success", "29.90", "EUR"), order_id=7, at=AT)
    await gate.send.shopify("refunds/create", part)
    await gate.relay.drain()
    body = whole if second == "refunds/create" else of_shopify(7, created_at=AT, updated_at=ago(0), refunds=[whole])
    await gate.send.shopify(second, body)
    await gate.send.shopify("refunds/create", part | {"note": "late"})
    await gate.relay.drain()
    known = [(one.amount, one.full) for one in told(gate, SHOPIFY, "7")]
    assert (known[0], known[-1]) == ((Decimal("20.00"), False), (Decimal("49.90"), True))
    assert await gate.pool.fetchval("SELECT sum(amount) FROM refunds") == Decimal("49.90")


async def bigcommerce(gate, order, refunds, read_at):
    """An order of BigCommerce's as it was read."""
    events = order_events(order, test_bigcommerce.PRODUCTS, [], refunds, shop=STORE, secret_key="key", read_at=read_at)
    name, now = str(read_at), gate.clock.now
    await inbox.keep(gate.pool, source="b", event_id=name, topic="t", body=b"{}", events=events, received_at=now)
    await gate.relay.drain()


async def test_a_refund_that_is_declined_later_is_said_to_people(gate):
    """What was told as paid and is declined counts no more, whatever was read before; people are told once."""
    order, read_at = test_bigcommerce.ORDER | {"id": 9}, datetime(2026, 11, 23, tzinfo=UTC)
    known = test_bigcommerce.REFUND | {
        "id": 1,
        "total_amount": 5.0,
        "payments": [{"amount": 5.0, "is_declined": False}],
    }
    declined = known | {"payments": [{"amount": 5.0, "is_declined": True}]}
    await bigcommerce(gate, order, [known], read_at)
    assert len(told(gate, STORE, "9")) == 1
    for later, words in ((2, [declined]), (1, [known]), (3, [declined])):
        await bigcommerce(gate, order, words, read_at + timedelta(hours=later))
    assert (await messages.load(gate.pool, STORE, "9")).paid_back == {}
    (concern,) = await concerns.take_untold(gate.pool, now=gate.clock.now)
    assert (concern.order_id, concern.kind, concern.subject) == ("9", concerns.Kind.DECLINED, "1")
    assert not await concerns.take_untold(gate.pool, now=gate.clock.now)


@pytest.mark.parametrize("vendor", ["shopify", "woo", "bigcommerce"])
async def test_an_order_that_only_says_that_it_was_refunded(gate, templates, vendor):
    """Without any refund listed its journey ends by it, and nobody is told a sum."""
    shop = {"shopify": SHOPIFY, "woo": WOO, "bigcommerce": STORE}[vendor]
    if vendor == "shopify":
        await gate.send.shopify("orders/create", of_shopify(9, created_at=AT, updated_at=AT))
        await gate.send.shopify(
            "orders/updated", of_shopify(9, created_at=AT, updated_at=ago(0), financial_status="refunded")
        )
    elif vendor == "woo":
        body = of_woo(9, date_created_gmt=AT[:-1], date_modified_gmt=AT[:-1])
        await gate.send.woo("order.created", body, shop=f"https://{WOO}/")
        await gate.send.woo(
            "order.updated", body | {"status": "refunded", "date_modified_gmt": gmt(0)}, shop=f"https://{WOO}/"
        )
    else:
        order, read_at = test_bigcommerce.ORDER | {"id": 9}, datetime(2026, 11, 23, tzinfo=UTC)
        await bigcommerce(gate, order, [], read_at)
        await bigcommerce(gate, order | {"status_id": 4}, [], read_at + timedelta(hours=1))
    await gate.relay.drain()
    (only,) = told(gate, shop, "9")
    assert (only.full, only.amount) == (True, 0)
    shown = await page(gate, shop, "9")
    assert "packing" not in shown
    assert "went back" not in shown
    await gate.pool.execute("UPDATE customers SET locale = 'en'")
    facts = await messages.load(gate.pool, shop, "9")
    touch, key = PLAYBOOK.by_id["order_refunded"], f"order_refunded:{only.refund_id}"
    now = gate.clock.now
    mail = build_message(
        templates, gate.links, facts, touch, parcels=(), subject=key, key="k", message_id="<m@x>", now=now
    )
    assert "your money back" in mail.text
    assert "0.00" not in mail.subject


async def test_lines_taken_out_of_an_unpaid_order(gate):
    """A refund without any money takes lines out, as an edit does; nothing is told as paid."""
    await gate.send.shopify("orders/create", of_shopify(7, created_at=AT, updated_at=AT))
    gone = of_shopify(7)["line_items"][0] | {"current_quantity": 0}
    taken = paid_back(1, at=AT) | {"refund_line_items": [{"quantity": 1, "line_item_id": 1, "line_item": gone}]}
    update = {"line_items": [gone], "refunds": [taken], "current_total_price": "0.00", "updated_at": ago(0)}
    await gate.send.shopify("orders/updated", of_shopify(7, created_at=AT) | update)
    await gate.relay.drain()
    assert not told(gate, SHOPIFY, "7")
    assert await gate.pool.fetchval("SELECT count(*) FROM lines") == 0
    assert await gate.pool.fetchval("SELECT total FROM orders") == 0

"""The contact ledger on a real PostgreSQL: a row for everything, each written once."""

from datetime import timedelta

from journey.base import TouchKey
from journey.outcomes import Held, PassedOver
from store.claims import AlreadySent, Claim, Final, message_key
from store.ledger import Ledger
from tests.store.books import CONFIRMATION, HIGHER, LOWER, NOON, Books, by_mail, withdraw
from tests.support.orders import Order, put


async def test_what_was_sent_is_answered_as_sent(books: Books) -> None:
    """An attempt that Temporal did not hear of is not repeated, whatever has become of consent since."""
    order = await books.order()
    await books.send(order, LOWER)
    await withdraw(books, order)
    assert await books.ask(order, LOWER, NOON + timedelta(hours=3)) == AlreadySent(NOON)


async def test_what_ended_stays_ended(books: Books) -> None:
    """Failed and in doubt are final, with their rules."""
    order = await books.order()
    for touch, status in ((CONFIRMATION, "failed"), (LOWER, "in_doubt")):
        claim = await books.ask(order, touch)
        assert isinstance(claim, Claim)
        await books.ledger.record_end(claim, status, "provider_smtp_unreachable", now=NOON)
        assert await books.ask(order, touch) == Final(status, "provider_smtp_unreachable")


async def test_a_released_message_may_be_claimed_again(books: Books) -> None:
    """Certainly not sent: the same row is claimed anew, under the same name, and knows what it waited for."""
    order = await books.order()
    claim = await books.ask(order, CONFIRMATION)
    assert isinstance(claim, Claim)
    await books.ledger.release(claim, "provider_http_429", until=NOON + timedelta(minutes=1))
    again = await books.ask(order, CONFIRMATION, NOON + timedelta(minutes=1))
    assert isinstance(again, Claim)
    assert (again.row, again.message_id, again.held_by) == (claim.row, claim.message_id, "provider_http_429")
    assert again.token != claim.token
    await books.ledger.record_sent(claim, now=NOON, provider_id="late")
    assert await books.rows(order) == {CONFIRMATION: ("claimed", None)}


async def test_a_touch_passed_over_is_one_row_and_settles_what_was_held(books: Books) -> None:
    """Riding along twice writes once; a held row ends by it; what was sent stays sent."""
    order = await books.order()
    await books.send(order, "welcome", NOON - timedelta(days=2))
    assert isinstance(await books.ask(order, LOWER, NOON - timedelta(hours=5)), Held)
    request = books.request(order, CONFIRMATION, over=("digital_access", LOWER, "welcome"))
    for _ in range(2):
        await books.ledger.ask(request, books.playbook, now=NOON, providers=by_mail)
    assert await books.rows(order) == {
        "welcome": ("sent", None),
        LOWER: ("refused", "condition"),
        "digital_access": ("refused", "condition"),
        CONFIRMATION: ("claimed", None),
    }


async def test_closing_the_books_leaves_nothing_open_and_may_be_repeated(books: Books) -> None:
    """The last non-sends get their rows, what was held or claimed is settled, the first reason stays."""
    order = await books.order()
    await books.ask(order, HIGHER, NOON - timedelta(hours=5))
    await books.ask(order, CONFIRMATION)
    over = (PassedOver(key=TouchKey("care"), rule="never_delivered"),)
    for why in ("every touch is settled", "something else"):
        await books.ledger.close(order.shop, order.order_id, over, books.playbook, now=NOON, why=why)
    assert await books.rows(order) == {
        HIGHER: ("refused", "journey_ended"),
        CONFIRMATION: ("in_doubt", "journey_ended"),
        "care": ("refused", "never_delivered"),
    }
    ended = await books.pool.fetchrow("SELECT ended_at, ended_why FROM orders")
    assert tuple(ended) == (NOON, "every touch is settled")


async def test_two_shops_may_use_the_same_order_id(books: Books) -> None:
    """Rows, claims, caps and names at the provider are each shop's own."""
    first, second = Order("1001", shop="acme"), Order("1001", shop="other")
    for order in (first, second):
        await put(books.pool, order, books.playbook.digest)
    await books.send(first, LOWER)
    assert await books.rows(second) == {}
    claim = await books.ask(second, LOWER)
    assert isinstance(claim, Claim)
    keys = {message_key(books.request(order, LOWER), 0) for order in (first, second)}
    assert keys == {"acme/1001/check_in/0", "other/1001/check_in/0"}
    await books.ledger.close("acme", "1001", (), books.playbook, now=NOON, why="done")
    assert await books.rows(second) == {LOWER: ("claimed", None)}


def test_a_message_has_the_same_name_for_ever(books: Books) -> None:
    """Message-ID and key follow from shop, order, touch and attempt class alone, and fit into a header."""
    request = books.request(Order("1001"), CONFIRMATION)
    other = Ledger(books.pool, domain="shop.test")
    assert books.ledger.message_id(request, 0) == other.message_id(request.but(now=NOON + timedelta(days=3)), 0)
    assert books.ledger.message_id(request, 0) != books.ledger.message_id(request, 1)
    for odd in ("x" * 300, "Bestellung 7", "küche", "a\r\nb", "a\x7f", "a\u2028b"):
        key = message_key(books.request(Order(odd), CONFIRMATION), 0)
        assert key.isascii()
        assert key.isprintable()
        assert " " not in key
        assert len(key) <= 256

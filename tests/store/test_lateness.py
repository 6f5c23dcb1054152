"""Time in the ledger: when patience begins, what comes too late, and words that come after others."""

from datetime import timedelta

from journey.outcomes import Held, Refused
from journey.playbook import LatePolicy, load_playbook
from store.claims import AlreadySent, Claim
from tests.store.books import CONFIRMATION, LOWER, NOON, Books, new_name


async def test_the_first_ask_is_remembered_through_holds_and_doubts(books: Books) -> None:
    """Whatever becomes of the row, and of the message sent again, its patience began at the first ask."""
    order = await books.order()
    first = await books.ask(order, CONFIRMATION, NOON)
    assert isinstance(first, Claim)
    assert first.asked_at == NOON
    await books.ledger.release(first, "provider_smtp_450", until=NOON + timedelta(minutes=1))
    second = await books.ask(order, CONFIRMATION, NOON + timedelta(hours=1))
    assert isinstance(second, Claim)
    doubt = await books.doubt(order, CONFIRMATION, NOON + timedelta(hours=2))
    assert (second.asked_at, doubt.claim.asked_at) == (NOON, NOON)
    assert isinstance(await books.ask(order, CONFIRMATION, NOON + timedelta(hours=2), settles=new_name), Claim)
    third = await books.doubt(order, CONFIRMATION, NOON + timedelta(hours=3))
    assert (third.claim.attempt_class, third.claim.asked_at) == (1, NOON)


async def test_the_word_that_it_was_sent_outweighs_a_later_claim(books: Books) -> None:
    """An attempt taken for dead reports its send while the message waits to go again: it does not go again."""
    order = await books.order()
    first = await books.ask(order, CONFIRMATION)
    assert isinstance(first, Claim)
    await books.leases_over()
    anew = await books.ask(order, CONFIRMATION, settles=new_name)
    assert isinstance(anew, Claim)
    await books.ledger.release(anew, "provider_smtp_421", until=NOON + timedelta(seconds=5))
    await books.ledger.record_sent(first, now=NOON, provider_id="x")
    assert await books.ask(order, CONFIRMATION, NOON + timedelta(seconds=5)) == AlreadySent(NOON)


async def test_a_late_marketing_touch_has_its_patience_before_it(books: Books) -> None:
    """Quiet hours hold a touch that was due long ago just as one that is due now."""
    order = await books.order()
    touch = books.playbook.by_id[LOWER]
    evening = NOON + timedelta(hours=11)
    held = await books.ask(order, LOWER, evening, due=evening - touch.patience)
    assert isinstance(held, Held)
    assert held.rule == "quiet_hours"
    ended = await books.ask(order, LOWER, evening + touch.patience, due=evening - touch.patience)
    assert ended == Refused(rule="expired_quiet_hours")


async def test_what_nobody_was_there_to_send_is_let_go_when_it_says_so(books: Books) -> None:
    """Later than it may be late and then wait, a touch that skips when late is refused; one that may be late goes."""
    touch = books.playbook.by_id[CONFIRMATION]
    assert touch.late.policy is LatePolicy.SKIP
    longest = touch.late.after + touch.patience
    in_time, late = await books.order(), await books.order()
    assert isinstance(await books.ask(in_time, CONFIRMATION, NOON, due=NOON - longest), Claim)
    due = NOON - longest - timedelta(seconds=1)
    assert await books.ask(late, CONFIRMATION, NOON, due=due) == Refused(rule="too_late")
    assert await books.rows(late) == {CONFIRMATION: ("refused", "too_late")}
    sends = load_playbook(books.playbook.compact.replace('"policy":"skip"', '"policy":"send"'))
    patient = Books(books.pool, sends)
    assert isinstance(await patient.ask(late, CONFIRMATION, NOON, due=due), Claim)

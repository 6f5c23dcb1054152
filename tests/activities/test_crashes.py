"""A crash in every gap of claim, send and record, once and twice: what the receiving side got is the truth."""

from itertools import product

import pytest

from activities.messaging.email.smtp import Smtp
from journey.outcomes import InDoubt, Sent
from tests.activities.desk import GAPS, MARKETING, SEARCHES, TRANSACTIONAL, Crash, Desk

ONCE_AND_TWICE = [[], *([gap] for gap in GAPS), *([first, second] for first, second in product(GAPS, GAPS))]


FINDING = pytest.mark.parametrize("finds_out", [True, False])


@pytest.fixture(params=["resend", "postmark"])
def sure_desk(request: pytest.FixtureRequest) -> Desk:
    """The providers that can settle a doubt."""
    made: Desk = request.getfixturevalue(f"{request.param}_desk")
    return made


@FINDING
@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_a_provider_that_can_settle_a_doubt_makes_it_exactly_once(
    sure_desk: Desk, touch: str, *, finds_out: bool
) -> None:
    """Whatever crashes where, one message arrives and one row says sent."""
    seen = set()
    for at in ONCE_AND_TWICE:
        order, crash = await sure_desk.order(), Crash(list(at))
        outcome = await sure_desk.settle(sure_desk.request(order, touch), crash, finds_out=finds_out)
        seen |= crash.seen
        (arrival,) = sure_desk.arrived(order)
        (row,) = await sure_desk.rows(order)
        assert isinstance(outcome, Sent), at
        assert (row["status"], row["rule"], row["message_id"]) == ("sent", None, arrival.message_id), at
        assert row["provider_id"] is not None
    searched = {"after_search"} if finds_out else {"after_lookup", "after_reclaim"}
    assert seen == set(GAPS) - SEARCHES | (searched if sure_desk.provider.looks_up else set())


@FINDING
async def test_plain_smtp_sends_marketing_at_most_once(smtp_desk: Desk, *, finds_out: bool) -> None:
    """Who cannot be asked gets the benefit of the doubt: the row says in doubt, and nothing goes again."""
    seen = set()
    for at in ONCE_AND_TWICE:
        order, crash = await smtp_desk.order(), Crash(list(at))
        outcome = await smtp_desk.settle(smtp_desk.request(order, MARKETING), crash, finds_out=finds_out)
        seen |= crash.seen
        arrived = len(smtp_desk.arrived(order))
        (row,) = await smtp_desk.rows(order)
        assert row["status"] in {"sent", "in_doubt"}, at
        assert arrived == 1 if row["status"] == "sent" else arrived <= 1, at
        assert isinstance(outcome, Sent if row["status"] == "sent" else InDoubt), at
        if not at or (at[0] == "before_claim" and len(at) == 1):
            assert row["status"] == "sent"
    assert seen == set(GAPS) - SEARCHES


@FINDING
async def test_plain_smtp_repeats_what_it_must_and_counts_it(smtp_desk: Desk, *, finds_out: bool) -> None:
    """A transactional message always arrives, once more at most for each crash, and each copy is a row of its own."""
    seen = set()
    for at in ONCE_AND_TWICE:
        order, crash = await smtp_desk.order(), Crash(list(at))
        outcome = await smtp_desk.settle(smtp_desk.request(order, TRANSACTIONAL), crash, finds_out=finds_out)
        seen |= crash.seen
        crashes = len(at) - len(crash.at)
        rows = await smtp_desk.rows(order)
        arrived = [one.message_id for one in smtp_desk.arrived(order)]
        assert isinstance(outcome, Sent), at
        assert len(arrived) == len(set(arrived)), at
        assert rows[-1]["status"] == "sent", at
        assert rows[-1]["message_id"] in arrived, at
        assert set(arrived) <= {row["message_id"] for row in rows}, at
        assert [row["attempt_class"] for row in rows] == list(range(len(rows))), at
        assert len(arrived) - 1 <= len(rows) - 1 <= crashes, at
        assert {(row["status"], row["rule"]) for row in rows[:-1]} <= {("in_doubt", "sent_again")}, at
    assert seen == set(GAPS) - SEARCHES


async def test_after_three_doubts_even_a_transactional_message_is_left_there(smtp_desk: Desk) -> None:
    """A crash loop must not write to a customer for ever."""
    order = await smtp_desk.order()
    outcome = await smtp_desk.settle(smtp_desk.request(order, TRANSACTIONAL), Crash(["after_send"] * 3))
    assert isinstance(outcome, InDoubt)
    assert len(smtp_desk.arrived(order)) == 3
    assert [row["status"] for row in await smtp_desk.rows(order)] == ["in_doubt"] * 3
    again = await smtp_desk.settle(smtp_desk.request(order, TRANSACTIONAL))
    assert again == outcome
    assert len(smtp_desk.arrived(order)) == 3


def test_the_kinds_differ_in_how_they_settle_a_doubt(resend_desk: Desk, postmark_desk: Desk, smtp_desk: Desk) -> None:
    """One remembers keys, one can be asked, one knows nothing."""
    assert resend_desk.provider.remembers is not None
    assert postmark_desk.provider.looks_up
    assert isinstance(smtp_desk.provider, Smtp)
    assert not smtp_desk.provider.looks_up
    assert smtp_desk.provider.remembers is None

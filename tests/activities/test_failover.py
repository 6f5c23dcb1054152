"""Several providers of one channel: who is asked next, who never is, and whom the ledger remembers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.attempt import SOON
from activities.messaging.routes import Route
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from journey.outcomes import Failed, Held, InDoubt, Sent
from journey.playbook import Channel, Playbook
from store.pool import Pool
from tests.activities.desk import MARKETING, PLACED, TRANSACTIONAL, Crash, Desk, at, crashed, then
from tests.support.loopback import CUT, ERROR_AFTER_ACCEPTING, REFUSED, SILENT, Api, Arrival, Misdeed, too_many
from tests.support.orders import Order
from tests.support.providers import PostmarkApi, ResendApi

HANDED_OVER = "handed_over"
AWAY = Misdeed(status=503)
UNCLEAR = [SILENT, CUT, ERROR_AFTER_ACCEPTING, Misdeed(status=502)]


class Both:
    """What arrived at either of two vendors."""

    def __init__(self, *apis: Api) -> None:
        self._apis = apis

    def arrivals(self) -> list[Arrival]:
        """Everything that one of them accepted."""
        return [one for api in self._apis for one in api.arrivals()]


@pytest.fixture
async def pair(
    resend: ResendApi, postmark: PostmarkApi, pool: Pool, templates: Templates, playbook: Playbook
) -> AsyncIterator[Desk]:
    """Mail by Resend, and by Postmark when Resend is busy."""
    first, second = resend.provider(), postmark.provider(settles_after=timedelta(0))
    senders = Senders({Channel.EMAIL: Route([first, second], [1, 0])})
    yield Desk(pool, first, Both(resend, postmark), templates, playbook, senders)
    await senders.aclose()


async def provider_of(desk: Desk, order: Order) -> tuple[str, str]:
    """Status and provider of the order's only row."""
    (row,) = await desk.rows(order)
    return row["status"], row["provider"]


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_the_second_has_it_at_once_when_the_first_is_away(
    pair: Desk, resend: ResendApi, postmark: PostmarkApi, touch: str
) -> None:
    """503, 429 or nobody there: one attempt, one message, under the same names, and the ledger says who has it."""
    for away in (AWAY, too_many(60), None):
        order = await pair.order()
        request = pair.request(order, touch)
        if away is None:
            await resend.stop()
        else:
            resend.then(away)
        assert isinstance((await pair.deliveries().deliver(request)).outcome(now=request.now), Sent)
        (arrival,) = pair.arrived(order)
        (row,) = await pair.rows(order)
        assert arrival in postmark.arrivals()
        assert arrival.key == f"acme/{order.order_id}/{touch}/0"
        assert (row["status"], row["provider"], row["message_id"]) == ("sent", "postmark", arrival.message_id)
        assert (row["attempt_class"], row["again"]) == (0, 0)


@pytest.mark.parametrize("misdeed", UNCLEAR, ids=lambda one: f"{one.answer}-{one.status}")
@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_what_the_first_may_have_taken_is_never_handed_over(
    pair: Desk, resend: ResendApi, postmark: PostmarkApi, touch: str, misdeed: Misdeed
) -> None:
    """Without a clear answer it stays with the first, whose key settles it: one message, none by the second."""
    order = await pair.order()
    resend.then(misdeed)
    assert isinstance(await pair.settle(pair.request(order, touch)), Sent)
    assert len(pair.arrived(order)) == 1
    assert postmark.requests == []
    assert await provider_of(pair, order) == ("sent", "resend")


async def test_a_doubtful_message_is_not_handed_over_when_its_provider_is_busy(
    pair: Desk, resend: ResendApi, postmark: PostmarkApi
) -> None:
    """The first try may have gone out: however long the first is away, the second is never asked."""
    order = await pair.order()
    request = pair.request(order, MARKETING)
    resend.then(SILENT)
    resend.always = AWAY
    for _ in range(3):
        answer = (await pair.deliveries().deliver(request)).outcome(now=request.now)
        assert isinstance(answer, Held)
        assert answer.doubtful
    assert answer.waits_for == "email/resend"
    assert postmark.requests == []
    assert len(resend.requests) == 3
    (row,) = await pair.rows(order)
    assert (row["status"], row["provider"]) == ("held", "resend")
    assert row["claim"] is not None
    resend.always = None
    assert isinstance(await pair.settle(request), Sent)
    assert len(pair.arrived(order)) == 1


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
@pytest.mark.parametrize("gap", [HANDED_OVER, "after_send", "after_search", "after_record"])
async def test_a_crash_after_the_hand_over_is_settled_with_the_second(
    pair: Desk, resend: ResendApi, postmark: PostmarkApi, touch: str, gap: str
) -> None:
    """Whoever was busy knows nothing of it: one message arrives, wherever the process died."""
    order = await pair.order()
    resend.always = AWAY
    crash = Crash(["after_send", gap] if gap == "after_search" else [gap])
    assert isinstance(await pair.settle(pair.request(order, touch), crash), Sent)
    assert crash.at == []
    assert len(pair.arrived(order)) == len(postmark.arrivals()) == 1
    assert await provider_of(pair, order) == ("sent", "postmark")


async def test_the_second_may_refuse_what_the_first_was_too_busy_for(
    pair: Desk, resend: ResendApi, postmark: PostmarkApi
) -> None:
    """A refusal is a refusal, whoever it comes from, and the second's unclear answer is its own doubt."""
    order = await pair.order()
    resend.always = AWAY
    postmark.then(REFUSED)
    outcome = await pair.settle(pair.request(order, TRANSACTIONAL))
    assert outcome.status == "refused"
    assert await provider_of(pair, order) == ("refused", "postmark")
    order = await pair.order()
    postmark.then(SILENT)
    assert isinstance(await pair.settle(pair.request(order, MARKETING)), Sent)
    assert len(pair.arrived(order)) == 1


async def test_while_everybody_is_busy_nothing_is_lost(pair: Desk, resend: ResendApi, postmark: PostmarkApi) -> None:
    """Each try asks one after the other; whoever is back first has it, once, and beyond the patience it has failed."""
    resend.always = postmark.always = AWAY
    order, late = await pair.order(), await pair.order()
    request = pair.request(order, TRANSACTIONAL)
    for _ in range(3):
        answer = (await pair.deliveries().deliver(request)).outcome(now=request.now)
        assert answer == Held(until=pair.patience(request), rule="provider_http_503", waits_for="email")
    assert (len(resend.requests), len(postmark.requests)) == (3, 3)
    (row,) = await pair.rows(order)
    assert (row["status"], row["claim"]) == ("held", None)
    assert await pair.settle(pair.request(late, TRANSACTIONAL)) == Failed(rule="provider_http_503")
    postmark.always = None
    assert isinstance(await pair.settle(request), Sent)
    assert len(pair.arrived(order)) == 1
    assert pair.arrived(late) == []


async def test_a_message_handed_over_is_not_old_to_the_second(
    pair: Desk, resend: ResendApi, postmark: PostmarkApi
) -> None:
    """Its log is given its whole time to catch up: that began when the second was asked, not when the first was."""
    slow = postmark.provider(settles_after=timedelta(minutes=1))
    first = resend.provider()
    senders = Senders({Channel.EMAIL: Route([first, slow], [1, 0])})
    desk = replace(pair, senders=senders)
    order = await desk.order()
    request = desk.request(order, TRANSACTIONAL)
    resend.then(AWAY)
    postmark.lag = 30

    async def hours_later() -> None:
        await desk.pool.execute("UPDATE ledger SET claimed_at = claimed_at - interval '2 hours'")

    await crashed(desk, request, then(at("before_send", hours_later), Crash(["after_send"])))
    with pytest.raises(ApplicationError, match="provider_log_not_settled"):
        await desk.found_out(request)
    answer = (await desk.deliveries().deliver(request)).outcome(now=request.now)
    assert isinstance(answer, Held)
    assert (answer.rule, answer.doubtful) == ("provider_log_not_settled", True)
    assert len(desk.arrived(order)) == 1
    await senders.aclose()


async def test_who_stood_still_after_the_hand_over_keeps_silent(
    pair: Desk, resend: ResendApi, postmark: PostmarkApi
) -> None:
    """The second may have been asked in vain for its message by now: what leaves this late would be another one."""
    order = await pair.order()
    request = pair.request(order, TRANSACTIONAL)
    resend.then(AWAY)
    short = replace(pair, lease=timedelta(seconds=0.5))
    answer = (await short.deliveries(at(HANDED_OVER, lambda: asyncio.sleep(0.7))).deliver(request)).outcome(now=PLACED)
    assert answer == Held(until=PLACED + SOON, rule="provider_stood_still")
    assert postmark.requests == []
    (row,) = await pair.rows(order)
    assert (row["status"], row["claim"]) == ("held", None)
    assert isinstance(await pair.settle(request), Sent)
    assert len(pair.arrived(order)) == 1


@pytest.mark.parametrize(("weights", "least", "most"), [((3, 1), 18, 36), ((0, 1), 0, 0)])
async def test_each_provider_has_its_share_and_the_ledger_knows_which(
    pair: Desk, weights: tuple[int, int], least: int, most: int
) -> None:
    """Of forty messages three in four go by the first, and none where it has no weight; each row names its own."""
    first, second = pair.provider, pair.senders.named(Channel.EMAIL, "postmark") if pair.senders else None
    assert second is not None
    senders = Senders({Channel.EMAIL: Route([first, second], weights)})
    desk = Desk(pair.pool, first, pair.receiving, pair.templates, pair.playbook, senders)
    had: Counter[str] = Counter()
    for number in range(40):
        # Names that are the same in every run: who serves a message follows from its name, and chance would fail some.
        order = await desk.order(order_id=f"share-{number}")
        assert isinstance(await desk.settle(desk.request(order, TRANSACTIONAL)), Sent)
        had[(await provider_of(desk, order))[1]] += 1
        assert len(desk.arrived(order)) == 1
    assert least <= had["resend"] <= most
    assert sum(had.values()) == 40


async def test_a_provider_that_is_there_no_more_leaves_its_doubts_behind(pair: Desk, resend: ResendApi) -> None:
    """Taken out of the setting, it cannot be asked: marketing stays in doubt, and nothing goes by another."""
    order = await pair.order()
    request = pair.request(order, MARKETING)
    await crashed(pair, request, Crash(["after_send"]))
    second = pair.senders.named(Channel.EMAIL, "postmark") if pair.senders else None
    assert second is not None
    alone = Desk(pair.pool, second, pair.receiving, pair.templates, pair.playbook)
    assert isinstance(await alone.settle(request), InDoubt)
    assert len(resend.arrivals()) == len(pair.arrived(order)) == 1

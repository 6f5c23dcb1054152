"""Crashes and providers' bad days through the real workflow, where retries and holds run on the journey's clock."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from temporalio.client import Client

from activities.deliver import Gap, no_gap
from activities.messaging.email.smtp import Smtp
from activities.messaging.protocol import EmailProvider
from activities.messaging.templates import Templates
from journey.events import ShipmentCreated
from journey.order import Buyer
from journey.playbook import Playbook, load_playbook
from store.pool import Pool
from tests.activities.desk import Crash
from tests.support.loopback import REFUSED, SERVER_ERROR, too_many
from tests.support.orders import Order, Person
from tests.support.providers import PostmarkApi, ResendApi
from tests.support.world import World, order_id, world
from workers.mail_catcher import MailCatcher
from workers.settings import shipped_playbooks

Worlds = Callable[..., AbstractAsyncContextManager[World]]


HURRIED = "anchor: order_placed, priority: 100, late: {skip_after: 7d}, patience: "


@pytest.fixture(scope="module")
def hurried() -> Playbook:
    """The shipped playbook, but an order confirmation is given up after two hours instead of three days."""
    text = (shipped_playbooks() / "default.yaml").read_text()
    assert f"{HURRIED}3d" in text
    return load_playbook(text.replace(f"{HURRIED}3d", f"{HURRIED}2h"))


@pytest.fixture
def worlds(client: Client, pool: Pool, templates: Templates, playbook: Playbook) -> Worlds:
    """Makes a world that sends through a provider."""

    @asynccontextmanager
    async def make(provider: EmailProvider, gap: Gap = no_gap, rules: Playbook = playbook) -> AsyncIterator[World]:
        async with world(client, pool, provider=provider, templates=templates, playbook=rules, gap=gap) as made:
            yield made
        await provider.aclose()

    return make


@pytest.fixture(params=["resend", "postmark"])
def api(request: pytest.FixtureRequest) -> ResendApi | PostmarkApi:
    """The providers that can settle a doubt."""
    made: ResendApi | PostmarkApi = request.getfixturevalue(request.param)
    return made


def provider_of(api: ResendApi | PostmarkApi) -> EmailProvider:
    """Its adapter, believing the search at once."""
    return api.provider() if isinstance(api, ResendApi) else api.provider(settles_after=timedelta(0))


def order() -> Order:
    """An order of somebody new."""
    return Order(order_id(), buyer=Buyer.FIRST, person=Person(customer_id=order_id()))


async def ship(made: World, order: Order) -> None:
    """A parcel leaves now, and its message goes out."""
    now = await made.now(order)
    await made.ship(order, "T1")
    await made.tell(order, ShipmentCreated(at=now, tracking_number="T1", carrier="DHL"))
    await made.forward(order, 0.01)


async def test_a_day_without_a_provider_is_a_hold_that_can_be_read(
    worlds: Worlds, catcher: MailCatcher, resend: ResendApi
) -> None:
    """While the relay is away a whole day the journey holds by its rule, others go on, and then it is sent, once."""
    await catcher.stop()
    async with worlds(Smtp(urlsplit(catcher.url))) as away, worlds(resend.provider()) as fine:
        waiting, other = order(), order()
        await away.place(waiting)
        await away.forward(waiting, 1)
        assert (await away.ledger(waiting))["order_confirmation"] == ("held", "provider_smtp_unreachable")
        (held,) = [m for m in (await away.timeline(waiting)).past if m.touch == "order_confirmation"]
        assert (held.status, held.rule) == ("held", "provider_smtp_unreachable")
        await fine.place(other)
        await ship(fine, other)
        assert [one.touch for one in resend.arrivals()][:2] == ["order_confirmation", "shipped:T1"]
        await catcher.start()
        await away.forward(waiting, 0.5)
        assert (await away.ledger(waiting))["order_confirmation"] == ("sent", None)
    assert [mail.touch for mail in catcher.messages()].count("order_confirmation") == 1


async def test_a_provider_away_for_longer_than_a_touch_is_patient_fails_that_touch_alone(
    worlds: Worlds, catcher: MailCatcher, hurried: Playbook
) -> None:
    """After the touch's own patience the ledger says failed, and the next touch is sent when its time comes."""
    await catcher.stop()
    async with worlds(Smtp(urlsplit(catcher.url)), rules=hurried) as made:
        one = order()
        await made.place(one)
        await made.forward(one, 0.1)
        assert (await made.ledger(one))["order_confirmation"] == ("failed", "provider_smtp_unreachable")
        await catcher.start()
        await ship(made, one)
        assert (await made.ledger(one))["shipped:T1"] == ("sent", None)


async def test_hours_of_answers_that_say_nothing_end_in_doubt_after_few_requests(
    worlds: Worlds, api: ResendApi | PostmarkApi, hurried: Playbook
) -> None:
    """A provider that answers 500 for hours is not hammered, and the journey goes on, nobody knowing better."""
    api.always = SERVER_ERROR
    async with worlds(provider_of(api), rules=hurried) as made:
        one = order()
        await made.place(one)
        await made.forward(one, 0.1)
        assert (await made.ledger(one))["order_confirmation"] == ("in_doubt", "provider_http_500")
        assert len(api.requests) < 15
        api.always = None
        await ship(made, one)
        assert (await made.ledger(one))["shipped:T1"] == ("sent", None)


async def test_retry_after_runs_on_the_journeys_clock(worlds: Worlds, resend: ResendApi) -> None:
    """Ten minutes asked for are ten minutes of the journey's time, which a test need not wait for."""
    resend.then(too_many(600))
    async with worlds(resend.provider()) as made:
        one = order()
        await made.place(one)
        placed = await made.now(one)
        await made.forward(one, 1 / 24 / 6 * 0.5)
        assert (await made.ledger(one))["order_confirmation"] == ("held", "provider_http_429")
        await made.forward(one, 1 / 24 / 6)
        assert (await made.ledger(one))["order_confirmation"] == ("sent", None)
        sent_at = await made.pool.fetchval("SELECT at FROM ledger WHERE touch = 'order_confirmation'")
        assert sent_at - placed >= timedelta(minutes=9)


async def test_a_refused_message_does_not_stop_the_journey(worlds: Worlds, resend: ResendApi) -> None:
    """A 422 refuses its touch by its code; the next one goes."""
    resend.then(REFUSED)
    async with worlds(resend.provider()) as made:
        one = order()
        await made.place(one)
        await made.forward(one, 0.1)
        await ship(made, one)
        ledger = await made.ledger(one)
        assert ledger["order_confirmation"] == ("refused", "provider_http_422")
        assert ledger["shipped:T1"] == ("sent", None)


async def test_a_bounce_ends_what_lies_ahead_and_a_busy_relay_does_not(worlds: Worlds, catcher: MailCatcher) -> None:
    """451 is tried again; 550 for an unknown mailbox refuses that touch and all that follow, by name."""
    replies = iter(["451 4.7.1 later", None, "550 5.1.1 no such user"])
    catcher.behaviour = lambda _mail: next(replies)
    async with worlds(Smtp(urlsplit(catcher.url))) as made:
        one = order()
        await made.place(one)
        await made.forward(one, 0.1)
        assert (await made.ledger(one))["order_confirmation"] == ("sent", None)
        await ship(made, one)
        await made.forward(one, 2)
        ledger = await made.ledger(one)
        assert ledger["shipped:T1"] == ("refused", "provider_smtp_550")
        assert ledger["welcome"] == ("refused", "suppressed_bounced")
    assert [mail.touch for mail in catcher.messages()] == ["order_confirmation"]


async def test_a_worker_that_fails_in_every_gap_of_a_journey_sends_each_message_once(
    worlds: Worlds, api: ResendApi | PostmarkApi
) -> None:
    """Attempts that die all along the way, through Temporal's own retries: no message twice, none missing."""
    crash = Crash(["after_send", "before_claim", "after_claim", "before_send", "after_record", "after_send"])
    async with worlds(provider_of(api), crash) as made:
        one = order()
        await made.place(one)
        await made.forward(one, 0.1)
        await ship(made, one)
        await made.forward(one, 2)
        ledger = await made.ledger(one)
    assert crash.at == []
    touches = [arrival.touch for arrival in api.arrivals()]
    assert touches == ["order_confirmation", "shipped:T1", "welcome"]
    assert {ledger[touch] for touch in touches} == {("sent", None)}

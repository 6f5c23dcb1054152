"""Touches that the shop's own people are to hear of as well: told once, whatever becomes of the message."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from temporalio.client import Client

from activities.alerts import Alerts
from activities.messaging.email.smtp import Smtp
from activities.messaging.templates import Templates
from journey.base import TrackingNumber
from journey.events import ShipmentCreated, ShipmentUpdated
from journey.outcomes import Refused
from journey.parcels import ParcelStatus, Reason
from journey.playbook import Playbook
from store.pool import Pool
from tests.activities.desk import PLACED, Desk
from tests.support.loopback import too_many
from tests.support.orders import Order, Person, put_parcel
from tests.support.providers import ResendApi
from tests.support.world import order_id, world
from workers.mail_catcher import MailCatcher

PROBLEM = "parcel_problem:T1:customs"


@pytest.fixture
def alerts(catcher: MailCatcher) -> Alerts:
    """The shop's people, at a mail server of their own."""
    return Alerts("mailto:ops@shop.test", sender="hello@shop.test", email=Smtp(urlsplit(catcher.url)))


def heard(catcher: MailCatcher) -> list[str | None]:
    return [mail.subject for mail in catcher.messages()]


async def test_people_are_told_once_of_what_waits_and_is_asked_again(  # noqa: PLR0917  fixtures, not arguments
    client: Client,
    pool: Pool,
    templates: Templates,
    playbook: Playbook,
    resend: ResendApi,
    catcher: MailCatcher,
    alerts: Alerts,
) -> None:
    """They hear of the problem at once, though its message waits for the provider, and not again when it goes."""
    provider = resend.provider()
    async with world(client, pool, provider=provider, templates=templates, playbook=playbook, alerts=alerts) as made:
        one = Order(order_id(), person=Person(customer_id=order_id()))
        await made.place(one)
        await made.ship(one, "T1")
        await made.tell(one, ShipmentCreated(at=await made.now(one), tracking_number="T1", carrier="DHL"))
        await made.forward(one, 0.01)
        assert heard(catcher) == []
        resend.then(too_many(3600))
        problem = {"status": ParcelStatus.EXCEPTION, "reason": Reason.CUSTOMS}
        await made.tell(one, ShipmentUpdated(at=await made.now(one), tracking_number="T1", **problem))
        await made.forward(one, 0.01)
        assert (await made.ledger(one))[PROBLEM] == ("held", "provider_http_429")
        told = [f"parcel problem · acme/{one.order_id} · parcel_problem · T1:customs"]
        assert heard(catcher) == told
        await made.forward(one, 0.1)
        assert (await made.ledger(one))[PROBLEM] == ("sent", None)
    assert heard(catcher) == told
    await provider.aclose()


async def test_people_are_told_where_the_customer_cannot_be(
    resend_desk: Desk, catcher: MailCatcher, alerts: Alerts
) -> None:
    """Nobody to write to is no reason to keep a problem from those who can mend it."""
    desk = replace(resend_desk, alerts=alerts)
    order = await desk.order(person=Person(customer_id=order_id(), email=None))
    await put_parcel(desk.pool, order, "T1", PLACED)
    request = desk.request(order, PROBLEM).but(parcel=TrackingNumber("T1"))
    assert isinstance(await desk.settle(request), Refused)
    assert heard(catcher) == [f"parcel problem · acme/{order.order_id} · parcel_problem · T1:customs"]


@pytest.mark.parametrize(("touch", "again"), [("shipped:T1", False), (PROBLEM, True)])
async def test_nobody_is_called_for_what_needs_nobody(
    resend_desk: Desk, catcher: MailCatcher, alerts: Alerts, touch: str, again: bool
) -> None:
    """A touch without `alert` tells nobody, and neither does one that was told of before."""
    desk = replace(resend_desk, alerts=alerts)
    order = await desk.order()
    await put_parcel(desk.pool, order, "T1", PLACED)
    await desk.settle(desk.request(order, touch).but(parcel=TrackingNumber("T1"), again=again))
    assert len(desk.arrived(order)) == 1
    assert heard(catcher) == []


async def test_people_who_cannot_be_reached_hold_nothing_up(
    resend_desk: Desk, catcher: MailCatcher, alerts: Alerts
) -> None:
    """The customer's message goes though the alert did not."""
    await catcher.stop()
    desk = replace(resend_desk, alerts=alerts)
    order = await desk.order()
    await put_parcel(desk.pool, order, "T1", PLACED)
    await desk.settle(desk.request(order, PROBLEM).but(parcel=TrackingNumber("T1")))
    assert [arrival.touch for arrival in desk.arrived(order)] == [PROBLEM]

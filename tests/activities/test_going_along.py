"""What several parcels of one order have to say together: one message, and a row for each thing that it says."""

from datetime import timedelta

import pytest

from journey.base import TouchKey, TrackingNumber
from journey.outcomes import DeliverRequest, Held, Refused, Sent
from tests.activities.desk import PLACED, Crash, Desk
from tests.support.loopback import too_many
from tests.support.orders import Order, Person, put_parcel
from tests.support.providers import ResendApi
from tests.support.world import order_id

TOLD = ["delivered:T1", "delivered:T2"]


async def two_parcels(desk: Desk, **changes: object) -> Order:
    """An order that came in two parcels."""
    order = await desk.order(**changes)
    for number in ("T1", "T2"):
        await put_parcel(desk.pool, order, number, order.placed_at)
    return order


def both(desk: Desk, order: Order) -> DeliverRequest:
    """Tell of both deliveries in the first one's message."""
    along = {"parcels": (TrackingNumber("T2"),), "along": (TouchKey("delivered:T2"),)}
    return desk.request(order, "delivered:T1").but(parcel=TrackingNumber("T1"), **along)


async def said(desk: Desk, order: Order) -> dict[str, tuple[str, str | None]]:
    return {row["touch_key"]: (row["status"], row["rule"]) for row in await desk.rows(order)}


async def test_what_went_along_has_a_row_that_says_so(resend_desk: Desk, resend: ResendApi) -> None:
    """One mail speaks of both parcels; the second one's row is settled, and it sends nothing of its own."""
    order = await two_parcels(resend_desk)
    assert isinstance(await resend_desk.settle(both(resend_desk, order)), Sent)
    assert await said(resend_desk, order) == dict(zip(TOLD, [("sent", None), ("refused", "merged")], strict=True))
    assert [arrival.touch for arrival in resend_desk.arrived(order)] == TOLD[:1]
    assert all(number in str(resend.requests[-1]["text"]) for number in ("T1", "T2"))
    alone = resend_desk.request(order, TOLD[1]).but(parcel=TrackingNumber("T2"))
    assert await resend_desk.settle(alone) == Refused(rule="merged")
    assert len(resend.arrivals()) == 1


@pytest.mark.parametrize("gap", ["after_claim", "before_send", "after_send", "after_record"])
async def test_a_crash_leaves_both_settled_by_one_message(resend_desk: Desk, gap: str) -> None:
    """Wherever the process died, one mail arrives, and the other parcel's row says that it went along."""
    order = await two_parcels(resend_desk)
    crash = Crash([gap])
    assert isinstance(await resend_desk.settle(both(resend_desk, order), crash), Sent)
    assert crash.at == []
    assert await said(resend_desk, order) == dict(zip(TOLD, [("sent", None), ("refused", "merged")], strict=True))
    assert len(resend_desk.arrived(order)) == 1


@pytest.mark.parametrize("gap", [None, "after_claim"])
async def test_what_goes_along_shares_the_rule_of_what_did_not_go(resend_desk: Desk, gap: str | None) -> None:
    """Nobody is told that a message was merged into one that never went."""
    order = await two_parcels(resend_desk, person=Person(customer_id=order_id(), email=None))
    outcome = await resend_desk.settle(both(resend_desk, order), Crash([gap] if gap else []))
    assert isinstance(outcome, Refused)
    assert await said(resend_desk, order) == dict.fromkeys(TOLD, ("refused", outcome.rule))


async def test_what_goes_along_waits_for_its_message(resend_desk: Desk, resend: ResendApi) -> None:
    """While the message is held nothing is settled, and nothing is said of the other parcel twice."""
    order = await two_parcels(resend_desk)
    resend.then(too_many(3600))
    request = both(resend_desk, order)
    held = (await resend_desk.deliveries().deliver(request)).outcome(now=PLACED)
    assert held == Held(until=resend_desk.patience(request), rule="provider_http_429", waits_for="email")
    assert await said(resend_desk, order) == {TOLD[0]: ("held", "provider_http_429")}
    assert isinstance(await resend_desk.settle(request.but(now=PLACED + timedelta(hours=1))), Sent)
    assert (await said(resend_desk, order))[TOLD[1]] == ("refused", "merged")


async def test_what_was_held_itself_can_still_go_along(resend_desk: Desk, resend: ResendApi) -> None:
    """The second parcel's own message waited; when the first one's goes, it waits no longer."""
    order = await two_parcels(resend_desk)
    resend.then(too_many(3600))
    alone = resend_desk.request(order, TOLD[1]).but(parcel=TrackingNumber("T2"))
    assert (await resend_desk.deliveries().deliver(alone)).rule == "provider_http_429"
    assert await said(resend_desk, order) == {TOLD[1]: ("held", "provider_http_429")}
    assert isinstance(await resend_desk.settle(both(resend_desk, order)), Sent)
    assert await said(resend_desk, order) == dict(zip(TOLD, [("sent", None), ("refused", "merged")], strict=True))
    assert len(resend_desk.arrived(order)) == 1

"""A past journey played again from what is kept of it, once Temporal has forgotten it."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.keeping import Keeping
from journey.keeping import KeepingRequest
from journey.outcomes import Status
from journey.playbook import Playbook
from journey.replay import Became
from starters.account import OrderUnknownError
from starters.replaying import PastUnknownError, report
from store import erasure
from tests.activities.test_keeping import listed, lived, runs_of
from tests.support.orders import Order
from tests.support.world import World


async def kept(journeys: World, story: str) -> Order:
    """An order that lived that story, and whose journey was kept."""
    order = await lived(journeys, story)
    await listed(journeys, order, await runs_of(journeys, order))
    request = KeepingRequest(now=datetime.now(UTC))
    await ActivityEnvironment().run(Keeping(journeys.pool, journeys.client).keep_pasts, request)
    return order


@pytest.mark.parametrize("story", ["steered", "lost"])
async def test_under_its_own_playbook_it_is_what_the_ledger_says(journeys: World, story: str) -> None:
    """With pauses, skips and a remedy: every message is the ledger's, at its moment, and no server is asked."""
    order = await kept(journeys, story)
    found = await report(journeys.pool, None, order.shop, order.order_id, None)
    assert (found.playbook, found.notes) == (found.followed, ())
    became = {one.touch: one.became for one in found.messages}
    rows = await journeys.pool.fetch(
        "SELECT DISTINCT touch_key FROM ledger WHERE status = 'sent' AND order_id = $1", order.order_id
    )
    assert rows
    assert {row["touch_key"] for row in rows} == {key for key, kind in became.items() if kind is Became.SAME}
    assert set(became.values()) <= {Became.SAME, Became.UNSENT}


async def test_under_another_playbook_what_that_changes_moves(journeys: World, playbook: Playbook) -> None:
    """A check-in two days later moves, and a message that it has not is gone; the others stay."""
    order = await kept(journeys, "first_order")
    touches = [
        touch.model_dump() | ({"offset": touch.offset + timedelta(days=2)} if touch.id == "check_in" else {})
        for touch in playbook.touches
        if touch.id != "welcome"
    ]
    other = Playbook.model_validate(playbook.model_dump() | {"touches": touches})
    found = await report(journeys.pool, None, order.shop, order.order_id, other)
    became = {one.touch: one.became for one in found.messages}
    assert (became["check_in"], became["welcome"]) == (Became.MOVED, Became.GONE)
    (moved,) = [one for one in found.messages if one.touch == "check_in"]
    assert moved.would is not None
    assert moved.would.assumed
    assert moved.would.status is Status.SENT


async def test_of_somebody_erased_nothing_is_left_to_be_played(journeys: World) -> None:
    """The order stands by its id, what its journey heard is gone."""
    order = await kept(journeys, "first_order")
    async with journeys.pool.acquire() as connection, connection.transaction():
        await erasure.erase_customer(connection, order.shop, order.person.customer_id, now=datetime.now(UTC))
    with pytest.raises((PastUnknownError, OrderUnknownError)):
        await report(journeys.pool, None, order.shop, order.order_id, None)

"""The daily learning, as a workflow on a real server over a real database."""

from datetime import timedelta
from uuid import uuid4

from temporalio.worker import Worker

from activities.learning import LaneLearning as Learning
from journey.lanes import Lane
from journey.learning import LearnAnswer, LearnRequest
from store import lanes
from tests.store.parcels import SENT, hear, hours, sent, word
from tests.support.patience import PATIENCE
from workflows.lane_learning import LaneLearning

MOMENTS = (("in_transit", 6), ("out_for_delivery", 40), ("delivered", 46))


async def one_arrived(pool, sent_at):
    await sent(pool, carrier="DHL", at=sent_at)
    for status, after in MOMENTS:
        await hear(pool, word(status, sent_at + timedelta(hours=after)))


async def test_what_arrived_by_then_is_learnt(pool):
    """The request's moment is the only clock: an hour before the delivery there is nothing to learn yet."""
    await one_arrived(pool, SENT)
    learning = Learning(pool)
    answers = [await learning.learn(LearnRequest(now=hours(at))) for at in (45, 46, 46)]
    # Carrier and country, the carrier, the country; one shop has sent something either way.
    known = LearnAnswer(lanes=3, shops=1, forgotten=0)
    assert answers == [LearnAnswer(lanes=0, shops=1, forgotten=0), known, known]


async def test_the_workflow_learns_by_its_own_clock(client, pool):
    """One activity, whose counts are the result, and the lane is there for the next parcel."""
    queue = f"learning-{uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[LaneLearning], activities=[Learning(pool).learn]):
        await one_arrived(pool, await _an_hour_of_the_past(pool))
        answer = await client.execute_workflow(
            LaneLearning.run,
            id=queue,
            task_queue=queue,
            execution_timeout=timedelta(seconds=PATIENCE),
            result_type=LearnAnswer,
        )
    assert answer == LearnAnswer(lanes=3, shops=1, forgotten=0)
    async with pool.acquire() as connection:
        found = await lanes.learnt(connection, "acme", Lane("dhl", None, "DE"))
    assert found[Lane("dhl", None, "DE")].transit[0] == (0.5, 40 / 24)


async def _an_hour_of_the_past(pool):
    """A whole hour some days ago: the server's clock is the real one."""
    return await pool.fetchval("SELECT date_trunc('hour', now()) - interval '5 days'")

"""Learns, from the shops' own parcels, what is usual on their lanes and how soon their orders leave."""

from temporalio import activity

from journey.learning import LearnAnswer, LearnRequest
from store import lanes
from store.pool import Pool


class LaneLearning:
    """The activity of the workflow of the same name, over one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @activity.defn(name="learn_lanes")
    async def learn(self, request: LearnRequest) -> LearnAnswer:
        """Look over the last half year of every shop; the same again when repeated."""
        learnt = await lanes.relearn(self._pool, now=request.now)
        return LearnAnswer(lanes=learnt.lanes, shops=learnt.shops, forgotten=learnt.forgotten)

"""The yardstick: a workflow with the default journey's signals, activities and timers, and nothing else.

Payloads are ids only, there is one kept timer, and no decision is taken. `split` continues as new once, before
the long tail, which is the best that can be done by hand.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from journey.base import Frozen, Instant

TAIL = (
    ("care", 2),
    ("check_in", 4),
    ("review_request", 6),
    ("also_enjoyed", 7),
    ("thank_you", 8),
    ("bundle", 14),
    ("discount", 21),
    ("miss_you", 30),
    ("whats_new", 45),
    ("vip_invite", 60),
)
"""Touch and days after delivery, as a repeat buyer of one parcel gets them who reviews when asked."""
PARCEL = (("created", "shipped"), ("in_transit", None), ("out_for_delivery", "out_for_delivery"))
LONG_TAIL = "discount"
"""The last send before the waits of more than a week."""
HORIZON = timedelta(days=90)


class BareInput(Frozen):
    """What a run begins with; `step` counts the tail's sends that are done."""

    order_id: str
    split: bool
    step: int = 0
    delivered_at: Instant | None = None


class BareSend(Frozen):
    """What the activity is told."""

    order_id: str
    touch: str


class BareFact(Frozen):
    """What a signal tells."""

    tracking_number: str
    status: str


class BareReview(Frozen):
    """That a review came."""

    rating: int


@workflow.defn(name="BareJourney")
class BareJourney:
    """Fourteen sends, five signals, eleven timers."""

    @workflow.init
    def __init__(self, given: BareInput) -> None:
        self._order_id = given.order_id
        self._heard: set[str] = set()
        self._delivered_at = given.delivered_at

    @workflow.run
    async def run(self, given: BareInput) -> str:
        """Send everything at its time."""
        delivered = self._delivered_at or await self._until_delivered()
        for step, (touch, day) in enumerate(TAIL[given.step :], start=given.step + 1):
            await workflow.sleep(delivered + timedelta(days=day) - workflow.now())
            await self._send(touch)
            if given.split and touch == LONG_TAIL:
                workflow.continue_as_new(given.but(step=step, delivered_at=delivered))
        return "done"

    async def _until_delivered(self) -> datetime:
        await self._send("order_confirmation")
        horizon = asyncio.create_task(workflow.sleep(HORIZON))
        for status, touch in PARCEL:
            await workflow.wait_condition(self._has_heard(status))
            if touch is not None:
                await self._send(touch)
        await workflow.wait_condition(self._has_heard("delivered"))
        delivered = workflow.now()
        horizon.cancel()
        await self._send("delivered")
        return delivered

    def _has_heard(self, status: str) -> Callable[[], bool]:
        return lambda: status in self._heard

    async def _send(self, touch: str) -> None:
        await workflow.execute_activity(
            "bare_send",
            BareSend(order_id=self._order_id, touch=touch),
            start_to_close_timeout=timedelta(seconds=45),
            heartbeat_timeout=timedelta(seconds=15),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
        )

    @workflow.signal
    def shipment_created(self, fact: BareFact) -> None:
        """A parcel left."""
        self._heard.add(fact.status)

    @workflow.signal
    def shipment_updated(self, fact: BareFact) -> None:
        """A parcel was scanned."""
        self._heard.add(fact.status)

    @workflow.signal
    def review_posted(self, review: BareReview) -> None:
        """The customer spoke; a bare workflow does nothing about it."""


class BareSends:
    """The activity that does nothing but tell that its body began."""

    def __init__(self, begun: Callable[[str, str], None]) -> None:
        """`begun` is called with order id and touch, first thing."""
        self._begun = begun

    @activity.defn(name="bare_send")
    async def send(self, request: BareSend) -> None:
        """Send nothing."""
        self._begun(request.order_id, request.touch)

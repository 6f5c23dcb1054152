"""One order, from the buy button to the last hello: a thin shell round the rules in `journey`."""

import asyncio
from datetime import datetime, timedelta

from temporalio import exceptions as failures
from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from journey.answers import (
        closed_ways,
        found_out,
        mended,
        not_mended,
        not_taken,
        opened,
        report,
        settle,
        unanswered,
    )
    from journey.base import TouchKey, cut
    from journey.events import Event
    from journey.facts import attention
    from journey.intervals import ATTEMPT, CLOSING, HEARTBEAT, MENDING, QUEUED
    from journey.itinerary import Deliver, FindOut, Finish, Step, Wait, left_over, next_step, request_for
    from journey.markdown import summary
    from journey.mending import Mend
    from journey.outcomes import CloseRequest, DeliverAnswer, DeliverRequest, FindOutRequest, WaitRequest
    from journey.playbook import ABSENCES, touch_id
    from journey.remedies import RemedyAnswer
    from journey.state import renewed
    from journey.state import start as begin
    from journey.telling import apply
    from journey.timeline import Timeline, markdown, tell
    from workflows.facts import Facts
    from workflows.journey_input import ATTENTION, NUMBER, ONCE, RETRIES, JourneyInput, search_attributes
    from workflows.operators import Operators
    from workflows.registry import PLAYBOOKS

_LONGEST_ID = 200
LONG_WAIT = timedelta(weeks=1)
"""A journey's one new run begins before a wait longer than this, at a boundary of two phases."""


@workflow.defn(name="OrderJourney")
class OrderJourney(Facts, Operators):
    """The durable story of one order. Signals tell it facts, updates are an operator's word, `timeline` answers."""

    @workflow.init
    def __init__(self, given: JourneyInput) -> None:
        """Runs before any signal is handled, so that a fact never meets a journey without a state."""
        super().__init__()
        self._playbook = PLAYBOOKS.get(given.state.playbook)
        self._state = begin(given.state, now=workflow.now())
        self._timer: asyncio.Task[None] | None = None
        self._deadline: datetime | None = None
        self._waits: dict[str, workflow.ActivityHandle[None]] = {}
        self._asking: workflow.ActivityHandle[DeliverAnswer] | None = None
        self._woken = False
        self._sending: tuple[TouchKey, ...] = ()
        self._called_off = False
        self._closed = False
        self._last_phase: str | None = None
        # What the run was started with: it is told again only when it has become another.
        self._continued = workflow.info().continued_run_id is not None
        self._attention = self._wants() if self._continued else ()
        self._number = self._state.order.number
        self._finished: str | None = None

    @workflow.run
    async def run(self, given: JourneyInput) -> str:  # noqa: ARG002  taken by __init__
        """Follow the rules until they say it is over; the result is why it ended."""
        try:
            return await self._follow()
        except asyncio.CancelledError:
            # The server's own cancel button: the tables hear of this end as they do of any other.
            for key, along in self._state.unanswered.items():
                await self._find_out(FindOut(TouchKey(key), along), ends=True)
            await self._close("cancelled in Temporal")
            raise

    async def _follow(self) -> str:
        while True:
            self._woken = False
            self._take_in_unread()
            step = next_step(self._state, self._playbook, now=workflow.now())
            match step:
                case FindOut():
                    await self._find_out(step)
                case Deliver():
                    await self._deliver(step)
                case Mend():
                    await self._mend(step)
                case Wait():
                    await self._wait(step)
                case Finish():
                    # A fact may still arrive while the books are closed; it is then looked at once more.
                    if not self._closed:
                        await self._close(step.why)
                    await workflow.wait_condition(workflow.all_handlers_finished)
                    if not self._woken:
                        self._finished = step.why
                        self._ask_for_attention()
                        self._tell()
                        return step.why

    # ---- what the rules ask for ---------------------------------------------------------------------------

    async def _deliver(self, step: Deliver) -> None:
        """Decide, claim and send in one attempt. What could not be done is decided again on what is so then."""
        request = request_for(self._state, self._playbook, step, now=workflow.now())
        if self._decides_again:
            request = request.but(once=True)
        self._sending, self._closed = step.stop.keys, False
        try:
            answer = await self._answer(step, request)
        finally:
            self._sending = ()
        if answer is not None:
            self._last_phase = step.stop.touch.phase
            now = workflow.now()
            self._state = settle(self._state, request, answer.outcome(now=now), now=now)
            # A fact that came meanwhile may have opened the books again.
            self._closed = answer.closed and not self._woken
            if answer.closed:
                self._state = report(self._state, request.left_over, now=now)
        if self._called_off:
            raise asyncio.CancelledError

    async def _answer(self, step: Deliver, request: DeliverRequest) -> DeliverAnswer | None:
        """What `deliver` answers; None where the attempt was called back in time, or gave no answer."""
        attempt = self._attempt(step, request)
        while not attempt.done():
            seen = self._state
            try:
                await workflow.wait_condition(lambda: attempt.done() or self._state is not seen)  # noqa: B023
            except asyncio.CancelledError:
                self._called_off = True
            if not attempt.done() and (self._called_off or not self._still_wanted(step)):
                # One that has begun to send is not stopped by this, and answers what became of it.
                attempt.cancel()
        try:
            return await attempt
        except asyncio.CancelledError:
            return None
        except ActivityError as error:
            cause, now = error.cause, workflow.now()
        if isinstance(cause, failures.TimeoutError) and cause.type is failures.TimeoutType.SCHEDULE_TO_START:
            until = max(now, step.stop.due) + step.stop.touch.patience
            self._state = not_taken(self._state, request.key, now=now, until=until)
        elif not isinstance(cause, failures.CancelledError):
            self._state = unanswered(self._state, request.key, request.along, now=now)
        return None

    def _attempt(self, step: Deliver, request: DeliverRequest) -> workflow.ActivityHandle[DeliverAnswer]:
        if not self._decides_again:
            # A run that an earlier version began repeats the attempt with the decision it was made with.
            return workflow.start_activity(
                "deliver",
                request,
                result_type=DeliverAnswer,
                start_to_close_timeout=ATTEMPT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RETRIES,
                summary=summary(step.stop.key),
            )
        return workflow.start_activity(
            "deliver",
            request,
            activity_id=step.stop.identity,
            result_type=DeliverAnswer,
            schedule_to_start_timeout=QUEUED,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=ONCE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary(step.stop.key),
        )

    @property
    def _decides_again(self) -> bool:
        return workflow.patched("decide-again")

    def _still_wanted(self, step: Deliver) -> bool:
        if not self._decides_again:
            return True
        again = next_step(self._state, self._playbook, now=workflow.now())
        return isinstance(again, Deliver) and again.stop.keys == step.stop.keys

    async def _find_out(self, step: FindOut, *, ends: bool = False) -> None:
        """Learn from the ledger what became of an attempt that gave no answer; facts are taken in meanwhile."""
        self._tell(step)
        order = self._state.order
        asking = self._asking = self._asking or workflow.start_activity(
            "find_out",
            FindOutRequest(
                shop=order.shop,
                order_id=order.order_id,
                playbook=self._state.playbook,
                key=step.key,
                along=step.along,
            ),
            activity_id=f"find out {step.key}"[:_LONGEST_ID],
            result_type=DeliverAnswer,
            start_to_close_timeout=MENDING,
            retry_policy=RETRIES,
            summary=summary(step.key),
        )
        while not asking.done():
            await workflow.wait_condition(
                lambda: asking.done() or (not ends and workflow.info().is_continue_as_new_suggested())
            )
            if not asking.done():
                # The next run asks again.
                await self._continue_as_new()
        self._asking = None
        now = workflow.now()
        answer = await asking
        self._state = found_out(self._state, step.key, answer.outcome(now=now), now=now)

    async def _mend(self, mend: Mend) -> None:
        """Take one step of a remedy: its row decides, and says how it stands."""
        self._closed = False
        step = mend.step(self._state, workflow.now())
        again = self._decides_again
        try:
            answer = await workflow.execute_activity(
                "remedy",
                step,
                activity_id=cut(f"{step.action} {step.part}") if again else None,
                result_type=RemedyAnswer,
                schedule_to_start_timeout=QUEUED if again else None,
                start_to_close_timeout=MENDING,
                retry_policy=ONCE if again else RETRIES,
                summary=summary(f"{step.action} {step.part}"),
            )
        except ActivityError as error:
            if isinstance(error.cause, failures.CancelledError):
                raise asyncio.CancelledError from None
            # The step may be repeated without harm, so it is simply decided on again.
            self._state = not_mended(self._state, step.part, now=workflow.now())
        else:
            self._state = mended(self._state, step, answer)

    async def _wait(self, step: Wait) -> None:
        """Let the one timer run: it is kept over every event and replaced only when the deadline moves.

        A bound that waits for no touch may ring early: parcels move it, and most journeys never reach it. So may what
        waits for an absence, which every scan moves.
        """
        rings_early = (
            (step.key is None or self._playbook.by_id[touch_id(step.key)].anchor in ABSENCES)
            and step.until is not None
            and self._deadline is not None
            and workflow.now() < self._deadline < step.until
        )
        moved = step.until != self._deadline and not rings_early
        # A flood of facts that move nothing must find the way into a new run too.
        if moved or self._timer is None or workflow.info().is_continue_as_new_suggested():
            self._drop_timer()
            if workflow.info().is_continue_as_new_suggested() or self._worth_a_new_run(step):
                await self._continue_as_new()
            if step.until is not None:
                self._deadline = step.until
                self._timer = asyncio.create_task(
                    workflow.sleep(step.until - workflow.now(), summary=summary(step.key or step.why))
                )
        self._wait_for_ways()
        self._tell(step)
        self._ask_for_attention()
        self._go_by_its_number()
        timer = self._timer
        await workflow.wait_condition(
            lambda: (
                self._woken
                or (timer is not None and timer.done())
                or any(waiting.done() for waiting in self._waits.values())
            )
        )
        if timer is not None and timer.done():
            self._timer, self._deadline = None, None
        self._see_which_ways_opened()

    def _wait_for_ways(self) -> None:
        """Have one activity pending for each way that held messages wait for: its retries grow no history."""
        closed = closed_ways(self._state)
        for way, waiting in self._waits.items():
            if way not in closed:
                waiting.cancel()
        order = self._state.order
        for way, key in closed.items():
            if way not in self._waits:
                request = WaitRequest(
                    shop=order.shop,
                    order_id=order.order_id,
                    playbook=self._state.playbook,
                    waits_for=way,
                    key=key,
                )
                self._waits[way] = workflow.start_activity(
                    "wait_for",
                    request,
                    activity_id=f"wait for {way}",
                    start_to_close_timeout=MENDING,
                    retry_policy=RETRIES,
                    cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                    summary=way,
                )

    def _see_which_ways_opened(self) -> None:
        for way, waiting in list(self._waits.items()):
            if waiting.done():
                del self._waits[way]
                if not waiting.cancelled() and waiting.exception() is None:
                    self._state = opened(self._state, way, now=workflow.now())

    async def _close(self, why: str) -> None:
        self._drop_timer()
        now = workflow.now()
        over = left_over(self._state, self._playbook, now=now)
        request = CloseRequest(
            shop=self._state.order.shop,
            order_id=self._state.order.order_id,
            playbook=self._state.playbook,
            why=why,
            left_over=over,
        )
        try:
            await workflow.execute_activity(
                "close", request, start_to_close_timeout=CLOSING, retry_policy=RETRIES, summary=summary(why)
            )
        except ActivityError as error:
            # It is retried for ever, so only the cancel button ends it: the books are then closed with that reason.
            raise asyncio.CancelledError from error
        self._state = report(self._state, over, now=now)

    def _worth_a_new_run(self, step: Wait) -> bool:
        """Whether this is the place for the one new run that bounds what a journey's long tail has to store."""
        if self._continued or step.until is None or step.key is None or step.until - workflow.now() <= LONG_WAIT:
            return False
        if self._last_phase in {None, self._playbook.by_id[touch_id(step.key)].phase}:
            return False
        return self._decides_again

    async def _continue_as_new(self) -> None:
        """Begin a new run, on the newest version of the worker, unless a fact comes while an operator is answered."""
        seen = self._state
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._state is seen:
            workflow.continue_as_new(
                JourneyInput(state=renewed(self._state)),
                search_attributes=search_attributes(self._state, self._wants()),
                initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
            )

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._deadline = None, None

    def _tell(self, step: Step | None = None) -> None:
        seen = tell(self._state, self._playbook, now=workflow.now(), finished=self._finished, step=step)
        workflow.set_current_details(markdown(seen))

    def _wants(self) -> tuple[str, ...]:
        """What a person may want to look at; only playbooks that watch say so."""
        return attention(self._state, self._playbook, workflow.now()) if self._playbook.watched else ()

    def _ask_for_attention(self) -> None:
        """Let operators find the journeys that a person may want to look at."""
        wants = self._wants()
        if wants != self._attention:
            self._attention = wants
            workflow.upsert_search_attributes([ATTENTION.value_set(list(wants))])

    def _go_by_its_number(self) -> None:
        """Let operators find the journey by the number that the shop shows now."""
        number = self._state.order.number
        if number and number != self._number:
            self._number = number
            workflow.upsert_search_attributes([NUMBER.value_set(number)])

    # ---- facts ----------------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        self._state = apply(self._state, event, now=workflow.now())
        self._woken = True

    @workflow.query
    def timeline(self) -> Timeline:
        """What happened, what is next and when, what was held back and by which rule."""
        return tell(self._state, self._playbook, now=workflow.now(), finished=self._finished)

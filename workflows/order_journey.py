"""One order, from the buy button to the last hello: a thin shell round the rules in `journey`."""

import asyncio
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from journey.answers import mended, report, settle
    from journey.base import TouchKey
    from journey.economy import worth_a_new_run
    from journey.events import Event, Paused, Resumed, SendNow, TouchSkipped
    from journey.facts import attention
    from journey.itinerary import (
        Deliver,
        Finish,
        Step,
        Wait,
        find_stop,
        left_over,
        next_step,
        outlook,
        phase,
        request_for,
    )
    from journey.mending import Mend
    from journey.outcomes import CloseRequest, DeliverAnswer
    from journey.playbook import ABSENCES, touch_id
    from journey.remedies import RemedyAnswer
    from journey.state import start as begin
    from journey.telling import apply
    from journey.timeline import Timeline, markdown, tell
    from workflows.journey_facts import Told
    from workflows.journey_input import (
        ATTEMPT,
        ATTENTION,
        CLOSING,
        HEARTBEAT,
        MENDING,
        RETRIES,
        JourneyInput,
        search_attributes,
    )
    from workflows.registry import PLAYBOOKS


@workflow.defn(name="OrderJourney")
class OrderJourney(Told):
    """The durable story of one order. Signals tell it facts, updates are an operator's word, `timeline` answers."""

    @workflow.init
    def __init__(self, given: JourneyInput) -> None:
        """Runs before any signal is handled, so that a fact never meets a journey without a state."""
        self._playbook = PLAYBOOKS.get(given.state.playbook)
        self._state = begin(given.state, now=workflow.now())
        self._timer: asyncio.Task[None] | None = None
        self._deadline: datetime | None = None
        self._woken = False
        self._sending: tuple[TouchKey, ...] = ()
        self._closed = False
        self._last_phase: str | None = None
        # What the run was started with: it is told again only when it has become another.
        continued = workflow.info().continued_run_id is not None
        self._attention = self._wants() if continued else ()
        self._finished: str | None = None

    @workflow.run
    async def run(self, given: JourneyInput) -> str:  # noqa: ARG002  taken by __init__
        """Follow the rules until they say it is over; the result is why it ended."""
        while True:
            self._woken = False
            step = next_step(self._state, self._playbook, now=workflow.now())
            match step:
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
                    if not self._woken:
                        self._finished = step.why
                        self._ask_for_attention()
                        self._tell()
                        return step.why

    # ---- what the rules ask for ---------------------------------------------------------------------------

    async def _deliver(self, step: Deliver) -> None:
        stop = step.stop
        request = request_for(self._state, self._playbook, step, now=workflow.now())
        self._sending, self._closed = stop.keys, False
        self._woken = False
        try:
            answer = await workflow.execute_activity(
                "deliver",
                request,
                result_type=DeliverAnswer,
                start_to_close_timeout=ATTEMPT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RETRIES,
                summary=stop.key,
            )
        finally:
            self._sending = ()
        self._last_phase = stop.touch.phase
        now = workflow.now()
        self._state = settle(self._state, request, answer.outcome(now=now), now=now)
        # A fact that came meanwhile may have opened the books again.
        self._closed = answer.closed and not self._woken
        if answer.closed:
            self._state = report(self._state, request.left_over)

    async def _mend(self, mend: Mend) -> None:
        """Take one step of a remedy: its row decides, and says how it stands."""
        self._closed = False
        step = mend.step(self._state, workflow.now())
        answer = await workflow.execute_activity(
            "remedy",
            step,
            result_type=RemedyAnswer,
            start_to_close_timeout=MENDING,
            retry_policy=RETRIES,
            summary=f"{step.action} {step.part}",
        )
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
            await self._continue_as_new_if_worth(step)
            if step.until is not None:
                self._deadline = step.until
                self._timer = asyncio.create_task(
                    workflow.sleep(step.until - workflow.now(), summary=step.key or step.why)
                )
        self._tell(step)
        self._ask_for_attention()
        timer = self._timer
        await workflow.wait_condition(lambda: self._woken or (timer is not None and timer.done()))
        if timer is not None and timer.done():
            self._timer, self._deadline = None, None

    async def _close(self, why: str) -> None:
        self._drop_timer()
        over = left_over(self._state, self._playbook, now=workflow.now())
        request = CloseRequest(
            shop=self._state.order.shop,
            order_id=self._state.order.order_id,
            playbook=self._state.playbook,
            why=why,
            left_over=over,
        )
        await workflow.execute_activity(
            "close", request, start_to_close_timeout=CLOSING, retry_policy=RETRIES, summary=why
        )
        self._state = report(self._state, over)

    async def _continue_as_new_if_worth(self, step: Wait) -> None:
        """Begin a new run at a phase boundary when the wait ahead costs more to store than an action.

        Or whenever the server says that this history has become too long.
        """
        now = workflow.now()
        if not workflow.info().is_continue_as_new_suggested():
            if step.until is None or step.key is None:
                return
            if self._last_phase in {None, self._playbook.by_id[touch_id(step.key)].phase}:
                return
            if not worth_a_new_run(workflow.info().get_current_history_size(), step.until - now):
                return
        current = phase(self._state, self._playbook, outlook(self._state, self._playbook, now=now).ahead)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._woken:
            return
        workflow.continue_as_new(
            JourneyInput(state=self._state),
            search_attributes=search_attributes(self._state, current, self._wants()),
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

    # ---- facts ----------------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        self._state = apply(self._state, event, now=workflow.now())
        self._woken = True

    # ---- an operator's word ---------------------------------------------------------------------------------

    @workflow.update
    def pause(self) -> Timeline:
        """Send nothing until resumed; facts are still taken in."""
        self._hear(Paused(at=workflow.now()))
        return self.timeline()

    @pause.validator
    def _may_pause(self) -> None:
        if self._state.paused:
            raise _refusal("the journey is paused already")

    @workflow.update
    def resume(self) -> Timeline:
        """Go on; what is late by now follows its touch's late policy."""
        self._hear(Resumed(at=workflow.now()))
        return self.timeline()

    @resume.validator
    def _may_resume(self) -> None:
        if not self._state.paused:
            raise _refusal("the journey is not paused")

    @workflow.update
    def skip_touch(self, key: TouchKey) -> Timeline:
        """Never send this touch."""
        self._hear(TouchSkipped(at=workflow.now(), key=key))
        return self.timeline()

    @skip_touch.validator
    def _may_skip(self, key: TouchKey) -> None:
        self._check_open(key)

    @workflow.update
    def send_now(self, key: TouchKey) -> Timeline:
        """Send this touch at once, whatever the hour and the caps say; consent still decides."""
        self._hear(SendNow(at=workflow.now(), key=key))
        return self.timeline()

    @send_now.validator
    def _may_send_now(self, key: TouchKey) -> None:
        self._check_open(key)
        if self._state.paused:
            raise _refusal("the journey is paused: resume it first")
        if find_stop(self._state, self._playbook, key, now=workflow.now()) is None:
            raise _refusal(f"touch {key!r} has nothing to speak about yet: its anchor has not happened")

    def _check_open(self, key: str) -> None:
        if touch_id(key) not in self._playbook.by_id:
            known = ", ".join(self._playbook.by_id)
            raise _refusal(f"the playbook has no touch {key!r}; it has {known}")
        if key in self._state.settled:
            raise _refusal(f"touch {key!r} is settled already: {self._state.settled[key].status}")
        if key in self._sending:
            raise _refusal(f"touch {key!r} is being sent at this moment")

    @workflow.query
    def timeline(self) -> Timeline:
        """What happened, what is next and when, what was held back and by which rule."""
        return tell(self._state, self._playbook, now=workflow.now(), finished=self._finished)


def _refusal(message: str) -> ApplicationError:
    return ApplicationError(message, type="NotPossible", non_retryable=True)

"""One remedy on Temporal: a thin shell round the rules in `journey.saga`, which say what comes next."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from journey.base import Frozen, TrackingNumber, workflow_id
    from journey.events import RemedySettled
    from journey.markdown import shown
    from journey.remedies import RemedyRequest
    from journey.remedy_steps import Answer, RemedyDid, RemedyEnd, RemedyLook
    from journey.saga.kinds import (
        AskPeople,
        AskShop,
        LookAgain,
        Move,
        Over,
        Settle,
        TellJourney,
        TellPeople,
        Wait,
        WriteDown,
    )
    from journey.saga.moves import heard, newer, next_move
    from journey.saga.state import RULES, Saga, Word, begin
    from journey.saga.words import say, where
    from workflows.journey_input import NUMBER, ORDER_ID, SHOP
    from workflows.steering import Steered

# All of this workflow's intervals. An attempt is longer than the requests of one step may take together; a dead worker
# is found much sooner by its silence, and what it had asked for is then of unknown outcome.
ATTEMPT = timedelta(minutes=3)
HEARTBEAT = timedelta(seconds=30)
RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=10))
ONCE = RetryPolicy(maximum_attempts=1)
"""A step at the shop is one attempt: what became of it, and when there is another, the saga decides."""
TYPE = "RemedySaga"
"""Its name on the server. `RemedyCase` was an earlier workflow with other rules: see docs/decisions/0011."""
_CANCELLED = "cancelled"
"""Who says the word that the server's own cancel button is taken for."""


class RemedyInput(Frozen):
    """What a run begins with: a remedy, or where the run before this one had got to.

    `restarted` where another run was stopped, which may have asked the shop for something.
    """

    request: RemedyRequest
    saga: Saga | None = None
    restarted: bool = False


def search_attributes(request: RemedyRequest) -> TypedSearchAttributes:
    """What operators can filter by, as they do for journeys."""
    pairs = [SearchAttributePair(ORDER_ID, request.order_id), SearchAttributePair(SHOP, request.shop)]
    if request.number:
        pairs.append(SearchAttributePair(NUMBER, request.number))
    return TypedSearchAttributes(pairs)


@workflow.defn(name=TYPE)
class RemedySaga(Steered):
    """Makes one parcel good, once. Its details say what stands, and what is asked of whom."""

    @workflow.init
    def __init__(self, given: RemedyInput) -> None:
        """Runs before any update is looked at."""
        super().__init__(given.saga or begin(given.request, restarted=given.restarted))
        self._request = given.request

    @workflow.run
    async def run(self, given: RemedyInput) -> str:  # noqa: ARG002  taken by __init__
        """Make it good; the result is how it ended."""
        work = asyncio.create_task(self._work())
        while True:
            try:
                ended = await asyncio.shield(work)
            except asyncio.CancelledError:
                # Everything at once is cancelled where the worker lets go of it: it goes on elsewhere.
                if work.done():
                    raise
                # The server's own cancel button: half a saga is not to be left behind, so it is a word like any other.
                self._saga, number = say(self._saga, Word(kind="call_off", by=_CANCELLED))
                self._unheard.add(number)
            else:
                await workflow.wait_condition(workflow.all_handlers_finished)
                return ended

    async def _work(self) -> str:
        while True:
            self._saga, move = next_move(self._saga, now=workflow.now())
            for number in self._unheard & self._saga.replies.keys():
                self._unheard.discard(number)
                self._saga = self._saga.heard(number)
            self._say_where(move)
            if isinstance(move, Over):
                return move.result
            if isinstance(move, Wait):
                await self._wait(move)
                continue
            outcome = await self._make(move)
            if outcome is not Ellipsis:
                if newer(move, outcome) and workflow.patched("rules-2"):
                    self._saga = self._saga.but(rules=RULES)
                self._saga = heard(self._saga, move, outcome, now=workflow.now())

    async def _make(self, move: Move) -> Any:  # noqa: PLR0911  one return a move
        """What came of a move; `...` where a word came first and the move is not needed any more."""
        match move:
            case LookAgain():
                return await self._unless_word("look", self._request, RemedyLook | None)
            case AskPeople(ask):
                return await self._activity("ask", ask)
            case WriteDown(note):
                return await self._activity("approved" if note.choice is None else "switched", note)
            case AskShop(step, task):
                return await self._step(step, task)
            case Settle(end):
                return await self._activity("settle", end)
            case TellPeople(end):
                return await self._activity("unheard", end)
            case TellJourney(end):
                return await self._tell(end)

    async def _wait(self, move: Wait) -> None:
        if workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished() and not self._saga.words:
            workflow.continue_as_new(
                RemedyInput(request=self._request, saga=self._saga), search_attributes=search_attributes(self._request)
            )
        before, left = self._saga.number, move.until - workflow.now()
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._saga.number > before, timeout=max(left, timedelta(0)))

    async def _step(self, step: str, task: Any) -> RemedyDid:
        try:
            did: RemedyDid = await workflow.execute_activity(
                f"remedy_{step}",
                task,
                result_type=RemedyDid,
                start_to_close_timeout=ATTEMPT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=ONCE,
            )
        except ActivityError:
            # The worker died or could not write its answer down: the shop may have done it, or be about to.
            return RemedyDid(answer=Answer.UNKNOWN, rule="no_answer")
        return did

    async def _activity(self, name: str, given: object, result: Any = None) -> Any:
        return await workflow.execute_activity(
            f"remedy_{name}",
            given,
            result_type=result,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRIES,
        )

    async def _unless_word(self, name: str, given: object, result: Any) -> Any:
        """An activity that changes nothing, or `...` when a word came that may make it needless."""
        before = self._saga.number
        looking = asyncio.create_task(self._activity(name, given, result))
        await workflow.wait_condition(lambda: looking.done() or self._saga.number > before)
        if looking.done():
            return await looking
        looking.cancel()
        with suppress(ActivityError, asyncio.CancelledError):
            return await looking
        return ...

    async def _tell(self, end: RemedyEnd) -> bool:
        """Tell the order's journey; False when it has ended."""
        told = RemedySettled(
            at=workflow.now(),
            part=TrackingNumber(self._request.part),
            stand=end.stand,
            choice=end.choice,
            reference=end.reference,
        )
        journey = workflow.get_external_workflow_handle(workflow_id(self._request.shop, self._request.order_id))
        try:
            await journey.signal("remedy_settled", told)
        except FailureError:
            return False
        return True

    def _say_where(self, move: Move) -> None:
        look = self._saga.look
        sum_of = f", {look.amount} {look.currency}" if look is not None else ""
        doing = ""
        if isinstance(move, AskShop):
            doing = f"\n\n{move.step.replace('_', ' ')}"
        elif isinstance(move, Wait):
            doing = f"\n\n{move.why}, next at {move.until:%Y-%m-%d %H:%M:%S} UTC"
        seen = "".join(f"\n\n- {shown(one)}" for one in look.concerns) if look is not None else ""
        details = f"**{self._saga.choice}{sum_of}**\n\n{where(self._saga)}{doing}{seen}"
        workflow.set_current_details(details)

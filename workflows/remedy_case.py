"""One remedy, from the choice to the goods or the money: a saga that may be told to turn back until its pivot."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from journey.base import TrackingNumber, workflow_id
    from journey.events import RemedySettled
    from journey.remedies import Choice, RemedyRequest, Stand
    from journey.remedy_steps import Asked, RemedyAsk, RemedyDid, RemedyEnd, RemedyLook, RemedyTask, RemedyWord
    from workflows.journey_input import ORDER_ID, SHOP
    from workflows.steering import Steered, Word

# Longer than the requests of one step may take together; a dead worker is found much sooner by its silence, but not
# before a request that it left behind has come to its end at the shop.
ATTEMPT = timedelta(minutes=3)
HEARTBEAT = timedelta(seconds=30)
RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=10))
REMIND = timedelta(days=1)
COUPON_PATIENCE = timedelta(hours=1)
"""The remedy itself is done by then: its customer is not kept waiting for an apology."""

REFUNDED = "already_refunded"
_ERASED = "order_erased"
_NO_ANSWER, _CALLED_OFF = "no_answer", "called_off"
_OVER = {REFUNDED: Stand.DONE, "order_cancelled": Stand.WITHDRAWN, "parcel_arrived": Stand.WITHDRAWN}
_ASKED = {
    Asked.APPROVAL: "waits for `approve` or `decline`",
    Asked.HAND: "waits for somebody to do it at the shop, and to say `done` with what it is called there",
    Asked.INSTEAD: "the shop will not: waits for `choose`, `done` or `call_off`",
}


@dataclass(frozen=True)
class End:
    """How it ends; see `journey.remedy_steps.RemedyEnd`."""

    stand: Stand
    reference: str | None = None
    rule: str | None = None


def search_attributes(request: RemedyRequest) -> TypedSearchAttributes:
    """What operators can filter by, as they do for journeys."""
    pairs = [SearchAttributePair(ORDER_ID, request.order_id), SearchAttributePair(SHOP, request.shop)]
    return TypedSearchAttributes(pairs)


@workflow.defn(name="RemedyCase")
class RemedyCase(Steered):
    """Makes one parcel good, once. Its details say what stands, and what is asked of whom."""

    @workflow.init
    def __init__(self, request: RemedyRequest) -> None:
        """Runs before any update is looked at."""
        super().__init__()
        self._request = request
        self._turn = 1

    @workflow.run
    async def run(self, request: RemedyRequest) -> str:  # noqa: ARG002  taken by __init__
        """Make it good; the result is how it ended."""
        work = asyncio.create_task(self._make_good())
        while True:
            try:
                ended = await asyncio.shield(work)
            except asyncio.CancelledError:
                # Everything at once is cancelled where the worker lets go of it: it goes on elsewhere.
                if work.done():
                    raise
                # The server's own cancel button: half a saga is not to be left behind.
                if self._look is not None and not self._final and self._word is None:
                    self._word = Word("call_off", by="cancelled")
            else:
                await workflow.wait_condition(workflow.all_handlers_finished)
                return ended

    async def _make_good(self) -> str:
        look: RemedyLook | None = await self._activity("look", self._request, RemedyLook | None)
        if look is None:
            return "order_erased"
        self._look, self._choice = look, look.choice
        while True:
            end = self._ended_by(look) or await self._agreed(look)
            if end is not None or not look.wants_approval:
                break
            # Days may have passed: what was agreed to may be another amount by now, or nothing at all.
            again: RemedyLook | None = await self._activity("look", self._request, RemedyLook | None)
            if again is None:
                return "order_erased"
            if again.over is None and again.amount == look.amount:
                break
            self._look = look = again
        if end is None:
            end = await self._made(look)
        self._final = True
        await self._finish(look, end)
        return end.stand

    def _ended_by(self, look: RemedyLook) -> End | None:
        """How it ends where something came in between: the money, a cancellation, the parcel itself."""
        if look.over is None:
            return None
        if look.over == REFUNDED:
            self._choice = Choice.REFUND
        return End(_OVER[look.over], rule=look.over)

    # ---- the way there ------------------------------------------------------------------------------------------

    async def _agreed(self, look: RemedyLook) -> End | None:
        """A person's yes, where the amount wants one; else how it ends here."""
        while look.wants_approval:
            word = await self._ask(Asked.APPROVAL)
            match word.kind:
                case "approve":
                    await self._note("approved", word)
                    return None
                case "decline":
                    return End(Stand.DECLINED, rule=word.why)
                case "call_off":
                    return End(Stand.WITHDRAWN, rule=_CALLED_OFF)
                case _:
                    await self._switch(word)
        return None

    async def _made(self, look: RemedyLook) -> End:
        """The shop's replacement or refund, or what people say where it will not."""
        refused: str | None = None
        while True:
            if self._word is None and not look.by_hand:
                did = await (self._replacement() if self._choice is Choice.REPLACEMENT else self._refund())
                if self._word is None and did is not None:
                    if did.rule in {None, REFUNDED}:
                        return End(Stand.DONE, did.reference, did.rule)
                    if did.rule == _ERASED:
                        return End(Stand.WITHDRAWN, rule=did.rule)
                    refused = did.rule
                    if self._becomes_refund(look, refused):
                        await self._switch(Word("choose", by="", choice=Choice.REFUND))
                        continue
            word = await self._ask(Asked.HAND if look.by_hand else Asked.INSTEAD, refused)
            match word.kind:
                case "done":
                    return End(Stand.DONE, word.reference)
                case "call_off":
                    return End(Stand.FAILED, rule=refused) if refused else End(Stand.WITHDRAWN, rule=_CALLED_OFF)
                case _:
                    await self._switch(word)
                    again: RemedyLook | None = await self._activity("look", self._request, RemedyLook | None)
                    ended = End(Stand.WITHDRAWN, rule=_ERASED) if again is None else self._ended_by(again)
                    if ended is not None:
                        return ended

    async def _replacement(self) -> RemedyDid | None:
        """Goods set aside, then sent; undone in reverse when it cannot be, or somebody turns it back in time."""
        did = await self._until_word("reserve")
        if did is not None and did.rule is None and self._word is None:
            did = await self._until_word("replace")
            if did is None and (await self._step("cancel_replacement")).rule is not None:
                # It has left the shop: the pivot was behind us when the word came.
                did = await self._step("replace")
            if did is not None and did.rule is None:
                self._final = True
                self._late, self._word = self._word, None
                return did
        await self._step("release")
        # The shop keeps what a key once meant: wanted again, it is another replacement.
        self._turn += 1
        return did

    async def _refund(self) -> RemedyDid:
        """The money, paid back. Nobody gets it out of a bank again: once it was asked for there is only forward."""
        self._final = True
        did = await self._step("refund")
        self._final = did.rule in {None, REFUNDED}
        return did

    def _becomes_refund(self, look: RemedyLook, rule: str | None) -> bool:
        """Whether the terms themselves say what comes instead; never above the amount that a person approves."""
        out = self._choice is Choice.REPLACEMENT and rule == "out_of_stock"
        return out and look.refund_when_out and not look.wants_approval and Choice.REFUND in look.options

    async def _finish(self, look: RemedyLook, end: End) -> None:
        """The apology, the books, and word to the journey; from here on nothing turns it back."""
        without = None
        if end.stand is Stand.DONE and look.coupon and not look.by_hand and look.over is None:
            without = await self._coupon()
        settled = RemedyEnd(
            request=self._request,
            stand=end.stand,
            choice=self._choice,
            reference=end.reference,
            rule=end.rule,
            coupon_rule=without,
        )
        await self._activity("settle", settled, None)
        self._say_where(f"{end.stand}" + (f": {end.rule}" if end.rule else ""))
        part = TrackingNumber(self._request.part)
        told = RemedySettled(
            at=workflow.now(), part=part, stand=end.stand, choice=self._choice, reference=end.reference
        )
        journey = workflow.get_external_workflow_handle(workflow_id(self._request.shop, self._request.order_id))
        try:
            await journey.signal("remedy_settled", told)
        except FailureError:
            # Nobody writes to the customer any more but people.
            await self._activity("unheard", settled, None)
        if without == _NO_ANSWER:
            await self._step("withdraw_coupon")

    async def _coupon(self) -> str | None:
        """Why there is none, or None. One that may have been made all the same is withdrawn in the end."""
        try:
            did: RemedyDid = await workflow.execute_activity(
                "remedy_coupon",
                RemedyTask(request=self._request, turn=self._turn),
                result_type=RemedyDid,
                start_to_close_timeout=ATTEMPT,
                schedule_to_close_timeout=COUPON_PATIENCE,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RETRIES,
            )
        except ActivityError:
            return _NO_ANSWER
        return did.rule

    # ---- steps --------------------------------------------------------------------------------------------------

    async def _activity(self, name: str, given: object, result: Any) -> Any:
        self._say_where(name.replace("_", " "))
        return await workflow.execute_activity(
            f"remedy_{name}",
            given,
            result_type=result,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRIES,
        )

    async def _step(self, name: str) -> RemedyDid:
        """One step at the shop, until the shop has answered."""
        did: RemedyDid = await self._activity(name, self._task, RemedyDid)
        return did

    async def _until_word(self, name: str) -> RemedyDid | None:
        """One step at the shop, or None when a word came first: nobody then knows whether it was done.

        An attempt that is under way is heard to its end, so that what is undone next is not done behind it.
        """
        self._say_where(name)
        step = workflow.start_activity(
            f"remedy_{name}",
            self._task,
            result_type=RemedyDid,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRIES,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: step.done() or self._word is not None)
        if not step.done():
            step.cancel()
        try:
            did: RemedyDid = await step
        except (ActivityError, asyncio.CancelledError):
            return None
        return did

    async def _ask(self, asked: Asked, rule: str | None = None) -> Word:
        """What a person says; they are asked again every day."""
        times = 0
        self._asked = asked
        while self._word is None:
            times += 1
            ask = RemedyAsk(
                request=self._request,
                asked=asked,
                choice=self._choice,
                amount=self._looked.amount,
                currency=self._looked.currency,
                rule=rule,
                times=times,
            )
            await self._activity("ask", ask, None)
            self._say_where(_ASKED[asked] + (f" ({rule})" if rule else ""))
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: self._word is not None, timeout=REMIND)
        self._asked = None
        word, self._word = self._word, None
        return word

    async def _switch(self, word: Word) -> None:
        if word.choice is not None:
            self._choice = word.choice
            await self._note("switched", word)

    async def _note(self, name: str, word: Word) -> None:
        noted = RemedyWord(request=self._request, by=word.by, at=workflow.now(), choice=word.choice)
        await self._activity(name, noted, None)

    @property
    def _task(self) -> RemedyTask:
        return RemedyTask(request=self._request, turn=self._turn)

    def _say_where(self, line: str) -> None:
        self._line = line
        sum_of = f", {self._look.amount} {self._look.currency}" if self._look else ""
        workflow.set_current_details(f"**{self._choice}{sum_of}**\n\n{line}")

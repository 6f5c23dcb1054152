"""The steps of a remedy's saga at the shop, and the word to the shop's people.

Each is one attempt, whose answer the saga judges: done, refused, busy (certainly not done), or unknown. The shop is
asked under a key that is the same on every attempt, so that it first looks whether it has done it.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

import asyncpg
import structlog
from temporalio import activity

from activities.alerts import Alert, Alerting
from activities.attempt import beating, discreet
from activities.messaging.protocol import Accepted
from activities.shops.api import Cannot, Done, Outcome, ShopApi, Wanted
from activities.vendors.http import VendorBusyError, VendorError, VendorRefusedError, VendorUnclearError
from journey.made_good import Given, together
from journey.remedies import RemedyRequest, RemedyStep, RemedyTerms
from journey.remedy_steps import Answer, RemedyDid, RemedyTask
from journey.saga.moves import CHANGED
from journey.saga.state import ERASED
from store import order_numbers, remedies, remedy_books
from store.pool import Pool
from store.remedy_rows import Remedy
from store.remedy_steps import Steps

log = structlog.get_logger()

Gap = Callable[[str], Awaitable[None]]
"""Awaited in every gap between two steps with the gap's name; tests die there."""
NO_API: Final = "no_shop_api"
LEFT_OUT: Final = "parcel_left_out"
"""What was seen of a parcel that the shop has taken out of its order: a person says whether it is still owed."""
# With waits from a second to half an hour the tenth try is some quarter of an hour in, and 48 more are a day.
_FIRST_WORD, _EVERY = 10, 48
FROZEN: Final = timedelta(seconds=10)
"""A process that stood still for this long asks the shop for nothing more: its attempt may count as lost by now.
Shorter than the heartbeat timeout of `workflows.remedy_case`."""
LONGEST: Final = timedelta(seconds=150)
"""An attempt asks the shop for nothing more after this: what comes next waits from its last request on. Shorter than
the attempt of `workflows.remedy_case`, which would be given up while it goes on asking."""


class Shops(Protocol):
    """The shops' own APIs, by shop."""

    def of(self, shop: str) -> ShopApi | None:
        """The API of that shop; None where there is none here."""


async def no_gap(_name: str) -> None:
    """Nothing happens in the gaps, outside of tests."""


class People:
    """The shop's people, who are told of what concerns them; without `alerts` nothing is sent."""

    def __init__(self, pool: Pool, alerts: Alerting | None) -> None:
        self._pool = pool
        self._alerts = alerts

    async def tell(self, about: RemedyStep | RemedyRequest, kind: str, rule: str | None) -> None:
        """Tell the shop's people, in one try: what waits for them is told again every day."""
        if self._alerts is None:
            return
        order = f"{about.shop}/{about.order_id}"
        number = await order_numbers.for_an_alert(self._pool, about.shop, about.order_id)
        receipt = await self._alerts.tell(Alert(kind=kind, order=order, touch=about.part, rule=rule, number=number))
        if receipt is not None and not isinstance(receipt, Accepted):
            log.error("alert_not_sent", order=order, rule=receipt.rule)


class ShopSteps:
    """The activities that ask a shop; arguments as `activities.remedies.Remedies` has them, `terms` by digest."""

    def __init__(
        self, pool: Pool, terms: Callable[[str], RemedyTerms], shops: Shops, *, people: People, gap: Gap
    ) -> None:
        self._pool = pool
        self._terms = terms
        self._shops = shops
        self._people = people
        self._gap = gap

    @property
    def activities(self) -> list[Callable[..., object]]:
        """All of them, for a worker."""
        route = (self.reserve, self.release, self.replace, self.cancel_replacement)
        return [*route, self.refund, self.coupon, self.withdraw_coupon]

    @activity.defn(name="remedy_reserve")
    async def reserve(self, task: RemedyTask) -> RemedyDid:
        """Set the goods aside. Raises as `_shop` does, as do the others."""
        return await self._shop(
            task, "reserve", lambda api, wanted: api.reserve(wanted), then=lambda steps, made: steps.reserved(made)
        )

    @activity.defn(name="remedy_release")
    async def release(self, task: RemedyTask) -> RemedyDid:
        """Let go what was set aside, if anything was."""

        async def undo(api: ShopApi, wanted: Wanted) -> Outcome:
            await api.release(wanted)
            return Done("")

        return await self._shop(task, "release", undo, then=lambda steps, _: steps.reserved(None))

    @activity.defn(name="remedy_replace")
    async def replace(self, task: RemedyTask) -> RemedyDid:
        """Have the replacement order made, unless the shop's books have changed since it was decided."""

        async def make(api: ShopApi, wanted: Wanted) -> Outcome:
            return await self._changed(api, task, wanted) or await api.replace(wanted)

        return await self._shop(task, "replace", make, then=lambda steps, made: steps.made(made))

    @activity.defn(name="remedy_cancel_replacement")
    async def cancel_replacement(self, task: RemedyTask) -> RemedyDid:
        """Call the replacement order off, if one was made."""
        return await self._shop(
            task,
            "cancel_replacement",
            lambda api, wanted: api.cancel_replacement(wanted),
            then=lambda steps, undone: steps.unmade(undone),
        )

    @activity.defn(name="remedy_refund")
    async def refund(self, task: RemedyTask) -> RemedyDid:
        """Have the money paid back, unless the shop's books have changed since it was decided."""

        async def pay(api: ShopApi, wanted: Wanted) -> Outcome:
            return await self._changed(api, task, wanted) or await api.refund(wanted)

        return await self._shop(task, "refund", pay, then=lambda steps, made: steps.made(made))

    @activity.defn(name="remedy_coupon")
    async def coupon(self, task: RemedyTask) -> RemedyDid:
        """Have the apology's code made; it stands in the row alone."""
        terms = self._terms(task.request.playbook)

        async def give(api: ShopApi, wanted: Wanted) -> Outcome:
            return await api.coupon(wanted, percent=terms.coupon_percent, days=terms.coupon_days)

        did = await self._shop(task, "coupon", give, then=lambda steps, code: steps.coupon(code))
        return did.but(reference=None)

    @activity.defn(name="remedy_withdraw_coupon")
    async def withdraw_coupon(self, task: RemedyTask) -> RemedyDid:
        """Take back a code of which it is not known whether it was made."""

        async def undo(api: ShopApi, wanted: Wanted) -> Outcome:
            await api.withdraw_coupon(wanted)
            return Done("")

        return await self._shop(task, "withdraw_coupon", undo)

    async def _changed(self, api: ShopApi, task: RemedyTask, wanted: Wanted) -> Cannot | None:
        """`changed_meanwhile` where a refund or a replacement is there that was not when this was decided.

        The same where the parcel has come or the order was cancelled since, unless it may have been made already.
        What the order's other remedies had made was counted as theirs when this was decided. What bears the wanted key
        is ours, from an attempt before this one, and the shop is asked so that it says so.
        """
        request = task.request
        row = await remedies.get(self._pool, request.shop, request.order_id, request.part)
        if row is None:
            return Cannot(ERASED)
        booked = await api.given(wanted.order_id, [wanted.key, *row.keys])
        if not isinstance(booked, Cannot) and any(one.key == wanted.key for one in booked):
            return None
        # The tables last: what the order's other remedies had made by now is written down there.
        async with self._pool.acquire() as connection, connection.transaction():
            now = await remedy_books.situation(connection, row)
        moved = now.cancelled or now.arrived or (now.left_out and LEFT_OUT not in task.seen)
        if moved and not task.maybe:
            return Cannot(CHANGED)
        if isinstance(booked, Cannot):
            if task.maybe:
                # The shop does not say whose they are: what was told since may be what an earlier request made.
                return None
            booked = ()
        given = [one for one in together(now.books.given, booked) if not any(c.made(one) for c in now.books.claims)]
        return None if _known(given, task, wanted, row) else Cannot(CHANGED)

    async def _shop(
        self,
        task: RemedyTask,
        step: str,
        ask: Callable[[ShopApi, Wanted], Awaitable[Outcome]],
        *,
        then: Callable[[Steps, str], Awaitable[None]] | None = None,
    ) -> RemedyDid:
        """Ask the shop once for one step, and write down what it made.

        Raises:
            ApplicationError: the database failed; whether the shop did it is not known then.
            OSError: the same, the database being away.
        """
        request = task.request
        with discreet():
            async with beating():
                await self._gap(f"before_{step}")
                row = await remedies.get(self._pool, request.shop, request.order_id, request.part)
                api = self._shops.of(request.shop)
                if row is not None and api is None and task.maybe and step == "refund":
                    # Nobody can look whether it was paid: that is no refusal, on which somebody else might pay it.
                    await self._remind(task, step, NO_API)
                    return RemedyDid(answer=Answer.BUSY, rule=NO_API)
                if row is None or api is None:
                    return RemedyDid(answer=Answer.REFUSED, rule=ERASED if row is None else NO_API)
                try:
                    await Steps(self._pool, request).begun(task.turn)
                    did = await self._answer(ask(api, _wanted(row, task, step)), task, step)
                    await self._gap(f"after_{step}")
                    if did.answer is Answer.DONE and then is not None:
                        await then(Steps(self._pool, request), did.reference or "")
                except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
                    await self._remind(task, step, type(error).__name__)
                    raise
                except Exception as error:  # noqa: BLE001  whatever it is, the shop may have done it
                    did = await self._mistaken(error, task, step)
                await self._gap(f"recorded_{step}")
        return did

    async def _mistaken(self, error: Exception, task: RemedyTask, step: str) -> RemedyDid:
        """What nobody foresaw: it may have been done. Its text may quote an answer, so that only its type is told."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        order = f"{task.request.shop}/{task.request.order_id}"
        name = type(error).__name__
        log.error("remedy_step_failed", step=step, order=order, error=name, at=f"{place.filename}:{place.lineno}")
        await self._remind(task, step, name)
        return RemedyDid(answer=Answer.UNKNOWN, rule="adapter_error")

    async def _answer(self, asking: Awaitable[Outcome], task: RemedyTask, step: str) -> RemedyDid:
        """What the shop says. One that refuses will refuse again; an answer that never came says nothing."""
        try:
            outcome = await _to_its_end(asking)
        except VendorRefusedError as error:
            outcome = Cannot(error.rule, unseen=True)
        except VendorError as error:
            await self._remind(task, step, error.rule)
            busy = isinstance(error, VendorBusyError)
            wait = error.retry_after if isinstance(error, VendorBusyError) else None
            return RemedyDid(answer=Answer.BUSY if busy else Answer.UNKNOWN, rule=error.rule, wait=wait)
        if isinstance(outcome, Done):
            return RemedyDid(reference=outcome.reference or None)
        if outcome.unseen and task.maybe and step == "refund":
            # A look that was refused is no refusal of the refund, on which somebody else might pay it.
            await self._remind(task, step, outcome.rule)
            return RemedyDid(answer=Answer.BUSY, rule=outcome.rule, unseen=True)
        return RemedyDid(answer=Answer.REFUSED, rule=outcome.rule, reference=outcome.reference or None)

    async def _remind(self, task: RemedyTask, step: str, rule: str) -> None:
        """Tell people of a step that is tried again and again, now and then."""
        if task.tries == _FIRST_WORD or task.tries % _EVERY == 0:
            said = f"{step}, {rule}, {task.tries} times"
            await self._people.tell(task.request, "a remedy waits for the shop", said)


async def _to_its_end(asking: Awaitable[Outcome]) -> Outcome:
    """The shop's answer, also when the worker is told to stop meanwhile: no request is left without its answer.

    Raises:
        VendorUnclearError: this process stood still, or the shop took so long, that the attempt may have been given up.
        asyncio.CancelledError: it was given up: nobody waits for an answer, and what comes next is asked elsewhere.
    """
    task = asyncio.ensure_future(asking)
    watch = asyncio.create_task(_watch(task))
    try:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if watch.done():
                raise VendorUnclearError("worker", watch.result()) from None
            if activity.in_activity() and not activity.is_worker_shutdown():
                task.cancel()
                raise
            return await task
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _watch(task: asyncio.Future[Outcome]) -> str:
    """Stop `task` where what it would ask next was decided too long ago; the rule for why."""
    begun = time.monotonic()
    while True:
        before = time.monotonic()
        await asyncio.sleep(1)
        now = time.monotonic()
        if now - before > FROZEN.total_seconds() or now - begun > LONGEST.total_seconds():
            task.cancel()
            return "process_frozen" if now - before > FROZEN.total_seconds() else "too_slow"


def _known(given: Sequence[Given], task: RemedyTask, wanted: Wanted, row: Remedy) -> bool:
    """Whether all that was given back is known, or was made for this remedy itself."""
    return all(one.name in task.seen or one.key == wanted.key or one.reference in row.made for one in given)


def _wanted(row: Remedy, task: RemedyTask, step: str) -> Wanted:
    """What is asked for. A step and what undoes it share their key, and so do a reservation and its order."""
    match step:
        case "refund":
            key = task.request.refund_key
        case "coupon" | "withdraw_coupon":
            key = task.request.key("coupon")
        case _:
            key = task.request.replacement_key(task.turn)
    return Wanted(
        key=key,
        order_id=row.order_id,
        skus=task.skus,
        amount=task.amount,
        currency=row.currency,
        note=f"parcel {row.part}: {row.reason}",
    )

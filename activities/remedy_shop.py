"""The steps of a remedy's saga at the shop, and the word to the shop's people.

Each step may be done again: the shop is asked under a key that is the same on every attempt, so that it first looks
whether it has done it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.alerts import Alert, Alerts
from activities.attempt import attempt_number, beating, discreet
from activities.messaging.protocol import Accepted
from activities.shops.api import Cannot, Done, Outcome, ShopApi, Wanted
from activities.vendors.http import VendorBusyError, VendorError, VendorRefusedError, VendorUnclearError
from journey.remedies import RemedyRequest, RemedyStep, RemedyTerms
from journey.remedy_steps import RemedyDid, RemedyTask
from store import remedies
from store.pool import Pool
from store.remedies import Remedy
from store.remedy_steps import Steps

log = structlog.get_logger()

Gap = Callable[[str], Awaitable[None]]
"""Awaited in every gap between two steps with the gap's name; tests die there."""
_ERASED, _NO_API = "order_erased", "no_shop_api"
# With waits from a second to ten minutes the tenth attempt is some seventeen minutes in, and 144 more are a day.
_FIRST_WORD, _EVERY = 10, 144


class Shops(Protocol):
    """The shops' own APIs, by shop."""

    def of(self, shop: str) -> ShopApi | None:
        """The API of that shop; None where there is none here."""


async def no_gap(_name: str) -> None:
    """Nothing happens in the gaps, outside of tests."""


class People:
    """The shop's people, who are told; nobody where `alerts` is None."""

    def __init__(self, alerts: Alerts | None) -> None:
        self._alerts = alerts

    async def tell(self, about: RemedyStep | RemedyRequest, kind: str, rule: str | None) -> None:
        """Tell the shop's people, in one try: what waits for them is told again every day."""
        if self._alerts is None:
            return
        order = f"{about.shop}/{about.order_id}"
        receipt = await self._alerts.tell(Alert(kind=kind, order=order, touch=about.part, rule=rule))
        if receipt is not None and not isinstance(receipt, Accepted):
            log.error("alert_not_sent", order=order, rule=receipt.rule)


class ShopSteps:
    """The activities that ask a shop; arguments as `activities.remedies.Remedies` has them, `terms` by digest."""

    def __init__(
        self,
        pool: Pool,
        terms: Callable[[str], RemedyTerms],
        shops: Shops,
        *,
        people: People,
        settles: timedelta,
        gap: Gap,
    ) -> None:
        self._pool = pool
        self._terms = terms
        self._shops = shops
        self._people = people
        self._settles = settles
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
        """Have the replacement order made."""
        return await self._shop(
            task, "replace", lambda api, wanted: api.replace(wanted), then=lambda steps, made: steps.made(made)
        )

    @activity.defn(name="remedy_cancel_replacement")
    async def cancel_replacement(self, task: RemedyTask) -> RemedyDid:
        """Call the replacement order off, if one was made."""
        return await self._shop(
            task,
            "cancel_replacement",
            lambda api, wanted: api.cancel_replacement(wanted),
            then=lambda steps, _: steps.made(None),
        )

    @activity.defn(name="remedy_refund")
    async def refund(self, task: RemedyTask) -> RemedyDid:
        """Have the money paid back."""
        return await self._shop(
            task, "refund", lambda api, wanted: api.refund(wanted), then=lambda steps, made: steps.made(made)
        )

    @activity.defn(name="remedy_coupon")
    async def coupon(self, task: RemedyTask) -> RemedyDid:
        """Have the apology's code made; it stands in the row alone."""
        terms = self._terms(task.request.playbook)

        async def give(api: ShopApi, wanted: Wanted) -> Outcome:
            return await api.coupon(wanted, percent=terms.coupon_percent, days=terms.coupon_days)

        did = await self._shop(task, "coupon", give, then=lambda steps, code: steps.coupon(code))
        return RemedyDid(rule=did.rule) if did.rule else RemedyDid()

    @activity.defn(name="remedy_withdraw_coupon")
    async def withdraw_coupon(self, task: RemedyTask) -> RemedyDid:
        """Take back a code of which nobody knows whether it was made."""

        async def undo(api: ShopApi, wanted: Wanted) -> Outcome:
            await api.withdraw_coupon(wanted)
            return Done("")

        return await self._shop(task, "withdraw_coupon", undo)

    async def _shop(
        self,
        task: RemedyTask,
        step: str,
        ask: Callable[[ShopApi, Wanted], Awaitable[Outcome]],
        *,
        then: Callable[[Steps, str], Awaitable[None]] | None = None,
    ) -> RemedyDid:
        """Ask the shop for one step, and write down what it made.

        Raises:
            ApplicationError: the shop did not answer, with `next_retry_delay` where it said when, or the database
                failed; ask again.
            OSError: the database is away; ask again.
        """
        request = task.request
        with discreet():
            async with beating():
                await self._gap(f"before_{step}")
                row = await remedies.get(self._pool, request.shop, request.order_id, request.part)
                api = self._shops.of(request.shop)
                if row is None or api is None:
                    return RemedyDid(rule=_ERASED if row is None else _NO_API)
                outcome = await self._answer(ask(api, _wanted(row, task, step)), request, step)
                await self._gap(f"after_{step}")
                if not isinstance(outcome, Done):
                    return RemedyDid(rule=outcome.rule)
                if then is not None:
                    await then(Steps(self._pool, request), outcome.reference)
                await self._gap(f"recorded_{step}")
        return RemedyDid(reference=outcome.reference or None)

    async def _answer(self, asking: Awaitable[Outcome], request: RemedyRequest, step: str) -> Outcome:
        """What the shop says; who refuses will refuse again, so that is an answer too."""
        try:
            return await _to_its_end(asking)
        except VendorRefusedError as error:
            return Cannot(error.rule)
        except VendorError as error:
            attempt = attempt_number()
            if attempt == _FIRST_WORD or attempt % _EVERY == 0:
                await self._people.tell(
                    request, "a remedy waits for the shop", f"{step}, {error.rule}, {attempt} times"
                )
            delay = error.retry_after if isinstance(error, VendorBusyError) else None
            if isinstance(error, VendorUnclearError):
                delay = self._settles
            raise ApplicationError(str(error), type="Vendor", next_retry_delay=delay) from None


async def _to_its_end(asking: Awaitable[Outcome]) -> Outcome:
    """The shop's answer, also when a person called the step off meanwhile: nothing is left in the air."""
    task = asyncio.ensure_future(asking)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        return await task


def _wanted(row: Remedy, task: RemedyTask, step: str) -> Wanted:
    """What is asked for. A step and what undoes it share their key, and so do a reservation and its order."""
    match step:
        case "refund":
            key = "refund"
        case "coupon" | "withdraw_coupon":
            key = "coupon"
        case _:
            key = "replacement" if task.turn == 1 else f"replacement:{task.turn}"
    return Wanted(
        key=task.request.key(key),
        order_id=row.order_id,
        skus=row.skus,
        amount=row.amount,
        currency=row.currency,
        note=f"parcel {row.part}: {row.reason}",
    )

"""The activities of remedies that no shop is asked for: what a journey wants, people's words, and the end.

Each may be done again: the row of the remedy decides who chose. The steps at the shop are in `activities.remedy_shop`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.alerts import Alerts
from activities.attempt import discreet
from activities.remedy_shop import Gap, People, Shops, ShopSteps, no_gap
from journey.playbook import Playbook
from journey.remedies import ENDS, Action, By, RemedyAnswer, RemedyRequest, RemedyStep, RemedyTerms, Stand
from journey.remedy_steps import Asked, RemedyAsk, RemedyEnd, RemedyLook, RemedyWord
from store import remedies
from store.pool import Pool
from store.remedies import Remedy
from store.remedy_steps import Steps

_WORDS = {
    Asked.APPROVAL: "a remedy wants approval",
    Asked.HAND: "a remedy is to be done by hand",
    Asked.INSTEAD: "a remedy cannot be done as chosen",
}


def _now() -> datetime:
    return datetime.now(UTC)


class Remedies:
    """All activities of remedies, over one database and the shops' APIs.

    Args:
        pool: the database.
        playbook: a playbook by its digest.
        shops: the shops' APIs.
        alerts: tells the shop's people; None where nobody is to be told.
        clock: the relay's, UTC: when a choice is ready to be dispatched.
        settles: how long a shop that gave no answer may still be at work on what it was asked; it is asked again, and
            so looked into, only then.
        gap: for tests.
    """

    def __init__(
        self,
        pool: Pool,
        playbook: Callable[[str], Playbook],
        shops: Shops,
        *,
        alerts: Alerts | None = None,
        clock: Callable[[], datetime] = _now,
        settles: timedelta = timedelta(seconds=30),
        gap: Gap = no_gap,
    ) -> None:
        self._pool = pool
        self._playbook = playbook
        self._shops = shops
        self._people = People(alerts)
        self._clock = clock
        self._gap = gap
        self._steps = ShopSteps(pool, self._terms, shops, people=self._people, settles=settles, gap=gap)

    @property
    def activities(self) -> list[Callable[..., object]]:
        """All of them, for a worker."""
        saga = (self.look, self.ask, self.approved, self.switched, self.settle, self.unheard)
        return [self.remedy, *saga, *self._steps.activities]

    # ---- for the journey --------------------------------------------------------------------------------------

    @activity.defn(name="remedy")
    async def remedy(self, step: RemedyStep) -> RemedyAnswer:
        """Offer a remedy, let the default fall in, or take the offer back; how it stands then.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            match step.action:
                case Action.OFFER:
                    found = await self._offer(step)
                case Action.DEFAULT:
                    found = await self._default(step)
                case Action.WITHDRAW:
                    await remedies.withdraw(self._pool, step.shop, step.order_id, step.part)
                    found = await remedies.get(self._pool, step.shop, step.order_id, step.part)
        if found is None:
            return RemedyAnswer(status=Stand.WITHDRAWN)
        return RemedyAnswer(status=found.status, choice=found.choice, by=found.chosen_by)

    async def _offer(self, step: RemedyStep) -> Remedy | None:
        default = self._terms(step.playbook).default
        otherwise = None if default == "person" else default
        async with self._pool.acquire() as connection, connection.transaction():
            found = await remedies.offer(connection, step, otherwise=otherwise)
        if found is not None and found.status is Stand.OFFERED:
            sure = "" if found.sure else ", contents not certain"
            await self._people.tell(step, "a remedy is offered", f"{found.reason}, {_money(found)}{sure}")
        return found

    async def _default(self, step: RemedyStep) -> Remedy | None:
        found = await remedies.get(self._pool, step.shop, step.order_id, step.part)
        if found is None or found.status is not Stand.OFFERED:
            return found
        if found.otherwise is None:
            await self._people.tell(step, "a remedy is not chosen: somebody is to", _money(found))
            return found
        async with self._pool.acquire() as connection, connection.transaction():
            await remedies.choose(
                connection,
                step.shop,
                step.order_id,
                step.part,
                found.otherwise,
                by=By.DEFAULT,
                at=step.at,
                received_at=self._clock(),
            )
            return await remedies.get(connection, step.shop, step.order_id, step.part)

    # ---- the saga: terms, people, the end ---------------------------------------------------------------------

    @activity.defn(name="remedy_look")
    async def look(self, request: RemedyRequest) -> RemedyLook | None:
        """What was chosen, what may be spent, and whether a person has to say yes; None for an order that was erased.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            await self._gap("before_look")
            terms = self._terms(request.playbook)
            async with self._pool.acquire() as connection, connection.transaction():
                row = await remedies.get(connection, request.shop, request.order_id, request.part)
                if row is None or row.choice is None or row.chosen_by is None or row.status in ENDS:
                    return None
                amount, over = await remedies.look(connection, row)
                unsure = not row.sure or amount < row.amount
                wants_approval = over is None and (unsure or terms.wants_approval(amount, row.currency))
                steps = Steps(connection, request)
                if amount < row.amount and over is None:
                    await steps.amount(amount)
                if not wants_approval:
                    await steps.stand(Stand.IN_HAND)
            await self._gap("after_look")
        return RemedyLook(
            choice=row.choice,
            by=row.chosen_by,
            options=row.options,
            amount=amount,
            currency=row.currency,
            wants_approval=wants_approval,
            by_hand=self._shops.of(request.shop) is None,
            refund_when_out=terms.refund_when_out,
            coupon=terms.coupon_percent > 0,
            over=over,
        )

    @activity.defn(name="remedy_ask")
    async def ask(self, ask: RemedyAsk) -> None:
        """Ask the shop's people for something, and write down that it waits for them.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            await self._gap(f"before_ask_{ask.asked}")
            stand = Stand.AWAITING_APPROVAL if ask.asked is Asked.APPROVAL else Stand.IN_HAND
            await Steps(self._pool, ask.request).stand(stand)
            what = [f"{ask.choice} {ask.amount} {ask.currency}"]
            what += [ask.rule] if ask.rule else []
            # Counted, so that no mailbox takes a reminder for the mail it reminds of.
            what += [f"asked {ask.times} times"] if ask.times > 1 else []
            await self._people.tell(ask.request, _WORDS[ask.asked], ", ".join(what))
            await self._gap(f"after_ask_{ask.asked}")

    @activity.defn(name="remedy_approved")
    async def approved(self, word: RemedyWord) -> None:
        """Write down that a person said yes.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            await Steps(self._pool, word.request).approved(word.by, word.at)
            await self._gap("after_approved")

    @activity.defn(name="remedy_switched")
    async def switched(self, word: RemedyWord) -> None:
        """Write down that something else is done than was chosen; `by` is empty where the terms say so.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            if word.choice is not None:
                await Steps(self._pool, word.request).switched(word.choice, word.by or None, word.at)
            await self._gap("after_switched")

    @activity.defn(name="remedy_settle")
    async def settle(self, end: RemedyEnd) -> None:
        """Write down how it ended, and tell people of an end that leaves something for them.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            await self._gap("before_settle")
            await Steps(self._pool, end.request).settled(
                end.stand,
                end.choice,
                reference=end.reference,
                rule=end.rule,
                without_coupon=end.coupon_rule is not None,
            )
            if end.stand is Stand.FAILED:
                await self._people.tell(end.request, "a remedy failed", end.rule)
            if end.coupon_rule is not None:
                await self._people.tell(end.request, "a remedy has no coupon", end.coupon_rule)
            await self._gap("after_settle")

    @activity.defn(name="remedy_unheard")
    async def unheard(self, end: RemedyEnd) -> None:
        """Tell people of a remedy that came to its end after its order's journey: nobody else tells the customer."""
        with discreet():
            await self._people.tell(
                end.request, "a remedy ended after its journey: its customer wants telling", end.stand
            )

    def _terms(self, digest: str) -> RemedyTerms:
        return self._playbook(digest).remedies or RemedyTerms()


def _money(remedy: Remedy) -> str:
    return f"{remedy.amount} {remedy.currency}"

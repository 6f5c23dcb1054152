"""The activities of remedies that no shop is asked for: what a journey wants, people's words, and the end.

Each may be done again: the row of the remedy decides who chose. The steps at the shop are in `activities.remedy_shop`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.alerts import Alerting
from activities.attempt import attempt_number, beating, discreet
from activities.remedy_shop import LEFT_OUT, NO_API, Gap, People, Shops, ShopSteps, no_gap
from activities.shops.api import Cannot, ShopApi
from activities.vendors.http import VendorBusyError, VendorError, VendorRefusedError
from journey.made_good import Given, Thing, Verdict, same
from journey.playbook import Playbook
from journey.remedies import ENDS, Action, By, Choice, RemedyAnswer, RemedyRequest, RemedyStep, RemedyTerms, Stand
from journey.remedy_steps import Asked, Made, RemedyAsk, RemedyEnd, RemedyLook, RemedyNote
from journey.saga.moves import COUPON_IN_DOUBT
from store import remedies, remedy_books
from store.pool import Pool
from store.remedy_rows import Remedy
from store.remedy_steps import Steps

_WORDS = {
    Asked.APPROVAL: "a remedy wants approval",
    Asked.HAND: "a remedy is to be done by hand",
    Asked.INSTEAD: "a remedy cannot be done as chosen",
    Asked.CHECK: "a replacement or a refund may stand: look at the shop",
}
_FIRST_WORD, _EVERY = 10, 144
_BY_HAND = timedelta(0)


def _now() -> datetime:
    return datetime.now(UTC)


class Remedies:
    """All activities of remedies, over one database and the shops' APIs.

    Args:
        pool: the database.
        playbook: a playbook by its digest.
        shops: the shops' APIs.
        alerts: tells the shop's people; None for no alerts.
        clock: the relay's, UTC: when a choice is ready to be dispatched.
        gap: for tests.
    """

    def __init__(
        self,
        pool: Pool,
        playbook: Callable[[str], Playbook],
        shops: Shops,
        *,
        alerts: Alerting | None = None,
        clock: Callable[[], datetime] = _now,
        gap: Gap = no_gap,
    ) -> None:
        self._pool = pool
        self._playbook = playbook
        self._shops = shops
        self._people = People(pool, alerts)
        self._clock = clock
        self._gap = gap
        self._steps = ShopSteps(pool, self._terms, shops, people=self._people, gap=gap)

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
        unoffered = found.status is Stand.WITHDRAWN and found.failure == NO_API
        return RemedyAnswer(status=found.status, choice=found.choice, by=found.chosen_by, unoffered=unoffered)

    async def _offer(self, step: RemedyStep) -> Remedy | None:
        """Offer it; a shop whose API is not configured offers nothing by itself, and its people are told instead."""
        default = self._terms(step.playbook).default
        otherwise = None if default == "person" else default
        unoffered = NO_API if self._shops.of(step.shop) is None else None
        async with self._pool.acquire() as connection, connection.transaction():
            found = await remedies.offer(connection, step, otherwise=otherwise, unoffered=unoffered)
        if found is None:
            return None
        said = f"{found.reason}, {_money(found)}" + ("" if found.sure else ", contents not certain")
        if found.status is Stand.OFFERED:
            await self._people.tell(step, "a remedy is offered", said)
        elif found.failure == NO_API:
            await self._people.tell(step, "a parcel will not come and nothing is offered: no API of the shop", said)
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
        """What was chosen, what may be spent, what the shop gave back already, and whether a person has to say yes.

        None for an order that was erased, or a remedy that has ended. It writes nothing: a look that is repeated after
        its answer was lost says the same again.

        Raises:
            ApplicationError: the database failed, or the shop did not answer, with `next_retry_delay` where it said
                when; ask again.
            OSError: the database is away; ask again.
        """
        try:
            return await self._look(request)
        except (ApplicationError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  its text may quote an answer of the shop, and a history keeps it
            await self._remind(request, type(error).__name__)
            raise ApplicationError(type(error).__name__, type="Look") from None

    async def _look(self, request: RemedyRequest) -> RemedyLook | None:
        with discreet():
            async with beating():
                await self._gap("before_look")
                row = await remedies.get(self._pool, request.shop, request.order_id, request.part)
                if row is None or row.choice is None or row.chosen_by is None or row.status in ENDS:
                    return None
                api = self._shops.of(request.shop)
                booked, silence = await self._booked(api, row)
                async with self._pool.acquire() as connection, connection.transaction():
                    now = await remedy_books.situation(connection, row)
                await self._gap("after_look")
        ours = [one for one in booked if _made_for(row, one)]
        made = next((one for one in ours if one.key in row.keys), None)
        others = [one for one in booked if one not in ours]
        told = [one for one in now.books.given if not any(same(one.reference, own.reference) for own in ours)]
        books = replace(now.books, given=told)
        thing = Thing(row.skus, row.amount)
        verdict = books.judge(thing, now.total, row.currency, booked=others, known=row.known)
        over = "order_cancelled" if now.cancelled else verdict.over or ("parcel_arrived" if now.arrived else None)
        gone = ("the shop has taken this parcel out of the order: look for another number",) if now.left_out else ()
        terms = self._terms(request.playbook)
        return RemedyLook(
            choice=row.choice,
            by=row.chosen_by,
            options=tuple(option for option in row.options if _possible(option, verdict)),
            skus=verdict.units,
            amount=verdict.amount,
            currency=row.currency,
            wants_approval=_unsure(row, verdict, (*gone, *silence))
            or terms.wants_approval(verdict.amount, row.currency),
            concerns=(*(one.line(row.currency) for one in verdict.concerns), *gone, *silence),
            seen=(*verdict.seen, LEFT_OUT) if now.left_out else verdict.seen,
            by_hand=api is None,
            refund_when_out=terms.refund_when_out,
            coupon=terms.coupon_percent > 0,
            settles=_BY_HAND if api is None else api.settles,
            made=None if made is None else Made(choice=made.what, reference=made.reference),
            over=over,
            turn=row.turn,
            covered_by=verdict.covering[-1].reference if verdict.covering and over == verdict.over else None,
        )

    async def _booked(self, api: ShopApi | None, row: Remedy) -> tuple[Sequence[Given], tuple[str, ...]]:
        """What the shop's own books have given back, and why they say nothing, if so, for people."""
        if api is None:
            return (), ()
        try:
            booked = await api.given(row.order_id, row.keys)
        except VendorRefusedError as error:
            booked = Cannot(error.rule)
        except VendorError as error:
            await self._remind(row.request, error.rule)
            delay = error.retry_after if isinstance(error, VendorBusyError) else None
            raise ApplicationError(str(error), type="Vendor", next_retry_delay=delay) from None
        if isinstance(booked, Cannot):
            return (), (f"the shop does not say what it gave back ({booked.rule})",)
        return booked, ()

    async def _remind(self, request: RemedyRequest, rule: str) -> None:
        """Tell people of a look that is tried again and again, now and then."""
        attempt = attempt_number()
        if attempt == _FIRST_WORD or attempt % _EVERY == 0:
            await self._people.tell(request, "a remedy waits for the shop", f"look, {rule}, {attempt} times")

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
            what += ask.concerns
            # Counted, so that no mailbox takes a reminder for the mail it reminds of.
            what += [f"asked {ask.times} times"] if ask.times > 1 else []
            await self._people.tell(ask.request, _WORDS[ask.asked], ", ".join(what))
            await self._gap(f"after_ask_{ask.asked}")

    @activity.defn(name="remedy_approved")
    async def approved(self, note: RemedyNote) -> None:
        """Write down that a person said yes.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            await Steps(self._pool, note.request).approved(note.by, note.at)
            await self._gap("after_approved")

    @activity.defn(name="remedy_switched")
    async def switched(self, note: RemedyNote) -> None:
        """Write down that something else is done than was chosen; `by` is empty where the terms say so.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            if note.choice is not None:
                await Steps(self._pool, note.request).switched(note.choice, note.by or None, note.at)
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
                amount=end.amount,
                without_coupon=end.coupon_rule is not None,
            )
            if end.stand is Stand.FAILED:
                await self._people.tell(end.request, "a remedy failed", end.rule)
            if end.coupon_rule is not None:
                await self._people.tell(end.request, "a remedy has no coupon", end.coupon_rule)
            await self._gap("after_settle")

    @activity.defn(name="remedy_unheard")
    async def unheard(self, end: RemedyEnd) -> None:
        """Tell people of a remedy that came to its end after its order's journey, which would have told the customer.

        Or, by the rule `COUPON_IN_DOUBT`, of a code that may stand and could not be taken back.
        """
        with discreet():
            if end.rule == COUPON_IN_DOUBT:
                await self._people.tell(end.request, "a coupon of a remedy may stand: look at the shop", end.rule)
                return
            await self._people.tell(
                end.request, "a remedy ended after its journey: its customer wants telling", end.stand
            )

    def _terms(self, digest: str) -> RemedyTerms:
        return self._playbook(digest).remedies or RemedyTerms()


def _made_for(row: Remedy, given: Given) -> bool:
    return given.key in row.keys or given.reference in row.made


def _possible(option: Choice, verdict: Verdict) -> bool:
    return bool(verdict.units) if option is Choice.REPLACEMENT else verdict.amount > 0


def _unsure(row: Remedy, verdict: Verdict, silence: Sequence[str]) -> bool:
    """Whether a person has to look at it, whatever it costs: something was given back, or may have been."""
    less = verdict.amount < row.amount or verdict.units != row.skus
    return not row.sure or less or bool(verdict.concerns) or bool(silence)


def _money(remedy: Remedy) -> str:
    return f"{remedy.amount} {remedy.currency}"

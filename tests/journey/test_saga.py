"""The saga of a remedy as a state machine, against a shop that answers late or never, and people who act themselves."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from journey.made_good import Given, Thing, judge
from journey.remedies import Bought, By, Choice, RemedyRequest, Stand
from journey.remedy_steps import Answer, Asked, Made, RemedyDid, RemedyLook, Step
from journey.saga.kinds import AskShop, LookAgain, Over, TellJourney, Wait
from journey.saga.moves import CHANGED, heard, next_move
from journey.saga.requests import There
from journey.saga.state import RULES, Saga, Word, begin
from journey.saga.words import objection, say

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
SETTLES = timedelta(minutes=2)
REQUEST = RemedyRequest(shop="acme", order_id="1001", part="T1", playbook="digest", at=START)
LINES = (Bought("MAT", 2, Decimal(30)), Bought("BLOCK", 1, Decimal(40)))
THING = Thing((("MAT", 1),), Decimal(30))
TOTAL = Decimal(100)
OPTIONS = (Choice.REPLACEMENT, Choice.REFUND)
FATES = ("lands_late", "lands_late", "done_unheard", "done", "lost", "unseen", "busy", "refused")
"""The worst first and most often: what is found is the sooner found."""
MOST_MOVES = 400
EXAMPLES = int(os.environ.get("SAGA_EXAMPLES", "400"))
"""A sample; the whole proof is `SAGA_EXAMPLES=20000`, see CONTRIBUTING.md."""


@dataclass
class Entry:
    """Something on the shop's books; `key` is empty where the shop's own people made it."""

    what: Choice
    reference: str
    key: str
    amount: Decimal
    units: tuple = ()
    linked: bool = True
    sent: bool = False
    cancelled: bool = False


@dataclass
class Shop:
    """The books, and the requests that got no answer and may still be carried out until their moment."""

    entries: list = field(default_factory=list)
    late: list = field(default_factory=list)
    reserved: set = field(default_factory=set)

    def add(self, what, key, amount, units, **more):
        entry = Entry(what, f"{what}-{len(self.entries) + 1}", key, amount, units, **more)
        self.entries.append(entry)
        return entry

    def ours(self, what=None):
        """What stands of what the saga had made."""
        return [one for one in self.entries if one.key and not one.cancelled and what in {None, one.what}]

    def theirs(self):
        """What the shop's own people gave back."""
        return [one for one in self.entries if not one.key and not one.cancelled]

    def find(self, key):
        return next((one for one in self.entries if one.key == key), None)

    def given(self):
        return [
            Given(
                what=one.what,
                reference=one.reference,
                amount=one.amount,
                units=one.units,
                key=one.key or None,
                linked=one.linked,
            )
            for one in self.entries
            if not one.cancelled
        ]


class Sagas(RuleBasedStateMachine):
    """One saga, its shop, its people and its parcel; every rule is one thing that can happen next."""

    @initialize(
        choice=st.sampled_from(OPTIONS),
        approval=st.sampled_from([False, False, True]),
        by_hand=st.sampled_from([False, False, False, False, True]),
        coupon=st.booleans(),
        restarted=st.sampled_from([False, False, False, True]),
        quiet=st.sampled_from([True, True, False]),
        mute=st.sampled_from([False, False, True]),
    )
    def begins(self, *, choice, approval, by_hand, coupon, restarted, quiet, mute):
        """`quiet` is a shop whose people do nothing themselves, so that its answers are explored the deeper.

        `mute` is one that does not say what it gave back: webhooks alone tell what its people did. What a run before
        had made there and cannot be called off, only a person can know.
        """
        self.quiet, self.mute = quiet, mute and not (restarted and (by_hand or choice is Choice.REFUND))
        self.now, self.shop = START, Shop()
        self.choice, self.approval, self.by_hand, self.coupon = choice, approval, by_hand, coupon
        self.arrived = self.cancelled = False
        self.saga: Saga = begin(REQUEST, restarted=restarted).but(rules=RULES)
        self.said, self.over = set(), None
        self.unwarranted: list[str] = []
        if restarted:
            # The run before had asked for what was chosen, and was stopped before the answer.
            what = "refund" if choice is Choice.REFUND else "replace"
            self.shop.late.append((what, self._key(Step(what), 1), THING.worth, THING.units, START + SETTLES))
            self.shop.reserved |= {self._key(Step.RESERVE, 1)} if choice is Choice.REPLACEMENT else set()

    # ---- the shell ----------------------------------------------------------------------------------------------

    def _move(self, fate):
        """Do what comes next, as the workflow would."""
        self._land(everything=False)
        # A run may end at any wait, and the next one begins with what was written down.
        self.saga = Saga.model_validate_json(self.saga.model_dump_json(exclude_unset=True))
        self.saga, move = next_move(self.saga, now=self.now)
        if isinstance(move, Over):
            self.over = move.result
            return move
        if isinstance(move, Wait):
            assert move.until > self.now, "it waits for what has passed"
            return move
        outcome = None
        if isinstance(move, LookAgain):
            outcome = self._look()
        elif isinstance(move, AskShop):
            outcome = self._asked(move, fate)
            self.now += timedelta(seconds=30)
            self._land(everything=False)
        elif isinstance(move, TellJourney):
            outcome = fate != "lost"
        self.saga = heard(self.saga, move, outcome, now=self.now)
        return move

    def _look(self):
        keys = {one.key for one in self.shop.entries if one.key}
        made = None if self.mute else next((one for one in self.shop.given() if one.key), None)
        others = [one for one in self.shop.given() if one.key not in keys]
        verdict = judge(THING, LINES, others, [], total=TOTAL, digits=2)
        over = "order_cancelled" if self.cancelled else verdict.over or ("parcel_arrived" if self.arrived else None)
        less = verdict.amount < THING.worth or verdict.units != THING.units
        return RemedyLook(
            choice=self.choice,
            by=By.CUSTOMER,
            options=tuple(one for one in OPTIONS if (verdict.units if one is Choice.REPLACEMENT else verdict.amount)),
            skus=verdict.units,
            amount=verdict.amount,
            currency="EUR",
            wants_approval=self.approval or less or bool(verdict.concerns) or self.mute,
            by_hand=self.by_hand,
            refund_when_out=True,
            coupon=self.coupon,
            concerns=tuple(one.line("EUR") for one in verdict.concerns),
            seen=verdict.seen,
            settles=SETTLES,
            made=Made(choice=made.what, reference=made.reference) if made else None,
            over=over,
        )

    @staticmethod
    def _key(step, turn):
        return {Step.REFUND: "refund", Step.COUPON: "coupon", Step.WITHDRAW_COUPON: "coupon"}.get(step, f"r{turn}")

    def _asked(self, move, fate):
        """What the adapter makes of a request, and what of that is heard."""
        step, task, key = move.step, move.task, self._key(move.step, move.task.turn)
        if fate == "busy":
            return RemedyDid(answer=Answer.BUSY, rule="http_503")
        if step in {Step.REPLACE, Step.REFUND}:
            return self._make(step, task, key, fate)
        if step is Step.CANCEL:
            return self._cancel(key, fate)
        if fate == "refused" and step is Step.RESERVE:
            return RemedyDid(answer=Answer.REFUSED, rule="out_of_stock")
        if step is Step.RESERVE and fate != "lost":
            self.shop.reserved.add(key)
        if step is Step.RELEASE and fate != "lost":
            self.shop.reserved.discard(key)
        return RemedyDid() if fate in {"done", "refused"} else RemedyDid(answer=Answer.UNKNOWN, rule="no_answer")

    def _make(self, step, task, key, fate):  # noqa: PLR0911  one return an answer
        if fate == "unseen" and step is Step.REFUND and task.maybe:
            # The order cannot be read any more.
            return RemedyDid(answer=Answer.BUSY, rule="order_unknown", unseen=True)
        known = self.shop.find(key)
        what = Choice.REFUND if step is Step.REFUND else Choice.REPLACEMENT
        if known is not None:
            unheard = fate != "done"
            if known.cancelled:
                return RemedyDid(answer=Answer.REFUSED, rule="withdrawn")
            return RemedyDid(answer=Answer.UNKNOWN) if unheard else RemedyDid(reference=known.reference)
        blind = self.mute and task.maybe
        if not blind and any(one.name not in task.seen for one in self.shop.given() if not (self.mute and one.key)):
            return RemedyDid(answer=Answer.REFUSED, rule=CHANGED)
        if fate == "refused":
            return RemedyDid(answer=Answer.REFUSED, rule="out_of_stock" if step is Step.REPLACE else "rejected")
        if not blind:
            self._judge(step, task)
        made = (what, key, task.amount if step is Step.REFUND else Decimal(0), task.skus)
        if fate == "done":
            return RemedyDid(reference=self.shop.add(*made).reference)
        if fate == "done_unheard":
            self.shop.add(*made)
        if fate == "lands_late":
            self.shop.late.append((str(step), key, made[2], made[3], self.now + SETTLES))
        return RemedyDid(answer=Answer.UNKNOWN, rule="no_answer")

    def _cancel(self, key, fate):
        known = self.shop.find(key)
        if known is not None and known.sent:
            return RemedyDid(answer=Answer.REFUSED, rule="already_sent", reference=known.reference)
        if fate == "refused":
            return RemedyDid(answer=Answer.REFUSED, rule="not_cancelled")
        if known is not None and fate != "lost":
            known.cancelled = True
        reference = known.reference if known else None
        return RemedyDid(reference=reference) if fate == "done" else RemedyDid(answer=Answer.UNKNOWN)

    def _judge(self, step, task):
        """Write down what was asked for without a person's yes though something had been given back already."""
        agreed = self.saga.agreed
        names = {f"{one.what}:{one.reference}" for one in self.shop.theirs() if self._may_be_of_it(one)}
        if names and (agreed is None or not names <= set(agreed.seen)):
            self.unwarranted.append(f"{step} on top of {names}")
        if self.approval and agreed is None and step is Step.REFUND:
            self.unwarranted.append(f"{step} without a yes")
        if task.amount > THING.worth:
            self.unwarranted.append(f"{step} of {task.amount}")

    @staticmethod
    def _may_be_of_it(entry):
        """Whether it is not plainly for other goods, and no more than these cost."""
        return not entry.units or "MAT" in dict(entry.units) or entry.amount > Decimal(40)

    def _land(self, *, everything):
        """Requests without an answer are carried out: those whose time is up were just before it, or all of them."""
        rest = []
        for what, key, amount, units, until in self.shop.late:
            if self.now < until and not everything:
                rest.append((what, key, amount, units, until))
            else:
                # It knows no keys: what it was asked for it makes, whatever there is by then.
                self.shop.add(Choice.REFUND if what == "refund" else Choice.REPLACEMENT, key, amount, units)
        self.shop.late = rest

    # ---- what can happen ----------------------------------------------------------------------------------------

    @precondition(lambda self: self.over is None)
    @rule(fate=st.sampled_from(FATES))
    def goes_on(self, fate):
        """The next move, and how the shop takes it."""
        self._move(fate)

    @precondition(lambda self: self.over is None)
    @rule(fate=st.sampled_from(FATES))
    def goes_on_to_the_shop(self, fate):
        """All is well up to the next request for goods or money, or for undoing them, whose fate is this."""
        for _ in range(20):
            _, move = next_move(self.saga, now=self.now)
            decides = isinstance(move, AskShop) and move.step in {Step.REPLACE, Step.REFUND, Step.CANCEL}
            if decides or isinstance(move, Wait | Over):
                break
            self._move("done")
        self._move(fate)

    @precondition(lambda self: self.over is None)
    @rule(fate=st.sampled_from(FATES))
    def waits_and_goes_on(self, fate):
        """Its own time comes before that of what the shop is still at work on."""
        self.saga, move = next_move(self.saga, now=self.now)
        if isinstance(move, Wait):
            self.now = max(move.until, self.now)
        self.goes_on_to_the_shop(fate)

    @precondition(lambda self: self.over is None)
    @rule(kind=st.sampled_from(["choose", "call_off"]), choice=st.sampled_from(OPTIONS))
    def is_turned_while_the_shop_is_at_work(self, kind, choice):
        """A request gets no answer, a person wants something else, and what comes next is done."""
        self.goes_on_to_the_shop("lands_late")
        self.a_person_speaks(kind, choice)
        if self.over is None:
            self.waits_and_goes_on("done")

    @precondition(lambda self: self.shop.late)
    @rule()
    def a_late_request_lands(self):
        """Whatever the shop was still at work on is done now."""
        self._land(everything=True)

    @rule(seconds=st.sampled_from([1, 40, 119, 200, 3700, 90_000]))
    def time_passes(self, seconds):
        """Late requests are carried out before their time is up."""
        self._land(everything=True)
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.over is None)
    @rule(
        kind=st.sampled_from(["choose", "choose", "call_off", "approve", "approve", "decline", "done"]),
        choice=st.sampled_from(OPTIONS),
    )
    def a_person_speaks(self, kind, choice):
        """Whoever answers a question about the shop has looked there."""
        word = Word(kind=kind, by="Grace", choice=choice, why="found", reference="R-1")
        if self.saga.asked is Asked.CHECK:
            stands = bool(self.shop.ours(self._in_doubt()))
            if self.shop.late or (kind == "done") is not stands or (stands and choice is not self._in_doubt()):
                return
        if objection(self.saga, word) is None:
            self.saga, number = say(self.saga, word)
            self.said.add(number)

    @precondition(lambda self: not self.quiet)
    @rule(amount=st.sampled_from([10, 30, 100]), units=st.sampled_from([(), (("MAT", 1),), (("BLOCK", 1),)]))
    def the_shop_pays_back(self, amount, units):
        """By hand: all, a part, other goods, or an amount that says of nothing."""
        self.shop.add(Choice.REFUND, "", Decimal(amount), units)

    @precondition(lambda self: not self.quiet)
    @rule(linked=st.booleans())
    def the_shop_sends_another(self, linked):
        """By hand, and perhaps without saying what for."""
        self.shop.add(Choice.REPLACEMENT, "", Decimal(0), THING.units, linked=linked)

    @rule()
    def a_replacement_leaves(self):
        """What has been made is handed to a carrier."""
        for one in self.shop.ours(Choice.REPLACEMENT):
            one.sent = True

    @precondition(lambda self: not self.quiet)
    @rule(what=st.sampled_from(["arrived", "cancelled"]))
    def the_world_moves(self, what):
        """The parcel comes after all, or the order is called off."""
        setattr(self, what, True)

    # ---- what holds ---------------------------------------------------------------------------------------------

    @invariant()
    def one_of_goods_and_money(self):
        """Of what the saga had made, at most one thing stands."""
        assert len(self.shop.ours()) <= 1, self.shop.ours()

    @invariant()
    def nothing_without_a_yes(self):
        """Nothing was asked for on top of what was given back, above its worth, or unapproved."""
        assert self.unwarranted == []

    @invariant()
    def every_word_is_kept(self):
        """A word is waiting, being acted on, or answered."""
        waiting = {word.number for word in self.saga.words}
        turning = {self.saga.turning.number} if self.saga.turning else set()
        assert self.said <= waiting | turning | self.saga.replies.keys()

    def teardown(self):
        """Whatever has happened: with a shop that answers and people who do, it ends, and every word is answered."""
        if not hasattr(self, "saga"):
            return
        for _ in range(MOST_MOVES):
            move = self._move("done")
            if self.over is not None:
                break
            if isinstance(move, Wait):
                self._people_answer()
                self._land(everything=True)
                self.now = max(move.until, self.now)
        assert self.over is not None, self.saga
        assert self.said <= self.saga.replies.keys()
        self._land(everything=True)
        assert len(self.shop.ours()) <= 1
        ours = {one.what for one in self.shop.ours()}
        if self.over in {Stand.WITHDRAWN, Stand.DECLINED, Stand.FAILED}:
            assert ours == set()
        if Choice.REPLACEMENT not in ours:
            assert not self.shop.reserved, "goods are set aside for nobody"
        if self.saga.goods.there is There.YES:
            assert Choice.REFUND not in ours

    def _in_doubt(self):
        """What people are asked to look for, where they are."""
        return Choice.REPLACEMENT if self.saga.money.clear else Choice.REFUND

    def _people_answer(self):
        if self.saga.asked is None or not self.saga.times or self.saga.words:
            return
        stands = self.shop.ours(self._in_doubt())
        kind = "decline" if self.saga.asked is Asked.APPROVAL else "call_off"
        if self.saga.asked is Asked.CHECK and stands:
            kind = "done"
        word = Word(kind=kind, by="Ines", why="enough", reference="R-1", choice=self._in_doubt())
        assert objection(self.saga, word) is None
        self.saga, number = say(self.saga, word)
        self.said.add(number)


Sagas.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestSagas = Sagas.TestCase

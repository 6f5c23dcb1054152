"""A saga that is played move by move: what it asks for is answered as a test says, and else as by a willing shop."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from journey.remedies import By, Choice, RemedyRequest
from journey.remedy_steps import Answer, RemedyDid, RemedyLook
from journey.saga.kinds import AskPeople, AskShop, LookAgain, Over, Settle, TellJourney, TellPeople, Wait
from journey.saga.moves import heard, next_move
from journey.saga.state import RULES, begin
from journey.saga.words import say

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
REQUEST = RemedyRequest(shop="acme", order_id="1001", part="T1", playbook="digest", at=NOW)
LOOK = RemedyLook(
    choice=Choice.REFUND,
    by=By.CUSTOMER,
    options=(Choice.REPLACEMENT, Choice.REFUND),
    skus=(("MAT", 1),),
    amount=Decimal(30),
    currency="EUR",
    wants_approval=False,
    by_hand=False,
    refund_when_out=True,
    coupon=False,
    settles=timedelta(minutes=5),
)
DONE = RemedyDid(reference="ref-1")
UNKNOWN = RemedyDid(answer=Answer.UNKNOWN, rule="no_answer")


class Play:
    """One saga. `look` is what every look finds; `steps` is what the shop was asked for, `ended` how it was settled.

    `told_people` are the rules of what people were told when its journey had ended, or of a code in doubt.
    """

    def __init__(self, look=LOOK, *, restarted=False, answers=None):
        self.saga = begin(REQUEST, restarted=restarted).but(rules=RULES)
        self.now = NOW
        self.look = look
        self.answers = answers or {}
        self.steps = []
        self.looks = self.asked_people = 0
        self.told_people = []
        self.last = self.ended = None

    def say(self, word):
        """A person's word; its number."""
        self.saga, number = say(self.saga, word)
        return number

    def answer(self, did):
        """What the shop says to the request that it was last asked for."""
        self.steps.append(self.last.step)
        self.saga = heard(self.saga, self.last, did, now=self.now)

    def until(self, kind, step=None):
        """Play on to the next move of that kind, which is left to the test, unless it is a look or a question."""
        for _ in range(100):
            self.saga, self.last = next_move(self.saga, now=self.now)
            if isinstance(self.last, kind) and (step is None or self.last.step is step):
                if isinstance(self.last, AskPeople | LookAgain):
                    self._make(self.last)
                return self.last
            self._make(self.last)
        raise AssertionError(f"it never comes to {kind}")

    def run(self):
        """Play on to its end; how it ended. Time passes as it waits."""
        for _ in range(300):
            self.saga, self.last = next_move(self.saga, now=self.now)
            if isinstance(self.last, Over):
                return self.last.result
            self._make(self.last)
        raise AssertionError("it never ends")

    def _make(self, move):
        outcome = None
        match move:
            case Wait():
                self.now = move.until
                return
            case LookAgain():
                self.looks += 1
                outcome = self.look
            case AskShop():
                self.steps.append(move.step)
                outcome = self.answers.get(move.step, DONE)
            case AskPeople():
                self.asked_people += 1
            case Settle(end):
                self.ended = end
            case TellJourney():
                outcome = True
            case TellPeople(end):
                self.told_people.append(end.rule)
        self.saga = heard(self.saga, move, outcome, now=self.now)

"""All that the saga of a remedy knows. Moments are UTC, by the workflow's clock."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, Self

from journey.base import Frozen, Instant
from journey.remedies import Choice, RemedyRequest, Stand
from journey.remedy_steps import Asked, RemedyLook, RemedyNote
from journey.saga.requests import Request, There

CALLED_OFF: Final = "called_off"
NO_ANSWER: Final = "no_answer"
ERASED: Final = "order_erased"
_SETTLES: Final = timedelta(minutes=1)
RULES: Final = 2
"""Today's rules; a run that has turned by older ones goes on with them. 2: goods that cannot be set aside become money
by the terms, and what the shop says nothing of, or gives no answer to any more, is for people to check."""

Kind = Literal["approve", "decline", "choose", "done", "call_off"]
"""What a person may say."""


class Agreed(Frozen):
    """What a person said yes to: these units for at most this sum, knowing what had been given back by then."""

    skus: tuple[tuple[str, int], ...]
    amount: Decimal
    seen: tuple[str, ...]

    @classmethod
    def to(cls, look: RemedyLook) -> Self:
        """Yes to what was seen then."""
        return cls(skus=look.skus, amount=look.amount, seen=look.seen)


class Word(Frozen):
    """A person's word. `number` counts a saga's words from 1; `by` says it; the rest is what its kind needs.

    `saw` is what there was to know when it was said, `question` what was asked for then, and `about` what was to be
    done then: a word is no answer to what was asked, seen or chosen after it.
    """

    kind: Kind
    by: str
    number: int = 0
    choice: Choice | None = None
    why: str | None = None
    reference: str | None = None
    saw: Agreed | None = None
    question: Asked | None = None
    about: Choice | None = None


class Reply(Frozen):
    """What became of a word: it was acted on, or `why` it was not."""

    taken: bool
    why: str = ""


class End(Frozen):
    """How it ends; see `journey.remedy_steps.RemedyEnd`."""

    stand: Stand
    choice: Choice | None = None
    reference: str | None = None
    rule: str | None = None
    amount: Decimal | None = None


class Saga(Frozen):
    """The state of one remedy.

    Attributes:
        request: whose remedy it is.
        choice: what is to be done, as things stand.
        look: the last look, taken at `looked_at`; `fresh` while nothing has been waited for since.
        agreed: what a person said yes to.
        asked: what a person is asked for now; asked `times` times, next at `ask_at`.
        goods: the replacement, `reserved` its goods set aside, `money` the refund, `coupon` the apology.
        turn: see `journey.remedy_steps.RemedyTask`.
        undoing: goods or their reservation are being undone, because of the word `turning`, if of one.
        refused: why the shop would not, since a person last said what to do.
        rechecks: how often the shop had something new on its books when it was to make it.
        unsure_until: taken over from a run that was stopped: what that one asked for may be carried out until then.
        words: people's words that were not acted on yet, in order; `number` of them came so far.
        replies: what became of the words, until whoever said them has heard it.
        notes: people's words that are still to be written down.
        end: how it ends; from then on no word turns it.
        coupon_until: when the apology is given up; `coupon_rule` is why there is none.
        settled: the end is written down, and `told` to the journey; `unheard` if the journey has ended.
        result: how it ended, once it has.
        rules: by which rules it turns; see `RULES`.
    """

    request: RemedyRequest
    choice: Choice = Choice.REFUND
    look: RemedyLook | None = None
    looked_at: Instant | None = None
    fresh: bool = False
    agreed: Agreed | None = None
    asked: Asked | None = None
    times: int = 0
    ask_at: Instant | None = None
    goods: Request = Request()
    reserved: Request = Request()
    money: Request = Request()
    coupon: Request = Request()
    turn: int = 1
    undoing: bool = False
    turning: Word | None = None
    refused: str | None = None
    rechecks: int = 0
    restarted: bool = False
    unsure_until: Instant | None = None
    words: tuple[Word, ...] = ()
    number: int = 0
    replies: Mapping[int, Reply] = {}
    notes: tuple[RemedyNote, ...] = ()
    end: End | None = None
    coupon_until: Instant | None = None
    coupon_rule: str | None = None
    settled: bool = False
    told: bool = False
    unheard: bool = False
    result: str | None = None
    rules: int = 1

    @property
    def unsure(self) -> bool:
        """Whether it is not known yet what an earlier run had made."""
        return self.restarted

    @property
    def settles(self) -> timedelta:
        """How long a request without an answer may still be carried out."""
        return self.look.settles if self.look is not None else _SETTLES

    def ending(self, end: End) -> Self:
        """It ends that way, once what must not stand is undone."""
        stands = end.stand is Stand.DONE and self.goods.there is There.YES
        left = not stands and not (self.goods.clear and self.reserved.clear)
        return self.but(end=end, asked=None, choice=end.choice or self.choice, undoing=left)

    def asking(self, asked: Asked, now: datetime) -> Self:
        """A person is to be asked for that."""
        return self.but(asked=asked, times=0, ask_at=now)

    def answered(self, word: Word, *, why: str = "") -> Self:
        """The word was acted on, or `why` it was not."""
        return self.but(replies={**self.replies, word.number: Reply(taken=not why, why=why)})

    def heard(self, number: int) -> Self:
        """The reply to that word has been given."""
        return self.but(replies={known: reply for known, reply in self.replies.items() if known != number})


def begin(request: RemedyRequest, *, restarted: bool = False) -> Saga:
    """A saga at its beginning; `restarted` where another run may have asked the shop for something already."""
    return Saga(request=request, restarted=restarted)

"""What comes next in the saga of a remedy, and what each answer changes. Nothing here asks anybody anything.

    look -> (a person's yes) -> reserve -> replace -> end          a replacement, undone by cancel and release
                             -> refund -> end                      money, never called back
    end  -> coupon -> written down -> told to the journey -> over

Whoever drives it asks for `next_move`, does that, and gives what came of it to `heard`, until the move is `Over`.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from journey.made_good import ALREADY_REFUNDED, ALREADY_REPLACED
from journey.remedies import Choice, Stand
from journey.remedy_steps import (
    Answer,
    Asked,
    RemedyAsk,
    RemedyDid,
    RemedyEnd,
    RemedyLook,
    RemedyNote,
    RemedyTask,
    Step,
)
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
from journey.saga.requests import Request, There, asked, undone
from journey.saga.state import ERASED, NO_ANSWER, RULES, Agreed, End, Saga
from journey.saga.words import take_words, turned, unturned, where

REMIND: Final = timedelta(days=1)
"""A person who does not answer is asked again after this, behind another look."""
STALE: Final = timedelta(hours=1)
"""A look that is older than this is taken again before anything is made."""
COUPON_PATIENCE: Final = timedelta(hours=1)
"""The remedy itself is done by then: its customer is not kept waiting for an apology."""
WITHDRAW_PATIENCE: Final = timedelta(days=1)
"""For so long an apology of which nobody knows is tried to be taken back; then people are told of it."""
MOST_RECHECKS: Final = 3
MOST_UNANSWERED: Final = 10
"""So often a refund is asked for, or something undone, without an answer; then people look at the shop."""
CHANGED: Final = "changed_meanwhile"
"""The shop has something on its books that the look had not."""
ALREADY_SENT: Final = "already_sent"
COUPON_IN_DOUBT: Final = "coupon_in_doubt"
_OVER: Final = {ALREADY_REFUNDED: Choice.REFUND, ALREADY_REPLACED: Choice.REPLACEMENT}


def next_move(saga: Saga, *, now: datetime) -> tuple[Saga, Move]:  # noqa: PLR0911  one return a move
    """What is to be done at `now`, and the saga that has acted on people's words up to then."""
    saga = take_words(saga, now)
    while saga.undoing and saga.goods.clear and saga.reserved.clear:
        saga = take_words(_undone(saga, now), now)
    if saga.result is not None:
        return saga, Over(saga.result)
    if saga.undoing:
        step, request = (Step.RELEASE, saga.reserved) if saga.goods.clear else (Step.CANCEL, saga.goods)
        return saga, _ask_shop(saga, step, request, now)
    if saga.notes:
        return saga, WriteDown(saga.notes[0])
    if saga.end is not None:
        return _closing(saga, saga.end, now)
    if saga.unsure_until is not None and now < saga.unsure_until:
        return saga, Wait(saga.unsure_until, "what was asked for before may still be carried out")
    if saga.look is None or not saga.fresh:
        return saga, LookAgain()
    return _on(saga, saga.look, now)


def heard(  # noqa: PLR0911  one return a move
    saga: Saga, move: Move, outcome: RemedyLook | RemedyDid | bool | None, *, now: datetime
) -> Saga:
    """The saga after a move was made.

    Args:
        saga: as `next_move` gave it, with the words that came since.
        move: what was done.
        outcome: a look (None: the order was erased), what came of a step at the shop, or whether the journey heard.
        now: when that was known.
    """
    match move:
        case LookAgain():
            look = outcome if isinstance(outcome, RemedyLook) else None
            return _looked(saga, look, now)
        case AskShop() if isinstance(outcome, RemedyDid):
            return _did(saga, move, outcome, now)
        case AskPeople():
            return saga.but(times=saga.times + 1, ask_at=now + REMIND)
        case WriteDown():
            return saga.but(notes=saga.notes[1:])
        case Settle():
            return saga.but(settled=True)
        case TellJourney():
            return saga.but(told=True, unheard=outcome is False)
        case TellPeople():
            return saga.but(unheard=False)
    return saga


def newer(move: Move, outcome: object) -> bool:
    """Whether today's `RULES` judge that answer otherwise than the first rules did."""
    if not isinstance(move, AskShop) or not isinstance(outcome, RemedyDid):
        return False
    out = move.step is Step.RESERVE and outcome.answer is Answer.REFUSED
    return out or outcome.unseen or _given_up(move, outcome)


def _given_up(move: AskShop, did: RemedyDid) -> bool:
    """Whether nobody but a person can say any more what became of it."""
    if did.answer is not Answer.UNKNOWN or move.task.tries < MOST_UNANSWERED:
        return did.unseen and move.step is Step.REFUND
    return move.step in {Step.REFUND, Step.CANCEL, Step.RELEASE}


# ---- what comes next ------------------------------------------------------------------------------------------------


def _on(saga: Saga, look: RemedyLook, now: datetime) -> tuple[Saga, Move]:
    """The way to the goods or the money, from a fresh look on."""
    if not saga.money.clear and saga.asked is not Asked.CHECK:
        return saga, _ask_shop(saga, Step.REFUND, saga.money, now)
    question = saga.asked or _question(saga, look)
    if question is not None:
        return _ask_people(saga if saga.asked else saga.asking(question, now), question, look, now)
    if saga.choice is Choice.REFUND:
        step, request = Step.REFUND, saga.money
    else:
        step, request = (
            (Step.REPLACE, saga.goods) if saga.reserved.there is There.YES else (Step.RESERVE, saga.reserved)
        )
    if request.due(now) and saga.looked_at is not None and now - saga.looked_at > STALE:
        return saga.but(fresh=False), LookAgain()
    return saga, _ask_shop(saga, step, request, now)


def _question(saga: Saga, look: RemedyLook) -> Asked | None:
    """What a person has to say before anything else is done."""
    if look.wants_approval and saga.agreed != Agreed.to(look):
        return Asked.APPROVAL
    if look.by_hand:
        return Asked.HAND
    return Asked.INSTEAD if saga.refused is not None or saga.choice not in look.options else None


def _ask_people(saga: Saga, question: Asked, look: RemedyLook, now: datetime) -> tuple[Saga, Move]:
    if saga.ask_at is not None and now < saga.ask_at:
        return saga, Wait(saga.ask_at, where(saga))
    if saga.times and saga.looked_at is not None and saga.ask_at is not None and saga.looked_at < saga.ask_at:
        return saga.but(fresh=False), LookAgain()
    ask = RemedyAsk(
        request=saga.request,
        asked=question,
        choice=saga.choice,
        amount=look.amount,
        currency=look.currency,
        rule=saga.refused,
        concerns=look.concerns,
        times=saga.times + 1,
    )
    return saga, AskPeople(ask)


def _ask_shop(saga: Saga, step: Step, request: Request, now: datetime) -> Move:
    if request.again_at is not None and now < request.again_at:
        return Wait(request.again_at, f"asks the shop again: {step.replace('_', ' ')}")
    look = saga.look
    task = RemedyTask(
        request=saga.request,
        turn=saga.turn,
        skus=look.skus if look is not None else (),
        amount=look.amount if look is not None else Decimal(0),
        seen=look.seen if look is not None else (),
        tries=request.tries + 1,
        maybe=request.there is There.MAYBE,
    )
    return AskShop(step, task)


def _undone(saga: Saga, now: datetime) -> Saga:
    """Nothing of ours stands any more: the word that wanted that is followed, or the terms say what comes instead."""
    # The shop keeps what a key once meant: wanted again, it is another replacement.
    saga = saga.but(undoing=False, turn=saga.turn + 1)
    if saga.turning is not None:
        return turned(saga, now)
    return saga if saga.end is not None else _by_the_terms(saga, now)


def _by_the_terms(saga: Saga, now: datetime) -> Saga:
    """What the terms themselves say comes instead, if they do; nothing of ours stands."""
    if saga.look is None or not _becomes_refund(saga, saga.look):
        return saga
    note = RemedyNote(request=saga.request, by="", at=now, choice=Choice.REFUND)
    return saga.but(choice=Choice.REFUND, refused=None, notes=(*saga.notes, note), fresh=False)


def _becomes_refund(saga: Saga, look: RemedyLook) -> bool:
    """Whether goods that are out become money; never above the amount that a person approves."""
    out = saga.choice is Choice.REPLACEMENT and saga.refused == "out_of_stock"
    return out and look.refund_when_out and not look.wants_approval and Choice.REFUND in look.options


def _closing(saga: Saga, end: End, now: datetime) -> tuple[Saga, Move]:
    """The apology, the books, and word to the journey; from here on nothing turns it back."""
    if not saga.settled and _gives_coupon(saga, end):
        until = saga.coupon_until or now + COUPON_PATIENCE
        saga = saga.but(coupon_until=until)
        if now < until:
            move = _ask_shop(saga, Step.COUPON, saga.coupon, now)
            return saga, Wait(min(move.until, until), move.why) if isinstance(move, Wait) else move
        saga = saga.but(coupon_rule=NO_ANSWER)
    settled = RemedyEnd(
        request=saga.request,
        stand=end.stand,
        choice=saga.choice,
        reference=end.reference,
        rule=end.rule,
        amount=end.amount,
        coupon_rule=saga.coupon_rule,
    )
    if not saga.settled:
        return saga, Settle(settled)
    if not saga.told:
        return saga, TellJourney(settled)
    if saga.unheard:
        return saga, TellPeople(settled)
    return _last(saga, settled, now)


def _gives_coupon(saga: Saga, end: End) -> bool:
    """Whether the apology is still to be made."""
    look = saga.look
    if end.stand is not Stand.DONE or look is None or not look.coupon or look.by_hand or look.over is not None:
        return False
    return saga.coupon_rule is None and saga.coupon.there is not There.YES


def _last(saga: Saga, settled: RemedyEnd, now: datetime) -> tuple[Saga, Move]:
    """An apology that may have been made is taken back, or people are told of it."""
    if saga.coupon.there is There.MAYBE and saga.coupon_until is not None:
        if now < saga.coupon_until + WITHDRAW_PATIENCE:
            return saga, _ask_shop(saga, Step.WITHDRAW_COUPON, saga.coupon, now)
        return saga.but(coupon=Request(), unheard=True), TellPeople(settled.but(rule=COUPON_IN_DOUBT))
    return saga.but(result=str(settled.stand)), Over(str(settled.stand))


# ---- what the answers change ----------------------------------------------------------------------------------------


def _looked(saga: Saga, look: RemedyLook | None, now: datetime) -> Saga:
    if look is None:
        return _erased(saga)
    first = saga.look is None
    saga = saga.but(look=look, looked_at=now, fresh=True)
    if first:
        saga = saga.but(choice=look.choice)
    if saga.restarted and saga.unsure_until is None:
        # What the run before asked for may still be carried out: after that the shop is looked at once more.
        return saga.but(unsure_until=now + look.settles, fresh=False)
    if saga.restarted:
        # Goods may still be set aside under the key of the last turn, and may have been sent: not every shop tells.
        maybe = Request(there=There.MAYBE)
        goods = saga.goods if look.by_hand else maybe
        saga = saga.but(restarted=False, unsure_until=None, turn=look.turn, reserved=maybe, goods=goods)
        saga = saga.but(undoing=saga.choice is Choice.REFUND)
    if look.made is not None:
        return _made(saga, look.made.choice, look.made.reference, rule=None)
    if look.over is None or saga.asked is Asked.CHECK:
        return saga
    if look.over in _OVER:
        return saga.ending(End(stand=Stand.DONE, choice=_OVER[look.over], rule=look.over, reference=look.covered_by))
    return saga.ending(End(stand=Stand.WITHDRAWN, rule=look.over))


def _did(saga: Saga, move: AskShop, did: RemedyDid, now: datetime) -> Saga:
    if did.rule == ERASED:
        return _erased(saga)
    if did.answer is Answer.REFUSED and did.rule == CHANGED:
        return _changed(saga, move.step)
    name, becomes, final = _STEPS[move.step]
    saga = saga.but(**{name: becomes(getattr(saga, name), did, now=now, settles=saga.settles)})
    if _given_up(move, did) and saga.rules >= RULES:
        # People look once the last request can no longer be carried out.
        at = now + saga.settles
        if move.step is Step.REFUND:
            return saga.but(refused=did.rule).asking(Asked.CHECK, at)
        return final(saga, did.but(answer=Answer.REFUSED), at)
    return saga if did.answer in {Answer.BUSY, Answer.UNKNOWN} else final(saga, did, now)


def _reserved(saga: Saga, did: RemedyDid, now: datetime) -> Saga:
    if did.answer is Answer.DONE:
        return saga
    saga = _refusal(saga, did)
    # Where something is to be undone first, the terms are asked behind that.
    return saga if saga.undoing or saga.rules < RULES else _by_the_terms(saga, now)


def _replaced(saga: Saga, did: RemedyDid, _now: datetime) -> Saga:
    if did.answer is Answer.DONE:
        return _made(saga, Choice.REPLACEMENT, did.reference, rule=did.rule)
    return _refusal(saga, did)


def _refunded(saga: Saga, did: RemedyDid, _now: datetime) -> Saga:
    if did.answer is Answer.DONE:
        return _made(saga, Choice.REFUND, did.reference, rule=did.rule)
    # Whoever refuses has looked for an earlier refund by its key. Money is not undone: a person says what comes next.
    return _refusal(saga.but(money=Request()), did)


def _released(saga: Saga, _did: RemedyDid, _now: datetime) -> Saga:
    # A reservation that the shop will not give back lapses, or stands; it sends no goods.
    return saga.but(reserved=Request())


def _given(saga: Saga, did: RemedyDid, _now: datetime) -> Saga:
    return saga.but(coupon_rule=did.rule) if did.answer is Answer.REFUSED else saga


def _withdrawn(saga: Saga, did: RemedyDid, now: datetime) -> Saga:
    if did.answer is Answer.REFUSED:
        # Asking again is no use: people are told at once.
        return saga.but(coupon_until=now - WITHDRAW_PATIENCE)
    return saga.but(coupon=Request())


def _made(saga: Saga, choice: Choice, reference: str | None, *, rule: str | None) -> Saga:
    """The shop has made it: the words that came meanwhile came too late."""
    there = Request(there=There.YES)
    saga = saga.but(goods=there) if choice is Choice.REPLACEMENT else saga.but(money=there)
    amount = saga.look.amount if saga.look is not None and choice is Choice.REFUND else None
    end = End(stand=Stand.DONE, choice=choice, reference=reference, rule=rule, amount=amount)
    made = "replacement" if choice is Choice.REPLACEMENT else "refund"
    return unturned(saga.ending(end), f"too late: the shop has made the {made}")


def _refusal(saga: Saga, did: RemedyDid) -> Saga:
    """The shop will not: what was begun is undone, and then something else is done."""
    if did.answer is not Answer.REFUSED:
        return saga
    # Money that has gone back in another way: another look tells whether that made the thing good.
    return saga.but(
        refused=did.rule or "refused",
        undoing=not (saga.goods.clear and saga.reserved.clear),
        fresh=saga.fresh and did.rule != ALREADY_REFUNDED,
    )


def _changed(saga: Saga, step: Step) -> Saga:
    """Something new is on the shop's books, so that nothing was made: another look tells what it is."""
    saga = saga.but(goods=Request()) if step is Step.REPLACE else saga
    saga = saga.but(money=Request()) if step is Step.REFUND else saga
    refused = CHANGED if saga.rechecks >= MOST_RECHECKS else saga.refused
    return saga.but(fresh=False, rechecks=saga.rechecks + 1, refused=refused)


def _cancelled(saga: Saga, did: RemedyDid, now: datetime) -> Saga:
    if did.answer is not Answer.REFUSED:
        return saga
    if did.rule == ALREADY_SENT:
        # It has left the shop: the pivot was behind us when the word came.
        return _made(saga, Choice.REPLACEMENT, did.reference, rule=None)
    said = f"the shop does not confirm that the replacement was called off ({did.rule})"
    saga = unturned(saga, f"{said}: look there, then say `done` or `choose`")
    # The end that wanted it undone is none, and what is asked about is the replacement.
    saga = saga.but(undoing=False, choice=Choice.REPLACEMENT, refused=did.rule, end=None, fresh=False)
    return saga.asking(Asked.CHECK, now)


def _erased(saga: Saga) -> Saga:
    """Nobody is left to make it good for."""
    return unturned(saga.but(result=ERASED, undoing=False), "too late: the order was erased")


_STEPS: Final[dict[Step, tuple[str, Callable[..., Request], Callable[[Saga, RemedyDid, datetime], Saga]]]] = {
    Step.RESERVE: ("reserved", asked, _reserved),
    Step.REPLACE: ("goods", asked, _replaced),
    Step.REFUND: ("money", asked, _refunded),
    Step.COUPON: ("coupon", asked, _given),
    Step.CANCEL: ("goods", undone, _cancelled),
    Step.RELEASE: ("reserved", undone, _released),
    Step.WITHDRAW_COUPON: ("coupon", undone, _withdrawn),
}
"""What each step is about, how an answer changes that, and what a final answer changes beside it."""

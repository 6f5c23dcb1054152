"""People's words to a saga: each is kept in order, acted on where the saga can turn, and answered in any case."""

from datetime import datetime
from typing import Final

from journey.markdown import shown
from journey.remedies import Choice, Stand
from journey.remedy_steps import Asked, RemedyNote
from journey.saga.requests import Request, There
from journey.saga.state import CALLED_OFF, RULES, Agreed, End, Saga, Word

_ANSWERS: Final = {
    "approve": {Asked.APPROVAL},
    "decline": {Asked.APPROVAL},
    "done": {Asked.HAND, Asked.INSTEAD, Asked.CHECK},
}
"""Words that answer a question, by what has to be asked."""
_TURNS: Final = {"choose", "call_off", "decline"}
"""Words that want undone what was begun: they are answered once it is."""
_OPEN: Final = {Asked.INSTEAD, Asked.CHECK}
_LET_GO: Final = {Stand.WITHDRAWN, Stand.FAILED, Stand.DECLINED}


def objection(saga: Saga, word: Word) -> str | None:
    """Why a word cannot even be kept; None where it can. A request is kept before anything was looked at, too."""
    if saga.end is not None or saga.result is not None:
        return f"too late: {where(saga)}"
    wanted = _ANSWERS.get(word.kind)
    if wanted is not None and (saga.asked not in wanted or _early(saga)):
        return f"nobody was asked for that; now: {where(saga)}"
    return _against(saga, word) if word.kind == "choose" and not saga.words else None


def say(saga: Saga, word: Word) -> tuple[Saga, int]:
    """Keep a word with what can be known of it now; its number, under which `Saga.replies` has its answer later."""
    number = saga.number + 1
    saw = Agreed.to(saga.look) if saga.look is not None else None
    kept = word.but(number=number, saw=saw, question=None if _early(saga) else saga.asked, about=saga.choice)
    return saga.but(words=(*saga.words, kept), number=number), number


def take_words(saga: Saga, now: datetime) -> Saga:
    """Act on the words that can be acted on, in their order; called only while no request is under way."""
    while saga.words:
        word, rest = saga.words[0], saga.words[1:]
        after = _taken(saga.but(words=rest), word, now)
        if after is None:
            break
        saga = after
    return saga


def unturned(saga: Saga, why: str) -> Saga:
    """The word that was being acted on came too late, or cannot be followed."""
    return saga if saga.turning is None else saga.answered(saga.turning, why=why).but(turning=None)


def turned(saga: Saga, now: datetime) -> Saga:
    """What was to be undone first is undone: the word that wanted it is now followed."""
    word = saga.turning
    return saga if word is None else _follow(saga.but(turning=None), word, now)


def where(saga: Saga) -> str:
    """Where it stands, in a few words for people."""
    if saga.result is not None:
        return f"it has ended: {saga.result}"
    if saga.end is not None:
        return f"{saga.end.stand}" + (f": {shown(saga.end.rule)}" if saga.end.rule else "")
    if _early(saga):
        return "what was asked for may still be carried out; people look at the shop then"
    if saga.asked is not None and not saga.undoing:
        return _WAITS[saga.asked].format(choice=saga.choice) + (f" ({shown(saga.refused)})" if saga.refused else "")
    begun = {
        "what was begun is being undone": saga.undoing,
        "the refund was asked for": not saga.money.clear,
        "about to look at it": saga.look is None,
        "the replacement was asked for": not saga.goods.clear,
    }
    return next((said for said, so in begun.items() if so), f"{saga.choice} is next")


_WAITS: Final = {
    Asked.APPROVAL: "waits for `approve` or `decline`",
    Asked.HAND: "waits for a person to do it at the shop, and to say `done` with what was done",
    Asked.INSTEAD: "the shop will not: waits for `choose`, `done` or `call_off`",
    Asked.CHECK: "look at the shop whether the {choice} stands: waits for `done`, `choose` or `call_off`",
}


def _early(saga: Saga) -> bool:
    """Whether people are still to be asked to look at the shop, once nothing more can be carried out there."""
    return saga.asked is Asked.CHECK and not saga.times and saga.rules >= RULES


def _taken(saga: Saga, word: Word, now: datetime) -> Saga | None:
    """The saga after this word; None where it cannot be acted on yet."""
    if saga.end is not None or saga.result is not None:
        wanted = word.kind in {"call_off", "decline"} and saga.end is not None and saga.end.stand in _LET_GO
        return saga.answered(word, why="" if wanted else f"too late: {where(saga)}")
    if saga.undoing or saga.unsure or (word.kind == "choose" and saga.look is None):
        return None
    why = _too_late(saga, word)
    if why is not None:
        return saga.answered(word, why=why)
    if saga.asked is Asked.CHECK:
        # Whoever answers has looked at the shop: what was asked for stands if they say that it is what was done.
        paid = not saga.money.clear
        what = Choice.REFUND if paid else Choice.REPLACEMENT
        stands = word.kind == "done" and (word.choice or word.about) is what
        found = Request(there=There.YES if stands else There.NO)
        saga = saga.but(money=found) if paid else saga.but(goods=found)
    if word.kind in _TURNS and not (saga.goods.clear and saga.reserved.clear):
        return saga.but(undoing=True, turning=word)
    return _follow(saga, word, now)


def _too_late(saga: Saga, word: Word) -> str | None:
    """Why a word that was kept cannot be acted on any more."""
    if not saga.money.clear and saga.asked is not Asked.CHECK:
        return "too late: the refund was asked for"
    wanted = _ANSWERS.get(word.kind)
    other = word.kind == "approve" and word.about is not saga.choice
    if wanted is not None and (saga.asked not in wanted or other):
        return f"that was not asked for any more; now: {where(saga)}"
    if saga.asked is Asked.CHECK and word.question is not Asked.CHECK:
        return f"the shop does not say what stands there; now: {where(saga)}"
    return _against(saga, word) if word.kind == "choose" else None


def _against(saga: Saga, word: Word) -> str | None:
    """Why that cannot be chosen."""
    if saga.look is None or word.choice is None:
        return None
    if word.choice not in saga.look.options:
        return f"{word.choice} is not among the options"
    return f"{word.choice} it is already" if word.choice is saga.choice and saga.asked not in _OPEN else None


def _follow(saga: Saga, word: Word, now: datetime) -> Saga:
    """Do as the word says; nothing that it excludes stands at the shop."""
    saga = saga.answered(word)
    match word.kind:
        case "approve":
            note = RemedyNote(request=saga.request, by=word.by, at=now)
            return saga.but(agreed=word.saw, asked=None, fresh=False, notes=(*saga.notes, note))
        case "decline":
            return saga.ending(End(stand=Stand.DECLINED, rule=word.why))
        case "done":
            return saga.ending(End(stand=Stand.DONE, choice=word.choice or word.about, reference=word.reference))
        case "call_off":
            stand = Stand.FAILED if saga.refused else Stand.WITHDRAWN
            return saga.ending(End(stand=stand, rule=saga.refused or CALLED_OFF))
        case "choose":
            note = RemedyNote(request=saga.request, by=word.by, at=now, choice=word.choice)
            chosen = saga.but(choice=word.choice, refused=None, rechecks=0, notes=(*saga.notes, note), fresh=False)
            if saga.asked in {Asked.APPROVAL, Asked.HAND}:
                # The question stays, about the other one now.
                return chosen.asking(saga.asked, now)
            # Whoever chooses knows what was to be seen then, and says yes to it.
            return chosen.but(agreed=word.saw, asked=None)

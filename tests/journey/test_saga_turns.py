"""Where a saga turns: what it looks at, asks people and asks the shop for once something went another way."""

from datetime import timedelta

import pytest

from journey.remedies import Choice
from journey.remedy_steps import Answer, Asked, Made, RemedyDid, Step
from journey.saga.kinds import AskPeople, AskShop, Wait, WriteDown
from journey.saga.moves import CHANGED, MOST_RECHECKS, MOST_UNANSWERED, STALE
from journey.saga.state import Word
from tests.journey.sagas import DONE, LOOK, UNKNOWN, Play

GOODS = LOOK.but(choice=Choice.REPLACEMENT)
REFUND = Word(kind="choose", by="Ines", choice=Choice.REFUND)
REPLACEMENT = Word(kind="choose", by="Ines", choice=Choice.REPLACEMENT)
APPROVE = Word(kind="approve", by="Grace")
NEW = RemedyDid(answer=Answer.REFUSED, rule=CHANGED)
OUT = RemedyDid(answer=Answer.REFUSED, rule="out_of_stock")
UNSEEN = RemedyDid(answer=Answer.BUSY, rule="order_unknown", unseen=True)
REJECTED = RemedyDid(answer=Answer.REFUSED, rule="rejected")


@pytest.mark.parametrize("choice", Choice)
def test_what_changed_is_looked_at_before_the_shop_is_asked_again(choice):
    """A refund that nobody had seen: the next look shows it, and a person is asked."""
    step = Step.REFUND if choice is Choice.REFUND else Step.REPLACE
    play = Play(LOOK.but(choice=choice))
    play.until(AskShop, step)
    play.look = LOOK.but(choice=choice, wants_approval=True, seen=("refund:r1",), concerns=("refund r1",))
    play.answer(NEW)
    assert play.until(AskPeople).ask.concerns == ("refund r1",)
    assert play.steps.count(step) == 1


def test_a_shop_whose_books_never_say_what_changed_is_for_a_person():
    """It says that there is something new, and no look ever shows it: that is tried so often, and no more."""
    play = Play(answers={Step.REFUND: NEW})
    asked = play.until(AskPeople).ask
    assert (asked.asked, asked.rule) == (Asked.INSTEAD, CHANGED)
    assert play.steps == [Step.REFUND] * (MOST_RECHECKS + 1)


def test_goods_that_are_wanted_again_are_another_replacement():
    """The shop keeps what the first key meant, which was undone."""
    play = Play(GOODS, answers={Step.REFUND: REJECTED})
    play.until(AskShop, Step.REPLACE)
    play.answer(UNKNOWN)
    play.say(REFUND)
    play.until(AskPeople)
    play.say(REPLACEMENT)
    assert play.until(AskShop, Step.RESERVE).task.turn == 2


def test_a_refund_that_was_refused_in_the_end_leaves_the_way_to_goods():
    """Whoever refuses has looked for the one that got no answer: there is none, and a person may send goods."""
    play = Play()
    play.until(AskShop, Step.REFUND)
    play.answer(UNKNOWN)
    assert play.until(AskShop, Step.REFUND).task.maybe
    play.answer(REJECTED)
    assert play.until(AskPeople).ask.asked is Asked.INSTEAD
    number = play.say(REPLACEMENT)
    assert play.run() == "done"
    assert play.saga.replies[number].taken
    assert play.ended.choice is Choice.REPLACEMENT


@pytest.mark.parametrize(
    ("word", "end", "choice"),
    [
        (Word(kind="done", by="Ines", reference="R-1"), "done", Choice.REFUND),
        (Word(kind="call_off", by="Ines"), "failed", None),
        (REPLACEMENT, "done", Choice.REPLACEMENT),
        (REFUND, "done", Choice.REFUND),
    ],
    ids=lambda value: value.kind if isinstance(value, Word) else None,
)
def test_a_refund_in_doubt_that_nobody_can_look_for_is_for_a_person_to_check(word, end, choice):
    """Until one has looked at the shop nothing else is made; a word from before is no answer to that."""
    play = Play()
    play.until(AskShop, Step.REFUND)
    play.answer(UNKNOWN)
    play.until(AskShop, Step.REFUND)
    early = play.say(word)
    play.answer(UNSEEN)
    assert play.until(AskPeople).ask.asked is Asked.CHECK
    assert not play.saga.replies[early].taken
    assert play.until(AskPeople).ask.times == 2
    number = play.say(word)
    assert play.run() == end
    assert play.saga.replies[number].taken
    assert choice is None or play.ended.choice is choice
    assert play.steps.count(Step.REFUND) == (3 if word is REFUND else 2)


@pytest.mark.parametrize("tries", [MOST_UNANSWERED - 1, MOST_UNANSWERED])
def test_a_refund_that_never_gets_an_answer_is_for_people_to_check(tries):
    """So often, and no sooner than the last request can no longer be carried out; a busy shop is waited for."""
    play = Play()
    for _ in range(tries):
        play.until(AskShop, Step.REFUND)
        play.answer(UNKNOWN)
    if tries < MOST_UNANSWERED:
        assert play.until(AskShop, Step.REFUND).task.maybe
        play.answer(RemedyDid(answer=Answer.BUSY))
        assert play.until(AskShop, Step.REFUND).task.maybe
        return
    asked_at = play.now
    early = play.say(REPLACEMENT)  # they have not looked yet, or too early
    assert play.until(AskPeople).ask.asked is Asked.CHECK
    assert play.now >= asked_at + LOOK.settles
    play.say(Word(kind="done", by="Ines", reference="R-1"))
    assert play.run() == "done"
    assert play.steps == [Step.REFUND] * MOST_UNANSWERED
    assert not play.saga.replies[early].taken


@pytest.mark.parametrize("step", [Step.CANCEL, Step.RELEASE])
def test_what_never_gets_undone_does_not_go_on_for_ever(step):
    """People look whether the goods stand; what was set aside sends none, and is left alone."""
    play = Play(GOODS, answers={step: UNKNOWN})
    play.until(AskShop, Step.REPLACE)
    play.answer(UNKNOWN)
    play.say(Word(kind="call_off", by="Grace"))
    if step is Step.CANCEL:
        assert play.until(AskPeople).ask.asked is Asked.CHECK
        play.say(Word(kind="call_off", by="Grace"))
    assert play.run() == ("failed" if step is Step.CANCEL else "withdrawn")
    assert play.steps.count(step) <= MOST_UNANSWERED


def test_a_check_is_over_once_the_shop_tells_of_the_refund():
    """People are asked again the next day, behind another look."""
    play = Play()
    play.until(AskShop, Step.REFUND)
    play.answer(UNKNOWN)
    play.until(AskShop, Step.REFUND)
    play.answer(UNSEEN)
    play.until(AskPeople)
    play.look = LOOK.but(made=Made(choice=Choice.REFUND, reference="R-1"))
    assert play.run() == "done"
    assert (play.ended.reference, play.asked_people) == ("R-1", 1)


def test_a_run_that_turned_by_the_first_rules_goes_on_with_them():
    """Its history has the commands of those: it waits for the shop, and asks a person what comes instead of goods."""
    play = Play()
    play.saga = play.saga.but(rules=1)
    play.until(AskShop, Step.REFUND)
    play.answer(UNKNOWN)
    play.until(AskShop, Step.REFUND)
    play.answer(UNSEEN)
    assert isinstance(play.until(Wait), Wait)
    assert play.until(AskShop, Step.REFUND).task.maybe
    goods = Play(GOODS, answers={Step.RESERVE: OUT})
    goods.saga = goods.saga.but(rules=1)
    assert goods.until(AskPeople).ask.asked is Asked.INSTEAD


def test_goods_that_cannot_be_set_aside_become_money_by_the_terms():
    """Nothing has to be undone for it, and the row says that the terms did it."""
    play = Play(GOODS, answers={Step.RESERVE: OUT})
    note = play.until(WriteDown).note
    assert (note.by, note.choice) == ("", Choice.REFUND)
    assert play.run() == "done"
    assert play.steps == [Step.RESERVE, Step.REFUND]


def test_a_yes_to_goods_is_none_to_money():
    """They are out, and the terms make money of that: not where a person has to say yes to what is spent."""
    play = Play(GOODS.but(wants_approval=True), answers={Step.RESERVE: OUT})
    play.until(AskPeople)
    play.say(APPROVE)
    asked = play.until(AskPeople).ask
    assert (asked.asked, asked.rule) == (Asked.INSTEAD, "out_of_stock")
    assert Step.REFUND not in play.steps


def test_a_saga_begun_again_gives_back_what_the_run_before_had_set_aside():
    """Under the key of the last turn; that the shop's books have nothing of it says nothing."""
    play = Play(GOODS.but(turn=2), restarted=True)
    play.now = play.until(Wait).until
    play.say(Word(kind="call_off", by="Grace"))
    assert play.until(AskShop, Step.RELEASE).task.turn == 2
    assert play.steps == [Step.CANCEL]
    assert play.run() == "withdrawn"


def test_people_say_yes_before_they_do_it_themselves():
    """Whoever does it by hand spends as much as the shop's API would."""
    play = Play(LOOK.but(by_hand=True, wants_approval=True))
    assert play.until(AskPeople).ask.asked is Asked.APPROVAL
    play.say(APPROVE)
    assert play.until(AskPeople).ask.asked is Asked.HAND


def test_a_refund_without_an_answer_comes_before_anything_else():
    """The look grows old, and a new one would want a yes to what may have been paid: the shop is asked about it."""
    play = Play()
    begun = play.now
    while play.now - begun <= STALE:
        task = play.until(AskShop, Step.REFUND).task
        play.look = LOOK.but(wants_approval=True, seen=("refund:r1",))
        play.answer(UNKNOWN)
        play.now += timedelta(minutes=20)
    assert task.maybe
    play.until(AskShop, Step.REFUND)
    play.answer(DONE)
    assert play.run() == "done"
    assert (play.looks, play.asked_people) == (1, 0)

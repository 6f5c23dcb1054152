"""People's words to a saga, one by one: kept, acted on where it can turn, and answered in any case."""

from datetime import timedelta

import pytest

from journey.remedies import Choice, Stand
from journey.remedy_steps import Answer, Asked, RemedyDid, Step
from journey.saga.kinds import AskPeople, AskShop, LookAgain, Over, Wait
from journey.saga.moves import REMIND, STALE, heard, next_move
from journey.saga.requests import Request, There, asked, undone
from journey.saga.state import Word, begin
from journey.saga.words import objection, say
from tests.journey.sagas import DONE, LOOK, NOW, REQUEST, UNKNOWN, Play

CALL_OFF = Word(kind="call_off", by="Grace")
REFUND = Word(kind="choose", by="Ines", choice=Choice.REFUND)


def test_a_word_before_the_first_look_is_kept_and_obeyed():
    """Nothing was looked at, so nothing is made: it ends at once."""
    play = Play()
    number = play.say(CALL_OFF)
    assert play.run() == "withdrawn"
    assert (play.saga.replies[number].taken, play.steps) == (True, [])


def test_a_choice_before_the_first_look_is_kept_until_it_can_be_judged():
    """What there is to choose from only the look says."""
    play = Play(LOOK.but(choice=Choice.REPLACEMENT))
    number = play.say(REFUND)
    assert play.run() == "done"
    assert (play.saga.replies[number].taken, play.steps) == (True, [Step.REFUND])


def test_every_word_of_a_queue_is_answered_in_its_order():
    """The first is followed, and the others are told what came of that."""
    play = Play(LOOK.but(wants_approval=True))
    play.until(AskPeople)
    numbers = [play.say(Word(kind="decline", by="Grace", why="found")), play.say(CALL_OFF), play.say(REFUND)]
    assert play.run() == "declined"
    assert [play.saga.replies[number].taken for number in numbers] == [True, True, False]
    assert "too late: declined" in play.saga.replies[numbers[2]].why


@pytest.mark.parametrize("word", [CALL_OFF, REFUND])
def test_what_got_no_answer_is_undone_no_sooner_than_it_may_have_landed(word):
    """The wait guards the compensation as it does the retry, and whatever is done instead."""
    play = Play(LOOK.but(choice=Choice.REPLACEMENT))
    play.until(AskShop, Step.REPLACE)
    play.answer(UNKNOWN)
    asked_at = play.now
    number = play.say(word)
    wait = play.until(Wait)
    assert wait.until >= asked_at + LOOK.settles
    assert number not in play.saga.replies
    play.now = wait.until
    assert play.until(AskShop).step is Step.CANCEL
    play.answer(RemedyDid(reference="o1"))
    assert play.until(AskShop).step is Step.RELEASE
    assert play.run() == ("withdrawn" if word is CALL_OFF else "done")
    assert play.saga.replies[number].taken


def test_a_replacement_that_has_left_makes_the_word_too_late():
    """What was said is answered so, and the end is the goods."""
    play = Play(LOOK.but(choice=Choice.REPLACEMENT))
    play.until(AskShop, Step.REPLACE)
    play.answer(UNKNOWN)
    number = play.say(CALL_OFF)
    play.until(AskShop, Step.CANCEL)
    play.answer(RemedyDid(answer=Answer.REFUSED, rule="already_sent", reference="o1"))
    assert play.run() == "done"
    assert "too late" in play.saga.replies[number].why
    assert play.ended.reference == "o1"


def test_a_word_that_was_said_before_a_question_is_no_answer_to_it():
    """Two call-offs, the shop confirms neither: the second person had not looked at the shop."""
    play = Play(LOOK.but(choice=Choice.REPLACEMENT))
    play.until(AskShop, Step.REPLACE)
    play.answer(UNKNOWN)
    first, second = play.say(CALL_OFF), play.say(CALL_OFF)
    play.until(AskShop, Step.CANCEL)
    play.answer(RemedyDid(answer=Answer.REFUSED, rule="not_cancelled"))
    play.until(AskPeople)
    assert play.saga.asked is Asked.CHECK
    assert not play.saga.replies[first].taken
    assert not play.saga.replies[second].taken


def test_a_yes_is_to_what_was_seen_when_it_was_said():
    """A look that finds more behind the yes wants another one."""
    play = Play(LOOK.but(wants_approval=True))
    play.until(AskPeople)
    play.say(Word(kind="approve", by="Grace"))
    play.look = LOOK.but(wants_approval=True, seen=("refund:r1",), concerns=("refund r1",))
    play.until(AskPeople)
    assert play.steps == []
    assert play.last.ask.concerns == ("refund r1",)


def test_a_reminder_looks_first():
    """The parcel has come meanwhile: people are not asked to pay for it, day after day."""
    play = Play(LOOK.but(by_hand=True))
    play.until(AskPeople)
    play.look = LOOK.but(by_hand=True, over="parcel_arrived")
    wait = play.until(Wait)
    assert wait.until == play.now + REMIND
    play.now = wait.until
    assert isinstance(play.until(LookAgain), LookAgain)
    assert play.run() == "withdrawn"
    assert play.asked_people == 1


def test_a_person_who_says_nothing_is_asked_again_the_next_day():
    """With another look in between, and with how often it was asked."""
    play = Play(LOOK.but(by_hand=True))
    for times in (1, 2, 3):
        play.until(AskPeople)
        assert play.last.ask.times == times
        play.now += REMIND
    assert play.looks == 3


def test_a_yes_is_to_what_was_chosen_when_it_was_said():
    """Yes to the goods, and in the same moment somebody else wanted the money: that is another question."""
    play = Play(LOOK.but(choice=Choice.REPLACEMENT, wants_approval=True))
    play.until(AskPeople)
    changed, yes = play.say(REFUND), play.say(Word(kind="approve", by="Grace"))
    play.until(AskPeople)
    assert (play.last.ask.choice, play.steps) == (Choice.REFUND, [])
    assert play.saga.replies[changed].taken
    assert "not asked for any more" in play.saga.replies[yes].why


def test_done_as_chosen_means_what_was_chosen_when_it_was_said():
    """A person sent the goods; that somebody else wanted the money a moment before makes no refund of it."""
    play = Play(LOOK.but(choice=Choice.REPLACEMENT, by_hand=True))
    play.until(AskPeople)
    play.say(REFUND)
    play.say(Word(kind="done", by="Grace", reference="#1002"))
    assert play.run() == "done"
    assert (play.ended.choice, play.ended.reference) == (Choice.REPLACEMENT, "#1002")


def test_a_no_is_answered_once_what_was_begun_is_undone():
    """The goods may have been made: whoever declines is told that they were, and not that it is declined."""
    play = unanswered_until_a_look_finds(wants_approval=True, seen=("refund:r1",))
    play.until(AskPeople)
    number = play.say(Word(kind="decline", by="Grace", why="enough"))
    play.until(AskShop, Step.CANCEL)
    assert number not in play.saga.replies
    play.answer(RemedyDid(answer=Answer.REFUSED, rule="already_sent", reference="o1"))
    assert play.run() == "done"
    assert "too late" in play.saga.replies[number].why


def test_done_behind_a_call_off_that_nobody_confirms_is_the_replacement():
    """A refund by hand had ended it, but the goods may stand: who says `done` then has found them at the shop."""
    play = unanswered_until_a_look_finds(over="already_refunded", covered_by="r1")
    play.until(AskShop, Step.CANCEL)
    play.answer(RemedyDid(answer=Answer.REFUSED, rule="not_cancelled"))
    play.until(AskPeople)
    play.say(Word(kind="done", by="Grace", reference="#1002"))
    assert play.run() == "done"
    assert (play.ended.choice, play.ended.reference) == (Choice.REPLACEMENT, "#1002")


def unanswered_until_a_look_finds(**changes):
    """A replacement that was asked for again and again without an answer; the look behind that finds something else."""
    play = Play(LOOK.but(choice=Choice.REPLACEMENT))
    while play.now - NOW <= STALE:
        play.until(AskShop, Step.REPLACE)
        play.answer(UNKNOWN)
        play.now = play.until(Wait).until
    play.look = LOOK.but(choice=Choice.REPLACEMENT, **changes)
    return play


def test_after_the_end_no_word_is_kept():
    """It is refused with how it ended."""
    play = Play()
    assert play.run() == "done"
    assert "it has ended: done" in objection(play.saga, CALL_OFF)


def test_a_restarted_saga_waits_and_looks_before_it_asks_for_anything():
    """What the run before had asked for may still be carried out."""
    play = Play(restarted=True)
    wait = play.until(Wait)
    assert wait.until == NOW + LOOK.settles
    assert play.steps == []
    play.now = wait.until
    assert play.run() == "done"
    assert play.looks >= 2


@pytest.mark.parametrize("tries", [0, 1, 5, 50])
def test_a_request_without_an_answer_is_left_alone_for_its_time(tries):
    """Asked for or undone, often or for the first time; a busy shop says itself when, or is asked sooner."""
    before = Request(there=There.MAYBE, tries=tries)
    for became in (
        asked(before, UNKNOWN, now=NOW, settles=LOOK.settles),
        undone(before, UNKNOWN, now=NOW, settles=LOOK.settles),
    ):
        assert became.again_at >= NOW + LOOK.settles
        assert became.there is There.MAYBE
    busy = RemedyDid(answer=Answer.BUSY, wait=timedelta(seconds=7))
    assert asked(Request(), busy, now=NOW, settles=LOOK.settles).again_at == NOW + timedelta(seconds=7)
    assert asked(Request(), DONE, now=NOW, settles=LOOK.settles).there is There.YES


def test_the_apology_keeps_nobody_waiting():
    """A shop that gives no code for an hour has none to give; one that may have been made is taken back in the end."""
    play = Play(LOOK.but(coupon=True), answers={Step.COUPON: UNKNOWN})
    assert play.run() == "done"
    assert play.ended.coupon_rule == "no_answer"
    assert play.steps[-1] is Step.WITHDRAW_COUPON
    assert play.now - NOW < timedelta(hours=2)


def test_people_are_told_of_an_apology_that_cannot_be_taken_back():
    """The shop will not, at once: that code may stand as much as after a day without an answer."""
    refuses = {Step.COUPON: UNKNOWN, Step.WITHDRAW_COUPON: RemedyDid(answer=Answer.REFUSED, rule="http_403")}
    play = Play(LOOK.but(coupon=True), answers=refuses)
    assert play.run() == "done"
    assert play.told_people == ["coupon_in_doubt"]


def test_the_saga_is_over_at_the_stand_that_was_written_down():
    """Every way out is through the books."""
    saga = begin(REQUEST)
    saga, _ = say(saga, CALL_OFF)
    saga, move = next_move(saga, now=NOW)
    while not isinstance(move, Over):
        saga, move = next_move(heard(saga, move, True, now=NOW), now=NOW)
    assert (move.result, saga.end.stand) == ("withdrawn", Stand.WITHDRAWN)

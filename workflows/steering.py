"""People's words to the saga of a remedy, as updates: each is kept in order, and answered when it was acted on.

A word that comes too late, or that no question was asked for, is refused with what there is to know about that.
"""

import re

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from journey.remedies import Choice
    from journey.saga.state import Saga, Word
    from journey.saga.words import objection, say, where

_RULE = re.compile(r"[a-z][a-z0-9_]{0,59}")
_LONGEST = 200


def refusal(message: str) -> ApplicationError:
    """A word that cannot be taken, with what there is to know about that."""
    return ApplicationError(message, type="NotPossible", non_retryable=True)


def check_name(name: str) -> None:
    """Refuse a name or reference that is empty, not of one line, or too long.

    Raises:
        ApplicationError: it is.
    """
    if not name.strip() or len(name) > _LONGEST or not name.isprintable():
        raise refusal(f"give one line of at most {_LONGEST} characters")


def check_rule(rule: str) -> None:
    """Refuse a reason that is not one word: a sentence may name people, and this stays in a history.

    Raises:
        ApplicationError: it is not.
    """
    if not _RULE.fullmatch(rule):
        raise refusal("give the reason as one word, such as found_again")


class Steered:
    """A saga that people may turn; `_unheard` are the numbers of words whose answers nobody waits for."""

    def __init__(self, saga: Saga) -> None:
        """Begin with that state."""
        self._saga = saga
        self._unheard: set[int] = set()

    async def _hear(self, word: Word) -> str:
        """Keep the word, and answer it once it was acted on or could not be."""
        self._saga, number = say(self._saga, word)
        await workflow.wait_condition(lambda: number in self._saga.replies)
        reply = self._saga.replies[number]
        self._saga = self._saga.heard(number)
        if not reply.taken:
            raise refusal(reply.why)
        return where(self._saga)

    def _check(self, word: Word) -> None:
        """Refuse a word that cannot be acted on as things stand now."""
        why = objection(self._saga, word)
        if why is not None:
            raise refusal(why)

    @workflow.update
    async def approve(self, by: str) -> str:
        """Yes, spend it; `by` is who says so. Answers where it stands."""
        return await self._hear(Word(kind="approve", by=by))

    @approve.validator
    def _may_approve(self, by: str) -> None:
        check_name(by)
        self._check(Word(kind="approve", by=by))

    @workflow.update
    async def decline(self, by: str, why: str) -> str:
        """No, do not; `why` is one word such as `found_again`."""
        return await self._hear(Word(kind="decline", by=by, why=why))

    @decline.validator
    def _may_decline(self, by: str, why: str) -> None:
        check_name(by)
        check_rule(why)
        self._check(Word(kind="decline", by=by, why=why))

    @workflow.update
    async def choose(self, choice: Choice, by: str) -> str:
        """Do this instead, or again where the shop would not; until it is made."""
        return await self._hear(Word(kind="choose", by=by, choice=choice))

    @choose.validator
    def _may_choose(self, choice: Choice, by: str) -> None:
        check_name(by)
        self._check(Word(kind="choose", by=by, choice=choice))

    @workflow.update
    async def done(self, by: str, reference: str, choice: Choice | None = None) -> str:
        """A person did it at the shop, where it is called `reference`; `choice` is what they did, None as chosen."""
        return await self._hear(Word(kind="done", by=by, reference=reference, choice=choice))

    @done.validator
    def _may_be_done(self, by: str, reference: str, choice: Choice | None = None) -> None:
        check_name(by)
        check_name(reference)
        self._check(Word(kind="done", by=by, reference=reference, choice=choice))

    @workflow.update
    async def call_off(self, by: str) -> str:
        """Do nothing after all, and undo what was begun; until it is made."""
        return await self._hear(Word(kind="call_off", by=by))

    @call_off.validator
    def _may_call_off(self, by: str) -> None:
        check_name(by)
        self._check(Word(kind="call_off", by=by))

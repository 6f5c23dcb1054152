"""People's words to the saga of a remedy: what they may say when, and how a word is refused.

A word is laid down here and taken up by the saga where it can turn; its update is answered when it was, or when it
came too late.
"""

import re
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from journey.remedies import Choice
    from journey.remedy_steps import Asked, RemedyLook

_RULE = re.compile(r"[a-z][a-z0-9_]{0,59}")
_LONGEST = 200


@dataclass(frozen=True)
class Word:
    """A person's word: `kind` is the update's name, `by` who says it."""

    kind: str
    by: str
    choice: Choice | None = None
    why: str | None = None
    reference: str | None = None


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
    """What stands, as far as people may turn it. Updates are their words; `_final` is behind the pivot."""

    def __init__(self) -> None:
        """Nothing was looked at, and nobody has said anything."""
        self._look: RemedyLook | None = None
        self._choice = Choice.REFUND
        self._asked: Asked | None = None
        self._final = False
        self._word: Word | None = None
        self._late: Word | None = None
        self._line = "about to look at it"

    @property
    def _looked(self) -> RemedyLook:
        if self._look is None:
            raise refusal("it has not been looked at yet: try again in a moment")
        return self._look

    async def _hear(self, word: Word) -> str:
        self._word = word
        await workflow.wait_condition(lambda: self._word is not word)
        if self._late is word:
            raise refusal("too late: the shop has made the replacement")
        return self._line

    def _check(self, *asked: Asked) -> None:
        """Refuse a word that nobody asked for, that comes behind the pivot, or on the heels of another one."""
        if self._final:
            raise refusal(f"too late: {self._line}")
        if self._word is not None:
            raise refusal("another word is being acted on: try again in a moment")
        if self._looked and asked and self._asked not in asked:
            raise refusal(f"nobody was asked for that; now: {self._line}")

    @workflow.update
    async def approve(self, by: str) -> str:
        """Yes, spend it; `by` is who says so. Answers where it stands."""
        return await self._hear(Word("approve", by))

    @approve.validator
    def _may_approve(self, by: str) -> None:
        check_name(by)
        self._check(Asked.APPROVAL)

    @workflow.update
    async def decline(self, by: str, why: str) -> str:
        """No, do not; `why` is one word such as `found_again`."""
        return await self._hear(Word("decline", by, why=why))

    @decline.validator
    def _may_decline(self, by: str, why: str) -> None:
        check_name(by)
        check_rule(why)
        self._check(Asked.APPROVAL)

    @workflow.update
    async def choose(self, choice: Choice, by: str) -> str:
        """Do this instead, or again where the shop would not; until the pivot."""
        return await self._hear(Word("choose", by, choice=choice))

    @choose.validator
    def _may_choose(self, choice: Choice, by: str) -> None:
        check_name(by)
        self._check()
        if choice not in self._looked.options:
            raise refusal(f"{choice} is not among the options")
        if choice is self._choice and self._asked is not Asked.INSTEAD:
            raise refusal(f"{choice} it is already")

    @workflow.update
    async def done(self, by: str, reference: str) -> str:
        """A person did it at the shop, where it is called `reference`."""
        return await self._hear(Word("done", by, reference=reference))

    @done.validator
    def _may_be_done(self, by: str, reference: str) -> None:
        check_name(by)
        check_name(reference)
        self._check(Asked.HAND, Asked.INSTEAD)

    @workflow.update
    async def call_off(self, by: str) -> str:
        """Do nothing after all, and undo what was begun; until the pivot."""
        return await self._hear(Word("call_off", by))

    @call_off.validator
    def _may_call_off(self, by: str) -> None:
        check_name(by)
        self._check()

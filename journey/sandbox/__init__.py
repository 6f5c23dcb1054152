"""Where words that somebody wrote are run: conditions of playbooks, and the copy and templates of messages.

Only plain data enters, nothing of it can be called but what is listed here, and the work is counted. See
docs/decisions/0025-plain-data-and-counted-work.md.
"""

from journey.sandbox.environment import READABLE, Sandbox, line_of
from journey.sandbox.filters import paid
from journey.sandbox.plain import NotPlainError, plain
from journey.sandbox.work import CONDITION, MESSAGE, TooMuchError, counted

__all__ = [
    "CONDITION",
    "MESSAGE",
    "READABLE",
    "NotPlainError",
    "Sandbox",
    "TooMuchError",
    "counted",
    "line_of",
    "paid",
    "plain",
]

"""What the closing of books answers, and the words for how a journey ended that could not say so itself."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic import Field

from journey.base import Frozen

GONE: Final = "its journey is not known any more"
"""Why the books are closed of an order whose journey Temporal has forgotten."""

WHY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CANCELED": "its journey was cancelled",
        "TERMINATED": "its journey was terminated",
        "TIMED_OUT": "its journey timed out",
        "FAILED": "its journey failed",
        "COMPLETED": "its journey ended",
    }
)
"""Why the books are closed, by Temporal's word for how the journey ended. A run that only began anew has none."""


class ClosingAnswer(Frozen):
    """How many open orders were looked at, how many of their books were closed, and by which reason how many.

    `missing` are orders whose journey is not there although it was started, and whose books stay open for a person to
    look into.
    """

    open: int = Field(ge=0)
    closed: dict[str, int]
    missing: int = Field(default=0, ge=0)

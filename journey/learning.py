"""What the learning of lanes is asked, and what it answers."""

from pydantic import Field

from journey.base import Frozen, Instant


class LearnRequest(Frozen):
    """Learn from what had arrived by `now`, UTC."""

    now: Instant


class LearnAnswer(Frozen):
    """How many lanes and shops were learnt, and how many lanes were given up because nothing travels there now."""

    lanes: int = Field(ge=0)
    shops: int = Field(ge=0)
    forgotten: int = Field(ge=0)

"""What a saga may want done next; whoever drives it does that and says what came of it."""

from datetime import datetime
from typing import NamedTuple

from journey.remedy_steps import RemedyAsk, RemedyEnd, RemedyNote, RemedyTask, Step


class LookAgain(NamedTuple):
    """Look at the row, the terms and the shop's books."""


class AskPeople(NamedTuple):
    """Ask the shop's people, and write down that it waits for them."""

    ask: RemedyAsk


class WriteDown(NamedTuple):
    """Write a person's word down: a yes, or, with its `choice`, another way."""

    note: RemedyNote


class AskShop(NamedTuple):
    """Ask the shop for one step."""

    step: Step
    task: RemedyTask


class Settle(NamedTuple):
    """Write the end down."""

    end: RemedyEnd


class TellJourney(NamedTuple):
    """Tell the order's journey; it may have ended."""

    end: RemedyEnd


class TellPeople(NamedTuple):
    """The journey has ended: tell people, who tell the customer."""

    end: RemedyEnd


class Wait(NamedTuple):
    """Nothing to do until `until` or a word; `why` in a few words."""

    until: datetime
    why: str


class Over(NamedTuple):
    """The saga has ended that way, and every word is answered."""

    result: str


Move = LookAgain | AskPeople | WriteDown | AskShop | Settle | TellJourney | TellPeople | Wait | Over

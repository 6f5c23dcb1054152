"""Whether a provider is worth asking just now: one breaker for each way, shared by all journeys of a worker.

A way is shut by the first answer that says so for everybody, or when several messages in a row were turned away. It
stays shut for about half of how long the provider has been away by then, from 5 seconds to 15 minutes, and at least
for as long as the provider wished. Then one message tries it. While none has come through, the way is shut again; the
first that does opens it, and what waits follows gradually, at a rate that doubles.

All of it is decided from the moments that are passed in: those of the journeys' own clock, which is the server's. A
mark that lies further ahead than it was ever set belongs to a journey whose clock was moved on, and counts for none.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from activities.messaging.protocol import Accepted, Answering, Busy, Receipt, Rejected
from activities.messaging.senders import Senders
from journey.playbook import Channel
from journey.state import DATABASE
from store.claims import Shut

SHORTEST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(minutes=15)
_MOST_WISHED: Final = timedelta(days=1)
PROBE: Final = timedelta(minutes=1)
"""How long one message that tries a shut way keeps others from trying it, when nothing is heard of it."""
IN_A_ROW: Final = 3
"""So many messages turned away one after the other shut a way, where each answer spoke of its own message alone."""
_FIRST_RATE: Final = 5.0
"""Messages a second that are let through just after a way has opened…"""
_DOUBLES_EVERY: Final = 5.0
"""…twice as many every so many seconds…"""
_MOST_RATE: Final = 100.0
"""…up to this."""
_CHANNELS: Final = frozenset(channel.value for channel in Channel)
_ZERO: Final = timedelta()
Draw = Callable[[], float]


class Entry(Enum):
    """What a message finds that wants to go."""

    OPEN = "open"
    PROBE = "probe"
    SHUT = "shut"


@dataclass
class Way:
    """The breaker of one way. `draw` gives numbers from 0 to 1, for jitter.

    `rule` is what the last failure said, `since` when the way failed first, None while it is open.
    """

    draw: Draw = random.random
    rule: str = ""
    since: datetime | None = None
    _known: bool = False
    _until: datetime | None = None
    _rest: timedelta = _ZERO
    _probe_until: datetime | None = None
    _let_until: datetime | None = None
    _last: str = ""
    _turned_away: set[str] = field(default_factory=set)
    _opened_at: datetime | None = None
    _followed: int = 0
    _turns: dict[str, datetime] = field(default_factory=dict)

    def is_shut(self, now: datetime) -> bool:
        """Whether a message that came now would not be let through."""
        return self.since is not None and (self._resting(now) > _ZERO or _ahead(self._probe_until, now))

    @property
    def works(self) -> bool:
        """Whether the last that was heard of it was a message that came through."""
        return self._known and self.since is None

    def enter(self, now: datetime) -> Entry:
        """A message is about to be handed over. A `PROBE` tries the way for all; what comes of it is to be told."""
        if self.since is None:
            return Entry.OPEN
        if self.is_shut(now):
            return Entry.SHUT
        self._probe_until = now + PROBE
        return Entry.PROBE

    def leave(self) -> None:
        """Nothing was asked after all: another message may try the way."""
        self._probe_until = None

    def worked(self, now: datetime) -> None:
        """The provider took a message, or refused it for what it is."""
        if self.since is not None or not self._known:
            self._opened_at, self._followed, self._turns = now, 0, {}
        self._known, self.since, self._until = True, None, None
        self._probe_until = self._let_until = None
        self._turned_away.clear()

    def failed(
        self, now: datetime, rule: str, *, who: str = "", everyone: bool = True, wished: timedelta | None = None
    ) -> None:
        """The provider turned `who`'s message away, for `wished` at least; `everyone` when it would any."""
        self.rule, self._last = rule, who
        if not everyone:
            # What it wishes for one message it does not wish for all.
            wished = None
        if self.since is None:
            self._turned_away.add(who)
            if not everyone and len(self._turned_away) < IN_A_ROW:
                return
            self.since = now
        elif self._resting(now) > _ZERO and not wished:
            # One that was under way when the way was shut.
            return
        self._known, self._turns = True, {}
        self._probe_until = self._let_until = None
        away = max(now - self.since, _ZERO)
        rest = max(min(max(away / 2, SHORTEST), LONGEST), min(wished or _ZERO, _MOST_WISHED))
        if rest > self._resting(now):
            self._rest, self._until = rest, now + rest

    def wait(self, now: datetime, who: str) -> timedelta | None:
        """How long `who` waits until asking again; None when it may go on now."""
        rest = self._resting(now)
        if rest > _ZERO:
            # The one that tried it last comes after all others: the fault may be with its message alone.
            return rest + (self.draw() + (who == self._last)) * max(rest / 4, timedelta(seconds=1))
        if self.since is not None or not self._known:
            # Whether it is open again one message finds out. In a process that has just begun as well.
            if _ahead(self._probe_until, now) or _ahead(self._let_until, now):
                return (0.5 + self.draw()) * max(SHORTEST, self._rest / 4)
            self._let_until = now + PROBE
            return None
        return self._turn(now, who)

    def _turn(self, now: datetime, who: str) -> timedelta | None:
        """Those who waited follow one after the other, each at a moment of its own."""
        if self._opened_at is None or now < self._opened_at:
            return None
        at = self._turns.get(who)
        if at is None:
            at = self._opened_at + timedelta(seconds=turn_of(self._followed))
            self._followed += 1
        if at <= now:
            self._turns.pop(who, None)
            return None
        self._turns[who] = at
        return at - now

    def _resting(self, now: datetime) -> timedelta:
        left = _ZERO if self._until is None else self._until - now
        return left if _ZERO < left <= self._rest else _ZERO


def _ahead(mark: datetime | None, now: datetime) -> bool:
    return mark is not None and now < mark <= now + PROBE


def turn_of(nth: int) -> float:
    """Seconds after a way has opened at which the `nth` of those who waited follows, from 0."""
    growth = math.log(2) / _DOUBLES_EVERY
    steady = math.log(_MOST_RATE / _FIRST_RATE) / growth
    by_then = (_MOST_RATE - _FIRST_RATE) / growth
    if nth <= by_then:
        return math.log(1 + nth * growth / _FIRST_RATE) / growth
    return steady + (nth - by_then) / _MOST_RATE


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait for a way, since when it is closed, and by which rule (as far as this process knows)."""

    delay: timedelta
    since: datetime | None
    rule: str


class Ways:
    """The ways of one process: to each provider of each channel, and to the database."""

    def __init__(self, senders: Senders, *, draw: Draw = random.random) -> None:
        self._senders = senders
        self._draw = draw
        self._ways: dict[str, Way] = {}

    @property
    def database(self) -> Way:
        """The way to our own database."""
        return self._way(DATABASE)

    def name_for(self, channel: Channel, key: str, now: datetime) -> str | None:
        """Who is to carry the message of that key: its first provider whose way is open, else its first."""
        first = name = self._senders.name_for(channel, key)
        while name is not None and self._to(channel, name).is_shut(now):
            name = self._senders.after(channel, name, key)
        return name or first

    def is_shut(self, channel: Channel, provider: str | None, now: datetime) -> Shut | None:
        """Whether the way to a provider is shut; with None, whether those to all of the channel's are."""
        names = self._senders.names(channel)
        asked = names if provider is None else (provider,)
        ways = [self._to(channel, name) for name in asked]
        if not ways or not all(way.is_shut(now) for way in ways):
            return None
        return Shut(ways[0].rule, self.waits_for(channel, provider))

    def waits_for(self, channel: Channel, provider: str | None) -> str:
        """The name of the way to a provider; with None, of that to any of the channel's."""
        one_of_many = provider is not None and len(self._senders.names(channel)) > 1
        return f"{channel}/{provider}" if one_of_many else channel.value

    def enter(self, channel: Channel, provider: str, now: datetime) -> Entry:
        """As `Way.enter`."""
        return self._to(channel, provider).enter(now)

    def works(self, channel: Channel, provider: str) -> bool:
        """As `Way.works`."""
        return self._to(channel, provider).works

    def leave(self, channel: Channel, provider: str) -> None:
        """As `Way.leave`."""
        self._to(channel, provider).leave()

    def rule(self, channel: Channel, provider: str) -> str:
        """Why the way was shut."""
        return self._to(channel, provider).rule

    def came_of(self, channel: Channel, provider: str, receipt: Receipt, now: datetime, who: str) -> None:
        """What a provider answered to the message of `who`."""
        way = self._to(channel, provider)
        match receipt:
            case Accepted() | Rejected():
                way.worked(now)
            case Busy():
                rule = f"provider_{receipt.rule}"
                way.failed(now, rule, who=who, everyone=receipt.everyone, wished=receipt.retry_after)
            case _:
                way.failed(now, f"provider_{receipt.rule}", who=who, everyone=False)

    def wait(self, waits_for: str, now: datetime, who: str) -> Wait | None:
        """How long `who` waits for a way, by its name in a `Held`; None when it is open, or not known here."""
        channel, _, provider = waits_for.partition("/")
        if channel not in _CHANNELS:
            return None
        names = (provider,) if provider else self._senders.names(Channel(channel))
        waits: list[Wait] = []
        for way in (self._to(Channel(channel), name) for name in names):
            delay = way.wait(now, who)
            if delay is None:
                return None
            waits.append(Wait(delay, way.since, way.rule))
        return min(waits, key=lambda one: one.delay, default=None)

    async def knock(self, waits_for: str, now: datetime, who: str) -> Wait | None:
        """Before a message tries a shut way: whether anybody answers there. As `wait`, with None for who does.

        So a lone message that waits for days grows no history by trying.
        """
        channel, _, provider = waits_for.partition("/")
        if channel not in _CHANNELS:
            return None
        for name in (provider,) if provider else self._senders.names(Channel(channel)):
            way = self._to(Channel(channel), name)
            there = self._senders.named(Channel(channel), name)
            if way.works or not isinstance(there, Answering) or await there.answers():
                return None
            way.failed(now, way.rule or "provider_unreachable", who=who)
        return self.wait(waits_for, now, who)

    def _to(self, channel: Channel, provider: str) -> Way:
        return self._way(f"{channel}/{provider}")

    def _way(self, name: str) -> Way:
        return self._ways.setdefault(name, Way(self._draw))

"""The breaker in front of each provider: who is let through, who waits and for how long, and how an outage ends."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.messaging.protocol import Accepted, Busy, Mail, Receipt, Rejected, Unclear, Unsearchable
from activities.messaging.routes import Route
from activities.messaging.senders import Senders
from activities.ways import IN_A_ROW, LONGEST, PROBE, SHORTEST, Entry, Way, Ways, turn_of
from journey.playbook import Channel
from store.claims import Shut
from tests.activities.desk import PLACED

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
AWAY = "provider_http_503"


def shut_way(now: datetime = PLACED, **said: object) -> Way:
    """A way whose provider has just said that it takes nothing."""
    way = Way(lambda: 0.5)
    way.worked(now)
    way.failed(now, AWAY, **said)
    return way


# ---- shut, tried by one, open -------------------------------------------------------------------------------


def test_one_answer_that_is_about_everybody_shuts_the_way_at_once() -> None:
    """Nothing is handed over for the first five seconds, and then one message tries it."""
    way = shut_way()
    assert way.enter(PLACED + SHORTEST - SECOND) is Entry.SHUT
    assert [way.enter(PLACED + SHORTEST) for _ in range(3)] == [Entry.PROBE, Entry.SHUT, Entry.SHUT]
    way.worked(PLACED + SHORTEST)
    assert [way.enter(PLACED + SHORTEST) for _ in range(3)] == [Entry.OPEN] * 3


def test_a_message_that_tried_in_vain_shuts_it_for_longer() -> None:
    """Each time for half of how long the provider has been away, up to a quarter of an hour."""
    way, now, rests = shut_way(), PLACED, []
    while now < PLACED + DAY:
        rest = way.wait(now, "x")
        assert rest is not None
        opens = next(one for one in _seconds(now) if not way.is_shut(one))
        rests.append(opens - now)
        now = opens
        assert way.enter(now) is Entry.PROBE
        way.failed(now, AWAY)
    assert rests[0] == SHORTEST
    assert rests[-1] == LONGEST
    assert sorted(rests) == rests
    assert len(rests) < 110


def _seconds(now: datetime) -> list[datetime]:
    return [now + SECOND * nth for nth in range(int(LONGEST / SECOND) + 2)]


def test_a_probe_that_is_never_heard_of_keeps_others_back_for_a_minute() -> None:
    """Its process may have died: after that another one tries."""
    way = shut_way()
    now = PLACED + SHORTEST
    assert way.enter(now) is Entry.PROBE
    assert way.enter(now + PROBE - SECOND) is Entry.SHUT
    assert way.enter(now + PROBE) is Entry.PROBE


def test_a_probe_that_was_not_sent_after_all_gives_its_turn_back() -> None:
    """Another message may try at once."""
    way = shut_way()
    now = PLACED + SHORTEST
    assert way.enter(now) is Entry.PROBE
    way.leave()
    assert way.enter(now) is Entry.PROBE


@pytest.mark.parametrize(("wished", "rest"), [(timedelta(hours=2), timedelta(hours=2)), (timedelta(days=9), DAY)])
def test_what_the_provider_wishes_is_kept_up_to_a_day(wished: timedelta, rest: timedelta) -> None:
    """A Retry-After is the least."""
    way = shut_way(wished=wished)
    assert way.is_shut(PLACED + rest - SECOND)
    assert not way.is_shut(PLACED + rest)


def test_failures_that_come_in_late_do_not_prolong_it() -> None:
    """What was under way when the way was shut says nothing new."""
    way = shut_way()
    for nth in range(50):
        way.failed(PLACED + SECOND, AWAY, who=str(nth))
    assert not way.is_shut(PLACED + SHORTEST)


def test_a_message_with_a_fault_of_its_own_shuts_nothing() -> None:
    """Turned away again and again while others go: only several in a row speak of the provider."""
    way = Way()
    for _ in range(10):
        way.failed(PLACED, "provider_smtp_450", who="greylisted", everyone=False, wished=DAY)
        assert way.enter(PLACED) is Entry.OPEN
    for nth in range(IN_A_ROW - 1):
        way.failed(PLACED, "provider_smtp_450", who=f"another {nth}", everyone=False, wished=DAY)
    assert way.is_shut(PLACED)
    assert not way.is_shut(PLACED + SHORTEST)


# ---- those who wait -----------------------------------------------------------------------------------------


def test_who_waits_comes_when_the_way_may_be_open_each_a_little_later_than_another() -> None:
    """The delay ends after the rest, with jitter; the one that tried last comes after all others."""
    way = shut_way(who="poison")
    way.draw = random.Random(1).random
    delays = [way.wait(PLACED, str(nth)) for nth in range(200)]
    assert all(delay is not None and SHORTEST <= delay <= SHORTEST * 1.3 for delay in delays)
    assert len(set(delays)) == len(delays)
    last = way.wait(PLACED, "poison")
    assert last is not None
    assert last > SHORTEST + (max(delay for delay in delays if delay) - SHORTEST) / 2
    assert way.wait(PLACED, "poison") > SHORTEST * 1.2


def test_one_of_those_who_wait_is_let_through_to_try() -> None:
    """It finds the way ready for its message; the others wait on."""
    way = shut_way()
    now = PLACED + SHORTEST
    answers = [way.wait(now, str(nth)) for nth in range(5)]
    assert answers[0] is None
    assert None not in answers[1:]
    assert way.enter(now + SECOND) is Entry.PROBE


def test_a_process_that_has_just_begun_lets_one_through_too() -> None:
    """It does not know yet: ten thousand who waited elsewhere do not find an open door. New messages just go."""
    way = Way(lambda: 0.5)
    answers = [way.wait(PLACED, str(nth)) for nth in range(100)]
    assert answers.count(None) == 1
    assert way.enter(PLACED) is Entry.OPEN


def test_after_an_outage_they_follow_at_a_rate_that_doubles() -> None:
    """Each asks once more, at a turn of its own, and is let through then."""
    way = shut_way()
    back = PLACED + SHORTEST
    way.worked(back)
    waits = [way.wait(back, str(nth)) for nth in range(3000)]
    for nth, wait in enumerate(waits):
        assert wait is None or way.wait(back + wait, str(nth)) is None
    a_second = Counter(int(wait.total_seconds()) if wait else 0 for wait in waits)
    assert a_second[0] < 10
    assert max(a_second.values()) <= 101
    assert all(a_second[now + 5] > 1.5 * a_second[now] for now in (0, 5, 10))


@given(st.integers(0, 100_000))
def test_turns_come_one_after_the_other(nth: int) -> None:
    """The n-th follows the one before it, never two seconds of the steady rate later."""
    assert 0 <= turn_of(nth) < turn_of(nth + 1) <= turn_of(nth) + 0.25


def test_a_way_that_shuts_again_ends_the_turns() -> None:
    """Those who had one wait for the next opening."""
    way = shut_way()
    back = PLACED + SHORTEST
    way.worked(back)
    for nth in range(20):
        way.wait(back, str(nth))
    way.failed(back + SECOND, AWAY)
    assert not way.works
    assert all(way.wait(back + 5 * SECOND, str(nth)) is not None for nth in range(20))


def test_a_journey_whose_clock_was_moved_on_is_not_kept_by_the_marks_of_another() -> None:
    """A mark that lies further ahead than any was set belongs to another clock."""
    way = shut_way(PLACED + 30 * DAY)
    assert not way.is_shut(PLACED)
    assert way.enter(PLACED) is Entry.PROBE
    assert way.is_shut(PLACED + 30 * DAY)


# ---- a day of it --------------------------------------------------------------------------------------------


@dataclass
class Outage:
    """Journeys that wait for one provider, played second by second of their clock, and what it cost."""

    journeys: int
    up: Callable[[float], bool]
    way: Way = field(default_factory=lambda: Way(random.Random(7).random))
    waits: int = 0
    attempts: int = 0
    requests: int = 0
    done: list[float] = field(default_factory=list)

    def play(self) -> None:
        """From the first message that is turned away until the last one has gone."""
        queue = [(nth / 1000, nth, True) for nth in range(self.journeys)]
        heapq.heapify(queue)
        while queue:
            at, who, wants = heapq.heappop(queue)
            now = PLACED + timedelta(seconds=at)
            if not wants:
                self.waits += 1
                delay = self.way.wait(now, str(who))
                again = (at + 0.05, who, True) if delay is None else (at + delay.total_seconds(), who, False)
                heapq.heappush(queue, again)
                continue
            self.attempts += 1
            if self.way.enter(now) is Entry.SHUT:
                heapq.heappush(queue, (at + 0.05, who, False))
                continue
            self.requests += 1
            if self.up(at):
                self.way.worked(now)
                self.done.append(at)
            else:
                self.way.failed(now, AWAY, who=str(who))
                heapq.heappush(queue, (at + 0.05, who, False))


def test_a_day_without_a_provider_costs_each_journey_next_to_nothing(say: Callable[[str], None]) -> None:
    """A hundred and some requests for all of them together, and within half an hour of its end everything has gone."""
    outage = Outage(1000, lambda at: at > 86_400)
    outage.play()
    longest = max(outage.done) - 86_400
    say(f"away for a day, 1,000 journeys: {outage.requests - 1000} requests in vain, {outage.attempts} attempts, ")
    say(f"{outage.waits / 1000:.0f} looks each without an event, all sent {longest / 60:.1f} min after")
    assert outage.requests - 1000 < 130
    assert outage.attempts < 2.2 * 1000
    assert outage.waits / 1000 < 150
    assert longest < 1800


def test_a_provider_that_comes_and_goes_is_not_stormed(say: Callable[[str], None]) -> None:
    """Away for nine minutes of ten, all day: what goes through goes while it is there."""
    outage = Outage(1000, lambda at: at > 86_400 or at % 600 >= 540)
    outage.play()
    say(f"comes and goes: {outage.requests - 1000} requests in vain, {outage.attempts} attempts")
    assert outage.requests - 1000 < 2000
    assert max(outage.done) < 2 * 86_400


# ---- the ways of a process ----------------------------------------------------------------------------------


class Silent(Unsearchable):
    """A provider that is never asked here."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, message: Mail) -> Receipt:
        raise AssertionError(message)

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture
def ways() -> Ways:
    """Mail by two providers, texts by one."""
    senders = Senders(
        {
            Channel.EMAIL: Route([Silent("first"), Silent("second")], [1, 0]),
            Channel.SMS: Route([Silent("twilio")], [1]),
        }
    )
    return Ways(senders, draw=lambda: 0.5)


def test_a_channel_is_open_while_one_of_its_providers_is(ways: Ways) -> None:
    """The other one then has the message; only a doubt waits for its own provider."""
    assert ways.name_for(Channel.EMAIL, "key", PLACED) == "first"
    ways.came_of(Channel.EMAIL, "first", Busy("http_503"), PLACED, "x")
    assert ways.name_for(Channel.EMAIL, "key", PLACED) == "second"
    assert ways.is_shut(Channel.EMAIL, None, PLACED) is None
    assert ways.is_shut(Channel.EMAIL, "first", PLACED) == Shut(AWAY, "email/first")
    assert ways.wait("email/first", PLACED, "x") is not None
    ways.came_of(Channel.EMAIL, "second", Busy("http_429", timedelta(minutes=1)), PLACED, "x")
    assert ways.is_shut(Channel.EMAIL, None, PLACED) == Shut(AWAY, "email")
    wait = ways.wait("email", PLACED, "y")
    assert wait is not None
    assert (wait.since, wait.rule) == (PLACED, AWAY)
    assert SHORTEST <= wait.delay < timedelta(minutes=1)


def test_where_there_is_one_provider_its_doubt_waits_for_the_channel(ways: Ways) -> None:
    """There is no other way to tell it from."""
    ways.came_of(Channel.SMS, "twilio", Busy("twilio_20003"), PLACED, "x")
    assert ways.is_shut(Channel.SMS, "twilio", PLACED) == Shut("provider_twilio_20003", "sms")


@pytest.mark.parametrize("waits_for", ["worker", "database", "pigeon", "whatsapp", ""])
def test_a_way_that_is_not_known_is_not_waited_for(ways: Ways, waits_for: str) -> None:
    """Whoever waits for it decides anew at once."""
    assert ways.wait(waits_for, PLACED, "x") is None


@pytest.mark.parametrize(
    ("receipt", "shuts"),
    [
        (Accepted(None), False),
        (Rejected("http_422"), False),
        (Unclear("http_500"), False),
        (Busy("smtp_450", everyone=False), False),
        (Busy("smtp_unreachable"), True),
    ],
)
def test_only_what_is_about_everybody_shuts_at_once(ways: Ways, receipt: Receipt, shuts: bool) -> None:
    """A refusal of a message is an answer of a provider that is there."""
    ways.came_of(Channel.SMS, "twilio", receipt, PLACED, "x")
    assert (ways.is_shut(Channel.SMS, None, PLACED) is not None) is shuts

"""A paced provider: never faster than it may be, never out of turn, and everybody waits when it says so."""

import asyncio
import heapq
from collections import deque
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.messaging.pace import MOST_WAIT, Paced
from activities.messaging.protocol import Accepted, Busy, Mail, Receipt
from tests.messaging.email.mails import PLAIN, mail


class Time:
    """A clock that jumps to the next sleeper once nobody has anything else to do."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, self.sleeps, woken))
        await woken

    async def run(self, *work: Coroutine[Any, Any, Receipt]) -> list[Receipt]:
        """Do it all, in this order of asking, in no real time."""
        tasks = [asyncio.create_task(one) for one in work]
        while not all(task.done() for task in tasks):
            for _ in range(3):
                await asyncio.sleep(0)
            if self._sleepers:
                at, _, woken = heapq.heappop(self._sleepers)
                self.now = max(self.now, at)
                if not woken.done():
                    woken.set_result(None)
        return [task.result() for task in tasks]


class Logged:
    """A provider that notes when it was asked for what, and says what it is told to."""

    name = "logged"
    remembers: timedelta | None = timedelta(hours=1)
    looks_up = True
    settles_after = timedelta(seconds=7)

    def __init__(self, time: Time, *says: Receipt) -> None:
        self.log: list[tuple[float, str]] = []
        self.closed = False
        self._time = time
        self._says = deque(says)

    async def send(self, message: Mail) -> Receipt:
        self.log.append((self._time(), message.key))
        await asyncio.sleep(0)  # so that others are on their way when it answers
        return self._says.popleft() if self._says else Accepted(message.key)

    async def find(self, key: str, message_id: str) -> str | None:
        return f"{key} {message_id}"

    async def aclose(self) -> None:
        self.closed = True


def paced(time: Time, provider: Logged, rate: float) -> Paced[Mail]:
    return Paced(provider, rate, clock=time, sleep=time.sleep)


@given(
    rate=st.floats(0.5, 200, allow_nan=False),
    gaps=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.004, 0.05, 0.3, 2.0]), min_size=1, max_size=40),
)
def test_in_no_stretch_of_time_are_there_too_many(rate: float, gaps: list[float]) -> None:
    """Between any two messages, however the asking comes, at most rate x (time + 0.1) + 1; in the order of asking."""

    async def story() -> None:
        time = Time()
        provider = Logged(time)
        bucket = paced(time, provider, rate)

        async def later(number: int, at: float) -> Receipt:
            await time.sleep(at)
            return await bucket.send(mail(key=str(number)))

        starts = [sum(gaps[: number + 1]) for number in range(len(gaps))]
        answers = await time.run(*(later(number, at) for number, at in enumerate(starts)))
        log = provider.log
        assert len(log) == sum(answer == Accepted(str(number)) for number, answer in enumerate(answers))
        assert [int(key) for _, key in log] == sorted(int(key) for _, key in log)
        for first in range(len(log)):
            for last in range(first, len(log)):
                allowed = rate * (log[last][0] - log[first][0] + 0.1) + 1
                assert last - first + 1 <= allowed + 1e-6
        for number, answer in enumerate(answers):
            if isinstance(answer, Accepted):
                at = next(at for at, key in log if int(key) == number)
                assert at - 1000.0 - starts[number] <= MOST_WAIT + 1e-6

    asyncio.run(story())


async def test_a_bunch_goes_at_the_rate_with_one_sleep_each() -> None:
    """A hundred at once at 14 a second take seven seconds; nobody wakes in vain."""
    time = Time()
    provider = Logged(time)
    bucket = paced(time, provider, 14)
    answers = await time.run(*(bucket.send(mail(key=str(number))) for number in range(100)))
    assert all(isinstance(answer, Accepted) for answer in answers)
    assert [key for _, key in provider.log] == [str(number) for number in range(100)]
    assert 6.8 < time() - 1000 < 7.1
    assert time.sleeps <= 100


async def test_what_would_wait_too_long_is_told_when_to_come_back() -> None:
    """Beyond ten seconds' worth nobody is kept, and what was turned away takes nobody's turn."""
    time = Time()
    provider = Logged(time)
    bucket = paced(time, provider, 1)
    answers = await time.run(*(bucket.send(mail(key=str(number))) for number in range(15)))
    late = [answer for answer in answers if isinstance(answer, Busy)]
    assert (len(provider.log), len(late)) == (11, 4)
    assert {answer.rule for answer in late} == {"paced"}
    assert all(answer.retry_after and MOST_WAIT < answer.retry_after.total_seconds() <= 12 for answer in late)


async def test_a_short_busy_holds_everybody_in_their_order() -> None:
    """Told to wait three seconds, those who already slept towards their turn wait too, and go on at the rate."""
    time = Time()
    provider = Logged(time, Busy("http_429", timedelta(seconds=3)))
    bucket = paced(time, provider, 2)
    answers = await time.run(*(bucket.send(mail(key=str(number))) for number in range(5)))
    assert answers[0] == Busy("http_429", timedelta(seconds=3))
    assert all(isinstance(answer, Accepted) for answer in answers[1:])
    times = [at - 1000 for at, _ in provider.log]
    assert [key for _, key in provider.log] == ["0", "1", "2", "3", "4"]
    assert times[1] >= 3
    assert times == sorted(times)
    assert times[4] - times[1] >= 1.4


async def test_a_long_busy_is_everybodys_busy() -> None:
    """Told to wait an hour, nobody asks the provider and nobody is kept: all hear how much is left of it."""
    time = Time()
    provider = Logged(time, Busy("http_429", timedelta(hours=1)))
    bucket = paced(time, provider, 2)
    answers = await time.run(*(bucket.send(mail(key=str(number))) for number in range(4)))
    assert len(provider.log) == 1
    time.now += 600
    answers += await time.run(bucket.send(PLAIN))
    for answer in answers[1:]:
        assert isinstance(answer, Busy)
        assert answer.retry_after is not None
        assert answer.retry_after > timedelta(minutes=49)
    time.now += 3000
    assert await time.run(bucket.send(PLAIN)) == [Accepted(PLAIN.key)]


async def test_busy_without_a_time_pauses_nobody() -> None:
    """A wrong key is not a matter of pace."""
    time = Time()
    provider = Logged(time, Busy("http_401"))
    bucket = paced(time, provider, 100)
    assert await time.run(bucket.send(PLAIN), bucket.send(PLAIN)) == [Busy("http_401"), Accepted(PLAIN.key)]
    assert time() - 1000 < 0.1


async def test_who_gives_up_waiting_harms_nobody() -> None:
    """A cancelled message is not sent, and the others go all the same."""
    time = Time()
    provider = Logged(time)
    bucket = paced(time, provider, 2)
    await bucket.send(mail(key="first"))
    gone = asyncio.create_task(bucket.send(mail(key="gone")))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await time.run(bucket.send(mail(key="last")))
    assert [key for _, key in provider.log] == ["first", "last"]


async def test_it_is_the_provider_in_every_other_way() -> None:
    """Name, memory and look-up are the provider's own, and so is its end."""
    provider = Logged(Time())
    bucket = Paced(provider, 5)
    assert (bucket.name, bucket.remembers, bucket.looks_up, bucket.settles_after) == (
        *("logged", timedelta(hours=1), True),
        timedelta(seconds=7),
    )
    assert await bucket.find("k", "<1@x>") == "k <1@x>"
    await bucket.aclose()
    assert provider.closed


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_rate_is_a_positive_number(rate: float) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="positive"):
        Paced(Logged(Time()), rate)

"""Asks one vendor about every parcel that is due, and keeps what is news.

One attempt works off all that is due and then fails on purpose, with the time to the next parcel as its
`next_retry_delay`: the server keeps no event for an attempt that is retried, so that years of polling leave the
workflow with the events it had after its first task. For that to hold, `poll_carrier` never returns; it ends when its
workflow is cancelled (`starters.polling`).

What a vendor's answer holds that is known already is no news and leaves no trace but the parcel's next moment. News
goes into the inbox, each scan under an id made of what it says: the same scan is one event for ever, however often
it is polled and whatever crashes in between.

What goes wrong, and what it costs:

- The vendor is away, rate limited, or its circuit is open (`VendorBusyError`): parcels keep their turn, and the
  attempt ends for as long as the vendor said, else for `_TROUBLED`.
- It refuses a request, or answers what makes no sense: the parcels of that request are asked about in halves, until
  the one that it is about stands alone. One refused has had its turn; one whose answer cannot be read comes again in
  an hour, and after `_MOST_GARBLED` of these the attempt ends as if the vendor were away.
- The database is away: the attempt fails, and the next one goes on a few seconds later.
- The worker is killed: the heartbeat tells within seconds, and its leases run out.
- The worker stops, or an attempt has lasted for `_LONGEST`: it ends after the requests under way, and the next
  attempt goes to whatever version of this code is current then.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.attempt import beating, discreet
from activities.carriers.news import keep_news, telling
from activities.carriers.pollers import Pollers
from activities.carriers.protocol import Asked, Poller, Told
from activities.messaging.clock import utc_now
from activities.vendors.http import VendorBusyError, VendorRefusedError, VendorUnclearError
from journey.polling import OVER, Reach, next_poll
from store import polling
from store.polling import Settled, Turn
from store.pool import Pool

log = structlog.get_logger()

RESTS: Final = (timedelta(minutes=1), timedelta(minutes=15))
"""Shortest and longest rest between two attempts: a minute lets parcels gather for one request, and after a quarter
of an hour new ones are looked for."""
_ABREAST = 4
"""So many requests are under way at once."""
_LONGEST = timedelta(minutes=5)
_TROUBLED = timedelta(minutes=5)
_AT_ONCE_AGAIN = timedelta(seconds=1)
_LATER = timedelta(hours=1)
_RELAYED = timedelta(hours=6)
"""A parcel that is over stays on the list until the relay has written that down; `take` then strikes it off."""
_MOST_GARBLED = 5


@dataclass(slots=True)
class Polled:
    """What an attempt did, and how long to rest before the next.

    `trouble` is what ended it early, as one word, if anything did.
    """

    requests: int = 0
    parcels: int = 0
    news: int = 0
    garbled: int = 0
    rest: timedelta = _AT_ONCE_AGAIN
    trouble: str | None = None


class Polling:
    """The activity, over one pool and the pollers that are configured. Its clock is real time: the vendors' own."""

    def __init__(
        self,
        pool: Pool,
        pollers: Pollers,
        *,
        clock: Callable[[], datetime] = utc_now,
        rests: tuple[timedelta, timedelta] = RESTS,
    ) -> None:
        self._pool = pool
        self._pollers = pollers
        self._clock = clock
        self._rests = rests

    @activity.defn
    async def poll_carrier(self, vendor: str) -> None:
        """Work off what is due at a vendor, again and again by retries.

        Raises:
            ApplicationError: always; `Polled` with the rest before the next attempt, `Database` when that is away.
        """
        async with beating():
            with discreet():
                done = await self.poll(vendor)
        meter = activity.metric_meter().with_additional_attributes({"vendor": vendor})
        meter.create_counter("postlude_polled_parcels_total", "Parcels asked about").add(done.parcels)
        meter.create_counter("postlude_poll_requests_total", "Requests to carriers").add(done.requests)
        meter.create_counter("postlude_poll_news_total", "Scans heard by asking").add(done.news)
        raise ApplicationError(
            done.trouble or "resting",
            type="Polled",
            next_retry_delay=done.rest,
            # As planned: neither a warning nor a failure in the worker's metrics.
            category=ApplicationErrorCategory.BENIGN,
        )

    async def poll(self, vendor: str) -> Polled:
        """One attempt: ask about all that is due.

        Raises:
            asyncpg.PostgresError, OSError: the database is away; what was leased comes back by itself.
        """
        found = self._pollers.named(vendor)
        if found is None:
            # Another worker of this queue may have it: a deployment that adds a vendor is under way.
            return Polled(rest=self._rests[0], trouble="not_configured")
        attempt = _Attempt(self._pool, *found, clock=self._clock)
        done = await attempt.run()
        now = self._clock()
        if done.trouble is None:
            shortest, longest = self._rests
            due = await polling.next_due(self._pool, attempt.reach, now=now)
            done.rest = max(shortest, min(longest, longest if due is None else due - now))
        if done.parcels or done.trouble:
            log.info(
                "polled",
                vendor=vendor,
                parcels=done.parcels,
                requests=done.requests,
                news=done.news,
                trouble=done.trouble,
                rest=done.rest.total_seconds(),
            )
        return done


@dataclass(slots=True)
class _Attempt:
    """One attempt's requests, some abreast, until nothing is due or something is in the way."""

    pool: Pool
    poller: Poller
    reach: Reach
    clock: Callable[[], datetime]
    done: Polled = field(default_factory=Polled)

    async def run(self) -> Polled:
        began = self.clock()
        await polling.plan(self.pool, self.reach, now=began)
        until = began + _LONGEST
        ended = await asyncio.gather(*(self._lane(until) for _ in range(_ABREAST)), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error
        return self.done

    async def _lane(self, until: datetime) -> None:
        try:
            while self.done.trouble is None:
                now = self.clock()
                if now >= until or (activity.in_activity() and activity.is_worker_shutdown()):
                    self._stop("handed_on", _AT_ONCE_AGAIN)
                    return
                turns = await polling.take(self.pool, self.reach, now=now, limit=self.poller.at_once)
                if not turns:
                    return
                for batch in _unmistakable(turns):
                    await self._turns(batch)
        except BaseException as error:
            self._stop(type(error).__name__, _AT_ONCE_AGAIN)
            raise

    async def _turns(self, turns: Sequence[Turn]) -> None:
        """Ask about parcels whose numbers tell them apart, and settle them; in halves, while the answer is no use."""
        numbers = {turn.tracking_number: turn for turn in turns}
        asked = [
            Asked(turn.tracking_number, carrier=turn.carrier, country=turn.country, tracker=turn.tracker)
            for turn in numbers.values()
        ]
        if self.done.trouble is None:
            try:
                self.done.requests += 1
                told = await self.poller.ask(asked)
            except (VendorBusyError, VendorUnclearError) as error:
                self._stop(error.rule, getattr(error, "retry_after", None) or _TROUBLED)
            except VendorRefusedError:
                if len(asked) == 1:
                    told = {asked[0].tracking_number: Told()}
                    return await self._settle(turns, told)
                return await self._halves(turns, list(numbers))
            except Exception as error:  # noqa: BLE001  an adapter's own mistake about one parcel is not the others'
                if len(asked) > 1:
                    return await self._halves(turns, list(numbers))
                log.warning("poll_garbled", vendor=self.poller.name, error=type(error).__name__)
                self.done.garbled += 1
                if self.done.garbled >= _MOST_GARBLED:
                    self._stop("garbled", _TROUBLED)
                later = self.clock() + _LATER
                return await polling.settle(self.pool, [Settled(turn, later) for turn in turns])
            else:
                return await self._settle(turns, told)
        return await polling.settle(self.pool, [Settled(turn, turn.was_due) for turn in turns])

    async def _halves(self, turns: Sequence[Turn], numbers: Sequence[str]) -> None:
        first = frozenset(numbers[: len(numbers) // 2])
        await self._turns([turn for turn in turns if turn.tracking_number in first])
        await self._turns([turn for turn in turns if turn.tracking_number not in first])

    async def _settle(self, turns: Sequence[Turn], told: Mapping[str, Told]) -> None:
        now = self.clock()
        answered = [turn for turn in turns if turn.tracking_number in told]
        known = await polling.known(self.pool, answered) if answered else set()
        settled = [Settled(turn, now + _LATER) for turn in turns if turn.tracking_number not in told]
        for turn in answered:
            said = told[turn.tracking_number]
            self.done.news += await keep_news(self.pool, self.poller.name, turn, said, known, now=now)
            settled.append(_next(turn, said, now))
        await polling.settle(self.pool, settled)
        self.done.parcels += len({turn.tracking_number for turn in answered})

    def _stop(self, trouble: str, rest: timedelta) -> None:
        """The first trouble ends the attempt; of several rests, the longest."""
        self.done.rest = max(rest, self.done.rest if self.done.trouble is not None else rest)
        self.done.trouble = self.done.trouble or trouble


def _next(turn: Turn, told: Told, now: datetime) -> Settled:
    """The turn after this answer. The tables learn of its news later: it is looked at here."""
    scans = telling(told, turn)
    newest = scans[-1] if scans else None
    status, last, estimate = turn.status, turn.last_scan_at, turn.estimated_delivery
    if newest is not None:
        estimate = newest.estimated_delivery or estimate
        if last is None or newest.at > last:
            status, last = newest.status, newest.at
    if status in OVER:
        return Settled(turn, now + _RELAYED, now)
    at = next_poll(
        status,
        tracking_number=turn.tracking_number,
        created_at=turn.created_at,
        last_scan_at=last,
        estimated_delivery=estimate,
        polled_at=now,
        now=now,
    )
    return Settled(turn, at, now)


def _unmistakable(turns: Sequence[Turn]) -> list[list[Turn]]:
    """Parcels of one number (of several orders) go together; of two carriers' parcels with one number, one waits."""
    batches: list[dict[str, list[Turn]]] = []
    for turn in turns:
        for batch in batches:
            same = batch.setdefault(turn.tracking_number, [])
            if not same or (same[0].carrier, same[0].tracker) == (turn.carrier, turn.tracker):
                same.append(turn)
                break
        else:
            batches.append({turn.tracking_number: [turn]})
    return [[turn for same in batch.values() for turn in same] for batch in batches]

"""One order's whole journey from the rules alone: no server, no clock, no person. What the playbook preview shows.

The same `next_step` and `decide` as in production, with a ledger in memory.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from journey.answers import mended, report, settle
from journey.base import Frozen, Instant, TouchKey, TrackingNumber
from journey.contact import WEEK, Contact, Evidence, Go, Reach, decide
from journey.events import Event, ShipmentCreated, ShipmentUpdated
from journey.itinerary import Deliver, FindOut, Finish, Wait, left_over, next_step, passed_over, request_for
from journey.mending import Mend
from journey.order import OrderFacts
from journey.outcomes import DeliverRequest, Held, Outcome, PassedOver, Refused, Sent, unsent
from journey.parcels import ParcelStatus
from journey.playbook import Channel, Playbook, Touch, touch_id
from journey.remedies import Action, By, RemedyAnswer, RemedyStep, Stand
from journey.state import RULES, JourneyState, start
from journey.stops import Stop
from journey.telling import apply

_PARCEL: Final = TrackingNumber("PARCEL-1")
_MOST_STEPS: Final = 10_000


class Recipient(Frozen):
    """What the contact rules need of a person: whether they can be reached, and agreed to marketing, on any channel.

    `preferred` is the channel they like best, `region` the ISO 3166-2 code of where they live.
    """

    address: bool = True
    consent: bool = True
    preferred: Channel | None = None
    region: str | None = None


class Entry(Frozen):
    """One thing that became of a touch, at `at`: sent on `channel`, held until `until`, or refused.

    `touch` is its key, `due` when its offset was up: what was sent later than that waited for the customer's morning
    or for a slot.
    """

    touch: TouchKey
    purpose: str
    status: str
    at: Instant
    due: Instant | None = None
    rule: str | None = None
    until: Instant | None = None
    channel: Channel | None = None


class Simulation(Frozen):
    """A journey from its order to its end; `entries` in the order in which they came to be."""

    order: str
    playbook: str
    entries: tuple[Entry, ...]
    ended_at: Instant
    why: str


def one_parcel(order: OrderFacts, delivered_after: timedelta) -> list[Event]:
    """What usually happens to an order: one parcel, on its way after a third of the time, delivered at the end of it.

    Nothing where nothing travels.
    """
    if not order.physical:
        return []
    shipped, arrives = order.placed_at + delivered_after / 3, order.placed_at + delivered_after
    van = max(shipped, arrives - timedelta(hours=4))
    return [
        ShipmentCreated(at=shipped, tracking_number=_PARCEL, estimated_delivery=arrives.date()),
        ShipmentUpdated(at=van, tracking_number=_PARCEL, status=ParcelStatus.OUT_FOR_DELIVERY),
        ShipmentUpdated(at=arrives, tracking_number=_PARCEL, status=ParcelStatus.DELIVERED),
    ]


def simulate(order: OrderFacts, playbook: Playbook, recipient: Recipient, story: Sequence[Event]) -> Simulation:
    """Follow the rules from the order to the journey's end, while `story` happens around it.

    Raises:
        RuntimeError: the journey did not end after thousands of steps, which no playbook should manage.
    """
    state = JourneyState(order=order, playbook=playbook.digest, rules=RULES)
    return _Simulated(state, playbook, recipient, story).to_the_end()


class Play:
    """A journey played by the rules, from a state on: what happens round it and what it is answered a subclass says."""

    def __init__(self, state: JourneyState, playbook: Playbook, recipient: Recipient, *, now: datetime) -> None:
        self._playbook = playbook
        self._recipient = recipient
        self._now = now
        self._state = start(state, now=now)
        self._sent: list[Contact] = []
        self._entries: list[Entry] = []

    def to_the_end(self) -> Simulation:
        """Play it.

        Raises:
            RuntimeError: it did not end after thousands of steps.
        """
        for _ in range(_MOST_STEPS):
            self._hear()
            match next_step(self._state, self._playbook, now=self._now):
                case Deliver() as deliver:
                    self._deliver(deliver)
                case FindOut() as ask:
                    self._find_out(ask)
                case Mend() as mend:
                    self._mend(mend)
                case Wait(until=until):
                    moments = [moment for moment in (until, self._next()) if moment]
                    if not moments:
                        return self._ended("nothing more can happen")
                    self._now = max(self._now, min(moments))
                case Finish(why=why):
                    return self._ended(why)
        raise RuntimeError("the journey did not come to an end")

    def _hear(self) -> None:
        """Take in what has happened by now."""
        raise NotImplementedError

    def _next(self) -> datetime | None:
        """When something happens next, if anything does."""
        raise NotImplementedError

    def _find_out(self, step: FindOut) -> None:
        """Learn what became of an attempt without an answer; where every attempt has one, nothing asks."""
        raise NotImplementedError

    def _deliver(self, step: Deliver) -> None:
        request = self._request(step)
        self._decided(step.stop, request, self._decide(step.stop, forced=step.forced))

    def _mend(self, mend: Mend) -> None:
        step = mend.step(self._state, self._now)
        self._state = mended(self._state, step, self._made_good(step))

    def _made_good(self, step: RemedyStep) -> RemedyAnswer:
        """What the shop answers in a preview, where the customer chooses nothing and every shop keeps its word."""
        terms = self._playbook.remedies
        if step.action is Action.OFFER:
            return RemedyAnswer(status=Stand.OFFERED)
        if step.action is Action.WITHDRAW or terms is None:
            return RemedyAnswer(status=Stand.WITHDRAWN)
        if terms.default == "person":
            return RemedyAnswer(status=Stand.OFFERED)
        return RemedyAnswer(status=Stand.DONE, choice=terms.default, by=By.DEFAULT)

    def _decide(self, stop: Stop, *, forced: bool) -> Go | Held | Refused:
        """The contact rules on what is known of the recipient, and on this journey's messages alone."""
        evidence = self._evidence(stop.touch)
        return decide(stop.touch, self._playbook.contact, evidence, due=stop.due, now=self._now, forced=forced)

    def _request(self, step: Deliver) -> DeliverRequest:
        """What is asked now, with the non-sends of this moment, which are entered before it."""
        request = request_for(self._state, self._playbook, step, now=self._now)
        # At the end of a journey the last message takes the non-sends along; here they are entered one by one.
        over = passed_over(self._state, self._playbook, now=self._now)
        self._pass_over(over)
        return request.but(now=self._now, passed_over=over, left_over=(), last=None)

    def _decided(self, stop: Stop, request: DeliverRequest, answer: Go | Held | Refused) -> None:
        """Do as the contact rules say."""
        if isinstance(answer, Go):
            self._settle(stop, request, Sent(at=self._now), answer.channel)
        else:
            self._settle(stop, request, answer, None)

    def _settle(
        self,
        stop: Stop,
        request: DeliverRequest,
        outcome: Outcome,
        channel: Channel | None,
        *,
        at: datetime | None = None,
    ) -> None:
        """Write down what became of a message; `at` when it did, by default now."""
        touch = stop.touch
        if channel is not None and isinstance(outcome, Sent):
            sent = Contact(at or self._now, touch.priority, touch.id, channel, touch.purpose, touch.merge, stop.key)
            self._sent.append(sent)
        self._state = settle(self._state, request, outcome, now=self._now)
        self._enter(stop.key, outcome, stop.due, channel, at=at)
        if not isinstance(outcome, Held):
            self._pass_over([PassedOver(key=other, rule=unsent(outcome)) for other in request.along])

    def _evidence(self, touch: Touch) -> Evidence:
        refusal = "no_consent" if touch.marketing and not self._recipient.consent else None
        order = self._state.order
        return Evidence(
            reaches=[
                Reach(channel, self._recipient.address, refusal)
                for channel in touch.channels
                if channel is not Channel.INBOX
            ],
            preferred=self._recipient.preferred,
            order_status="cancelled" if self._state.cancelled_at is not None else "open",
            zones=order.zones,
            country=order.country,
            region=self._recipient.region,
            sent=[contact for contact in self._sent if contact.at > self._now - WEEK],
        )

    def _enter(
        self,
        key: TouchKey,
        outcome: Outcome,
        due: datetime | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
    ) -> None:
        self._entries.append(
            Entry(
                touch=key,
                purpose=self._playbook.by_id[touch_id(key)].purpose,
                status=outcome.status,
                at=at or self._now,
                due=due,
                rule=None if isinstance(outcome, Sent) else outcome.rule,
                until=outcome.until if isinstance(outcome, Held) else None,
                channel=channel,
            )
        )

    def _pass_over(self, over: Sequence[PassedOver]) -> None:
        for one in over:
            self._enter(one.key, Refused(rule=one.rule))

    def _ended(self, why: str) -> Simulation:
        over = left_over(self._state, self._playbook, now=self._now)
        self._pass_over(over)
        self._state = report(self._state, over, now=self._now)
        order = self._state.order
        return Simulation(
            order=f"{order.shop}/{order.order_id}",
            playbook=self._state.playbook,
            entries=tuple(self._entries),
            ended_at=self._now,
            why=why,
        )


class _Simulated(Play):
    """With a recipient who is as they are said to be, and a story."""

    def __init__(self, state: JourneyState, playbook: Playbook, recipient: Recipient, story: Sequence[Event]) -> None:
        super().__init__(state, playbook, recipient, now=state.order.placed_at)
        self._ahead = sorted(story, key=lambda event: event.at)

    def _hear(self) -> None:
        while self._ahead and self._ahead[0].at <= self._now:
            self._state = apply(self._state, self._ahead.pop(0), now=self._now)

    def _next(self) -> datetime | None:
        return self._ahead[0].at if self._ahead else None

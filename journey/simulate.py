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
from journey.itinerary import Deliver, Finish, Wait, left_over, next_step, passed_over
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
    return _Run(order, playbook, recipient, story).to_the_end()


class _Run:
    def __init__(self, order: OrderFacts, playbook: Playbook, recipient: Recipient, story: Sequence[Event]) -> None:
        self._playbook = playbook
        self._recipient = recipient
        self._ahead = sorted(story, key=lambda event: event.at)
        self._now = order.placed_at
        self._state = start(JourneyState(order=order, playbook=playbook.digest, rules=RULES), now=self._now)
        self._sent: list[Contact] = []
        self._entries: list[Entry] = []

    def to_the_end(self) -> Simulation:
        for _ in range(_MOST_STEPS):
            self._hear()
            match next_step(self._state, self._playbook, now=self._now):
                case Deliver(stop=stop):
                    self._deliver(stop)
                case Mend() as mend:
                    step = mend.step(self._state, self._now)
                    self._state = mended(self._state, step, self._made_good(step))
                case Wait(until=until):
                    moments = [moment for moment in (until, self._ahead[0].at if self._ahead else None) if moment]
                    if not moments:
                        return self._ended("nothing more can happen")
                    self._now = max(self._now, min(moments))
                case Finish(why=why):
                    return self._ended(why)
        raise RuntimeError("the journey did not come to an end")

    def _hear(self) -> None:
        while self._ahead and self._ahead[0].at <= self._now:
            self._state = apply(self._state, self._ahead.pop(0), now=self._now)

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

    def _deliver(self, stop: Stop) -> None:
        key, due = stop.key, stop.due
        over = passed_over(self._state, self._playbook, now=self._now)
        self._pass_over(over)
        order = self._state.order
        request = DeliverRequest(
            shop=order.shop,
            order_id=order.order_id,
            playbook=self._state.playbook,
            key=key,
            due=due,
            now=self._now,
            along=tuple(other for other, _ in stop.along),
            passed_over=over,
        )
        touch = self._playbook.by_id[touch_id(key)]
        answer = decide(touch, self._playbook.contact, self._evidence(touch), due=due, now=self._now)
        outcome = Sent(at=self._now) if isinstance(answer, Go) else answer
        channel = answer.channel if isinstance(answer, Go) else None
        if channel is not None:
            sent = Contact(self._now, touch.priority, touch.id, channel, touch.purpose, touch.merge, key)
            self._sent.append(sent)
        self._state = settle(self._state, request, outcome, now=self._now)
        self._enter(key, outcome, due, channel)
        if not isinstance(outcome, Held):
            self._pass_over([PassedOver(key=other, rule=unsent(outcome)) for other, _ in stop.along])

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
        self, key: TouchKey, outcome: Outcome, due: datetime | None = None, channel: Channel | None = None
    ) -> None:
        self._entries.append(
            Entry(
                touch=key,
                purpose=self._playbook.by_id[touch_id(key)].purpose,
                status=outcome.status,
                at=self._now,
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

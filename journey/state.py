"""The journey's state: one small frozen model that survives continue-as-new.

It only holds what is known. What follows from it (who gets what, and when) is derived by `journey.itinerary`, so that
no two truths can differ. `journey.telling` writes down what happens, `journey.answers` what the activities answer.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from journey.awaited import awaits_dispatch, left_to_send
from journey.base import Frozen, Instant, TouchKey
from journey.conditions import Circumstances, CustomerView, DeliveryView, JourneyView, OrderView
from journey.folding import caught_up
from journey.fulfilments import Fulfilment
from journey.order import Buyer, OrderFacts
from journey.outcomes import Held, Refused, Status, Why, unsaid
from journey.parcels import Parcel
from journey.remedies import ENDS, By, Choice, Stand
from journey.zones import RELEASE


class Settled(Frozen):
    """How a touch ended: its status, when by the journey's clock, and the rule, or each channel's, against it."""

    status: Status
    at: Instant
    rule: str | None = None
    why: Why = unsaid()


class Remedy(Frozen):
    """How far the making good of one parcel has come; `by` and `choice` None while nobody chose.

    `defaulted`: the time to choose ran out, and the playbook's default was asked for. `times` it was offered, since one
    that was withdrawn may be offered again, because of what was known at `undone_at` (`journey.mending.came_undone`);
    `unoffered`: people were told instead of the customer. `left_out`: it was withdrawn because its parcel was none of
    the order's any more, and is offered again once it is one.
    """

    reason: str
    offered_at: Instant
    choose_by: Instant
    stand: Stand = Stand.OFFERED
    choice: Choice | None = None
    by: By | None = None
    defaulted: bool = False
    settled_at: Instant | None = None
    reference: str | None = None
    times: int = 1
    undone_at: Instant | None = None
    unoffered: bool = False
    left_out: bool = False

    @property
    def open(self) -> bool:
        """Whether something is still to come of it."""
        return self.stand not in ENDS

    @property
    def reopens(self) -> bool:
        """Whether it may be offered again: it was withdrawn, and nothing was ever chosen."""
        return self.stand is Stand.WITHDRAWN and self.choice is None


DATABASE = "database"
"""The way that a step of a remedy needs."""
WORKER = "worker"
"""The way that every activity needs: a worker that takes it."""
SKIPPED = "skipped_by_operator"
"""The rule of a message that an operator does not want sent."""
NO_WORKER = "no_worker"
"""The rule of a message whose attempt no worker took in time."""
UNREACHED = frozenset({"no_address", "suppressed_bounced"})
"""The rules of messages that did not go for want of a good address."""
_UNMADE = frozenset({NO_WORKER, "attempt_lost", "never_went_out"})


class Lost(Frozen):
    """How many attempts in a row gave no answer, and when the last of them was given up."""

    times: int
    at: Instant


class TakenOff(Frozen):
    """Of which units a refund is, as of `at`, its last word about them."""

    refund_id: str
    at: Instant
    units: tuple[tuple[str, int], ...] = ()


class Unread(Frozen):
    """A fact in words that the worker of that moment did not know: the signal's name and its payload as JSON.

    `number` tells it from the journey's others.
    """

    number: int
    name: str
    body: str


RULES: Final = 5
"""The newest rules, which new runs follow. A run goes on by the rules that it began with, so that it replays.

1. A lost parcel is told by `parcel_lost` as soon as it is lost.
2. Where the playbook has remedies, `parcel_lost` is of those losses for which nothing was offered.
3. A parcel that is delivered after it was on its way back came to its sender. What was sent of an order that was
   cancelled afterwards is made good if it is lost, damaged or denied.
4. A loss that was offered for a number which the shop took out of the order is offered again when the number is back.
5. What is expected of a number counts from when the shop named it. What is scanned once a parcel went back is of its
   way back. An order whose parcel was delivered and called off after that has left. A day nobody means is no promise.
   No default is paid for a parcel whose delivery is disputed.
"""


class JourneyState(Frozen):
    """All that a journey remembers. Moments are UTC on the journey's clock or, for facts, as they happened."""

    order: OrderFacts
    playbook: str
    """The digest of the pinned playbook."""
    rules: int = 1
    """Which of the `RULES` this run follows; a run that was begun before there were several does not say."""
    parcels: tuple[Parcel, ...] = ()
    left_out: tuple[Parcel, ...] = ()
    """Parcels that the shop took out of the order again: a number that was corrected, a fulfilment called off."""
    fulfilments: tuple[Fulfilment, ...] = ()
    remedies: Mapping[str, Remedy] = {}
    """By the parcel they make good."""
    edited_at: Instant | None = None
    numbered_at: Instant | None = None
    """Since when the order has its number, None for from the start."""
    readdressed: bool = False
    """An address became known, and no message was settled since: what is just being decided may not know of it."""
    cancelled_at: Instant | None = None
    refunds: tuple[tuple[str, Instant], ...] = ()
    taken_off: tuple[TakenOff, ...] = ()
    """What of the order is to be sent no more, by refund."""
    fully_refunded_at: Instant | None = None
    reviewed_at: Instant | None = None
    worst_rating: int | None = None
    worst_review_at: Instant | None = None
    reordered_at: Instant | None = None
    settled: Mapping[str, Settled] = {}
    held: Mapping[str, Held] = {}
    last_sent_at: Instant | None = None
    paused: bool = False
    send_now: tuple[TouchKey, ...] = ()
    reported: frozenset[str] = frozenset()
    """Keys of non-sends that the ledger already has."""
    unanswered: Mapping[str, tuple[TouchKey, ...]] = {}
    """Messages whose last attempt gave no answer, with what was to go along in each: the ledger is asked first."""
    lost: Mapping[str, Lost] = {}
    """By message, or by the part of a remedy: attempts that gave no answer."""
    ways: Mapping[str, Instant | None] = {}
    """The ways that held messages wait for, such as `email`: when each opened again, None while it is closed."""
    unread: tuple[Unread, ...] = ()
    """Facts that wait for a worker that knows their words."""

    # All are caches of pure functions, never serialised. Copies share them; whatever changes the circumstances
    # (`changed`) gives the new state fresh ones.

    @cached_property
    def verdicts(self) -> dict[str, bool | str]:
        """Conditions judged so far under the present circumstances."""
        return {}

    @cached_property
    def circumstances(self) -> Circumstances:
        """What conditions can read, now."""
        return _look_around(self)

    def held_until(self, key: str) -> datetime | None:
        """When a held message is to be asked for again; None for one that is not held.

        One that waits for a way is asked for when the way opens, and at the end of its hold at the latest; never sooner
        than the pace of attempts that came to nothing allows.
        """
        hold = self.held.get(key)
        if hold is None:
            return None
        opened = None if hold.waits_for is None else self.ways.get(hold.waits_for)
        until = hold.until if opened is None else min(hold.until, opened)
        return max(until, paced(self.lost[key])) if key in self.lost else until

    def parcel(self, tracking_number: str) -> Parcel | None:
        """The parcel of that number, if the journey has heard of it."""
        for parcel in self.parcels:
            if parcel.tracking_number == tracking_number:
                return parcel
        return None

    @property
    def called_off_at(self) -> Instant | None:
        """When the order came to nothing: it was cancelled, or every line was edited away."""
        return self.cancelled_at or (None if self.order.lines else self.edited_at)

    @property
    def goods(self) -> frozenset[str]:
        """The SKUs that travel, without those that were taken off again as a whole."""
        if not self.taken_off:
            return self.order.goods
        lines = [(line.sku, line.quantity) for line in self.order.lines if line.sku in self.order.goods]
        return left_to_send(lines, [unit for one in self.taken_off for unit in one.units])

    @property
    def to_be_sent(self) -> bool:
        """Whether the order still has to leave, see `journey.awaited`."""
        sent = any(not parcel.void for parcel in self.parcels)
        if not sent and self.rules > 4:  # noqa: PLR2004  the fifth of the RULES
            sent = any(parcel.arrived_at is not None for parcel in self.left_out)
        over = self.called_off_at is not None or self.fully_refunded_at is not None
        return awaits_dispatch(self.order.handover, over=over or not self.goods, sent=sent)

    def written_off(self, parcel: Parcel) -> bool:
        """Whether the parcel was made good: nobody waits for it any more."""
        remedy = self.remedies.get(parcel.tracking_number)
        return remedy is not None and remedy.stand is Stand.DONE


def unreached(settled: Settled | Refused) -> bool:
    """Whether a message did not go for want of a good address."""
    return settled.status == Status.REFUSED and not UNREACHED.isdisjoint({settled.rule, *settled.why.values()})


def unmade(hold: Held) -> bool:
    """Whether the message is held because it could not be sent, and not because the rules say so."""
    return hold.waits_for is not None or hold.doubtful or hold.rule in _UNMADE


def paced(lost: Lost | None) -> datetime:
    """The earliest moment for the next attempt after these; at once after the first."""
    if lost is None:
        return _EVER
    return lost.at + _PACE[min(lost.times, len(_PACE)) - 1]


_EVER = datetime.min.replace(tzinfo=UTC)
_PACE = tuple(timedelta(seconds=seconds) for seconds in (0, 10, 60, 300, 1800, 7200))
"""How long a message waits after so many attempts in a row that gave no answer; the last one for all further ones."""


def start(state: JourneyState, *, now: datetime) -> JourneyState:
    """The state a run begins with at `now`: as given, but an order dated in the future was placed now."""
    if state.order.placed_at <= now:
        return state
    return state.but(order=state.order.but(placed_at=now))


def renewed(state: JourneyState) -> JourneyState:
    """The state for the run that continues this one: by the newest rules and the newest zones, see `journey.zones`."""
    if state.rules != RULES:
        parcels = tuple(caught_up(parcel) for parcel in state.parcels)
        state = changed(state, rules=RULES, parcels=parcels)
    order = state.order
    if order.zone_rules == RELEASE:
        return state
    # Built anew from its fields rather than copied: OrderFacts caches what it derives from them.
    fields = {name: getattr(order, name) for name in order.model_fields_set}
    return changed(state, order=OrderFacts(**(fields | {"zone_rules": RELEASE})))


def changed(state: JourneyState, **changes: Any) -> JourneyState:
    """A copy whose circumstances may be others: only what was judged of an unchanged order alone still counts."""
    copy = state.but(**changes)
    copy.__dict__.pop("circumstances", None)
    judged = copy.__dict__.pop("verdicts", None)
    if judged and "order" not in changes:
        # A condition that does not say `journey` cannot read it.
        copy.__dict__["verdicts"] = {said: verdict for said, verdict in judged.items() if "journey" not in said}
    return copy


def with_remedy(state: JourneyState, part: str, remedy: Remedy) -> JourneyState:
    """The state after this became of a parcel's remedy; the very same one where nothing did."""
    if remedy is state.remedies.get(part):
        return state
    return changed(state, remedies=dict(sorted({**state.remedies, part: remedy}.items())))


def without(held: Mapping[str, Held], keys: Collection[str]) -> Mapping[str, Held]:
    """The holds but those of `keys`; the same ones where none of them is held."""
    if held.keys().isdisjoint(keys):
        return held
    return {key: hold for key, hold in held.items() if key not in keys}


def _look_around(state: JourneyState) -> Circumstances:
    order = state.order
    return Circumstances(
        OrderView(
            total=order.total,
            currency=order.currency,
            country=order.country or "",
            channel=order.channel,
            categories=order.categories,
            skus=tuple(line.sku for line in order.lines),
            digital=order.digital,
            physical=order.physical,
            items=sum(line.quantity for line in order.lines),
        ),
        CustomerView(first_time=order.buyer is Buyer.FIRST, repeat=order.buyer is Buyer.REPEAT),
        JourneyView(
            parcels=len(state.parcels),
            refunded=bool(state.refunds),
            reviewed=state.reviewed_at is not None,
            rating=state.worst_rating or 0,
            delayed=any(parcel.delayed_at is not None for parcel in state.parcels),
            remedied=any(remedy.stand is Stand.DONE for remedy in state.remedies.values()),
        ),
        DeliveryView(categories=order.categories, skus=tuple(line.sku for line in order.lines)),
    )

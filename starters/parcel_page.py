"""A parcel in the customer's own words: where it is, when it comes and how sure that is, what it carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from babel import Locale
from babel.dates import format_time
from babel.numbers import format_decimal

from activities.messaging.language import day as written_day
from journey.awaited import awaits_dispatch, awaits_pickup, left_to_send
from journey.estimates import Estimate, Why, estimate
from journey.order import Handover, LineKind, handover
from journey.parcels import ParcelStatus, Reason
from store.views import OrderView, ParcelView, ScanView

STEPS: Final = ("packed", "sent", "moving", "near", "there")
PICKUP_STEPS: Final = ("packed", "ready", "collected")
_SENT, _MOVING, _NEAR, _THERE = range(1, 5)
_STEP = {
    ParcelStatus.PENDING: _SENT,
    ParcelStatus.LABEL_CREATED: _SENT,
    ParcelStatus.OUT_FOR_DELIVERY: _NEAR,
    ParcelStatus.ATTEMPT_FAILED: _NEAR,
    ParcelStatus.AVAILABLE_FOR_PICKUP: _NEAR,
    ParcelStatus.DELIVERED: _THERE,
}
_PICKUP = {
    ParcelStatus.AVAILABLE_FOR_PICKUP: (1, "ready"),
    ParcelStatus.DELIVERED: (2, "collected"),
    ParcelStatus.RETURNING: (1, "not_collected"),
    ParcelStatus.RETURNED: (1, "not_collected"),
    ParcelStatus.CANCELLED: (1, "not_collected"),
}
_WHY = frozenset(
    {
        Reason.DELAYED,
        Reason.ADDRESS,
        Reason.CUSTOMS,
        Reason.DAMAGED,
        Reason.LOST,
        Reason.REFUSED,
        Reason.PAYMENT,
    }
)
_OVER = {ParcelStatus.DELIVERED, ParcelStatus.CANCELLED, ParcelStatus.RETURNED, ParcelStatus.RETURNING}
_TROUBLE = {ParcelStatus.EXCEPTION, ParcelStatus.RETURNING, ParcelStatus.RETURNED, ParcelStatus.EXPIRED}
_ENDS = _TROUBLE - {ParcelStatus.EXCEPTION} | {ParcelStatus.CANCELLED}
_STOPPED = _WHY - {Reason.DELAYED}
_WAITS = ParcelStatus.AVAILABLE_FOR_PICKUP


@dataclass(frozen=True, slots=True)
class Heard:
    """What a carrier said on one day: `day` and times as words, the newest first."""

    day: str
    scans: Sequence[tuple[str, str, str | None]]
    """Time of day, what was said, and where, if that was said."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A parcel for the page; whatever is text is in the customer's language.

    Attributes:
        parcel: what it is made of.
        steps: the stations of its way, and `step`, which of them it has reached.
        said: where it is, in a sentence.
        when: the day it comes or came, in a few words; None where nobody can say.
        notes: sentences about that day: how sure it is, that it moved, that it has passed.
        troubled: whether `said` is bad news.
        stuck: whether the way ends before its last step, so that the steps say nothing any more.
        carries: the titles of what is in it; empty where nobody said.
        heard: its scans by day.
        deniable: whether its customer may say that it never came.
        denied: since when they say so, in words.
        footprint: what it causes, as whoever says so says it; None where nobody does.
    """

    parcel: ParcelView
    steps: Sequence[str]
    step: int
    said: str
    when: str | None
    notes: Sequence[str]
    troubled: bool
    stuck: bool
    carries: Sequence[str]
    heard: Sequence[Heard]
    deniable: bool
    denied: str | None
    footprint: str | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom it is written for: the words of their language, their locale and zone, and `now` (UTC)."""

    words: Mapping[str, Any]
    locale: Locale
    zone: tzinfo
    now: datetime

    def day(self, moment: date | datetime) -> str:
        """A day as they write it; a moment's is the one on their own calendar."""
        return written_day(self._date(moment), self.locale)

    def time(self, moment: datetime) -> str:
        """A time of day as they write it, by their own clock."""
        return str(format_time(moment.astimezone(self.zone), "short", locale=self.locale))

    @property
    def today(self) -> date:
        """Today's date where they are."""
        return self._date(self.now)

    def heard(self, scans: Sequence[ScanView]) -> list[Heard]:
        """Scans (the newest first) by day."""
        return [
            Heard(
                written_day(on, self.locale), [(self.time(one.occurred_at), self._of(one), one.location) for one in day]
            )
            for on, day in groupby(scans, key=lambda one: self._date(one.occurred_at))
        ]

    def _of(self, scan: ScanView) -> str:
        said: str = self.words["scans"][scan.status.value]
        why: str | None = self.words["scan_reasons"].get(scan.reason.value) if scan.reason else None
        return said if why is None else f"{said} ({why})"

    def _date(self, moment: date | datetime) -> date:
        return moment.astimezone(self.zone).date() if isinstance(moment, datetime) else moment


def show(parcel: ParcelView, order: OrderView, reader: Reader) -> Shown:
    """A parcel for its customer's page."""
    denied = parcel.denied_at if parcel.delivered_at is not None else None
    titles = {line.sku: line.title for line in order.lines}
    if parcel.pickup:
        step, key = _PICKUP.get(parcel.status, (0, "preparing"))
        said, troubled, stuck = reader.words["pickup"][key], key == "not_collected", key == "not_collected"
        when = reader.day(parcel.delivered_at) if parcel.delivered_at else None
        notes: Sequence[str] = ()
    else:
        step = _STEP.get(parcel.status, _MOVING)
        said, troubled = _news(parcel, reader)
        stuck = parcel.status in _ENDS or parcel.reason in _STOPPED
        when, notes = _when(parcel, reader)
    return Shown(
        parcel=parcel,
        steps=PICKUP_STEPS if parcel.pickup else STEPS,
        step=step,
        said=said,
        when=when,
        notes=notes,
        troubled=troubled,
        stuck=stuck,
        carries=[titles[sku] for sku in parcel.skus or () if sku in titles],
        heard=reader.heard(parcel.scans),
        deniable=parcel.delivered_at is not None and denied is None and not parcel.pickup,
        denied=reader.day(denied) if denied is not None else None,
        footprint=_footprint(parcel, reader),
    )


def promised(order: OrderView, reader: Reader) -> str | None:
    """When it was said to come, as it was placed; None where nobody said, or the day has passed."""
    first, last = order.promised_from, order.promised_until
    if last is None or last < reader.today:
        return None
    if first is None:
        return str(reader.words["expected_by"].format(day=reader.day(last)))
    if first == last:
        return str(reader.words["expected"].format(day=reader.day(last)))
    return str(reader.words["expected_between"].format(first=reader.day(first), last=reader.day(last)))


def _footprint(parcel: ParcelView, reader: Reader) -> str | None:
    if parcel.co2_grams is None or parcel.co2_source is None:
        return None
    grams = format_decimal(parcel.co2_grams.quantize(Decimal(1)), locale=reader.locale)
    return str(reader.words["co2"].format(grams=grams, source=parcel.co2_source))


def still_to_come(order: OrderView) -> Mapping[str, Any]:
    """How the goods are handed over, and what of that is still waited for, by the rules of the journey."""
    way = _way(order)
    over = order.status == "cancelled" or order.all_back or not _left(order)
    sent = order.came_before or any(parcel.status is not ParcelStatus.CANCELLED for parcel in order.parcels)
    return {
        "way": way.value,
        "awaits_dispatch": awaits_dispatch(way, over=over, sent=sent),
        # A pick-up's own card says how it stands.
        "awaits_pickup": awaits_pickup(way, over=over, ready=sent),
        "service": way is Handover.NONE and all(line.kind is LineKind.SERVICE for line in order.lines),
    }


def _left(order: OrderView) -> frozenset[str]:
    """The SKUs that refunds have left to be sent, or to be collected."""
    goods = [(line.sku, line.quantity) for line in order.lines if line.kind is LineKind.PHYSICAL]
    return left_to_send(goods, order.taken_off)


def _way(order: OrderView) -> Handover:
    kinds = [line.kind for line in order.lines]
    return handover(channel=order.channel, kinds=kinds, collected=order.collected)


def still_to_be_sent(order: OrderView) -> list[str]:
    """The titles of lines that are in no parcel yet; none where a parcel does not say what it carries."""
    if _way(order) is not Handover.SENT:
        return []
    parcels = [parcel for parcel in order.parcels if parcel.status is not ParcelStatus.CANCELLED]
    if not parcels or order.status == "cancelled" or any(parcel.skus is None for parcel in parcels):
        return []
    sent = {sku for parcel in parcels for sku in parcel.skus or ()}
    left = _left(order) - sent
    return [line.title for line in order.lines if line.kind is LineKind.PHYSICAL and line.sku in left]


def _news(parcel: ParcelView, reader: Reader) -> tuple[str, bool]:
    """Where it is, in a sentence, and whether that is bad news."""
    words = reader.words
    state: str = words["states"][parcel.status.value]
    if parcel.status in _OVER:
        return state, parcel.status in _TROUBLE
    if parcel.reason is not None and parcel.reason in _STOPPED:
        asks = parcel.reason is Reason.CUSTOMS and parcel.action_required
        return words["customs_asks"] if asks else words["reasons"][parcel.reason.value], True
    if parcel.action_required:
        return f"{state} {words['action_required']}", True
    if parcel.first_estimate is not None and _is_simply_late(parcel, reader):
        return words["late"].format(day=reader.day(parcel.first_estimate)), True
    if parcel.reason is Reason.DELAYED:
        return words["reasons"][parcel.reason.value], True
    return state, parcel.status in _TROUBLE


def _is_simply_late(parcel: ParcelView, reader: Reader) -> bool:
    """Whether the day it was promised for has passed and nothing else is the matter with it."""
    past = parcel.first_estimate is not None and parcel.first_estimate < reader.today
    other = parcel.reason in _STOPPED or parcel.action_required or parcel.status in {_WAITS, ParcelStatus.EXPIRED}
    return past and not other


def _when(parcel: ParcelView, reader: Reader) -> tuple[str | None, Sequence[str]]:
    """The day it comes or came, in words, and what there is to say about that."""
    words, promised = reader.words, parcel.first_estimate
    if parcel.delivered_at is not None:
        return reader.day(parcel.delivered_at), ()
    if parcel.status in _OVER or parcel.status is _WAITS or parcel.reason is Reason.LOST or parcel.expected is None:
        return None, ()
    known = estimate(
        expectation=parcel.expected,
        shipped_at=parcel.created_at,
        first_scan_at=parcel.first_scan_at,
        carrier_estimate=parcel.estimated_delivery,
        now=reader.now,
        zone=reader.zone,
        revised=promised != parcel.estimated_delivery,
    )
    notes = []
    if promised is not None and (known is None or known.day > promised) and not _is_simply_late(parcel, reader):
        notes.append(words["moved"].format(day=reader.day(promised)))
    if known is None:
        return None, [*notes, words["nobody_knows"]]
    key = "expected" if known.why is Why.CARRIER else "expected_by"
    return words[key].format(day=reader.day(known.day)), [*notes, *_how_sure(known, reader)]


def _how_sure(known: Estimate, reader: Reader) -> list[str]:
    words = reader.words
    if known.out_of is None:
        return [words["usual"]] if known.why is Why.USUAL else []
    count, of = known.out_of
    key = "chance_kept" if known.why is Why.CARRIER else "chance"
    said = [words[key].format(count=count, of=of, day=reader.day(known.day))]
    if known.why is Why.LEARNT and known.latest > known.day:
        said.append(words["latest"].format(day=reader.day(known.latest)))
    return said

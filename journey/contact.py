"""May this message go to this person now, and on which channel? The contact rules, on evidence from the ledger.

`decide` sees no database and no clock: the same function answers at the moment of sending, in the simulator
and in the tests.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from journey.hours import closes_at, local_day, next_allowed
from journey.outcomes import Held, Refused
from journey.playbook import Caps, Channel, ContactRules, Purpose, Topic, Touch
from journey.send_time import nudge

WEEK = timedelta(days=7)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Contact:
    """Another message to the same person, from whichever journey: sent at `at`, or waiting until `at`.

    `channel` is the one it went on, or is to be tried on first; `merge` its touch's merge group; `key` whatever the
    ledger finds it again by.
    """

    at: datetime
    priority: int = 0
    touch: str = ""
    channel: Channel = Channel.EMAIL
    purpose: Purpose = Purpose.MARKETING
    merge: str | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """How a person can be reached on one channel.

    `refusal` is the rule by which consent refuses messages of this touch's purpose here, None when it permits them:
    whoever gathers the evidence asks for the purpose at hand. `suppressed` is why the address is on the suppression
    list: opted_out, complained or bounced.
    """

    channel: Channel
    address: bool
    refusal: str | None
    suppressed: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the person and the order at the moment of deciding. No names, no addresses.

    `reaches` has one a channel; a channel without one has no address, but for the inbox, which everybody has.
    `zones` are the IANA zones the person may be in: one when it is known, several when only the country (ISO 3166-1)
    is; `region` is ISO 3166-2 or None. `sent` are messages of the last week (as far back as `wished_gap`, where that
    is longer), `waiting` those of other journeys not gone yet. `wished_gap`: the customer asked for at most one
    marketing message in so long. `segments` are the parts that a text would be sent in, where known. `failed`: the
    channels on which a provider has refused this very message for good, each with the rule. `best_hour` is
    `send_time.best_hour`.
    """

    reaches: Sequence[Reach]
    preferred: Channel | None = None
    order_status: str = "open"
    zones: tuple[str, ...] = ("UTC",)
    country: str | None = None
    region: str | None = None
    sent: Sequence[Contact] = ()
    waiting: Sequence[Contact] = ()
    paused_until: datetime | None = None
    wished_gap: timedelta | None = None
    topics_refused: frozenset[Topic] = frozenset()
    segments: Mapping[Channel, int] = field(default_factory=dict)
    failed: Mapping[Channel, str] = field(default_factory=dict)
    best_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """It may go on `channel`, and still ring until `until` (UTC; None: at any hour).

    `why` says what spoke against the channels that would have come before, in rules' names.
    """

    channel: Channel
    until: datetime | None = None
    why: Mapping[str, str] = field(default_factory=dict)


def channels_in_order(touch: Touch, evidence: Evidence) -> tuple[Channel, ...]:
    """The touch's channels in the order they are tried: the customer's preferred one first, when it is among them."""
    # A stable sort: the others keep the touch's order.
    return tuple(sorted(dict.fromkeys(touch.channels), key=lambda channel: channel is not evidence.preferred))


def decide(
    touch: Touch, rules: ContactRules, evidence: Evidence, *, due: datetime, now: datetime, forced: bool = False
) -> Go | Held | Refused:
    """Whether a touch due at `due` may go at `now`, and on which channel.

    A channel that is refused, or on which it would be held past the touch's patience, gives way to the next; so does
    one that has reached its own cap. Held is the first usable channel's word, with what spoke against the others;
    Refused that no channel is left, by the first one's rule. `forced` sets the shop's own caps, gap and hours aside,
    never consent, the customer's wishes or the law's hours.
    """
    if touch.marketing and evidence.order_status == "cancelled":
        return Refused(rule="order_cancelled")
    if touch.marketing and touch.topic in evidence.topics_refused:
        return Refused(rule="topic_refused")
    if evidence.failed and not touch.falls_through:
        why = {channel.value: rule for channel, rule in evidence.failed.items()}
        return Refused(rule=next(iter(why.values())), why=why)
    last = (now if forced else due) + touch.patience
    common = _longest(_holds(touch, rules, evidence, now, forced=forced), now)
    why = {}
    full: tuple[Held, Channel] | None = None
    for channel in channels_in_order(touch, evidence):
        refusal = _refusal(touch, evidence, channel)
        if refusal is not None:
            why[channel.value] = refusal
            continue
        capped = None if forced else _longest(_channel_holds(touch, rules, evidence, channel, now), now)
        hold = _longest([held for held in (common, capped) if held is not None], now)
        answer = _when(touch, rules, evidence, channel, hold, due=due, now=now, forced=forced)
        if answer is None:
            why[channel.value] = "hours_never_meet"
        elif isinstance(answer, Held) and answer.until > last:
            why[channel.value] = f"expired_{answer.rule}"
        elif isinstance(answer, Go):
            return Go(channel, answer.until, why)
        elif capped is None:
            return _beside(answer, channel, why)
        else:
            full = full or (answer, channel)
            why[channel.value] = capped.rule
    return _beside(*full, why) if full else Refused(rule=next(iter(why.values())), why=why)


def _beside(held: Held, on: Channel, why: Mapping[str, str]) -> Held:
    """The hold of one channel, with what spoke against the others."""
    others = {channel: rule for channel, rule in why.items() if channel != on}
    return held.but(why=others) if others else held


def merge_with(touch: Touch, waiting: Sequence[Contact]) -> tuple[Contact, ...]:
    """The waiting messages that may go along in this one: of its merge group and purpose, on one of its channels.

    Worth most first.
    """
    if touch.merge is None:
        return ()
    along = [
        contact
        for contact in waiting
        if contact.merge == touch.merge and contact.purpose is touch.purpose and contact.channel in touch.channels
    ]
    return tuple(sorted(along, key=lambda contact: (-contact.priority, contact.at)))


def _refusal(touch: Touch, evidence: Evidence, channel: Channel) -> str | None:
    """The rule by which it may not go on this channel at all."""
    if channel in evidence.failed:
        return evidence.failed[channel]
    reach = next((reach for reach in evidence.reaches if reach.channel is channel), None)
    if channel is Channel.INBOX:
        # A row on the customer's own page, which they open or leave: it needs neither address nor consent, and a
        # word against it counts.
        return reach.refusal if reach is not None else None
    if reach is None or not reach.address:
        return "no_address"
    too_long = touch.most_segments is not None and evidence.segments.get(channel, 0) > touch.most_segments
    return _suppression(touch, reach) or reach.refusal or ("too_long" if too_long else None)


def _suppression(touch: Touch, reach: Reach) -> str | None:
    # A complaint or opt-out stops marketing, a dead address everything. STOP ends every text to the number,
    # whatever it was about (47 CFR 64.1200(a)(10)), and providers hold back what is sent all the same.
    final = {"bounced", "opted_out"} if reach.channel is Channel.SMS else {"bounced"}
    if reach.suppressed is not None and (touch.marketing or reach.suppressed in final):
        return f"suppressed_{reach.suppressed}"
    return None


def _holds(touch: Touch, rules: ContactRules, evidence: Evidence, now: datetime, *, forced: bool) -> Iterator[Held]:
    """What holds it back on every channel."""
    purpose, zone = touch.purpose, evidence.zones[0]
    sent = [contact for contact in evidence.sent if contact.purpose is purpose]
    if touch.marketing:
        yield from _wishes(evidence, sent, now)
    if forced:
        return
    # Waiting contacts of a higher priority own their slot already: theirs counts as if it were sent. One of the
    # same merge group would go along.
    ahead = [
        contact
        for contact in evidence.waiting
        if contact.purpose is purpose
        and contact.priority > touch.priority
        and (touch.merge is None or contact.merge != touch.merge)
    ]
    yield from _capped(rules.caps(purpose), sent, ahead, now, zone)
    if touch.marketing and rules.gap:
        yield from (Held(until=contact.at + rules.gap, rule="min_gap") for contact in sent)
        soon = (contact.at for contact in ahead if contact.at < now + rules.gap)
        yield from (Held(until=max(at, now) + rules.gap, rule="yields_to_higher_priority") for at in soon)


def _wishes(evidence: Evidence, sent: Sequence[Contact], now: datetime) -> Iterator[Held]:
    if evidence.paused_until is not None and evidence.paused_until > now:
        yield Held(until=evidence.paused_until, rule="paused_by_customer")
    if evidence.wished_gap is not None:
        yield from (Held(until=contact.at + evidence.wished_gap, rule="fewer_wished") for contact in sent)


def _channel_holds(
    touch: Touch, rules: ContactRules, evidence: Evidence, channel: Channel, now: datetime
) -> Iterator[Held]:
    caps = rules.by_channel.get(channel)
    if caps is not None and touch.marketing:
        sent = [contact for contact in evidence.sent if contact.channel is channel and contact.purpose is touch.purpose]
        for held in _capped(caps, sent, (), now, evidence.zones[0]):
            yield Held(until=held.until, rule=f"channel_{held.rule}")


def _capped(caps: Caps, sent: Sequence[Contact], ahead: Sequence[Contact], now: datetime, zone: str) -> Iterator[Held]:
    """The holds of the caps, given what was sent and which waiting ones come first."""
    today = local_day(now, zone)
    if caps.per_day is not None:
        sent_today = sum(today.start <= contact.at < today.end for contact in sent)
        if sent_today >= caps.per_day:
            yield Held(until=today.end, rule="cap_per_day")
        elif sent_today + sum(contact.at < today.end for contact in ahead) >= caps.per_day:
            yield Held(until=today.end, rule="yields_to_higher_priority")
    if caps.per_week is not None:
        in_week = sorted(contact.at for contact in sent if contact.at > now - WEEK)
        if len(in_week) + sum(contact.at < now + WEEK for contact in ahead) >= caps.per_week:
            rule = "cap_per_week" if len(in_week) >= caps.per_week else "yields_to_higher_priority"
            # The slot that frees first once enough have left the window; where all are still waiting, look again
            # tomorrow.
            frees = in_week[max(0, len(in_week) - caps.per_week)] + WEEK + _SECOND if in_week else today.end
            yield Held(until=frees, rule=rule)


def _when(
    touch: Touch,
    rules: ContactRules,
    evidence: Evidence,
    channel: Channel,
    hold: Held | None,
    *,
    due: datetime,
    now: datetime,
    forced: bool,
) -> Go | Held | None:
    """Now, or the end of the longest hold and of the quiet hours after it; None: the hours never come round."""
    if not touch.marketing:
        return hold or Go(channel)
    quiet = None if forced else rules.quiet(channel)
    zones, country, region = evidence.zones, evidence.country, evidence.region
    start = now if hold is None else hold.until
    opens = next_allowed(start, channel, quiet, zones=zones, country=country, region=region)
    if opens is None:
        return None
    if opens > start:
        return Held(until=opens, rule="quiet_hours" if hold is None else hold.rule)
    if hold is not None:
        return hold
    better = now if forced else nudge(due, evidence.best_hour, zones[0], touch.patience)
    # A favourite hour in the quiet ones is none.
    if better > now and better == next_allowed(better, channel, quiet, zones=zones, country=country, region=region):
        return Held(until=better, rule="send_time")
    return Go(channel, closes_at(now, channel, quiet, zones=zones, country=country, region=region))


def _longest(holds: Iterable[Held], now: datetime) -> Held | None:
    """The longest of the holds that are not over yet, so that one wait is enough; of two as long, the first."""
    return max((held for held in holds if held.until > now), key=lambda held: held.until, default=None)

"""What holds of every decision, whoever asks, when and in whatever order."""

import heapq
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from journey.contact import WEEK, Contact, Evidence, Go, Reach, decide
from journey.outcomes import Held, Refused
from journey.playbook import Caps, Channel, ContactRules, Purpose, QuietHours, Topic, Touch
from tests.journey.contacts import touch

# Berlin's day of 25 hours is the sixth of these, so days and weeks are counted over it.
BEGIN = datetime(2026, 10, 20, 6, tzinfo=UTC)
CHANNELS = st.lists(st.sampled_from(list(Channel)), min_size=1, max_size=4, unique=True)
NIGHTS = st.sampled_from([None, QuietHours(start="21:00", end="08:00"), QuietHours(start="13:00", end="15:00")])
MANY = settings(max_examples=150, deadline=None)

rules = st.builds(
    ContactRules,
    quiet_hours=NIGHTS,
    quiet_by_channel=st.dictionaries(st.sampled_from(list(Channel)), NIGHTS, max_size=2),
    per_day=st.integers(1, 2),
    per_week=st.integers(1, 4),
    by_channel=st.dictionaries(st.sampled_from(list(Channel)), st.builds(Caps, per_week=st.integers(1, 2)), max_size=2),
    gap=st.sampled_from([timedelta(), timedelta(hours=3), timedelta(hours=30)]),
)
touches = st.builds(
    touch,
    purpose=st.sampled_from([purpose.value for purpose in Purpose]),
    channels=CHANNELS,
    priority=st.integers(0, 100),
    patience=st.sampled_from(["1h", "1d", "9d"]),
    merge=st.sampled_from([None, "tips"]),
    phase=st.sampled_from(["onboarding", "feedback", "cross_sell", "news"]),
    falls_through=st.booleans(),
    most_segments=st.sampled_from([None, 1, 3]),
)
reaches = st.builds(
    Reach,
    st.sampled_from(list(Channel)),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([None, None, "no_consent"]),
    st.sampled_from([None, None, "opted_out", "complained", "bounced"]),
)
moments = st.integers(-24 * 9, 24 * 9).map(lambda hours: BEGIN + timedelta(hours=hours))
contacts = st.builds(
    Contact,
    moments,
    st.integers(0, 100),
    channel=st.sampled_from(list(Channel)),
    purpose=st.sampled_from(list(Purpose)),
)
evidences = st.builds(
    Evidence,
    st.lists(reaches, max_size=6, unique_by=lambda reach: reach.channel),
    preferred=st.sampled_from([None, *Channel]),
    order_status=st.sampled_from(["open", "open", "open", "cancelled"]),
    zones=st.sampled_from([("Europe/Berlin",), ("America/New_York", "Pacific/Honolulu")]),
    country=st.sampled_from(["DE", "US", "FR", None]),
    region=st.sampled_from([None, "RI", "CA"]),
    sent=st.lists(contacts, max_size=4),
    waiting=st.lists(contacts, max_size=4),
    paused_until=st.one_of(st.none(), moments),
    wished_gap=st.sampled_from([None, timedelta(days=7)]),
    topics_refused=st.frozensets(st.sampled_from(list(Topic)), max_size=1),
    segments=st.sampled_from([{}, {Channel.SMS: 2}]),
    failed=st.dictionaries(st.sampled_from(list(Channel)), st.just("rejected"), max_size=1),
    best_hour=st.one_of(st.none(), st.integers(0, 23)),
)


@settings(max_examples=100, deadline=None)
@given(
    rules,
    st.lists(
        st.tuples(st.integers(0, 60 * 24 * 12), touches.filter(lambda one: one.marketing)), min_size=2, max_size=20
    ),
)
def test_no_interleaving_exceeds_a_cap(contact, asked):
    """Whatever asks, however often it is held and asked again: days, weeks, channels and gaps keep to their rules."""
    everywhere = [Reach(channel, address=True, refusal=None) for channel in Channel]
    number, sent, waiting = count(), [], {}
    queue = [(BEGIN + timedelta(minutes=minute), next(number), about) for minute, about in asked]
    due = {which: at for at, which, _ in queue}
    heapq.heapify(queue)
    while queue:
        now, which, about = heapq.heappop(queue)
        waiting.pop(which, None)
        others = list(waiting.values())
        evidence = Evidence(everywhere, zones=("Europe/Berlin",), country="DE", sent=sent, waiting=others)
        match decide(about, contact, evidence, due=due[which], now=now):
            case Go(channel=channel):
                sent.append(Contact(now, about.priority, channel=channel, merge=about.merge))
            case Held(until=until):
                assert now < until <= due[which] + about.patience
                waiting[which] = Contact(until, about.priority, channel=about.channels[0], merge=about.merge)
                heapq.heappush(queue, (until, which, about))

    times = [one.at for one in sent]
    days = Counter(at.astimezone(ZoneInfo("Europe/Berlin")).date() for at in times)
    assert max(days.values(), default=0) <= contact.per_day
    assert max((_within_a_week(times, at) for at in times), default=0) <= contact.per_week
    for channel, caps in contact.by_channel.items():
        on_it = [one.at for one in sent if one.channel is channel]
        assert max((_within_a_week(on_it, at) for at in on_it), default=0) <= caps.per_week
    assert all(later - earlier >= contact.gap for earlier, later in pairwise(times))


def _within_a_week(times: list[datetime], last: datetime) -> int:
    return sum(last - WEEK < at <= last for at in times)


@MANY
@given(touches, rules, evidences, st.booleans())
def test_no_marketing_goes_without_permission(about, contact, evidence, forced):
    """Where marketing goes there is an address, consent and no suppression; for the inbox no word against it."""
    match decide(about, contact, evidence, due=BEGIN, now=BEGIN, forced=forced):
        case Go(channel=channel) if about.marketing:
            reach = [one for one in evidence.reaches if one.channel is channel]
            if channel is Channel.INBOX:
                assert all(one.refusal is None for one in reach)
            else:
                assert reach == [Reach(channel, address=True, refusal=None)]
            assert about.topic not in evidence.topics_refused
            assert evidence.order_status == "open"
        case Go(channel=channel):
            assert channel in about.channels


@MANY
@given(touches, rules, evidences, moments)
def test_a_receipt_goes_now_or_not_at_all(about, contact, evidence, now):
    """What is about the order is never held, by caps, hours, pauses or anything else."""
    receipt = about.but(purpose=Purpose.TRANSACTIONAL)

    assert not isinstance(decide(receipt, contact, evidence, due=now, now=now), Held)


@MANY
@given(touches, rules, evidences, st.data())
def test_one_more_reason_against_never_lets_it_go(about, contact, evidence, data):
    """A refused message stays refused when one more thing speaks against it."""
    answer = decide(about, contact, evidence, due=BEGIN, now=BEGIN)
    more = data.draw(st.sampled_from(_more_against(about, evidence)))

    if isinstance(answer, Refused):
        assert isinstance(decide(about, contact, more, due=BEGIN, now=BEGIN), Refused)


def _more_against(about: Touch, evidence: Evidence) -> list[Evidence]:
    some = list(evidence.reaches)
    changes = ({"address": False}, {"refusal": "no_consent"}, {"suppressed": "bounced"})
    return [
        # The inbox needs no address: without a word about it nothing is against it.
        *(
            replace(evidence, reaches=[other for other in some if other is not one])
            for one in some
            if one.channel is not Channel.INBOX
        ),
        *(
            replace(evidence, reaches=[replace(other, **change) if other is one else other for other in some])
            for one in some
            for change in changes
        ),
        replace(evidence, order_status="cancelled"),
        replace(evidence, topics_refused=frozenset(Topic)),
        replace(evidence, failed={**evidence.failed, about.channels[0]: "rejected"}),
        replace(evidence, segments={Channel.SMS: 9}),
        replace(evidence, paused_until=BEGIN + timedelta(days=30)),
    ]


@MANY
@given(touches, rules, evidences, moments)
def test_every_answer_names_its_reasons(about, contact, evidence, now):
    """A hold ends later than now; a refusal by channels has each channel's rule, and the first one's is its own."""
    match decide(about, contact, evidence, due=now, now=now):
        case Held(until=until):
            assert now < until <= now + about.patience
        case Refused(rule=rule, why=why) if why:
            assert next(iter(why.values())) == rule
            assert set(why) == set(about.channels) or not about.falls_through
        case Refused(rule=rule):
            assert rule in {"order_cancelled", "topic_refused"}

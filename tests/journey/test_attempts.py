"""What a journey remembers of attempts that could not be made, or gave no answer."""

from datetime import UTC, datetime, timedelta

from journey.answers import closed_ways, failed, found_out, not_mended, not_taken, opened, settle, unanswered
from journey.base import TouchKey
from journey.events import SendNow, TouchSkipped
from journey.itinerary import Deliver, next_step, request_for
from journey.outcomes import DeliverRequest, Held, PassedOver, Sent, Status
from journey.state import DATABASE, WORKER, JourneyState
from journey.stops import Stop
from journey.telling import apply
from tests.journey.makers import PLACED, begun, default_playbook

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
PLAYBOOK = default_playbook()
KEY = TouchKey("order_confirmation")
LATER = NOW + timedelta(days=3)


def asked(state: JourneyState, key: TouchKey, *over: PassedOver) -> DeliverRequest:
    """What `deliver` is asked for that message."""
    return DeliverRequest(
        shop="acme", order_id="1001", playbook=state.playbook, key=key, due=NOW, passed_over=tuple(over)
    )


def test_what_no_worker_took_told_the_ledger_nothing():
    """Non-sends that rode along in an attempt that no worker took are told with the next one."""
    state = not_taken(begun(), KEY, now=NOW, until=LATER)
    assert state.reported == frozenset()
    assert closed_ways(state) == {WORKER: KEY}


def test_people_are_told_of_a_touch_that_no_worker_took_at_first():
    """An alert is left out only where it was given before."""
    touch = next(touch for touch in PLAYBOOK.touches if touch.alert)
    stop = Deliver(Stop(touch, TouchKey(touch.id), NOW, NOW, None, NOW))
    assert not request_for(not_taken(begun(), TouchKey(touch.id), now=NOW, until=LATER), PLAYBOOK, stop, now=NOW).again
    held = settle(begun(), asked(begun(), TouchKey(touch.id)), Held(until=LATER, rule="quiet_hours"), now=NOW)
    assert request_for(held, PLAYBOOK, stop, now=NOW).again


def test_what_an_operator_wants_at_once_outlives_a_lost_attempt():
    """A forced message whose attempt gave no answer is forced still, and one that the rules hold is not."""
    state = unanswered(apply(begun(), SendNow(at=NOW, key=KEY), now=NOW), KEY, (), now=NOW)
    assert found_out(state, KEY, Held(until=NOW, rule="attempt_lost"), now=NOW).send_now == (KEY,)
    assert found_out(state, KEY, Held(until=LATER, rule="quiet_hours"), now=NOW).send_now == ()


def test_what_an_operator_wants_at_once_waits_for_a_closed_way():
    """Forcing opens no provider: the message goes when the way is open."""
    state = apply(begun(), SendNow(at=PLACED, key=KEY), now=PLACED)
    away = Held(until=PLACED + timedelta(days=1), rule="provider_unreachable", waits_for="email")
    state = settle(state, asked(state, KEY), away, now=PLACED)
    assert not isinstance(next_step(state, PLAYBOOK, now=PLACED), Deliver)
    later = PLACED + timedelta(hours=1)
    step = next_step(opened(state, "email", now=later), PLAYBOOK, now=later)
    assert isinstance(step, Deliver)
    assert step.forced


def test_a_skipped_message_that_may_have_gone_stays_in_doubt():
    """An operator's skip does not make a doubt a certainty, before the answer or after it."""
    doubtful = Held(until=NOW, rule="crash_between_send_and_record", doubtful=True)
    before = apply(begun().but(held={KEY: doubtful}), TouchSkipped(at=NOW, key=KEY), now=NOW)
    assert before.settled[KEY].status is Status.IN_DOUBT
    skipped = apply(unanswered(begun(), KEY, (), now=NOW), TouchSkipped(at=NOW, key=KEY), now=NOW)
    assert found_out(skipped, KEY, doubtful, now=NOW).settled[KEY].status is Status.IN_DOUBT


def test_a_doubtful_message_that_is_passed_over_stays_in_doubt():
    """The journey says of it what the ledger does."""
    state = begun().but(held={KEY: Held(until=NOW, rule="crash_between_send_and_record", doubtful=True)})
    over = PassedOver(key=KEY, rule="ended_by_order_cancelled")
    after = settle(state, asked(state, TouchKey("order_cancelled"), over), Sent(at=NOW), now=NOW)
    assert after.settled[KEY].status is Status.IN_DOUBT


def test_an_open_way_does_not_shorten_the_pace_of_lost_attempts():
    """A message whose attempts come to nothing waits longer each time, whether its provider is there or not."""
    hold = Held(until=LATER, rule="provider_unreachable", waits_for="email")
    state = settle(begun(), asked(begun(), KEY), hold, now=NOW)
    waits = []
    for _ in range(4):
        state = opened(state, "email", now=NOW)
        state = found_out(unanswered(state, KEY, (), now=NOW), KEY, hold, now=NOW)
        state = opened(state, "email", now=NOW)
        until = state.held_until(KEY)
        assert until is not None
        waits.append(until - NOW)
    assert waits == [timedelta(seconds=seconds) for seconds in (0, 10, 60, 300)]


def test_workers_that_cannot_keep_up_are_asked_more_and_more_rarely():
    """A message that no worker takes in time, though workers are there, waits longer before each further attempt."""
    state, waits = begun(), []
    for _ in range(4):
        state = opened(not_taken(state, KEY, now=NOW, until=LATER), WORKER, now=NOW)
        until = state.held_until(KEY)
        assert until is not None
        waits.append(until - NOW)
    assert waits == [timedelta(seconds=seconds) for seconds in (0, 10, 60, 300)]
    assert settle(state, asked(state, KEY), Sent(at=NOW), now=NOW).lost == {}


def test_one_way_that_opens_opens_no_other():
    """The database is still away when the provider is back."""
    hold = Held(until=LATER, rule="provider_unreachable", waits_for="email")
    state = not_mended(settle(begun(), asked(begun(), KEY), hold, now=NOW), "T1", now=NOW)
    state = opened(state, "email", now=NOW)
    assert closed_ways(state) == {DATABASE: "remedy"}
    assert closed_ways(opened(state, DATABASE, now=NOW)) == {}


def test_failures_are_counted_until_an_answer_comes():
    """An answer ends the count."""
    state = failed(failed(begun(), KEY, now=NOW), KEY, now=LATER)
    assert (state.lost[KEY].times, state.lost[KEY].at) == (2, LATER)
    assert KEY not in settle(state, asked(state, KEY), Sent(at=LATER), now=LATER).lost

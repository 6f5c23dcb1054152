"""May this message go to this person now?"""

from datetime import UTC, datetime, timedelta

import pytest

from journey.contact import Contact, Go
from journey.outcomes import Held, Refused
from journey.playbook import Caps, Purpose, Topic
from tests.journey.contacts import DAYTIME, MIDNIGHT, NOON, RECEIPT, RULES, SMS, ask, known, reach, refused, touch


def test_who_agreed_and_is_awake_gets_it():
    """Consent, an address, daytime and an empty calendar: it goes, and may ring until the evening."""
    assert ask(known()) == DAYTIME


def test_what_consent_refuses_is_refused():
    """The rule by which consent refuses the purpose at hand is the refusal's own."""
    assert ask(known(reach(refusal="no_consent"))) == refused("no_consent")
    assert ask(known(reach(refusal="no_opt_in")), touch("transactional")) == refused("no_opt_in")


def test_nobody_can_be_written_to_without_an_address():
    """No address, no message, whatever its purpose."""
    assert ask(known(reach(address=False)), touch("transactional")) == refused("no_address")
    assert ask(known(reach(SMS)), touch("transactional")) == refused("no_address")


@pytest.mark.parametrize("reason", ["opted_out", "complained", "bounced"])
def test_the_suppression_list_stops_marketing(reason):
    """Whoever opted out, complained or bounced gets no marketing, consent or not, asked for by an operator or not."""
    assert ask(known(reach(suppressed=reason)), forced=True) == refused(f"suppressed_{reason}")


def test_only_a_dead_address_stops_a_receipt():
    """An opt-out is about marketing; a bounce is about the address."""
    receipt = touch("transactional")

    assert ask(known(reach(suppressed="opted_out")), receipt) == RECEIPT
    assert ask(known(reach(suppressed="bounced")), receipt) == refused("suppressed_bounced")


def test_a_cancelled_order_gets_no_marketing():
    """The order's state at the moment of sending counts, not the one when it was planned."""
    assert ask(known(order_status="cancelled")) == Refused(rule="order_cancelled")
    assert ask(known(order_status="cancelled"), touch("transactional")) == RECEIPT


def test_one_a_day_by_the_customers_own_calendar():
    """Sent this morning: held to the end of the customer's day, then through the night."""
    this_morning = known(sent=[Contact(NOON - timedelta(hours=2))])
    last_night = known(sent=[Contact(NOON - timedelta(hours=13))])  # 23:00 of the day before in Berlin

    assert ask(this_morning) == Held(until=MIDNIGHT + timedelta(hours=8), rule="cap_per_day")
    assert ask(last_night) == DAYTIME


def test_the_day_is_the_customers_not_ours():
    """What was sent yesterday evening in Auckland was sent today in Greenwich, and does not count."""
    evidence = known(zones=("Pacific/Auckland",), sent=[Contact(datetime(2026, 11, 11, 9, tzinfo=UTC))])

    assert isinstance(ask(evidence, now=datetime(2026, 11, 11, 22, tzinfo=UTC)), Go)


def test_the_week_rolls():
    """Three in seven days: the next may go when the first of them is a week old."""
    sent = [Contact(NOON - timedelta(days=days)) for days in (6, 4, 2)]

    held = ask(known(sent=sent), touch(patience="7d"))
    assert held == Held(until=NOON + timedelta(days=1, seconds=1), rule="cap_per_week")
    assert isinstance(ask(known(sent=sent), now=held.until), Go)


def test_more_than_the_week_allows_waits_for_enough_to_leave():
    """After a change of the rules five stand in a window for three: the third oldest frees the slot."""
    sent = [Contact(NOON - timedelta(days=days)) for days in (6, 5, 4, 3, 2)]

    held = ask(known(sent=sent), touch(patience="7d"))
    assert held == Held(until=NOON + timedelta(days=3, seconds=1), rule="cap_per_week")


def test_a_lower_priority_yields_the_slot_to_one_that_waits():
    """What another journey holds for later today has today's slot already, when it matters more."""
    waiting = known(waiting=[Contact(NOON + timedelta(hours=3), priority=60)])

    assert ask(waiting).rule == "yields_to_higher_priority"
    assert ask(waiting, touch(priority=60)) == DAYTIME


def test_one_that_waits_for_another_day_takes_no_slot_today():
    """Today is free when the other one waits for tomorrow, or is about the order and waits for no slot."""
    about_the_order = Contact(NOON, priority=99, purpose=Purpose.TRANSACTIONAL)
    assert ask(known(waiting=[about_the_order])) == DAYTIME
    assert ask(known(waiting=[Contact(NOON + timedelta(days=1), priority=60)])) == DAYTIME


def test_quiet_hours_hold_until_the_morning():
    """Late at night: held until eight by the customer's clock."""
    assert ask(known(), now=MIDNIGHT) == Held(until=MIDNIGHT + timedelta(hours=8), rule="quiet_hours")


def test_receipts_know_no_quiet_hours_and_no_caps():
    """The order's own messages go at once."""
    assert ask(known(sent=[Contact(MIDNIGHT)] * 9), touch("transactional"), now=MIDNIGHT) == RECEIPT


def test_an_operator_sets_hours_and_caps_aside_but_never_consent():
    """Send now is about the shop's clock, not about the law."""
    assert ask(known(sent=[Contact(MIDNIGHT)] * 9), now=MIDNIGHT, forced=True) == RECEIPT
    assert ask(known(reach(refusal="no_consent")), forced=True) == refused("no_consent")


def test_what_would_be_held_past_its_patience_expires():
    """A touch that may wait two hours is not held over the night; the rule says what it fell to."""
    assert ask(known(), touch(patience="2h"), now=MIDNIGHT) == refused("expired_quiet_hours")
    assert ask(known(), touch(patience="8h"), now=MIDNIGHT).rule == "quiet_hours"


def test_patience_counts_from_when_it_was_due():
    """Held for days already, it is not held for one more."""
    due = MIDNIGHT - timedelta(days=2, hours=20)

    assert ask(known(), due=due, now=MIDNIGHT) == refused("expired_quiet_hours")


def test_a_hold_always_ends_later_than_now():
    """Held until a moment gone by would be asked for again at once, for ever."""
    for hour in range(24 * 14):
        now = NOON + timedelta(hours=hour)
        sent = [Contact(now - timedelta(hours=back)) for back in (1, 30, 60, 167)]
        held = ask(known(sent=sent), touch(patience="9d"), now=now)
        assert held.until > now


def test_a_gap_lies_between_two_marketing_messages():
    """Four hours apart, over all channels; a higher one that waits for the next hour is let by first."""
    rules = RULES.but(per_day=5, gap=timedelta(hours=4))

    hour_ago = known(sent=[Contact(NOON - timedelta(hours=1), channel=SMS)])
    assert ask(hour_ago, rules=rules) == Held(until=NOON + timedelta(hours=3), rule="min_gap")
    assert isinstance(ask(known(sent=[Contact(NOON - timedelta(hours=4))]), rules=rules), Go)
    higher = known(waiting=[Contact(NOON + timedelta(hours=1), priority=60)])
    assert ask(higher, rules=rules) == Held(until=NOON + timedelta(hours=5), rule="yields_to_higher_priority")


def test_a_pause_holds_marketing_and_nothing_else():
    """Paused for two days: held until then, past its patience expired, and receipts go."""
    paused = known(paused_until=NOON + timedelta(days=2))

    assert ask(paused) == Held(until=NOON + timedelta(days=2), rule="paused_by_customer")
    assert ask(paused, forced=True).rule == "paused_by_customer"
    assert ask(paused, touch(patience="1d")) == refused("expired_paused_by_customer")
    assert ask(paused, touch("transactional")) == RECEIPT
    assert ask(known(paused_until=NOON - timedelta(days=2))) == DAYTIME


def test_fewer_is_kept_to():
    """At most one a week was wished for: the next waits for the week to be over."""
    fewer = known(wished_gap=timedelta(days=7), sent=[Contact(NOON - timedelta(days=5))])

    assert ask(fewer) == Held(until=NOON + timedelta(days=2), rule="fewer_wished")


def test_a_topic_refused_is_refused():
    """Who wants no offers gets none, neither by phase nor by what a touch carries; other topics go."""
    no_offers = known(topics_refused=frozenset({Topic.OFFERS}))

    assert ask(no_offers, touch(phase="cross_sell")) == Refused(rule="topic_refused")
    assert ask(no_offers, touch(phase="onboarding", offer="ten")) == Refused(rule="topic_refused")
    assert ask(no_offers, touch(phase="onboarding")) == DAYTIME
    assert ask(no_offers, touch("transactional", phase="cross_sell")) == RECEIPT


def test_the_customers_hour_is_waited_for_once():
    """Due at noon, opened at six: held until six in the evening, and at six or later it goes."""
    six = datetime(2026, 11, 11, 17, tzinfo=UTC)

    assert ask(known(best_hour=18)) == Held(until=six, rule="send_time")
    assert isinstance(ask(known(best_hour=18), due=NOON, now=six), Go)
    assert isinstance(ask(known(best_hour=18), due=NOON, now=six + timedelta(hours=2)), Go)
    assert ask(known(best_hour=23)) == DAYTIME
    assert ask(known(best_hour=18), touch(patience="2h")) == DAYTIME
    assert ask(known(best_hour=18), touch("transactional")) == RECEIPT


def test_caps_for_receipts_are_there_for_who_wants_them():
    """None by default; where a shop sets them they hold, and marketing does not count."""
    rules = RULES.but(transactional=Caps(per_day=2))
    receipts = known(sent=[Contact(NOON, purpose=Purpose.TRANSACTIONAL)] * 2 + [Contact(NOON)] * 5)

    assert ask(receipts, touch("transactional"), rules=rules) == Held(until=MIDNIGHT, rule="cap_per_day")
    assert ask(receipts, touch("transactional")) == RECEIPT
    assert ask(known(sent=[Contact(NOON)] * 5), touch("transactional"), rules=rules) == RECEIPT


def test_the_one_worth_most_gets_the_week():
    """With every slot of the week waited for by higher ones, the lower waits although nothing was sent yet."""
    ahead = [Contact(NOON + timedelta(days=day), priority=60) for day in (2, 3, 4)]

    assert ask(known(waiting=ahead)) == Held(until=MIDNIGHT + timedelta(hours=8), rule="yields_to_higher_priority")
    assert ask(known(waiting=ahead[:2])) == DAYTIME


def test_an_operators_word_does_not_wait_for_the_due_day():
    """What an operator sends now goes now, though its own day is weeks ahead."""
    assert ask(known(), now=NOON, due=NOON + timedelta(days=50), forced=True) == RECEIPT

"""May this message go to this person now?"""

from datetime import UTC, datetime, time, timedelta

import pytest

from journey.contact import Contact, Evidence, Go, decide
from journey.outcomes import Held, Refused
from journey.playbook import ContactRules, QuietHours, Touch

BERLIN = ("Europe/Berlin",)
RULES = ContactRules(quiet_hours=QuietHours(start=time(21), end=time(8)), per_day=1, per_week=3)
NOON = datetime(2026, 11, 11, 11, tzinfo=UTC)  # a Wednesday; midday in Berlin
MIDNIGHT = datetime(2026, 11, 11, 23, tzinfo=UTC)  # the end of that day in Berlin


def touch(purpose: str = "marketing", *, priority: int = 50, patience: str = "3d") -> Touch:
    return Touch.model_validate(
        {
            "id": "hello",
            "phase": "selling",
            "purpose": purpose,
            "anchor": "order_placed",
            "template": "hello",
            "priority": priority,
            "patience": patience,
        }
    )


def known(**facts) -> Evidence:
    return Evidence(**({"address": True, "consent": True, "zones": BERLIN} | facts))


def ask(evidence: Evidence, about: Touch | None = None, *, now: datetime = NOON, due=None, forced: bool = False):
    return decide(about or touch(), RULES, evidence, due=due or now, now=now, forced=forced)


def test_who_agreed_and_is_awake_gets_it():
    """Consent, an address, daytime and an empty calendar: it goes."""
    assert ask(known()) == Go()


def test_marketing_needs_consent_and_a_receipt_does_not():
    """Without consent marketing is refused, and the order's own messages go."""
    assert ask(known(consent=False)) == Refused(rule="no_consent")
    assert ask(known(consent=False), touch("transactional")) == Go()


def test_nobody_can_be_written_to_without_an_address():
    """No address, no message, whatever its purpose."""
    assert ask(known(address=False), touch("transactional")) == Refused(rule="no_address")


@pytest.mark.parametrize("reason", ["opted_out", "complained", "bounced"])
def test_the_suppression_list_stops_marketing(reason):
    """Whoever opted out, complained or bounced gets no marketing, consent or not, asked for by an operator or not."""
    assert ask(known(suppressed=reason), forced=True) == Refused(rule=f"suppressed_{reason}")


def test_only_a_dead_address_stops_a_receipt():
    """An opt-out is about marketing; a bounce is about the address."""
    receipt = touch("transactional")

    assert ask(known(suppressed="opted_out"), receipt) == Go()
    assert ask(known(suppressed="bounced"), receipt) == Refused(rule="suppressed_bounced")


def test_a_cancelled_order_gets_no_marketing():
    """The order's state at the moment of sending counts, not the one when it was planned."""
    assert ask(known(order_status="cancelled")) == Refused(rule="order_cancelled")
    assert ask(known(order_status="cancelled"), touch("transactional")) == Go()


def test_one_a_day_by_the_customers_own_calendar():
    """Sent this morning: held to the end of the customer's day, then through the night."""
    this_morning = known(sent=[Contact(NOON - timedelta(hours=2))])
    last_night = known(sent=[Contact(NOON - timedelta(hours=13))])  # 23:00 of the day before in Berlin

    assert ask(this_morning) == Held(until=MIDNIGHT + timedelta(hours=8), rule="cap_per_day")
    assert ask(last_night) == Go()


def test_the_day_is_the_customers_not_ours():
    """What was sent yesterday evening in Auckland was sent today in Greenwich, and does not count."""
    evidence = known(zones=("Pacific/Auckland",), sent=[Contact(datetime(2026, 11, 11, 9, tzinfo=UTC))])

    assert ask(evidence, now=datetime(2026, 11, 11, 22, tzinfo=UTC)) == Go()


def test_the_week_rolls():
    """Three in seven days: the next may go when the first of them is a week old."""
    sent = [Contact(NOON - timedelta(days=days)) for days in (6, 4, 2)]

    held = ask(known(sent=sent), touch(patience="7d"))
    assert held == Held(until=NOON + timedelta(days=1, seconds=1), rule="cap_per_week")
    assert ask(known(sent=sent), now=held.until) == Go()


def test_more_than_the_week_allows_waits_for_enough_to_leave():
    """After a change of the rules five stand in a window for three: the third oldest frees the slot."""
    sent = [Contact(NOON - timedelta(days=days)) for days in (6, 5, 4, 3, 2)]

    held = ask(known(sent=sent), touch(patience="7d"))
    assert held == Held(until=NOON + timedelta(days=3, seconds=1), rule="cap_per_week")


def test_a_lower_priority_yields_the_slot_to_one_that_waits():
    """What another journey holds for later today has today's slot already, when it matters more."""
    waiting = known(waiting=[Contact(NOON + timedelta(hours=3), priority=60)])

    assert ask(waiting).rule == "yields_to_higher_priority"
    assert ask(waiting, touch(priority=60)) == Go()


def test_one_that_waits_for_another_day_takes_no_slot_today():
    """Today is free when the other one waits for tomorrow."""
    assert ask(known(waiting=[Contact(NOON + timedelta(days=1), priority=60)])) == Go()


def test_quiet_hours_hold_until_the_morning():
    """Late at night: held until eight by the customer's clock."""
    assert ask(known(), now=MIDNIGHT) == Held(until=MIDNIGHT + timedelta(hours=8), rule="quiet_hours")


def test_receipts_know_no_quiet_hours_and_no_caps():
    """The order's own messages go at once."""
    assert ask(known(sent=[Contact(MIDNIGHT)] * 9), touch("transactional"), now=MIDNIGHT) == Go()


def test_an_operator_sets_hours_and_caps_aside_but_never_consent():
    """Send now is about the clock, not about the law."""
    assert ask(known(sent=[Contact(MIDNIGHT)] * 9), now=MIDNIGHT, forced=True) == Go()
    assert ask(known(consent=False), forced=True) == Refused(rule="no_consent")


def test_what_would_be_held_past_its_patience_expires():
    """A touch that may wait two hours is not held over the night; the rule says what it fell to."""
    assert ask(known(), touch(patience="2h"), now=MIDNIGHT) == Refused(rule="expired_quiet_hours")
    assert ask(known(), touch(patience="8h"), now=MIDNIGHT).rule == "quiet_hours"


def test_patience_counts_from_when_it_was_due():
    """Held for days already, it is not held for one more."""
    due = MIDNIGHT - timedelta(days=2, hours=20)

    assert ask(known(), due=due, now=MIDNIGHT) == Refused(rule="expired_quiet_hours")


def test_a_hold_always_ends_later_than_now():
    """Held until a moment gone by would be asked for again at once, for ever."""
    for hour in range(24 * 14):
        now = NOON + timedelta(hours=hour)
        sent = [Contact(now - timedelta(hours=back)) for back in (1, 30, 60, 167)]
        held = ask(known(sent=sent), touch(patience="9d"), now=now)
        assert held.until > now

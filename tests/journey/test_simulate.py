from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from journey.events import CustomerReordered, OrderCancelled, ReviewPosted
from journey.order import Buyer, LineFacts, LineKind, OrderFacts
from journey.playbook import Playbook
from journey.simulate import Recipient, Simulation, one_parcel, simulate

PLACED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
PARCEL = timedelta(days=3)


def order(**changes: object) -> OrderFacts:
    """A first order of a yoga mat, from Berlin, on a Monday at eleven."""
    facts = {
        "shop": "acme",
        "order_id": "1",
        "placed_at": PLACED,
        "currency": "EUR",
        "total": Decimal(79),
        "country": "DE",
        "time_zone": "Europe/Berlin",
        "buyer": Buyer.FIRST,
        "lines": (LineFacts(sku="YM-1", quantity=1, category="fitness"),),
    }
    return OrderFacts(**(facts | changes))


def run(playbook: Playbook, facts: OrderFacts, *more: object, consent: bool = True) -> Simulation:
    """The usual parcel, and whatever else happens."""
    return simulate(facts, playbook, Recipient(consent=consent), [*one_parcel(facts, PARCEL), *more])


def sent(found: Simulation) -> list[tuple[str, float]]:
    """What went out, and how many days after the order."""
    return [
        (entry.touch.partition(":")[0], round((entry.at - PLACED) / timedelta(days=1), 2))
        for entry in found.entries
        if entry.status == "sent"
    ]


def test_the_shipped_playbook_gives_the_known_calendar(playbook):
    """A first order of one mat, delivered on the third day, gets these messages on these days."""
    found = run(playbook, order())
    calendar = dict(sent(found))
    assert found.why == "every touch is settled"
    expected = {"order_confirmation": 0, "welcome": 1, "shipped": 1, "delivered": 3, "care": 5, "check_in": 7}
    assert expected == {touch: calendar[touch] for touch in expected}
    later = {"review_request": 9, "thank_you": 11, "bundle": 17, "discount": 24, "miss_you": 33, "vip_invite": 63}
    assert later == {touch: calendar[touch] for touch in later}


def test_every_touch_is_sent_or_refused_exactly_once(playbook):
    """Nothing is silently lost: each touch ends once, and a parcel's touches end once a parcel."""
    final = [entry.touch for entry in run(playbook, order()).entries if entry.status != "held"]
    assert len(final) == len(set(final))
    about_this_order = {touch.id for touch in playbook.touches if touch.anchor in {"order_placed", "order_delivered"}}
    assert about_this_order <= {touch.partition(":")[0] for touch in final}


def test_without_consent_only_what_is_about_the_order_goes_out(playbook):
    """No marketing leaves without consent, and each refusal says so."""
    found = run(playbook, order(), consent=False)
    assert {"transactional"} == {entry.purpose for entry in found.entries if entry.status == "sent"}
    refused = {entry.rule for entry in found.entries if entry.purpose == "marketing"}
    assert refused <= {"no_consent", "condition"}


def test_nobody_is_woken(playbook):
    """Marketing that falls due in the customer's night goes out at their eight o'clock."""
    night = order(placed_at=datetime(2026, 11, 23, 21, 30, tzinfo=UTC))
    found = run(playbook, night)
    waited = [entry for entry in found.entries if entry.purpose == "marketing" and entry.status == "sent"]
    assert waited
    assert {7} == {entry.at.hour for entry in waited}
    assert all(entry.due is not None and entry.due < entry.at for entry in waited)


def test_a_cancellation_ends_everything_but_its_own_message(playbook):
    """After a cancellation on the second day there is one more message: that it is cancelled."""
    found = run(playbook, order(), OrderCancelled(at=PLACED + timedelta(hours=30)))
    after = [
        entry.touch for entry in found.entries if entry.status == "sent" and entry.at > PLACED + timedelta(hours=29)
    ]
    assert after == ["order_cancelled"]
    assert found.why == "order cancelled"


def test_a_new_order_ends_the_winning_back(playbook):
    """Who orders again on day 40 gets no further win-back, and the ledger would say why."""
    found = run(playbook, order(), CustomerReordered(at=PLACED + timedelta(days=40), order_id="2"))
    rules = {entry.touch: entry.rule for entry in found.entries}
    assert rules["whats_new"] == "ended_by_customer_reordered"
    assert ("miss_you", 33) in sent(found)


def test_a_bad_review_stops_the_marketing_and_brings_a_person(playbook):
    """Two stars end cross-sell and win-back, and the follow-up goes out at once."""
    found = run(playbook, order(), ReviewPosted(at=PLACED + timedelta(days=10), rating=2))
    assert ("feedback_followup", 10) in sent(found)
    assert not [touch for touch, day in sent(found) if day > 10]


def test_digital_orders_have_no_parcel_and_start_at_the_order(playbook):
    """Access goes out at once, and the days count from the order itself."""
    line = LineFacts(sku="CO-7", quantity=1, category="course", kind=LineKind.DIGITAL)
    found = run(playbook, order(lines=(line,)))
    calendar = dict(sent(found))
    assert calendar["digital_access"] == 0
    assert calendar["review_request"] == 6
    assert "shipped" not in calendar


def test_the_week_cap_holds_and_the_held_one_still_goes(playbook):
    """With one marketing mail a week allowed, mails are held by that rule and none is lost without a rule."""
    strict = playbook.but(contact=playbook.contact.but(per_week=1))
    found = run(strict, order())
    assert "cap_per_week" in {entry.rule for entry in found.entries if entry.status == "held"}
    times = [entry.at for entry in found.entries if entry.status == "sent" and entry.purpose == "marketing"]
    assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(times))

"""May this message go to this person now? The contact rules, on evidence gathered by the ledger.

`decide` sees no database and no clock: the same function answers at the moment of sending, in the simulator
and in the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from journey.hours import end_of_quiet, local_day
from journey.outcomes import Held, Refused
from journey.playbook import ContactRules, Touch

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Contact:
    """A marketing message to the same person, from whichever journey: sent at `at`, or waiting until `at`."""

    at: datetime
    priority: int = 0
    touch: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the person and the order at the moment of deciding.

    `zones` are the IANA zones the person may be in: one when it is known, several when only the country is.
    `sent` are marketing messages of the last week, `waiting` those of other journeys not gone yet.
    """

    address: bool
    consent: bool
    suppressed: str | None = None
    order_status: str = "open"
    zones: tuple[str, ...] = ("UTC",)
    sent: Sequence[Contact] = field(default=())
    waiting: Sequence[Contact] = field(default=())


@dataclass(frozen=True, slots=True)
class Go:
    """Nothing speaks against it."""


def decide(
    touch: Touch, rules: ContactRules, evidence: Evidence, *, due: datetime, now: datetime, forced: bool = False
) -> Go | Held | Refused:
    """Whether a touch due at `due` may go at `now`; `forced` sets caps and quiet hours aside, never consent."""
    refusal = _refusal(touch, evidence)
    if refusal is not None:
        return Refused(rule=refusal)
    if not touch.marketing or forced:
        return Go()
    hold = _hold(touch, rules, evidence, now)
    if hold is None:
        return Go()
    if hold.until > due + touch.patience:
        return Refused(rule=f"expired_{hold.rule}")
    return hold


def _refusal(touch: Touch, evidence: Evidence) -> str | None:
    if evidence.order_status == "cancelled" and touch.marketing:
        return "order_cancelled"
    if not evidence.address:
        return "no_address"
    # A complaint or opt-out stops marketing; a dead address stops everything.
    if evidence.suppressed is not None and (touch.marketing or evidence.suppressed == "bounced"):
        return f"suppressed_{evidence.suppressed}"
    if touch.marketing and not evidence.consent:
        return "no_consent"
    return None


def _hold(touch: Touch, rules: ContactRules, evidence: Evidence, now: datetime) -> Held | None:
    """The longest of the holds that apply, so that one wait is enough."""
    zone = evidence.zones[0]
    holds: list[Held] = []
    today = local_day(now, zone)
    # Waiting contacts of a higher priority own their slot already: theirs counts as if it were sent.
    ahead = [contact for contact in evidence.waiting if contact.priority > touch.priority]
    sent_today = [contact for contact in evidence.sent if today.start <= contact.at < today.end]
    waiting_today = [contact for contact in ahead if contact.at < today.end]
    if len(sent_today) >= rules.per_day:
        holds.append(Held(until=today.end, rule="cap_per_day"))
    elif len(sent_today) + len(waiting_today) >= rules.per_day:
        holds.append(Held(until=today.end, rule="yields_to_higher_priority"))
    in_week = sorted(contact.at for contact in evidence.sent if contact.at > now - WEEK)
    waiting_week = [contact for contact in ahead if contact.at < now + WEEK]
    if len(in_week) + len(waiting_week) >= rules.per_week and in_week:
        rule = "cap_per_week" if len(in_week) >= rules.per_week else "yields_to_higher_priority"
        # The slot that frees first once enough have left the window.
        leaving = in_week[max(0, len(in_week) - rules.per_week)]
        holds.append(Held(until=leaving + WEEK + timedelta(seconds=1), rule=rule))
    longest = max(holds, key=lambda held: held.until, default=None)
    start = now if longest is None else longest.until
    allowed = end_of_quiet(start, rules.quiet_hours, evidence.zones)
    if allowed > start:
        rule = "quiet_hours" if longest is None else longest.rule
        return Held(until=allowed, rule=rule)
    return longest

"""Somebody in Berlin at noon on a Wednesday, and what may go to them."""

from datetime import UTC, datetime, time

from journey.contact import Evidence, Go, Reach, decide
from journey.outcomes import Refused
from journey.playbook import Channel, ContactRules, QuietHours, Touch

EMAIL, SMS, INBOX = Channel.EMAIL, Channel.SMS, Channel.INBOX
BERLIN = ("Europe/Berlin",)
RULES = ContactRules(quiet_hours=QuietHours(start=time(21), end=time(8)), per_day=1, per_week=3)
NOON = datetime(2026, 11, 11, 11, tzinfo=UTC)  # a Wednesday; midday in Berlin
MIDNIGHT = datetime(2026, 11, 11, 23, tzinfo=UTC)  # the end of that day in Berlin
NINE_IN_THE_EVENING = datetime(2026, 11, 11, 20, tzinfo=UTC)


def touch(purpose: str = "marketing", **said) -> Touch:
    usual = {"id": "hello", "phase": "selling", "anchor": "order_placed", "template": "hello", "patience": "3d"}
    return Touch.model_validate(usual | {"purpose": purpose} | said)


def reach(channel: Channel = EMAIL, *, address: bool = True, refusal=None, suppressed=None) -> Reach:
    return Reach(channel, address, refusal, suppressed)


def known(*reaches: Reach, **facts) -> Evidence:
    """Somebody in Berlin who can be reached by mail and text, or as told."""
    return Evidence(reaches or (reach(), reach(SMS)), **({"zones": BERLIN, "country": "DE"} | facts))


def ask(
    evidence: Evidence, about: Touch | None = None, *, now: datetime = NOON, due=None, forced: bool = False, rules=RULES
):
    return decide(about or touch(), rules, evidence, due=due or now, now=now, forced=forced)


def refused(rule: str, channel: Channel = EMAIL) -> Refused:
    return Refused(rule=rule, why={channel.value: rule})


DAYTIME = Go(EMAIL, until=NINE_IN_THE_EVENING)
RECEIPT = Go(EMAIL)

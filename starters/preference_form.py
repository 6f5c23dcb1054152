"""What the preference centre shows and what its form says back, in the customer's language."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qs

from fastapi import Request

from journey.consent import PAUSE, Frequency, Policy, Preferences
from journey.playbook import Channel, Purpose, Topic
from starters.words import LANGUAGES, language_of, words_of
from store import preferences
from store.preferences import Choices
from store.standing import Standing

_BODY_LIMIT = 64 * 1024
_FIELDS = 100
_TO_CONFIRM = frozenset({Channel.EMAIL, Channel.SMS, Channel.WHATSAPP})
_DEAD = frozenset({"bounced", "complained"})
Form = Mapping[str, Sequence[str]]
"""Field names with all their values."""
_Chosen = TypeVar("_Chosen", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Offer:
    """A channel as the page shows it."""

    channel: Channel
    on: bool
    unreachable: bool
    confirm: bool


def offers_to(
    known: Standing, via: Channel, now: datetime, *, confirms: Container[Channel], policy: Policy
) -> list[Offer]:
    """The channels the customer has an address for, or has answered about.

    One whose yes would have to be confirmed is left out where it is none of those that `confirms` can send a link for,
    unless it is on.
    """
    offers = []
    answered = {answer.channel for answer in known.answers}
    for channel in preferences.MARKETED:
        if channel not in known.addressed and (channel in _TO_CONFIRM or channel not in answered):
            continue
        reason = known.suppressed.get(channel)
        allowed = known.permission(channel, Purpose.MARKETING, now=now, policy=policy).allowed
        on = allowed and reason is None
        confirm = not on and preferences.asks_first(known, channel, via, now)
        # A complaint at a provider is not taken back by a tick here: it keeps refusing the address.
        unreachable = reason in _DEAD
        if not confirm or unreachable or (channel in confirms and _asked(known, channel)):
            offers.append(Offer(channel, on=on, unreachable=unreachable, confirm=confirm and not unreachable))
    return offers


def _asked(known: Standing, channel: Channel) -> bool:
    """Whether there is an address that can be asked to confirm the channel: of notifications, the mailbox."""
    asked = channel if channel in _TO_CONFIRM else Channel.EMAIL
    return asked in known.addressed and known.suppressed.get(asked) not in _DEAD


def choices_of(form: Form, known: Standing, offers: Sequence[Offer], *, shop_name: str, now: datetime) -> Choices:
    """What the form changes against what its page showed; fields that are missing or mean nothing change nothing.

    Against what was shown, not against what is: an opt-out that came in between, by a text or from another page, is
    not undone by a box that was merely left as it was.
    """
    words = words_of(language_of(known.locale))
    offered = [offer.channel for offer in offers if not offer.unreachable]
    said: str = words["channels"]["wording"]
    saw: dict[Channel | Topic, str] = {
        channel: said.format(channel=words["channels"][channel.value], shop=shop_name) for channel in offered
    }
    return Choices(
        preferences=_wishes(form, known, now),
        channels=_changed(form, "channel", offered),
        topics=_changed(form, "topic", list(Topic)),
        everything_off=form.get("do") == ["off"],
        wordings=saw | {topic: words["topics"][topic.value] for topic in Topic},
    )


def _changed(form: Form, name: str, offered: Sequence[_Chosen]) -> dict[_Chosen, bool]:
    ticked, shown, had = (set(form.get(field, ())) for field in (name, f"{name}_shown", f"{name}_had"))
    return {
        one: one.value in ticked
        for one in offered
        if one.value in shown and (one.value in ticked) != (one.value in had)
    }


def _wishes(form: Form, known: Standing, now: datetime) -> Preferences:
    wishes = known.preferences
    frequency, preferred, pause, locale = (
        (form.get(name) or [""])[0] for name in ("frequency", "preferred", "pause", "locale")
    )
    if frequency in set(Frequency):
        wishes = replace(wishes, frequency=Frequency(frequency))
    if preferred == "none":
        wishes = replace(wishes, channel=None)
    elif preferred in {channel.value for channel in known.addressed}:
        wishes = replace(wishes, channel=Channel(preferred))
    if pause == "start" and wishes.rests_until(now) is None:
        wishes = replace(wishes, paused_until=now + PAUSE)
    elif pause == "end":
        wishes = replace(wishes, paused_until=None)
    # Somebody's own way of writing a language (de-AT) is kept while it is that language.
    if locale in LANGUAGES and locale != language_of(known.locale):
        wishes = replace(wishes, locale=locale)
    return wishes


async def read_form(request: Request) -> Form:
    """A form's fields; none of them when it is far too large or has far too many."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            return {}
    try:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return {}

"""The message of a claim, written from what is known of the order at this moment, in its channel's own form."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from activities.links import Links
from activities.messaging.context import build_message, build_short
from activities.messaging.inbox import Note
from activities.messaging.protocol import Message, Push, Text, WhatsApp
from activities.messaging.short import PUSHED
from activities.messaging.templates import Templates
from activities.messaging.text.segments import count
from journey.outcomes import DeliverRequest
from journey.playbook import Channel, Touch
from store.claims import Claim, message_key
from store.messages import MessageFacts, MessageParcel

_LONGEST_PUSH = timedelta(weeks=4)
"""Push services keep a notification for no longer (FCM's and RFC 8030's usual limit)."""


def write(  # noqa: PLR0911  one return a channel
    facts: MessageFacts | None,
    templates: Templates,
    links: Links,
    request: DeliverRequest,
    claim: Claim,
    *,
    touch: Touch,
    now: datetime,
    along: Sequence[MessageFacts] = (),
    callback: str | None = None,
) -> tuple[Message | Note, ...]:
    """The message at `now` of the journey's clock, one for each device where it is a notification.

    Empty when the order has no address on the claim's channel, or is not there any more. `along` are the facts of the
    orders whose messages go along in this one; `callback` is where Twilio tells what became of it.

    Raises:
        TemplateError: there is no such template here, or it cannot be rendered with these facts.
    """
    if facts is None:
        return ()
    key, channel = message_key(request, claim.attempt_class), claim.channel
    if channel is Channel.EMAIL:
        mail = build_message(
            templates,
            links,
            facts,
            touch,
            parcels=_parcels(facts, request),
            subject=request.key,
            key=key,
            message_id=claim.message_id,
            now=now,
            along=along,
        )
        return () if mail is None else (mail,)
    short = build_short(
        templates,
        links,
        facts,
        touch,
        channel,
        parcels=_parcels(facts, request),
        subject=request.key,
        now=now,
        along=along,
    )
    page = links.order(facts.shop, facts.order_id)
    if channel is Channel.INBOX:
        expires = now + touch.patience if touch.marketing else None
        return (Note(facts.shop, facts.order_id, request.key, short.title, short.body, page, now, expires),)
    lasts = None if claim.rings_until is None else claim.rings_until - now
    if channel in PUSHED:
        shown = min(lasts or touch.patience, touch.patience, _LONGEST_PUSH)
        addresses = facts.devices.get(channel, ())
        return tuple(Push(key, address, short.title, short.body, page, key, shown) for address in addresses)
    number = facts.phone_for(touch)
    if not number:
        return ()
    if channel is Channel.SMS:
        return (Text(key, number, short.body, lasts=lasts, callback=callback),)
    language, values = short.language, short.parameters
    return (WhatsApp(key, number, short.template, language, values, short.body, callback=callback),)


def segments(
    facts: MessageFacts | None,
    templates: Templates,
    links: Links,
    request: DeliverRequest,
    *,
    touch: Touch,
    now: datetime,
) -> Mapping[Channel, int]:
    """How many texts the touch would be by SMS, where it bounds that: known before it is decided to send.

    Raises:
        TemplateError: as `write`.
    """
    if facts is None or touch.most_segments is None or Channel.SMS not in touch.channels:
        return {}
    short = build_short(
        templates,
        links,
        facts,
        touch,
        Channel.SMS,
        parcels=_parcels(facts, request),
        subject=request.key,
        now=now,
        along=(),
    )
    return {Channel.SMS: count(short.body).segments}


def _parcels(facts: MessageFacts, request: DeliverRequest) -> Sequence[MessageParcel]:
    """The parcels that the message speaks about, as far as they are still there."""
    wanted = [facts.parcel(number) for number in (request.parcel, *request.parcels)]
    return [parcel for parcel in wanted if parcel is not None]

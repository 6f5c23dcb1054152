"""The message of a claim, written from what is known of the order at this moment."""

from datetime import datetime

from activities.links import Links
from activities.messaging.context import build_message
from activities.messaging.protocol import Mail
from activities.messaging.templates import Templates
from journey.outcomes import DeliverRequest
from journey.playbook import Touch
from store.claims import Claim, message_key
from store.messages import MessageFacts


def write(
    facts: MessageFacts | None,
    templates: Templates,
    links: Links,
    request: DeliverRequest,
    claim: Claim,
    *,
    touch: Touch,
    now: datetime,
) -> Mail | None:
    """The message at `now` of the journey's clock; None when the order has no address, or is not there any more.

    Raises:
        TemplateError: there is no such template here, or it cannot be rendered with these facts.
    """
    if facts is None:
        return None
    return build_message(
        templates,
        links,
        facts,
        touch,
        parcel=facts.parcel(request.parcel),
        subject=request.key,
        key=message_key(request, claim.attempt_class),
        message_id=claim.message_id,
        now=now,
    )

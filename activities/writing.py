"""The message of a claim, written from what is known of the order at this moment."""

from datetime import datetime

from activities.links import Links
from activities.messaging.context import build_message
from activities.messaging.protocol import Mail
from activities.messaging.templates import Templates
from journey.outcomes import DeliverRequest
from journey.playbook import Touch
from store import messages
from store.claims import Claim, message_key
from store.pool import Pool


async def write(
    pool: Pool,
    templates: Templates,
    links: Links,
    request: DeliverRequest,
    claim: Claim,
    *,
    touch: Touch,
    now: datetime,
) -> Mail | None:
    """The message at `now` of the journey's clock; None when the order has no address any more.

    Raises:
        TemplateError: there is no such template here, or it cannot be rendered with these facts.
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: the database failed.
    """
    facts = await messages.load(pool, request.shop, request.order_id)
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

"""From facts to a finished message: money and dates in the customer's own words, links signed, headers set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal

from babel import Locale
from babel.numbers import format_decimal

from activities.links import Links
from activities.messaging.facts import brought, followed, handed_over, promised
from activities.messaging.language import country, locale_of
from activities.messaging.language import day as written_day
from activities.messaging.language import money as written_money
from activities.messaging.mime import header_text
from activities.messaging.protocol import Mail
from activities.messaging.sums import sums_shown
from activities.messaging.templates import Short, Templates
from journey.order import Buyer
from journey.playbook import ABSENCES, Anchor, Channel, Touch
from journey.zones import possible_zones, zone_named
from store.messages import MessageFacts, MessageLine, MessageParcel, MessageRemedy


def _straight(url: str) -> str:
    return url


def _counted(links: Links, facts: MessageFacts, touch_key: str) -> Callable[[str], str]:
    """Leads through our own redirect, so that clicks are known whoever carries the mail."""

    def through(url: str) -> str:
        try:
            return links.click(facts.shop, facts.order_id, touch_key, url)
        except ValueError:
            return url

    return through


def build_message(
    templates: Templates,
    links: Links,
    facts: MessageFacts,
    touch: Touch,
    *,
    parcels: Sequence[MessageParcel],
    subject: str,
    key: str,
    message_id: str,
    now: datetime,
    along: Sequence[MessageFacts] = (),
) -> Mail | None:
    """The mail of one touch at `now` of the journey's clock; None when the person has no address.

    `parcels` are those it speaks about, the one it goes out for first. `subject` is the touch key: its later parts say
    which problem a mail is about.

    Raises:
        TemplateError: the template cannot be filled from these facts.
    """
    to = facts.email_for(touch)
    if to is None:
        return None
    unsubscribe = links.unsubscribe(facts.shop, facts.order_id) if touch.marketing else None
    context = message_context(
        templates,
        links,
        facts,
        touch,
        parcels=parcels,
        subject=subject,
        unsubscribe=unsubscribe,
        now=now,
        along=along,
        # Only marketing is measured: whoever looks for a parcel is not followed.
        through=_counted(links, facts, subject) if touch.marketing else _straight,
    )
    rendered = templates.render(touch.template, context, locale=facts.locale)
    brand = templates.brand_in(facts.locale)
    order = header_text(f"{facts.shop}/{facts.order_id}")
    headers = [("X-Postlude-Order", order), ("X-Postlude-Touch", header_text(subject))]
    if unsubscribe is not None:
        # RFC 8058: one click at the mail program, no page.
        headers += [("List-Unsubscribe", f"<{unsubscribe}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]
    return Mail(
        key=key,
        message_id=message_id,
        sender=brand.sender.address,
        sender_name=brand.sender.name,
        to=to,
        reply_to=brand.support_email,
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        headers=tuple(headers),
    )


def build_short(
    templates: Templates,
    links: Links,
    facts: MessageFacts,
    touch: Touch,
    channel: Channel,
    *,
    parcels: Sequence[MessageParcel],
    subject: str,
    now: datetime,
    along: Sequence[MessageFacts] = (),
) -> Short:
    """The text of one touch for a channel other than email at `now` of the journey's clock.

    Raises:
        TemplateError: the copy has no form for this channel, or it cannot be filled from these facts.
    """
    unsubscribe = links.unsubscribe(facts.shop, facts.order_id) if touch.marketing else None
    context = message_context(
        templates, links, facts, touch, parcels=parcels, subject=subject, unsubscribe=unsubscribe, now=now, along=along
    )
    return templates.render_short(touch.template, channel, context, facts.locale)


def message_context(
    templates: Templates,
    links: Links,
    facts: MessageFacts,
    touch: Touch,
    *,
    parcels: Sequence[MessageParcel],
    subject: str,
    unsubscribe: str | None,
    now: datetime,
    along: Sequence[MessageFacts] = (),
    through: Callable[[str], str] = _straight,
) -> Mapping[str, object]:
    """What a template can read: see `activities.messaging.samples`.

    `along` are further orders of the same customer whose messages go along: their products stand beside this order's.
    `through` is the way of a link that leads to the shop, such as the one that counts clicks.
    """
    locale = locale_of(facts.locale, templates.language(facts.locale))
    zone = zone_named(possible_zones(facts.time_zone, facts.country)[0])

    def money(amount: Decimal) -> str:
        return written_money(amount, facts.currency, locale)

    def whole(value: Decimal) -> str:
        return str(format_decimal(value.quantize(Decimal(1)), locale=locale))

    def day(value: date | None) -> str | None:
        return None if value is None else written_day(value, locale)

    estimates = [one.estimated_delivery for one in facts.parcels if one.estimated_delivery]
    order_page = links.order(facts.shop, facts.order_id)
    brand = templates.brand_in(facts.locale)
    offer = brand.offers.get(touch.offer) if touch.offer else None
    parcel = parcels[0] if parcels else None
    part = parcel.tracking_number if parcel is not None else ""
    remedy = facts.remedies.get(part)
    # A message about some parcels of an order is about what they carry, where that is known.
    spoken_of = _carried(facts.lines, facts.parcels, parcels) if touch.anchor is Anchor.LINES_DELIVERED else facts.lines

    total, parts, each = sums_shown(facts, lambda amount, currency: written_money(amount, currency, locale))

    def clock(moment: datetime) -> str | None:
        return day(moment.astimezone(zone).date())

    return {
        "order": {
            "order_id": facts.order_id,
            "number": facts.shown,
            "shop": facts.shop,
            "placed_on": day(facts.placed_at.astimezone(zone).date()),
            "total": total,
            "currency": facts.currency if facts.sums is None else facts.sums.currency,
            "sums": parts,
            "lines": [
                {
                    "sku": line.sku,
                    "title": line.title,
                    "quantity": line.quantity,
                    **prices,
                    "category": line.category,
                    "kind": line.kind,
                    **asdict(line.more),
                }
                for line, prices in zip(facts.lines, each, strict=True)
            ],
            "estimated_delivery": day(max(estimates)) if estimates else None,
            **handed_over(facts),
            "delivery": brought(facts, lambda code: country(code, locale)),
            "promised": promised(facts, day),
            "refunded": _refunded(facts, touch, subject, locale),
        },
        "customer": {"first_name": facts.first_name, "buyer": facts.buyer},
        "segment": {
            "first_time": facts.buyer == Buyer.FIRST,
            "repeat": facts.buyer == Buyer.REPEAT,
            "categories": sorted({line.category for line in facts.lines if line.category}),
            "country": facts.country,
        },
        "parcel": None
        if parcel is None
        else {**_parcel(parcel, subject, touch, facts.revised, day), **followed(parcel, whole)},
        "parcels": [{**_parcel(one, subject, touch, facts.revised, day), **followed(one, whole)} for one in parcels],
        "remedy": None
        if remedy is None
        else _remedy(remedy, links.remedy(facts.shop, facts.order_id, part), money, clock),
        "products": [
            {
                **product,
                "guides": [{**guide, "url": through(guide["url"])} for guide in product["guides"]],
                "complements": [{**other, "url": through(other["url"])} for other in product["complements"]],
            }
            for product in templates.product_notes(
                [
                    {"sku": line.sku, "title": line.title, "category": line.category, "kind": line.kind}
                    for line in (*spoken_of, *(line for other in along for line in other.lines))
                ],
                locale=facts.locale,
            )
        ],
        "links": {
            "order": order_page,
            "unsubscribe": unsubscribe,
            "preferences": links.preferences(facts.shop, facts.order_id) if unsubscribe else None,
            "review": through(f"{order_page}#review"),
            "shop": through(str(brand.shop_url)),
            "returns_email": f"mailto:{brand.support_email}",
        },
        "offer": None
        if offer is None
        else {
            "code": offer.code,
            "text": offer.text,
            "expires_on": day((now + timedelta(days=offer.valid_days)).date()),
        },
        "touch": {"id": touch.id, "purpose": touch.purpose.value},
    }


def _refunded(facts: MessageFacts, touch: Touch, subject: str, locale: Locale) -> str | None:
    """The sum of the refund that a message is about, else of all of them; None where it is not known."""
    if touch.anchor is not Anchor.REFUND:
        each = [written_money(amount, currency, locale) for currency, amount in facts.paid_back.items()]
        return " + ".join(each) or None
    own = facts.refunds.get(subject.partition(":")[2])
    # A shop may say that all was paid back, and not how much that was.
    return written_money(own.amount, own.currency, locale) if own is not None and own.amount else None


_ABSENT = {
    Anchor.PARCEL_NOT_SCANNED: "no_scan",
    Anchor.PARCEL_STUCK: "stuck",
    Anchor.PARCEL_OVERDUE: "estimate_missed",
    Anchor.PARCEL_NOT_BROUGHT: "not_brought",
}
"""What a message about an absence calls it, in the words of its copy."""


def _carried(
    lines: Sequence[MessageLine], known: Sequence[MessageParcel], parcels: Sequence[MessageParcel]
) -> Sequence[MessageLine]:
    if not parcels or any(parcel.skus is None for parcel in known):
        return lines
    carried = {sku for parcel in parcels for sku in parcel.skus or ()}
    # What travels in no parcel is spoken of with the first one.
    first = any(parcel.number == 1 for parcel in parcels)
    return [line for line in lines if line.sku in carried or (first and line.kind == "digital")]


def _remedy(
    remedy: MessageRemedy, link: str, money: Callable[[Decimal], str], day: Callable[[datetime], str | None]
) -> Mapping[str, object]:
    return {
        "reason": remedy.reason,
        "options": list(remedy.options),
        "amount": money(remedy.amount),
        "choose_by": day(remedy.choose_by),
        "choice": remedy.choice or "",
        "reference": remedy.reference or "",
        "coupon": remedy.coupon or "",
        "link": link,
    }


def _parcel(
    parcel: MessageParcel,
    subject: str,
    touch: Touch,
    revised: Mapping[str, date],
    day: Callable[[date | None], str | None],
) -> Mapping[str, object]:
    _, _, problem = subject.partition(":")
    _, _, reason = problem.rpartition(":")
    planned, before = parcel.estimated_delivery, parcel.first_estimate
    if touch.anchor in ABSENCES and not parcel.pickup:
        # A day that has passed is no plan any more: what is usual from here on takes its place.
        before, planned = planned, revised.get(parcel.tracking_number)
    return {
        # Empty where it was sent without one: nothing is then said of following it.
        "tracking_number": parcel.shown,
        "carrier": parcel.carrier or "",
        "status": parcel.status,
        "estimated_delivery": day(planned),
        "previous_estimate": day(before) if before != planned else None,
        "reason": _ABSENT.get(touch.anchor) or (reason if touch.anchor is Anchor.PARCEL_PROBLEM else parcel.reason),
        "pickup": parcel.pickup,
        "count": parcel.count,
        "number": parcel.number,
    }

"""May this person be written to at all? What they agreed to, and what is implied, judged on answers kept as evidence.

`permits` sees no database and no clock. It knows two kinds of words. A person's own word (a link, a keyword, the
preference centre, their account) decides. A word that somebody else may have spoken for them (a box at a checkout,
which many shops tick by default; an address typed into a form; an imported list) counts as long as no own word is
against it. So an opt-out is undone by the person alone.
"""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from journey.consent_law import Law, law_of
from journey.playbook import Channel, Purpose, Topic

PAUSE = timedelta(days=30)
"""How long the quiet lasts that a customer can ask for."""
_WEEK = timedelta(days=7)


class How(StrEnum):
    """By which way an answer came."""

    ORDER_CHECKBOX = "order_checkbox"
    UNSUBSCRIBE_LINK = "unsubscribe_link"
    ONE_CLICK = "one_click"
    """A mail program's button (RFC 8058)."""
    PREFERENCE_CENTRE = "preference_centre"
    SMS_KEYWORD = "sms_keyword"
    """STOP or START, also where it came by WhatsApp."""
    DOUBLE_OPT_IN_REQUESTED = "double_opt_in_requested"
    DOUBLE_OPT_IN_CONFIRMED = "double_opt_in_confirmed"
    SHOP_API = "shop_api"
    """The shop's word about a customer's account (`customer.updated`)."""
    PURCHASE = "purchase"
    """Nothing was said, something was bought: implied, where the law says so."""
    PROVIDER_OPTOUT = "provider_optout"
    IMPORT = "import"


OWN_WORDS = frozenset(
    {
        How.UNSUBSCRIBE_LINK,
        How.ONE_CLICK,
        How.PREFERENCE_CENTRE,
        How.SMS_KEYWORD,
        How.DOUBLE_OPT_IN_CONFIRMED,
        How.SHOP_API,
        How.PROVIDER_OPTOUT,
    }
)
"""Ways that only the person has."""


class Frequency(StrEnum):
    """How much marketing a customer wishes for."""

    ALL = "all"
    FEWER = "fewer"
    """One message a week at most."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One yes or no, as evidence.

    Attributes:
        channel: what it is about; None for all channels, as with a topic.
        purpose: marketing, in practice: nobody is asked about the rest.
        granted: yes or no.
        at: when it was said, aware.
        how: by which way.
        topic: the one topic it is about, on every channel; None for the channel as a whole.
        jurisdiction: the country the person was in, as far as it was known.
        confirmed: whether it came from the very address it is about, as a link in a message or a reply does.
    """

    channel: Channel | None
    purpose: Purpose
    granted: bool
    at: datetime
    how: How
    topic: Topic | None = None
    jurisdiction: str | None = None
    confirmed: bool = False

    @property
    def own(self) -> bool:
        """Whether only the person can have said it."""
        return self.how in OWN_WORDS


@dataclass(frozen=True, slots=True)
class Policy:
    """What a shop does beyond the law's least.

    Attributes:
        soft_opt_in: countries in which the shop tells buyers, when it takes their address, that it will write about
            similar products and how to object, so that the soft opt-in holds.
        confirm_boxes: countries with double opt-in in which even the shop's own word for a yes (an order's box, the
            account) does not count until it was confirmed here. Elsewhere the shop is taken to have asked properly.
    """

    soft_opt_in: frozenset[str] = frozenset()
    confirm_boxes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether marketing may go, by which rule, and until when that holds (None: until the next word)."""

    allowed: bool
    rule: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a customer wishes for beyond yes and no. The defaults are those of somebody who never said."""

    channel: Channel | None = None
    frequency: Frequency = Frequency.ALL
    paused_until: datetime | None = None
    locale: str | None = None

    def rests_until(self, now: datetime) -> datetime | None:
        """The end of the quiet they asked for, if it has not come by `now`."""
        return self.paused_until if self.paused_until is not None and self.paused_until > now else None

    @property
    def wished_gap(self) -> timedelta | None:
        """How much time they want between two marketing messages; None when they did not say."""
        return _WEEK if self.frequency is Frequency.FEWER else None


_NEEDS_EXPRESS = frozenset({Channel.SMS, Channel.WHATSAPP, Channel.WEB_PUSH, Channel.PUSH})


def permits(
    answers: Sequence[Answer],
    *,
    channel: Channel,
    purpose: Purpose,
    country: str | None,
    region: str | None = None,
    topic: Topic | None = None,
    last_purchase_at: datetime | None = None,
    last_inquiry_at: datetime | None = None,
    now: datetime,
    policy: Policy = Policy(),
) -> Permission:
    """Whether a message of `purpose` may go by `channel`, on all that the person has answered, in any order.

    Args:
        answers: every answer of the person; those about other channels and topics are passed over.
        channel: the way the message would take. The inbox is a page that the person comes to: it needs no yes, and
            a no to it counts.
        purpose: what for; transactional messages need no consent.
        country: where the person is now, ISO 3166 alpha-2; None takes the strictest reading.
        region: the part of the country, as in ISO 3166-2 after the hyphen.
        topic: what the message is about.
        last_purchase_at: when they last bought, for consent that a purchase implies.
        last_inquiry_at: when they last asked for an offer.
        now: the moment of sending, aware.
        policy: what the shop does beyond the law's least.

    Returns:
        The permission, with one of these rules. Allowed: `transactional`, `express`, `implied_purchase`,
        `implied_inquiry`, `soft_opt_in`, `inbox`. Not allowed: `opted_out` (an own word), `no_consent` (another no,
        or nothing), `unconfirmed`, `consent_expired`, `topic_refused`.
    """
    if purpose is Purpose.TRANSACTIONAL:
        return Permission(allowed=True, rule="transactional")
    said = [answer for answer in answers if answer.purpose is purpose]
    held = word_that_holds(said, channel=channel, country=country, policy=policy)
    if held is not None and not held.granted:
        return Permission(allowed=False, rule="opted_out" if held.own else "no_consent")
    if topic is not None and topic in topics_refused(said):
        return Permission(allowed=False, rule="topic_refused")
    if held is not None or channel is Channel.INBOX:
        return Permission(allowed=True, rule="express" if held is not None else "inbox")
    if channel not in _NEEDS_EXPRESS:
        paid = (answer for answer in said if answer.how is How.PURCHASE and answer.granted)
        bought = [answer.at for answer in paid if _about(answer, channel)]
        last = max([*bought, *([last_purchase_at] if last_purchase_at else [])], default=None)
        law = law_of(country, region, now.date())
        implied = _implied(law, last, last_inquiry_at, now, soft=(country or "").upper() in policy.soft_opt_in)
        if implied is not None:
            return implied
    asked = any(_about(answer, channel) and answer.granted and answer.how is not How.PURCHASE for answer in said)
    return Permission(allowed=False, rule="unconfirmed" if asked else "no_consent")


def word_that_holds(
    answers: Sequence[Answer],
    *,
    channel: Channel,
    country: str | None,
    policy: Policy = Policy(),
) -> Answer | None:
    """The answer that counts for a channel as a whole; None when nothing that counts was said.

    The newest one, except that a yes which is not the person's own does not undo a no that is. Of two at the same
    moment the no counts.
    """
    words = [answer for answer in answers if _about(answer, channel) and _counts(answer, country, policy)]
    if not words:
        return None
    newest = max(words, key=_age)
    if newest.granted and not newest.own:
        own = max((word for word in words if word.own), key=_age, default=None)
        if own is not None and not own.granted:
            return own
    return newest


def topics_refused(answers: Sequence[Answer]) -> frozenset[Topic]:
    """The topics that the person's newest word about them is a no to, on whichever channel."""
    newest: dict[Topic, Answer] = {}
    for answer in sorted((answer for answer in answers if answer.topic is not None), key=_age):
        if answer.topic is not None:
            newest[answer.topic] = answer
    return frozenset(topic for topic, answer in newest.items() if not answer.granted)


def needs_confirmation(channel: Channel, country: str | None, now: datetime) -> bool:
    """Whether a yes for this channel counts only once it was confirmed from the address itself."""
    return channel in {Channel.EMAIL, Channel.SMS, Channel.WHATSAPP} and law_of(country, None, now.date()).confirm


def _about(answer: Answer, channel: Channel) -> bool:
    return answer.topic is None and answer.channel is channel


def _age(answer: Answer) -> tuple[datetime, bool, bool]:
    # Of two words at one moment the no counts, and of two noes the person's own.
    return answer.at, not answer.granted, answer.own


def _counts(answer: Answer, country: str | None, policy: Policy) -> bool:
    """Whether it is an answer at all by the law of its own time and place. A no always is."""
    if answer.how is How.PURCHASE:
        return False
    if not answer.granted or answer.confirmed or answer.channel is None:
        return True
    where = answer.jurisdiction or country
    if not needs_confirmation(answer.channel, where, answer.at):
        return True
    if answer.how in {How.ORDER_CHECKBOX, How.SHOP_API, How.IMPORT}:
        return (where or "").upper() not in policy.confirm_boxes
    # A reply by keyword and a confirmed request come from the address by their nature.
    return answer.how in {How.DOUBLE_OPT_IN_CONFIRMED, How.SMS_KEYWORD}


def _implied(
    law: Law, purchase: datetime | None, inquiry: datetime | None, now: datetime, *, soft: bool
) -> Permission | None:
    """The implied consent that lasts longest, or that it has expired; None where the law knows of none."""
    grounds: list[tuple[str, datetime | None]] = []
    if purchase is not None and law.purchase_months is not None:
        grounds.append(("implied_purchase", _months_after(purchase, law.purchase_months)))
    if inquiry is not None and law.inquiry_months is not None:
        grounds.append(("implied_inquiry", _months_after(inquiry, law.inquiry_months)))
    if purchase is not None and law.soft_opt_in and soft:
        grounds.append(("soft_opt_in", _months_after(purchase, law.soft_months) if law.soft_months else None))
    if not grounds:
        return None
    rule, end = max(grounds, key=lambda ground: (ground[1] is None, ground[1] or now))
    if end is not None and now >= end:
        return Permission(allowed=False, rule="consent_expired", expires_at=end)
    return Permission(allowed=True, rule=rule, expires_at=end)


def _months_after(moment: datetime, months: int) -> datetime:
    """The same day of the month, so many months on; the month's last day where it has no such day."""
    years, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))

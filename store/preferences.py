"""What customers choose for themselves: channels, topics, how often, a pause, their language."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from journey.consent import Answer, Frequency, How, Policy, Preferences, needs_confirmation
from journey.playbook import Channel, Purpose, Topic
from store import consents, double_opt_in
from store.consents import Evidence
from store.double_opt_in import Pending
from store.of_order import ITS_CUSTOMER
from store.pool import Connection, Pool
from store.standing import NUMBERS, Standing, standing

MARKETED = (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP, Channel.WEB_PUSH, Channel.PUSH)
"""The channels that reach out to people, which "nothing at all" switches off."""

CHANGES_A_DAY: Final = 20
"""Answers of an order's customer that its links can change in a day; after that only a no is taken."""

_LEAST = Policy()
_DAY: Final = timedelta(days=1)
_DEAD: Final = frozenset({"bounced", "complained"})
_OWNER = f"""
SELECT c.customer_id, c.country, c.email, c.phone FROM orders o {ITS_CUSTOMER}
WHERE o.shop = $1 AND o.order_id = $2
"""  # noqa: S608  a constant
_LATELY = """
SELECT count(*) FROM consents WHERE shop = $1 AND customer_id = $2 AND evidence = $3 AND at > $4
   AND how IN ('preference_centre', 'double_opt_in_requested')
"""
_SAVE = """
INSERT INTO preferences (shop, customer_id, channel_preferred, frequency, paused_until, locale, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (shop, customer_id) DO UPDATE SET
    channel_preferred = excluded.channel_preferred, frequency = excluded.frequency,
    paused_until = excluded.paused_until, locale = excluded.locale, updated_at = excluded.updated_at
"""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a customer changed.

    Attributes:
        preferences: all their wishes as they stand now.
        channels: yes or no, only for those they changed.
        topics: the same.
        everything_off: no to every channel; what `channels` says is then passed over.
        wordings: the text they saw beside each, kept as evidence.
    """

    preferences: Preferences
    channels: Mapping[Channel, bool] = field(default_factory=dict)
    topics: Mapping[Topic, bool] = field(default_factory=dict)
    everything_off: bool = False
    wordings: Mapping[Channel | Topic, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of it: the double opt-ins to send links for, and whether `too_many` changes were made by now."""

    asked: tuple[Pending, ...] = ()
    too_many: bool = False


async def load(pool: Pool, shop: str, order_id: str) -> Standing | None:
    """Where the customer of an order stands; None when there is no such order."""
    async with pool.acquire() as connection:
        owner = await connection.fetchrow(_OWNER, shop, order_id)
        return await standing(connection, shop, owner["customer_id"]) if owner else None


def proven_by(via: Channel) -> frozenset[Channel]:
    """The channels whose address somebody has who follows a link that came by `via`."""
    return NUMBERS if via in NUMBERS else frozenset({via})


def proves_person(via: Channel) -> bool:
    """Whether a link that came by `via` came to an address of the customer's own, and not by an order's page."""
    return via in NUMBERS | {Channel.EMAIL}


def asks_first(known: Standing, channel: Channel, via: Channel, at: datetime) -> bool:
    """Whether a yes for `channel` counts only once the address itself has confirmed it.

    Always where it would overturn a no of their own: mails are forwarded and pages passed on, so a link shows who was
    written to, not who holds it now. Else where the law wants it and the link did not come to that address.
    """
    if known.refused_by_person(channel):
        return True
    return channel not in proven_by(via) and needs_confirmation(channel, known.country, at)


def within(wishes: Preferences, before: Preferences, via: Channel, at: datetime) -> Preferences:
    """The wishes as far as a link that came by `via` may change them: one that proves nobody asks for no more."""
    if proves_person(via):
        return wishes
    rests = before.rests_until(at)
    fewer = Frequency.FEWER if before.frequency is Frequency.FEWER else wishes.frequency
    return replace(wishes, frequency=fewer, paused_until=rests or wishes.paused_until)


async def choose(
    pool: Pool,
    *,
    shop: str,
    order_id: str,
    via: Channel,
    choices: Choices,
    at: datetime,
    source_hash: str | None = None,
    policy: Policy = _LEAST,
) -> Chosen | None:
    """Write down what the customer of an order chose, each change of consent as evidence; what is so already stays.

    A yes counts at once, except where `asks_first`: then it is only asked for, and comes back to be sent a link. A no
    counts always; a yes does not once `CHANGES_A_DAY` were made.

    Args:
        pool: the database.
        shop: the order's shop.
        order_id: the order whose message had the link.
        via: the channel that message took.
        choices: what they changed.
        at: when, aware.
        source_hash: as `consents.Evidence` has it.
        policy: what the shop does about consent beyond the law's least.

    Returns:
        What became of it; None when there is no such order.
    """
    async with pool.acquire() as connection, connection.transaction():
        owner = await connection.fetchrow(_OWNER + " FOR UPDATE OF c", shop, order_id)
        known = await standing(connection, shop, owner["customer_id"]) if owner else None
        if known is None:
            return None
        reference = f"order {order_id}"
        lately = await connection.fetchval(_LATELY, shop, owner["customer_id"], reference, at - _DAY)
        writer = _Writer(connection, shop, owner, known, via, choices, at, reference, source_hash, policy, lately)
        channels = dict.fromkeys(MARKETED, False) if choices.everything_off else choices.channels
        asked = [await writer.channel(channel, granted=granted) for channel, granted in channels.items()]
        for topic, granted in choices.topics.items():
            await writer.topic(topic, granted=granted)
        wishes = within(choices.preferences, known.preferences, via, at)
        if wishes != known.preferences:
            preferred = wishes.channel.value if wishes.channel else None
            row = (preferred, wishes.frequency.value, wishes.paused_until, wishes.locale, at)
            await connection.execute(_SAVE, shop, owner["customer_id"], *row)
    return Chosen(tuple(pending for pending in asked if pending is not None), writer.too_many(channels, choices.topics))


@dataclass(frozen=True, slots=True)
class _Writer:
    """One customer's changes, inside one transaction."""

    connection: Connection
    shop: str
    owner: Any
    known: Standing
    via: Channel
    choices: Choices
    at: datetime
    reference: str
    source_hash: str | None
    policy: Policy
    lately: int

    def too_many(self, *wanted: Mapping[Any, bool]) -> bool:
        """Whether a yes is among these and is one too many."""
        return self.lately >= CHANGES_A_DAY and any(granted for choices in wanted for granted in choices.values())

    async def channel(self, channel: Channel, *, granted: bool) -> Pending | None:
        if self._is_so(channel, granted=granted) or (granted and self.lately >= CHANGES_A_DAY):
            return None
        address = self._address(channel)
        evidence = self._evidence(channel)
        country, customer = self.owner["country"], self.owner["customer_id"]
        if granted and asks_first(self.known, channel, self.via, self.at):
            # Of notifications the mailbox is asked: a device may be anybody's.
            asked = channel if channel in NUMBERS else Channel.EMAIL
            address = self._address(asked)
            if address is None or self.known.suppressed.get(asked) in _DEAD:
                return None
            return await double_opt_in.ask(
                self.connection,
                self.shop,
                customer,
                channel,
                address=address,
                country=country,
                locale=self.known.locale,
                at=self.at,
                evidence=evidence,
            )
        await self._write(channel, None, evidence, granted=granted, confirmed=channel in proven_by(self.via))
        if address is not None and not granted:
            await consents.suppress(self.connection, self.shop, channel, address, at=self.at)
        return None

    async def topic(self, topic: Topic, *, granted: bool) -> None:
        if granted and (self.lately >= CHANGES_A_DAY or not proves_person(self.via)):
            return
        if granted == (topic in self.known.topics_refused):
            await self._write(None, topic, self._evidence(topic), granted=granted, confirmed=True)

    def _is_so(self, channel: Channel, *, granted: bool) -> bool:
        rule = self.known.permission(channel, Purpose.MARKETING, now=self.at, policy=self.policy).rule
        listed = channel in self.known.suppressed
        if granted:
            return rule == "express" and not listed
        return rule == "opted_out" and (listed or channel not in self.known.addressed)

    def _address(self, channel: Channel) -> str | None:
        found = self.owner["email"] if channel is Channel.EMAIL else self.owner["phone"] if channel in NUMBERS else None
        return found or None

    def _evidence(self, about: Channel | Topic) -> Evidence:
        wording = self.choices.wordings.get(about)
        return Evidence(How.PREFERENCE_CENTRE.value, self.reference, wording, self.source_hash)

    async def _write(
        self, channel: Channel | None, topic: Topic | None, evidence: Evidence, *, granted: bool, confirmed: bool
    ) -> None:
        country = self.owner["country"]
        how = How.PREFERENCE_CENTRE
        said = Answer(channel, Purpose.MARKETING, granted, self.at, how, topic, country, confirmed)
        await consents.write(self.connection, self.shop, self.owner["customer_id"], said, evidence)

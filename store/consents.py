"""Consent as it is kept: every answer a row of evidence, and what an address says for everybody who has it.

The rules are `journey.consent`'s; here are the rows they are judged on. `suppressions` says the same by address, so
that an opt-out outlives a customer's record; the two are kept in step here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from journey.consent import Answer, How, word_that_holds
from journey.keywords import Word, heard
from journey.playbook import Channel, Purpose
from store import cleaning
from store.message_feedback import MessageFeedback
from store.pool import Connection
from store.standing import ANY, NUMBERS, standing

EVERYWHERE = ""
"""The shop of a suppression that holds in every shop."""
_ADDRESS_LENGTH = 40

_ANSWER = """
INSERT INTO consents (shop, customer_id, channel, purpose, topic, granted, source, how, evidence, at, confirmed,
                      jurisdiction, wording, source_hash)
SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::boolean, $7::text, $8::text, $9::text, $10::timestamptz,
       $11::boolean, $12::text, $13::text, $14::text
WHERE NOT EXISTS (
    SELECT 1 FROM consents
    WHERE shop = $1 AND customer_id = $2 AND channel = $3 AND purpose = $4 AND topic IS NOT DISTINCT FROM $5
      AND granted = $6 AND source = $7 AND evidence IS NOT DISTINCT FROM $9 AND at = $10)
RETURNING true
"""

_SUPPRESS = """
INSERT INTO suppressions (shop, channel, address, reason, at) VALUES ($1, $2, $3, 'opted_out', $4)
ON CONFLICT (shop, channel, address) DO UPDATE SET at = greatest(suppressions.at, excluded.at)
WHERE suppressions.reason = 'opted_out'
"""
_LIFT = """
DELETE FROM suppressions
WHERE channel = $2 AND address = $3 AND reason = 'opted_out' AND at < $4
  AND ($1::text IS NULL OR shop = $1 OR shop = '')
"""
# Whoever gave the address for an order counts as well, but for a yes: that is of the address which is their own.
_OF_NUMBER = """
SELECT shop, customer_id, country FROM customers WHERE (shop, customer_id) IN (
    SELECT shop, customer_id FROM customers WHERE phone = $1
    UNION ALL SELECT shop, customer_id FROM orders WHERE contact_phone = $1 AND NOT $3)
  AND ($2::text IS NULL OR shop = $2)
ORDER BY shop, customer_id FOR UPDATE
"""
_OF_EMAIL = """
SELECT shop, customer_id, country FROM customers WHERE (shop, customer_id) IN (
    SELECT shop, customer_id FROM customers WHERE lower(email) = $1
    UNION ALL SELECT shop, customer_id FROM orders WHERE lower(contact_email) = $1 AND NOT $3)
  AND ($2::text IS NULL OR shop = $2)
ORDER BY shop, customer_id FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What goes with an answer when it is questioned.

    Attributes:
        source: who brought it: the kind of event, or the way itself.
        reference: what to look up, such as `order 1001`; no personal data.
        wording: the text they agreed to, as they saw it.
        source_hash: a keyed hash of the network address, see `activities.links.Links.source_hash`.
    """

    source: str
    reference: str | None = None
    wording: str | None = None
    source_hash: str | None = None


async def write(connection: Connection, shop: str, customer_id: str, answer: Answer, evidence: Evidence) -> bool:
    """Keep an answer as evidence; False when this very answer is kept already.

    In a transaction that holds the customer's row, so that two who bring the same answer take turns.
    """
    return bool(await connection.fetchval(_ANSWER, *_row(shop, customer_id, answer, evidence)))


async def write_all(
    connection: Connection, shop: str, customer_id: str, answers: Iterable[Answer], evidence: Evidence
) -> None:
    """Keep several answers, each once, in one trip to the database; otherwise as `write`."""
    rows = [_row(shop, customer_id, answer, evidence) for answer in answers]
    if rows:
        await connection.executemany(_ANSWER, rows)


def _row(shop: str, customer_id: str, answer: Answer, evidence: Evidence) -> tuple[object, ...]:
    """The arguments of `_ANSWER`."""
    return (
        shop,
        customer_id,
        answer.channel.value if answer.channel else ANY,
        answer.purpose.value,
        answer.topic.value if answer.topic else None,
        answer.granted,
        evidence.source,
        answer.how.value,
        evidence.reference,
        answer.at,
        answer.confirmed,
        answer.jurisdiction,
        evidence.wording,
        evidence.source_hash,
    )


async def suppress(connection: Connection, shop: str, channel: Channel, address: str, *, at: datetime) -> None:
    """Put an address on the list as opted out; a stricter reason that stands there stays."""
    await connection.execute(_SUPPRESS, shop, channel.value, _listed(channel, address), at)


async def lift(connection: Connection, shop: str | None, channel: Channel, address: str, *, at: datetime) -> None:
    """Take an opt-out from before `at` off the list, of one shop or of all; never a bounce or a complaint."""
    await connection.execute(_LIFT, shop, channel.value, _listed(channel, address), at)


async def address_says(
    connection: Connection,
    *,
    shop: str | None,
    channel: Channel,
    address: str,
    granted: bool,
    how: How,
    at: datetime,
    evidence: Evidence,
) -> list[tuple[str, str]]:
    """A word from an address itself: it goes for every customer who has it, and for whoever will.

    An opt-out is put on the suppression list also where nobody has the address. A yes takes an earlier opt-out off
    it. Saying it again, or late, after a newer word to the contrary, changes nothing but the evidence.

    Args:
        connection: in a transaction.
        shop: whose sender was spoken to; None where that cannot be told: then it goes for every shop that knows the
            address, and for all shops where none does.
        channel: what it is about.
        address: as the provider writes it; for numbers with or without `+` or `whatsapp:`.
        granted: yes or no.
        how: by which way.
        at: when it was said, aware.
        evidence: to be kept with it.

    Returns:
        The customers it was written down for, as (shop, customer id).
    """
    known = normal_address(channel, address)
    if known is None:
        return []
    query = _OF_NUMBER if channel in NUMBERS else _OF_EMAIL
    people = await connection.fetch(query, known, shop, granted) if channel in NUMBERS | {Channel.EMAIL} else []
    outdated = False
    for person in people:
        whose = (person["shop"], person["customer_id"])
        said = Answer(channel, Purpose.MARKETING, granted, at, how, jurisdiction=person["country"], confirmed=True)
        await write(connection, *whose, said, evidence)
        outdated |= not granted and await _stands_granted(connection, *whose, channel)
    if granted:
        await lift(connection, shop, channel, known, at=at)
    elif not outdated:
        shops = {person["shop"] for person in people}
        for one in shops if shop is None and shops else {shop or EVERYWHERE}:
            await suppress(connection, one, channel, known, at=at)
    return [(person["shop"], person["customer_id"]) for person in people]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a customer's own text said. `people` are the customers with that number, as (shop, customer id).

    `help_due`: an answer that names the shop and the way out is owed (47 CFR 64.1200(a)(12) and the carriers' rules).
    """

    word: Word
    people: tuple[tuple[str, str], ...] = ()

    @property
    def help_due(self) -> bool:
        """Whether they asked for help."""
        return self.word is Word.HELP


async def hear(
    connection: Connection,
    *,
    shop: str | None,
    channel: Channel,
    address: str,
    text: str,
    at: datetime,
    provider: str,
) -> Heard:
    """Act on what somebody texted to us: STOP and START at once, HELP by saying that an answer is due.

    Args:
        connection: in a transaction.
        shop: whose number was written to; None where that cannot be told.
        channel: sms or whatsapp.
        address: who wrote, as the provider has it.
        text: their words.
        at: when, aware.
        provider: who brought it; kept as evidence, with the word but without the text.
    """
    word = heard(text)
    if word in {Word.STOP, Word.START}:
        evidence = Evidence(source=How.SMS_KEYWORD.value, reference=f"{provider} {word.value.lower()}")
        people = await address_says(
            connection,
            shop=shop,
            channel=channel,
            address=address,
            granted=word is Word.START,
            how=How.SMS_KEYWORD,
            at=at,
            evidence=evidence,
        )
        return Heard(word, tuple(people))
    if word is Word.HELP and (number := normal_address(channel, address)) is not None:
        found = await connection.fetch(_OF_NUMBER, number, shop, False)
        return Heard(word, tuple((person["shop"], person["customer_id"]) for person in found))
    return Heard(word)


async def replied(connection: Connection, event: MessageFeedback, *, shop: str | None = None) -> Heard:
    """Act on what a person said back to a message: `hear` their text, or take the provider's word for an opt-out.

    A mail's words are not heard: anybody can write in another's name.

    Args:
        connection: in a transaction.
        event: of kind `replied` or `opted_out`.
        shop: whose message it was, where that is known; else the message's own key tells, if it does.
    """
    named, slash, _ = (event.key or "").partition("/")
    shop = shop or event.shop or (named if slash else None)
    if event.address is None:
        return Heard(Word.NONE)
    if event.kind == "opted_out":
        people = await address_says(
            connection,
            shop=shop,
            channel=event.channel,
            address=event.address,
            granted=False,
            how=How.PROVIDER_OPTOUT,
            at=event.at,
            evidence=Evidence(How.PROVIDER_OPTOUT.value, f"{event.provider} {event.reason or event.kind}"),
        )
        return Heard(Word.STOP, tuple(people))
    if event.kind != "replied" or event.channel not in NUMBERS:
        return Heard(Word.NONE)
    # Providers that read replies themselves say what they read; the text may then be in any language.
    words = event.reason if event.reason in {"STOP", "START", "HELP"} else event.text
    return await hear(
        connection,
        shop=shop,
        channel=event.channel,
        address=event.address,
        text=words or "",
        at=event.at,
        provider=event.provider,
    )


async def mirror(
    connection: Connection, shop: str, customer_id: str, channels: Iterable[Channel], at: datetime
) -> None:
    """Take the customer's addresses off the list where their own word at `at` is a yes that holds."""
    person = await connection.fetchrow(
        "SELECT email, phone FROM customers WHERE shop = $1 AND customer_id = $2", shop, customer_id
    )
    for channel in channels:
        address = person["email"] if channel is Channel.EMAIL else person["phone"] if channel in NUMBERS else None
        if address and await _stands_granted(connection, shop, customer_id, channel):
            await lift(connection, shop, channel, address, at=at)


def normal_address(channel: Channel, address: str) -> str | None:
    """An address as customers' rows and the list have it; None when nothing usable is left of it."""
    if channel in NUMBERS:
        number = address.strip().lower().removeprefix("whatsapp:").strip()
        full = number if number.startswith("+") else f"+{number}"
        # A short code is no number of any country, and may be stopped all the same.
        return cleaning.phone(full, None) or "".join(filter(str.isdecimal, number))[:_ADDRESS_LENGTH] or None
    if channel is Channel.EMAIL:
        usable = cleaning.email(address)
        return usable.lower() if usable else None
    return cleaning.plain(address, 10 * _ADDRESS_LENGTH) or None


async def _stands_granted(connection: Connection, shop: str, customer_id: str, channel: Channel) -> bool:
    found = await standing(connection, shop, customer_id)
    held = word_that_holds(found.answers, channel=channel, country=found.country) if found else None
    return held is not None and held.granted


def _listed(channel: Channel, address: str) -> str:
    return address.lower() if channel is Channel.EMAIL else address

"""Double opt-ins: asked for by anybody, confirmed by whoever reads what is sent to the address."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from journey.consent import Answer, How
from journey.playbook import Channel, Purpose
from store import consents
from store.consents import Evidence
from store.pool import Connection, Pool
from store.standing import NUMBERS

LASTS = timedelta(days=30)
"""How long one may be confirmed; after that it has to be asked for again."""
PAUSE = timedelta(days=1)
"""Within this nobody is sent a second link, however often a form is sent."""

_LATELY = """
SELECT nonce FROM double_opt_ins
WHERE shop = $1 AND customer_id = $2 AND channel = $3 AND address = $4 AND confirmed_at IS NULL AND requested_at > $5
"""
_INSERT = """
INSERT INTO double_opt_ins (nonce, shop, customer_id, channel, address, wording, requested_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# A link that went to an address which is no longer the customer's proves nothing any more.
_FIND = """
SELECT d.*, c.country, coalesce(p.locale, c.locale) AS locale
FROM double_opt_ins d JOIN customers c USING (shop, customer_id) LEFT JOIN preferences p USING (shop, customer_id)
WHERE d.nonce = $1 AND (d.confirmed_at IS NOT NULL OR d.requested_at > $2)
  AND d.address = CASE WHEN d.channel IN ('sms', 'whatsapp') THEN c.phone ELSE lower(c.email) END
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """One that was asked for. `nonce` goes, in a signed link, to the customer's address of that channel.

    Of notifications it goes to their mailbox: whoever holds an order's link may have registered a device.

    `fresh` is False for one whose link went out lately: it is not to be sent again. `locale` is the customer's.
    """

    nonce: str
    shop: str
    customer_id: str
    channel: Channel
    locale: str
    fresh: bool = True
    confirmed: bool = False


async def ask(
    connection: Connection,
    shop: str,
    customer_id: str,
    channel: Channel,
    *,
    address: str,
    country: str | None,
    locale: str,
    at: datetime,
    evidence: Evidence,
) -> Pending:
    """Write down that somebody asked for marketing by `channel`, and make what its address has to bring back.

    Args:
        connection: in a transaction that holds the customer's row.
        shop: the customer's shop.
        customer_id: whose record it is for.
        channel: any but the inbox.
        address: theirs that has to confirm it, as the record has it: a number for texts, else their mailbox.
        country: where they are.
        locale: in which language to write to them.
        at: when, aware.
        evidence: of the request; its wording is kept with the confirmation too.
    """
    listed = address if channel in NUMBERS else address.lower()
    lately = await connection.fetchval(_LATELY, shop, customer_id, channel.value, listed, at - PAUSE)
    if lately is not None:
        return Pending(lately, shop, customer_id, channel, locale, fresh=False)
    how = How.DOUBLE_OPT_IN_REQUESTED
    request = Answer(channel, Purpose.MARKETING, granted=True, at=at, how=how, jurisdiction=country)
    await consents.write(connection, shop, customer_id, request, evidence)
    nonce = secrets.token_urlsafe(16)
    await connection.execute(_INSERT, nonce, shop, customer_id, channel.value, listed, evidence.wording, at)
    return Pending(nonce, shop, customer_id, channel, locale)


async def forget(pool: Pool, nonce: str) -> None:
    """Take back one whose link could not be sent, so that it may be asked for again at once; never a confirmed one."""
    await pool.execute("DELETE FROM double_opt_ins WHERE nonce = $1 AND confirmed_at IS NULL", nonce)


async def find(pool: Pool, nonce: str, *, now: datetime) -> Pending | None:
    """One that is still good, or was confirmed; None when it never was, is too old, or the address changed since."""
    row = await pool.fetchrow(_FIND, nonce, now - LASTS)
    if row is None:
        return None
    confirmed = row["confirmed_at"] is not None
    return Pending(nonce, row["shop"], row["customer_id"], Channel(row["channel"]), row["locale"], confirmed=confirmed)


async def confirm(pool: Pool, nonce: str, *, at: datetime, source_hash: str | None = None) -> bool:
    """Take the word of the address itself: the yes counts from `at`. False when there is none that is still good.

    Once only: a link that is followed again after a later opt-out does not undo that.
    """
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_FIND + " FOR UPDATE OF c, d", nonce, at - LASTS)
        if row is None:
            return False
        if row["confirmed_at"] is not None:
            return True
        channel, how = Channel(row["channel"]), How.DOUBLE_OPT_IN_CONFIRMED
        answer = Answer(
            channel, Purpose.MARKETING, granted=True, at=at, how=how, jurisdiction=row["country"], confirmed=True
        )
        asked = f"asked for at {row['requested_at'].isoformat()}"
        evidence = Evidence(how.value, asked, row["wording"], source_hash)
        await consents.write(connection, row["shop"], row["customer_id"], answer, evidence)
        await consents.lift(connection, row["shop"], channel, row["address"], at=at)
        await connection.execute("UPDATE double_opt_ins SET confirmed_at = $2 WHERE nonce = $1", nonce, at)
    return True

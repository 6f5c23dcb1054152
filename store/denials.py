"""How often an order's page has said that a parcel never came, or came after all."""

from datetime import datetime, timedelta

from store.pool import Pool

# In two parts, as its indices are: what is still to be dispatched, and what was.
_LATELY = """
SELECT (SELECT count(*) FROM inbox
        WHERE subject = $1 AND status IN ('pending', 'waiting') AND source = $2 AND received_at > $3)
     + (SELECT count(*) FROM inbox WHERE subject = $1 AND status = 'dispatched' AND source = $2 AND received_at > $3)
"""
DAY = timedelta(days=1)


async def said_lately(pool: Pool, subject: str, source: str, *, at: datetime) -> int:
    """Words of a source about a subject in the day before `at` (UTC)."""
    return int(await pool.fetchval(_LATELY, subject, source, at - DAY))

"""The ledger's statements."""

from store.of_order import ITS_CUSTOMER
from store.standing import COLUMNS, OF_ORDER

# Columns of a message's latest row `l`: what `ledger_rows.latest` reads.
_LATEST = """
       l.id, l.status, l.rule, l.at, l.until, l.why, l.claim, l.attempt_class, l.message_id, l.provider, l.channel,
       l.again, l.asked_at, clock_timestamp() - l.claimed_at AS age, l.lease_until - clock_timestamp() AS rest
"""
# What was sent under any name was sent, also when that word came after the message was claimed once more.
_LATEST_FIRST = "ORDER BY (status = 'sent') DESC, attempt_class DESC LIMIT 1"
# Everything that a decision is made of. What was sent, may have been sent, or is being sent counts against the caps;
# what waits may own a slot ahead; a held row with a claim may have gone out.
EVIDENCE = f"""
SELECT o.status AS order_status, o.ended_at, c.customer_id, c.time_zone,
       {COLUMNS.strip()},
       {OF_ORDER.strip()},
       {_LATEST.strip()},
       ARRAY(SELECT f.channel || ' ' || f.rule FROM ledger f
              WHERE f.shop = o.shop AND f.order_id = o.order_id AND f.touch_key = $3
                AND f.status IN ('refused', 'failed') AND f.provider IS NOT NULL
              ORDER BY f.attempt_class) AS failed,
       CASE WHEN $4 THEN (SELECT json_agg(w) FROM (
           SELECT touch, status = 'held' AND claim IS NULL AS waiting, priority, at, until, order_id, touch_key,
                  channel, purpose, merge, rule
           FROM ledger
           WHERE shop = c.shop AND customer_id = c.customer_id AND (purpose = 'marketing' OR $8)
             AND status IN ('claimed', 'sent', 'held', 'in_doubt')
             AND ((status <> 'held' OR claim IS NOT NULL) AND at BETWEEN $5 AND $7
                  OR status = 'held' AND claim IS NULL AND until > $6)) w) END AS contacts,
       CASE WHEN $4 THEN ARRAY(
           SELECT e.at FROM ledger s JOIN message_events e ON e.ledger_id = s.id
           WHERE s.shop = c.shop AND s.customer_id = c.customer_id AND s.status = 'sent'
             AND s.at > $5 - interval '180 days' AND e.kind = 'opened' AND NOT e.machine
           ORDER BY e.at DESC LIMIT 200) END AS opens
FROM orders o
{ITS_CUSTOMER}
LEFT JOIN preferences p ON p.shop = c.shop AND p.customer_id = c.customer_id
LEFT JOIN LATERAL (
    SELECT * FROM ledger WHERE shop = o.shop AND order_id = o.order_id AND touch_key = $3 {_LATEST_FIRST}) l ON true
WHERE o.shop = $1 AND o.order_id = $2
"""  # noqa: S608  only constants are put in
# Whether the message that took this one along went, or still may; `why` of a row names it as `ORDER TOUCH`.
TAKEN_BY = """
SELECT m.status, m.rule, m.until FROM ledger m
WHERE m.shop = $1 AND m.order_id = $2 AND m.touch_key = $3
ORDER BY (m.status = 'sent') DESC, m.attempt_class DESC LIMIT 1
"""
LEFT_BEHIND = "UPDATE ledger SET rule = 'left_behind', why = NULL WHERE id = $1 AND rule = 'merged'"
LATEST = f"""
SELECT {_LATEST.strip()} FROM ledger l WHERE shop = $1 AND order_id = $2 AND touch_key = $3 {_LATEST_FIRST}
"""  # noqa: S608  as above
# Under this a decision is made, written and committed. Whatever it is made of is changed under a lock on the same
# customer, or on the same order; the customer first, as everywhere.
LOCK = """
SELECT c.customer_id FROM orders o, LATERAL (
    SELECT customer_id FROM customers WHERE shop = o.shop AND customer_id = o.customer_id OFFSET 0 FOR NO KEY UPDATE) c
WHERE o.shop = $1 AND o.order_id = $2 FOR NO KEY UPDATE OF o
"""
REOPEN = "UPDATE orders SET ended_at = NULL, ended_why = NULL WHERE shop = $1 AND order_id = $2"
WRITE = """
INSERT INTO ledger (shop, order_id, touch_key, attempt_class, touch, purpose, channel, priority, customer_id,
                    status, rule, due, at, until, claim, claimed_at, lease_until, message_id, provider, asked_at, again,
                    why, merge)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
       CASE WHEN $15::uuid IS NOT NULL THEN clock_timestamp() END,
       CASE WHEN $15::uuid IS NOT NULL THEN clock_timestamp() + $22::interval END, $16, $17, $18, $19, $20, $21
ON CONFLICT (shop, order_id, touch_key, attempt_class) DO UPDATE SET
    status = excluded.status, rule = excluded.rule, due = excluded.due, at = excluded.at, until = excluded.until,
    claim = excluded.claim, claimed_at = excluded.claimed_at, lease_until = excluded.lease_until,
    message_id = excluded.message_id, provider = excluded.provider, priority = excluded.priority,
    channel = excluded.channel, why = excluded.why, asked_at = coalesce(ledger.asked_at, excluded.asked_at)
    WHERE ledger.status IN ('held', 'refused') AND ledger.rule IS DISTINCT FROM 'merged'
RETURNING id
"""
# Its holder is alive and at work on it.
RENEW = """
UPDATE ledger SET lease_until = clock_timestamp() + $3::interval
WHERE id = $1 AND claim = $2 AND status = 'claimed' AND lease_until > clock_timestamp() RETURNING id
"""
# Another provider takes the message over that the first was too busy for: the claim's age begins anew with it.
HAND_OVER = """
UPDATE ledger SET provider = $3, claimed_at = clock_timestamp(), lease_until = clock_timestamp() + $4::interval
WHERE id = $1 AND claim = $2 AND status = 'claimed' RETURNING id
"""
# What goes along in another message needs none of its own. A cancelled order sells nothing there either.
TAKE_ALONG = """
UPDATE ledger SET status = 'refused', rule = 'merged', until = NULL, at = $4, why = $5
WHERE shop = $1 AND order_id = $2 AND touch_key = $3 AND status = 'held' AND claim IS NULL
  AND EXISTS (SELECT 1 FROM orders WHERE shop = $1 AND order_id = $2 AND status <> 'cancelled')
"""
# The orders whose messages went along, whichever attempt took them, and those that had gone along in these.
ALONG = """
WITH RECURSIVE along AS (
    SELECT order_id, touch_key FROM ledger WHERE shop = $1 AND rule = 'merged' AND why ->> 'merged_into' = $2
    UNION
    SELECT l.order_id, l.touch_key FROM along a
    JOIN ledger l ON l.shop = $1 AND l.rule = 'merged' AND l.why ->> 'merged_into' = a.order_id || ' ' || a.touch_key)
SELECT DISTINCT order_id FROM along ORDER BY order_id
"""
# A claim is open while its row is claimed, or held in doubt. Its age goes on.
CLAIM_AGAIN = """
UPDATE ledger SET status = 'claimed', rule = NULL, until = NULL, claim = $3, at = $4,
                  lease_until = clock_timestamp() + $5::interval
WHERE id = $1 AND claim = $2 AND status IN ('claimed', 'held') RETURNING id
"""
LEAVE_IN_DOUBT = """
UPDATE ledger SET status = 'in_doubt', rule = $3, until = NULL
WHERE id = $1 AND claim = $2 AND status IN ('claimed', 'held') RETURNING id
"""
# A row that was already left in doubt is settled by the word of an attempt that came late.
RECORD_SENT = """
UPDATE ledger SET status = 'sent', rule = NULL, until = NULL, at = $3, provider_id = $4
WHERE id = $1 AND claim = $2 AND status IN ('claimed', 'held', 'in_doubt')
"""
# A lease that lasts still is over now: its holder says so.
RELEASE = """
UPDATE ledger SET status = 'held', rule = $3, until = $4, claim = CASE WHEN $5 THEN claim END,
                  lease_until = CASE WHEN $5 THEN least(lease_until, clock_timestamp()) END
WHERE id = $1 AND claim = $2 AND status IN ('claimed', 'held')
"""
RECORD_END = """
UPDATE ledger SET status = $3, rule = $4, at = $5, until = NULL
WHERE id = $1 AND claim = $2 AND status IN ('claimed', 'held')
"""
SUPPRESS = """
INSERT INTO suppressions (shop, channel, address, reason, at) VALUES ($1, $5, lower($2), $3, $4)
ON CONFLICT (shop, channel, address) DO UPDATE SET reason = excluded.reason, at = excluded.at
WHERE excluded.reason = 'bounced' AND suppressions.reason <> 'bounced'
"""
LOCK_ORDER = """
SELECT customer_id FROM orders WHERE shop = $1 AND order_id = $2 FOR UPDATE
"""
END_ORDER = """
UPDATE orders SET ended_at = coalesce(ended_at, $3), ended_why = coalesce(ended_why, $4)
WHERE shop = $1 AND order_id = $2 RETURNING customer_id
"""
# What was held settles as refused; what may have gone out, held or left by an attempt that is dead, stays in doubt at
# its own time. A claim whose lease lasts is its holder's to settle.
SETTLE_HELD = """
UPDATE ledger SET status = CASE WHEN claim IS NULL THEN 'refused' ELSE 'in_doubt' END, rule = $4, until = NULL,
                  at = CASE WHEN claim IS NULL THEN $5 ELSE at END
WHERE shop = $1 AND order_id = $2 AND touch_key = $3
  AND (status = 'held' OR status = 'claimed' AND coalesce(lease_until, '-infinity') <= clock_timestamp())
"""
# Nothing of an order that ended may go on owning a slot of the customer's day.
SETTLE_REST = """
UPDATE ledger SET status = CASE WHEN claim IS NULL THEN 'refused' ELSE 'in_doubt' END, rule = 'journey_ended',
                  until = NULL, at = CASE WHEN claim IS NULL THEN $3 ELSE at END
WHERE shop = $1 AND order_id = $2 AND status IN ('held', 'claimed')
"""
LET_GO_BY = """
INSERT INTO ledger (shop, order_id, touch_key, touch, purpose, channel, priority, customer_id, status, rule, due, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'refused', $9, $10, $10)
ON CONFLICT DO NOTHING
"""

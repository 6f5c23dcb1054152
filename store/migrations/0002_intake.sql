-- An edit that arrives after a newer one must not undo it.
ALTER TABLE orders ADD COLUMN edited_at timestamptz;

-- The relay asks once a second for what is due, the metrics for what is open and what is dead.
CREATE INDEX inbox_due ON inbox (next_attempt, id) WHERE status = 'pending';
CREATE INDEX inbox_dead ON inbox (id) WHERE status = 'dead';

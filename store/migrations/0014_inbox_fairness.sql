-- The inbox gives its rows out in turns, shop by shop, and what was tried before in turns of its own.

-- `shop` is whose row it is, '' where its sender does not say. `faults` counts the tries that failed by the row's own
-- fault, and not because something was away. `told_at` is when people were told of a dead letter.
ALTER TABLE inbox
    ADD COLUMN shop text NOT NULL DEFAULT '',
    ADD COLUMN faults int NOT NULL DEFAULT 0,
    ADD COLUMN told_at timestamptz;
UPDATE inbox SET
    shop = coalesce(event->>'shop', CASE WHEN subject LIKE 'message:%/%' THEN split_part(substr(subject, 9), '/', 1) END,
                    ''),
    told_at = CASE WHEN status = 'dead' THEN coalesce(done_at, received_at) END
WHERE status IN ('pending', 'waiting', 'dead');

DROP INDEX inbox_due;
CREATE INDEX inbox_due ON inbox (shop, starts_with(subject, 'changed:'), (attempts > 0), next_attempt, id)
    WHERE status = 'pending';
CREATE INDEX inbox_untold ON inbox (id) WHERE status = 'dead' AND told_at IS NULL;

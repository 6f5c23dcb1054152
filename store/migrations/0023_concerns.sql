-- What people are told of an order, once: sums that do not add up, a refund that was declined after it was told.
-- Ids alone: `subject` is the refund's, empty where it is the order as a whole.
CREATE TABLE concerns (
    shop text NOT NULL,
    order_id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL DEFAULT '',
    noted_at timestamptz NOT NULL,
    told_at timestamptz,
    PRIMARY KEY (shop, order_id, kind, subject),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);
CREATE INDEX concerns_untold ON concerns (noted_at) WHERE told_at IS NULL;

-- When the shop said so: a later word than that may take a payment back. Unknown of what was told before.
ALTER TABLE refunds ADD COLUMN said_at timestamptz;

-- Remedies keyed by units: what refunds and parcels are of, what an order replaces, and what was made for a remedy.

-- Each SKU with how many of it, as [["SKU", 1]]; null where the shop did not say.
ALTER TABLE refunds ADD COLUMN units jsonb;
-- Each SKU with how many of it is in the parcel, where the shop said; `skus` are their names.
ALTER TABLE shipments ADD COLUMN units jsonb;
-- The order that this one was made to replace; null where it was bought, or where only the channel says so.
ALTER TABLE orders ADD COLUMN replaces text;
CREATE INDEX orders_replacing ON orders (shop, replaces) WHERE replaces IS NOT NULL;

-- `known` is what the shop had given back when it was offered, `made` every id of what the shop made for it, undone or
-- not, `turn` how often a replacement was begun.
ALTER TABLE remedies ADD COLUMN known text[] NOT NULL DEFAULT '{}', ADD COLUMN made text[] NOT NULL DEFAULT '{}',
    ADD COLUMN turn int NOT NULL DEFAULT 1;

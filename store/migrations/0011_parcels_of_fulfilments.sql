-- A parcel is a fulfilment of an order, under a number.

ALTER TABLE shipments
    -- In its normal form, by which scans are matched; null for one that was sent without a number, and for a pick-up.
    ADD COLUMN number text,
    -- As the shop wrote it: what people are shown. `tracking_number` is the parcel's key, by which everything names it.
    ADD COLUMN written text,
    ADD COLUMN fulfilment_id text,
    -- The shop took it out of the order again: its number was corrected, or its fulfilment called off.
    ADD COLUMN left_out boolean NOT NULL DEFAULT false,
    -- When it was first said to be delivered, to whomever, when the shop itself said so, and when it first went back.
    ADD COLUMN handed_over_at timestamptz,
    ADD COLUMN handed_over_by_shop_at timestamptz,
    ADD COLUMN returning_at timestamptz;

-- What is known by now keeps its key. A word in front of a number goes as far as a colon or a number sign shows it.
UPDATE shipments SET number = found.number, written = shipments.tracking_number
FROM (SELECT DISTINCT tracking_number,
          upper(regexp_replace(regexp_replace(normalize(tracking_number, NFKC), '^[^0-9]*[:#]\s*', ''),
              '[^[:alnum:]]', '', 'g')) AS number
      FROM shipments WHERE method = 'delivery' AND NOT starts_with(tracking_number, 'pickup:')) AS found
WHERE shipments.tracking_number = found.tracking_number AND shipments.method = 'delivery'
  AND found.number ~ '[0-9]' AND found.number !~ '^(.)\1*$' AND length(found.number) <= 100;
UPDATE shipments SET handed_over_at = delivered_at WHERE delivered_at IS NOT NULL;
-- What counts as delivered by now stays so, as in its journey.
UPDATE shipments SET returning_at = back.at
FROM (SELECT shop, order_id, tracking_number, min(occurred_at) AS at FROM scans
      WHERE status IN ('returning', 'returned') GROUP BY 1, 2, 3) AS back
WHERE (shipments.shop, shipments.order_id, shipments.tracking_number)
    = (back.shop, back.order_id, back.tracking_number) AND delivered_at IS NULL;

CREATE INDEX shipments_by_normal_number ON shipments (number) WHERE number IS NOT NULL;

-- Nobody asks about what has no number, or is none of the order's.
DROP INDEX shipments_unplanned;
CREATE INDEX shipments_unplanned ON shipments (created_at)
    WHERE poll_at IS NULL AND method = 'delivery' AND status NOT IN ('delivered', 'returned', 'cancelled')
      AND number IS NOT NULL AND NOT left_out;

-- Which parcels each fulfilment has by the shop's last word, and every one that it ever named; by their keys.
CREATE TABLE fulfilments (
    shop text NOT NULL,
    order_id text NOT NULL,
    fulfilment_id text NOT NULL,
    said_at timestamptz NOT NULL,
    parcels text[] NOT NULL,
    named text[] NOT NULL,
    PRIMARY KEY (shop, order_id, fulfilment_id),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);

-- What a shop says of an order beside its money: how it comes, where to, by when, and what its lines are.

ALTER TABLE orders
    -- Kept ready in the shop's own store, and sent to nobody.
    ADD COLUMN collected boolean NOT NULL DEFAULT false,
    -- The days between which it was said to come when it was placed, and whose word that is. Never changed later, so
    -- that it can be told whether the promise was kept.
    ADD COLUMN promised_from date,
    ADD COLUMN promised_until date,
    ADD COLUMN promised_by text CHECK (promised_by IN ('shop', 'lane'));
UPDATE orders SET collected = true
WHERE EXISTS (SELECT FROM shipments s WHERE (s.shop, s.order_id) = (orders.shop, orders.order_id)
              AND s.method = 'pickup' AND NOT s.left_out)
  AND NOT EXISTS (SELECT FROM shipments s WHERE (s.shop, s.order_id) = (orders.shop, orders.order_id)
                  AND s.method <> 'pickup' AND NOT s.left_out);

ALTER TABLE lines
    ADD COLUMN variant text,
    ADD COLUMN image_url text,
    ADD COLUMN product_url text,
    -- How a digital line is opened: a link, a key, or both.
    ADD COLUMN access_url text,
    ADD COLUMN access_key text,
    ADD COLUMN gift boolean NOT NULL DEFAULT false,
    ADD COLUMN subscription boolean NOT NULL DEFAULT false;

-- How an order comes, and where to: its own row, since it names people.
CREATE TABLE deliveries (
    shop text NOT NULL,
    order_id text NOT NULL,
    -- What the customer chose, in the shop's own words.
    title text,
    address jsonb,
    pickup_point jsonb,
    PRIMARY KEY (shop, order_id),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);

ALTER TABLE shipments
    -- The link by which its carrier or the shop has it followed, and what it causes, with who said so.
    ADD COLUMN tracking_url text,
    ADD COLUMN co2_grams numeric,
    ADD COLUMN co2_source text;

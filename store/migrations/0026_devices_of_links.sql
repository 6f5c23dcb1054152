-- A device is registered under an order's link, and links are passed on: it gets the notifications of that order alone,
-- and takes no other link's place. Devices of before are kept for each order that their customer had.
ALTER TABLE devices ADD COLUMN order_id text, ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE devices DROP CONSTRAINT devices_pkey, ADD PRIMARY KEY (id);
INSERT INTO devices (shop, customer_id, channel, address, created_at, dead_at, order_id)
SELECT d.shop, d.customer_id, d.channel, d.address, d.created_at, d.dead_at, o.order_id
FROM devices d JOIN orders o ON o.shop = d.shop AND o.customer_id = d.customer_id WHERE d.order_id IS NULL;
DELETE FROM devices WHERE order_id IS NULL;
ALTER TABLE devices ALTER COLUMN order_id SET NOT NULL,
    ADD FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE;
-- An address may be as long as an index takes, so it is looked up by its digest.
CREATE UNIQUE INDEX devices_of_order ON devices (shop, order_id, channel, md5(address));
CREATE INDEX devices_by_address ON devices (md5(address), shop, channel);

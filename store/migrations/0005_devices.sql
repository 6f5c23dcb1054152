-- Where notifications go. An address is a browser's push subscription or an app's registration token: it belongs to a
-- device, and so to the customer of the shop who registered it last.
CREATE TABLE devices (
    shop text NOT NULL,
    customer_id text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('web_push', 'push')),
    address text NOT NULL CHECK (octet_length(address) <= 2200),
    created_at timestamptz NOT NULL,
    dead_at timestamptz,
    PRIMARY KEY (shop, channel, address),
    FOREIGN KEY (shop, customer_id) REFERENCES customers ON DELETE CASCADE
);
CREATE INDEX devices_of_customer ON devices (shop, customer_id, channel, created_at DESC);

-- The in-app inbox: what the customer finds on the order's page and in the shop's app.
CREATE TABLE notes (
    shop text NOT NULL,
    customer_id text NOT NULL,
    order_id text NOT NULL,
    touch_key text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    link text CHECK (link ~ '^https?://'),
    created_at timestamptz NOT NULL,
    read_at timestamptz,
    expires_at timestamptz,
    PRIMARY KEY (shop, order_id, touch_key),
    FOREIGN KEY (shop, customer_id) REFERENCES customers ON DELETE CASCADE,
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);
CREATE INDEX notes_of_customer ON notes (shop, customer_id);

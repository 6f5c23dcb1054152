-- The memory of people. Temporal holds ids only; whatever names a person is in these tables and nowhere else.

CREATE TABLE customers (
    shop text NOT NULL,
    customer_id text NOT NULL,
    email text,
    phone text,
    first_name text NOT NULL DEFAULT '',
    locale text NOT NULL DEFAULT 'en',
    time_zone text,
    country text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop, customer_id)
);

-- Consent is its history: the newest row of a channel and purpose holds, the others are the evidence.
CREATE TABLE consents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop text NOT NULL,
    customer_id text NOT NULL,
    channel text NOT NULL,
    purpose text NOT NULL,
    granted boolean NOT NULL,
    source text NOT NULL,
    evidence text,
    at timestamptz NOT NULL,
    FOREIGN KEY (shop, customer_id) REFERENCES customers ON DELETE CASCADE
);
CREATE INDEX consents_latest ON consents (shop, customer_id, channel, purpose, at DESC, id DESC);

CREATE TABLE suppressions (
    shop text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('bounced', 'complained', 'opted_out')),
    at timestamptz NOT NULL,
    PRIMARY KEY (shop, channel, address)
);

CREATE TABLE orders (
    shop text NOT NULL,
    order_id text NOT NULL,
    customer_id text NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'cancelled')),
    placed_at timestamptz NOT NULL,
    channel text NOT NULL DEFAULT 'online',
    currency text NOT NULL,
    total numeric NOT NULL,
    buyer text NOT NULL,
    playbook text NOT NULL,
    cancelled_at timestamptz,
    ended_at timestamptz,
    ended_why text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop, order_id),
    FOREIGN KEY (shop, customer_id) REFERENCES customers ON DELETE CASCADE
);
CREATE INDEX orders_of_customer ON orders (shop, customer_id, placed_at);

CREATE TABLE lines (
    shop text NOT NULL,
    order_id text NOT NULL,
    position int NOT NULL,
    sku text NOT NULL,
    title text NOT NULL,
    quantity int NOT NULL,
    unit_price numeric NOT NULL,
    category text,
    kind text NOT NULL,
    PRIMARY KEY (shop, order_id, position),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);

CREATE TABLE shipments (
    shop text NOT NULL,
    order_id text NOT NULL,
    tracking_number text NOT NULL,
    carrier text,
    skus text[],
    status text NOT NULL DEFAULT 'pending',
    status_at timestamptz,
    reason text,
    estimated_delivery date,
    first_estimate date,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (shop, order_id, tracking_number),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);
-- Carriers know a parcel by its number alone, and one parcel may carry two orders.
CREATE INDEX shipments_by_number ON shipments (tracking_number);

CREATE TABLE refunds (
    shop text NOT NULL,
    order_id text NOT NULL,
    refund_id text NOT NULL,
    amount numeric NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (shop, order_id, refund_id),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);

CREATE TABLE reviews (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop text NOT NULL,
    order_id text NOT NULL,
    sku text,
    rating int NOT NULL CHECK (rating BETWEEN 1 AND 5),
    body text,
    at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (shop, order_id, sku, at),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);

-- The contact ledger: one row for every message and every non-send.
-- attempt_class 0 is the message itself; 1, 2, … are transactional messages sent again after a doubt.
CREATE TABLE ledger (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop text NOT NULL,
    order_id text NOT NULL,
    touch_key text NOT NULL,
    attempt_class int NOT NULL DEFAULT 0,
    touch text NOT NULL,
    purpose text NOT NULL,
    channel text NOT NULL,
    priority int NOT NULL,
    customer_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('claimed', 'sent', 'held', 'refused', 'failed', 'in_doubt')),
    rule text,
    due timestamptz NOT NULL,
    asked_at timestamptz,
    at timestamptz NOT NULL,
    until timestamptz,
    claim uuid,
    claimed_at timestamptz,
    message_id text,
    provider text,
    provider_id text,
    UNIQUE (shop, order_id, touch_key, attempt_class),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);
CREATE INDEX ledger_of_customer ON ledger (shop, customer_id, at)
    WHERE purpose = 'marketing' AND status IN ('claimed', 'sent', 'held', 'in_doubt');

-- Every webhook, verified, as it came. Dispatched in order per subject by the relay.
CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    event_id text NOT NULL,
    topic text NOT NULL,
    body bytea NOT NULL,
    subject text,
    event jsonb,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'waiting', 'dispatched', 'ignored', 'dead')),
    note text,
    attempts int NOT NULL DEFAULT 0,
    next_attempt timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    UNIQUE (source, event_id)
);
CREATE INDEX inbox_open ON inbox (subject, id) WHERE status IN ('pending', 'waiting');

CREATE TABLE playbooks (
    digest text PRIMARY KEY,
    name text NOT NULL,
    content text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE current_playbook (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    digest text NOT NULL REFERENCES playbooks
);

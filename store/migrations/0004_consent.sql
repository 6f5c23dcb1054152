-- How an answer came, what was agreed to, and where it came from. Older rows have no `how`: their `source` says it.
ALTER TABLE consents
    ADD COLUMN topic text,
    ADD COLUMN how text,
    ADD COLUMN confirmed boolean NOT NULL DEFAULT false,
    ADD COLUMN jurisdiction text,
    ADD COLUMN wording text,
    -- A keyed hash of the network address, never the address.
    ADD COLUMN source_hash text;

-- What a customer wishes for beyond yes and no. Who has no row never said.
CREATE TABLE preferences (
    shop text NOT NULL,
    customer_id text NOT NULL,
    channel_preferred text,
    frequency text NOT NULL DEFAULT 'all' CHECK (frequency IN ('all', 'fewer')),
    paused_until timestamptz,
    locale text,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (shop, customer_id),
    FOREIGN KEY (shop, customer_id) REFERENCES customers ON DELETE CASCADE
);

-- Double opt-ins that were asked for. The nonce travels, signed, to the address; whoever brings it back holds that.
CREATE TABLE double_opt_ins (
    nonce text PRIMARY KEY,
    shop text NOT NULL,
    customer_id text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    wording text,
    requested_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    FOREIGN KEY (shop, customer_id) REFERENCES customers ON DELETE CASCADE
);
CREATE INDEX double_opt_ins_of_customer ON double_opt_ins (shop, customer_id);

-- A keyword comes from a number, a provider's feedback from an address; neither knows of customers.
CREATE INDEX customers_by_phone ON customers (phone, shop) WHERE phone IS NOT NULL;
CREATE INDEX customers_by_email ON customers (lower(email), shop) WHERE email IS NOT NULL;

-- Suppressions with an empty shop hold in every shop: a STOP that came to a number nobody can place.
CREATE INDEX suppressions_by_address ON suppressions (channel, address);

-- Carriers, lanes, remedies, and the shops' own APIs.

ALTER TABLE orders ADD COLUMN dispatch_within interval;

ALTER TABLE shipments
    ADD COLUMN method text NOT NULL DEFAULT 'delivery' CHECK (method IN ('delivery', 'pickup')),
    -- The carrier in the form in which it is matched; `carrier` is its name as the shop or its scans write it.
    ADD COLUMN carrier_code text,
    ADD COLUMN service text,
    ADD COLUMN tracker text,
    ADD COLUMN action_required boolean NOT NULL DEFAULT false,
    -- The customer's word that it never came, while it stands; found_at is when they took one back.
    ADD COLUMN denied_at timestamptz,
    ADD COLUMN found_at timestamptz,
    -- Who named the carrier and when each word was said: of two words the later counts, whenever they arrive.
    ADD COLUMN carrier_by_shop boolean,
    ADD COLUMN carrier_at timestamptz,
    ADD COLUMN service_at timestamptz,
    ADD COLUMN estimate_at timestamptz,
    ADD COLUMN first_estimate_at timestamptz,
    -- The moments that lanes are learnt from; the carrier's own time.
    ADD COLUMN first_scan_at timestamptz,
    ADD COLUMN last_scan_at timestamptz,
    ADD COLUMN out_for_delivery_at timestamptz,
    ADD COLUMN waiting_at timestamptz,
    ADD COLUMN delivered_at timestamptz,
    -- When a poller is to ask again; null where nobody asks (no poller, or nothing more to hear).
    ADD COLUMN poll_at timestamptz,
    ADD COLUMN polled_at timestamptz,
    ADD COLUMN polls int NOT NULL DEFAULT 0;
UPDATE shipments SET delivered_at = status_at WHERE status = 'delivered';
UPDATE shipments SET carrier_code = nullif(regexp_replace(lower(carrier), '[^a-z0-9]+', '', 'g'), '');
UPDATE shipments SET carrier_code = code
FROM (VALUES ('unitedparcelservice', 'ups'), ('upsdap', 'ups'), ('federalexpress', 'fedex'), ('fedexdefault', 'fedex'),
    ('unitedstatespostalservice', 'usps'), ('dhlexpress', 'dhl'), ('dhlde', 'dhl'), ('dhlgermany', 'dhl'),
    ('dhlparcel', 'dhl'), ('dhlpaket', 'dhl'), ('dhlecommerce', 'dhl'), ('dhlecs', 'dhl')) AS known (plain, code)
WHERE carrier_code = plain;
CREATE INDEX shipments_to_poll ON shipments (poll_at) WHERE poll_at IS NOT NULL;
CREATE INDEX shipments_unplanned ON shipments (created_at)
    WHERE poll_at IS NULL AND method = 'delivery' AND status NOT IN ('delivered', 'returned', 'cancelled');
CREATE INDEX shipments_by_tracker ON shipments (tracker) WHERE tracker IS NOT NULL;

-- Every word of a carrier about a parcel, once, in the normal form. What was said word for word is in the inbox.
CREATE TABLE scans (
    shop text NOT NULL,
    order_id text NOT NULL,
    tracking_number text NOT NULL,
    occurred_at timestamptz NOT NULL,
    status text NOT NULL,
    reason text,
    location text,
    received_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (shop, order_id, tracking_number, occurred_at, status, reason),
    FOREIGN KEY (shop, order_id, tracking_number) REFERENCES shipments ON DELETE CASCADE
);

-- What is usual on a lane, learnt from delivered parcels; '' stands for any. Spans in seconds.
CREATE TABLE lanes (
    shop text NOT NULL,
    carrier text NOT NULL,
    service text NOT NULL,
    country text NOT NULL,
    samples int NOT NULL,
    first_scan double precision,
    gap double precision,
    transit_days double precision[],
    last_mile double precision,
    kept double precision,
    learnt_at timestamptz NOT NULL,
    PRIMARY KEY (shop, carrier, service, country)
);
-- How soon a shop's orders leave, learnt alike, and the country it sends from, as far as its customers show.
CREATE TABLE dispatch_habits (
    shop text PRIMARY KEY,
    samples int NOT NULL,
    within_seconds double precision,
    home text,
    learnt_at timestamptz NOT NULL
);

-- A parcel that will not come is made good once, by one choice: whoever writes `choice` first has it.
CREATE TABLE remedies (
    shop text NOT NULL,
    order_id text NOT NULL,
    part text NOT NULL,
    reason text NOT NULL,
    playbook text NOT NULL,
    skus jsonb NOT NULL,
    amount numeric NOT NULL,
    currency text NOT NULL,
    options text[] NOT NULL DEFAULT '{replacement,refund}',
    -- False where what the parcel holds is a guess: a person looks at it before anything is spent.
    sure boolean NOT NULL DEFAULT true,
    -- What is done when nobody chooses in time; null leaves it to a person.
    otherwise text CHECK (otherwise IN ('replacement', 'refund')),
    status text NOT NULL DEFAULT 'offered' CHECK (status IN ('offered', 'chosen', 'awaiting_approval', 'in_hand',
        'done', 'failed', 'withdrawn', 'declined')),
    offered_at timestamptz NOT NULL,
    choose_by timestamptz NOT NULL,
    choice text CHECK (choice IN ('replacement', 'refund')),
    chosen_by text,
    operator text,
    chosen_at timestamptz,
    approved_by text,
    approved_at timestamptz,
    reservation text,
    reference text,
    coupon text,
    failure text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop, order_id, part),
    FOREIGN KEY (shop, order_id) REFERENCES orders ON DELETE CASCADE
);
CREATE INDEX remedies_open ON remedies (shop, status) WHERE status NOT IN ('done', 'withdrawn');

-- How far a shop's own API was read: everything that changed before `changed_until` is here.
CREATE TABLE shop_sync (
    shop text PRIMARY KEY,
    changed_until timestamptz,
    since timestamptz,
    cursor text,
    -- The run that is under way, or stopped where `cursor` says; null `running_since` when none is.
    seen_until timestamptz,
    orders_read bigint NOT NULL DEFAULT 0,
    gaps bigint NOT NULL DEFAULT 0,
    rows_kept bigint NOT NULL DEFAULT 0,
    total bigint,
    -- Orders on its pages that nobody could make sense of.
    unreadable bigint NOT NULL DEFAULT 0,
    running_since timestamptz,
    finished_at timestamptz,
    failure text
);

-- People's requests about their data, which a person answers within the law's month.
CREATE TABLE privacy_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop text NOT NULL,
    customer_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('data_request', 'redact', 'shop_redact')),
    request_id text,
    requested_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    done_at timestamptz,
    UNIQUE NULLS NOT DISTINCT (shop, customer_id, kind, request_id, requested_at)
);

-- Who was erased, by ids alone: what is told of them later is not taken in again. Of a shop that has left the id is ''.
CREATE TABLE erased (
    shop text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('order', 'customer', 'shop')),
    id text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (shop, kind, id)
);

-- What the inbox still has to forget: by whom it is about, and what names nobody in its subject.
CREATE INDEX inbox_kept ON inbox (subject text_pattern_ops) WHERE octet_length(body) > 0 OR event IS NOT NULL;
CREATE INDEX inbox_unplaced ON inbox (id)
    WHERE (octet_length(body) > 0 OR event IS NOT NULL)
      AND (subject IS NULL OR status = 'dead' OR starts_with(subject, 'message:'));

-- What is kept of an erased address that is not to be written to: the fact, under a keyed hash. The address comes back
-- into the list, and the hash goes, when somebody with that address becomes a customer again. The key stands beside it,
-- so it guards against lists of known hashes, not against whoever reads all of this database.
CREATE TABLE erasure_key (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    key bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);
CREATE TABLE erased_suppressions (
    shop text NOT NULL,
    channel text NOT NULL,
    address_hash bytea NOT NULL,
    reason text NOT NULL CHECK (reason IN ('bounced', 'complained', 'opted_out')),
    at timestamptz NOT NULL,
    PRIMARY KEY (shop, channel, address_hash)
);
CREATE INDEX erased_suppressions_by_hash ON erased_suppressions (address_hash);

CREATE FUNCTION erased_hash(address text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(key || convert_to(lower(address), 'UTF8')) FROM erasure_key
$$;
CREATE FUNCTION erased_address_is_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM erased_suppressions) THEN
        RETURN NULL;
    END IF;
    WITH back AS (
        DELETE FROM erased_suppressions
        WHERE shop IN (NEW.shop, '')
          AND (channel = 'email' AND address_hash = erased_hash(NEW.email)
               OR channel <> 'email' AND address_hash = erased_hash(NEW.phone))
        RETURNING shop, channel, reason, at)
    INSERT INTO suppressions (shop, channel, address, reason, at)
    SELECT shop, channel, CASE channel WHEN 'email' THEN lower(NEW.email) ELSE NEW.phone END, reason, at FROM back
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER new_customers_are_known_addresses AFTER INSERT ON customers
    FOR EACH ROW EXECUTE FUNCTION erased_address_is_back();
CREATE TRIGGER new_addresses_are_known_ones AFTER UPDATE OF email, phone ON customers
    FOR EACH ROW WHEN ((OLD.email, OLD.phone) IS DISTINCT FROM (NEW.email, NEW.phone))
    EXECUTE FUNCTION erased_address_is_back();

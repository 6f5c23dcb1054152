-- What providers and readers said of messages afterwards. An event is one row, however often it is told.
CREATE TABLE message_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger_id bigint NOT NULL REFERENCES ledger ON DELETE CASCADE,
    provider text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('delivered', 'bounced', 'soft_bounce', 'complained', 'opened', 'clicked',
                                       'replied', 'opted_out', 'failed')),
    at timestamptz NOT NULL,
    machine boolean NOT NULL DEFAULT false,
    link text,
    reason text,
    -- Only where addresses are counted: a soft bounce, and the delivery that makes up for it.
    shop text NOT NULL,
    channel text NOT NULL,
    address text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, event_id)
);
CREATE INDEX message_events_of_ledger ON message_events (ledger_id, at);
CREATE INDEX message_events_of_address ON message_events (shop, channel, address, at) WHERE address IS NOT NULL;

-- A Message-ID is <name@domain>, its name made of the message's key: by it a provider's word finds its message.
CREATE INDEX ledger_by_name ON ledger (split_part(message_id, '@', 1)) WHERE message_id IS NOT NULL;
CREATE INDEX ledger_by_provider_id ON ledger (provider_id) WHERE provider_id IS NOT NULL;

-- Indexes begin with what narrows most. One that begins with the shop looks as good to the planner as the primary key
-- while it knows nothing of a table, or has seen it with one shop's few rows: it then reads all of a shop's rows to find
-- one order's.

DROP INDEX orders_of_customer;
CREATE INDEX orders_of_customer ON orders (customer_id, shop, placed_at);

DROP INDEX orders_replacing;
CREATE INDEX orders_replacing ON orders (replaces, shop) WHERE replaces IS NOT NULL;

DROP INDEX ledger_of_customer;
CREATE INDEX ledger_of_customer ON ledger (customer_id, shop, at)
    WHERE status IN ('claimed', 'sent', 'held', 'in_doubt');

ALTER TABLE ledger DROP CONSTRAINT ledger_shop_order_id_touch_key_attempt_class_key;
ALTER TABLE ledger ADD CONSTRAINT ledger_once UNIQUE (order_id, shop, touch_key, attempt_class);

DROP INDEX ledger_merged;
CREATE INDEX ledger_merged ON ledger ((why ->> 'merged_into'), shop) WHERE rule = 'merged';

DROP INDEX consents_latest;
CREATE INDEX consents_latest ON consents (customer_id, shop, channel, purpose, at DESC, id DESC);

DROP INDEX message_events_of_address;
CREATE INDEX message_events_of_address ON message_events (address, channel, shop, at) WHERE address IS NOT NULL;

DROP INDEX double_opt_ins_of_customer;
CREATE INDEX double_opt_ins_of_customer ON double_opt_ins (customer_id, shop);

DROP INDEX devices_of_customer;
CREATE INDEX devices_of_customer ON devices (customer_id, shop, channel, created_at DESC);

DROP INDEX notes_of_customer;
CREATE INDEX notes_of_customer ON notes (customer_id, shop);

-- Whether anything of an order was dispatched is asked for each of its facts while its creation is not.
CREATE INDEX inbox_dispatched ON inbox (subject) WHERE status = 'dispatched';

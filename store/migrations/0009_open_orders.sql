-- The orders whose books are open, by their key: looked through every hour, and few beside those that ended.

CREATE INDEX orders_open ON orders (shop, order_id) WHERE ended_at IS NULL;

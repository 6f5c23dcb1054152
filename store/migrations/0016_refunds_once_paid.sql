-- A refund has its own currency, and counts once it is paid: one that the payment provider has not confirmed is pending.
-- Those of before were told as paid, in their order's currency. A version that is still running writes no currency.
ALTER TABLE refunds
    ADD COLUMN currency text,
    ADD COLUMN status text NOT NULL DEFAULT 'paid' CHECK (status IN ('paid', 'pending', 'failed')),
    -- The shop says that with this one everything was paid back.
    ADD COLUMN whole boolean NOT NULL DEFAULT false;
UPDATE refunds r SET currency = o.currency FROM orders o WHERE (o.shop, o.order_id) = (r.shop, r.order_id);

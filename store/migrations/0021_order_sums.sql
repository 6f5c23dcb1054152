-- What an order's total is made of, in the currency that its customer paid in: amounts as text, so that none is rounded.
ALTER TABLE orders ADD COLUMN sums jsonb;

-- What spoke against each channel, by rule: why a message went by another one than its first, or not at all.
ALTER TABLE ledger ADD COLUMN why jsonb;
-- How often this message may have gone out before under another name. A message that fell through to its next channel
-- has a new attempt class too, and no doubt in it.
ALTER TABLE ledger ADD COLUMN again int NOT NULL DEFAULT 0;
UPDATE ledger SET again = attempt_class;
-- The merge group of a message that waits, so that one of the same group can take it along.
ALTER TABLE ledger ADD COLUMN merge text;
-- Moves with everything a decision about the customer is made of, so that a claim can tell whether what it was decided
-- on still holds.
ALTER TABLE customers ADD COLUMN contact_version bigint NOT NULL DEFAULT 0;
-- The customer's region (ISO 3166-2 after the hyphen), where a shop says it: some hours differ within a country.
ALTER TABLE customers ADD COLUMN region text;

-- Caps count messages of both purposes over all journeys of a customer.
DROP INDEX ledger_of_customer;
CREATE INDEX ledger_of_customer ON ledger (shop, customer_id, at)
    WHERE status IN ('claimed', 'sent', 'held', 'in_doubt');

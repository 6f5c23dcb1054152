-- What spoke against each channel, by rule: why a message went by another one than its first, or not at all.
ALTER TABLE ledger ADD COLUMN why jsonb;
-- How often this message may have gone out before under another name. A message that fell through to its next channel
-- has a new attempt class too, and no doubt in it.
ALTER TABLE ledger ADD COLUMN again int NOT NULL DEFAULT 0;
UPDATE ledger SET again = attempt_class;
-- The merge group of a message that waits, so that one of the same group can take it along.
ALTER TABLE ledger ADD COLUMN merge text;
-- What went along in a message is read again by every attempt at it.
CREATE INDEX ledger_merged ON ledger (shop, (why ->> 'merged_into')) WHERE rule = 'merged';
-- Moves with whatever a decision about the customer is made of, so that a claim can tell whether what it was decided on
-- still holds: the ledger moves it with each claim and hold, the triggers below with everything else.
ALTER TABLE customers ADD COLUMN contact_version bigint NOT NULL DEFAULT 0;
-- The customer's region (ISO 3166-2 after the hyphen), where a shop says it: some hours differ within a country.
ALTER TABLE customers ADD COLUMN region text;

-- Caps count messages of both purposes over all journeys of a customer.
DROP INDEX ledger_of_customer;
CREATE INDEX ledger_of_customer ON ledger (shop, customer_id, at)
    WHERE status IN ('claimed', 'sent', 'held', 'in_doubt');

CREATE FUNCTION contact_changed_for_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE customers SET contact_version = contact_version + 1 WHERE shop = NEW.shop AND customer_id = NEW.customer_id;
    RETURN NULL;
END $$;
CREATE TRIGGER consents_change_contact AFTER INSERT ON consents
    FOR EACH ROW EXECUTE FUNCTION contact_changed_for_customer();
CREATE TRIGGER preferences_change_contact AFTER INSERT OR UPDATE ON preferences
    FOR EACH ROW EXECUTE FUNCTION contact_changed_for_customer();
CREATE TRIGGER orders_change_contact AFTER UPDATE OF status ON orders
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION contact_changed_for_customer();

CREATE FUNCTION contact_changed_for_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.channel = 'email' THEN
        UPDATE customers SET contact_version = contact_version + 1
        WHERE lower(email) = NEW.address AND NEW.shop IN (shop, '');
    ELSE
        UPDATE customers SET contact_version = contact_version + 1
        WHERE phone = NEW.address AND NEW.shop IN (shop, '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER suppressions_change_contact AFTER INSERT OR UPDATE ON suppressions
    FOR EACH ROW EXECUTE FUNCTION contact_changed_for_address();

CREATE FUNCTION contact_changed_by_itself() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.contact_version := OLD.contact_version + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER customers_change_contact BEFORE UPDATE OF email, phone, country, region, time_zone ON customers
    FOR EACH ROW WHEN ((OLD.email, OLD.phone, OLD.country, OLD.region, OLD.time_zone)
                       IS DISTINCT FROM (NEW.email, NEW.phone, NEW.country, NEW.region, NEW.time_zone))
    EXECUTE FUNCTION contact_changed_by_itself();

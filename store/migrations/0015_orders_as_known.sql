-- An order as its customer knows it: the number that the shop shows, and the address given for this order alone.

-- `number` is NULL where only the id is known, which is then shown; `numbered_at` is since when it was so.
-- `contact_email` and `contact_phone` are NULL where they are the customer's own; `contact_at` is since when they were so.
ALTER TABLE orders
    ADD COLUMN number text,
    ADD COLUMN numbered_at timestamptz,
    ADD COLUMN contact_email text,
    ADD COLUMN contact_phone text,
    ADD COLUMN contact_at timestamptz;
-- By a number people find an order in whatever case, with its # or without.
CREATE INDEX orders_by_number ON orders (lower(ltrim(number, '#')), shop) WHERE number IS NOT NULL;
CREATE INDEX orders_by_email ON orders (lower(contact_email), shop) WHERE contact_email IS NOT NULL;
CREATE INDEX orders_by_phone ON orders (contact_phone, shop) WHERE contact_phone IS NOT NULL;

-- As with a customer's: an address whose owner was erased and had opted out is known again when an order has it.
CREATE FUNCTION erased_contact_is_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM erased_suppressions) THEN
        RETURN NULL;
    END IF;
    WITH back AS (
        DELETE FROM erased_suppressions
        WHERE shop IN (NEW.shop, '')
          AND (channel = 'email' AND address_hash = erased_hash(NEW.contact_email)
               OR channel <> 'email' AND address_hash = erased_hash(NEW.contact_phone))
        RETURNING shop, channel, reason, at)
    INSERT INTO suppressions (shop, channel, address, reason, at)
    SELECT shop, channel, CASE channel WHEN 'email' THEN lower(NEW.contact_email) ELSE NEW.contact_phone END, reason, at
    FROM back
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER new_orders_are_known_addresses AFTER INSERT ON orders
    FOR EACH ROW WHEN (NEW.contact_email IS NOT NULL OR NEW.contact_phone IS NOT NULL)
    EXECUTE FUNCTION erased_contact_is_back();
CREATE TRIGGER new_contacts_are_known_ones AFTER UPDATE OF contact_email, contact_phone ON orders
    FOR EACH ROW WHEN ((OLD.contact_email, OLD.contact_phone) IS DISTINCT FROM (NEW.contact_email, NEW.contact_phone))
    EXECUTE FUNCTION erased_contact_is_back();

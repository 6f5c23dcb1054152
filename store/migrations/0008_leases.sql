-- A claim is a lease: until then its holder may be sending, and nobody settles the doubt about it. NULL in rows that an
-- older worker claimed: their lease counts as over.
ALTER TABLE ledger ADD COLUMN lease_until timestamptz;

-- A decision and its claim are one transaction under a lock on the customer's row (docs/decisions/0009), so nothing has
-- to move a version any more.
--
-- Order of deploy: migrate, then the workers, one after the other. The column stays, unused, because workers of the
-- version before read and move it until they are replaced; a later migration drops it. While both run, a worker of the
-- version before may miss what is committed in the milliseconds between its look and its claim.
DROP TRIGGER consents_change_contact ON consents;
DROP TRIGGER preferences_change_contact ON preferences;
DROP TRIGGER orders_change_contact ON orders;
DROP TRIGGER suppressions_change_contact ON suppressions;
DROP TRIGGER customers_change_contact ON customers;
DROP FUNCTION contact_changed_for_customer();
DROP FUNCTION contact_changed_for_address();
DROP FUNCTION contact_changed_by_itself();
COMMENT ON COLUMN customers.contact_version IS 'unused since 0008';

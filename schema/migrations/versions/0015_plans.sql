ALTER TABLE tranche ADD COLUMN basis TEXT DEFAULT 'fixed' NOT NULL,
  ADD COLUMN retained_minor BIGINT DEFAULT 0 NOT NULL, ADD COLUMN due_on DATE,
  ADD COLUMN payable_minor BIGINT, ADD COLUMN held_minor BIGINT,
  DROP CONSTRAINT tranche_paid_within,
  ADD CONSTRAINT tranche_paid_within CHECK (paid_minor BETWEEN 0 AND coalesce(payable_minor, amount_minor)),
  ADD CONSTRAINT tranche_basis_known CHECK (basis IN ('fixed', 'verified', 'retained')),
  ADD CONSTRAINT tranche_computed CHECK (payable_minor IS NULL AND held_minor IS NULL
    OR basis <> 'fixed' AND payable_minor > 0 AND held_minor >= 0),
  ADD CONSTRAINT tranche_retained_not_negative CHECK (retained_minor >= 0)
--;
-- A computed sum is fixed when its payment falls due, on both rows in one statement, and by nothing else.
CREATE FUNCTION sum_is_computed() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'payment' THEN
    IF NEW.amount_minor <> OLD.amount_minor AND NEW.amount_minor IS DISTINCT FROM
       (SELECT t.payable_minor FROM tranche t WHERE t.id = NEW.tranche_id) THEN
      RAISE EXCEPTION 'a payment has the sum that its tranche was computed to be' USING ERRCODE = 'MP005';
    END IF;
  ELSIF (NEW.payable_minor, NEW.held_minor) IS DISTINCT FROM (OLD.payable_minor, OLD.held_minor)
    AND NOT EXISTS (SELECT 1 FROM payment y JOIN event e ON e.subject_id = y.id AND e.subject_seq = y.version
         WHERE y.tranche_id = NEW.id AND y.state = 'due' AND y.amount_minor = NEW.payable_minor
           AND e.step = 'payment.fall_due' AND e.xid = (pg_current_xact_id()::text)::bigint) THEN
    RAISE EXCEPTION 'a tranche is computed when its payment falls due' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER payment_sum_is_computed AFTER UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION sum_is_computed()
--;
CREATE TRIGGER tranche_sum_is_computed AFTER UPDATE ON tranche FOR EACH ROW EXECUTE FUNCTION sum_is_computed()

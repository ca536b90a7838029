-- What a grantee owes, why and to whom it has to be paid never changes; who confirmed it is one person, once.
CREATE FUNCTION receivable_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE planned bigint;
BEGIN
  IF (NEW.project_id, NEW.reference, NEW.ground, NEW.legal_basis, NEW.decision_no, NEW.amount_minor, NEW.currency,
      NEW.due_on, NEW.established_by, NEW.established_on, NEW.claim_transfer_id)
     IS DISTINCT FROM
     (OLD.project_id, OLD.reference, OLD.ground, OLD.legal_basis, OLD.decision_no, OLD.amount_minor, OLD.currency,
      OLD.due_on, OLD.established_by, OLD.established_on, OLD.claim_transfer_id) THEN
    RAISE EXCEPTION 'what was established never changes: cancel it and establish another' USING ERRCODE = 'MP005';
  END IF;
  IF OLD.confirmed_by IS NOT NULL
     AND (NEW.confirmed_by, NEW.confirmed_on) IS DISTINCT FROM (OLD.confirmed_by, OLD.confirmed_on) THEN
    RAISE EXCEPTION 'who confirmed a receivable never changes' USING ERRCODE = 'MP005';
  END IF;
  IF NEW.received_minor < OLD.received_minor OR NEW.over_minor < OLD.over_minor
     OR NEW.written_off_minor < OLD.written_off_minor THEN
    RAISE EXCEPTION 'what came in for a receivable does not become less' USING ERRCODE = 'MP005';
  END IF;
  IF NEW.plan IS DISTINCT FROM OLD.plan THEN
    SELECT sum((part->>'amount_minor')::bigint) INTO planned FROM jsonb_array_elements(NEW.plan) part;
    IF planned IS DISTINCT FROM NEW.amount_minor - NEW.received_minor - NEW.written_off_minor THEN
      RAISE EXCEPTION 'instalments add up to what is left' USING ERRCODE = 'MP005';
    END IF;
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER receivable_binding BEFORE UPDATE ON receivable
FOR EACH ROW EXECUTE FUNCTION receivable_stays()
--;
-- What came in is entered with an event of its receivable; a statement's entry for its own sum, and once.
CREATE FUNCTION receipt_needs_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh n JOIN receivable r ON r.id = n.receivable_id
      WHERE (n.project_id, n.currency) IS DISTINCT FROM (r.project_id, r.currency)
         OR (pg_current_xact_id()::text)::bigint IS DISTINCT FROM
          (SELECT e.xid FROM event e WHERE e.subject_id = n.receivable_id ORDER BY e.subject_seq DESC LIMIT 1)) THEN
    RAISE EXCEPTION 'a receipt was written without an event of its receivable' USING ERRCODE = 'MP003';
  END IF;
  IF EXISTS (SELECT 1 FROM fresh n LEFT JOIN bank_entry b ON b.id = n.entry_id
      WHERE n.entry_id IS NOT NULL
        AND (b.amount_minor, b.currency, b.said, b.source, b.outcome) IS DISTINCT FROM
            (n.amount_minor, n.currency, 'credit', 'statement', 'received')) THEN
    RAISE EXCEPTION 'a receipt is a credit of our statement, whole' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER receipt_needs_event AFTER INSERT ON receipt REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION receipt_needs_event()
--;
-- An entry is received with its receipt, and stays so.
CREATE FUNCTION received_entry_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.outcome = 'received'
     AND (NEW.outcome, NEW.payment_id) IS DISTINCT FROM (OLD.outcome, OLD.payment_id) THEN
    RAISE EXCEPTION 'what the bank said was received already' USING ERRCODE = 'MP005';
  END IF;
  IF NEW.outcome = 'received'
     AND (NEW.payment_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM receipt r WHERE r.entry_id = NEW.id)) THEN
    RAISE EXCEPTION 'an entry is received with its receipt' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER received_entry_stays AFTER INSERT OR UPDATE ON bank_entry
FOR EACH ROW WHEN (NEW.outcome = 'received') EXECUTE FUNCTION received_entry_stays()
--;
CREATE TRIGGER received_entry_stays_so AFTER UPDATE ON bank_entry
FOR EACH ROW WHEN (OLD.outcome = 'received') EXECUTE FUNCTION received_entry_stays()

-- What a correction is about never changes; it is decided once.
CREATE FUNCTION correction_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF (NEW.id, NEW.receivable_id, NEW.project_id, NEW.kind, NEW.receipt_id, NEW.transfer_id, NEW.reason,
      NEW.decision_no, NEW.proposed_by)
     IS DISTINCT FROM
     (OLD.id, OLD.receivable_id, OLD.project_id, OLD.kind, OLD.receipt_id, OLD.transfer_id, OLD.reason,
      OLD.decision_no, OLD.proposed_by) OR OLD.status <> 'proposed' THEN
    RAISE EXCEPTION 'what was proposed to be corrected never changes, and is decided once' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER correction_binding BEFORE UPDATE ON correction FOR EACH ROW EXECUTE FUNCTION correction_stays()
--;
CREATE TRIGGER correction_stays BEFORE DELETE OR TRUNCATE ON correction
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
-- It is of its own receivable, stands in an event of it, and what is done is reversed in the same transaction.
CREATE FUNCTION correction_fits() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh n JOIN receivable r ON r.id = n.receivable_id
      LEFT JOIN receipt s ON s.id = n.receipt_id LEFT JOIN transfer v ON v.reverses_id = n.transfer_id
      LEFT JOIN event e ON e.subject_id = n.receivable_id AND e.subject_seq = n.decided_seq
      WHERE n.project_id <> r.project_id OR s.receivable_id <> n.receivable_id
         OR (n.status = 'done' AND ((n.transfer_id IS NULL) <> (v.id IS NULL)
             OR e.step NOT IN ('receivable.correct', 'receivable.correct_over') OR e.step IS NULL OR v.chain_id <> r.project_id
             OR (n.kind = 'receipt' AND (s.reversal_id IS DISTINCT FROM n.id OR s.restored_minor > 0))))) THEN
    RAISE EXCEPTION 'a correction fits what it takes back' USING ERRCODE = 'MP005';
  END IF;
  IF EXISTS (SELECT 1 FROM (SELECT DISTINCT receivable_id FROM fresh) n
      WHERE (pg_current_xact_id()::text)::bigint IS DISTINCT FROM
        (SELECT e.xid FROM event e WHERE e.subject_id = n.receivable_id ORDER BY e.subject_seq DESC LIMIT 1)) THEN
    RAISE EXCEPTION 'a correction was written without an event of its receivable' USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER correction_fits_in AFTER INSERT ON correction REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION correction_fits()
--;
CREATE TRIGGER correction_fits_up AFTER UPDATE ON correction REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION correction_fits()
--;
-- What came in or was written off becomes less by a correction of exactly so much, and by nothing else.
CREATE FUNCTION receivable_less_by_correction() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM correction c LEFT JOIN receipt s ON s.id = c.receipt_id
      WHERE c.receivable_id = NEW.id AND c.decided_seq = NEW.version AND c.status = 'done'
        AND OLD.received_minor - NEW.received_minor = coalesce(s.taken_minor, 0)
        AND OLD.over_minor - NEW.over_minor = coalesce(s.over_minor, 0)
        AND OLD.written_off_minor - NEW.written_off_minor =
            CASE WHEN c.kind = 'write_off' THEN (SELECT t.amount_minor FROM transfer t WHERE t.id = c.transfer_id)
                 ELSE 0 END) THEN
    RAISE EXCEPTION 'what came in for a receivable does not become less' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER receivable_less_by_correction AFTER UPDATE ON receivable
FOR EACH ROW WHEN (NEW.received_minor < OLD.received_minor OR NEW.over_minor < OLD.over_minor
  OR NEW.written_off_minor < OLD.written_off_minor)
EXECUTE FUNCTION receivable_less_by_correction()
--;
-- A receipt never changes, but that it was reversed is noted on it, once.
CREATE FUNCTION receipt_reversed_once() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF OLD.reversal_id IS NOT NULL OR NEW.reversal_id IS NULL
     OR (to_jsonb(NEW) - 'reversal_id') IS DISTINCT FROM (to_jsonb(OLD) - 'reversal_id') THEN
    RAISE EXCEPTION 'a receipt never changes, and is reversed once' USING ERRCODE = 'MP001';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER receipt_reversed_once BEFORE UPDATE ON receipt
FOR EACH ROW EXECUTE FUNCTION receipt_reversed_once()
--;
CREATE FUNCTION receipt_reversal_is_done() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM correction c WHERE c.id = NEW.reversal_id AND c.receipt_id = NEW.id
       AND c.status = 'done')
     OR EXISTS (SELECT 1 FROM bank_entry b WHERE b.id = NEW.entry_id AND b.outcome = 'received') THEN
    RAISE EXCEPTION 'a receipt is reversed by a correction that was decided' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER receipt_reversal_is_done AFTER UPDATE ON receipt
FOR EACH ROW EXECUTE FUNCTION receipt_reversal_is_done()

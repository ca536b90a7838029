CREATE FUNCTION batch_payment_needs_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM (SELECT DISTINCT batch_id FROM fresh) n
      WHERE (pg_current_xact_id()::text)::bigint IS DISTINCT FROM
        (SELECT e.xid FROM event e WHERE e.subject_id = n.batch_id ORDER BY e.subject_seq DESC LIMIT 1)) THEN
    RAISE EXCEPTION 'a payment of a batch was changed without an event of the batch' USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER batch_payment_needs_event_in AFTER INSERT ON batch_payment REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION batch_payment_needs_event()
--;
CREATE TRIGGER batch_payment_needs_event_up AFTER UPDATE ON batch_payment REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION batch_payment_needs_event()
--;
-- What was applied stays applied, to the payment it was applied to, and only where sum and currency are its own.
CREATE FUNCTION bank_entry_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.outcome = 'applied' THEN
    RAISE EXCEPTION 'what the bank said was applied already' USING ERRCODE = 'MP005';
  END IF;
  IF NEW.outcome = 'applied' AND NEW.source = 'statement' AND NOT EXISTS (
       SELECT 1 FROM payment y WHERE y.id = NEW.payment_id AND y.amount_minor = abs(NEW.amount_minor)
          AND y.currency = NEW.currency) THEN
    RAISE EXCEPTION 'an entry is applied to a payment of its own sum' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER bank_entry_stays_itself BEFORE INSERT OR UPDATE ON bank_entry
FOR EACH ROW EXECUTE FUNCTION bank_entry_stays()
--;
CREATE FUNCTION bank_exception_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF OLD.state = 'resolved' THEN
    RAISE EXCEPTION 'an exception is resolved once' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER bank_exception_stays_resolved BEFORE UPDATE ON bank_exception
FOR EACH ROW EXECUTE FUNCTION bank_exception_stays()

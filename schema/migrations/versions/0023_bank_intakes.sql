-- What a file said is complete once the file is on record.
CREATE FUNCTION bank_words_before_record() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM (SELECT DISTINCT file_id FROM fresh) n JOIN bank_intake i ON i.file_id = n.file_id) THEN
    RAISE EXCEPTION 'a file of the bank that is on record says nothing more' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER bank_entry_before_record AFTER INSERT ON bank_entry REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION bank_words_before_record()
--;
CREATE TRIGGER bank_statement_before_record AFTER INSERT ON bank_statement REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION bank_words_before_record()
--;
-- A booking is of something that is open, of a file that is on record, and says what its payment shows: a debit
-- is applied to a payment that was settled (and may have come back since), a credit to one that came back, a
-- report to one that came back by this very report; reports alone are noted. The outcome follows.
CREATE FUNCTION bank_booking_added() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp SET random_page_cost = 1.1 AS $$
DECLARE booked bigint; done bigint;
BEGIN
  IF EXISTS (SELECT 1 FROM fresh n JOIN bank_entry e ON e.id = n.entry_id LEFT JOIN payment y ON y.id = e.payment_id
      WHERE CASE WHEN n.outcome = 'noted' THEN e.source <> 'report'
              WHEN e.source = 'statement' AND e.amount_minor < 0
                THEN coalesce(y.state NOT IN ('settled', 'returned'), true)
              WHEN e.source = 'statement' THEN coalesce(y.state <> 'returned', true)
              ELSE NOT EXISTS (SELECT 1 FROM event v WHERE v.subject_id = y.id AND v.step = 'payment.bank_return'
                AND v.request_id = 'bank:' || e.id) END) THEN
    RAISE EXCEPTION 'what the bank said is booked to a payment that does not stand there' USING ERRCODE = 'MP003';
  END IF;
  IF EXISTS (SELECT 1 FROM (SELECT DISTINCT coalesce(e.again_file_id, e.file_id) AS file_id FROM fresh n
        JOIN bank_entry e ON e.id = n.entry_id) m LEFT JOIN bank_intake i ON i.file_id = m.file_id
      WHERE i.id IS NULL) THEN
    RAISE EXCEPTION 'what the bank said is booked before its file is on record' USING ERRCODE = 'MP003';
  END IF;
  UPDATE bank_entry e SET outcome = n.outcome FROM fresh n
   WHERE e.id = n.entry_id AND e.outcome IN ('new', 'waiting');
  GET DIAGNOSTICS done = ROW_COUNT;
  SELECT count(*) INTO booked FROM fresh;
  IF done <> booked THEN
    RAISE EXCEPTION 'what is booked has to be open' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER bank_booking_added AFTER INSERT ON bank_booking REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION bank_booking_added()
--;
CREATE TRIGGER bank_booking_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bank_booking
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
CREATE TRIGGER bank_intake_stays BEFORE DELETE OR TRUNCATE ON bank_intake
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
CREATE TRIGGER bank_intake_state_needs_event AFTER UPDATE ON bank_intake
FOR EACH ROW EXECUTE FUNCTION state_needs_event('chain_id')
--;
CREATE TRIGGER bank_intake_birth_needs_event AFTER INSERT ON bank_intake REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()
--;
GRANT SELECT, INSERT ON bank_intake, bank_booking TO milepost_app
--;
REVOKE UPDATE (file_id) ON bank_entry FROM milepost_app
--;
GRANT UPDATE (again_file_id) ON bank_entry TO milepost_app

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
-- Both functions below plan anew each time (EXECUTE): a plan made while a table was empty would read all of it for each
-- row later.
-- A booking is of something that is open, of a file that is on record, and says what its payment shows: a debit
-- is applied to a payment that was settled (and may have come back since), a credit to one that came back, a
-- report to one that came back by this very report; reports alone are noted. The outcome follows.
CREATE FUNCTION bank_booking_added() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp SET random_page_cost = 1.1 AS $$
DECLARE booked bigint; done bigint;
BEGIN
  EXECUTE $u$ UPDATE bank_entry e SET outcome = n.outcome FROM fresh n
   WHERE e.id = n.entry_id AND e.outcome IN ('new', 'waiting')
     AND EXISTS (SELECT 1 FROM bank_intake i WHERE i.file_id = coalesce(e.again_file_id, e.file_id))
     AND CASE WHEN n.outcome = 'noted' THEN e.source = 'report'
           WHEN e.source = 'statement' THEN (SELECT CASE WHEN e.amount_minor < 0
             THEN y.state IN ('settled', 'returned') ELSE y.state = 'returned' END
             FROM payment y WHERE y.id = e.payment_id)
           ELSE EXISTS (SELECT 1 FROM event v WHERE v.subject_id = e.payment_id
             AND v.step = 'payment.bank_return' AND v.request_id = 'bank:' || e.id) END $u$;
  GET DIAGNOSTICS done = ROW_COUNT;
  SELECT count(*) INTO booked FROM fresh;
  IF done <> booked THEN
    RAISE EXCEPTION 'what is booked is open, of a file on record, and as its payment stands' USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER bank_booking_added AFTER INSERT ON bank_booking REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION bank_booking_added()
--;
-- Nothing is applied or noted but by its booking; what was noted as it came stays as it came.
CREATE FUNCTION bank_entry_needs_booking() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp SET random_page_cost = 1.1 AS $$
DECLARE wrong boolean;
BEGIN
  EXECUTE $q$ SELECT EXISTS (SELECT 1 FROM fresh n
      WHERE (n.outcome = 'applied' OR n.outcome = 'noted' AND (n.source = 'statement' OR n.said IN ('rejected', 'settled')))
        AND NOT EXISTS (SELECT 1 FROM bank_booking g WHERE g.entry_id = n.id AND g.outcome = n.outcome)) $q$ INTO wrong;
  IF wrong THEN
    RAISE EXCEPTION 'what the bank said is applied or noted by its booking alone' USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER bank_entry_needs_booking AFTER UPDATE ON bank_entry REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION bank_entry_needs_booking()
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

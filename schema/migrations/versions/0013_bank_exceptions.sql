-- What is queued has its exception, and leaves the queue only by being matched, or received as a refund (which
-- needs its receipt); what was held back counts once somebody used its statement or another file said it too. Fires after the statement that does all of it.
CREATE FUNCTION bank_entry_needs_exception() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE before text; payment uuid;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    before := OLD.outcome; payment := OLD.payment_id;
  ELSE
    before := ''; payment := NEW.payment_id;
  END IF;
  IF NEW.outcome = 'queued' AND before <> 'queued' AND NOT EXISTS (
       SELECT 1 FROM bank_exception x WHERE x.entry_id = NEW.id AND x.state = 'open') THEN
    RAISE EXCEPTION 'what the bank said is queued without an exception' USING ERRCODE = 'MP003';
  END IF;
  IF (before = 'queued' AND NEW.outcome NOT IN ('queued', 'received'))
     OR NEW.payment_id IS DISTINCT FROM payment THEN
    IF NOT EXISTS (SELECT 1 FROM bank_exception x WHERE x.entry_id = NEW.id AND x.state = 'matched'
         AND x.likely_id = NEW.payment_id) THEN
      RAISE EXCEPTION 'what the bank said is taken for another payment without a match' USING ERRCODE = 'MP005';
    END IF;
  END IF;
  IF before = 'held' AND NEW.outcome <> 'held' AND NEW.file_id = OLD.file_id AND NOT EXISTS (
       SELECT 1 FROM bank_exception x WHERE x.file_id = NEW.file_id AND x.state = 'used') THEN
    RAISE EXCEPTION 'a statement that does not add up is used without a step' USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER bank_entry_needs_exception AFTER INSERT OR UPDATE ON bank_entry
FOR EACH ROW EXECUTE FUNCTION bank_entry_needs_exception()
--;
-- What an exception is about never changes; what became of it does, with its event.
CREATE FUNCTION bank_exception_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF (NEW.chain_id, NEW.programme_id, NEW.office_path, NEW.project_id, NEW.tranche_id, NEW.kind, NEW.file_id,
      NEW.entry_id, NEW.payment_id, NEW.likely_id, NEW.params, NEW.raised_at)
     IS DISTINCT FROM (OLD.chain_id, OLD.programme_id, OLD.office_path, OLD.project_id, OLD.tranche_id, OLD.kind,
      OLD.file_id, OLD.entry_id, OLD.payment_id, OLD.likely_id, OLD.params, OLD.raised_at) THEN
    RAISE EXCEPTION 'what an exception is about never changes' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER bank_exception_binding BEFORE UPDATE ON bank_exception
FOR EACH ROW EXECUTE FUNCTION bank_exception_stays()
--;
CREATE TRIGGER bank_exception_stays BEFORE DELETE OR TRUNCATE ON bank_exception
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
CREATE TRIGGER bank_exception_state_needs_event AFTER UPDATE ON bank_exception
FOR EACH ROW EXECUTE FUNCTION state_needs_event('chain_id')
--;
CREATE TRIGGER bank_exception_birth_needs_event AFTER INSERT ON bank_exception REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()
--;
GRANT SELECT, INSERT ON bank_exception TO milepost_app
--;
GRANT UPDATE (state, version, resolved_by, resolved_at, note) ON bank_exception TO milepost_app

-- What was entered never changes; how long a change rests, and who was told, is said once, when it is verified.
CREATE FUNCTION payee_stays_itself() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF (NEW.account_kind, NEW.bank_code, NEW.documents) IS DISTINCT FROM
     (OLD.account_kind, OLD.bank_code, OLD.documents) THEN
    RAISE EXCEPTION 'details of a payee never change: enter a new version' USING ERRCODE = 'MP005';
  END IF;
  IF (NEW.rests_until, NEW.contacts) IS DISTINCT FROM (OLD.rests_until, OLD.contacts)
     AND (OLD.verified_by IS NOT NULL OR NEW.verified_by IS NULL) THEN
    RAISE EXCEPTION 'how long a payee rests is said once' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER payee_stays_itself BEFORE UPDATE ON payee FOR EACH ROW EXECUTE FUNCTION payee_stays_itself()
--;
-- By the day of the event itself, which is the office's own day.
CREATE FUNCTION payment_waits_for_rest() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM payee k JOIN event e ON e.subject_id = NEW.id AND e.subject_seq = NEW.version
              WHERE k.id = NEW.payee_id AND k.rests_until >= (e.at AT TIME ZONE 'Asia/Shanghai')::date) THEN
    RAISE EXCEPTION 'a payment is % while its payee rests', NEW.state USING ERRCODE = 'MP008';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER payment_waits_for_rest AFTER UPDATE ON payment FOR EACH ROW
WHEN (NEW.state IN ('requested', 'approved', 'released', 'instructed') AND NEW.state IS DISTINCT FROM OLD.state)
EXECUTE FUNCTION payment_waits_for_rest()

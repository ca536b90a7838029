-- What is set off is bound before the payment is requested, and fits both sides.
CREATE FUNCTION payment_offset_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF OLD.state NOT IN ('planned', 'due') OR NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'what is set off against a payment is bound once it was requested' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER payment_offset_stays BEFORE UPDATE OF offset_minor ON payment
FOR EACH ROW WHEN (NEW.offset_minor IS DISTINCT FROM OLD.offset_minor) EXECUTE FUNCTION payment_offset_stays()
--;
CREATE FUNCTION set_off_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF (NEW.id, NEW.receivable_id, NEW.payment_id, NEW.project_id, NEW.amount_minor, NEW.currency, NEW.grounds,
      NEW.proposed_by)
     IS DISTINCT FROM
     (OLD.id, OLD.receivable_id, OLD.payment_id, OLD.project_id, OLD.amount_minor, OLD.currency, OLD.grounds,
      OLD.proposed_by) THEN
    RAISE EXCEPTION 'what was proposed to be set off never changes' USING ERRCODE = 'MP005';
  END IF;
  IF NOT (OLD.status, NEW.status) IN (('proposed', 'agreed'), ('proposed', 'released'), ('agreed', 'applied'),
                                      ('agreed', 'released'), ('applied', 'undone')) THEN
    RAISE EXCEPTION 'a set-off does not go from % to %', OLD.status, NEW.status USING ERRCODE = 'MP005';
  END IF;
  IF OLD.agreed_by IS NOT NULL AND (NEW.agreed_by, NEW.hold_transfer_id)
     IS DISTINCT FROM (OLD.agreed_by, OLD.hold_transfer_id) THEN
    RAISE EXCEPTION 'who agreed to a set-off never changes' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER set_off_binding BEFORE UPDATE ON set_off FOR EACH ROW EXECUTE FUNCTION set_off_stays()
--;
CREATE FUNCTION set_off_fits() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh n JOIN payment y ON y.id = n.payment_id JOIN receivable r ON r.id = n.receivable_id
      WHERE (y.project_id, y.currency) IS DISTINCT FROM (n.project_id, n.currency)
         OR (r.project_id, r.currency) IS DISTINCT FROM (n.project_id, n.currency)
         OR n.amount_minor > y.amount_minor OR n.amount_minor > r.amount_minor
         OR (n.status IN ('agreed', 'applied') AND y.offset_minor <> n.amount_minor)) THEN
    RAISE EXCEPTION 'what is set off fits the payment and what is owed' USING ERRCODE = 'MP005';
  END IF;
  IF EXISTS (SELECT 1 FROM (SELECT DISTINCT receivable_id FROM fresh) n
      WHERE (pg_current_xact_id()::text)::bigint IS DISTINCT FROM
        (SELECT e.xid FROM event e WHERE e.subject_id = n.receivable_id ORDER BY e.subject_seq DESC LIMIT 1)) THEN
    RAISE EXCEPTION 'a set-off was written without an event of its receivable' USING ERRCODE = 'MP003';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER set_off_fits_in AFTER INSERT ON set_off REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION set_off_fits()
--;
CREATE TRIGGER set_off_fits_up AFTER UPDATE ON set_off REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION set_off_fits()

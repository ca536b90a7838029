-- Whose an appropriation is, of which year, source and origin, never changes; nor what a proposal was about.
CREATE FUNCTION budget_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'appropriation' THEN
    IF (NEW.programme_id, NEW.programme_code, NEW.fiscal_year, NEW.currency, NEW.amount_minor, NEW.source,
        NEW.source_rank, NEW.origin_year, NEW.office_path)
       IS DISTINCT FROM (OLD.programme_id, OLD.programme_code, OLD.fiscal_year, OLD.currency, OLD.amount_minor,
        OLD.source, OLD.source_rank, OLD.origin_year, OLD.office_path) THEN
      RAISE EXCEPTION 'an appropriation never changes: two people change its money' USING ERRCODE = 'MP005';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.programme_id, NEW.office_path, NEW.appropriation_id, NEW.kind, NEW.amount_minor, NEW.currency,
      NEW.reason, NEW.paper, NEW.proposed_by)
     IS DISTINCT FROM (OLD.programme_id, OLD.office_path, OLD.appropriation_id, OLD.kind, OLD.amount_minor,
      OLD.currency, OLD.reason, OLD.paper, OLD.proposed_by)
     OR (OLD.to_id IS NOT NULL AND NEW.to_id IS DISTINCT FROM OLD.to_id)
     OR (OLD.confirmed_by IS NOT NULL AND NEW.confirmed_by IS DISTINCT FROM OLD.confirmed_by) THEN
    RAISE EXCEPTION 'a proposal never changes: make another' USING ERRCODE = 'MP005';
  END IF;
  IF (NEW.state = 'confirmed') <> (NEW.confirmed_by IS NOT NULL) THEN
    RAISE EXCEPTION 'a change is confirmed by a second person' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
-- Asked once the row is locked: whoever drew on it before has committed, whoever comes after finds it closed.
CREATE FUNCTION year_closes() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF NEW.state = 'closed' AND OLD.state <> 'closed' AND EXISTS (
       SELECT 1 FROM payment y WHERE y.appropriation_id = NEW.id
          AND y.state IN ('requested', 'approved', 'released', 'instructed', 'unknown')) THEN
    RAISE EXCEPTION 'a year closes once its payments are through' USING ERRCODE = 'MP006';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER appropriation_year_closes AFTER UPDATE ON appropriation
FOR EACH ROW EXECUTE FUNCTION year_closes()
--;
CREATE TRIGGER appropriation_stays_itself BEFORE UPDATE ON appropriation
FOR EACH ROW EXECUTE FUNCTION budget_stays()
--;
CREATE TRIGGER budget_change_stays_itself BEFORE UPDATE ON budget_change
FOR EACH ROW EXECUTE FUNCTION budget_stays()
--;
-- Between the treasury and appropriations money goes by a vote, or by a confirmed change: once, its sum, its way.
CREATE FUNCTION budget_transfer_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE wrong bigint;
BEGIN
  SELECT count(*) INTO wrong FROM added t
    JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
    JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq
   WHERE t.reverses_id IS NULL
     AND (d.kind = 'treasury' OR (d.kind = 'appropriation' AND c.kind <> 'commitment'))
     AND (t.kind <> 'posted'
       OR NOT CASE e.step
         WHEN 'appropriation.vote' THEN d.kind = 'treasury' AND c.owner_id = e.subject_id
           AND t.amount_minor = (SELECT a.amount_minor FROM appropriation a WHERE a.id = e.subject_id)
         WHEN 'budget_change.confirm' THEN EXISTS (
           SELECT 1 FROM budget_change b WHERE b.id = e.subject_id AND b.amount_minor = t.amount_minor
              AND CASE b.kind
                WHEN 'increase' THEN d.kind = 'treasury' AND c.owner_id = b.appropriation_id
                WHEN 'decrease' THEN d.owner_id = b.appropriation_id AND c.kind = 'treasury'
                WHEN 'lapse' THEN d.owner_id = b.appropriation_id AND c.kind = 'treasury'
                ELSE d.owner_id = b.appropriation_id AND c.kind = 'appropriation' AND c.owner_id = b.to_id END)
         ELSE false END
       OR EXISTS (SELECT 1 FROM transfer o WHERE o.debit_id = t.debit_id AND o.chain_id = t.chain_id
                     AND o.event_seq = t.event_seq AND o.id <> t.id));
  IF wrong > 0 THEN
    RAISE EXCEPTION 'a budget is changed by a vote or a confirmed change, once' USING ERRCODE = 'MP004';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE kind = 'pending') THEN
    PERFORM 1 FROM appropriation a WHERE a.id IN (
        SELECT d.owner_id FROM added t JOIN account d ON d.id = t.debit_id WHERE t.kind = 'pending')
      ORDER BY a.id FOR SHARE;
    SELECT count(*) INTO wrong FROM added t JOIN account d ON d.id = t.debit_id
      LEFT JOIN appropriation a ON a.id = d.owner_id LEFT JOIN project p ON p.id = t.chain_id
     WHERE t.kind = 'pending' AND d.kind = 'appropriation' AND (a.programme_code IS DISTINCT FROM p.programme_code
           OR NOT coalesce(starts_with(p.office_path, a.office_path), false));
    IF wrong > 0 THEN
      RAISE EXCEPTION 'an appropriation pays for its own programme and office' USING ERRCODE = 'MP004';
    END IF;
    IF EXISTS (SELECT 1 FROM added t JOIN account d ON d.id = t.debit_id
                 JOIN appropriation a ON a.id = d.owner_id WHERE t.kind = 'pending' AND a.state <> 'voted') THEN
      RAISE EXCEPTION 'the year was closed meanwhile' USING ERRCODE = 'MP006';
    END IF;
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER budget_transfer_added AFTER INSERT ON transfer REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION budget_transfer_added()

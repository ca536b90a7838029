ALTER TABLE appropriation
  ADD COLUMN proposed_by UUID REFERENCES person (id), ADD COLUMN voted_by UUID REFERENCES person (id),
  ADD COLUMN closing_by UUID REFERENCES person (id), ADD COLUMN closing_reason TEXT,
  ADD COLUMN closed_by UUID REFERENCES person (id),
  ADD CONSTRAINT appropriation_two_people CHECK (voted_by IS NULL OR voted_by <> proposed_by),
  ADD CONSTRAINT year_closed_by_two_people CHECK (closed_by IS NULL OR closed_by <> closing_by),
  ADD CONSTRAINT closing_has_reason CHECK ((closing_by IS NULL) = (closing_reason IS NULL)),
  DROP CONSTRAINT appropriation_once
--;
-- A proposal that came to nothing leaves room for the next one.
CREATE UNIQUE INDEX appropriation_once ON appropriation
  (programme_code, fiscal_year, source, currency, origin_year, office_path)
  WHERE state NOT IN ('rejected', 'withdrawn')
--;
-- Who proposed, who confirmed: each written once, with the change of state it belongs to. What one person voted or
-- closed before this rule stays as it is.
CREATE FUNCTION appropriation_people() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NUM_NONNULLS(NEW.voted_by, NEW.closing_by, NEW.closed_by) > 0 OR NOT (
         (NEW.state = 'proposed' AND NEW.proposed_by IS NOT NULL)
         OR (NEW.state = 'voted' AND NEW.proposed_by IS NULL AND NEW.amount_minor = 0)) THEN
      RAISE EXCEPTION 'an appropriation is proposed by one person and confirmed by another' USING ERRCODE = 'MP005';
    END IF;
    RETURN NULL;
  END IF;
  IF NEW.proposed_by IS DISTINCT FROM OLD.proposed_by
     OR (NEW.voted_by IS DISTINCT FROM OLD.voted_by) <> (OLD.state = 'proposed' AND NEW.state = 'voted')
     OR (OLD.state = 'proposed' AND NEW.state = 'voted' AND NEW.voted_by IS NULL)
     OR (NEW.closing_by IS DISTINCT FROM OLD.closing_by AND (OLD.state, NEW.state) <> ('voted', 'voted'))
     OR (NEW.closing_by IS NOT DISTINCT FROM OLD.closing_by AND NEW.closing_reason IS DISTINCT FROM OLD.closing_reason)
     OR (NEW.closed_by IS DISTINCT FROM OLD.closed_by) <> (OLD.state <> 'closed' AND NEW.state = 'closed')
     OR (OLD.state <> 'closed' AND NEW.state = 'closed' AND (NEW.closing_by IS NULL OR NEW.closed_by IS NULL)) THEN
    RAISE EXCEPTION 'a budget is voted, and its year closed, by two people' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
-- Named so that the triggers about events come first: what has no event at all is refused for that.
CREATE TRIGGER appropriation_two_people AFTER INSERT OR UPDATE ON appropriation
FOR EACH ROW EXECUTE FUNCTION appropriation_people()
--;
-- And each of them is who took the step.
CREATE FUNCTION appropriation_people_acted() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE named UUID[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    named := ARRAY[NEW.proposed_by];
  ELSE
    named := ARRAY[
      CASE WHEN NEW.voted_by IS DISTINCT FROM OLD.voted_by THEN NEW.voted_by END,
      CASE WHEN NEW.closing_by IS DISTINCT FROM OLD.closing_by THEN NEW.closing_by END,
      CASE WHEN NEW.closed_by IS DISTINCT FROM OLD.closed_by THEN NEW.closed_by END];
  END IF;
  IF EXISTS (SELECT 1 FROM unnest(named) n WHERE n <> (
       SELECT e.actor_id FROM event e WHERE e.subject_id = NEW.id AND e.subject_seq = NEW.version)) THEN
    RAISE EXCEPTION 'somebody is named for a budget who did not act' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER appropriation_two_people_acted AFTER INSERT OR UPDATE ON appropriation
FOR EACH ROW EXECUTE FUNCTION appropriation_people_acted()

ALTER TABLE claim
  ADD COLUMN reopening_by UUID REFERENCES person (id), ADD COLUMN reopening_reason TEXT,
  ADD COLUMN reopened_by UUID REFERENCES person (id),
  ADD CONSTRAINT claim_reopened_by_two CHECK (reopened_by IS NULL OR reopened_by <> reopening_by),
  ADD CONSTRAINT reopening_has_reason CHECK ((reopening_by IS NULL) = (reopening_reason IS NULL))
--;
-- An acceptance is taken back by two people, each of whom acts, and not from under a payment that rests on it.
CREATE FUNCTION claim_reopens() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE again boolean := OLD.state = 'accepted' AND NEW.state <> 'accepted';
DECLARE actor UUID := (SELECT e.actor_id FROM event e WHERE e.subject_id = NEW.id AND e.subject_seq = NEW.version);
BEGIN
  IF (again AND (NEW.state <> 'submitted' OR NEW.reopening_by IS NULL OR NEW.reopened_by IS DISTINCT FROM actor
                 OR OLD.reopened_by IS NOT NULL OR NEW.reopening_by IS DISTINCT FROM OLD.reopening_by))
     OR (NOT again AND NEW.reopened_by IS NOT NULL AND NEW.reopened_by IS DISTINCT FROM OLD.reopened_by)
     OR (NEW.reopening_by IS DISTINCT FROM OLD.reopening_by AND (
           (OLD.state, NEW.state) <> ('accepted', 'accepted') OR NEW.reopening_by <> actor))
     OR (NEW.reopening_reason IS DISTINCT FROM OLD.reopening_reason
         AND (OLD.state, NEW.state) <> ('accepted', 'accepted')) THEN
    RAISE EXCEPTION 'a claim is reopened by two people' USING ERRCODE = 'MP005';
  END IF;
  IF again AND EXISTS (SELECT 1 FROM payment y JOIN tranche t ON t.id = y.tranche_id
       WHERE y.project_id = NEW.project_id AND t.basis = 'verified'
         AND y.state NOT IN ('planned', 'settled', 'returned', 'void')) THEN
    RAISE EXCEPTION 'a payment that rests on this claim is under way' USING ERRCODE = 'MP006';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER claim_two_reopen AFTER UPDATE ON claim FOR EACH ROW EXECUTE FUNCTION claim_reopens()

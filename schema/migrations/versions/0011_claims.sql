ALTER TABLE project ADD COLUMN budget JSONB DEFAULT '{}'::jsonb NOT NULL,
  ADD COLUMN verified_minor BIGINT DEFAULT 0 NOT NULL, ADD COLUMN accounts_until DATE,
  ADD CONSTRAINT project_verified_not_negative CHECK (verified_minor >= 0)
--;
-- What was handed in stays; what an examiner found changes while the claim is being examined, and never again.
CREATE FUNCTION claim_line_stays() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT OLD.live OR (SELECT c.state FROM claim c WHERE c.id = OLD.claim_id) <> 'submitted' THEN
    RAISE EXCEPTION 'a line of a decided claim never changes' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER claim_line_stays_itself BEFORE UPDATE ON claim_line
FOR EACH ROW EXECUTE FUNCTION claim_line_stays()
--;
-- At the end of the statement, so that an acceptance is seen together with its lines.
CREATE FUNCTION claim_adds_up() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE claimed bigint; allowed bigint;
BEGIN
  IF NEW.state IN ('submitted', 'accepted') THEN
    SELECT coalesce(sum(l.amount_minor), 0),
           CASE NEW.state WHEN 'accepted' THEN sum(coalesce(l.allowed_minor, -l.amount_minor)) ELSE 0 END
      INTO claimed, allowed FROM claim_line l
     WHERE l.claim_id = NEW.id AND l.live AND l.submission = NEW.submission;
    IF (NEW.claimed_minor, NEW.allowed_minor) IS DISTINCT FROM (claimed, allowed) THEN
      RAISE EXCEPTION 'a claim is not the sum of its lines' USING ERRCODE = 'MP005';
    END IF;
  ELSIF NEW.allowed_minor <> 0 THEN
    RAISE EXCEPTION 'nothing is allowed of a claim that is not accepted' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER claim_adds_up AFTER UPDATE ON claim FOR EACH ROW EXECUTE FUNCTION claim_adds_up()

CREATE TABLE delegation (
  id UUID NOT NULL,
  chain_id UUID NOT NULL,
  programme_id UUID NOT NULL,
  delegator_id UUID NOT NULL,
  delegate_id UUID NOT NULL,
  role TEXT NOT NULL,
  steps JSONB DEFAULT '[]'::jsonb NOT NULL,
  within TEXT NOT NULL,
  from_on DATE NOT NULL,
  until_on DATE NOT NULL,
  limit_minor BIGINT,
  currency TEXT,
  reason TEXT NOT NULL,
  state TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT delegation_two_people CHECK (delegate_id <> delegator_id),
  CONSTRAINT delegation_days_in_order CHECK (until_on >= from_on),
  CONSTRAINT delegation_limit_whole CHECK (limit_minor IS NULL OR (limit_minor > 0 AND currency IS NOT NULL)),
  FOREIGN KEY(chain_id) REFERENCES chain (id),
  FOREIGN KEY(programme_id) REFERENCES programme_version (id),
  FOREIGN KEY(delegator_id) REFERENCES person (id),
  FOREIGN KEY(delegate_id) REFERENCES person (id)
)
--;
CREATE INDEX delegation_in_force ON delegation (delegate_id) WHERE state = 'accepted'
--;
CREATE INDEX ix_delegation_delegator_id ON delegation (delegator_id)
--;
CREATE FUNCTION delegation_stays_itself() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF (to_jsonb(NEW) - 'state' - 'version') IS DISTINCT FROM (to_jsonb(OLD) - 'state' - 'version') THEN
    RAISE EXCEPTION 'what was delegated never changes: end it and grant another' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER delegation_stays_itself BEFORE UPDATE ON delegation FOR EACH ROW
EXECUTE FUNCTION delegation_stays_itself()
--;
-- Who acts for another does so by an accepted delegation of that very person, in its role, step, days and limits,
-- of a role that the other one holds by grant; and the other one has a duty of the payment as well.
CREATE FUNCTION duty_by_delegation() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM fresh n
      JOIN payment y ON y.id = n.payment_id JOIN project p ON p.id = y.project_id
      JOIN event e ON e.subject_id = y.id AND e.subject_seq = (
        SELECT max(x.subject_seq) FROM event x WHERE x.subject_id = y.id)
     WHERE n.for_id IS NOT NULL AND (
       NOT EXISTS (SELECT 1 FROM duty r WHERE r.payment_id = n.payment_id AND r.duty = 'represented'
                    AND r.person_id = n.for_id)
       OR NOT EXISTS (
         SELECT 1 FROM delegation g JOIN programme_version v ON v.id = p.programme_id
           JOIN role_grant h ON h.person_id = g.delegator_id AND h.role = g.role AND h.revoked_at IS NULL
            AND (h.project_id = p.id OR starts_with(p.office_path, h.office_path))
          WHERE g.id = n.delegation_id AND g.state = 'accepted' AND g.delegate_id = n.person_id
            AND g.delegator_id = n.for_id AND g.role = n.role AND g.steps ? e.step
            AND g.chain_id = v.chain_id AND starts_with(p.office_path, g.within)
            AND (g.limit_minor IS NULL OR (g.currency = y.currency AND y.amount_minor <= g.limit_minor))
            AND (e.at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN g.from_on AND g.until_on))) THEN
    RAISE EXCEPTION 'somebody acts for another without a delegation that says so' USING ERRCODE = 'MP008';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER duty_by_delegation AFTER INSERT ON duty REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION duty_by_delegation()

ALTER TABLE tranche ADD COLUMN interest_of_id UUID, ADD COLUMN late_days INTEGER,
  ADD CONSTRAINT tranche_interest CHECK (basis = 'interest' AND interest_of_id IS NOT NULL AND late_days > 0
    OR basis <> 'interest' AND interest_of_id IS NULL AND late_days IS NULL)
--;
CREATE UNIQUE INDEX tranche_interest_once ON tranche (interest_of_id) WHERE interest_of_id IS NOT NULL
--;
ALTER TABLE appropriation ADD COLUMN for_interest BOOLEAN DEFAULT false NOT NULL
--;
-- Whether somebody's accounts are those of interest that is owed in a project.
CREATE FUNCTION interest_of_chain(owner uuid, chain uuid) RETURNS boolean LANGUAGE sql STABLE
SET search_path = public, pg_temp AS
$$ SELECT EXISTS (SELECT 1 FROM tranche x WHERE x.id = owner AND x.project_id = chain AND x.basis = 'interest') $$
--;
-- Interest follows from a settlement of now, once, in its project and currency, and never from interest.
CREATE FUNCTION interest_follows() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh n LEFT JOIN payment y ON y.id = n.interest_of_id
               LEFT JOIN tranche b ON b.id = y.tranche_id
              WHERE n.basis = 'interest' AND (y.state IS DISTINCT FROM 'settled' OR b.basis = 'interest'
                OR (y.project_id, y.currency) IS DISTINCT FROM (n.project_id, n.currency)
                OR NOT EXISTS (SELECT 1 FROM event e WHERE e.subject_id = y.id AND e.subject_seq = y.version
                     AND e.to_state = 'settled' AND e.xid = (pg_current_xact_id()::text)::bigint))) THEN
    RAISE EXCEPTION 'interest follows from a payment that was settled late' USING ERRCODE = 'MP005';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER tranche_interest_follows AFTER INSERT ON tranche REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION interest_follows()
--;
-- Interest is paid from its own line, and nothing else is.
CREATE FUNCTION interest_has_its_line() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added t JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
               JOIN appropriation a ON a.id = d.owner_id
              WHERE t.kind = 'pending' AND d.kind = 'appropriation' AND c.kind = 'commitment'
                AND a.for_interest <> (c.owner_id <> t.chain_id)) THEN
    RAISE EXCEPTION 'interest is paid from its own line of the budget, and an award never' USING ERRCODE = 'MP004';
  END IF;
  RETURN NULL;
END $$
--;
CREATE TRIGGER interest_has_its_line AFTER INSERT ON transfer REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION interest_has_its_line()

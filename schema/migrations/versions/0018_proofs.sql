CREATE TABLE proof (
  id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  kind TEXT NOT NULL, 
  documents JSONB DEFAULT '[]'::jsonb NOT NULL, 
  note TEXT NOT NULL, 
  handed_by UUID NOT NULL, 
  handed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  decided_by UUID, 
  decided_at TIMESTAMP WITH TIME ZONE, 
  outcome TEXT, 
  opinion TEXT, 
  PRIMARY KEY (id), 
  CONSTRAINT proof_kind_known CHECK (kind IN ('segregated_ledger', 'final_accounts', 'audit_report')), 
  CONSTRAINT proof_two_people CHECK (decided_by IS NULL OR decided_by <> handed_by), 
  CONSTRAINT proof_decided_whole CHECK ((decided_by IS NULL) = (outcome IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL) AND coalesce(outcome IN ('accepted', 'returned'), true)), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  FOREIGN KEY(handed_by) REFERENCES person (id), 
  FOREIGN KEY(decided_by) REFERENCES person (id)
)
--;
CREATE INDEX ix_proof_project_id ON proof (project_id)
--;
ALTER TABLE project ADD COLUMN proofs JSONB DEFAULT '[]'::jsonb NOT NULL
--;
CREATE FUNCTION proof_decided_once() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
  IF OLD.decided_by IS NOT NULL THEN
    RAISE EXCEPTION 'a paper is decided on once' USING ERRCODE = 'MP005';
  END IF;
  RETURN NEW;
END $$
--;
CREATE TRIGGER proof_decided_once BEFORE UPDATE ON proof FOR EACH ROW EXECUTE FUNCTION proof_decided_once()

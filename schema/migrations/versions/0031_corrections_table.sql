CREATE TABLE correction (
  id UUID NOT NULL, 
  receivable_id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  kind TEXT NOT NULL, 
  receipt_id UUID, 
  transfer_id UUID, 
  reason TEXT NOT NULL, 
  decision_no TEXT NOT NULL, 
  proposed_by UUID NOT NULL, 
  decided_by UUID, 
  decided_seq INTEGER, 
  status TEXT NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT correction_kind_known CHECK (kind IN ('receipt', 'write_off')), 
  CONSTRAINT correction_of_something CHECK ((kind = 'receipt') = (receipt_id IS NOT NULL)), 
  CONSTRAINT correction_of_a_transfer CHECK (kind = 'receipt' OR transfer_id IS NOT NULL), 
  CONSTRAINT correction_status_known CHECK (status IN ('proposed', 'done', 'dropped')), 
  CONSTRAINT correction_decided_by_somebody CHECK ((status = 'proposed') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_seq IS NULL)), 
  CONSTRAINT correction_two_people CHECK (status <> 'done' OR decided_by <> proposed_by), 
  FOREIGN KEY(receivable_id) REFERENCES receivable (id), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  FOREIGN KEY(receipt_id) REFERENCES receipt (id), 
  FOREIGN KEY(proposed_by) REFERENCES person (id), 
  FOREIGN KEY(decided_by) REFERENCES person (id)
)
--;
CREATE INDEX ix_correction_project_id ON correction (project_id)
--;
CREATE INDEX ix_correction_receivable_id ON correction (receivable_id)
--;
CREATE UNIQUE INDEX correction_of_receipt_once ON correction (receipt_id) WHERE status = 'done'
--;
CREATE UNIQUE INDEX correction_of_transfer_once ON correction (transfer_id) WHERE status = 'done'
--;
CREATE UNIQUE INDEX correction_waits_once ON correction (receivable_id) WHERE status = 'proposed'

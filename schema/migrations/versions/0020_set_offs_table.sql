CREATE TABLE set_off (
  id UUID NOT NULL, 
  receivable_id UUID NOT NULL, 
  payment_id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  amount_minor BIGINT NOT NULL, 
  currency TEXT NOT NULL, 
  grounds TEXT NOT NULL, 
  proposed_by UUID NOT NULL, 
  agreed_by UUID, 
  hold_transfer_id UUID, 
  post_transfer_id UUID, 
  status TEXT NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT set_off_amount_positive CHECK (amount_minor > 0), 
  CONSTRAINT set_off_status_known CHECK (status IN ('proposed', 'agreed', 'applied', 'released', 'undone')), 
  CONSTRAINT set_off_two_people CHECK (agreed_by IS NULL OR agreed_by <> proposed_by), 
  CONSTRAINT set_off_agreed_by_somebody CHECK (status NOT IN ('agreed', 'applied', 'undone') OR (agreed_by IS NOT NULL AND hold_transfer_id IS NOT NULL)), 
  FOREIGN KEY(receivable_id) REFERENCES receivable (id), 
  FOREIGN KEY(payment_id) REFERENCES payment (id), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  FOREIGN KEY(proposed_by) REFERENCES person (id), 
  FOREIGN KEY(agreed_by) REFERENCES person (id)
)
--;
CREATE INDEX ix_set_off_project_id ON set_off (project_id)
--;
CREATE INDEX ix_set_off_receivable_id ON set_off (receivable_id)
--;
CREATE UNIQUE INDEX set_off_payment_live ON set_off (payment_id) WHERE status IN ('proposed', 'agreed', 'applied')
--;
CREATE UNIQUE INDEX set_off_receivable_live ON set_off (receivable_id) WHERE status IN ('proposed', 'agreed')

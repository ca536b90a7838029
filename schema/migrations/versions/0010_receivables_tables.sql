CREATE TABLE receivable (
  id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  reference TEXT NOT NULL, 
  ground TEXT NOT NULL, 
  legal_basis TEXT NOT NULL, 
  decision_no TEXT NOT NULL, 
  amount_minor BIGINT NOT NULL, 
  currency TEXT NOT NULL, 
  due_on DATE NOT NULL, 
  next_due_on DATE NOT NULL, 
  established_by UUID NOT NULL, 
  established_on DATE NOT NULL, 
  confirmed_by UUID, 
  confirmed_on DATE, 
  claim_transfer_id UUID NOT NULL, 
  plan JSONB DEFAULT '[]'::jsonb NOT NULL, 
  planned_from_minor BIGINT DEFAULT 0 NOT NULL, 
  received_minor BIGINT DEFAULT 0 NOT NULL, 
  written_off_minor BIGINT DEFAULT 0 NOT NULL, 
  over_minor BIGINT DEFAULT 0 NOT NULL, 
  ending TEXT, 
  ending_by UUID, 
  ending_reason TEXT, 
  ending_decision_no TEXT, 
  ended_by UUID, 
  closed_on DATE, 
  state TEXT NOT NULL, 
  version INTEGER NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT receivable_amount_positive CHECK (amount_minor > 0), 
  CONSTRAINT receivable_sums_not_negative CHECK (received_minor >= 0 AND written_off_minor >= 0 AND over_minor >= 0 AND planned_from_minor >= 0), 
  CONSTRAINT receivable_within CHECK (received_minor + written_off_minor <= amount_minor), 
  CONSTRAINT receivable_closed_in_full CHECK (state NOT IN ('settled', 'written_off') OR received_minor + written_off_minor = amount_minor), 
  CONSTRAINT receivable_two_people CHECK (confirmed_by IS NULL OR confirmed_by <> established_by), 
  CONSTRAINT receivable_write_off_two_people CHECK ((written_off_minor > 0) = (ended_by IS NOT NULL) AND (ended_by IS NULL OR ended_by <> ending_by)), 
  CONSTRAINT receivable_confirmed CHECK (state IN ('proposed', 'cancelled') OR (confirmed_by IS NOT NULL AND confirmed_on IS NOT NULL)), 
  CONSTRAINT receivable_ground_known CHECK (ground IN ('disallowed_cost', 'surplus', 'termination', 'revocation', 'overpayment')), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  UNIQUE (reference), 
  FOREIGN KEY(established_by) REFERENCES person (id), 
  FOREIGN KEY(confirmed_by) REFERENCES person (id), 
  FOREIGN KEY(ending_by) REFERENCES person (id), 
  FOREIGN KEY(ended_by) REFERENCES person (id)
)
--;
CREATE INDEX ix_receivable_project_id ON receivable (project_id)
--;
CREATE INDEX receivable_open ON receivable (next_due_on) WHERE state IN ('owed', 'instalments')
--;
CREATE TABLE receipt (
  id UUID NOT NULL, 
  receivable_id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  entry_id UUID, 
  amount_minor BIGINT NOT NULL, 
  taken_minor BIGINT NOT NULL, 
  over_minor BIGINT NOT NULL, 
  currency TEXT NOT NULL, 
  received_on DATE NOT NULL, 
  reference TEXT NOT NULL, 
  note TEXT NOT NULL, 
  recorded_by UUID NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT receipt_entry_once UNIQUE (entry_id), 
  CONSTRAINT receipt_adds_up CHECK (amount_minor > 0 AND taken_minor >= 0 AND over_minor >= 0 AND taken_minor + over_minor = amount_minor), 
  FOREIGN KEY(receivable_id) REFERENCES receivable (id), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  FOREIGN KEY(entry_id) REFERENCES bank_entry (id), 
  FOREIGN KEY(recorded_by) REFERENCES person (id)
)
--;
CREATE INDEX ix_receipt_project_id ON receipt (project_id)
--;
CREATE INDEX ix_receipt_receivable_id ON receipt (receivable_id)
--;
CREATE UNIQUE INDEX receipt_slip_once ON receipt (reference) WHERE entry_id IS NULL

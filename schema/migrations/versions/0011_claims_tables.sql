CREATE TABLE claim (
  id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  number INTEGER NOT NULL, 
  period_from DATE NOT NULL, 
  period_to DATE NOT NULL, 
  currency TEXT NOT NULL, 
  lines JSONB DEFAULT '[]'::jsonb NOT NULL, 
  submission INTEGER DEFAULT 0 NOT NULL, 
  claimed_minor BIGINT DEFAULT 0 NOT NULL, 
  allowed_minor BIGINT DEFAULT 0 NOT NULL, 
  submitted_by UUID, 
  submitted_on DATE, 
  decided_by UUID, 
  decided_on DATE, 
  opinion TEXT, 
  state TEXT NOT NULL, 
  version INTEGER NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT claim_number_once UNIQUE (project_id, number), 
  CONSTRAINT claim_period_in_order CHECK (period_to >= period_from), 
  CONSTRAINT claim_allowed_within CHECK (allowed_minor BETWEEN 0 AND claimed_minor), 
  CONSTRAINT claim_two_people CHECK (decided_by IS NULL OR decided_by <> submitted_by), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  FOREIGN KEY(submitted_by) REFERENCES person (id), 
  FOREIGN KEY(decided_by) REFERENCES person (id)
)
--;
CREATE INDEX claim_by_state ON claim (state, id)
--;
CREATE INDEX ix_claim_project_id ON claim (project_id)
--;
CREATE TABLE claim_line (
  id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  claim_id UUID NOT NULL, 
  submission INTEGER NOT NULL, 
  number INTEGER NOT NULL, 
  category TEXT NOT NULL, 
  spent_on DATE NOT NULL, 
  payee TEXT NOT NULL, 
  invoice_no TEXT NOT NULL, 
  invoice_key TEXT, 
  description TEXT NOT NULL, 
  amount_minor BIGINT NOT NULL, 
  evidence TEXT, 
  live BOOLEAN NOT NULL, 
  allowed_minor BIGINT, 
  reason TEXT, 
  examined_by UUID, 
  examined_at TIMESTAMP WITH TIME ZONE, 
  PRIMARY KEY (id), 
  CONSTRAINT claim_line_once UNIQUE (claim_id, submission, number), 
  CONSTRAINT claim_line_amount_positive CHECK (amount_minor > 0), 
  CONSTRAINT claim_line_allowed_within CHECK (allowed_minor BETWEEN 0 AND amount_minor), 
  CONSTRAINT claim_line_reason_given CHECK (allowed_minor IS NULL OR allowed_minor = amount_minor OR reason <> ''), 
  CONSTRAINT claim_line_examined_whole CHECK ((allowed_minor IS NULL) = (examined_by IS NULL) AND (allowed_minor IS NULL) = (reason IS NULL)), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  FOREIGN KEY(claim_id) REFERENCES claim (id), 
  FOREIGN KEY(examined_by) REFERENCES person (id)
)
--;
CREATE INDEX claim_line_evidence ON claim_line (evidence) WHERE live
--;
CREATE INDEX claim_line_invoice ON claim_line (invoice_key) WHERE live
--;
CREATE INDEX ix_claim_line_claim_id ON claim_line (claim_id)
--;
CREATE INDEX ix_claim_line_project_id ON claim_line (project_id)

CREATE TABLE batch (
  id UUID NOT NULL, 
  chain_id UUID NOT NULL, 
  programme_id UUID NOT NULL, 
  currency TEXT NOT NULL, 
  execution_on DATE NOT NULL, 
  cut_off TIMESTAMP WITH TIME ZONE NOT NULL, 
  number INTEGER NOT NULL, 
  total_minor BIGINT NOT NULL, 
  made_by UUID NOT NULL, 
  handed_by UUID, 
  handed_at TIMESTAMP WITH TIME ZONE, 
  file_name TEXT, 
  sha256 TEXT, 
  staged_as TEXT, 
  note TEXT, 
  state TEXT NOT NULL, 
  version INTEGER NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT batch_two_people CHECK (handed_by IS NULL OR handed_by <> made_by), 
  CONSTRAINT batch_not_empty CHECK (number > 0 AND total_minor > 0), 
  FOREIGN KEY(chain_id) REFERENCES chain (id), 
  FOREIGN KEY(programme_id) REFERENCES programme_version (id), 
  FOREIGN KEY(made_by) REFERENCES person (id), 
  FOREIGN KEY(handed_by) REFERENCES person (id), 
  UNIQUE (file_name)
)
--;
CREATE INDEX batch_by_state ON batch (state)
--;
CREATE TABLE bank_file (
  id UUID NOT NULL, 
  direction TEXT NOT NULL, 
  kind TEXT NOT NULL, 
  name TEXT NOT NULL, 
  sha256 TEXT NOT NULL, 
  size BIGINT NOT NULL, 
  at TIMESTAMP WITH TIME ZONE NOT NULL, 
  by_id UUID NOT NULL, 
  batch_id UUID, 
  closing_on DATE, 
  counts JSONB DEFAULT '{}'::jsonb NOT NULL, 
  findings JSONB DEFAULT '[]'::jsonb NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT bank_file_once UNIQUE (direction, sha256), 
  CONSTRAINT bank_file_direction_known CHECK (direction IN ('in', 'out')), 
  FOREIGN KEY(by_id) REFERENCES person (id), 
  FOREIGN KEY(batch_id) REFERENCES batch (id)
)
--;
CREATE INDEX bank_file_closing ON bank_file (closing_on) WHERE closing_on IS NOT NULL
--;
CREATE TABLE batch_payment (
  id UUID NOT NULL, 
  batch_id UUID NOT NULL, 
  payment_id UUID NOT NULL, 
  position INTEGER NOT NULL, 
  live BOOLEAN DEFAULT true NOT NULL, 
  left_out TEXT, 
  PRIMARY KEY (id), 
  CONSTRAINT batch_payment_position_once UNIQUE (batch_id, position), 
  FOREIGN KEY(batch_id) REFERENCES batch (id), 
  FOREIGN KEY(payment_id) REFERENCES payment (id)
)
--;
CREATE UNIQUE INDEX batch_payment_live ON batch_payment (payment_id) WHERE live
--;
CREATE TABLE bank_entry (
  id UUID NOT NULL, 
  file_id UUID NOT NULL, 
  source TEXT NOT NULL, 
  account TEXT NOT NULL, 
  key TEXT NOT NULL, 
  part INTEGER NOT NULL, 
  said TEXT NOT NULL, 
  booked_on DATE NOT NULL, 
  amount_minor BIGINT NOT NULL, 
  currency TEXT NOT NULL, 
  end_to_end TEXT NOT NULL, 
  reference TEXT NOT NULL, 
  reason TEXT NOT NULL, 
  party_account TEXT NOT NULL, 
  payment_id UUID, 
  outcome TEXT NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT bank_entry_once UNIQUE (source, account, key, part), 
  CONSTRAINT bank_entry_source_known CHECK (source IN ('statement', 'report')), 
  CONSTRAINT bank_entry_outcome_known CHECK (outcome IN ('new', 'held', 'waiting', 'applied', 'noted', 'queued')), 
  CONSTRAINT bank_entry_applied_to_one CHECK (outcome <> 'applied' OR payment_id IS NOT NULL), 
  FOREIGN KEY(file_id) REFERENCES bank_file (id), 
  FOREIGN KEY(payment_id) REFERENCES payment (id)
)
--;
CREATE UNIQUE INDEX bank_entry_credit_once ON bank_entry (payment_id) WHERE source = 'statement' AND outcome = 'applied' AND amount_minor > 0
--;
CREATE UNIQUE INDEX bank_entry_debit_once ON bank_entry (payment_id) WHERE source = 'statement' AND outcome = 'applied' AND amount_minor < 0
--;
CREATE INDEX bank_entry_of_payment ON bank_entry (payment_id)
--;
CREATE INDEX bank_entry_open ON bank_entry (source, booked_on, id) WHERE outcome IN ('new', 'waiting')
--;
CREATE INDEX ix_bank_entry_file_id ON bank_entry (file_id)
--;
CREATE TABLE bank_exception (
  id UUID NOT NULL, 
  kind TEXT NOT NULL, 
  file_id UUID NOT NULL, 
  entry_id UUID, 
  payment_id UUID, 
  tranche_id UUID, 
  likely_id UUID, 
  params JSONB DEFAULT '{}'::jsonb NOT NULL, 
  raised_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  state TEXT NOT NULL, 
  resolved_by UUID, 
  resolved_at TIMESTAMP WITH TIME ZONE, 
  how TEXT, 
  note TEXT, 
  PRIMARY KEY (id), 
  CONSTRAINT bank_exception_state_known CHECK (state IN ('open', 'resolved')), 
  CONSTRAINT bank_exception_resolved_by_somebody CHECK ((state = 'resolved') = (resolved_by IS NOT NULL AND resolved_at IS NOT NULL AND note IS NOT NULL)), 
  FOREIGN KEY(file_id) REFERENCES bank_file (id), 
  FOREIGN KEY(entry_id) REFERENCES bank_entry (id), 
  FOREIGN KEY(payment_id) REFERENCES payment (id), 
  FOREIGN KEY(tranche_id) REFERENCES tranche (id), 
  FOREIGN KEY(likely_id) REFERENCES payment (id), 
  FOREIGN KEY(resolved_by) REFERENCES person (id)
)
--;
CREATE INDEX bank_exception_of_tranche ON bank_exception (tranche_id) WHERE state = 'open'
--;
CREATE INDEX bank_exception_open ON bank_exception (raised_at) WHERE state = 'open'
--;
CREATE INDEX ix_bank_exception_entry_id ON bank_exception (entry_id)

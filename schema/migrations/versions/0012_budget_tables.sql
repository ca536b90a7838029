ALTER TABLE appropriation ADD COLUMN source TEXT DEFAULT 'own' NOT NULL
--;
ALTER TABLE appropriation ADD COLUMN source_rank INTEGER DEFAULT 0 NOT NULL
--;
ALTER TABLE appropriation ADD COLUMN origin_year INTEGER
--;
-- What was voted before there were origins has its own year; a change of type writes it without any row's update.
ALTER TABLE appropriation ALTER COLUMN origin_year TYPE INTEGER USING fiscal_year
--;
ALTER TABLE appropriation ALTER COLUMN origin_year SET NOT NULL
--;
ALTER TABLE appropriation ADD COLUMN office_path TEXT DEFAULT '/' NOT NULL
--;
ALTER TABLE appropriation DROP CONSTRAINT appropriation_once
--;
ALTER TABLE appropriation ADD CONSTRAINT appropriation_once
  UNIQUE (programme_code, fiscal_year, source, currency, origin_year, office_path)
--;
ALTER TABLE appropriation ADD CONSTRAINT appropriation_origin_not_later CHECK (origin_year <= fiscal_year)
--;
CREATE TABLE budget_change (
  id UUID NOT NULL, 
  chain_id UUID NOT NULL, 
  programme_id UUID NOT NULL, 
  office_path TEXT NOT NULL, 
  appropriation_id UUID NOT NULL, 
  to_id UUID, 
  kind TEXT NOT NULL, 
  amount_minor BIGINT NOT NULL, 
  currency TEXT NOT NULL, 
  reason TEXT NOT NULL, 
  paper TEXT NOT NULL, 
  proposed_by UUID NOT NULL, 
  confirmed_by UUID, 
  state TEXT NOT NULL, 
  version INTEGER NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT budget_two_people CHECK (confirmed_by IS NULL OR confirmed_by <> proposed_by), 
  CONSTRAINT budget_change_positive CHECK (amount_minor > 0), 
  CONSTRAINT budget_change_kind_known CHECK (kind IN ('increase', 'decrease', 'move', 'carry_over', 'lapse')), 
  CONSTRAINT budget_change_two_purses CHECK (to_id IS NULL OR to_id <> appropriation_id), 
  FOREIGN KEY(chain_id) REFERENCES chain (id), 
  FOREIGN KEY(programme_id) REFERENCES programme_version (id), 
  FOREIGN KEY(appropriation_id) REFERENCES appropriation (id), 
  FOREIGN KEY(to_id) REFERENCES appropriation (id), 
  FOREIGN KEY(proposed_by) REFERENCES person (id), 
  FOREIGN KEY(confirmed_by) REFERENCES person (id)
)
--;
CREATE INDEX budget_change_open ON budget_change (appropriation_id) WHERE state = 'proposed'
--;
CREATE INDEX ix_budget_change_appropriation_id ON budget_change (appropriation_id)
--;
CREATE INDEX ix_budget_change_to_id ON budget_change (to_id)

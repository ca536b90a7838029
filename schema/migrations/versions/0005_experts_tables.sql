CREATE TABLE affiliation (
  id UUID NOT NULL, 
  person_id UUID NOT NULL, 
  unit_name TEXT NOT NULL, 
  unit_key TEXT NOT NULL, 
  from_on DATE, 
  to_on DATE, 
  PRIMARY KEY (id), 
  CONSTRAINT affiliation_in_order CHECK (to_on IS NULL OR from_on IS NULL OR from_on <= to_on), 
  FOREIGN KEY(person_id) REFERENCES person (id)
)
--;
CREATE INDEX affiliation_unit ON affiliation (unit_key)
--;
CREATE INDEX ix_affiliation_person_id ON affiliation (person_id)
--;
CREATE TABLE ban (
  id UUID NOT NULL, 
  person_id UUID NOT NULL, 
  from_on DATE NOT NULL, 
  until_on DATE NOT NULL, 
  reason TEXT NOT NULL, 
  imposed_by UUID NOT NULL, 
  imposed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  lifted_by UUID, 
  lifted_at TIMESTAMP WITH TIME ZONE, 
  PRIMARY KEY (id), 
  CONSTRAINT ban_in_order CHECK (from_on <= until_on), 
  FOREIGN KEY(person_id) REFERENCES person (id), 
  FOREIGN KEY(imposed_by) REFERENCES person (id), 
  FOREIGN KEY(lifted_by) REFERENCES person (id)
)
--;
CREATE INDEX ix_ban_person_id ON ban (person_id)
--;
CREATE TABLE expert (
  person_id UUID NOT NULL, 
  kinds JSONB DEFAULT '[]'::jsonb NOT NULL, 
  region TEXT NOT NULL, 
  languages JSONB DEFAULT '[]'::jsonb NOT NULL, 
  yearly_load INTEGER NOT NULL, 
  title VARCHAR DEFAULT '' NOT NULL, 
  profile VARCHAR DEFAULT '' NOT NULL, 
  phone VARCHAR DEFAULT '' NOT NULL, 
  identity_hash TEXT, 
  active BOOLEAN DEFAULT true NOT NULL, 
  version INTEGER NOT NULL, 
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  PRIMARY KEY (person_id), 
  CONSTRAINT expert_load_not_negative CHECK (yearly_load >= 0), 
  CONSTRAINT expert_has_a_kind CHECK (jsonb_array_length(kinds) > 0), 
  FOREIGN KEY(person_id) REFERENCES person (id)
)
--;
CREATE INDEX ix_expert_identity_hash ON expert (identity_hash)
--;
CREATE TABLE login_code (
  id UUID NOT NULL, 
  person_id UUID NOT NULL, 
  code_hash TEXT NOT NULL, 
  created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  attempts INTEGER DEFAULT 0 NOT NULL, 
  used_at TIMESTAMP WITH TIME ZONE, 
  PRIMARY KEY (id), 
  FOREIGN KEY(person_id) REFERENCES person (id)
)
--;
CREATE INDEX login_code_of ON login_code (person_id, expires_at)
--;
CREATE TABLE absence (
  id UUID NOT NULL, 
  person_id UUID NOT NULL, 
  from_on DATE NOT NULL, 
  to_on DATE NOT NULL, 
  reason VARCHAR DEFAULT '' NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT absence_in_order CHECK (from_on <= to_on), 
  FOREIGN KEY(person_id) REFERENCES expert (person_id)
)
--;
CREATE INDEX ix_absence_person_id ON absence (person_id)
--;
CREATE TABLE conflict_rule (
  programme_id UUID NOT NULL, 
  rule VARCHAR NOT NULL, 
  years INTEGER NOT NULL, 
  PRIMARY KEY (programme_id, rule), 
  FOREIGN KEY(programme_id) REFERENCES programme_version (id)
)
--;
CREATE TABLE draw (
  id UUID NOT NULL, 
  chain_id UUID NOT NULL, 
  programme_id UUID NOT NULL, 
  office_path TEXT NOT NULL, 
  title TEXT NOT NULL, 
  source_kind TEXT NOT NULL, 
  source_name TEXT NOT NULL, 
  source_on DATE NOT NULL, 
  committed BYTEA NOT NULL, 
  commitment TEXT NOT NULL, 
  announced_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  witness_id UUID, 
  value TEXT, 
  value_evidence TEXT, 
  drawn_at TIMESTAMP WITH TIME ZONE, 
  panels JSONB DEFAULT '{}'::jsonb NOT NULL, 
  entries JSONB DEFAULT '[]'::jsonb NOT NULL, 
  replaces_id UUID, 
  reason TEXT, 
  state TEXT NOT NULL, 
  version INTEGER NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT draw_source_known CHECK (source_kind IN ('drand', 'figure')), 
  CONSTRAINT draw_value_with_its_moment CHECK ((value IS NULL) = (drawn_at IS NULL)), 
  FOREIGN KEY(chain_id) REFERENCES chain (id), 
  FOREIGN KEY(programme_id) REFERENCES programme_version (id), 
  UNIQUE (commitment), 
  FOREIGN KEY(witness_id) REFERENCES person (id), 
  FOREIGN KEY(replaces_id) REFERENCES draw (id)
)
--;
CREATE INDEX draw_by_programme ON draw (programme_id, state)
--;
CREATE TABLE expert_field (
  person_id UUID NOT NULL, 
  code VARCHAR NOT NULL, 
  PRIMARY KEY (person_id, code), 
  CONSTRAINT expert_field_code CHECK (code ~ '^[0-9]{3}([0-9]{2}([0-9]{2})?)?$'), 
  FOREIGN KEY(person_id) REFERENCES expert (person_id)
)
--;
CREATE TABLE dossier (
  id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  summary TEXT NOT NULL, 
  region TEXT NOT NULL, 
  fields JSONB DEFAULT '[]'::jsonb NOT NULL, 
  team JSONB DEFAULT '[]'::jsonb NOT NULL, 
  unsuitable JSONB DEFAULT '[]'::jsonb NOT NULL, 
  PRIMARY KEY (id), 
  FOREIGN KEY(id) REFERENCES project (id), 
  FOREIGN KEY(project_id) REFERENCES project (id)
)
--;
CREATE TABLE project_party (
  project_id UUID NOT NULL, 
  number INTEGER NOT NULL, 
  part TEXT NOT NULL, 
  name_key TEXT, 
  unit_key TEXT, 
  person_id UUID, 
  identity_hash TEXT, 
  PRIMARY KEY (project_id, number), 
  CONSTRAINT project_party_part CHECK (part IN ('unit', 'leader', 'member', 'unsuitable')), 
  FOREIGN KEY(project_id) REFERENCES project (id)
)
--;
CREATE INDEX project_party_name ON project_party (name_key)
--;
CREATE INDEX project_party_of ON project_party (project_id)
--;
CREATE INDEX project_party_person ON project_party (person_id)
--;
CREATE INDEX project_party_unit ON project_party (unit_key)
--;
CREATE TABLE review_request (
  id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  ground TEXT NOT NULL, 
  statement TEXT NOT NULL, 
  answer TEXT, 
  state TEXT NOT NULL, 
  version INTEGER NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT review_request_ground CHECK (ground IN ('procedure', 'fact', 'recusal', 'academic_judgement')), 
  FOREIGN KEY(project_id) REFERENCES project (id)
)
--;
CREATE INDEX ix_review_request_project_id ON review_request (project_id)
--;
CREATE TABLE tie (
  id UUID NOT NULL, 
  person_id UUID NOT NULL, 
  kind TEXT NOT NULL, 
  other_name TEXT, 
  other_person_id UUID, 
  other_unit_key TEXT, 
  project_id UUID, 
  since_on DATE, 
  until_on DATE, 
  evidence TEXT NOT NULL, 
  declared_by UUID NOT NULL, 
  declared_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  ended_at TIMESTAMP WITH TIME ZONE, 
  PRIMARY KEY (id), 
  CONSTRAINT tie_kind_known CHECK (kind IN ('kin', 'collaborator', 'supervisor', 'economic', 'declared')), 
  CONSTRAINT tie_to_somebody CHECK (num_nonnulls(other_name, other_person_id, other_unit_key, project_id) > 0), 
  FOREIGN KEY(person_id) REFERENCES person (id), 
  FOREIGN KEY(other_person_id) REFERENCES person (id), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  FOREIGN KEY(declared_by) REFERENCES person (id)
)
--;
CREATE INDEX ix_tie_person_id ON tie (person_id)
--;
CREATE TABLE draw_round (
  id UUID NOT NULL, 
  draw_id UUID NOT NULL, 
  round_id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  voided_at TIMESTAMP WITH TIME ZONE, 
  PRIMARY KEY (id), 
  FOREIGN KEY(draw_id) REFERENCES draw (id), 
  FOREIGN KEY(round_id) REFERENCES round (id), 
  FOREIGN KEY(project_id) REFERENCES project (id)
)
--;
CREATE UNIQUE INDEX draw_round_live ON draw_round (round_id) WHERE voided_at IS NULL
--;
CREATE INDEX ix_draw_round_draw_id ON draw_round (draw_id)
--;
CREATE TABLE draw_seat (
  draw_id UUID NOT NULL, 
  round_id UUID NOT NULL, 
  expert_id UUID NOT NULL, 
  entry INTEGER DEFAULT 0 NOT NULL, 
  rank INTEGER NOT NULL, 
  PRIMARY KEY (draw_id, round_id, expert_id), 
  FOREIGN KEY(draw_id) REFERENCES draw (id), 
  FOREIGN KEY(round_id) REFERENCES round (id), 
  FOREIGN KEY(expert_id) REFERENCES person (id)
)
--;
CREATE INDEX draw_seat_round ON draw_seat (round_id)
--;
CREATE TABLE vote (
  id UUID NOT NULL, 
  project_id UUID NOT NULL, 
  round_id UUID NOT NULL, 
  present INTEGER NOT NULL, 
  in_favour INTEGER NOT NULL, 
  against INTEGER NOT NULL, 
  abstained INTEGER NOT NULL, 
  minutes TEXT NOT NULL, 
  recorded_by UUID NOT NULL, 
  recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  PRIMARY KEY (id), 
  CONSTRAINT vote_adds_up CHECK (in_favour >= 0 AND against >= 0 AND abstained >= 0 AND in_favour + against + abstained = present), 
  FOREIGN KEY(project_id) REFERENCES project (id), 
  FOREIGN KEY(round_id) REFERENCES round (id), 
  FOREIGN KEY(recorded_by) REFERENCES person (id)
)
--;
CREATE INDEX ix_vote_round_id ON vote (round_id)
--;
CREATE TABLE draft (
  task_id UUID NOT NULL, 
  person_id UUID NOT NULL, 
  content JSONB DEFAULT '{}'::jsonb NOT NULL, 
  revision INTEGER NOT NULL, 
  tab TEXT NOT NULL, 
  saved_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  PRIMARY KEY (task_id), 
  FOREIGN KEY(task_id) REFERENCES task (id), 
  FOREIGN KEY(person_id) REFERENCES person (id)
)
--;
CREATE TABLE draft_kept (
  id UUID NOT NULL, 
  task_id UUID NOT NULL, 
  person_id UUID NOT NULL, 
  content JSONB DEFAULT '{}'::jsonb NOT NULL, 
  tab TEXT NOT NULL, 
  saved_at TIMESTAMP WITH TIME ZONE NOT NULL, 
  PRIMARY KEY (id), 
  FOREIGN KEY(task_id) REFERENCES task (id), 
  FOREIGN KEY(person_id) REFERENCES person (id)
)
--;
CREATE INDEX draft_kept_of ON draft_kept (task_id, saved_at)

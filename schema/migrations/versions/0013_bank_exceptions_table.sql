CREATE TABLE bank_exception (
	id UUID NOT NULL, 
	chain_id UUID NOT NULL, 
	programme_id UUID NOT NULL, 
	office_path TEXT NOT NULL, 
	project_id UUID, 
	tranche_id UUID, 
	kind TEXT NOT NULL, 
	file_id UUID NOT NULL, 
	entry_id UUID, 
	payment_id UUID, 
	likely_id UUID, 
	params JSONB DEFAULT '{}'::jsonb NOT NULL, 
	raised_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	resolved_by UUID, 
	resolved_at TIMESTAMP WITH TIME ZONE, 
	note TEXT, 
	state TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT bank_exception_cleared_by_somebody CHECK ((state = 'open') = (resolved_by IS NULL AND resolved_at IS NULL AND note IS NULL)), 
	CONSTRAINT bank_exception_of_a_project_or_the_account CHECK ((project_id IS NULL) = (tranche_id IS NULL) AND (project_id IS NULL OR chain_id = project_id)), 
	FOREIGN KEY(chain_id) REFERENCES chain (id), 
	FOREIGN KEY(project_id) REFERENCES project (id), 
	FOREIGN KEY(tranche_id) REFERENCES tranche (id), 
	FOREIGN KEY(file_id) REFERENCES bank_file (id), 
	FOREIGN KEY(entry_id) REFERENCES bank_entry (id), 
	FOREIGN KEY(payment_id) REFERENCES payment (id), 
	FOREIGN KEY(likely_id) REFERENCES payment (id), 
	FOREIGN KEY(resolved_by) REFERENCES person (id)
)
--;
CREATE INDEX bank_exception_of_payment ON bank_exception (payment_id)
--;
CREATE INDEX bank_exception_of_tranche ON bank_exception (tranche_id) WHERE state = 'open'
--;
CREATE INDEX bank_exception_open ON bank_exception (raised_at) WHERE state = 'open'
--;
CREATE INDEX ix_bank_exception_entry_id ON bank_exception (entry_id)
--;
CREATE INDEX ix_bank_exception_file_id ON bank_exception (file_id)

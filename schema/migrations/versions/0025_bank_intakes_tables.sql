ALTER TABLE bank_entry ADD COLUMN statement INTEGER, ADD COLUMN again_file_id UUID REFERENCES bank_file (id)
--;
CREATE INDEX bank_entry_said_again ON bank_entry (again_file_id) WHERE again_file_id IS NOT NULL
--;
ALTER TABLE bank_statement ADD COLUMN apart_minor BIGINT
--;
CREATE TABLE bank_intake (
    id UUID NOT NULL,
    chain_id UUID NOT NULL,
    programme_id UUID NOT NULL,
    office_path TEXT NOT NULL,
    file_id UUID NOT NULL,
    sha256 TEXT NOT NULL,
    number INTEGER NOT NULL,
    register_sha256 TEXT NOT NULL,
    statements_sha256 TEXT NOT NULL,
    words_sha256 TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (file_id),
    FOREIGN KEY (chain_id) REFERENCES chain (id),
    FOREIGN KEY (file_id) REFERENCES bank_file (id)
)
--;
CREATE TABLE bank_booking (
    entry_id UUID NOT NULL,
    outcome TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (entry_id),
    CONSTRAINT bank_booking_outcome_known CHECK (outcome IN ('applied', 'noted'))
)
--;
-- What was marked before had its file's day at the earliest; nothing says more of it.
INSERT INTO bank_booking (entry_id, outcome, at)
SELECT e.id, e.outcome, f.at FROM bank_entry e JOIN bank_file f ON f.id = e.file_id
 WHERE e.outcome = 'applied' OR (e.outcome = 'noted' AND e.said IN ('rejected', 'settled'))

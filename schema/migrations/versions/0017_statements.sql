-- Where each statement of ours begins and ends: whoever has them all can say what the bank has booked by a day.
CREATE TABLE bank_statement (
    file_id UUID NOT NULL,
    number INTEGER NOT NULL,
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    opens_on DATE NOT NULL,
    opening_minor BIGINT NOT NULL,
    whole_opening BOOLEAN NOT NULL,
    closing_on DATE NOT NULL,
    closing_minor BIGINT NOT NULL,
    whole_closing BOOLEAN NOT NULL,
    PRIMARY KEY (file_id, number),
    FOREIGN KEY (file_id) REFERENCES bank_file (id),
    CONSTRAINT bank_statement_days CHECK (opens_on <= closing_on)
)
--;
CREATE INDEX bank_statement_by_day ON bank_statement (account, currency, closing_on)
--;
CREATE INDEX bank_statement_by_closing ON bank_statement (account, currency, closing_minor)
--;
CREATE TRIGGER bank_statement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bank_statement
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
GRANT SELECT, INSERT ON bank_statement TO milepost_app

"""Put every file of the bank on record by a step, and book what it said in rows that nobody changes.

Files that were read before are put on record by the next reconciliation, as they stand then. What was applied
or noted before gets its booking here; what a held entry owed to a later file stays as it was.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0025"
down_revision = "0024"

HERE = Path(__file__)
TABLES = HERE.with_name("0025_bank_intakes_tables.sql")
GUARDS = HERE.with_suffix(".sql")
END = "ELSE NULL;"
BRANCH = """WHEN 'bank_intake' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN bank_intake s ON s.id = a.subject_id
       WHERE a.noun = 'bank_intake'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq OR s.chain_id <> a.chain_id);
    """
# What was held back counts once another file said it too; that file is kept beside the first, not in its place.
SAID_AGAIN = ("NEW.file_id = OLD.file_id", "NEW.again_file_id IS NOT DISTINCT FROM OLD.again_file_id")
BOOKED = (
    "IF NEW.outcome = 'applied' AND NEW.source",
    """IF TG_OP = 'INSERT' AND NEW.outcome = 'applied' THEN
    RAISE EXCEPTION 'what the bank said is applied by its booking alone' USING ERRCODE = 'MP003';
  END IF;
  IF NEW.outcome = 'applied' AND NEW.source""",
)
FUNCTIONS = ("bank_booking_added()", "bank_entry_needs_booking()", "bank_words_before_record()")


def run(statement: str) -> None:
    """One statement as it is written: nothing in it is a parameter."""
    op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def rewrite(function: str, old: str, new: str) -> None:
    """Change a check as it stands, whatever earlier revisions made of the rest of it."""
    body = op.get_bind().execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    run(body.replace(old, new))


def upgrade() -> None:
    for path in (TABLES, GUARDS):
        for statement in path.read_text(encoding="utf-8").split("\n--;\n"):
            run(statement)
    rewrite("bank_entry_needs_exception", *SAID_AGAIN)
    rewrite("bank_entry_stays", *BOOKED)
    rewrite("event_appended", END, BRANCH + END)


def downgrade() -> None:
    rewrite("event_appended", BRANCH + END, END)
    rewrite("bank_entry_stays", *reversed(BOOKED))
    rewrite("bank_entry_needs_exception", *reversed(SAID_AGAIN))
    for function in FUNCTIONS:
        run(f"DROP FUNCTION {function} CASCADE")
    run("DROP TABLE bank_booking")
    run("DROP TABLE bank_intake")
    run("ALTER TABLE bank_entry DISABLE TRIGGER USER")
    run("UPDATE bank_entry SET file_id = again_file_id WHERE again_file_id IS NOT NULL")
    run("ALTER TABLE bank_entry ENABLE TRIGGER USER")
    run("ALTER TABLE bank_entry DROP COLUMN statement, DROP COLUMN again_file_id")
    run("ALTER TABLE bank_statement DROP COLUMN apart_minor")
    run("GRANT UPDATE (file_id) ON bank_entry TO milepost_app")

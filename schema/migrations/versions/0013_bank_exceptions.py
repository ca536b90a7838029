"""Make an exception a noun with events of its own, and keep with a file what does not fit of it as a whole.

Rows of before have no events, and none can be made up for them. What was open is taken up anew by the next
reconciliation: its entries count as new, its files say what was wrong with them. What was cleared up stays as
it was, in a table that nobody writes (``bank_exception_before``); the entries it settled stay queued.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0013"
down_revision = "0012"

HERE = Path(__file__)
TABLE = HERE.with_name("0013_bank_exceptions_table.sql")
GUARDS = HERE.with_suffix(".sql")
FIRST = HERE.with_name("0007_bank_files.sql")
FIRST_TABLES = HERE.with_name("0007_bank_files_tables.sql")

END = "ELSE NULL;"
BRANCH = """WHEN 'bank_exception' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN bank_exception s ON s.id = a.subject_id
       WHERE a.noun = 'bank_exception'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq OR s.chain_id <> a.chain_id);
    """
REOPEN = """
UPDATE bank_entry e SET outcome = CASE e.source WHEN 'report' THEN 'waiting' ELSE 'new' END
 WHERE e.outcome = 'queued' AND EXISTS (SELECT 1 FROM bank_exception x WHERE x.entry_id = e.id AND x.state = 'open')
--;
UPDATE bank_file f SET doubts = d.doubts FROM (
  SELECT file_id, jsonb_object_agg(kind, params) AS doubts FROM bank_exception
   WHERE state = 'open' AND entry_id IS NULL AND payment_id IS NULL GROUP BY 1) d WHERE d.file_id = f.id
"""


def run(statement: str) -> None:
    """One statement as it is written: nothing in it is a parameter."""
    op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def statements(path: Path, about: str = "") -> list[str]:
    """The statements of a file, or those of them that name something."""
    return [s for s in path.read_text(encoding="utf-8").split("\n--;\n") if about in s]


def rewrite(old: str, new: str) -> None:
    """Change the check of events as it stands, whatever earlier revisions made of the rest of it."""
    body = op.get_bind().execute(text("SELECT pg_get_functiondef('event_appended'::regproc)")).scalar_one()
    assert body.count(old) == 1, "the check of events is not as this revision knows it"
    run(body.replace(old, new))


def filled(table: str) -> bool:
    """Whether a table has rows."""
    return bool(op.get_bind().execute(text(f"SELECT EXISTS (SELECT 1 FROM {table})")).scalar_one())


def upgrade() -> None:
    run("ALTER TABLE bank_file ADD COLUMN doubts JSONB DEFAULT '{}'::jsonb NOT NULL")
    run("ALTER TABLE bank_file DISABLE TRIGGER bank_file_append_only")
    for statement in REOPEN.split("--;"):
        run(statement)
    run("ALTER TABLE bank_file ENABLE TRIGGER bank_file_append_only")
    run("DROP TRIGGER bank_exception_stays_resolved ON bank_exception")
    run("DROP FUNCTION bank_exception_stays()")
    if filled("bank_exception"):
        run("ALTER TABLE bank_exception RENAME TO bank_exception_before")
        run("REVOKE ALL ON bank_exception_before FROM milepost_app")
        for name in ("bank_exception_open", "bank_exception_of_tranche", "ix_bank_exception_entry_id"):
            run(f"DROP INDEX {name}")
        run("ALTER TABLE bank_exception_before RENAME CONSTRAINT bank_exception_pkey TO bank_exception_before_pkey")
    else:
        run("DROP TABLE bank_exception")
    for statement in (*statements(TABLE), *statements(GUARDS)):
        run(statement)
    rewrite(END, BRANCH + END)


def downgrade() -> None:
    rewrite(BRANCH + END, END)
    run("DROP FUNCTION bank_entry_needs_exception() CASCADE")
    run("DROP TABLE bank_exception CASCADE")
    run("DROP FUNCTION bank_exception_stays()")
    for statement in statements(FIRST_TABLES, "bank_exception"):
        run(statement)
    for statement in statements(FIRST, "bank_exception_stays"):
        run(statement)
    run(
        "CREATE TRIGGER bank_exception_stays BEFORE DELETE OR TRUNCATE ON bank_exception "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    run("GRANT SELECT, INSERT ON bank_exception TO milepost_app")
    run("GRANT UPDATE (state, resolved_by, resolved_at, how, note) ON bank_exception TO milepost_app")
    run(
        "DO $$ BEGIN IF to_regclass('bank_exception_before') IS NOT NULL THEN "
        "INSERT INTO bank_exception SELECT * FROM bank_exception_before; DROP TABLE bank_exception_before; "
        "END IF; END $$"
    )
    run("ALTER TABLE bank_file DROP COLUMN doubts")

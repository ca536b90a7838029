"""Keep batches that go to the bank as files, the register of files, what the bank said, and what does not fit."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"

HERE = Path(__file__)
TABLES = HERE.with_name("0007_bank_files_tables.sql")
GUARDS = HERE.with_suffix(".sql")

APPEND_ONLY = ("bank_file",)
STAYS = ("batch", "batch_payment", "bank_entry", "bank_exception")
UPDATES_OF = {
    "batch_payment": "live, left_out",
    "bank_entry": "file_id, payment_id, outcome",
    "bank_exception": "state, resolved_by, resolved_at, how, note",
}
FUNCTIONS = ("batch_payment_needs_event()", "bank_entry_stays()", "bank_exception_stays()")
END = "ELSE NULL;"
BRANCH = """WHEN 'batch' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN batch s ON s.id = a.subject_id
       WHERE a.noun = 'batch'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq OR s.chain_id <> a.chain_id);
    """


def rewrite(old: str, new: str) -> None:
    """Change the check of events as it stands, whatever earlier revisions made of the rest of it."""
    bind = op.get_bind()
    body = bind.execute(text("SELECT pg_get_functiondef('event_appended'::regproc)")).scalar_one()
    assert body.count(old) == 1, "the check of events is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def tables() -> list[str]:
    """The tables that this revision makes."""
    return [
        line.split()[2] for line in TABLES.read_text("utf-8").splitlines() if line.startswith("CREATE TABLE")
    ]


def upgrade() -> None:
    for path in (TABLES, GUARDS):
        for statement in path.read_text(encoding="utf-8").split("\n--;\n"):
            op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    rewrite(END, BRANCH + END)
    op.execute(
        "CREATE TRIGGER batch_state_needs_event AFTER UPDATE ON batch "
        "FOR EACH ROW EXECUTE FUNCTION state_needs_event('chain_id')"
    )
    op.execute(
        "CREATE TRIGGER batch_birth_needs_event AFTER INSERT ON batch "
        "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()"
    )
    for table in STAYS:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in tables():
        op.execute(f"GRANT SELECT, INSERT ON {table} TO milepost_app")
    op.execute("GRANT UPDATE ON batch TO milepost_app")
    for table, columns in UPDATES_OF.items():
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO milepost_app")


def downgrade() -> None:
    rewrite(BRANCH + END, END)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.execute("DROP TABLE " + ", ".join(tables()) + " CASCADE")

"""Keep appropriations by source and origin, changes of them by two people, and years that close."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0012"
down_revision = "0011"

HERE = Path(__file__)
TABLES = HERE.with_name("0012_budget_tables.sql")
GUARDS = HERE.with_suffix(".sql")
END = "ELSE NULL;"
BRANCH = """WHEN 'budget_change' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN budget_change s ON s.id = a.subject_id
       WHERE a.noun = 'budget_change'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq OR s.chain_id <> a.chain_id);
    """
WAY = "WHEN 'appropriation' THEN c.kind = 'commitment' AND c.owner_id = t.chain_id"
# Which of them may be, the trigger of changes knows.
WAYS = WAY + " OR c.kind IN ('treasury', 'appropriation')"


def rewrite(function: str, old: str, new: str) -> None:
    """Change a function as it stands, whatever earlier revisions made of the rest of it."""
    bind = op.get_bind()
    body = bind.execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def upgrade() -> None:
    for path in (TABLES, GUARDS):
        for statement in path.read_text(encoding="utf-8").split("\n--;\n"):
            op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    rewrite("event_appended", END, BRANCH + END)
    rewrite("transfer_added", WAY, WAYS)
    op.execute(
        "CREATE TRIGGER budget_change_state_needs_event AFTER UPDATE ON budget_change "
        "FOR EACH ROW EXECUTE FUNCTION state_needs_event('chain_id')"
    )
    op.execute(
        "CREATE TRIGGER budget_change_birth_needs_event AFTER INSERT ON budget_change "
        "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()"
    )
    op.execute(
        "CREATE TRIGGER budget_change_stays BEFORE DELETE OR TRUNCATE ON budget_change "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON budget_change TO milepost_app")


def downgrade() -> None:
    rewrite("transfer_added", WAYS, WAY)
    rewrite("event_appended", BRANCH + END, END)
    for function in ("budget_stays()", "year_closes()", "budget_transfer_added()"):
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.execute("DROP TABLE budget_change CASCADE")
    op.execute("ALTER TABLE appropriation DROP CONSTRAINT appropriation_once")
    op.execute("ALTER TABLE appropriation DROP CONSTRAINT appropriation_origin_not_later")
    for column in ("office_path", "origin_year", "source_rank", "source"):
        op.execute(f"ALTER TABLE appropriation DROP COLUMN {column}")
    op.execute(
        "ALTER TABLE appropriation ADD CONSTRAINT appropriation_once "
        "UNIQUE (programme_code, fiscal_year, currency)"
    )

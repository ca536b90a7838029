"""Keep cost claims and their lines, and what of a project's spending is verified."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"

HERE = Path(__file__)
TABLES = HERE.with_name(f"{HERE.stem}_tables.sql")
GUARDS = HERE.with_suffix(".sql")

FUNCTIONS = ("claim_line_stays()", "claim_adds_up()")
END = "ELSE NULL;"
BRANCH = """WHEN 'claim' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN claim s ON s.id = a.subject_id
       WHERE a.noun = 'claim'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq OR s.project_id <> a.chain_id);
    """


def rewrite(old: str, new: str) -> None:
    """Change the check of events as it stands, whatever earlier revisions made of the rest of it."""
    bind = op.get_bind()
    body = bind.execute(text("SELECT pg_get_functiondef('event_appended'::regproc)")).scalar_one()
    assert body.count(old) == 1, "the check of events is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def upgrade() -> None:
    for path in (TABLES, GUARDS):
        for statement in path.read_text(encoding="utf-8").split("\n--;\n"):
            op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    rewrite(END, BRANCH + END)
    op.execute(
        "CREATE TRIGGER claim_state_needs_event AFTER UPDATE ON claim "
        "FOR EACH ROW EXECUTE FUNCTION state_needs_event('project_id')"
    )
    op.execute(
        "CREATE TRIGGER claim_birth_needs_event AFTER INSERT ON claim "
        "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()"
    )
    for way, what in (("in", "INSERT"), ("up", "UPDATE")):
        op.execute(
            f"CREATE TRIGGER claim_line_needs_event_{way} AFTER {what} ON claim_line REFERENCING NEW TABLE AS "
            "fresh FOR EACH STATEMENT EXECUTE FUNCTION fact_needs_event('project_id')"
        )
    for table in ("claim", "claim_line"):
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(f"GRANT SELECT, INSERT ON {table} TO milepost_app")
    op.execute("GRANT UPDATE ON claim TO milepost_app")
    op.execute(
        "GRANT UPDATE (live, allowed_minor, reason, examined_by, examined_at) ON claim_line TO milepost_app"
    )


def downgrade() -> None:
    rewrite(BRANCH + END, END)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.execute("DROP TABLE claim_line, claim CASCADE")
    op.execute("ALTER TABLE project DROP COLUMN budget, DROP COLUMN verified_minor, DROP COLUMN accounts_until")

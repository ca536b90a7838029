"""Keep the expert pool, draws, drafts and requests for review; know every conflict in one function."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"

HERE = Path(__file__)
TABLES = HERE.with_name("0005_experts_tables.sql")
GUARDS = HERE.with_suffix(".sql")

NOUNS = {"draw": "chain_id", "review_request": "project_id"}
FACTS = ("dossier", "vote")
APPEND_ONLY = ("conflict_rule", "draw_seat", "draft_kept", "vote")
STAYS = ("expert", "affiliation", "tie", "ban", "dossier", "draw_round")
UPDATES = ("expert", "affiliation", "dossier", "draw", "review_request", "draft", "login_code")
UPDATES_OF = {
    "tie": "ended_at",
    "absence": "from_on, to_on, reason",
    "ban": "lifted_by, lifted_at",
    "draw_round": "voided_at",
}
DELETES = ("expert_field", "absence", "draft", "login_code")
FUNCTIONS = (
    "task_without_conflict()",
    "draw_stays_committed()",
    "draw_hash_true()",
    "seat_needs_event()",
    "parties_follow()",
    "review_conflicts(uuid[], uuid[], date)",
    "compared(text)",
)
END = "ELSE NULL;"


def branches() -> str:
    """The new nouns' part of the check that a row stands where its last event left it."""
    return "".join(
        f"""WHEN '{noun}' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN "{noun}" s ON s.id = a.subject_id
       WHERE a.noun = '{noun}'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq
              OR s.{chain} <> a.chain_id);
    """
        for noun, chain in NOUNS.items()
    )


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
    rewrite(END, branches() + END)
    for noun, chain in NOUNS.items():
        op.execute(
            f'CREATE TRIGGER {noun}_state_needs_event AFTER UPDATE ON "{noun}" '
            f"FOR EACH ROW EXECUTE FUNCTION state_needs_event('{chain}')"
        )
        op.execute(
            f'CREATE TRIGGER {noun}_birth_needs_event AFTER INSERT ON "{noun}" '
            "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()"
        )
    for table in (*NOUNS, *STAYS):
        op.execute(
            f'CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in FACTS:
        for way, what in (("in", "INSERT"), ("up", "UPDATE")):
            op.execute(
                f'CREATE TRIGGER {table}_needs_event_{way} AFTER {what} ON "{table}" '
                "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION fact_needs_event('project_id')"
            )
    for table in APPEND_ONLY:
        op.execute(
            f'CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    tables = [line.split()[2] for line in TABLES.read_text("utf-8").splitlines() if line.startswith("CREATE TABLE")]
    for table in tables:
        rights = "SELECT" if table == "project_party" else "SELECT, INSERT"
        op.execute(f'GRANT {rights} ON "{table}" TO milepost_app')
    for table in UPDATES:
        op.execute(f'GRANT UPDATE ON "{table}" TO milepost_app')
    for table, columns in UPDATES_OF.items():
        op.execute(f'GRANT UPDATE ({columns}) ON "{table}" TO milepost_app')
    for table in DELETES:
        op.execute(f'GRANT DELETE ON "{table}" TO milepost_app')


def downgrade() -> None:
    rewrite(branches() + END, END)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    tables = [line.split()[2] for line in TABLES.read_text("utf-8").splitlines() if line.startswith("CREATE TABLE")]
    op.execute("DROP TABLE " + ", ".join(f'"{table}"' for table in tables) + " CASCADE")

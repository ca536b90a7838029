"""Let somebody act for another in a payment, so that no two of its duties meet in the two of them."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0019"
down_revision = "0018"

GUARDS = Path(__file__).with_suffix(".sql")
END = "ELSE NULL;"
BRANCH = """WHEN 'delegation' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN delegation s ON s.id = a.subject_id
       WHERE a.noun = 'delegation'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq OR s.chain_id <> a.chain_id);
    """
ONE = "place >= 1 AND (place = 1 OR duty = 'approver')"
SOME = "place >= 1 AND (place = 1 OR duty IN ('approver', 'represented'))"


def rewrite(old: str, new: str) -> None:
    """Change the check of events as it stands, whatever earlier revisions made of the rest of it."""
    bind = op.get_bind()
    body = bind.execute(text("SELECT pg_get_functiondef('event_appended'::regproc)")).scalar_one()
    assert body.count(old) == 1, "the check of events is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def upgrade() -> None:
    for statement in GUARDS.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    op.execute(
        "ALTER TABLE duty ADD COLUMN for_id UUID REFERENCES person (id), "
        "ADD COLUMN delegation_id UUID REFERENCES delegation (id), DROP CONSTRAINT duty_of_one, "
        f"ADD CONSTRAINT duty_of_one CHECK ({SOME}), "
        "ADD CONSTRAINT duty_for_by_delegation CHECK ((for_id IS NULL) = (delegation_id IS NULL))"
    )
    rewrite(END, BRANCH + END)
    op.execute(
        "CREATE TRIGGER delegation_state_needs_event AFTER UPDATE ON delegation "
        "FOR EACH ROW EXECUTE FUNCTION state_needs_event('chain_id')"
    )
    op.execute(
        "CREATE TRIGGER delegation_birth_needs_event AFTER INSERT ON delegation "
        "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()"
    )
    op.execute(
        "CREATE TRIGGER delegation_stays BEFORE DELETE OR TRUNCATE ON delegation "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON delegation TO milepost_app")
    op.execute("GRANT UPDATE ON delegation TO milepost_app")


def downgrade() -> None:
    rewrite(BRANCH + END, END)
    op.execute("DROP FUNCTION duty_by_delegation() CASCADE")
    op.execute("DROP FUNCTION delegation_stays_itself() CASCADE")
    op.execute("ALTER TABLE duty DISABLE TRIGGER USER")
    op.execute("DELETE FROM duty WHERE duty = 'represented'")
    op.execute("ALTER TABLE duty ENABLE TRIGGER USER")
    op.execute(
        "ALTER TABLE duty DROP CONSTRAINT duty_for_by_delegation, DROP CONSTRAINT duty_of_one, "
        f"ADD CONSTRAINT duty_of_one CHECK ({ONE}), DROP COLUMN for_id, DROP COLUMN delegation_id"
    )
    op.execute("DROP TABLE delegation CASCADE")

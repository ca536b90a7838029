"""Keep the papers that the last money waits for: separate ledger, final accounts, audit report."""

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"

SQL = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in SQL.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement)
    for way, what in (("in", "INSERT"), ("up", "UPDATE")):
        op.execute(
            f"CREATE TRIGGER proof_needs_event_{way} AFTER {what} ON proof REFERENCING NEW TABLE AS fresh "
            "FOR EACH STATEMENT EXECUTE FUNCTION fact_needs_event('project_id')"
        )
    op.execute(
        "CREATE TRIGGER proof_stays BEFORE DELETE OR TRUNCATE ON proof "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON proof TO milepost_app")
    op.execute("GRANT UPDATE (decided_by, decided_at, outcome, opinion) ON proof TO milepost_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION proof_decided_once() CASCADE")
    op.execute("DROP TABLE proof CASCADE")
    op.execute("ALTER TABLE project DROP COLUMN proofs")

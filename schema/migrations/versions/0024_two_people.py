"""Have a budget voted, and its year closed, by two people."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0024"
down_revision = "0023"

SQL = Path(__file__).with_suffix(".sql")
# The transfer of a vote goes with its confirmation, by somebody else than who proposed it.
SUM = "t.amount_minor = (SELECT a.amount_minor FROM appropriation a WHERE a.id = e.subject_id)"
CONFIRMED = (
    "t.amount_minor = (SELECT a.amount_minor FROM appropriation a WHERE a.id = e.subject_id "
    "AND a.voted_by = e.actor_id AND a.proposed_by <> e.actor_id AND a.state = 'voted')"
)


def rewrite(function: str, old: str, new: str) -> None:
    """Change a function as it stands, whatever earlier revisions made of the rest of it."""
    bind = op.get_bind()
    body = bind.execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def upgrade() -> None:
    for statement in SQL.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    rewrite("budget_transfer_added", SUM, CONFIRMED)


def downgrade() -> None:
    rewrite("budget_transfer_added", CONFIRMED, SUM)
    for function in ("appropriation_people()", "appropriation_people_acted()"):
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.execute("DROP INDEX appropriation_once")
    op.execute(
        "ALTER TABLE appropriation DROP COLUMN proposed_by, DROP COLUMN voted_by, DROP COLUMN closing_by, "
        "DROP COLUMN closing_reason, DROP COLUMN closed_by, ADD CONSTRAINT appropriation_once "
        "UNIQUE (programme_code, fiscal_year, source, currency, origin_year, office_path)"
    )

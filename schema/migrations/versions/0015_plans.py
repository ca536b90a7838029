"""Let a tranche's sum be computed, held back, or due on a day; a payment has it from the day it falls due."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0015"
down_revision = "0014"

SQL = Path(__file__).with_suffix(".sql")

# Function, the passage as it stands, and what takes its place.
PASSAGES = (
    (
        "birth_needs_event",
        "IS DISTINCT FROM (t.project_id, t.amount_minor, t.currency, t.milestone_id)",
        "IS DISTINCT FROM (t.project_id, coalesce(t.payable_minor, t.amount_minor), t.currency, t.milestone_id)",
    ),
    (
        "binding_stays",
        "NEW.waits_for,\n        NEW.previous_id)",
        "NEW.waits_for,\n        NEW.previous_id, NEW.basis, NEW.retained_minor, NEW.due_on)",
    ),
    (
        "binding_stays",
        "OLD.waits_for, OLD.previous_id)",
        "OLD.waits_for, OLD.previous_id, OLD.basis, OLD.retained_minor, OLD.due_on)",
    ),
    (
        "binding_stays",
        "(NEW.project_id, NEW.tranche_id, NEW.attempt, NEW.amount_minor, NEW.currency, NEW.milestone_id)",
        "(NEW.project_id, NEW.tranche_id, NEW.attempt, CASE WHEN OLD.state = 'planned' AND NEW.state = 'due' AND "
        "EXISTS (SELECT 1 FROM tranche t WHERE t.id = OLD.tranche_id AND t.basis <> 'fixed') THEN OLD.amount_minor "
        "ELSE NEW.amount_minor END, NEW.currency, NEW.milestone_id)",
    ),
)
COLUMNS = ("basis", "retained_minor", "due_on", "payable_minor", "held_minor")


def rewrite(function: str, old: str, new: str) -> None:
    """Change one passage of a guard as it stands."""
    bind = op.get_bind()
    body = bind.execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def upgrade() -> None:
    for statement in SQL.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement)
    for function, old, new in PASSAGES:
        rewrite(function, old, new)
    op.execute("GRANT UPDATE (payable_minor, held_minor) ON tranche TO milepost_app")


def downgrade() -> None:
    for function, old, new in reversed(PASSAGES):
        rewrite(function, new, old)
    op.execute("DROP FUNCTION sum_is_computed() CASCADE")
    op.execute("ALTER TABLE tranche DROP CONSTRAINT tranche_paid_within")
    for column in COLUMNS:
        op.execute(f"ALTER TABLE tranche DROP COLUMN {column}")
    op.execute(
        "ALTER TABLE tranche ADD CONSTRAINT tranche_paid_within CHECK (paid_minor BETWEEN 0 AND amount_minor)"
    )

"""Let two people take back the acceptance of a cost claim."""

from pathlib import Path

from alembic import op

revision = "0025"
down_revision = "0024"

SQL = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in SQL.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def downgrade() -> None:
    op.execute("DROP FUNCTION claim_reopens() CASCADE")
    op.execute(
        "ALTER TABLE claim DROP COLUMN reopening_by, DROP COLUMN reopening_reason, DROP COLUMN reopened_by"
    )

"""Keep where each statement begins and ends, so that one that is missing is noticed."""

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"

HERE = Path(__file__)


def upgrade() -> None:
    for statement in HERE.with_suffix(".sql").read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    op.execute("DROP TABLE bank_statement")

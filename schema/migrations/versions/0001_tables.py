"""Lay the tables, their keys and checks."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

SQL = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    for statement in SQL.read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    tables = [
        line.split('"')[1] for line in SQL.read_text(encoding="utf-8").splitlines() if line.startswith("CREATE TABLE")
    ]
    op.execute("DROP TABLE " + ", ".join(f'"{table}"' for table in tables) + " CASCADE")

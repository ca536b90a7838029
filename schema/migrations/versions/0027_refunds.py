"""Let what comes back within the fiscal year go back to the appropriation that it was paid from."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0027"
down_revision = "0026"

SQL = Path(__file__).with_suffix(".sql")

WAY = "AND (c.kind = 'paid' AND c.owner_id = t.chain_id OR c.kind = 'treasury' AND EXISTS ("
# To which appropriation, and how much of it, the trigger of refunds knows.
WAYS = (
    "AND (c.kind = 'paid' AND c.owner_id = t.chain_id OR c.kind = 'appropriation' OR c.kind = 'treasury' "
    "AND EXISTS ("
)


def rewrite(function: str, old: str, new: str) -> None:
    """Change one passage of a guard as it stands."""
    bind = op.get_bind()
    body = bind.execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def upgrade() -> None:
    rewrite("transfer_added", WAY, WAYS)
    for statement in SQL.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def downgrade() -> None:
    rewrite("transfer_added", WAYS, WAY)
    op.execute("DROP FUNCTION refund_comes_home() CASCADE")
    op.execute("ALTER TABLE receipt DROP COLUMN restored_minor")

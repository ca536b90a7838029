"""Say of a payee's account what kind it is, and let a change rest; who heard of the one before hears of it."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"

GUARDS = Path(__file__).with_suffix(".sql")
COLUMNS = ("account_kind", "bank_code", "documents", "rests_until", "contacts")


def upgrade() -> None:
    op.execute(
        "ALTER TABLE payee ADD COLUMN account_kind TEXT, ADD COLUMN bank_code TEXT, "
        "ADD COLUMN documents JSONB DEFAULT '[]'::jsonb NOT NULL, ADD COLUMN rests_until DATE, "
        "ADD COLUMN contacts JSONB DEFAULT '[]'::jsonb NOT NULL, ADD CONSTRAINT payee_kind_known CHECK ("
        "account_kind IN ('cn', 'iban') AND (account_kind <> 'cn' OR bank_code ~ '^[0-9]{12}$') "
        "OR account_kind IS NULL AND bank_code IS NULL)"
    )
    for statement in GUARDS.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def downgrade() -> None:
    op.execute("DROP FUNCTION payee_stays_itself() CASCADE")
    op.execute("DROP FUNCTION payment_waits_for_rest() CASCADE")
    op.execute("ALTER TABLE payee DROP CONSTRAINT payee_kind_known")
    op.execute("ALTER TABLE payee " + ", ".join(f"DROP COLUMN {column}" for column in COLUMNS))

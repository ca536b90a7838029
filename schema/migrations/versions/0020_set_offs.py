"""Set what is owed off against a payment: the payment pays the lesser sum."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0020"
down_revision = "0019"

HERE = Path(__file__)
TABLE = HERE.with_name("0020_set_offs_table.sql")
GUARDS = HERE.with_suffix(".sql")
FUNCTIONS = ("payment_offset_stays()", "set_off_stays()", "set_off_fits()")

SUMS = (
    "received_minor >= 0 AND written_off_minor >= 0 AND over_minor >= 0 AND planned_from_minor >= 0",
    "received_minor + written_off_minor <= amount_minor",
    "state NOT IN ('settled', 'written_off') OR received_minor + written_off_minor = amount_minor",
)
SUMS_NOW = (
    f"{SUMS[0]} AND offset_minor >= 0 AND reserved_minor >= 0",
    "received_minor + offset_minor + reserved_minor + written_off_minor <= amount_minor",
    "state NOT IN ('settled', 'written_off') "
    "OR received_minor + offset_minor + written_off_minor = amount_minor",
)
NAMES = ("receivable_sums_not_negative", "receivable_within", "receivable_closed_in_full")
# Passages of checks that stand, with what takes their place.
PASSAGES = (
    (
        "bank_entry_stays",
        "y.amount_minor = abs(NEW.amount_minor)",
        "y.amount_minor - y.offset_minor = abs(NEW.amount_minor)",
    ),
    (
        "receivable_stays",
        "NEW.amount_minor - NEW.received_minor - NEW.written_off_minor THEN",
        "NEW.amount_minor - NEW.received_minor - NEW.written_off_minor - NEW.offset_minor\n"
        "       - NEW.reserved_minor THEN",
    ),
)


def rewrite(function: str, old: str, new: str) -> None:
    """Change a check as it stands, whatever earlier revisions made of the rest of it."""
    bind = op.get_bind()
    body = bind.execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def constrain(conditions: tuple[str, ...]) -> None:
    """What the sums of a receivable have to be."""
    for name, condition in zip(NAMES, conditions, strict=True):
        op.execute(f"ALTER TABLE receivable DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE receivable ADD CONSTRAINT {name} CHECK ({condition})")


def upgrade() -> None:
    op.execute("ALTER TABLE payment ADD COLUMN offset_minor BIGINT DEFAULT 0 NOT NULL")
    op.execute(
        "ALTER TABLE payment ADD CONSTRAINT payment_offset_within "
        "CHECK (offset_minor BETWEEN 0 AND amount_minor)"
    )
    for column in ("offset_minor", "reserved_minor"):
        op.execute(f"ALTER TABLE receivable ADD COLUMN {column} BIGINT DEFAULT 0 NOT NULL")
    constrain(SUMS_NOW)
    for path in (TABLE, GUARDS):
        for statement in path.read_text(encoding="utf-8").split("\n--;\n"):
            op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    for function, old, new in PASSAGES:
        rewrite(function, old, new)
    op.execute(
        "CREATE TRIGGER set_off_stays BEFORE DELETE OR TRUNCATE ON set_off "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON set_off TO milepost_app")
    op.execute(
        "GRANT UPDATE (agreed_by, hold_transfer_id, post_transfer_id, status) ON set_off TO milepost_app"
    )


def downgrade() -> None:
    for function, old, new in PASSAGES:
        rewrite(function, new, old)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.execute("DROP TABLE set_off CASCADE")
    # What was set off counts as received where there is no set-off.
    op.execute("ALTER TABLE receivable DISABLE TRIGGER USER")
    op.execute("UPDATE receivable SET received_minor = received_minor + offset_minor WHERE offset_minor > 0")
    op.execute("ALTER TABLE receivable ENABLE TRIGGER USER")
    constrain(SUMS)
    for column in ("offset_minor", "reserved_minor"):
        op.execute(f"ALTER TABLE receivable DROP COLUMN {column}")
    op.execute("ALTER TABLE payment DROP COLUMN offset_minor")

"""Take back what a person caused by mistake: a receipt at the wrong receivable, a write-off on a wrong figure."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0031"
down_revision = "0030"

HERE = Path(__file__)
TABLE = HERE.with_name("0031_corrections_table.sql")
GUARDS = HERE.with_suffix(".sql")
FUNCTIONS = (
    "correction_stays()",
    "correction_fits()",
    "receivable_less_by_correction()",
    "receipt_reversed_once()",
    "receipt_reversal_is_done()",
)
# Passages of checks that stand, with what takes their place.
PASSAGES = (
    # From here on ``receivable_less_by_correction`` says it, which sees the correction beside the row.
    (
        "receivable_stays",
        """IF NEW.received_minor < OLD.received_minor OR NEW.over_minor < OLD.over_minor
     OR NEW.written_off_minor < OLD.written_off_minor THEN""",
        "IF false THEN",
    ),
    (
        "received_entry_stays",
        "IS DISTINCT FROM (OLD.outcome, OLD.payment_id) THEN",
        "IS DISTINCT FROM (OLD.outcome, OLD.payment_id)\n     AND (NEW.outcome <> 'new' OR NEW.payment_id IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM receipt r\n          WHERE r.entry_id = NEW.id AND r.reversal_id IS NULL)) THEN",
    ),
    (
        "received_entry_stays",
        "(SELECT 1 FROM receipt r WHERE r.entry_id = NEW.id)) THEN",
        "(SELECT 1 FROM receipt r WHERE r.entry_id = NEW.id\n          AND r.reversal_id IS NULL)) THEN",
    ),
)
STANDING = "WHERE reversal_id IS NULL"


def rewrite(function: str, old: str, new: str) -> None:
    """Change a check as it stands, whatever earlier revisions made of the rest of it."""
    bind = op.get_bind()
    body = bind.execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def append_only(events: str) -> None:
    """What may never be done to a receipt."""
    op.execute("DROP TRIGGER receipt_append_only ON receipt")
    op.execute(
        f"CREATE TRIGGER receipt_append_only BEFORE {events} ON receipt "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def upgrade() -> None:
    run(TABLE)
    op.execute("ALTER TABLE receipt ADD COLUMN reversal_id UUID")
    # One entry, and one slip, has one receipt that stands.
    op.execute("ALTER TABLE receipt DROP CONSTRAINT receipt_entry_once")
    op.execute(f"CREATE UNIQUE INDEX receipt_entry_once ON receipt (entry_id) {STANDING}")
    op.execute("DROP INDEX receipt_slip_once")
    op.execute(
        "CREATE UNIQUE INDEX receipt_slip_once ON receipt (reference) "
        f"{STANDING} AND entry_id IS NULL"
    )
    append_only("DELETE OR TRUNCATE")
    run(GUARDS)
    for function, old, new in PASSAGES:
        rewrite(function, old, new)
    op.execute("GRANT SELECT, INSERT ON correction TO milepost_app")
    op.execute("GRANT UPDATE (decided_by, decided_seq, status) ON correction TO milepost_app")
    op.execute("GRANT UPDATE (reversal_id) ON receipt TO milepost_app")


def run(path: Path) -> None:
    """Every statement of a file."""
    for statement in path.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def downgrade() -> None:
    for function, old, new in reversed(PASSAGES):
        rewrite(function, new, old)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.execute("REVOKE UPDATE (reversal_id) ON receipt FROM milepost_app")
    op.execute("ALTER TABLE receipt DISABLE TRIGGER USER")
    # Who knows no reversals knows only what stands.
    op.execute("DELETE FROM receipt WHERE reversal_id IS NOT NULL")
    op.execute("ALTER TABLE receipt ENABLE TRIGGER USER")
    op.execute("DROP INDEX receipt_entry_once, receipt_slip_once")
    op.execute("ALTER TABLE receipt DROP COLUMN reversal_id")
    op.execute("ALTER TABLE receipt ADD CONSTRAINT receipt_entry_once UNIQUE (entry_id)")
    op.execute("CREATE UNIQUE INDEX receipt_slip_once ON receipt (reference) WHERE entry_id IS NULL")
    op.execute("DROP TABLE correction CASCADE")
    append_only("UPDATE OR DELETE OR TRUNCATE")

"""Keep the exceptions that were cleared up before they had events where everybody can read them.

The revision that made exceptions a noun put such rows into ``bank_exception_before`` where there were any, for
nobody to read. The recounts need them: an entry that one of them matched is of the payment it was matched to,
and one that one of them explained is queued without an exception of today. So the table is always there.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0026"
down_revision = "0025"

TABLE = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    op.get_bind().exec_driver_sql(TABLE.read_text(encoding="utf-8"))
    op.execute("GRANT SELECT ON bank_exception_before TO milepost_app")
    op.execute(
        "CREATE TRIGGER bank_exception_before_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON bank_exception_before FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER bank_exception_before_append_only ON bank_exception_before")
    op.execute("REVOKE ALL ON bank_exception_before FROM milepost_app")
    if not op.get_bind().execute(text("SELECT EXISTS (SELECT 1 FROM bank_exception_before)")).scalar_one():
        op.execute("DROP TABLE bank_exception_before")

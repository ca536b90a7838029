"""Let many steps in one statement cost less each; what is refused stays refused.

The check of events is rewritten in places, from its text as it stands. A milestone's row is written with
every step it takes: without an index on its state, and with room in its page, no index has to follow.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"

# Passages of the check of events, each followed by what takes its place.
PASSAGES = Path(__file__).with_suffix(".sql")


def rewrite(pairs: list[tuple[str, str]]) -> None:
    """Change the check of events passage by passage; every passage must be there."""
    bind = op.get_bind()
    body = bind.execute(text("SELECT pg_get_functiondef('event_appended'::regproc)")).scalar_one()
    for old, new in pairs:
        assert old in body, f"the check of events is not as this revision knows it: {old}"
        body = body.replace(old, new)
    bind.exec_driver_sql(body.replace("%", "%%"))


def passages() -> list[tuple[str, str]]:
    """Each passage as it was and as it becomes; comments at the head of the file are not among them."""
    parts = PASSAGES.read_text(encoding="utf-8").split("\n--;\n")[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def upgrade() -> None:
    rewrite(passages())
    op.execute("ALTER TABLE milestone SET (fillfactor = 80)")
    op.execute("DROP INDEX ix_milestone_state")
    op.execute(
        "CREATE INDEX milestone_of_evaluator ON milestone (evaluator_id) WHERE evaluator_id IS NOT NULL"
    )


def downgrade() -> None:
    rewrite([(new, old) for old, new in passages()])
    op.execute("ALTER TABLE milestone RESET (fillfactor)")
    op.execute("DROP INDEX milestone_of_evaluator")
    op.execute("CREATE INDEX ix_milestone_state ON milestone (state)")

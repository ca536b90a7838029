"""Let several people approve a payment, by its sum; refuse what too few have approved."""

import json
import tomllib
from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

GUARDS = Path(__file__).with_suffix(".sql")


def _read_the_tiers() -> None:
    """The tiers of what is published already: the file says them."""
    op.execute("ALTER TABLE programme_version DISABLE TRIGGER USER")
    bind = op.get_bind()
    for id, source in bind.execute(text("SELECT id, source FROM programme_version")).fetchall():
        tiers = [{"above_minor": 0, **tier} for tier in tomllib.loads(source).get("approvals", ())]
        bind.execute(
            text("UPDATE programme_version SET approvals = CAST(:tiers AS jsonb) WHERE id = :id"),
            {"tiers": json.dumps(tiers), "id": id},
        )
    op.execute("ALTER TABLE programme_version ENABLE TRIGGER USER")


def upgrade() -> None:
    op.execute("ALTER TABLE programme_version ADD COLUMN approvals JSONB DEFAULT '[]'::jsonb NOT NULL")
    op.execute(
        "ALTER TABLE duty ADD COLUMN place INTEGER DEFAULT 1 NOT NULL, ADD COLUMN role TEXT, "
        "DROP CONSTRAINT duty_pkey, ADD PRIMARY KEY (payment_id, duty, place), "
        "ADD CONSTRAINT duty_of_one CHECK (place >= 1 AND (place = 1 OR duty = 'approver'))"
    )
    _read_the_tiers()
    for statement in GUARDS.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def downgrade() -> None:
    op.execute("DROP FUNCTION payment_needs_approvals() CASCADE")
    op.execute("DROP FUNCTION approvals_missing(uuid)")
    op.execute("DROP FUNCTION approvals_needed(uuid, bigint)")
    op.execute("ALTER TABLE duty DISABLE TRIGGER USER")
    # One approver is all that the table before had room for.
    op.execute("DELETE FROM duty WHERE place > 1")
    op.execute("ALTER TABLE duty ENABLE TRIGGER USER")
    op.execute(
        "ALTER TABLE duty DROP CONSTRAINT duty_of_one, DROP CONSTRAINT duty_pkey, "
        "ADD PRIMARY KEY (payment_id, duty), DROP COLUMN place, DROP COLUMN role"
    )
    op.execute("ALTER TABLE programme_version DROP COLUMN approvals")

"""A batch belongs to an office: its people make it, hand it over and see it."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("ALTER TABLE batch ADD COLUMN office_path TEXT DEFAULT '/' NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE batch DROP COLUMN office_path")

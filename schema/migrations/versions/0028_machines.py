"""Let nobody but the owner say which steps there are: the application takes steps, it makes none."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.execute("REVOKE INSERT ON machine, allowed_step FROM milepost_app")
    op.execute("REVOKE UPDATE (sealed) ON machine FROM milepost_app")


def downgrade() -> None:
    op.execute("GRANT INSERT ON machine, allowed_step TO milepost_app")
    op.execute("GRANT UPDATE (sealed) ON machine TO milepost_app")

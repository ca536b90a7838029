"""Find the payments whose outcome was attested without reading all the others."""

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.execute("CREATE INDEX payment_attested ON payment (id) WHERE attested IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX payment_attested")

"""Let one payment be held, and let nobody lift a hold of their own."""

from alembic import op

revision = "0022"
down_revision = "0021"

TWO = "kind = 'integrity' OR lifted_by IS NULL OR lifted_by <> placed_by"


def upgrade() -> None:
    op.execute("ALTER TABLE payment ADD COLUMN holds INTEGER DEFAULT 0 NOT NULL")
    op.execute(
        "ALTER TABLE hold ADD COLUMN payment_id UUID REFERENCES payment (id), DROP CONSTRAINT hold_kind_known, "
        "ADD CONSTRAINT hold_kind_known CHECK (kind IN ('hold', 'integrity', 'payment')), "
        "ADD CONSTRAINT hold_of_payment CHECK ((kind = 'payment') = (payment_id IS NOT NULL)), "
        # What was lifted before is as it was.
        f"ADD CONSTRAINT hold_two_people CHECK ({TWO}) NOT VALID"
    )
    op.execute("CREATE INDEX hold_of_payment_standing ON hold (payment_id) WHERE lifted_at IS NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE hold DISABLE TRIGGER USER")
    op.execute("DELETE FROM hold WHERE kind = 'payment'")
    op.execute("ALTER TABLE hold ENABLE TRIGGER USER")
    op.execute("DROP INDEX hold_of_payment_standing")
    op.execute(
        "ALTER TABLE hold DROP CONSTRAINT hold_two_people, DROP CONSTRAINT hold_of_payment, "
        "DROP CONSTRAINT hold_kind_known, DROP COLUMN payment_id, "
        "ADD CONSTRAINT hold_kind_known CHECK (kind IN ('hold', 'integrity'))"
    )
    op.execute("ALTER TABLE payment DROP COLUMN holds")

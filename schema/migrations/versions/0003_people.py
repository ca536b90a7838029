"""Keep who handed a document in, and what was done to whose account by whom: append-only."""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = ("document_upload", "person_change")


def upgrade() -> None:
    op.execute(
        "CREATE TABLE document_upload ("
        "sha256 VARCHAR NOT NULL REFERENCES document(sha256), "
        "person_id UUID NOT NULL REFERENCES person(id), "
        "at TIMESTAMP WITH TIME ZONE NOT NULL, "
        "PRIMARY KEY (sha256, person_id))"
    )
    op.execute(
        "CREATE TABLE person_change ("
        "id UUID PRIMARY KEY, "
        "person_id UUID NOT NULL REFERENCES person(id), "
        "by_id UUID NOT NULL REFERENCES person(id), "
        "at TIMESTAMP WITH TIME ZONE NOT NULL, "
        "what TEXT NOT NULL, "
        "detail JSONB NOT NULL DEFAULT '{}'::jsonb)"
    )
    op.execute("CREATE INDEX person_change_of ON person_change (person_id, at)")
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(f"GRANT SELECT, INSERT ON {table} TO milepost_app")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")

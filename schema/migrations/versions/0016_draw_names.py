"""Give the experts of each draw names of that draw's own, so that records cannot be linked by ids."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"

BEFORE = Path(__file__).with_name("0005_experts.sql")
FIXED = "draw_stays_committed"
# What a draw calls an expert: sixteen bytes of a hash under the draw's salt, written as an id. Draws of before
# have no salt and call everybody as the pool does. The program knows the same as ``states.commitment.alias_of``.
ALIAS = """
CREATE FUNCTION draw_alias(salt bytea, id uuid) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN salt IS NULL THEN id::text
    ELSE encode(substr(sha256(salt || convert_to(id::text, 'UTF8')), 1, 16), 'hex')::uuid::text END $$
"""


def fixed() -> str:
    """The function that keeps what was committed, as revision 0005 made it."""
    for statement in BEFORE.read_text(encoding="utf-8").split("\n--;\n"):
        if f"CREATE FUNCTION {FIXED}" in statement:
            return statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    raise AssertionError("what 0005 made is there")


def run(statement: str) -> None:
    """One statement as it is written: nothing in it is a parameter."""
    op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def upgrade() -> None:
    run("ALTER TABLE draw ADD COLUMN salt bytea")
    run(ALIAS)
    run(fixed().replace("NEW.commitment,", "NEW.commitment, NEW.salt,").replace("OLD.commitment,", "OLD.commitment, OLD.salt,"))


def downgrade() -> None:
    run(fixed())
    run("DROP FUNCTION draw_alias(bytea, uuid)")
    run("ALTER TABLE draw DROP COLUMN salt")

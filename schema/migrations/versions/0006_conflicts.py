"""Compare names by what counts in them; know every conflict, in both directions, and quickly."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"

HERE = Path(__file__)
BEFORE = HERE.with_name("0005_experts.sql")
# What this revision puts other words to; taken back, they say again what revision 0005 made them say.
REPLACED = ("compared(words", "review_conflicts(projects")
INDEXES = ("project_party_identity", "tie_other_person", "tie_project", "event_began_by")
PARTIES = """
INSERT INTO project_party (project_id, number, part, name_key, unit_key, person_id, identity_hash)
SELECT x.project_id, row_number() OVER (PARTITION BY x.project_id), x.part, compared(x.name),
       compared(x.unit), x.person_id, x.identity_hash FROM (
  SELECT p.id AS project_id, 'unit' AS part, NULL AS name, p.unit_name AS unit, NULL::uuid AS person_id,
         NULL AS identity_hash FROM project p
  UNION ALL SELECT p.id, 'leader', p.leader_name, p.unit_name, NULL, NULL FROM project p
  UNION ALL
  SELECT d.project_id, CASE WHEN m->>'part' IN ('unit', 'leader') THEN m->>'part' ELSE 'member' END,
         m->>'name', m->>'unit', (m->>'person_id')::uuid, m->>'identity_hash'
    FROM dossier d CROSS JOIN jsonb_array_elements(d.team) m
  UNION ALL
  SELECT d.project_id, 'unsuitable', m->>'name', m->>'unit', (m->>'person_id')::uuid, NULL
    FROM dossier d CROSS JOIN jsonb_array_elements(d.unsuitable) m) x
"""


def statements(path: Path) -> list[str]:
    """The statements of a file, in order."""
    return path.read_text(encoding="utf-8").split("\n--;\n")


def run(statement: str) -> None:
    """One statement as it is written: nothing in it is a parameter."""
    op.get_bind().exec_driver_sql(statement.replace("%", "%%"))


def rekey() -> None:
    """The names of all applications once more, by the comparison as it is now."""
    run("DELETE FROM project_party")
    run(PARTIES)


def upgrade() -> None:
    for statement in statements(HERE.with_suffix(".sql")):
        run(statement)
    rekey()


def downgrade() -> None:
    run("DROP TRIGGER affiliation_keyed ON affiliation")
    run("DROP TRIGGER tie_keyed ON tie")
    run("DROP FUNCTION keyed()")
    for index in INDEXES:
        run(f"DROP INDEX {index}")
    run("DROP TRIGGER task_without_conflict_up ON task")
    for statement in statements(BEFORE):
        if any(f"CREATE FUNCTION {name}" in statement for name in REPLACED):
            run(statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
        elif "CREATE TRIGGER task_without_conflict_up" in statement:
            run(statement)
    run("UPDATE affiliation SET unit_key = compared(unit_name)")
    rekey()

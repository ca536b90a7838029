"""A ban ends an expert's work as a conflict does: whoever asks for conflicts hears of it."""

from alembic import op

revision = "0008"
down_revision = "0007"

KNOWN = "(uuid[], uuid[], date)"
# A ban bars from every project alike. Its reason is for those who see the pool; the evidence is its last day.
BARRED = """
CREATE FUNCTION review_conflicts(projects uuid[], people uuid[], on_day date)
RETURNS TABLE (project_id uuid, person_id uuid, rule text, evidence text) LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
  SELECT * FROM interest_conflicts(projects, people, on_day)
  UNION ALL
  SELECT p.id, b.person_id, 'banned', '–' || to_char(max(b.until_on), 'YYYY-MM-DD')
    FROM ban b JOIN project p ON p.id = ANY(projects)
   WHERE b.person_id = ANY(people) AND b.lifted_at IS NULL AND on_day BETWEEN b.from_on AND b.until_on
   GROUP BY p.id, b.person_id
$$
"""


def upgrade() -> None:
    op.execute(f"ALTER FUNCTION review_conflicts{KNOWN} RENAME TO interest_conflicts")
    op.get_bind().exec_driver_sql(BARRED)


def downgrade() -> None:
    op.execute(f"DROP FUNCTION review_conflicts{KNOWN}")
    op.execute(f"ALTER FUNCTION interest_conflicts{KNOWN} RENAME TO review_conflicts")

"""Let two people take back the acceptance of a cost claim."""

from pathlib import Path

from alembic import op

revision = "0029"
down_revision = "0028"

SQL = Path(__file__).with_suffix(".sql")
# Who proposed and who confirmed, from the events: in a database that went back behind those columns and on again.
PEOPLE = """UPDATE appropriation a SET
  proposed_by = (SELECT e.actor_id FROM event e WHERE e.subject_id = a.id AND e.step = 'appropriation.propose'),
  voted_by = (SELECT e.actor_id FROM event e WHERE e.subject_id = a.id AND e.step = 'appropriation.vote'
    AND e.from_state <> ''),
  closing_by = x.actor_id, closing_reason = x.reason,
  closed_by = CASE WHEN x.actor_id IS NOT NULL THEN (SELECT e.actor_id FROM event e
    WHERE e.subject_id = a.id AND e.step = 'appropriation.close') END
  FROM appropriation b LEFT JOIN LATERAL (SELECT
      CASE WHEN e.step = 'appropriation.propose_close' THEN e.actor_id END AS actor_id,
      CASE WHEN e.step = 'appropriation.propose_close'
        THEN convert_from(e.body, 'UTF8')::jsonb->'input'->>'reason' END AS reason
      FROM event e WHERE e.subject_id = b.id
       AND e.step IN ('appropriation.propose_close', 'appropriation.keep_open')
      ORDER BY e.subject_seq DESC LIMIT 1) x ON true
 WHERE b.id = a.id AND EXISTS (SELECT 1 FROM event e WHERE e.subject_id = a.id
   AND e.step IN ('appropriation.propose', 'appropriation.propose_close'))"""
REOPENED = """UPDATE claim c SET reopening_by = x.actor_id, reopening_reason = x.reason,
  reopened_by = (SELECT e.actor_id FROM event e WHERE e.subject_id = c.id AND e.step = 'claim.reopen'
    AND x.actor_id IS NOT NULL AND e.subject_seq > x.subject_seq ORDER BY e.subject_seq DESC LIMIT 1)
  FROM (SELECT DISTINCT ON (e.subject_id) e.subject_id, e.subject_seq,
      CASE WHEN e.step = 'claim.propose_reopen' THEN e.actor_id END AS actor_id,
      CASE WHEN e.step = 'claim.propose_reopen'
        THEN convert_from(e.body, 'UTF8')::jsonb->'input'->>'reason' END AS reason
      FROM event e WHERE e.step IN ('claim.propose_reopen', 'claim.keep_accepted')
     ORDER BY e.subject_id, e.subject_seq DESC) x WHERE x.subject_id = c.id"""


def upgrade() -> None:
    for statement in SQL.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    for table, statement in (("appropriation", PEOPLE), ("claim", REOPENED)):
        # What the events say is no change of what happened, and no event of now.
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        op.get_bind().exec_driver_sql(statement)
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def downgrade() -> None:
    op.execute("DROP FUNCTION claim_reopens() CASCADE")
    op.execute(
        "ALTER TABLE claim DROP COLUMN reopening_by, DROP COLUMN reopening_reason, DROP COLUMN reopened_by"
    )

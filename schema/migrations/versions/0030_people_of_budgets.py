"""Name who proposed, confirmed or closed a budget as the events do, where a way back had forgotten it."""

from alembic import op

revision = "0030"
down_revision = "0029"

# Of proposals to close only the last one that still stands; who kept the year open took it back.
PEOPLE = """
UPDATE appropriation a SET proposed_by = x.proposed, voted_by = x.voted, closing_by = x.closing,
  closing_reason = x.reason, closed_by = CASE WHEN x.closing IS NOT NULL AND a.state = 'closed' THEN x.closed END
FROM (SELECT e.subject_id AS id,
    (array_agg(e.actor_id) FILTER (WHERE e.step = 'appropriation.propose'))[1] AS proposed,
    (array_agg(e.actor_id) FILTER (WHERE e.step = 'appropriation.vote' AND e.from_state <> ''))[1] AS voted,
    (array_agg(CASE WHEN e.step = 'appropriation.propose_close' THEN e.actor_id END ORDER BY e.subject_seq DESC)
      FILTER (WHERE e.step IN ('appropriation.propose_close', 'appropriation.keep_open')))[1] AS closing,
    (array_agg(CASE WHEN e.step = 'appropriation.propose_close'
        THEN convert_from(e.body, 'UTF8')::jsonb->'input'->>'reason' END ORDER BY e.subject_seq DESC)
      FILTER (WHERE e.step IN ('appropriation.propose_close', 'appropriation.keep_open')))[1] AS reason,
    (array_agg(e.actor_id) FILTER (WHERE e.step = 'appropriation.close'))[1] AS closed
  FROM event e WHERE e.noun = 'appropriation' GROUP BY 1) x
WHERE x.id = a.id AND a.proposed_by IS NULL AND x.proposed IS NOT NULL
"""


def upgrade() -> None:
    op.execute("ALTER TABLE appropriation DISABLE TRIGGER USER")
    op.execute(PEOPLE)
    op.execute("ALTER TABLE appropriation ENABLE TRIGGER USER")


def downgrade() -> None:
    """What is filled in is what the revision of these columns would have had."""

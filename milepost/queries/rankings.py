"""What the ranking of a review stage is made of: applications, rounds, valid reviews, ballots, the budget.

For officers and supervisors of the office, and only as a whole. A ranking holds every application against
every other, so a conflict of interest with one of them closes the list. The statement that reads it asks for
that itself: it answers before or after the commit that made a conflict, never in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from milepost.db import Session
from milepost.experts.conflicts import conflicts_among
from milepost.queries.commitments import Asked, committed, left_by_year
from milepost.queries.sight import MINE, OBJECTORS, Row, holds_role, rows

STAGES = ("remote_review", "panel_review")
_READER = holds_role(OBJECTORS)
_HAS_ROUND = "EXISTS (SELECT 1 FROM round r WHERE r.project_id = p.id AND r.stage = {stage})"
# What of a project's sum is on its way to the bank or beyond, and no longer in what is left.
_TAKEN = """coalesce((SELECT sum(y.amount_minor) FROM payment y
  JOIN tranche t ON t.id = y.tranche_id AND t.basis <> 'interest' WHERE y.project_id = p.id
  AND y.state IN ('requested', 'approved', 'released', 'instructed', 'settled', 'unknown')), 0)::bigint"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which list: a programme version, a review stage, and the call; no call: those without one."""

    programme_id: UUID
    stage: str
    call_id: UUID | None = None


def lists(session: Session, actor_id: UUID) -> list[Row]:
    """The lists that somebody may look at, the latest programme version first, with how many applications."""
    found = rows(
        session,
        f"""WITH {MINE}, listed AS MATERIALIZED (
          SELECT p.id, p.programme_id, p.call_id, s.stage FROM project p
          CROSS JOIN LATERAL (SELECT DISTINCT stage FROM (
            SELECT r.stage FROM round r WHERE r.project_id = p.id
            UNION ALL SELECT p.state WHERE p.state = ANY(%(stages)s)) x) s WHERE {_READER}
        ), closed AS MATERIALIZED ({conflicts_among("SELECT DISTINCT id FROM listed")})
        SELECT l.programme_id, l.stage, l.call_id, v.code, v.version, v.title, c.title AS call_title,
          count(*) AS applications
        FROM listed l JOIN programme_version v ON v.id = l.programme_id LEFT JOIN call c ON c.id = l.call_id
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        HAVING NOT bool_or(l.id IN (SELECT project_id FROM closed))
        ORDER BY v.code, v.version DESC, c.title NULLS LAST, l.stage""",
        {"actor": actor_id, "today": session.clock.today(), "stages": list(STAGES)},
    )
    return found


_LIST = f"""WITH {MINE}, listed AS MATERIALIZED (
  SELECT p.id FROM project p WHERE p.programme_id = %(programme)s AND p.call_id IS NOT DISTINCT FROM %(call)s
    AND (p.state = %(stage)s OR {_HAS_ROUND.format(stage="%(stage)s")}) AND {_READER}
), closed AS MATERIALIZED ({conflicts_among("SELECT id FROM listed")})
SELECT p.id, %(stage)s AS stage, p.code, p.title, p.unit_name, p.leader_name, p.currency,
  p.requested_minor, p.award_minor, p.plan,
  p.state, p.version, p.office_path, n.proposed_minor, n.state AS notice_state, n.opens_on, n.closes_on,
  {_TAKEN} AS taken_minor, r.id AS round_id, r.number AS round_number, r.state AS round_state,
  r.version AS round_version, r.score_milli, r.passed,
  coalesce(t.tasks, '[]') AS tasks, coalesce(b.votes, '[]') AS votes
FROM listed l JOIN project p ON p.id = l.id
LEFT JOIN LATERAL (SELECT * FROM round r WHERE r.project_id = p.id AND r.stage = %(stage)s
  ORDER BY r.number DESC LIMIT 1) r ON true
LEFT JOIN LATERAL (SELECT * FROM notice n WHERE n.project_id = p.id AND n.state <> 'withdrawn'
  ORDER BY n.issued_on DESC, n.opens_on DESC LIMIT 1) n ON true
LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('state', k.state, 'expert_id', k.expert_id,
  'name', e.name, 'scores', k.scores, 'score_milli', k.score_milli, 'comment', k.comment)
  ORDER BY k.expert_id) AS tasks
  FROM task k JOIN person e ON e.id = k.expert_id WHERE k.round_id = r.id) t ON true
LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('in_favour', w.in_favour, 'present', w.present)
  ORDER BY w.recorded_at, w.id) AS votes FROM vote w WHERE w.round_id = r.id) b ON true
WHERE NOT EXISTS (SELECT 1 FROM closed) ORDER BY p.code"""


def applications(session: Session, actor_id: UUID, scope: Scope) -> list[Row]:
    """Every application of a list with its latest round, reviews and ballots; nothing where it is closed."""
    return rows(
        session,
        _LIST,
        {
            "actor": actor_id,
            "today": session.clock.today(),
            "programme": scope.programme_id,
            "stage": scope.stage,
            "call": scope.call_id,
        },
    )


# What of an appropriation was given back or away by a change of the budget.
_GONE = """(SELECT coalesce(sum(t.amount_minor), 0) FROM transfer t JOIN account o ON o.id = t.credit_id
  WHERE t.debit_id = a.id AND t.kind = 'posted' AND o.kind IN ('treasury', 'appropriation'))"""
# What grantees paid back within the year was voted once.
_HOME = """(SELECT coalesce(sum(t.amount_minor), 0) FROM transfer t JOIN account o ON o.id = t.debit_id
  WHERE t.credit_id = a.id AND o.kind = 'receivable')"""


@dataclass(frozen=True, slots=True)
class Funds:
    """A programme's budget for a year in minor units; ``promised`` of it to projects and not yet held."""

    fiscal_year: int
    currency: str
    voted_minor: int | None
    left_minor: int
    promised_minor: int

    @property
    def free_minor(self) -> int:
        """What nobody was promised; never below zero."""
        return max(self.left_minor - self.promised_minor, 0)


def funds(
    session: Session, programme_code: str, currency: str, but: Sequence[UUID], office: str = "/"
) -> Funds:
    """The year's budget of a programme by the rule of the what-if (``milepost.queries.commitments``).

    ``but`` are the projects that are not counted as promised, ``office`` the one that all of these belong to:
    what is left is left of the appropriations that reach it.
    """
    asked = Asked(programme_code, currency, session.clock.today(), tuple(but))
    year = asked.today.year
    left, promised = left_by_year(session.conn, asked, office), committed(session.conn, asked)
    voted = rows(
        session,
        f"""SELECT sum(a.drawn_minor - {_GONE} - {_HOME})::bigint AS minor FROM appropriation s
             JOIN account a ON a.kind = 'appropriation' AND a.owner_id = s.id
           WHERE s.programme_code = %(code)s AND s.fiscal_year = %(year)s AND s.currency = %(currency)s
             AND s.state = 'voted' AND NOT s.for_interest AND starts_with(%(reached)s, s.office_path)""",
        {**asked.params, "reached": office},
    )[0]["minor"]
    return Funds(year, currency, voted, left.get(year, 0), promised.get(year, 0))


__all__ = ["STAGES", "Funds", "Scope", "applications", "funds", "lists"]

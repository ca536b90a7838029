"""The tranches of funded projects with the days of their way: what was planned, and what came when."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from milepost.clock import OFFICE_ZONE
from milepost.db import Session
from milepost.queries.sight import FUNDS, MINE, holds_role, rows
from milepost.reports.forecast import Planned

_ENDS = "('terminated', 'revoked', 'closed_passed', 'closed_without_pass', 'closed_failed', 'archived')"
_STEPS = """('payment.plan', 'milestone.report', 'milestone.accept', 'milestone.reject', 'milestone.waive',
  'project.complete_implementation', 'project.record_acceptance')"""
_SQL = f"""{{mine}} e AS MATERIALIZED (SELECT subject_id, step, min(at) AS first, max(at) AS last FROM event
    WHERE step IN {_STEPS} GROUP BY 1, 2),
  over AS (SELECT subject_id, min(at) AS first FROM event
    WHERE noun = 'project' AND from_state <> to_state AND to_state IN {_ENDS} GROUP BY 1)
  SELECT t.id, p.programme_code, p.office_path, t.waits_for, t.currency, m.due_on, m.state,
    coalesce(s.amount_minor, t.payable_minor, t.amount_minor) AS amount_minor, t.due_on AS day,
    pl.first AS planned_at, mr.first AS reported_at, ma.last AS accepted_at, md.last AS undone_at,
    ci.last AS completed_at, ra.last AS acceptance_at, p.acceptance_outcome, o.first AS over_at,
    (SELECT max(x.due_on) FROM milestone x WHERE x.project_id = p.id) AS last_due, s.settled_on
  FROM tranche t JOIN project p ON p.id = t.project_id
  JOIN payment y ON y.tranche_id = t.id AND y.attempt = 1
  JOIN e pl ON pl.subject_id = y.id AND pl.step = 'payment.plan'
  LEFT JOIN milestone m ON m.id = t.milestone_id
  LEFT JOIN e mr ON mr.subject_id = m.id AND mr.step = 'milestone.report'
  LEFT JOIN e ma ON ma.subject_id = m.id AND ma.step = 'milestone.accept' AND m.state = 'accepted'
  LEFT JOIN e md ON md.subject_id = m.id AND m.state IN ('rejected', 'waived')
    AND md.step = CASE m.state WHEN 'waived' THEN 'milestone.waive' ELSE 'milestone.reject' END
  LEFT JOIN e ci ON ci.subject_id = p.id AND ci.step = 'project.complete_implementation'
  LEFT JOIN e ra ON ra.subject_id = p.id AND ra.step = 'project.record_acceptance'
  LEFT JOIN over o ON o.subject_id = p.id
  LEFT JOIN payment s ON s.tranche_id = t.id AND s.state = 'settled'
 WHERE (%(programme)s = '' OR p.programme_code = %(programme)s) AND starts_with(p.office_path, %(office)s)
   AND t.basis <> 'interest'
   AND {{scope}} ORDER BY t.id"""


def planned_tranches(
    session: Session, actor_id: UUID | None, *, programme: str = "", office: str = ""
) -> list[Planned]:
    """Every tranche of the projects whose money the actor sees (None: of all), paid, open or dropped."""
    scope = holds_role(FUNDS) if actor_id is not None else "true"
    mine = f"WITH {MINE}," if actor_id is not None else "WITH"
    asked = {"actor": actor_id, "programme": programme, "office": office or "/"}
    zone = getattr(session.clock, "zone", OFFICE_ZONE)

    def day(at: datetime | None) -> date | None:
        return at.astimezone(zone).date() if at is not None else None

    return [_planned(row, day) for row in rows(session, _SQL.format(mine=mine, scope=scope), asked)]


def _planned(row: dict[str, Any], day: Any) -> Planned:
    planned_on = day(row["planned_at"])
    waits_for = row["waits_for"]
    if waits_for == "milestone":
        due, ready, earned = row["due_on"], day(row["reported_at"]), day(row["accepted_at"])
    elif waits_for == "acceptance":
        passed = row["acceptance_outcome"] == "passed"
        due, ready = row["last_due"], day(row["completed_at"])
        earned = day(row["acceptance_at"]) if passed else None
        # Without a stage of implementation the acceptance itself is the first that is heard of it.
        ready = ready or earned
    elif waits_for == "day":
        due, ready, earned = row["day"], None, row["day"] or planned_on
    else:
        due, ready, earned = None, None, planned_on
    paid = row["settled_on"]
    dropped = None
    if paid is None:
        dropped = min(
            (d for d in (day(row["undone_at"]), day(row["over_at"])) if d is not None), default=None
        )
    return Planned(
        row["id"],
        row["programme_code"],
        row["office_path"],
        waits_for,
        row["amount_minor"],
        row["currency"],
        planned_on,
        due,
        ready,
        earned,
        paid,
        dropped,
    )


__all__ = ["planned_tranches"]

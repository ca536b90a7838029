"""The next day on which anything can happen: days on which provably nothing does are not lived."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta

from milepost.calendar import add_working_days
from milepost.db import Session
from milepost.replay.worklists import ARCHIVED_AFTER_DAYS
from states.machines import Compiled

# What waits for people moves on their next working day; what waits for the bank or for mail, any day.
_MOVING = """SELECT EXISTS (SELECT 1 FROM payment y WHERE y.state IN ('released', 'instructed', 'unknown'))
  OR EXISTS (SELECT 1 FROM message WHERE state = 'queued'),
  EXISTS (SELECT 1 FROM project p WHERE p.programme_code = %(code)s AND (
      p.state IN ('completeness_check', 'approval', 'task_agreement')
      OR (p.state = 'public_notice' AND p.notice_state IS DISTINCT FROM 'open')
      OR (p.state = 'implementation' AND (p.payee_id IS NULL OR NOT EXISTS (
            SELECT 1 FROM milestone m WHERE m.project_id = p.id
               AND m.state NOT IN ('accepted', 'waived', 'rejected'))))
      OR (p.state = 'closure' AND NOT EXISTS (
            SELECT 1 FROM payment y WHERE y.project_id = p.id
               AND y.state NOT IN ('settled', 'void', 'returned')))))
  OR EXISTS (SELECT 1 FROM payment y WHERE y.state IN ('due', 'requested', 'approved'))
  OR EXISTS (SELECT 1 FROM payment y JOIN project p ON p.id = y.project_id
      WHERE y.state = 'returned' AND y.payee_id = p.payee_id)
  OR EXISTS (SELECT 1 FROM payment y JOIN milestone m ON m.id = y.milestone_id
      WHERE y.state = 'planned' AND m.state = 'accepted')
  OR EXISTS (SELECT 1 FROM payee WHERE state = 'entered')"""

_DEADLINE = """SELECT min(day) FROM (
  SELECT d.due_on + 1 AS day FROM deadline d WHERE d.closed_seq IS NULL AND d.act IS NOT NULL
  UNION ALL
  SELECT d.due_on + r.days FROM deadline d JOIN unnest(%(names)s::text[], %(days)s::int[]) AS r(name, days)
      ON r.name = d.name WHERE d.closed_seq IS NULL AND d.due_on + r.days > %(today)s
) x WHERE day > %(today)s"""

_ARCHIVE = """SELECT min((e.at AT TIME ZONE %(zone)s)::date + %(after)s + 1) FROM project p
  JOIN event e ON e.subject_id = p.id AND e.subject_seq = p.version
  WHERE p.programme_code = %(code)s
    AND p.state IN ('closed_passed', 'closed_without_pass', 'closed_failed')"""


def next_day(session: Session, compiled: Compiled, today: date, facts: Sequence[date], zone: str) -> date:
    """The first day after ``today`` on which somebody may have something to do.

    ``facts``: the days of the timetable, in order. The first days of a year are always lived, for its budget.
    """
    tomorrow = today + timedelta(days=1)
    code = compiled.programme.code
    moving = session.conn.execute(_MOVING, {"code": code}).fetchone()
    if moving is None or moving[0] or tomorrow <= date(tomorrow.year, 1, 4):
        return tomorrow
    found = [date(today.year + 1, 1, 1)]
    if moving[1]:
        found.append(add_working_days(today, 1, source=compiled.programme.calendar).due)
    at = bisect_right(facts, today)
    if at < len(facts):
        found.append(facts[at])
    reminders = [(r.deadline, days) for r in compiled.reminders for days in r.days]
    given = {
        "names": [name for name, _ in reminders],
        "days": [days for _, days in reminders],
        "today": today,
        "zone": zone,
        "after": ARCHIVED_AFTER_DAYS,
        "code": code,
    }
    for sql in (_DEADLINE, _ARCHIVE):
        row = session.conn.execute(sql, given).fetchone()
        if row is not None and row[0] is not None:
            found.append(row[0])
    return max(tomorrow, min(found))

"""Today's work: what waits for one person, the most urgent first."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from milepost.db import Session
from milepost.experts.conflicts import conflicts_among
from milepost.queries.projects import Page
from milepost.queries.reviews import hide_applicants
from milepost.queries.sight import OWN, REVIEW, Row, holds_role, rows
from states.delegation import DELEGABLE
from states.machines import BUILT_IN_DEADLINES, static_machines

PAGE = 50
# Roles that wait as a role; experts and evaluators are named in their task or milestone.
_WAITING = (
    "applicant",
    "principal_investigator",
    "programme_officer",
    "finance_officer",
    "supervisor",
    "counsel",
)
# These days come by themselves: nobody has anything to do for them.
_BY_ITSELF = [deadline.name for deadline in BUILT_IN_DEADLINES if deadline.act]

_DUE = "(SELECT min(d.due_on) FROM deadline d WHERE d.subject_id = {0} AND d.closed_seq IS NULL)"
_WHO = " OR ".join(f"(d.who ? '{role}' AND {holds_role([role])})" for role in _WAITING)
_FINANCE = holds_role(["finance_officer"])
_OFFICER = holds_role(["programme_officer"])
# What is delegated waits for the delegate where, and only where, they could act now: on the day, up to the
# sum, in a payment in which neither of the two has a hand yet.
_FOR_ANOTHER = f"""SELECT 'payment', y.id, y.project_id, {_DUE.format("y.id")}, n.name
    FROM delegation v JOIN person n ON n.id = v.delegator_id AND n.active
    JOIN role_grant h ON h.person_id = v.delegator_id AND h.role = v.role AND h.revoked_at IS NULL
    JOIN programme_version w ON w.chain_id = v.chain_id
    JOIN project p ON p.programme_id = w.id AND starts_with(p.office_path, v.within)
      AND (h.project_id = p.id OR starts_with(p.office_path, h.office_path))
    JOIN payment y ON y.project_id = p.id
    JOIN unnest(%(given_in)s::text[], %(given)s::text[]) AS q(state, step)
      ON q.state = y.state AND v.steps ? q.step
   WHERE v.delegate_id = %(actor)s AND v.state = 'accepted' AND %(today)s BETWEEN v.from_on AND v.until_on
     AND (v.limit_minor IS NULL OR (v.currency = y.currency AND y.amount_minor <= v.limit_minor))
     AND (y.state <> 'requested'
       OR EXISTS (SELECT 1 FROM approvals_missing(y.id) m WHERE m.wanted = v.role))
     AND NOT EXISTS (SELECT 1 FROM duty u WHERE u.payment_id = y.id
       AND u.person_id IN (v.delegate_id, v.delegator_id))
     AND NOT EXISTS (SELECT 1 FROM payee e WHERE e.id = p.payee_id
       AND e.entered_by IN (v.delegate_id, v.delegator_id))"""
# What somebody proposed at a receivable, for another to decide.
_ASKED = """SELECT id, established_by FROM receivable WHERE state = 'proposed'
    UNION ALL SELECT id, ending_by FROM receivable WHERE state IN ('owed', 'instalments')
    UNION ALL SELECT receivable_id, proposed_by FROM set_off WHERE status = 'proposed'
    UNION ALL SELECT receivable_id, proposed_by FROM correction WHERE status = 'proposed'"""
_SQL = f"""WITH {OWN}, item AS (
  SELECT d.noun, d.subject_id, d.chain_id AS project_id, d.due_on, NULL AS behalf
    FROM deadline d JOIN project p ON p.id = d.chain_id
   WHERE d.closed_seq IS NULL AND d.name <> ALL(%(by_itself)s) AND d.noun NOT IN ('payment', 'payee')
     AND ({_WHO})
  UNION ALL
  SELECT 'task', t.id, t.project_id, {_DUE.format("t.id")}, NULL FROM task t
   WHERE t.expert_id = %(actor)s AND t.state IN ('invited', 'accepted', 'late')
     AND EXISTS (SELECT 1 FROM mine g WHERE g.role = 'expert')
  UNION ALL
  SELECT 'milestone', m.id, m.project_id, {_DUE.format("m.id")}, NULL FROM milestone m
   WHERE m.evaluator_id = %(actor)s AND m.state = 'reported'
     AND EXISTS (SELECT 1 FROM mine g WHERE g.role IN ('evaluator', 'programme_officer'))
  UNION ALL
  SELECT 'payment', y.id, y.project_id, {_DUE.format("y.id")}, NULL
    FROM payment y JOIN project p ON p.id = y.project_id
   WHERE y.state = ANY(%(paying)s) AND {_FINANCE}
     AND NOT EXISTS (SELECT 1 FROM duty u WHERE u.payment_id = y.id AND u.person_id = %(actor)s)
     AND NOT EXISTS (SELECT 1 FROM payee e WHERE e.id = p.payee_id AND e.entered_by = %(actor)s)
  UNION ALL
  SELECT 'payment', y.id, y.project_id, {_DUE.format("y.id")}, NULL
    FROM payment y JOIN project p ON p.id = y.project_id
   WHERE y.state = 'requested' AND {_OFFICER}
     AND EXISTS (SELECT 1 FROM approvals_missing(y.id) m WHERE m.wanted = 'programme_officer')
     AND NOT EXISTS (SELECT 1 FROM duty u WHERE u.payment_id = y.id AND u.person_id = %(actor)s)
  UNION ALL
  SELECT 'payee', e.id, e.project_id, {_DUE.format("e.id")}, NULL
    FROM payee e JOIN project p ON p.id = e.project_id
   WHERE e.state = 'entered' AND e.entered_by <> %(actor)s AND {_FINANCE}
  UNION ALL
  SELECT 'draw', w.id, NULL, w.source_on, NULL FROM draw w
   WHERE w.state = 'announced' AND EXISTS (
     SELECT 1 FROM mine g WHERE starts_with(w.office_path, g.office_path)
     AND (g.role = 'programme_officer' OR (g.role = 'supervisor' AND w.witness_id IS NULL
       AND convert_from(w.committed, 'UTF8')::jsonb->>'supervision' = 'present')))
  UNION ALL
  SELECT 'bank_exception', x.id, x.project_id, (x.raised_at AT TIME ZONE 'Asia/Shanghai')::date, NULL
    FROM bank_exception x
   WHERE x.state = 'open' AND EXISTS (SELECT 1 FROM mine g WHERE g.role = 'finance_officer'
     AND (g.project_id = x.project_id OR starts_with(x.office_path, g.office_path)))
  UNION ALL
  SELECT 'budget_change', b.id, NULL, NULL, NULL FROM budget_change b
   WHERE b.state = 'proposed' AND b.proposed_by <> %(actor)s
     AND EXISTS (SELECT 1 FROM mine g WHERE g.role = 'finance_officer'
       AND starts_with(b.office_path, g.office_path))
  UNION ALL
  SELECT 'appropriation', a.id, NULL, NULL, NULL FROM appropriation a
   WHERE (a.state = 'proposed' OR (a.state = 'voted' AND a.closing_by IS NOT NULL))
     AND coalesce(a.closing_by, a.proposed_by) <> %(actor)s
     AND EXISTS (SELECT 1 FROM mine g WHERE g.role = 'finance_officer'
       AND starts_with(a.office_path, g.office_path))
  UNION ALL
  SELECT 'claim', c.id, c.project_id, NULL, NULL FROM claim c JOIN project p ON p.id = c.project_id
   WHERE c.state = 'accepted' AND c.reopening_by <> %(actor)s AND c.reopened_by IS NULL
     AND ({_FINANCE} OR {_OFFICER})
  UNION ALL
  SELECT 'receivable', z.id, z.project_id, NULL, NULL FROM receivable z JOIN project p ON p.id = z.project_id
    JOIN ({_ASKED}) k(id, by) ON k.id = z.id
   WHERE k.by <> %(actor)s AND {_FINANCE}
  UNION ALL
  SELECT 'delegation', v.id, NULL, v.from_on, NULL FROM delegation v
   WHERE v.state = 'granted' AND v.delegate_id = %(actor)s AND v.until_on >= %(today)s
  UNION ALL
  {_FOR_ANOTHER}
), closed AS MATERIALIZED (
  {conflicts_among("SELECT DISTINCT i.project_id FROM item i WHERE i.noun = ANY(%(review)s)")}
), one AS (
  SELECT noun, subject_id, project_id, min(due_on) AS due_on,
    CASE WHEN count(*) > count(behalf) THEN '{{}}' ELSE array_agg(DISTINCT behalf ORDER BY behalf) END
      AS behalf FROM item
   WHERE noun <> ALL(%(review)s) OR project_id NOT IN (SELECT project_id FROM closed) GROUP BY 1, 2, 3
)
SELECT i.noun, i.subject_id, i.project_id, i.due_on, i.behalf,
  coalesce(p.code, left(i.subject_id::text, 8)) AS code,
  coalesce(p.title, w.title, b.reason, v.reason, a.closing_reason, '') AS title, p.unit_name,
  coalesce(p.programme_id, w.programme_id, x.programme_id, b.programme_id, v.programme_id, a.programme_id)
    AS programme_id,
  x.kind, x.params,
  coalesce(p.currency, b.currency, a.currency) AS currency, z.reference,
  a.programme_code, a.fiscal_year, a.source,
  CASE i.noun WHEN 'project' THEN p.state
    ELSE coalesce(m.state, y.state, e.state, t.state, r.state, o.state, n.state, q.state, f.state, w.state,
      x.state, b.state, v.state, a.state, z.state)
  END AS state,
  coalesce(m.number, k.number, r.number, f.number) AS number, m.title AS part_title,
  coalesce(y.amount_minor, b.amount_minor, a.amount_minor, z.amount_minor) AS amount_minor, r.stage,
  i.noun = 'task' AND t.expert_id = %(actor)s AS own_task
FROM one i LEFT JOIN project p ON p.id = i.project_id
LEFT JOIN draw w ON i.noun = 'draw' AND w.id = i.subject_id
LEFT JOIN appropriation a ON i.noun = 'appropriation' AND a.id = i.subject_id
LEFT JOIN budget_change b ON i.noun = 'budget_change' AND b.id = i.subject_id
LEFT JOIN delegation v ON i.noun = 'delegation' AND v.id = i.subject_id
LEFT JOIN bank_exception x ON i.noun = 'bank_exception' AND x.id = i.subject_id
LEFT JOIN milestone m ON i.noun = 'milestone' AND m.id = i.subject_id
LEFT JOIN payment y ON i.noun = 'payment' AND y.id = i.subject_id
LEFT JOIN tranche k ON k.id = y.tranche_id
LEFT JOIN payee e ON i.noun = 'payee' AND e.id = i.subject_id
LEFT JOIN task t ON i.noun = 'task' AND t.id = i.subject_id
LEFT JOIN round r ON (i.noun = 'round' AND r.id = i.subject_id) OR r.id = t.round_id
LEFT JOIN objection o ON i.noun = 'objection' AND o.id = i.subject_id
LEFT JOIN notice n ON i.noun = 'notice' AND n.id = i.subject_id
LEFT JOIN review_request q ON i.noun = 'review_request' AND q.id = i.subject_id
LEFT JOIN claim f ON i.noun = 'claim' AND f.id = i.subject_id
LEFT JOIN receivable z ON i.noun = 'receivable' AND z.id = i.subject_id
WHERE %(after_day)s::date IS NULL
  OR (coalesce(i.due_on, 'infinity'), i.subject_id) > (%(after_day)s, %(after_id)s)
ORDER BY coalesce(i.due_on, 'infinity'), i.subject_id LIMIT %(limit)s"""


def _paying_states() -> list[str]:
    steps = static_machines()["payment"].steps.values()
    return sorted({state for step in steps if step.duty for state in step.source})


def _given() -> tuple[list[str], list[str]]:
    """The states in which something that can be delegated waits, each with the step."""
    steps = static_machines()["payment"].steps
    pairs = sorted((state, name) for name in DELEGABLE for state in steps[name].source)
    return [state for state, _ in pairs], [name for _, name in pairs]


def work(session: Session, actor_id: UUID, *, after: str = "", limit: int = PAGE) -> Page:
    """What waits for the actor, by day; ``after`` is the key a page before this one ended with.

    ``behalf`` of an item names those for whom the actor would do it by delegation; empty: it is their own.
    """
    given_in, given = _given()
    day, _, last = after.partition("~")
    params: dict[str, Any] = {
        "actor": actor_id,
        "by_itself": _BY_ITSELF,
        "paying": _paying_states(),
        "given_in": given_in,
        "given": given,
        "review": sorted(REVIEW),
        "today": session.clock.today(),
        "after_day": day or None,
        "after_id": UUID(last) if after else None,
        "limit": limit + 1,
    }
    found = rows(session, _SQL, params)
    hide_applicants(session, found)
    more = len(found) > limit
    return Page(found[:limit], _key(found[limit - 1]) if more else None)


def _key(row: Row) -> str:
    due: date | None = row["due_on"]
    return f"{due.isoformat() if due else 'infinity'}~{row['subject_id']}"

"""Loads what guards need: one query for the rows of a subject, and one sub-select a fact that was asked for.

Read under the lock of the chain (``milepost.actions``), so that nothing here can change before the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg

from milepost.calendar import add_working_days
from milepost.clock import Clock
from milepost.facts import DRAW_CONFLICT, FACTS, LIST, PURSE, TASK_CONFLICTS, TOOK_PART
from milepost.programmes import load_published
from milepost.writes import execute, packed
from schema.nouns import NOUNS, REVIEW
from schema.tables import metadata
from states.case import SYSTEM_ID, Case
from states.gates import shut_gates
from states.guards import GUARDS
from states.machines import Compiled
from states.step import Step

# A round's tasks, whether the subject is the round or one of its tasks.
_ROUND_OF = {"round": "s.id", "task": "s.round_id"}
# The appropriation that a change is made to, whether that is the subject or stands in it.
_PURSE_OF = {"appropriation": "s.id", "budget_change": "s.appropriation_id"}
# Rows that stand beside the subject, read by primary key; gates and postings use them. Of the year's
# appropriations that reach the project, the one to draw on: enough left in it, the oldest money first, then
# the programme's order of sources. Where none has enough, the one with most. What a programme has is asked
# once for all its payments, so that a million of them cost as many looks into an array.
PAYMENT_JOINS = """
  JOIN tranche t ON t.id = s.tranche_id
  LEFT JOIN milestone m ON m.id = s.milestone_id
  LEFT JOIN payee y ON y.id = p.payee_id
  LEFT JOIN tranche b ON b.id = t.previous_id
  LEFT JOIN LATERAL (
    SELECT array_agg(b.id ORDER BY b.origin_year, b.source_rank, b.id) AS ids,
        array_agg(c.credits_posted - c.debits_posted - c.debits_pending
                  ORDER BY b.origin_year, b.source_rank, b.id) AS lefts
      FROM appropriation b JOIN account c ON c.kind = 'appropriation' AND c.owner_id = b.id
     WHERE b.programme_code = p.programme_code AND b.fiscal_year = %(year)s
       AND b.currency = s.currency AND b.state = 'voted' AND starts_with(p.office_path, b.office_path)
       AND b.for_interest = (t.basis = 'interest')
  ) a ON true
  LEFT JOIN LATERAL (
    SELECT CASE WHEN a.lefts[1] >= s.amount_minor OR cardinality(a.ids) = 1 THEN 1 ELSE (
      SELECT x.place::int FROM unnest(a.lefts) WITH ORDINALITY x(left_minor, place)
       ORDER BY x.left_minor >= s.amount_minor DESC,
         CASE WHEN x.left_minor >= s.amount_minor THEN x.place END, x.left_minor DESC, x.place LIMIT 1
    ) END AS first
  ) ak ON true"""
# What a computed sum rests on; nothing is looked up for a tranche whose sum is fixed.
_TAKEN = """CASE WHEN t.basis = 'verified' THEN (
    SELECT coalesce(sum(w.amount_minor + coalesce(x.held_minor, x.retained_minor)), 0)::bigint
      FROM payment w JOIN tranche x ON x.id = w.tranche_id
     WHERE w.project_id = s.project_id AND w.tranche_id <> s.tranche_id
       AND w.state NOT IN ('planned', 'returned', 'void') AND x.basis NOT IN ('retained', 'interest')) END"""
_CEILING = """CASE WHEN t.basis = 'verified' THEN (
    SELECT sum(x.amount_minor + x.retained_minor)::bigint FROM tranche x
     WHERE x.project_id = s.project_id AND x.number <= t.number
       AND x.basis NOT IN ('retained', 'interest')) END"""
_HELD = """CASE WHEN t.basis = 'retained' THEN (
    SELECT coalesce(sum(coalesce(x.held_minor, x.retained_minor)), 0)::bigint FROM tranche x
     WHERE x.project_id = s.project_id AND x.id <> t.id AND x.paid_minor > 0) END"""
_OPEN = """CASE WHEN t.basis = 'retained' THEN (
    SELECT count(*) FROM payment w JOIN tranche x ON x.id = w.tranche_id AND x.basis <> 'interest'
     WHERE w.project_id = s.project_id AND w.tranche_id <> s.tranche_id
       AND w.state NOT IN ('settled', 'returned', 'void')) END"""
PAYMENT_COLUMNS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "tranche",
        (
            ("t.id", "id"),
            ("t.code", "code"),
            ("t.number", "number"),
            ("t.paid_minor", "paid_minor"),
            ("t.due_on", "due_on"),
        ),
    ),
    (
        "milestone",
        (
            ("m.id", "id"),
            ("m.state", "state"),
            ("m.deliverables", "deliverables"),
            ("m.deliverables_accepted", "deliverables_accepted"),
        ),
    ),
    ("payee", (("y.id", "id"), ("y.entered_by", "entered_by"), ("y.rests_until", "rests_until"))),
    (
        "previous",
        (
            ("coalesce(b.payable_minor, b.amount_minor)", "amount_minor"),
            ("b.paid_minor", "paid_minor"),
            ("b.spent_minor", "spent_minor"),
            ("b.due_on", "due_on"),
        ),
    ),
    ("plan", ((_TAKEN, "taken_minor"), (_CEILING, "ceiling_minor"), (_HELD, "held_minor"), (_OPEN, "open"))),
    (
        "owed",
        (
            (
                "(SELECT coalesce(sum(r.amount_minor - r.received_minor - r.offset_minor - r.reserved_minor "
                "- r.written_off_minor), 0)::bigint FROM receivable r "
                "WHERE r.project_id = p.id AND r.state = 'owed')",
                "left_minor",
            ),
        ),
    ),
    (
        "funds",
        (
            ("a.ids[ak.first]", "id"),
            ("a.lefts[ak.first]", "left_minor"),
        ),
    ),
)
_PROJECT_SKIP = frozenset({"plan", "budget", "title", "unit_name", "leader_name", "checklist"})
_GRANTS = """ARRAY(SELECT g.role FROM role_grant g JOIN person n ON n.id = g.person_id AND n.active
  WHERE g.person_id = %(actor)s AND g.revoked_at IS NULL AND """
# Many units apply through one office. Its grantees' roles reach the projects that they took part in, not
# those of the next unit; a leader's seat that nobody took is open until the application is handed in.
_OF_UNIT = (
    f"({TOOK_PART} OR g.role = 'principal_investigator' AND p.state = 'application' AND NOT EXISTS ("
    "SELECT 1 FROM event e WHERE e.chain_id = p.id AND e.role = 'principal_investigator'))"
)
_ROLES = f"{_GRANTS}(g.project_id = p.id OR starts_with(p.office_path, g.office_path) AND {_OF_UNIT}))"
_ANY_ROLES = _GRANTS + "g.office_path IS NOT NULL)"
_PLACE_ROLES = _GRANTS + "(g.project_id = s.project_id OR starts_with(s.office_path, g.office_path)))"
_OFFICE_ROLES = _GRANTS + "starts_with(s.office_path, g.office_path))"


def told_by(step: Step) -> tuple[str, ...]:
    """The roles that a step tells."""
    return tuple(sorted({role for notify in step.notify for role in notify.to}))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to read cases of a noun: the SQL and where each part of the row lies."""

    sql: str
    parts: tuple[tuple[str, tuple[str, ...], int], ...]
    facts: tuple[str, ...]


def needs_of(steps: Iterable[Step]) -> frozenset[str]:
    """The facts that some steps read, through their guards, effects and messages."""
    needs = set[str]()
    for step in steps:
        needs.update(step.needs)
        for guard in step.guards:
            needs.update(GUARDS[guard].needs)
        if step.notify:
            needs.add("audience")
            if step.noun in REVIEW:
                needs.add("closed_to")
        if step.duty:
            needs.add("duties")
    return frozenset(needs)


def _columns(table: str, skip: frozenset[str] = frozenset()) -> tuple[str, ...]:
    return tuple(c.name for c in metadata.tables[table].columns if c.name not in skip)


@lru_cache(maxsize=512)
def plan_for(noun: str, facts: frozenset[str], where: str) -> Plan:
    """The query for a noun's cases with some facts; ``where`` selects rows of ``s``."""
    select: list[str] = []
    parts: list[tuple[str, tuple[str, ...], int]] = []

    def take(name: str, columns: Sequence[tuple[str, str]]) -> None:
        parts.append((name, tuple(alias for _, alias in columns), len(select)))
        select.extend(expression for expression, _ in columns)

    take("subject", [(f's."{c}"', c) for c in _columns(noun)])
    of_project = NOUNS[noun].of_project
    if of_project and noun != "project":
        take("project", [(f'p."{c}"', c) for c in _columns("project", _PROJECT_SKIP)])
    if noun == "payment":
        for name, columns in PAYMENT_COLUMNS:
            take(name, columns)
    # What is an office's own is for that office's people, and for those above it.
    there = metadata.tables[noun].columns
    of_office = _PLACE_ROLES if "project_id" in there else _OFFICE_ROLES
    select.append(_ROLES if of_project else of_office if "office_path" in there else _ANY_ROLES)
    for fact in sorted(facts):
        if fact == "own_conflict" and noun == "draw":
            select.append(DRAW_CONFLICT)
        elif fact in FACTS:
            select.append(FACTS[fact])
        elif fact == "round_tasks":
            of = _ROUND_OF.get(noun, "NULL")
            select.append(
                LIST.format(
                    f"SELECT id, expert_id, state, scores, score_milli FROM task WHERE round_id = {of}"
                )
            )
        elif fact == "purse":
            select.append(PURSE.format(_PURSE_OF.get(noun, "NULL")))
        elif fact == "task_conflicts" and noun == "task":
            select.append(TASK_CONFLICTS)
        elif fact == "round_state":
            select.append(f"(SELECT state FROM round WHERE id = {_ROUND_OF.get(noun, 'NULL')})")
        else:
            select.append("NULL")
    joins = {
        "project": "JOIN project p ON p.id = s.id",
        "payment": f"JOIN project p ON p.id = s.project_id{PAYMENT_JOINS}",
    }
    join = joins.get(noun, "JOIN project p ON p.id = s.project_id") if of_project else ""
    sql = f'SELECT {", ".join(select)} FROM "{noun}" s {join} WHERE {where}'
    return Plan(sql, tuple(parts), tuple(sorted(facts)))


def programme_of(conn: psycopg.Connection[Any], cache: dict[UUID, Compiled], id: UUID) -> Compiled:
    """The compiled programme of a version; every subject's programme is published."""
    if id not in cache:
        compiled = load_published(conn, id)
        assert compiled is not None, f"programme version {id} is not published"
        cache[id] = compiled
    return cache[id]


def build_case(
    row: Sequence[Any],
    plan: Plan,
    noun: str,
    compiled: Compiled,
    actor_id: UUID,
    now: datetime,
    today: date,
) -> Case:
    """Cut a row of the plan's query into the parts of a case."""
    cut: dict[str, dict[str, Any]] = {
        name: dict(zip(names, row[start : start + len(names)], strict=True))
        for name, names, start in plan.parts
    }
    subject = cut.pop("subject")
    project = subject if noun == "project" else cut.pop("project", None)
    at = plan.parts[-1][2] + len(plan.parts[-1][1])
    roles = frozenset(row[at])
    facts: dict[str, Any] = {**cut, **dict(zip(plan.facts, row[at + 1 :], strict=True))}
    facts["chain_id"] = subject[NOUNS[noun].chain]
    return Case(
        noun=noun,
        subject_id=subject["id"],
        subject=subject,
        project=project,
        programme=compiled.programme,
        actor_id=actor_id,
        roles=roles | {"system"} if actor_id == SYSTEM_ID else roles,
        now=now,
        today=today,
        facts=facts,
    )


def load_cases(
    conn: psycopg.Connection[Any],
    clock: Clock,
    noun: str,
    ids: Sequence[UUID],
    actor_id: UUID,
    facts: frozenset[str],
    cache: dict[UUID, Compiled],
    told: Sequence[str] | None = None,
) -> dict[UUID, Case]:
    """The cases of some subjects of one noun, by id; ids that do not exist are left out.

    ``told`` narrows the audience to the roles that a step tells; None is everybody.
    """
    return ask_cases(conn, clock, noun, ids, actor_id, facts, cache, told)()


def ask_cases(
    conn: psycopg.Connection[Any],
    clock: Clock,
    noun: str,
    ids: Sequence[UUID],
    actor_id: UUID,
    facts: frozenset[str],
    cache: dict[UUID, Compiled],
    told: Sequence[str] | None = None,
) -> Callable[[], dict[UUID, Case]]:
    """Ask for cases; what comes back reads them. In a pipeline the database looks them up in between."""
    many = len(ids) > 1
    plan = plan_for(noun, facts, "s.id = ANY(%(id)s::uuid[])" if many else "s.id = %(id)s")
    today = clock.today()
    params: dict[str, Any] = {
        "id": packed("uuid", ids) if many else ids[0],
        "actor": actor_id,
        "year": today.year,
        "today": today,
    }
    params["told"] = None if told is None else list(told)
    cursor = execute(conn, plan.sql, params) if many else conn.execute(plan.sql, params)

    def read() -> dict[UUID, Case]:
        cases: dict[UUID, Case] = {}
        programme_column = _programme_position(plan)
        now = clock.now()
        for row in cursor.fetchall():
            compiled = programme_of(conn, cache, row[programme_column])
            case = build_case(row, plan, noun, compiled, actor_id, now, today)
            cases[case.subject_id] = case
        return cases

    return read


@lru_cache(maxsize=512)
def _programme_position(plan: Plan) -> int:
    for _, names, start in plan.parts:
        if "programme_id" in names:
            return start + names.index("programme_id")
    raise AssertionError("a case belongs to a programme version")


def notice_window(case: Case) -> dict[str, date]:
    """The window of a notice: from its first day, whole working days that include it (公示期)."""
    given = getattr(case.input, "opens_on", None)
    opens = given or add_working_days(case.today, 1, source=case.programme.calendar).due
    last = add_working_days(
        opens - timedelta(days=1), case.programme.notice_working_days, source=case.programme.calendar
    )
    return {"opens_on": opens, "closes_on": last.due}


def person_roles(
    conn: psycopg.Connection[Any], person_id: UUID, project_id: UUID | None, office_path: str
) -> list[str]:
    """The roles a person has for a project, or for an office where there is no project yet."""
    rows = conn.execute(
        "SELECT DISTINCT g.role FROM role_grant g JOIN person n ON n.id = g.person_id AND n.active "
        "WHERE g.person_id = %s AND g.revoked_at IS NULL "
        "AND (g.project_id = %s OR starts_with(%s, g.office_path))",
        (person_id, project_id, office_path),
    ).fetchall()
    return [row[0] for row in rows]


def roles_anywhere_of(conn: psycopg.Connection[Any], person_id: UUID) -> list[str]:
    """The roles an active person holds for any office."""
    rows = conn.execute(
        "SELECT DISTINCT g.role FROM role_grant g JOIN person n ON n.id = g.person_id AND n.active "
        "WHERE g.person_id = %s AND g.revoked_at IS NULL AND g.office_path IS NOT NULL",
        (person_id,),
    ).fetchall()
    return [row[0] for row in rows]


def blocked_by(case: Case) -> list[str]:
    """The codes of the gates that are shut for a payment."""
    return [refusal.code for refusal in shut_gates(case)]


__all__ = [
    "ask_cases",
    "blocked_by",
    "load_cases",
    "needs_of",
    "notice_window",
    "person_roles",
    "plan_for",
    "roles_anywhere_of",
    "told_by",
]

"""Projects: the list, and one project with everything the reader may see of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from milepost.cases import load_cases
from milepost.db import Session
from milepost.facts import FACTS
from milepost.programmes import load_published
from milepost.queries import receivables
from milepost.queries.claims import Figures, figures, proofs_of
from milepost.queries.sight import (
    GRANTEES,
    MINE,
    OBJECTORS,
    ROLES_OF_P,
    VISIBLE,
    Row,
    Sight,
    review_open,
    rows,
)
from states.approvals import progress
from states.claim_guards import categories
from states.gates import shut_gates
from states.machines import Compiled
from states.plans import LateInterest, interest_owed
from states.refusals import Refusal

PAGE = 50
GATED = ("planned", "due", "requested", "approved", "released")
APPROVING = ("due", "requested", "approved")


@dataclass(frozen=True, slots=True)
class Page:
    """One page by key; ``next`` is where the following one begins, None at the end."""

    rows: list[Row]
    next: str | None


def project_list(
    session: Session,
    actor_id: UUID,
    *,
    search: str = "",
    state: str = "",
    after: str = "",
    limit: int = PAGE,
) -> Page:
    """The projects the actor may see, by code: those whose code, title or unit holds the search."""
    pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    found = rows(
        session,
        f"""WITH {MINE} SELECT p.id, p.code, p.title, p.unit_name, p.state, p.programme_code, p.currency,
          coalesce(p.award_minor, p.requested_minor) AS amount_minor, p.award_minor IS NOT NULL AS awarded,
          (SELECT min(d.due_on) FROM deadline d WHERE d.subject_id = p.id AND d.closed_seq IS NULL) AS due_on
        FROM project p
        WHERE {VISIBLE} AND (%(state)s = '' OR p.state = %(state)s) AND p.code > %(after)s
          AND (%(search)s = '' OR p.code ILIKE %(pattern)s OR p.title ILIKE %(pattern)s
               OR p.unit_name ILIKE %(pattern)s)
        ORDER BY p.code LIMIT %(limit)s""",
        {
            "actor": actor_id,
            "state": state,
            "after": after,
            "search": search,
            "pattern": pattern,
            "limit": limit + 1,
        },
    )
    more = len(found) > limit
    return Page(found[:limit], found[limit - 1]["code"] if more else None)


@dataclass(slots=True)
class ProjectView:
    """One project as one person may see it. Empty lists also where the reader's roles show nothing."""

    row: Row
    compiled: Compiled
    sight: Sight
    office: Row | None
    milestones: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    blocked: dict[UUID, list[Refusal]] = field(default_factory=dict)
    payees: list[Row] = field(default_factory=list)
    receivables: list[Row] = field(default_factory=list)
    receivable_sums: Row | None = None
    rounds: list[Row] = field(default_factory=list)
    tasks: list[Row] = field(default_factory=list)
    notices: list[Row] = field(default_factory=list)
    objections: list[Row] = field(default_factory=list)
    review_requests: list[Row] = field(default_factory=list)
    claims: list[Row] = field(default_factory=list)
    figures: list[Figures] = field(default_factory=list)
    proofs: list[Row] = field(default_factory=list)
    holds: list[Row] = field(default_factory=list)
    deadlines: list[Row] = field(default_factory=list)
    votes: list[Row] = field(default_factory=list)
    draws: list[Row] = field(default_factory=list)
    dossier: Row | None = None
    request_until: date | None = None
    """The last day on which a decision not to fund can be asked to be reviewed; None where there is none."""

    def parts(self) -> dict[str, list[Row]]:
        """The parts that have states of their own, by noun."""
        return {
            "milestone": self.milestones,
            "payment": self.payments,
            "payee": self.payees,
            "receivable": self.receivables,
            "round": self.rounds,
            "task": self.tasks,
            "notice": self.notices,
            "objection": self.objections,
            "review_request": self.review_requests,
            "claim": self.claims,
        }


_OPEN = review_open("%(id)s")
_READS: dict[str, str] = {
    "milestone": """SELECT s.*, n.name AS evaluator FROM milestone s
      LEFT JOIN person n ON n.id = s.evaluator_id WHERE s.project_id = %(id)s ORDER BY s.number""",
    "payment": """SELECT s.*, t.number, t.code, t.waits_for, t.basis, t.due_on, t.retained_minor,
      t.held_minor, t.paid_minor, t.spent_minor, t.late_days, lt.number AS late_number,
      ii.late_days AS own_late_days, ii.amount_minor AS interest_minor,
      (SELECT w.id FROM payment w WHERE w.tranche_id = ii.id ORDER BY w.attempt DESC LIMIT 1) AS interest_id,
      (SELECT r.reference FROM set_off o JOIN receivable r ON r.id = o.receivable_id
        WHERE o.payment_id = s.id AND o.status IN ('agreed', 'applied')) AS set_off_reference,
      (SELECT (e.at AT TIME ZONE 'Asia/Shanghai')::date FROM event e WHERE e.subject_id = s.id
        AND e.step = 'payment.fall_due' ORDER BY e.seq DESC LIMIT 1) AS fell_due_on,
      m.number AS milestone_number,
      c.checked_at, c.blocked AS blocked_codes,
      coalesce((SELECT jsonb_agg(jsonb_build_object('duty', d.duty, 'name', n.name, 'person_id', n.id,
        'role', d.role,
        'for_name', (SELECT f.name FROM person f WHERE f.id = d.for_id)) ORDER BY d.duty, d.place)
        FROM duty d JOIN person n ON n.id = d.person_id WHERE d.payment_id = s.id), '[]') AS duties
      FROM payment s JOIN tranche t ON t.id = s.tranche_id LEFT JOIN milestone m ON m.id = s.milestone_id
      LEFT JOIN payment_check c ON c.payment_id = s.id LEFT JOIN tranche ii ON ii.interest_of_id = s.id
      LEFT JOIN payment ly ON ly.id = t.interest_of_id LEFT JOIN tranche lt ON lt.id = ly.tranche_id
      WHERE s.project_id = %(id)s ORDER BY t.number, s.attempt""",
    "payee": """SELECT s.*, a.name AS entered_name, b.name AS verified_name FROM payee s
      JOIN person a ON a.id = s.entered_by LEFT JOIN person b ON b.id = s.verified_by
      WHERE s.project_id = %(id)s ORDER BY s.version, s.id""",
    "round": f"SELECT s.* FROM round s WHERE s.project_id = %(id)s AND {_OPEN} ORDER BY s.number",
    "task": f"""SELECT s.*, n.name AS expert FROM task s JOIN person n ON n.id = s.expert_id
      WHERE s.project_id = %(id)s AND {_OPEN} ORDER BY n.name, s.id""",
    "notice": "SELECT s.* FROM notice s WHERE s.project_id = %(id)s ORDER BY s.issued_on, s.id",
    "objection": f"SELECT s.* FROM objection s WHERE s.project_id = %(id)s AND {_OPEN} ORDER BY s.id",
    "review_request": f"""SELECT s.* FROM review_request s WHERE s.project_id = %(id)s
      AND (%(grantee)s OR {_OPEN}) ORDER BY s.id""",
    "claim": "SELECT s.* FROM claim s WHERE s.project_id = %(id)s ORDER BY s.number",
}
_VOTES = f"""SELECT v.round_id, v.present, v.in_favour, v.against, v.abstained, v.minutes, v.recorded_at,
  n.name AS recorded_by FROM vote v JOIN person n ON n.id = v.recorded_by
  WHERE v.project_id = %(id)s AND {_OPEN} ORDER BY v.recorded_at, v.id"""
_DRAWS = f"""SELECT r.round_id, r.voided_at, d.id, d.title, d.state FROM draw_round r
  JOIN draw d ON d.id = r.draw_id WHERE r.project_id = %(id)s AND {_OPEN} ORDER BY d.announced_at, d.id"""
# Whom the applicant asks to keep away is theirs, and the review's.
_DOSSIER = f"""SELECT o.summary, o.fields, o.team,
  CASE WHEN %(grantee)s OR {_OPEN} THEN o.unsuitable ELSE '[]' END AS unsuitable
  FROM dossier o WHERE o.project_id = %(id)s"""
_MEMBER = ("name", "unit", "part")


def project_view(session: Session, actor_id: UUID, id: UUID) -> ProjectView | None:
    """A project with its parts, or None where there is none or it is not for this person to see."""
    found = rows(
        session,
        f"""WITH {MINE} SELECT p.*, {ROLES_OF_P} AS my_roles, NOT {_OPEN} AS my_conflict
        FROM project p WHERE p.id = %(id)s""",
        {"actor": actor_id, "id": id, "today": session.clock.today()},
    )
    if not found:
        return None
    row = found[0]
    sight = Sight(actor_id, frozenset(row.pop("my_roles")), row.pop("my_conflict"))
    compiled = load_published(session.conn, row["programme_id"])
    if "project" not in sight.nouns or compiled is None:
        return None
    offices = rows(session, "SELECT * FROM office WHERE path = %(path)s", {"path": row["office_path"]})
    view = ProjectView(sight.strip(row), compiled, sight, offices[0] if offices else None)
    _read_parts(session, view)
    view.holds = _holds(session, view)
    view.deadlines = _deadlines(session, view)
    if view.payments:
        ids = [payment["id"] for payment in view.payments if payment["state"] in GATED]
        view.blocked = blocked(session, actor_id, ids)
    return view


def _read_parts(session: Session, view: ProjectView) -> None:
    sight, parts = view.sight, view.parts()
    asked = {
        "id": view.row["id"],
        "actor": sight.actor_id,
        "today": session.clock.today(),
        "grantee": bool(sight.roles & GRANTEES),
    }
    for noun, sql in _READS.items():
        if noun in sight.nouns or noun == "milestone":
            parts[noun].extend(r for r in rows(session, sql, asked) if sight.sees(noun, r))
    if "round" in sight.nouns:
        view.votes, view.draws = rows(session, _VOTES, asked), rows(session, _DRAWS, asked)
    if sight.roles & (GRANTEES | OBJECTORS):
        view.dossier = _dossier(session, asked)
    if "review_request" in sight.nouns:
        view.request_until = _request_until(session, view)
    for payment in view.payments:
        shown = payment["state"] in APPROVING and sight.names
        told = (view.compiled.programme, payment["amount_minor"], payment["duties"])
        payment["approvals"] = progress(*told) if shown else None
        payment["interest"] = _interest(session, view, payment)
    if "claim" in sight.nouns:
        view.proofs = proofs_of(session, view.row["id"])
    if "claim" in sight.nouns and view.compiled.programme.claims is not None:
        codes = list(categories(view.compiled.programme))
        view.figures = figures(session, view.row["id"], view.row["budget"], codes)
    if "receivable" in sight.nouns:
        view.receivables.extend(receivables.of_project(session, view.row["id"], names=sight.names))
        view.receivable_sums = receivables.sums_of_project(session, view.row["id"])
    for payee in view.payees:
        sight.strip(payee, "payee")
    for claim in view.claims:
        sight.strip(claim, "claim")
    if not sight.objectors:
        view.objections.clear()
    if not sight.names:
        for row in (*view.milestones, *view.payees):
            for column in ("evaluator", "entered_name", "verified_name"):
                row.pop(column, None)
        for payment in view.payments:
            payment["duties"] = []


def _interest(session: Session, view: ProjectView, payment: Row) -> LateInterest | None:
    """What is owed for paying late: until it was settled, or until today while it is still on its way."""
    if payment["state"] in ("planned", "void", "returned") or payment["basis"] == "interest":
        return None
    programme = view.compiled.programme
    if payment["state"] == "settled" and programme.late_interest and programme.late_interest.paid_from:
        # What its settlement found, on the day that the bank paid, is what is paid.
        found = payment["interest_minor"]
        return LateInterest(payment["own_late_days"], found) if found is not None else None
    until = payment["settled_on"] or session.clock.today()
    sum_ = payment["amount_minor"] - payment["offset_minor"]
    owed = interest_owed(programme, sum_, payment["fell_due_on"], until)
    return owed if owed.days else None


def _dossier(session: Session, asked: Row) -> Row | None:
    """What the application says of its subject and people; identity numbers' hashes are nobody's to read."""
    found = rows(session, _DOSSIER, asked)
    if not found:
        return None
    dossier = found[0]
    for part in ("team", "unsuitable"):
        dossier[part] = [{key: person.get(key, "") for key in _MEMBER} for person in dossier[part]]
    return dossier


def _request_until(session: Session, view: ProjectView) -> date | None:
    """By the same fact that the step's guard goes by."""
    if view.row["state"] != "declined":
        return None
    sql = f"SELECT {FACTS['declined_on']}::date AS day FROM project p WHERE p.id = %(id)s"
    day = rows(session, sql, {"id": view.row["id"]})[0]["day"]
    return day + timedelta(days=view.compiled.programme.review_request_days) if day else None


def _holds(session: Session, view: ProjectView) -> list[Row]:
    kinds = ["hold", "payment"] if not view.sight.names else ["hold", "payment", "integrity"]
    if not view.sight.nouns & {"payment"}:
        return []
    return rows(
        session,
        "SELECT h.id, h.kind, h.payment_id, h.reason, h.placed_at, n.name AS placed_by FROM hold h "
        "JOIN person n ON n.id = h.placed_by "
        "WHERE h.project_id = %(id)s AND h.kind = ANY(%(kinds)s) AND h.lifted_at IS NULL "
        "ORDER BY h.placed_at",
        {"id": view.row["id"], "kinds": kinds},
    )


def _deadlines(session: Session, view: ProjectView) -> list[Row]:
    known = {row["id"] for part in view.parts().values() for row in part} | {view.row["id"]}
    found = rows(
        session,
        "SELECT noun, subject_id, name, due_on, provisional, who, act FROM deadline "
        "WHERE chain_id = %(id)s AND closed_seq IS NULL ORDER BY due_on, name",
        {"id": view.row["id"]},
    )
    return [row for row in found if row["subject_id"] in known]


def blocked(session: Session, actor_id: UUID, payment_ids: list[UUID]) -> dict[UUID, list[Refusal]]:
    """What keeps each payment from being paid now, by the gates themselves; nothing: it may go on."""
    if not payment_ids:
        return {}
    cache: dict[UUID, Compiled] = {}
    cases = load_cases(session.conn, session.clock, "payment", payment_ids, actor_id, frozenset(), cache)
    return {id: shut_gates(case) for id, case in cases.items()}


def own_task(session: Session, actor_id: UUID, project_id: UUID) -> UUID | None:
    """An expert's own task for a project, the one that still waits first."""
    found = rows(
        session,
        "SELECT id FROM task WHERE project_id = %(id)s AND expert_id = %(actor)s "
        "ORDER BY state NOT IN ('invited', 'accepted', 'late'), id LIMIT 1",
        {"id": project_id, "actor": actor_id},
    )
    return found[0]["id"] if found else None


def states_in_use(session: Session) -> list[str]:
    """The states that some project stands in; the same for everybody, so that a filter tells nothing."""
    return [row["state"] for row in rows(session, "SELECT DISTINCT state FROM project ORDER BY 1", {})]


def overdue(due_on: date | None, today: date) -> bool:
    """Whether a day has passed: a deadline lasts to the end of its day."""
    return due_on is not None and due_on < today


def stage_left(session: Session, project_id: UUID, stages: Sequence[str]) -> str | None:
    """The stage in which a project was last, of those of its programme; None if it never was in one."""
    found = session.conn.execute(
        "SELECT from_state FROM event WHERE subject_id = %s AND from_state = ANY(%s) "
        "ORDER BY subject_seq DESC LIMIT 1",
        (project_id, list(stages)),
    ).fetchone()
    return str(found[0]) if found else None

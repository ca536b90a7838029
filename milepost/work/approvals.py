"""How far a payment's approvals are: by which tier, who gave one, who still may, until when, what undid some.

For those who are told who of the office acts. Who may is asked of grants, delegations and duties as the
guards ask them: whoever had a hand in the payment, or entered the account it goes to, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from config.programmes import Programme
from milepost.db import Session
from milepost.queries.sight import Row, rows
from states.approvals import Progress, approvals_needed, progress

# The holders of a role here who have no part in the payment yet, and those who act for one of them today.
_MAY = """WITH apart AS (
  SELECT person_id FROM duty WHERE payment_id = %(payment)s
  UNION SELECT e.entered_by FROM project p JOIN payee e ON e.id = p.payee_id WHERE p.id = %(project)s
), own AS (
  SELECT DISTINCT g.role, n.id, n.name FROM role_grant g JOIN person n ON n.id = g.person_id AND n.active
    JOIN project p ON p.id = %(project)s
   WHERE g.revoked_at IS NULL AND g.role = ANY(%(roles)s)
     AND (g.project_id = p.id OR starts_with(p.office_path, g.office_path))
     AND n.id NOT IN (SELECT person_id FROM apart WHERE person_id IS NOT NULL)
)
SELECT role, name, '' AS behalf FROM own
UNION ALL
SELECT DISTINCT o.role, n.name, o.name FROM delegation v
  JOIN own o ON o.id = v.delegator_id AND o.role = v.role
  JOIN person n ON n.id = v.delegate_id AND n.active
  JOIN project p ON p.id = %(project)s JOIN programme_version w ON w.id = p.programme_id
  JOIN payment y ON y.id = %(payment)s
 WHERE v.state = 'accepted' AND %(today)s BETWEEN v.from_on AND v.until_on AND v.steps ? 'payment.approve'
   AND v.chain_id = w.chain_id AND starts_with(p.office_path, v.within)
   AND (v.limit_minor IS NULL OR (v.currency = y.currency AND y.amount_minor <= v.limit_minor))
   AND n.id NOT IN (SELECT person_id FROM apart WHERE person_id IS NOT NULL)
 ORDER BY behalf, name"""
_GIVEN = """SELECT n.name, n.login, coalesce(d.role, 'finance_officer') AS role,
    coalesce(f.name, '') AS behalf,
    (SELECT max(e.at) FROM event e WHERE e.subject_id = d.payment_id AND e.step = 'payment.approve'
      AND e.actor_id = d.person_id) AS at
  FROM duty d JOIN person n ON n.id = d.person_id LEFT JOIN person f ON f.id = d.for_id
 WHERE d.payment_id = %(payment)s AND d.duty = 'approver' ORDER BY at, n.name"""
# An approval ends with its attempt: what ended that attempt undid the approval.
_UNDONE = """SELECT a.id, a.attempt, coalesce(a.bank_reason, '') AS why, e.at, e.step, e.role,
    CASE WHEN e.role <> 'system' THEN n.name ELSE '' END AS by,
    array_agg(m.name ORDER BY m.name) AS approvers
  FROM payment a JOIN duty d ON d.payment_id = a.id AND d.duty = 'approver'
  JOIN person m ON m.id = d.person_id
  JOIN event e ON e.subject_id = a.id AND e.to_state = 'void' AND e.from_state <> 'void'
  JOIN person n ON n.id = e.actor_id
 WHERE a.tranche_id = %(tranche)s AND a.state = 'void' GROUP BY a.id, e.at, e.step, e.role, n.name
 ORDER BY a.attempt DESC"""


@dataclass(frozen=True, slots=True)
class Given:
    """One approval: who, as what, for whom if by delegation, and when."""

    name: str
    login: str
    role: str
    behalf: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many approvals of a role are missing; ``may`` could give one, each with whom they act for."""

    role: str
    number: int
    may: tuple[tuple[str, str], ...]

    @property
    def enough(self) -> bool:
        """Whether there are as many people as approvals; of a person and their delegate one counts."""
        return len({behalf or name for name, behalf in self.may}) >= self.number


@dataclass(frozen=True, slots=True)
class Undone:
    """Approvals of an attempt that ended: by which step, whose, when and why."""

    payment_id: UUID
    attempt: int
    step: str
    role: str
    by: str
    at: datetime
    why: str
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approvals:
    """The approvals of a payment; ``above_minor`` of the tier that counts is None without tiers."""

    progress: Progress
    needed: Mapping[str, int]
    above_minor: int | None
    given: tuple[Given, ...]
    wanted: tuple[Wanted, ...]
    undone: tuple[Undone, ...]
    until: date | None

    def as_json(self) -> dict[str, Any]:
        """For programs; the shape is stable."""
        return {
            "given": self.progress.given,
            "needed": self.progress.needed,
            "tier_above_minor": self.above_minor,
            "approvers": dict(self.needed),
            "by": [
                {"name": g.name, "login": g.login, "role": g.role, "for": g.behalf, "at": _iso(g.at)}
                for g in self.given
            ],
            "missing": [
                {"role": w.role, "number": w.number, "may": [{"name": n, "for": b} for n, b in w.may]}
                for w in self.wanted
            ],
            "until": self.until.isoformat() if self.until else None,
            "undone": [
                {
                    "attempt": u.attempt,
                    "payment_id": str(u.payment_id),
                    "step": u.step,
                    "by": u.by,
                    "at": _iso(u.at),
                    "why": u.why,
                    "approvers": list(u.approvers),
                }
                for u in self.undone
            ],
        }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def approvals_of(
    session: Session, programme: Programme, row: Row, duties: Sequence[Mapping[str, Any]], until: date | None
) -> Approvals:
    """The approvals of a payment's row as ``milepost.queries.payments`` reads it, with its duties."""
    amount = row["amount_minor"]
    needed = approvals_needed(programme, amount)
    far = progress(programme, amount, duties)
    ended = row["state"] in ("void", "returned", "settled")
    asked = {
        "payment": row["id"],
        "project": row["project_id"],
        "tranche": row["tranche_id"],
        "roles": sorted(far.missing),
        "today": session.clock.today(),
    }
    may = rows(session, _MAY, asked) if far.missing and not ended else []
    wanted = [
        Wanted(role, number, tuple((m["name"], m["behalf"]) for m in may if m["role"] == role))
        for role, number in far.missing.items()
    ]
    below = [tier.above_minor for tier in programme.approvals if tier.above_minor < amount]
    return Approvals(
        far,
        needed,
        max(below) if below else None,
        tuple(Given(**found) for found in rows(session, _GIVEN, asked)),
        () if ended else tuple(wanted),
        tuple(_undone(found) for found in rows(session, _UNDONE, asked)),
        until,
    )


def _undone(found: Row) -> Undone:
    return Undone(
        found["id"],
        found["attempt"],
        found["step"],
        found["role"],
        found["by"],
        found["at"],
        found["why"],
        tuple(found["approvers"]),
    )


__all__ = ["Approvals", "Given", "Undone", "Wanted", "approvals_of"]

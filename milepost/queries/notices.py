"""Public notices (公示): what everybody may read, and the office's own list.

What is published are the columns of a notice and nothing else: no reviewer, no score, no count of either. A
notice that was withdrawn, or whose project is out, keeps its place with no more than the project's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from config.programmes import Text
from milepost.db import Session
from milepost.programmes import load_published
from milepost.queries.sight import MINE, OBJECTORS, Row, holds_role, review_open, rows
from schema.money import Money
from states.machines import Compiled
from states.tranches import planned_milestones, planned_tranches

SHOWN_DAYS = 30
"""For so many days after its window a notice can still be read; the page says until when."""
OUT = ("declined", "withdrawn", "lapsed", "terminated", "revoked")


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as everybody reads it; of a withdrawn one sums and people are None or empty.

    ``state`` is coming, open, over or withdrawn by the day, whatever the flow has got to.
    """

    id: UUID
    state: str
    title: str
    department: Text | None
    unit: str
    leader: str
    proposed_minor: int | None
    first_minor: int | None
    currency: str
    issued_on: date
    opens_on: date
    closes_on: date
    programme_id: UUID
    compiled: Compiled

    @property
    def shown_until(self) -> date:
        """The last day on which the page can be read."""
        return self.closes_on + timedelta(days=SHOWN_DAYS)

    @property
    def answer_days(self) -> int | None:
        """Within how many days an objection is answered, by the programme; None where it names no days."""
        found = [d for d in self.compiled.deadlines.get("objection.filed", ()) if d.unit == "calendar_days"]
        return min((d.length for d in found), default=None)


_PUBLIC = """SELECT n.id, n.state, n.issued_on, n.opens_on, n.closes_on, n.proposed_minor, p.title,
  p.unit_name, p.leader_name, p.requested_minor, p.currency, p.plan, p.programme_id, p.state AS project_state,
  o.name_zh, o.name_en
FROM notice n JOIN project p ON p.id = n.project_id
LEFT JOIN LATERAL (SELECT name_zh, name_en FROM office o WHERE starts_with(p.office_path, o.path)
  ORDER BY length(o.path) DESC LIMIT 1) o ON true
WHERE n.issued_on <= %(today)s AND n.closes_on >= %(today)s - %(days)s::int"""


def _read(session: Session, more: str, given: dict[str, Any]) -> list[Notice]:
    today = session.clock.today()
    found = rows(session, f"{_PUBLIC} {more}", {**given, "today": today, "days": SHOWN_DAYS})
    programmes: dict[UUID, Compiled | None] = {}
    made = []
    for row in found:
        id = row["programme_id"]
        if id not in programmes:
            programmes[id] = load_published(session.conn, id)
        compiled = programmes[id]
        if compiled is not None:
            made.append(_notice(row, compiled, today))
    return made


def _notice(row: Row, compiled: Compiled, today: date) -> Notice:
    withdrawn = row["state"] == "withdrawn" or row["project_state"] in OUT
    by_day = "coming" if today < row["opens_on"] else "open" if today <= row["closes_on"] else "over"
    proposed = row["proposed_minor"] or row["requested_minor"]
    return Notice(
        id=row["id"],
        state="withdrawn" if withdrawn else by_day,
        title=row["title"],
        department=Text(zh=row["name_zh"], en=row["name_en"]) if row["name_zh"] else None,
        unit="" if withdrawn else row["unit_name"],
        leader="" if withdrawn else row["leader_name"],
        proposed_minor=None if withdrawn else proposed,
        first_minor=None if withdrawn else first_payment(compiled, row, proposed, today),
        currency=row["currency"],
        issued_on=row["issued_on"],
        opens_on=row["opens_on"],
        closes_on=row["closes_on"],
        programme_id=row["programme_id"],
        compiled=compiled,
    )


def first_payment(compiled: Compiled, row: Row, award_minor: int, today: date) -> int | None:
    """The first tranche of an award, as it would be planned; None where it cannot be told yet."""
    programme = compiled.programme
    milestones = planned_milestones(programme, row["plan"], today)
    if not milestones and any(tranche.per_milestone for tranche in programme.tranches):
        return None
    tranches = planned_tranches(programme, Money(award_minor, row["currency"]), milestones)
    return tranches[0].amount_minor if tranches else None


def public_lists(session: Session) -> list[Row]:
    """The notices that can be read, by programme version and first day, the latest first."""
    return rows(
        session,
        """SELECT p.programme_id, v.title, n.opens_on, max(n.closes_on) AS closes_on, count(*) AS projects
        FROM notice n JOIN project p ON p.id = n.project_id JOIN programme_version v ON v.id = p.programme_id
        WHERE n.issued_on <= %(today)s AND n.closes_on >= %(today)s - %(days)s::int
        GROUP BY 1, 2, 3 ORDER BY n.opens_on DESC, p.programme_id LIMIT 500""",
        {"today": session.clock.today(), "days": SHOWN_DAYS},
    )


def public_list(session: Session, programme_id: UUID, opens_on: date) -> list[Notice]:
    """All projects of a programme version whose notice opens on one day, by title."""
    return _read(
        session,
        "AND p.programme_id = %(programme)s AND n.opens_on = %(opens_on)s "
        "ORDER BY n.state = 'withdrawn', p.title, n.id",
        {"programme": programme_id, "opens_on": opens_on},
    )


def public_notice(session: Session, id: UUID) -> Notice | None:
    """One notice, or None where there is none to be read (any more)."""
    found = _read(session, "AND n.id = %(id)s", {"id": id})
    return found[0] if found else None


_SEEN = holds_role(OBJECTORS)


def office_notices(session: Session, actor_id: UUID, *, everything: bool = False) -> list[Row]:
    """The notices of the actor's offices, those that run first; ``everything``: those long over as well.

    How many objections wait is told to officers and supervisors without a conflict; otherwise it is None.
    """
    return rows(
        session,
        f"""WITH {MINE} SELECT n.id, n.state, n.issued_on, n.opens_on, n.closes_on, n.proposed_minor,
          p.id AS project_id, p.code, p.title, p.unit_name, p.currency, p.programme_code,
          CASE WHEN {review_open()} THEN (SELECT count(*) FROM objection o
            WHERE o.notice_id = n.id AND o.state = 'filed') END AS objections_open
        FROM notice n JOIN project p ON p.id = n.project_id
        WHERE {_SEEN} AND (%(everything)s OR n.state = 'open'
          OR n.closes_on >= %(today)s - %(days)s::int)
        ORDER BY n.state <> 'open', n.closes_on, p.code LIMIT 5000""",
        {
            "actor": actor_id,
            "today": session.clock.today(),
            "days": SHOWN_DAYS,
            "everything": everything,
        },
    )


__all__ = [
    "SHOWN_DAYS",
    "Notice",
    "first_payment",
    "office_notices",
    "public_list",
    "public_lists",
    "public_notice",
]

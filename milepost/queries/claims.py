"""Cost claims as their readers see them: lines, findings, doubles, a project's figures by category."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from milepost.db import Session
from milepost.documents import Stored, described
from milepost.queries.sight import GRANTEES, MINE, VISIBLE, Row, Subject, find_subject, rows
from states.claims import EXAMINERS, WRITABLE

# Who is told where else an invoice was handed in: those who examine, and those who supervise them.
POINTED_OUT = frozenset({*EXAMINERS, "supervisor"})

_LINES = """SELECT l.number, l.category, l.spent_on::text, l.payee, l.invoice_no, l.description,
  l.amount_minor, l.evidence, l.allowed_minor, l.reason, n.name AS examiner
FROM claim_line l JOIN claim c ON c.id = l.claim_id AND c.submission = l.submission
LEFT JOIN person n ON n.id = l.examined_by WHERE l.claim_id = %(id)s ORDER BY l.number"""

# Where else the file or the invoice of a line stands; a project that the reader does not see has no code.
_DOUBLES = f"""WITH {MINE} SELECT l.number, o.number AS other, c.number AS claim, c.id = l.claim_id AS own,
  o.evidence = l.evidence IS TRUE AS same_file,
  CASE WHEN {VISIBLE} THEN p.code END AS code, CASE WHEN {VISIBLE} THEN p.id END AS project_id
FROM claim_line l
JOIN claim_line o ON o.live AND o.id <> l.id AND (o.evidence = l.evidence OR o.invoice_key = l.invoice_key)
JOIN claim c ON c.id = o.claim_id JOIN project p ON p.id = o.project_id
WHERE l.claim_id = %(id)s AND l.live ORDER BY l.number, p.code, c.number, o.number"""

_FIGURES = """SELECT l.category, sum(l.amount_minor) AS claimed,
  sum(l.allowed_minor) FILTER (WHERE c.state = 'accepted') AS allowed,
  sum(l.amount_minor - l.allowed_minor) FILTER (WHERE c.state = 'accepted') AS disallowed
FROM claim_line l JOIN claim c ON c.id = l.claim_id WHERE l.project_id = %(id)s AND l.live GROUP BY 1"""


@dataclass(slots=True)
class ClaimView:
    """One claim: of a draft the lines as typed, afterwards those handed in last with what was found."""

    subject: Subject
    lines: list[Row]
    handed_in: bool
    doubles: dict[int, list[Row]] = field(default_factory=dict)
    documents: dict[str, Stored] = field(default_factory=dict)

    @property
    def row(self) -> Row:
        """The claim's own row."""
        return self.subject.row

    def total(self, column: str) -> int:
        """The sum of a column over the lines that say it."""
        return sum(line[column] or 0 for line in self.lines)


def claim_view(session: Session, actor_id: UUID, id: UUID) -> ClaimView | None:
    """A claim with its lines, or None where there is none or it is not for this person to see."""
    subject = find_subject(session, actor_id, "claim", id)
    if subject is None:
        return None
    claim = subject.row
    handed_in = claim["submission"] > 0
    if handed_in:
        lines = rows(session, _LINES, {"id": id})
        if not subject.sight.names:
            for line in lines:
                line.pop("examiner")
    else:
        empty = {"allowed_minor": None, "reason": None}
        lines = [{"number": n, **line, **empty} for n, line in enumerate(claim["lines"], start=1)]
    view = ClaimView(subject, lines, handed_in)
    view.documents = described(session, [line["evidence"] for line in lines if line["evidence"]])
    if subject.sight.roles & POINTED_OUT:
        for row in doubles(session, actor_id, id):
            view.doubles.setdefault(row["number"], []).append(row)
    return view


def doubles(session: Session, actor_id: UUID, id: UUID) -> list[Row]:
    """The other lines with the same file or invoice, of all projects; codes of those the reader sees."""
    return rows(session, _DOUBLES, {"id": id, "actor": actor_id})


def evidence_of(session: Session, actor_id: UUID, id: UUID, digest: str) -> bool:
    """Whether a file is evidence of a claim that the person sees: in its draft, or handed in with it."""
    subject = find_subject(session, actor_id, "claim", id)
    if subject is None:
        return False
    # What the grantee is still writing is theirs; the office reads what was handed in.
    if subject.sight.roles & GRANTEES and digest in {line["evidence"] for line in subject.row["lines"]}:
        return True
    sql = "SELECT 1 AS one FROM claim_line WHERE claim_id = %(id)s AND evidence = %(digest)s LIMIT 1"
    return bool(rows(session, sql, {"id": id, "digest": digest}))


@dataclass(frozen=True, slots=True)
class Figures:
    """One category of a project in minor units; ``left`` may be below zero, None without a budget."""

    code: str
    planned: int | None
    claimed: int
    allowed: int
    disallowed: int

    @property
    def left(self) -> int | None:
        """What of the plan is not used by what was allowed."""
        return None if self.planned is None else self.planned - self.allowed


def figures(session: Session, project_id: UUID, budget: dict[str, int], codes: list[str]) -> list[Figures]:
    """A project's figures by category, in the programme's order; categories without any are left out."""
    found = {row["category"]: row for row in rows(session, _FIGURES, {"id": project_id})}
    made = []
    for code in dict.fromkeys([*codes, *budget, *found]):
        row: dict[str, Any] = found.get(code, {})
        if code in budget or row:
            sums = (int(row.get(name) or 0) for name in ("claimed", "allowed", "disallowed"))
            made.append(Figures(code, budget.get(code), *sums))
    return made


_PROOFS = """SELECT q.id, q.kind, q.documents, q.note, q.handed_at, q.outcome, q.opinion, q.decided_at
FROM proof q WHERE q.project_id = %(id)s ORDER BY q.handed_at, q.id"""


def proofs_of(session: Session, project_id: UUID) -> list[Row]:
    """The papers a project handed in, with what was found of each; for whoever sees the project's claims."""
    return rows(session, _PROOFS, {"id": project_id})


__all__ = ["WRITABLE", "ClaimView", "Figures", "claim_view", "doubles", "evidence_of", "figures", "proofs_of"]

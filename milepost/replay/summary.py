"""What became of the grants, read from the database; from the import only what it refused or noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from milepost.db import Database, Session
from milepost.evidence.verify_database import Progress, verify
from milepost.importing.tables import Finding
from milepost.replay.cursor import REFUSED
from milepost.replay.facts import ASSUMED_MARK

# A milestone's outcome is its state: evaluated and passed, evaluated and returned, handed in and waiting.
OUTCOMES = {"accepted": "accepted", "returned": "in_progress", "reported": "not_evaluated"}


@dataclass(slots=True)
class Assumed:
    """What rests on sums that no file gives: delivered milestones, and what was paid for them."""

    milestones: int = 0
    paid_minor: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Summary:
    """The outcome of a replay; ``as_json`` is its stable shape."""

    grants: int = 0
    milestones: int = 0
    by_outcome: dict[str, int] = field(default_factory=dict)
    milestones_without_delivery: int = 0
    paid_minor: dict[str, int] = field(default_factory=dict)
    assumed: Assumed = field(default_factory=Assumed)
    payments: int = 0
    payments_by_state: dict[str, int] = field(default_factory=dict)
    projects_by_state: dict[str, int] = field(default_factory=dict)
    bank: dict[str, int] = field(default_factory=dict)
    refused_rows: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[dict[str, Any]] = field(default_factory=list)
    reminders_sent: int = 0
    mails_sent: int = 0
    mails_unsent: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    events: int = 0
    seals: int = 0
    first_day: str = ""
    last_day: str = ""
    verified: bool = False
    faults: list[dict[str, Any]] = field(default_factory=list)
    root: str | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The summary for programs."""
        return asdict(self)


def summarise(
    database: Database,
    programme_code: str,
    refused: Sequence[Finding],
    remarks: Sequence[Finding],
    *,
    progress: Progress | None = None,
) -> Summary:
    """Count everything in the database and verify it from the first event to the last seal."""
    summary = Summary(
        refused_rows=[finding.as_json() for finding in refused],
        remarks=[finding.as_json() for finding in remarks],
    )
    with database.session() as session:
        _count_grants(session, programme_code, summary)
        _count_money(session, programme_code, summary)
        _count_mail(session, summary)
    report = verify(database, progress=progress)
    summary.verified, summary.root = report.ok, report.root
    summary.events, summary.seals = report.events, report.seals
    summary.faults = report.as_json()["faults"]
    return summary


def _pairs(session: Session, sql: str, *params: Any) -> dict[str, int]:
    """Two columns as a dictionary, its keys in order."""
    return {str(key): int(count) for key, count in sorted(session.conn.execute(sql, params).fetchall())}


def _one(session: Session, sql: str, *params: Any) -> int:
    row = session.conn.execute(sql, params).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


_MILESTONES = "FROM milestone m JOIN project p ON p.id = m.project_id WHERE p.programme_code = %s"
_PAYMENTS = "FROM payment y JOIN project p ON p.id = y.project_id WHERE p.programme_code = %s"


def _count_grants(session: Session, code: str, summary: Summary) -> None:
    # A grant whose milestones need two currencies is two projects of one unit.
    summary.grants = _one(
        session, "SELECT count(DISTINCT unit_name) FROM project WHERE programme_code = %s", code
    )
    summary.projects_by_state = _pairs(
        session, "SELECT state, count(*) FROM project WHERE programme_code = %s GROUP BY 1", code
    )
    states = _pairs(
        session, f"SELECT m.state, count(*) {_MILESTONES} AND m.reported_on IS NOT NULL GROUP BY 1", code
    )
    summary.milestones = sum(states.values())
    summary.by_outcome = dict.fromkeys(OUTCOMES.values(), 0)
    for state, count in states.items():
        summary.by_outcome[OUTCOMES[state]] += count
    summary.milestones_without_delivery = _one(
        session, f"SELECT count(*) {_MILESTONES} AND m.reported_on IS NULL", code
    )
    summary.refusals = _pairs(
        session,
        "SELECT code, count(*) FROM setting s, jsonb_each(s.value) r, "
        "jsonb_array_elements_text(r.value) code WHERE s.name = %s GROUP BY 1",
        REFUSED,
    )


def _count_money(session: Session, code: str, summary: Summary) -> None:
    summary.paid_minor = _pairs(
        session,
        "SELECT a.currency, sum(a.credits_posted - a.debits_posted) FROM account a "
        "JOIN project p ON p.id = a.owner_id WHERE a.kind = 'paid' AND p.programme_code = %s "
        "GROUP BY 1 HAVING sum(a.credits_posted - a.debits_posted) > 0",
        code,
    )
    assumed = f"{_MILESTONES} AND m.title LIKE %s"
    mark = f"%{ASSUMED_MARK}"
    summary.assumed.milestones = _one(
        session, f"SELECT count(*) {assumed} AND m.reported_on IS NOT NULL", code, mark
    )
    summary.assumed.paid_minor = _pairs(
        session,
        "SELECT y.currency, sum(y.amount_minor) FROM payment y JOIN project p ON p.id = y.project_id "
        "JOIN milestone m ON m.id = y.milestone_id WHERE p.programme_code = %s AND m.title LIKE %s "
        "AND y.state = 'settled' GROUP BY 1",
        code,
        mark,
    )
    summary.payments_by_state = _pairs(session, f"SELECT y.state, count(*) {_PAYMENTS} GROUP BY 1", code)
    summary.payments = summary.payments_by_state.get("settled", 0)
    summary.bank = _pairs(
        session,
        "SELECT step, count(*) FROM event WHERE step IN ('payment.lose', 'payment.bank_return', "
        "'payment.not_received', 'payment.settle') GROUP BY 1",
    )


def _count_mail(session: Session, summary: Summary) -> None:
    summary.mails_sent = _one(session, "SELECT count(*) FROM message WHERE state = 'sent'")
    summary.mails_unsent = _one(session, "SELECT count(*) FROM message WHERE state <> 'sent'")
    summary.reminders_sent = _one(
        session, "SELECT count(*) FROM message WHERE state = 'sent' AND source LIKE 'reminder:%%'"
    )

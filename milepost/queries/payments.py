"""One payment with everything that is on record of it, as far as its reader may see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from milepost.bank.exceptions import said_of
from milepost.db import Session
from milepost.queries.sight import BANK, FUNDS, Row, Sight, find_subject, masked, rows
from milepost.queries.timeline import BEHALF, Happening, happening, told_to_grantees
from states.gate_labels import GATE_STEPS

_PAYMENT = """SELECT s.*, t.number, t.code AS tranche_code, t.waits_for, t.previous_id, t.spent_minor,
    t.due_on AS tranche_due_on,
    m.number AS milestone_number, m.title AS milestone_title, m.state AS milestone_state,
    m.due_on AS milestone_due_on, m.reported_on, m.decided_on, m.documents, ev.name AS evaluator,
    p.code, p.title, p.unit_name, p.leader_name, p.office_path, p.programme_id, p.programme_code,
    p.state AS project_state, p.award_minor, p.payee_id AS current_payee_id,
    o.name_zh AS office_zh, o.name_en AS office_en,
    k.id AS shown_payee_id, k.account_name, k.account_no, k.bank_name, k.state AS payee_state,
    a.fiscal_year, c.checked_at, c.recheck_on,
    t.basis, t.late_days, lt.amount_minor - lt.offset_minor AS late_minor, lt.settled_on AS late_paid_on,
    lt.id AS late_id, lx.number AS late_number, ii.id AS interest_tranche_id, ii.late_days AS own_late_days,
    ii.amount_minor AS interest_minor, ip.id AS interest_id, ip.state AS interest_state,
    (SELECT r.reference FROM set_off o JOIN receivable r ON r.id = o.receivable_id
      WHERE o.payment_id = s.id AND o.status IN ('agreed', 'applied')) AS set_off_reference,
    (SELECT count(*) FROM tranche x WHERE x.project_id = p.id AND x.basis <> 'interest') AS tranches,
    (SELECT sum(x.paid_minor)::bigint FROM tranche x WHERE x.project_id = p.id AND x.basis <> 'interest')
      AS project_paid_minor
  FROM payment s JOIN tranche t ON t.id = s.tranche_id JOIN project p ON p.id = s.project_id
  LEFT JOIN milestone m ON m.id = s.milestone_id LEFT JOIN person ev ON ev.id = m.evaluator_id
  LEFT JOIN office o ON o.path = p.office_path LEFT JOIN payee k ON k.id = coalesce(s.payee_id, p.payee_id)
  LEFT JOIN payment lt ON lt.id = t.interest_of_id LEFT JOIN tranche lx ON lx.id = lt.tranche_id
  LEFT JOIN tranche ii ON ii.interest_of_id = s.id
  LEFT JOIN LATERAL (SELECT w.id, w.state FROM payment w WHERE w.tranche_id = ii.id
    ORDER BY w.attempt DESC LIMIT 1) ip ON true
  LEFT JOIN appropriation a ON a.id = s.appropriation_id LEFT JOIN payment_check c ON c.payment_id = s.id
 WHERE s.id = %(id)s"""
_AFTER = """SELECT x.number, x.amount_minor, x.currency, x.waits_for, m.number AS milestone FROM tranche x
  LEFT JOIN milestone m ON m.id = x.milestone_id
 WHERE x.project_id = %(project)s AND x.number > %(number)s AND x.paid_minor = 0
   AND x.basis <> 'interest' ORDER BY x.number LIMIT 1"""
_EVENT = f"""SELECT e.seq, e.at, e.noun, e.subject_id, e.step, e.from_state, e.to_state, e.role, e.actor_id,
    e.body, n.name, e.hash, {BEHALF} FROM event e JOIN person n ON n.id = e.actor_id"""
_ATTEMPTS = """SELECT s.id, s.attempt, s.state, s.amount_minor, s.currency, s.bank_reason, s.settled_on,
    (SELECT max(e.at) FROM event e WHERE e.subject_id = s.id) AS at
  FROM payment s WHERE s.tranche_id = %(tranche)s AND s.id <> %(id)s ORDER BY s.attempt"""
# Whole rows: a duty that came from another person says so in columns of its own.
_DUTIES = """SELECT to_jsonb(d) AS duty, n.name, n.login FROM duty d JOIN person n ON n.id = d.person_id
 WHERE d.payment_id = %(id)s"""
_BATCHES = """SELECT b.id, b.state, b.execution_on, b.number, b.total_minor, b.currency, b.file_name,
    b.sha256, b.handed_at, w.name AS made_by, h.name AS handed_by, p.position, p.live, p.left_out
  FROM batch_payment p JOIN batch b ON b.id = p.batch_id JOIN person w ON w.id = b.made_by
  LEFT JOIN person h ON h.id = b.handed_by WHERE p.payment_id = %(id)s ORDER BY b.cut_off, b.id"""
_ENTRIES = """SELECT e.source, e.said, e.booked_on, e.amount_minor, e.currency, e.reference, e.reason,
    e.outcome, f.name AS file, f.sha256, f.at FROM bank_entry e JOIN bank_file f ON f.id = e.file_id
 WHERE e.payment_id = %(id)s ORDER BY e.booked_on, e.source, e.key, e.part"""
_EXCEPTIONS = """SELECT x.id, x.kind, x.state, x.params, x.raised_at, x.resolved_at, x.note, x.payment_id,
    n.name AS by FROM bank_exception x LEFT JOIN person n ON n.id = x.resolved_by
 WHERE x.payment_id = %(id)s OR x.likely_id = %(id)s OR (x.tranche_id = %(tranche)s AND x.state = 'open')
 ORDER BY x.raised_at, x.id"""
_LEGS = """SELECT r.id, r.event_seq, r.kind, r.amount_minor, r.currency, r.pending_id, r.reverses_id,
    d.kind AS debit, c.kind AS credit, e.at, e.step, e.hash FROM transfer r
  JOIN account d ON d.id = r.debit_id JOIN account c ON c.id = r.credit_id
  JOIN event e ON e.chain_id = r.chain_id AND e.seq = r.event_seq
  LEFT JOIN transfer o ON o.id = r.reverses_id
 WHERE r.payment_id = %(id)s ORDER BY r.event_seq, o.event_seq DESC NULLS FIRST, r.id"""
_DEADLINES = """SELECT d.noun, d.subject_id, d.name, d.due_on, d.provisional, d.who, d.act FROM deadline d
 WHERE d.chain_id = %(project)s AND d.closed_seq IS NULL
   AND (d.noun IN ('project', 'payee', 'notice') OR d.subject_id IN (%(id)s, %(milestone)s))
 ORDER BY d.due_on, d.name"""
# The first seal that covers what last happened to the payment.
_SEAL = """SELECT l.sealed_on, s.root, l.seq FROM seal_leaf l JOIN seal s ON s.sealed_on = l.sealed_on
 WHERE l.chain_id = %(project)s AND l.seq >= %(seq)s ORDER BY l.sealed_on LIMIT 1"""


@dataclass(slots=True)
class PaymentRead:
    """A payment's rows. What the reader may not see is empty, or was never read."""

    row: Row
    sight: Sight
    events: list[Happening] = field(default_factory=list)
    duties: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    batches: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    exceptions: list[dict[str, Any]] = field(default_factory=list)
    legs: list[Row] = field(default_factory=list)
    deadlines: list[Row] = field(default_factory=list)
    last_seq: int = 0
    """The place of the payment's last event in its chain, for reading on; not for every reader's eyes."""
    handed_seq: int | None = None
    handed_at: datetime | None = None
    """Its last hand-over to the bank, or its release where the bank was quicker; None if it had neither."""
    actors: dict[str, UUID] = field(default_factory=dict)
    """Who took each of its steps, by the event's hash; empty where names are not told."""
    seal: Row | None = None
    after: Row | None = None
    """The next tranche of the project that is not paid."""

    @property
    def last_event(self) -> Happening | None:
        """What last happened to the payment, as far as it is told."""
        return self.events[-1] if self.events else None


def payment_sight(session: Session, actor_id: UUID, id: UUID) -> Sight | None:
    """What somebody may see of a payment's project, or None where the payment is not for them to see."""
    subject = find_subject(session, actor_id, "payment", id)
    if subject is None or subject.project_id is None:
        return None
    project = find_subject(session, actor_id, "project", subject.project_id)
    return project.sight if project is not None else None


def payment_read(session: Session, sight: Sight, id: UUID) -> PaymentRead | None:
    """A payment as somebody with this sight may see it."""
    found = rows(session, _PAYMENT, {"id": id})
    if not found:
        return None
    row = found[0]
    if row["account_no"] is not None and not sight.account_numbers:
        row["account_no"] = masked(row["account_no"])
    if not sight.names:
        row["evaluator"] = None
    read = PaymentRead(row, sight)
    asked = {
        "id": id,
        "project": row["project_id"],
        "tranche": row["tranche_id"],
        "milestone": row["milestone_id"],
    }
    own = rows(
        session, f"{_EVENT} WHERE e.chain_id = %(project)s AND e.subject_id = %(id)s ORDER BY e.seq", asked
    )
    read.last_seq = own[-1]["seq"] if own else 0
    for step in ("payment.release", "payment.instruct"):
        for event in own:
            if event["step"] == step:
                read.handed_seq, read.handed_at = event["seq"], event["at"]
    read.events = [happening(event, sight) for event in own if _told(event, sight)]
    read.attempts = rows(session, _ATTEMPTS, asked)
    read.deadlines = rows(session, _DEADLINES, asked)
    if sight.names:
        read.duties = _duties(session, asked)
        read.actors = {bytes(event["hash"]).hex(): event["actor_id"] for event in own}
    if sight.roles & BANK:
        read.batches, read.entries = rows(session, _BATCHES, asked), rows(session, _ENTRIES, asked)
        read.exceptions = [
            {**x, "said": said_of(x["kind"], x["params"])} for x in rows(session, _EXCEPTIONS, asked)
        ]
    if sight.roles & FUNDS:
        read.legs = rows(session, _LEGS, asked)
    after = rows(session, _AFTER, {**asked, "number": row["number"]})
    read.after = after[0] if after else None
    seals = rows(session, _SEAL, {**asked, "seq": read.last_seq})
    read.seal = seals[0] if seals else None
    return read


def _told(event: Row, sight: Sight) -> bool:
    """As in the timeline: grantees hear of what moved something, and of what they were sent word of."""
    return sight.names or event["step"] in told_to_grantees() or event["from_state"] != event["to_state"]


# What is told of a duty anyhow, or only counts.
_PLAIN = frozenset({"payment_id", "person_id", "duty", "role", "place"})


def _duties(session: Session, asked: Row) -> list[Row]:
    """Each duty with its person; other people whom its row names stand beside, by column."""
    found = []
    for row in rows(session, _DUTIES, asked):
        whole = row["duty"]
        others = {
            column.removesuffix("_id"): value
            for column, value in whole.items()
            if column not in _PLAIN and value is not None
        }
        found.append(
            {
                "duty": whole["duty"],
                "name": row["name"],
                "login": row["login"],
                "role": whole.get("role"),
                "person_id": UUID(whole["person_id"]),
                "others": _named(session, others),
            }
        )
    return found


def _named(session: Session, given: Row) -> Row:
    """The same, with people by name where a value is somebody's id."""
    named = {}
    for column, value in given.items():
        try:
            id = UUID(str(value))
        except ValueError:
            named[column] = str(value)
            continue
        people = rows(session, "SELECT name FROM person WHERE id = %(id)s", {"id": id})
        if people:
            named[column] = people[0]["name"]
    return named


def gate_events(
    session: Session, read: PaymentRead, funds_id: UUID | None, until_seq: int | None
) -> dict[str, Happening]:
    """By gate the last event that spoke to it, at most up to a place in the project's chain."""
    row = read.row
    steps = sorted({step for steps in GATE_STEPS.values() for step in steps})
    found = rows(
        session,
        f"""{_EVENT} WHERE e.chain_id = %(project)s AND (%(until)s::bigint IS NULL OR e.seq <= %(until)s)
          AND ((e.noun = 'project' AND e.from_state <> e.to_state) OR (e.step = ANY(%(steps)s)
            AND (e.noun <> 'milestone' OR e.subject_id = %(milestone)s))) ORDER BY e.seq""",
        {
            "project": row["project_id"],
            "milestone": row["milestone_id"],
            "steps": steps,
            "until": until_seq,
        },
    )
    if funds_id is not None:
        found += rows(session, f"{_EVENT} WHERE e.subject_id = %(id)s ORDER BY e.seq", {"id": funds_id})
    gates: dict[str, Happening] = {}
    for event in found:
        if not _told(event, read.sight):
            continue
        told = happening(event, read.sight)
        for gate, names in GATE_STEPS.items():
            if event["step"] in names:
                gates[gate] = told
        if event["noun"] == "project" and event["from_state"] != event["to_state"]:
            gates["project_paying"] = told
    return gates


def subject_event(session: Session, sight: Sight, subject_id: UUID, step: str) -> Happening | None:
    """The last time a step was taken on a subject."""
    found = rows(
        session,
        f"{_EVENT} WHERE e.subject_id = %(id)s AND e.step = %(step)s ORDER BY e.subject_seq DESC LIMIT 1",
        {"id": subject_id, "step": step},
    )
    return happening(found[0], sight) if found else None


__all__ = ["PaymentRead", "gate_events", "payment_read", "payment_sight", "subject_event"]

"""The payment-stage check: every waiting payment falls due, falls back, or says what blocks it.

``full`` asks about every payment that waits; otherwise only where something happened: on the project's
chain, in the year's appropriation, or because a day came. Run twice, late or by two processes at once, each
fact has one effect: a step is taken under a request id made of the payment and its version, a finding is
written only over the one that was read, and people are told once for each finding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

from config.programmes import Programme
from milepost.actions import SYSTEM, Order, Progress, perform_many
from milepost.cases import programme_of
from milepost.db import Session
from milepost.mail.outbox import Mailing, queue_many
from milepost.work.people import People, chosen, named_people, people_of_projects
from milepost.work.verdicts import Bench, Unread, Verdict, learn
from milepost.work.waiting import EVERY, Marks, Recorded, Span, batches, count_waiting
from states.plans import tranche_of

TEMPLATE = "payment_blocked"
SLICE = 5_000

# While the work itself is under way there is nothing to tell: its own deadline reminds.
AWAITED = {"milestone": "milestone_not_accepted", "acceptance": "acceptance_not_passed"}


@dataclass(slots=True)
class CheckReport:
    """How many payments were examined, and what became of them.

    ``blocked`` wait with something shut; of ``changed`` the recorded reasons are new; ``told`` is mails.
    """

    examined: int = 0
    fell_due: int = 0
    fell_back: int = 0
    blocked: int = 0
    changed: int = 0
    told: int = 0


@dataclass(slots=True)
class Finding:
    """A waiting payment, the verdict on it, and what will be recorded."""

    before: Recorded
    state: str
    verdict: Verdict
    seq: int
    mark: int
    awaited: str | None
    fell_back: bool = False

    @property
    def new(self) -> bool:
        """Whether it says something that is not on record."""
        was = self.before
        return (was.seq, was.recheck_on, was.mark, was.blocked) != (
            self.seq,
            self.verdict.recheck_on,
            self.mark,
            self.verdict.blocked,
        )

    @property
    def source(self) -> str:
        """What the mail is about: these reasons at this point of the chain."""
        digest = sha256(",".join(sorted(self.verdict.codes)).encode()).hexdigest()[:12]
        return f"blocked:{self.before.id}:{self.seq}:{digest}"


def check_payments(
    session: Session,
    *,
    full: bool = False,
    slice_size: int = SLICE,
    span: Span | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Check the payments of a range of ids, all by default, ``slice_size`` at a time.

    ``progress`` is told how many of how many are done, counting what waits once at the beginning.
    """
    chosen_span = span or EVERY
    total = count_waiting(session.conn, chosen_span) if progress is not None else 0
    report = CheckReport()
    while True:
        try:
            return _Check(session, report, total, progress).run(full, chosen_span, slice_size)
        except Unread as unread:
            # A gate that is new here; what was checked so far is on record and says so.
            learn(unread.column)
            report.examined = report.blocked = 0


@dataclass(slots=True)
class _Check:
    session: Session
    report: CheckReport
    total: int
    progress: Progress | None
    marks: Marks = field(init=False)
    bench: Bench = field(init=False)
    _width: int = field(init=False)
    _funds: int = field(init=False)

    def __post_init__(self) -> None:
        clock = self.session.clock
        self.marks = Marks.read(self.session)
        self.bench = Bench(clock.now(), clock.today(), self._programme)
        layout = self.bench.layout
        self._width = len(layout.shared) + len(layout.own)
        self._funds = layout.shared.index(("funds", "id"))

    def _programme(self, id: UUID) -> Programme:
        return programme_of(self.session.conn, self.session.programmes, id).programme

    def run(self, full: bool, span: Span, size: int) -> CheckReport:
        found = batches(self.session, self.bench.layout, self.marks, full=full, span=span, size=size)
        try:
            for rows in found:
                self._batch(rows)
                if self.progress is not None:
                    self.progress(self.report.examined, max(self.total, self.report.examined))
        finally:
            found.close()  # type: ignore[attr-defined]
        return self.report

    def _batch(self, rows: Sequence[Sequence[Any]]) -> None:
        """Judge a batch; take the steps that follow; record what is new, and tell it."""
        report, judge, width = self.report, self.bench.judge, self._width
        findings: list[Finding] = []
        for row in rows:
            verdict = judge(row)
            if verdict.refusals:
                report.blocked += 1
                quiet = row[2] == "planned"
            else:
                quiet = row[2] == "due"
            mark = self._mark(row) if verdict.by_funds else 0
            tail = row[width:]
            if quiet and (tail[2], verdict.recheck_on, mark, verdict.blocked) == tail[3:7]:
                continue
            findings.append(self._finding(row, verdict, tail, mark))
        report.examined += len(rows)
        if findings:
            self._step(findings)
            self._record([finding for finding in findings if finding.new])

    def _mark(self, row: Sequence[Any]) -> int:
        id = row[self._funds]
        return self.marks.mark(UUID(bytes=id) if id is not None else None)

    def _finding(self, row: Sequence[Any], verdict: Verdict, tail: Sequence[Any], mark: int) -> Finding:
        programme = self._programme(UUID(bytes=row[0]))
        waits_for = tranche_of(programme, row[1]).waits_for
        return Finding(Recorded.of(tail), row[2], verdict, tail[2], mark, AWAITED.get(waits_for))

    # -- steps ---------------------------------------------------------------------------------------------

    def _step(self, findings: list[Finding]) -> None:
        """Planned with all gates open falls due; due with one shut falls back."""
        moving = [f for f in findings if bool(f.verdict.refusals) == (f.state == "due")]
        # The database reads in any order; two payments of one project always take theirs in the same.
        moving.sort(key=lambda finding: finding.before.id)
        orders = []
        for finding in moving:
            step = "payment.fall_back" if finding.state == "due" else "payment.fall_due"
            id, version = finding.before.id, finding.before.version
            orders.append(Order(step, id, {}, f"{step}:{id}:{version}"))
        for finding, outcome in zip(moving, perform_many(self.session, SYSTEM, orders), strict=True):
            receipt = outcome.receipt
            if receipt is None or receipt.repeated:
                continue
            if receipt.seq == finding.seq + 1:
                # Nothing came between the reading and the step: the verdict holds at the step's event.
                finding.seq = receipt.seq
            if finding.state == "due":
                finding.fell_back = True
                self.report.fell_back += 1
            else:
                self.report.fell_due += 1

    # -- findings ------------------------------------------------------------------------------------------

    def _record(self, findings: list[Finding]) -> None:
        """Write what is new over what was read, and tell it, in one transaction."""
        if not findings:
            return
        conn = self.session.conn
        with conn.transaction():
            # One writer at a time: two checks at once would lock the same rows in different orders.
            conn.execute(_LOCK)
            columns = map(list, zip(*(self._row(finding) for finding in findings), strict=True))
            given = [self.session.clock.now(), *columns]
            written = {row[0] for sql in (_UPDATE, _INSERT) for row in conn.execute(sql, given).fetchall()}
            kept = [f for f in findings if f.before.id in written]
            self.report.changed += sum(1 for f in kept if f.before.blocked != f.verdict.blocked)
            self.report.told += self._tell([f for f in kept if self._news(f)])

    @staticmethod
    def _row(finding: Finding) -> tuple[UUID, int, date | None, int, str, int | None]:
        verdict, before = finding.verdict, finding.before
        return before.id, finding.seq, verdict.recheck_on, finding.mark, verdict.blocked, before.seq

    @staticmethod
    def _news(finding: Finding) -> bool:
        """Whether people need to know: other reasons than before, and not only that the work goes on."""
        codes = finding.verdict.codes
        if not codes or codes == _codes_in(finding.before.blocked):
            return False
        return finding.fell_back or finding.awaited not in codes

    def _tell(self, findings: list[Finding]) -> int:
        """One mail to each person who can act on a reason."""
        if not findings:
            return 0
        conn, now = self.session.conn, self.session.clock.now()
        roles = {role for f in findings for refusal in f.verdict.refusals for role in refusal.who}
        of = self._projects(findings)
        people = people_of_projects(conn, set(of.values()), roles)
        named = self._evaluators(findings) if "evaluator" in roles else {}
        mailings = [self._mail(f, of[f.before.id], people, named) for f in findings]
        return queue_many(conn, mailings, now=now)

    def _projects(self, findings: Sequence[Finding]) -> dict[UUID, UUID]:
        rows = self.session.conn.execute(
            "SELECT id, project_id FROM payment WHERE id = ANY(%s)", ([f.before.id for f in findings],)
        )
        return dict(rows.fetchall())

    @staticmethod
    def _mail(
        finding: Finding,
        project_id: UUID,
        people: Mapping[UUID, People],
        named: Mapping[UUID, Mapping[str, UUID]],
    ) -> Mailing:
        before, refusals = finding.before, finding.verdict.refusals
        acting = {role for refusal in refusals for role in refusal.who}
        return Mailing(
            finding.source,
            tuple(chosen(acting, people[project_id], named.get(before.id, {}))),
            TEMPLATE,
            {"payment_id": str(before.id), "codes": [refusal.as_json() for refusal in refusals]},
            project_id,
        )

    def _evaluators(self, findings: list[Finding]) -> dict[UUID, dict[str, UUID]]:
        """Per payment, who evaluates the milestone it waits for."""
        rows = self.session.conn.execute(
            "SELECT id, milestone_id FROM payment WHERE id = ANY(%s) AND milestone_id IS NOT NULL",
            ([f.before.id for f in findings],),
        ).fetchall()
        by_milestone = named_people(self.session.conn, "milestone", [row[1] for row in rows])
        return {payment: by_milestone.get(milestone, {}) for payment, milestone in rows}


# Arrays travel as bytes (%b): written as text, every quotation mark in them would be escaped twice.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('payment_check', 0))"
_COLUMNS = "(payment_id, checked_at, chain_seq, recheck_on, funds_mark, blocked)"
_ROWS = (
    "unnest(%b::uuid[], %b::bigint[], %b::date[], %b::bigint[], %b::text[], %b::bigint[]) "
    "AS u(id, seq, recheck_on, mark, blocked, seen)"
)
_INSERT = f"""
INSERT INTO payment_check {_COLUMNS}
SELECT u.id, %s, u.seq, u.recheck_on, u.mark, u.blocked::jsonb FROM {_ROWS} WHERE u.seen IS NULL
ON CONFLICT DO NOTHING RETURNING payment_id
"""
_UPDATE = f"""
UPDATE payment_check k SET checked_at = %s, chain_seq = u.seq, recheck_on = u.recheck_on,
  funds_mark = u.mark, blocked = u.blocked::jsonb
  FROM {_ROWS} WHERE k.payment_id = u.id AND k.chain_seq = u.seen RETURNING k.payment_id
"""


def _codes_in(blocked: str | None) -> frozenset[str]:
    return frozenset(entry["code"] for entry in json.loads(blocked)) if blocked else frozenset()


__all__ = ["CheckReport", "check_payments"]

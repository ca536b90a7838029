"""What the bank said moves payments, and the statement has the last word.

A booked debit settles its payment and a booked credit brings it back, by the steps there always were, under
request ids that follow from the entry. A status report alone moves nothing: a rejection counts once a
statement has closed that day without the debit. So a bank that executes, loses its answer and rejects
later leaves one payment in the state that its own statement says. What does not fit becomes an exception,
and while that is open nothing more is sent for its tranche (guard ``bank_agrees``).

Of each payment one debit and one credit at the most are applied, whatever order they come in. Every pass may
die anywhere: what it had not marked is taken up again, and a step that was taken answers as it did.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from uuid import UUID

from milepost.actions import SYSTEM, Order, perform_many
from milepost.bank.desk import Desk, account_of
from milepost.bank.files.amounts import amount_text
from milepost.db import Database, Session
from milepost.work.bank_reading import FileReport, raise_exception, read_bank_file
from milepost.work.receipts import receive_credits
from states.case import SYSTEM_ID

SLICE = 1000
NO_WORD_DAYS = 5
"""So many days after the day of execution a payment that no statement has is put in the queue."""

_LOCK = "hashtextextended('milepost:reconciliation', 0)"


@dataclass(slots=True)
class ReconciliationReport:
    """What was read and what came of it: payments by new state, exceptions by kind, batches closed;
    ``received``: refunds by step."""

    files: list[FileReport] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    closed: int = 0
    busy: bool = False


def reconcile_folder(database: Database, desk: Desk, *, by: UUID = SYSTEM_ID) -> ReconciliationReport:
    """Read what lies in the incoming folder, put it away, and let it take effect."""
    waiting = sorted(
        path
        for path in desk.inbox.iterdir()
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith(".part")
    )
    with database.session() as session:
        files = []
        for path in waiting:
            found = read_path(session, desk, path, by)
            files.append(found)
            # Put away under its digest: the same name twice is not the same file.
            os.replace(path, desk.read / f"{found.sha256[:16]}-{path.name}")
        report = reconcile(session)
        report.files = files
        return report


def read_path(session: Session, desk: Desk, path: Path, by: UUID) -> FileReport:
    """Take in one file where it lies."""
    return read_bank_file(session, desk, path.read_bytes(), path.name, by)


def reconcile(session: Session) -> ReconciliationReport:
    """Let everything that was read take effect. One process at a time does it."""
    report = ReconciliationReport()
    conn = session.conn
    got = conn.execute(f"SELECT pg_try_advisory_lock({_LOCK})").fetchone()
    if not (got and got[0]):
        report.busy = True
        return report
    try:
        receive_credits(session, report.received)
        run = _Run(session, report)
        while run.entries():
            pass
        run.reports()
        run.batches()
    finally:
        if not conn.closed and not conn.broken:
            conn.execute(f"SELECT pg_advisory_unlock({_LOCK})")
    return report


_ENTRIES = """SELECT e.id, e.file_id, e.said, e.amount_minor, e.currency, e.end_to_end, e.reference, e.reason,
    e.party_account, e.payment_id, y.state, y.amount_minor, y.currency, k.account_no,
    EXISTS (SELECT 1 FROM bank_exception x WHERE x.entry_id = e.id AND x.how = 'match'),
    EXISTS (SELECT 1 FROM bank_entry d WHERE d.payment_id = y.id AND d.source = 'statement'
      AND d.outcome = 'applied' AND d.amount_minor < 0),
    EXISTS (SELECT 1 FROM bank_entry d WHERE d.payment_id = y.id AND d.source = 'statement'
      AND d.outcome = 'applied' AND d.amount_minor > 0)
  FROM (SELECT * FROM bank_entry WHERE source = 'statement' AND outcome = 'new'
         ORDER BY booked_on, amount_minor > 0, id LIMIT %s) e
  LEFT JOIN payment y ON y.id = e.payment_id LEFT JOIN payee k ON k.id = y.payee_id
 ORDER BY e.booked_on, e.amount_minor > 0, e.id"""

_REPORTS = """SELECT e.id, e.file_id, e.said, e.reference, e.reason, e.payment_id, e.end_to_end, y.state,
    coalesce(d.debit, false), coalesce(d.credit, false), coalesce(d.queued, false),
    EXISTS (SELECT 1 FROM bank_file f WHERE f.closing_on >= greatest(e.booked_on, x.execution_on))
  FROM bank_entry e LEFT JOIN payment y ON y.id = e.payment_id
  LEFT JOIN batch_payment b ON b.payment_id = y.id AND b.live LEFT JOIN batch x ON x.id = b.batch_id
  LEFT JOIN LATERAL (SELECT bool_or(s.outcome = 'applied' AND s.amount_minor < 0) AS debit,
      bool_or(s.outcome = 'applied' AND s.amount_minor > 0) AS credit, bool_or(s.outcome = 'queued') AS queued
    FROM bank_entry s WHERE s.payment_id = y.id AND s.source = 'statement') d ON true
 WHERE e.source = 'report' AND e.outcome = 'waiting' ORDER BY e.id"""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A part of a statement's entry beside the payment that it names."""

    id: UUID
    file_id: UUID
    said: str
    amount_minor: int
    currency: str
    end_to_end: str
    reference: str
    reason: str
    party_account: str = field(repr=False)
    payment_id: UUID | None
    state: str | None
    ours_minor: int | None
    ours_currency: str | None
    ours_account: str | None = field(repr=False)
    vouched: bool
    debit: bool
    credit: bool

    @property
    def shown(self) -> dict[str, str]:
        return {
            "amount": f"{amount_text(abs(self.amount_minor), self.currency)} {self.currency}",
            "id": self.end_to_end or "-",
            "reference": self.reference or "-",
        }


@dataclass(slots=True)
class _Books:
    """What the statement has said of one payment so far, and the entry that said the last of it."""

    state: str
    debit: bool
    credit: bool
    last: _Entry | None = None


@dataclass(slots=True)
class _Run:
    session: Session
    report: ReconciliationReport

    # -- statements ----------------------------------------------------------------------------------------

    def entries(self) -> bool:
        """One slice of what statements said; False when there is nothing more."""
        rows = [_Entry(*row) for row in self.session.conn.execute(_ENTRIES, (SLICE,)).fetchall()]
        books: dict[UUID, _Books] = {}
        # A pass that died once it had brought a payment back finds it returned, its credit still to enter.
        back = {entry.payment_id for entry in rows if entry.said == "credit"}
        applied: list[_Entry] = []
        for entry in rows:
            assert entry.state is not None or entry.payment_id is None
            doubt = _doubt(entry) or _put_down(books, entry, back)
            if doubt:
                self._queue(doubt, entry)
            else:
                applied.append(entry)
        refused = self._move(books)
        for entry in applied:
            if entry.payment_id in refused:
                self._queue("step_refused", entry, codes=refused[entry.payment_id])
        done = [entry.id for entry in applied if entry.payment_id not in refused]
        self._mark(done, "applied")
        self._clear_up([entry.payment_id for entry in applied if entry.said == "debit" and entry.payment_id])
        return len(rows) == SLICE

    def _move(self, books: dict[UUID, _Books]) -> dict[UUID, str]:
        """Bring payments to where the statement has them; those that were refused, with the codes."""
        orders = []
        for id, found in books.items():
            step = _step(found)
            if step and found.last is not None:
                given = {"reference": found.last.reference or "-", "reason": found.last.reason}
                orders.append(Order(step, id, given, f"bank:{found.last.id}"))
        return self._take(orders)

    def _take(self, orders: Sequence[Order]) -> dict[UUID, str]:
        refused: dict[UUID, str] = {}
        for outcome in perform_many(self.session, SYSTEM, orders):
            assert outcome.order.subject_id is not None
            if outcome.receipt is None:
                refused[outcome.order.subject_id] = ", ".join(r.code for r in outcome.refusals)
            elif not outcome.receipt.repeated:
                self.report.outcomes[outcome.receipt.state] += 1
        return refused

    def _mark(self, ids: list[UUID], outcome: str) -> None:
        self.session.conn.execute(
            "UPDATE bank_entry SET outcome = %s WHERE id = ANY(%s) AND outcome IN ('new', 'waiting')",
            (outcome, ids),
        )

    def _queue(self, kind: str, entry: _Entry, **more: str) -> None:
        likely, why = (None, "") if entry.payment_id is not None else self._likely(entry)
        with self.session.conn.transaction():
            raise_exception(
                self.session.conn,
                kind,
                entry.file_id,
                {**entry.shown, "why": why, **more},
                self.session.clock.now(),
                entry_id=entry.id,
                payment_id=entry.payment_id,
                likely_id=likely,
            )
            self._mark([entry.id], "queued")
        self.report.exceptions[kind] += 1

    def _likely(self, entry: _Entry) -> tuple[UUID | None, str]:
        """The payment that an entry without a usable id probably means, and what speaks for it."""
        states = ["instructed", "unknown"] if entry.said == "debit" else ["instructed", "unknown", "settled"]
        rows = self.session.conn.execute(
            "SELECT y.id, k.account_no FROM payment y JOIN payee k ON k.id = y.payee_id "
            "WHERE y.state = ANY(%s) AND y.amount_minor = %s AND y.currency = %s ORDER BY y.id LIMIT 20",
            (states, abs(entry.amount_minor), entry.currency),
        ).fetchall()
        same = [id for id, number in rows if account_of(number).number == entry.party_account]
        if len(same) == 1:
            return same[0], "account_and_amount"
        return (rows[0][0], "amount") if len(rows) == 1 else (None, "")

    def _clear_up(self, settled: list[UUID]) -> None:
        """The statement has what was reported and missing: that is cleared up by itself."""
        self.session.conn.execute(
            "UPDATE bank_exception SET state = 'resolved', resolved_by = %s, resolved_at = %s, "
            "how = 'explain', note = '对账单已入账 · the statement has it' WHERE state = 'open' "
            "AND kind IN ('reported_but_not_booked', 'no_word') AND payment_id = ANY(%s)",
            (SYSTEM_ID, self.session.clock.now(), settled),
        )

    # -- status reports --------------------------------------------------------------------------------------

    def reports(self) -> None:
        """What status reports said, as far as a statement confirms or denies it."""
        orders: list[Order] = []
        of: dict[UUID, UUID] = {}
        noted: list[UUID] = []
        for (
            id,
            file_id,
            said,
            ref,
            why,
            payment,
            e2e,
            state,
            debit,
            credit,
            queued,
            covered,
        ) in self.session.conn.execute(_REPORTS).fetchall():
            kind = ""
            if payment is None:
                kind = "unknown_payment"
            elif said == "rejected":
                if debit and not credit:
                    kind = "rejected_but_booked"
                elif state in ("returned", "void"):
                    noted.append(id)
                elif state == "settled":
                    kind = "rejected_but_booked"
                elif covered and not queued and state in ("instructed", "unknown"):
                    given = {"reference": ref or "-", "reason": why}
                    orders.append(Order("payment.bank_return", payment, given, f"bank:{id}"))
                    of[payment] = id
            elif debit or state in ("returned", "void"):
                noted.append(id)
            elif covered and not queued:
                kind = "reported_but_not_booked"
            if kind:
                params = {"id": e2e, "reference": ref or "-", "reason": why}
                with self.session.conn.transaction():
                    now = self.session.clock.now()
                    raise_exception(
                        self.session.conn, kind, file_id, params, now, entry_id=id, payment_id=payment
                    )
                    self._mark([id], "queued")
                self.report.exceptions[kind] += 1
        refused = self._take(orders)
        self._mark([id for payment, id in of.items() if payment not in refused], "applied")
        self._mark(noted, "noted")

    # -- batches -------------------------------------------------------------------------------------------

    def batches(self) -> None:
        """Batches that were answered, that are through, and payments of which no word has come."""
        conn, today = self.session.conn, self.session.clock.today()
        answered = conn.execute(
            "SELECT b.id FROM batch b WHERE b.state = 'sent' AND EXISTS (SELECT 1 FROM bank_file f "
            "WHERE f.batch_id = b.id AND f.direction = 'in')"
        ).fetchall()
        self._steps("batch.answer", [row[0] for row in answered])
        through = conn.execute(
            "SELECT b.id FROM batch b WHERE b.state IN ('sent', 'answered') AND NOT EXISTS (SELECT 1 "
            "FROM batch_payment p JOIN payment y ON y.id = p.payment_id WHERE p.batch_id = b.id AND p.live "
            "AND y.state NOT IN ('settled', 'returned', 'void'))"
        ).fetchall()
        self.report.closed += self._steps("batch.close", [row[0] for row in through])
        silent = conn.execute(
            "SELECT y.id, f.id, b.execution_on FROM batch b "
            "JOIN batch_payment p ON p.batch_id = b.id AND p.live JOIN payment y ON y.id = p.payment_id "
            "JOIN bank_file f ON f.batch_id = b.id AND f.direction = 'out' "
            "WHERE b.state IN ('sent', 'answered') AND b.execution_on < %s "
            "AND y.state IN ('instructed', 'unknown') AND NOT EXISTS (SELECT 1 "
            "FROM bank_exception x WHERE x.payment_id = y.id AND x.state = 'open')",
            (date_before(today),),
        ).fetchall()
        for payment, file_id, day in silent:
            params = {"id": payment.hex, "day": day.isoformat()}
            raise_exception(conn, "no_word", file_id, params, self.session.clock.now(), payment_id=payment)
            self.report.exceptions["no_word"] += 1

    def _steps(self, step: str, ids: list[UUID]) -> int:
        orders = [Order(step, id, {}, f"{step}:{id}") for id in ids]
        return sum(bool(outcome.receipt) for outcome in perform_many(self.session, SYSTEM, orders))


def date_before(today: date) -> date:
    """The last day of execution of which word should have come by now."""
    return today.fromordinal(today.toordinal() - NO_WORD_DAYS)


def _doubt(entry: _Entry) -> str:
    """What is wrong with an entry by itself; empty where nothing is."""
    if entry.payment_id is None:
        return "unknown_payment" if entry.end_to_end else "unmatched_entry"
    if (abs(entry.amount_minor), entry.currency) != (entry.ours_minor, entry.ours_currency):
        return "wrong_amount"
    if entry.said == "debit" and not entry.vouched and entry.party_account:
        assert entry.ours_account is not None
        if account_of(entry.ours_account).number != entry.party_account:
            return "wrong_account"
    if entry.state not in ("instructed", "unknown", "settled", "returned"):
        return "not_instructed"
    return ""


def _put_down(books: dict[UUID, _Books], entry: _Entry, back: set[UUID | None]) -> str:
    """Enter what an entry says of its payment; or what is wrong with it."""
    assert entry.payment_id is not None and entry.state is not None
    found = books.setdefault(entry.payment_id, _Books(entry.state, entry.debit, entry.credit))
    if entry.said == "debit":
        if found.debit:
            return "paid_twice"
        if found.state == "returned" and not found.credit and entry.payment_id not in back:
            return "booked_although_returned"
        found.debit = True
    else:
        if found.credit:
            return "returned_twice"
        found.credit = True
    found.last = entry
    return ""


def _step(found: _Books) -> str:
    """The step that brings a payment to where the statement has it, or none."""
    if found.state in ("instructed", "unknown"):
        return "payment.bank_return" if found.credit else "payment.settle"
    if found.state == "settled" and found.credit:
        return "payment.return_late"
    return ""


__all__ = ["ReconciliationReport", "read_path", "reconcile", "reconcile_folder"]

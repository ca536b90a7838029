"""What the bank said moves payments, and the statement has the last word.

A booked debit settles its payment and a booked credit brings it back, by the steps there always were, under
request ids that follow from the entry. A status report alone moves nothing: a rejection counts once
statements have said everything of its days without the debit, none of them missing. So a bank that executes,
loses its answer and rejects later leaves one payment in the state that its own statement says. What does not
fit becomes an exception, and while that is open nothing more is sent for its tranche (guard
``bank_agrees``).

Of each payment one debit and one credit at the most are applied, whatever order they come in. Every pass may
die anywhere: what it had not marked is taken up again, and a step that was taken answers as it did.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from milepost.actions import SYSTEM, Order, perform_many
from milepost.bank.desk import Desk
from milepost.bank.files.amounts import amount_text
from milepost.db import Database, Session
from milepost.work.bank_exceptions import Doubt, Queue
from milepost.work.bank_intakes import book, record_files
from milepost.work.bank_reading import FileReport, read_bank_file
from milepost.work.bank_words import (
    ATTESTED,
    BOOKABLE,
    COVER,
    ENTRIES,
    FIRST,
    GAPS,
    LIKELY,
    OUT,
    REPORTS,
    SILENT,
    Booked,
    Books,
    Verdict,
    doubt_of,
    put_down,
    step_for,
)
from milepost.work.receipts import receive_credits, settle_set_offs
from states.case import SYSTEM_ID

SLICE = 500
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
            # Another process may have read it, and put it away, a moment ago.
            with suppress(FileNotFoundError):
                found = read_path(session, desk, path, by)
                files.append(found)
                # Put away under its digest: the same name twice is not the same file.
                os.replace(path, desk.read / os.fsdecode(f"{found.sha256[:16]}-".encode() + _fitting(path)))
        report = reconcile(session, desk)
        report.files = files
        return report


NAME_BYTES = 255 - 17
"""So much of a file's name is kept, where a digest stands before it: file systems take no more."""


def _fitting(path: Path) -> bytes:
    name = os.fsencode(path.name)
    return name if len(name) <= NAME_BYTES else name[: NAME_BYTES - 4] + os.fsencode(path.suffix[:4])


def read_path(session: Session, desk: Desk, path: Path, by: UUID) -> FileReport:
    """Take in one file where it lies."""
    return read_bank_file(session, desk, path, by)


def reconcile(session: Session, desk: Desk) -> ReconciliationReport:
    """Let everything that was read take effect. One process at a time does it."""
    report = ReconciliationReport()
    conn = session.conn
    got = conn.execute(f"SELECT pg_try_advisory_lock({_LOCK})").fetchone()
    if not (got and got[0]):
        report.busy = True
        return report
    try:
        record_files(session, desk)
        receive_credits(session, report.received)
        settle_set_offs(session)
        run = _Run(session, desk, report)
        run.queue.put_files()
        run.entries()
        run.gaps()
        run.reports()
        run.attested()
        run.batches()
        run.queue.tell()
    finally:
        if not conn.closed and not conn.broken:
            conn.execute(f"SELECT pg_advisory_unlock({_LOCK})")
    return report


@dataclass(slots=True)
class _Run:
    session: Session
    desk: Desk
    report: ReconciliationReport
    queue: Queue = field(init=False)
    read: list[UUID] = field(init=False)
    covered: dict[tuple[str, str, date, date], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queue = Queue(self.session, self.desk, self.report.exceptions)
        # Known before any entry is judged: what is read meanwhile proves nothing, its entries are not judged.
        rows = self.session.conn.execute("SELECT DISTINCT file_id FROM bank_statement").fetchall()
        self.read = [row[0] for row in rows]

    # -- statements ----------------------------------------------------------------------------------------

    def entries(self) -> None:
        """What statements said, a slice at a time in the order of their days."""
        place = FIRST
        while found := self._open(ENTRIES, place):
            rows = [Booked(*row) for row in found]
            place = (rows[-1].booked_on, rows[-1].id)
            # What goes out first, so that a payment that came back on its day is settled and then returned.
            self._slice(sorted(rows, key=lambda entry: (entry.booked_on, entry.amount_minor > 0, entry.id)))

    def _open(self, sql: str, place: tuple[date, UUID]) -> list[Any]:
        """The next slice of what is open, beyond a day and an id."""
        given = {"day": place[0], "id": place[1], "slice": SLICE}
        return self.session.conn.execute(sql, given).fetchall()

    def _slice(self, rows: list[Booked]) -> None:
        books: dict[UUID, Books] = {}
        # A pass that died once it had brought a payment back finds it returned, its credit still to enter.
        back = {entry.payment_id for entry in rows if entry.said == "credit"}
        applied: list[Booked] = []
        doubts: list[tuple[str, Booked, str]] = []
        for entry in rows:
            assert entry.state is not None or entry.payment_id is None
            doubt = doubt_of(entry) or put_down(books, entry, back)
            if doubt:
                doubts.append((doubt, entry, ""))
            else:
                applied.append(entry)
        refused = self._move(books)
        for entry in applied:
            if entry.payment_id in refused:
                doubts.append(("step_refused", entry, refused[entry.payment_id]))
        self._queue(doubts)
        done = [entry for entry in applied if entry.payment_id not in refused]
        book(self.session, [entry.id for entry in done], "applied")
        self.queue.clear([entry.payment_id for entry in done if entry.said == "debit" and entry.payment_id])

    def _move(self, books: dict[UUID, Books]) -> dict[UUID, str]:
        """Bring payments to where the statement has them; those that were refused, with the codes."""
        orders = []
        for id, found in books.items():
            step = step_for(found)
            if step and found.last is not None:
                given = {"reference": found.last.reference or "-", "reason": found.last.reason}
                if step == "payment.settle":
                    given["paid_on"] = found.last.booked_on.isoformat()
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

    def _queue(self, doubts: list[tuple[str, Booked, str]]) -> None:
        likely = self._likely([entry for _, entry, _ in doubts if entry.payment_id is None])
        found = []
        for kind, entry, codes in doubts:
            payment, why = likely.get(entry.id, (None, ""))
            params = {**entry.shown, "why": why, "codes": codes}
            about = (entry.id, entry.payment_id, payment)
            found.append(Doubt(kind, entry.file_id, params, *about, times=entry.taken_back))
        self.queue.put(found)

    def _likely(self, entries: list[Booked]) -> dict[UUID, tuple[UUID, str]]:
        """The payments that entries without a usable id probably mean, and what speaks for each."""
        if not entries:
            return {}
        given = {
            "ids": [entry.id for entry in entries],
            "debits": [entry.said == "debit" for entry in entries],
            "amounts": [abs(entry.amount_minor) for entry in entries],
            "currencies": [entry.currency for entry in entries],
            "accounts": [entry.party_account for entry in entries],
            "states": list(BOOKABLE if any(e.said == "credit" for e in entries) else OUT),
            "out": list(OUT),
        }
        rows = self.session.conn.execute(LIKELY, given).fetchall()
        return {id: (payment, why) for id, payment, why in rows if payment is not None}

    # -- status reports --------------------------------------------------------------------------------------

    def reports(self) -> None:
        """What status reports said, as far as a statement confirms or denies it."""
        place = FIRST
        while found := self._open(REPORTS, place):
            rows = [self._held_against_statements(Verdict(*row)) for row in found]
            place = (rows[-1].booked_on, rows[-1].id)
            self._reports(rows)

    def _held_against_statements(self, verdict: Verdict) -> Verdict:
        """Say whether statements cover its days; of a batch these are the same for all, and asked once."""
        return replace(
            verdict,
            covered=self._covered(verdict.account, verdict.currency, verdict.since, verdict.until),
        )

    def _covered(self, *key: Any) -> bool:
        """Whether statements cover the days of an account in a currency; asked once for each."""
        if key not in self.covered:
            given: dict[str, Any] = dict(zip(("account", "currency", "since", "until"), key, strict=True))
            given["read"] = self.read
            row = self.session.conn.execute(COVER, given).fetchone()
            self.covered[key] = bool(row and row[0])
        return self.covered[key]

    def attested(self) -> None:
        """What was attested as paid, and statements of all days up to then do not have."""
        self.queue.put(
            Doubt("attested_but_not_booked", file_id, {"id": id.hex, "day": until.isoformat()}, payment_id=id)
            for id, file_id, currency, since, until in self.session.conn.execute(ATTESTED).fetchall()
            if self._covered(self.desk.account, currency, since, until)
        )

    def gaps(self) -> None:
        """Statements before which one is missing; what has come meanwhile clears up by itself."""
        rows = self.session.conn.execute(GAPS, {"account": self.desk.account}).fetchall()
        self.queue.put(
            Doubt("statement_missing", file, {"day": day.isoformat(), "amount": _signed(minor, currency)})
            for file, day, minor, currency in rows
        )
        self.queue.clear_gaps([row[0] for row in rows])

    def _reports(self, rows: list[Verdict]) -> None:
        orders: list[Order] = []
        of: dict[UUID, UUID] = {}
        noted: list[UUID] = []
        doubts: list[Doubt] = []
        for row in rows:
            verdict = row.verdict
            if verdict == "noted":
                noted.append(row.id)
            elif verdict == "return" and row.payment_id is not None:
                given = {"reference": row.reference or "-", "reason": row.reason}
                orders.append(Order("payment.bank_return", row.payment_id, given, f"bank:{row.id}"))
                of[row.payment_id] = row.id
            elif verdict:
                params = {"id": row.end_to_end, "reference": row.reference or "-", "reason": row.reason}
                doubts.append(Doubt(verdict, row.file_id, params, row.id, row.payment_id))
        self.queue.put(doubts)
        refused = self._take(orders)
        book(self.session, [id for payment, id in of.items() if payment not in refused], "applied")
        book(self.session, noted, "noted")

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
        silent = conn.execute(SILENT, {"day": date_before(today)}).fetchall()
        self.queue.put(
            Doubt(
                "no_word",
                file_id,
                {"id": payment.hex, "day": day.isoformat()},
                payment_id=payment,
                times=times,
            )
            for payment, file_id, day, times in silent
        )

    def _steps(self, step: str, ids: list[UUID]) -> int:
        orders = [Order(step, id, {}, f"{step}:{id}") for id in ids]
        return sum(bool(outcome.receipt) for outcome in perform_many(self.session, SYSTEM, orders))


def _signed(minor: int, currency: str) -> str:
    return f"{'-' if minor < 0 else ''}{amount_text(abs(minor), currency)} {currency}"


def date_before(today: date) -> date:
    """The last day of execution of which word should have come by now."""
    return today.fromordinal(today.toordinal() - NO_WORD_DAYS)


__all__ = ["ReconciliationReport", "read_path", "reconcile", "reconcile_folder"]

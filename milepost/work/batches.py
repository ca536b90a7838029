"""A batch that was handed over becomes a file at its place, once, wherever the process that does it dies.

In this order: the decision (``batch.hand_over``) is on record; its payments are instructed, each under a
request id that follows from batch and payment; the file is written beside its place under a name nobody else
uses; its digest and that name go on record (``batch.write``); the file is moved to where the bank takes it;
``batch.send``. Moving consumes what is moved, so that the same file is never there twice: found ``written``,
a batch whose staged file is gone has been moved. A batch found ``handed_over`` is written anew; what another
process had staged has another name and is never moved.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import Any, LiteralString
from uuid import UUID

from milepost.actions import SYSTEM, Order, perform, perform_many
from milepost.bank.batches import ZONE
from milepost.bank.desk import Desk
from milepost.bank.files.batch import Batch, Party, Payment, Totals, end_to_end_text
from milepost.bank.files.findings import BatchRefused, blocking
from milepost.bank.files.handover import check_all, hand_over
from milepost.bank.files.placing import file_digest
from milepost.bank.payee_accounts import account_in_file, bank_in_file
from milepost.calendar import is_working_day
from milepost.db import Database, Session
from milepost.programmes import load_published
from milepost.work.receipts import settle_set_offs
from states.case import SYSTEM_ID
from states.refusals import Refused

_LOCK = "hashtextextended('milepost:batches', 0)"
SLICE = 500
"""So many payments of a batch are in memory at a time."""
# Whether it has been instructed by the batch it is in: one look-up for each, by who asked and as what.
_BY_IT = """y.state = 'instructed' AND coalesce((SELECT e.subject_id = y.id FROM event e
    WHERE e.actor_id = %(system)s AND e.request_id = 'batch:' || b.batch_id || ':' || y.id), false)"""
# Between two positions, and only then by state: whatever the planner thinks of tables that have just grown,
# a slice costs what a slice costs.
_PAYMENTS = f"""SELECT id, state, amount, currency, account_name, account_kind, account_no, bank_name,
    bank_code, code, number, ours
  FROM (SELECT b.position, y.id, y.state, y.amount_minor - y.offset_minor AS amount, y.currency,
        k.account_name, k.account_kind, k.account_no, k.bank_name, k.bank_code, p.code, t.number,
        {_BY_IT} AS ours
      FROM batch_payment b JOIN payment y ON y.id = b.payment_id JOIN payee k ON k.id = y.payee_id
      JOIN project p ON p.id = y.project_id JOIN tranche t ON t.id = y.tranche_id
     WHERE b.batch_id = %(batch)s AND b.live AND b.position > %(after)s AND b.position <= %(to)s OFFSET 0) y
 WHERE {{wanted}} ORDER BY position"""
_TOTALS = f"""SELECT currency, count(*), sum(amount)::bigint
  FROM (SELECT y.currency, y.amount_minor - y.offset_minor AS amount, y.state, {_BY_IT} AS ours
      FROM batch_payment b JOIN payment y ON y.id = b.payment_id
     WHERE b.batch_id = %(batch)s AND b.live OFFSET 0) y
 WHERE {{wanted}} GROUP BY 1 ORDER BY 1"""
# Which payments of a batch: all that it has, those that wait, those that it has instructed itself.
_ALL = "true"
_RELEASED = "state = 'released'"
_OURS = "ours"


class StagedFileChanged(Exception):
    """The file that waits to be handed over is not the one on record; nothing was moved."""


@dataclass(slots=True)
class BatchReport:
    """What was carried on: payments instructed, those left out by reason, files put at their place.

    ``refused``: batches that no file can be made of as things stand, and why; they are tried again each time.
    """

    instructed: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    sent: list[str] = field(default_factory=list)
    lapsed: int = 0
    refused: dict[UUID, str] = field(default_factory=dict)
    busy: bool = False


def carry_on(database: Database, desk: Desk) -> BatchReport:
    """Bring every batch that was handed over to the bank's folder. One process at a time does it."""
    report = BatchReport()
    with database.session() as session:
        got = session.conn.execute(f"SELECT pg_try_advisory_lock({_LOCK})").fetchone()
        if not (got and got[0]):
            report.busy = True
            return report
        try:
            settle_set_offs(session)
            for id, state in session.conn.execute(
                "SELECT id, state FROM batch WHERE state IN ('handed_over', 'written') ORDER BY handed_at, id"
            ).fetchall():
                try:
                    if state == "written" or _write(session, desk, id, report):
                        _send(session, desk, id, report)
                except (BatchRefused, StagedFileChanged) as problem:
                    # What is wrong with one keeps no other back.
                    report.refused[id] = str(problem)
        finally:
            if not session.conn.closed and not session.conn.broken:
                session.conn.execute(f"SELECT pg_advisory_unlock({_LOCK})")
    return report


def _write(session: Session, desk: Desk, id: UUID, report: BatchReport) -> bool:
    """From ``handed_over`` to ``written``; False where nothing was left to hand over, or others did."""
    row = session.conn.execute(
        "SELECT execution_on, handed_at, programme_id FROM batch WHERE id = %s", (id,)
    ).fetchone()
    assert row is not None
    shape = _Shape(session, desk, id, *row)
    left_out = _unfit(shape)
    _instruct(shape, left_out, report)
    batch = shape.batch(_OURS)
    if not batch.totals().number:
        reason = "; ".join(sorted(set(left_out.values())))[:2000] or "-"
        report.lapsed += _step(session, "batch.lapse", id, {"reason": reason})
        return False
    staged_as = f"{secrets.token_hex(8)}.{desk.ending}"
    done = hand_over(
        batch, desk.staged / staged_as, rules=desk.rules, works=shape.works, template=desk.template
    )
    given = {
        "file_name": f"{id.hex}.{desk.ending}",
        "sha256": done.placed.sha256,
        "size": done.placed.size,
        "staged_as": staged_as,
        "number": done.totals.number,
        "total_minor": sum(done.totals.minor_by_currency.values()),
        "left_out": left_out,
        "findings": [said.as_json() for said in done.remarks[:100]],
    }
    return _step(session, "batch.write", id, given)


@dataclass(frozen=True, slots=True)
class _Row:
    """A payment of a batch; ``ours`` when this batch has instructed it."""

    id: UUID
    state: str
    payment: Payment = field(repr=False)
    ours: bool


@dataclass(frozen=True, slots=True)
class _Payments:
    """The payments of a batch, all or some, in their order; read anew, a slice at a time, when asked for."""

    session: Session
    batch_id: UUID
    wanted: LiteralString

    def __iter__(self) -> Iterator[Payment]:
        return (row.payment for rows in self.slices() for row in rows)

    def slices(self) -> Iterator[list[_Row]]:
        """So many rows together as are read together; none is empty."""
        query = _PAYMENTS.format(wanted=self.wanted)
        given: dict[str, Any] = {"batch": self.batch_id, "system": SYSTEM_ID}
        most = self.session.conn.execute(
            "SELECT coalesce(max(position), 0) FROM batch_payment WHERE batch_id = %(batch)s", given
        ).fetchone()
        assert most is not None
        for after in range(0, most[0], SLICE):
            given |= {"after": after, "to": after + SLICE}
            if found := self.session.conn.execute(query, given).fetchall():
                yield [_row(row) for row in found]

    def totals(self) -> Totals:
        """Counted by the database."""
        query = _TOTALS.format(wanted=self.wanted)
        found = self.session.conn.execute(query, {"batch": self.batch_id, "system": SYSTEM_ID}).fetchall()
        return Totals(sum(number for _, number, _ in found), {code: minor for code, _, minor in found})


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the file of a batch has around its payments; the same whenever it is asked for."""

    session: Session
    desk: Desk
    id: UUID
    execution_on: date
    handed_at: datetime
    programme_id: UUID

    def payments(self, wanted: LiteralString) -> _Payments:
        """Its payments, all or some."""
        return _Payments(self.session, self.id, wanted)

    def batch(self, wanted: LiteralString) -> Batch:
        """The batch as the bank is to get it."""
        created = self.handed_at.astimezone(ZONE)
        return Batch(self.id.hex, created, self.desk.debtor, self.execution_on, self.payments(wanted))

    def works(self, day: date) -> bool:
        """Whether a day is a working day by the programme's calendar."""
        compiled = load_published(self.session.conn, self.programme_id)
        assert compiled is not None
        return is_working_day(day, source=compiled.programme.calendar)[0]


def _row(found: Sequence[Any]) -> _Row:
    id, state, amount, currency, name, kind, number, bank, bank_code, code, tranche, ours = found
    return _Row(
        id=id,
        state=state,
        payment=Payment(
            end_to_end_text(id),
            amount,
            currency,
            Party(name, account_in_file(kind, number), bank_in_file(kind, bank_code, bank)),
            f"{code}/{tranche}",
        ),
        ours=ours,
    )


def _unfit(shape: _Shape) -> dict[str, str]:
    """Those that no file can carry, and why. Before anything is instructed, so that nothing is stuck.

    In one snapshot: what is said of a row is said of the payment that stands there each time it is read.
    """
    with shape.session.conn.transaction():
        shape.session.conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return _found_unfit(shape)


def _found_unfit(shape: _Shape) -> dict[str, str]:
    batch = shape.batch(_RELEASED)
    if not batch.totals().number:
        return {}
    found = blocking(
        check_all(batch, rules=shape.desk.rules, works=shape.works, template=shape.desk.template)
    )
    if whole := [said for said in found if not said.row]:
        raise BatchRefused(whole)
    why: dict[int, list[str]] = {}
    for said in found:
        why.setdefault(said.row, []).extend((said.text("zh"), said.text("en")))
    rows = enumerate(chain.from_iterable(shape.payments(_RELEASED).slices()), start=1) if why else ()
    return {str(row.id): "; ".join(why[at]) for at, row in rows if at in why}


def _instruct(shape: _Shape, left_out: dict[str, str], report: BatchReport) -> None:
    """Instruct what is released and fit; what is not, or is elsewhere by now, joins those left out."""
    for rows in shape.payments(_ALL).slices():
        orders = []
        for row in rows:
            if row.state == "released":
                if str(row.id) not in left_out:
                    orders.append(Order("payment.instruct", row.id, {}, f"batch:{shape.id}:{row.id}"))
            elif not row.ours:
                left_out[str(row.id)] = row.state
        for outcome in perform_many(shape.session, SYSTEM, orders):
            if outcome.receipt is None:
                codes = [refusal.code for refusal in outcome.refusals]
                left_out[str(outcome.order.subject_id)] = ", ".join(codes)
                report.left_out.update(codes)
            else:
                report.instructed += not outcome.receipt.repeated


def _send(session: Session, desk: Desk, id: UUID, report: BatchReport) -> None:
    """From ``written`` to ``sent``: the staged file is moved, unless it was."""
    row = session.conn.execute(
        "SELECT file_name, staged_as, sha256 FROM batch WHERE id = %s", (id,)
    ).fetchone()
    assert row is not None
    name, staged_as, digest = row
    staged = desk.staged / staged_as
    if staged.exists():
        if file_digest(staged) != digest:
            raise StagedFileChanged(f"{staged.name} is not what batch {id} has on record")
        # Another process, which had lost its lock and did not know, may be quicker by a moment.
        with suppress(FileNotFoundError):
            os.rename(staged, desk.out / name)
        _sync(desk)
    if _step(session, "batch.send", id, {}):
        report.sent.append(name)


def _sync(desk: Desk) -> None:
    for folder in (desk.out, desk.staged):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _step(session: Session, step: str, id: UUID, given: dict[str, Any]) -> bool:
    """Take a step of a batch under a request id of its own; False where it stands elsewhere by now."""
    try:
        perform(session, SYSTEM, step, id, given, f"{step}:{id}")
    except Refused:
        return False
    return True


__all__ = ["BatchReport", "StagedFileChanged", "carry_on"]

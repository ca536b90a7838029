"""Money leaves: the instruction is on record before the bank hears of it, and the bank hears of it once.

For each released payment, in this order: ``payment.instruct`` is committed; only whoever committed it
submits; what the bank says is recorded. The bank is never called inside a transaction. Death between any
two lines leaves a payment ``instructed``, and a payment found so is never submitted again: the bank is asked
what became of it. Only its own word that it never had the instruction (``payment.not_received``) makes it
``released`` again, and a new instruction under the same end-to-end id possible.

That word is worth something only while nobody else is about to submit. So one process disburses at a time:
it holds a session lock of the database on the very connection that commits ``payment.instruct``. If that
connection is lost, the commit fails, and nothing is submitted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from milepost.actions import SYSTEM, Receipt, perform
from milepost.bank.port import BankError, BankPort, BankReply, BankUnreachable, Instruction
from milepost.db import Database, Session
from milepost.work.receipts import settle_set_offs
from states.refusals import Refused

BATCH = 500
AT_ONCE = 8
REPLY_SECONDS = 60.0
"""How long a reply is waited for; then the outcome is unknown."""

QUIET = timedelta(minutes=15)
SUBMIT_WITHIN_SECONDS = 20.0
"""An instruction older than this is not submitted: its process stood still, and others may have asked."""

_LOCK = "hashtextextended('milepost:disbursement', 0)"
_FIRST = UUID(int=0)


@dataclass(slots=True)
class DisbursementReport:
    """What became of the payments: counts by state; by reason, what was held back; ``busy``: others do it."""

    submitted: int = 0
    asked: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    held_back: Counter[str] = field(default_factory=Counter)
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """A payment as it was read."""

    id: UUID
    version: int
    state: str


async def disburse(
    database: Database,
    bank: BankPort,
    *,
    reply_seconds: float = REPLY_SECONDS,
    at_once: int = AT_ONCE,
    quiet: timedelta | None = None,
) -> DisbursementReport:
    """Ask about what the bank has not answered, then instruct and submit what is released.

    ``quiet``: how old an instruction must be before the bank's "never received" is believed; by default what
    the bank says of itself, else a quarter of an hour, since what was sent may still be on its way.
    """
    report = DisbursementReport()
    with database.session() as session:
        got = session.conn.execute(f"SELECT pg_try_advisory_lock({_LOCK})").fetchone()
        if not (got and got[0]):
            report.busy = True
            return report
        try:
            settle_set_offs(session)
            waited = quiet if quiet is not None else getattr(bank, "quiet", QUIET)
            run = _Run(session, bank, report, reply_seconds, waited)
            await run.all_of("('instructed', 'unknown')", run.resolve, at_once)
            await run.all_of("('released')", run.pay, at_once)
        finally:
            if not session.conn.closed and not session.conn.broken:
                session.conn.execute(f"SELECT pg_advisory_unlock({_LOCK})")
    return report


@dataclass(slots=True)
class _Run:
    session: Session
    bank: BankPort
    report: DisbursementReport
    reply_seconds: float
    quiet: timedelta

    async def all_of(self, states: str, act: Callable[[Leg], Any], at_once: int) -> None:
        """Act on every payment in some states, oldest id first, a few at a time."""
        gate = asyncio.Semaphore(at_once)

        async def one(leg: Leg) -> None:
            async with gate:
                await act(leg)

        last = _FIRST
        while True:
            rows = self.session.conn.execute(
                f"SELECT id, version, state FROM payment WHERE state IN {states} AND id > %s "
                # What is in a batch goes to the bank in its file, and is asked about in the bank's files.
                "AND NOT EXISTS (SELECT 1 FROM batch_payment b WHERE b.payment_id = payment.id AND b.live) "
                "ORDER BY id LIMIT %s",
                (last, BATCH),
            ).fetchall()
            if not rows:
                return
            await asyncio.gather(*(one(Leg(*row)) for row in rows))
            last = rows[-1][0]

    # -- paying --------------------------------------------------------------------------------------------

    async def pay(self, leg: Leg) -> None:
        """Instruct, submit, record. Nothing is awaited between the commit and the hand-over."""
        instructed = self._step("payment.instruct", leg.id, leg.version)
        if instructed is None or instructed.repeated:
            # Refused, or somebody else's commit: then it is theirs to submit, or the bank's to say.
            return
        committed = monotonic()
        instruction = self._instruction(leg.id)
        if monotonic() - committed > SUBMIT_WITHIN_SECONDS:
            return
        self.report.submitted += 1
        try:
            reply = await asyncio.wait_for(self.bank.submit(instruction), self.reply_seconds)
        except BankUnreachable:
            # Nothing was handed over, but only the bank's word makes it so: the next run asks.
            self.report.outcomes["unreachable"] += 1
        except (BankError, TimeoutError):
            self._record("payment.lose", leg.id, instructed.version, {"note": "银行无回音 · no reply"})
        else:
            self._take(leg.id, instructed.version, reply)

    def _instruction(self, id: UUID) -> Instruction:
        row = self.session.conn.execute(
            "SELECT y.account_name, y.account_no, y.bank_name, s.amount_minor - s.offset_minor, "
            "s.currency, p.code, t.number "
            "FROM payment s JOIN payee y ON y.id = s.payee_id JOIN project p ON p.id = s.project_id "
            "JOIN tranche t ON t.id = s.tranche_id WHERE s.id = %s",
            (id,),
        ).fetchone()
        assert row is not None, "an instructed payment has its payee"
        name, number, bank, amount_minor, currency, code, tranche = row
        return Instruction(
            end_to_end_id=id,
            account_name=name,
            account_no=number,
            bank_name=bank,
            amount_minor=amount_minor,
            currency=currency,
            remark=f"{code}/{tranche}",
        )

    # -- asking --------------------------------------------------------------------------------------------

    async def resolve(self, leg: Leg) -> None:
        """Ask what became of an instruction without an answer; this never hands it over again."""
        self.report.asked += 1
        try:
            reply = await asyncio.wait_for(self.bank.status(leg.id), self.reply_seconds)
        except (BankError, TimeoutError):
            self.report.outcomes["unreachable"] += 1
            return
        self._take(leg.id, leg.version, reply)

    def _take(self, id: UUID, version: int, reply: BankReply) -> None:
        """Record the bank's word; "accepted" is none yet."""
        step = _STEPS.get(reply.kind)
        if step is None or (reply.kind == "not_received" and self._may_be_on_its_way(id)):
            self.report.outcomes["waiting"] += 1
            return
        # A bank that never had it, or refused it at the door, has no reference of its own.
        self._record(step, id, version, {"reference": reply.reference or "-", "reason": reply.reason})

    def _may_be_on_its_way(self, id: UUID) -> bool:
        row = self.session.conn.execute(
            "SELECT max(at) FROM event WHERE subject_id = %s AND step = 'payment.instruct'", (id,)
        ).fetchone()
        return bool(row and row[0] and self.session.clock.now() - row[0] < self.quiet)

    # -- steps ---------------------------------------------------------------------------------------------

    def _record(self, step: str, id: UUID, version: int, given: Mapping[str, Any]) -> None:
        receipt = self._step(step, id, version, given)
        if receipt is not None and not receipt.repeated:
            self.report.outcomes[receipt.state] += 1

    def _step(
        self, step: str, id: UUID, version: int, given: Mapping[str, Any] | None = None
    ) -> Receipt | None:
        try:
            return perform(
                self.session,
                SYSTEM,
                step,
                id,
                given or {},
                f"{step}:{id}:{version}",
                expected_version=version,
            )
        except Refused as refused:
            self.report.held_back.update(refusal.code for refusal in refused.refusals)
            return None


_STEPS = {
    "settled": "payment.settle",
    "rejected": "payment.bank_return",
    "not_received": "payment.not_received",
}


__all__ = ["AT_ONCE", "DisbursementReport", "disburse"]

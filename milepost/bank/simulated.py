"""A bank for demos, replays and tests. It keeps books of its own and fails exactly as it is told to.

It never compares an instruction with one it had before: whoever submits twice pays twice, and the books
show it. What happens to an instruction follows from the seed and its end-to-end id alone, so that a replay,
a restart or another process meets the same bank. A request that was lost on its way is remembered beside
the books, so that the next submission under the same id gets through.
"""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, field_validator

from milepost.bank.port import BankReply, BankUnreachable, Instruction, Kind, ReplyLost
from milepost.clock import Clock
from milepost.db import Database


class Fault(BaseModel):
    """Whom a fault strikes: one instruction in ``one_in`` (0 none, 1 all), and accounts by pattern."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    one_in: int = Field(default=0, ge=0)
    accounts: tuple[str, ...] = ()

    @field_validator("accounts")
    @classmethod
    def _are_patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return value

    def strikes(self, name: str, seed: int, id: UUID, account_no: str) -> bool:
        """True when it strikes an instruction; the same answer for the same seed and id, always."""
        number = account_no.replace(" ", "")
        if any(re.fullmatch(pattern, number) for pattern in self.accounts):
            return True
        if self.one_in == 0:
            return False
        drawn = sha256(f"{seed}:{name}:{id}".encode()).digest()
        return int.from_bytes(drawn[:8]) % self.one_in == 0


class Behaviour(BaseModel):
    """How the bank behaves, as data. Nothing set: every instruction is settled at once.

    - ``unreachable``: the first submission finds no connection; nothing is handed over.
    - ``lose_request``: the first submission is lost on its way; nothing is booked, no answer comes.
    - ``lose_reply``: booked, but no answer comes.
    - ``slow``: booked, and the answer takes ``slow_seconds``.
    - ``reject``: refused at once.
    - ``settle_later``: accepted, and settled ``later_days`` days after.
    - ``return_later``: accepted, and come back ``later_days`` days after.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    unreachable: Fault = Fault()
    lose_request: Fault = Fault()
    lose_reply: Fault = Fault()
    slow: Fault = Fault()
    slow_seconds: float = Field(default=0.0, ge=0)
    reject: Fault = Fault()
    settle_later: Fault = Fault()
    return_later: Fault = Fault()
    later_days: int = Field(default=1, ge=0)

    def strikes(self, name: str, id: UUID, account_no: str) -> bool:
        """True when the fault of that name strikes the instruction with that id and account."""
        fault: Fault = getattr(self, name)
        return fault.strikes(name, self.seed, id, account_no)

    def at_once(self, id: UUID, account_no: str) -> str:
        """What the books say of an instruction on the day it is booked."""
        if self.strikes("reject", id, account_no):
            return "rejected"
        later = self.strikes("settle_later", id, account_no) or self.strikes("return_later", id, account_no)
        return "accepted" if later else "settled"

    def in_the_end(self, id: UUID, account_no: str) -> str:
        """What becomes of an instruction that was accepted."""
        return "returned" if self.strikes("return_later", id, account_no) else "settled"


REASONS = {
    "rejected": "收款账号与户名不符 · account and name do not match",
    "returned": "收款行退汇 · returned by the payee's bank",
}


class SimulatedBank:
    """The bank's counter (``submit``, ``status``) over its books in ``simbank_instruction``."""

    quiet = timedelta(0)
    """How old an instruction must be before "never received" is certain: ``status`` waits for it."""

    def __init__(
        self, database: Database | str, behaviour: Behaviour | None = None, *, clock: Clock | None = None
    ) -> None:
        self._own = isinstance(database, str)
        self.database = Database(database, clock=clock) if isinstance(database, str) else database
        self.clock = clock or self.database.clock
        self.behaviour = behaviour or Behaviour()

    def close(self) -> None:
        """Let go of connections that it opened itself."""
        if self._own:
            self.database.close()

    async def submit(self, instruction: Instruction) -> BankReply:
        """Book the instruction, whatever was booked before; raise instead of answering where told to."""
        id, account = instruction.end_to_end_id, instruction.account_no
        reply = await asyncio.to_thread(self._receive, instruction)
        if self.behaviour.strikes("slow", id, account):
            await asyncio.sleep(self.behaviour.slow_seconds)
        if self.behaviour.strikes("lose_reply", id, account):
            raise ReplyLost(f"no answer from the bank about {id}")
        return reply

    async def status(self, end_to_end_id: UUID) -> BankReply:
        """What the books say. A submission that is being booked right now is waited for."""
        return await asyncio.to_thread(self._look_up, end_to_end_id)

    def _receive(self, instruction: Instruction) -> BankReply:
        id, account, told = instruction.end_to_end_id, instruction.account_no, self.behaviour
        with self.database.session() as session, session.conn.transaction():
            conn = session.conn
            _one_at_a_time(conn, id)
            if told.strikes("unreachable", id, account) and _first_time(conn, "unreachable", id):
                failure: Exception = BankUnreachable("the bank cannot be reached")
            elif told.strikes("lose_request", id, account) and _first_time(conn, "lost", id):
                failure = ReplyLost(f"no answer from the bank about {id}")
            else:
                return self._book(conn, instruction)
        # Raised after the commit: what the fault remembers must outlive the failure.
        raise failure

    def _book(self, conn: psycopg.Connection[Any], instruction: Instruction) -> BankReply:
        id = instruction.end_to_end_id
        before = conn.execute(
            "SELECT count(*) FROM simbank_instruction WHERE end_to_end_id = %s", (id,)
        ).fetchone()
        assert before is not None
        outcome = self.behaviour.at_once(id, instruction.account_no)
        # The reference follows from the id and not from the order of arrival, so that replays agree.
        reference = f"SB{id.hex[:16].upper()}-{before[0] + 1}"
        conn.execute(
            "INSERT INTO simbank_instruction (end_to_end_id, account_name, account_no, amount_minor, "
            "currency, received_at, outcome, reason, reference) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                id,
                instruction.account_name,
                instruction.account_no,
                instruction.amount_minor,
                instruction.currency,
                self.clock.now(),
                outcome,
                REASONS.get(outcome),
                reference,
            ),
        )
        return _reply(outcome, reference)

    def _look_up(self, end_to_end_id: UUID) -> BankReply:
        with self.database.session() as session, session.conn.transaction():
            _one_at_a_time(session.conn, end_to_end_id)
            rows = session.conn.execute(
                "SELECT id, outcome, reference, received_at, account_no FROM simbank_instruction "
                "WHERE end_to_end_id = %s ORDER BY id",
                (end_to_end_id,),
            ).fetchall()
            replies = [self._decided(session.conn, end_to_end_id, *row) for row in rows]
        if not replies:
            return BankReply("not_received", "", "")
        # Of several, one that moved money speaks: a bank never denies what it paid.
        return next((reply for reply in replies if reply.kind == "settled"), replies[0])

    def _decided(
        self,
        conn: psycopg.Connection[Any],
        end_to_end_id: UUID,
        id: int,
        outcome: str,
        reference: str,
        received_at: datetime,
        account_no: str,
    ) -> BankReply:
        """The reply for one row of the books; what was accepted is decided once its days have passed."""
        wait = timedelta(days=self.behaviour.later_days)
        if outcome == "accepted" and self.clock.now() >= received_at + wait:
            outcome = self.behaviour.in_the_end(end_to_end_id, account_no)
            conn.execute(
                "UPDATE simbank_instruction SET outcome = %s, reason = %s WHERE id = %s",
                (outcome, REASONS.get(outcome), id),
            )
        return _reply(outcome, reference)


_KINDS: dict[str, Kind] = {
    "settled": "settled",
    "accepted": "accepted",
    "rejected": "rejected",
    "returned": "rejected",
}


def _reply(outcome: str, reference: str) -> BankReply:
    return BankReply(_KINDS[outcome], reference, REASONS.get(outcome, ""))


def _one_at_a_time(conn: psycopg.Connection[Any], end_to_end_id: UUID) -> None:
    """Until the transaction ends, nobody else books or asks about this id."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"simbank:{end_to_end_id}",))


def _first_time(conn: psycopg.Connection[Any], what: str, end_to_end_id: UUID) -> bool:
    """Remember that a fault struck an id; true when it had not before."""
    made = conn.execute(
        "INSERT INTO setting (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (f"simbank:{what}:{end_to_end_id}", Jsonb(True)),
    )
    return made.rowcount == 1


__all__ = ["Behaviour", "Fault", "SimulatedBank"]

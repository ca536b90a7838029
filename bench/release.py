"""Releasing a payment through ``perform``, and as the bare psycopg transaction that writes the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from bench.copies import Pattern
from bench.office import MILESTONE_MINOR, Office, Walk, actor, person_id
from milepost.actions import perform
from milepost.db import Session

STEP = "payment.release"


@dataclass(frozen=True, slots=True)
class Waiting:
    """An approved payment, and what a bare transaction has to know beforehand to release it."""

    project: UUID
    payment: UUID
    deadline: UUID
    hold: UUID
    taken: UUID
    commitment: UUID


def approved_payments(office: Office, count: int, *, programmes: int, each: int = 4) -> list[list[Waiting]]:
    """Approved payments by programme; those of one project lie far apart from each other."""
    with office.database.session() as session:
        walk = Walk(session, office.clock, each)
        walk.to_implementation()
        walk.to_approved_payments()
        columns = session.conn.execute(
            "SELECT y.project_id, y.id, d.id, y.hold_transfer_id, h.debit_id, h.credit_id FROM payment y "
            "JOIN tranche t ON t.id = y.tranche_id JOIN transfer h ON h.id = y.hold_transfer_id "
            "JOIN deadline d ON d.subject_id = y.id AND d.closed_seq IS NULL "
            "WHERE y.project_id = %s ORDER BY t.number",
            (walk.project,),
        ).fetchall()
    office.dismiss_passing()
    pattern = Pattern(office.database.owner_url, walk.project)
    holes = [[pattern.names.index(str(id)) for id in row] for row in columns]
    made = pattern.copy(-(-count // each), programmes=programmes, salt="release")
    waiting: list[list[Waiting]] = [[] for _ in range(programmes)]
    for row in holes:
        for number, names in enumerate(made):
            waiting[number % programmes].append(Waiting(*(UUID(names[hole]) for hole in row)))
    return waiting


def by_perform(session: Session, payment: Waiting) -> None:
    """The step as everybody takes it."""
    perform(session, actor("releaser"), STEP, payment.payment, {}, f"release:{payment.payment}")


# What a program that knows everything beforehand would write: the body is made already, nothing is asked.
_BODY = (
    b'{"actor":"%s","at":"2025-04-07T01:00:00+00:00","cause":null,"chain":"%s","documents":[],"format":1,'
    b'"from":"approved","input":{"note":""},"machine":"%s","noun":"payment","programme":"bench-00:1",'
    b'"request":"%s","role":"finance_officer","seq":%d,"step":"payment.release","subject":"%s","to":"released",'
    b'"transfers":[{"amount_minor":%d,"credit":"%s","currency":"CNY","debit":"%s","id":"%s","kind":"post"}],'
    b'"version":5}'
)
_LOCK = "SELECT seq, head FROM chain WHERE id = %s FOR UPDATE"
_READ = "SELECT state, version FROM payment WHERE id = %s"
# The event and the row it moves are one statement, because the database checks each against the other at
# the statement's end. Everything else is a statement for each table.
_MOVE = (
    "WITH happened AS (INSERT INTO event (chain_id, seq, noun, subject_id, subject_seq, machine, step, "
    "from_state, to_state, role, actor_id, request_id, fingerprint, at, body, prev_hash, hash) "
    "VALUES (%s, %s, 'payment', %s, %s, %s, 'payment.release', 'approved', 'released', 'finance_officer', "
    "%s, %s, %s, %s, %s, %s, %s)) "
    "UPDATE payment SET post_transfer_id = %s, state = 'released', version = %s WHERE id = %s"
)
_DUTY = "INSERT INTO duty (payment_id, duty, person_id, role) VALUES (%s, 'releaser', %s, 'finance_officer')"
_TRANSFER = (
    "INSERT INTO transfer (id, chain_id, event_seq, debit_id, credit_id, amount_minor, currency, kind, "
    "pending_id, payment_id) VALUES (%s, %s, %s, %s, %s, %s, 'CNY', 'post', %s, %s)"
)
_CLOSE = "UPDATE deadline SET closed_seq = %s WHERE id = %s"
_DEADLINE = (
    "INSERT INTO deadline (id, chain_id, noun, subject_id, name, due_on, provisional, who, act, opened_seq) "
    "VALUES (%s, %s, 'payment', %s, 'payment_instruction_due', %s, false, %s, NULL, %s)"
)
_MESSAGE = (
    "INSERT INTO message (id, source, chain_id, event_seq, recipient_id, template, context, state, "
    "message_id, created_at, next_attempt_at) "
    "VALUES (%s, %s, %s, %s, %s, 'payment_released', %s, 'queued', %s, %s, %s)"
)


@dataclass(frozen=True, slots=True)
class Bare:
    """The same release by hand, with everything known beforehand that could be."""

    machine: str
    now: datetime
    due: Any

    def release(self, conn: psycopg.Connection[Any], payment: Waiting) -> None:
        """Lock, read, and one statement a table; commit."""
        releaser = person_id("releaser")
        transfer, deadline, message = uuid4(), uuid4(), uuid4()
        request = f"release:{payment.payment}"
        with conn.transaction():
            head = conn.execute(_LOCK, (payment.project,)).fetchone()
            row = conn.execute(_READ, (payment.payment,)).fetchone()
            assert head is not None and row is not None and row[0] == "approved"
            seq, version = head[0] + 1, row[1] + 1
            body = _BODY % (
                str(releaser).encode(),
                str(payment.project).encode(),
                self.machine.encode(),
                request.encode(),
                seq,
                str(payment.payment).encode(),
                MILESTONE_MINOR,
                str(payment.commitment).encode(),
                str(payment.taken).encode(),
                str(transfer).encode(),
            )
            conn.execute(
                _MOVE,
                (
                    payment.project,
                    seq,
                    payment.payment,
                    version,
                    self.machine,
                    releaser,
                    request,
                    sha256(request.encode()).digest(),
                    self.now,
                    body,
                    head[1],
                    sha256(head[1] + body).digest(),
                    transfer,
                    version,
                    payment.payment,
                ),
            )
            conn.execute(_DUTY, (payment.payment, releaser))
            conn.execute(
                _TRANSFER,
                (
                    transfer,
                    payment.project,
                    seq,
                    payment.taken,
                    payment.commitment,
                    MILESTONE_MINOR,
                    payment.hold,
                    payment.payment,
                ),
            )
            conn.execute(_CLOSE, (seq, payment.deadline))
            who = Jsonb(["finance_officer"])
            conn.execute(_DEADLINE, (deadline, payment.project, payment.payment, self.due, who, seq))
            conn.execute(
                _MESSAGE,
                (
                    message,
                    f"event:{payment.project}:{seq}",
                    payment.project,
                    seq,
                    releaser,
                    Jsonb({"noun": "payment", "step": STEP, "subject": str(payment.payment)}),
                    f"<{message}@milepost.invalid>",
                    self.now,
                    self.now,
                ),
            )

"""Every file of the bank goes on record before anything that it said counts, and what counts is booked.

Reading a file is one transaction; this is the next one. Whoever dies in between leaves a file that is not on
record, and the next reconciliation records it first of all. The digests are taken by the database over its
own rows, so that no file has to fit into memory; ``milepost verify`` takes them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from milepost.actions import SYSTEM, perform
from milepost.bank.desk import Desk
from milepost.db import Session
from milepost.programmes import open_chain
from schema.bank_intake import REGISTER_DIGEST, STATEMENTS_DIGEST, WORDS_DIGEST
from states.case import SYSTEM_ID, chain_of_account

_UNRECORDED = """SELECT f.id FROM bank_file f LEFT JOIN bank_intake i ON i.file_id = f.id
 WHERE f.direction = 'in' AND i.id IS NULL ORDER BY f.at, f.id"""
_READ = f"""SELECT f.kind, f.size, f.sha256, {REGISTER_DIGEST},
    (SELECT {STATEMENTS_DIGEST} FROM bank_statement s WHERE s.file_id = f.id), w.number, w.digest
  FROM bank_file f CROSS JOIN LATERAL (
    SELECT count(*) AS number, {WORDS_DIGEST} AS digest FROM bank_entry e WHERE e.file_id = f.id) w
 WHERE f.id = %s"""
# A report that moved its payment before a pass died is applied, whatever it looks like to the next pass.
_BOOK = f"""INSERT INTO bank_booking (entry_id, outcome, at)
  SELECT e.id, CASE WHEN e.source = 'report' AND EXISTS (SELECT 1 FROM event v
      WHERE v.actor_id = '{SYSTEM_ID}' AND v.request_id = 'bank:' || e.id) THEN 'applied' ELSE %s END, %s
    FROM bank_entry e WHERE e.id = ANY(%s) AND e.outcome IN ('new', 'waiting')"""


def record_files(session: Session, desk: Desk) -> int:
    """Put on record what was read and is not yet; how many files that were."""
    waiting = [row[0] for row in session.conn.execute(_UNRECORDED).fetchall()]
    if not waiting:
        return 0
    chain = chain_of_account(desk.account)
    open_chain(session.conn, chain, "account")
    for file_id in waiting:
        row = session.conn.execute(_READ, (file_id,)).fetchone()
        assert row is not None
        kind, size, sha256, register, statements, number, said = row
        given = {
            "file_id": str(file_id),
            "kind": kind,
            "size": size,
            "number": number,
            "documents": [sha256],
            "register_sha256": register,
            "statements_sha256": statements,
            "words_sha256": said,
            "account_chain_id": str(chain),
            "office_path": desk.office,
        }
        perform(session, SYSTEM, "bank_intake.record", None, given, f"bank_intake.record:{file_id}")
    return len(waiting)


def book(session: Session, ids: Sequence[UUID], outcome: str) -> None:
    """Book what the bank said as ``applied`` or ``noted``; what is not open any more stays as it is."""
    if ids:
        session.conn.execute(_BOOK, (outcome, session.clock.now(), list(ids)))


__all__ = ["book", "record_files"]

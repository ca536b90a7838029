"""Credits of a statement that are refunds: found by the reference that the grantee was told, received once.

A credit that is no payment's is searched for references with right check digits, in what the payer wrote.
Where one of them names a receivable that is owed, the money is received for it as the system, under a request
id that follows from the entry: a pass that died is taken up again, the same statement changes nothing.
Everything else stays where it is, with the payments' pass and then in the queue; a credit that was queued
before its receivable was confirmed is looked at again. What was received and taken back by people is for
people: its reference is what misled.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from milepost.actions import SYSTEM, Order, perform_many
from milepost.db import Session
from milepost.work.bank_exceptions import clear_exceptions
from schema.receivable import OPEN
from states.reference import references_in

SLICE = 1000
_CREDITS = """SELECT id, currency, concat_ws(' ', remittance, end_to_end, reference, reason) FROM bank_entry
  WHERE source = 'statement' AND said = 'credit' AND payment_id IS NULL AND amount_minor > 0
    AND outcome IN ('new', 'queued')
    AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.entry_id = bank_entry.id)
    AND concat_ws(' ', remittance, end_to_end, reference, reason) ILIKE '%%RF%%'
    AND id > %s ORDER BY id LIMIT %s"""


def receive_credits(session: Session, report: Counter[str]) -> None:
    """Receive every credit that names a receivable; count them by step in ``report``."""
    last = UUID(int=0)
    while rows := session.conn.execute(_CREDITS, (last, SLICE)).fetchall():
        last = rows[-1][0]
        _receive(session, rows, report)
    _clear_up(session)


def _receive(session: Session, rows: list[tuple[UUID, str, str]], report: Counter[str]) -> None:
    wanted = {id: (currency, references_in(text)) for id, currency, text in rows}
    known = _receivables(session, sorted({ref for _, refs in wanted.values() for ref in refs}))
    orders = []
    for id, (currency, references) in wanted.items():
        named = [known[ref] for ref in references if ref in known and known[ref][2] == currency]
        # Two receivables in one transfer: a person says which part is for which.
        if len(named) == 1 and named[0][1] != "proposed":
            step = "receivable.receive" if named[0][1] in OPEN else "receivable.receive_over"
            orders.append(Order(step, named[0][0], {"entry_id": str(id)}, f"receipt:{id}"))
    for order in orders:
        # One by one: what the first leaves decides by which step the second comes in.
        report.update(_take(session, order))


def _take(session: Session, order: Order) -> Counter[str]:
    (outcome,) = perform_many(session, SYSTEM, [order])
    if outcome.receipt is None and order.step == "receivable.receive":
        again = Order("receivable.receive_over", order.subject_id, order.input, f"{order.request_id}/over")
        (outcome,) = perform_many(session, SYSTEM, [again])
    done = outcome.receipt is not None and not outcome.receipt.repeated
    return Counter([outcome.order.step]) if done else Counter()


def _receivables(session: Session, references: list[str]) -> dict[str, tuple[UUID, str, str]]:
    if not references:
        return {}
    found: list[Any] = session.conn.execute(
        "SELECT reference, id, state, currency FROM receivable WHERE reference = ANY(%s)", (references,)
    ).fetchall()
    return {reference: (id, state, currency) for reference, id, state, currency in found}


def _clear_up(session: Session) -> None:
    """What was received is no question any more; what was taken back since is a new one."""
    found = session.conn.execute(
        "SELECT x.id FROM bank_exception x JOIN bank_entry e ON e.id = x.entry_id "
        "WHERE x.state = 'open' AND (e.outcome = 'received' OR (e.outcome = 'new' AND EXISTS "
        "(SELECT 1 FROM receipt r WHERE r.entry_id = e.id))) ORDER BY x.id"
    ).fetchall()
    clear_exceptions(session, [row[0] for row in found], "退款已入账 · received as a refund")


def settle_set_offs(session: Session) -> int:
    """Payments that are set off as a whole need no bank: released, they are settled. How many were."""
    rows = session.conn.execute(
        "SELECT id, version FROM payment WHERE state = 'released' AND amount_minor = offset_minor ORDER BY id"
    ).fetchall()
    orders = [Order("payment.settle_by_set_off", id, {}, f"set_off:{id}:{version}") for id, version in rows]
    return sum(bool(outcome.receipt) for outcome in perform_many(session, SYSTEM, orders))


__all__ = ["receive_credits", "settle_set_offs"]

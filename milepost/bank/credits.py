"""A credit of a statement, and a payment, as somebody who settles what is owed has to know them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg


def credit(conn: psycopg.Connection[Any], id: UUID) -> dict[str, Any] | None:
    """A credit by its entry's id, locked until the step is over, with its receipt; None: no credit."""
    row = conn.execute(
        "SELECT e.amount_minor, e.currency, e.booked_on, e.reference, e.payment_id, e.outcome, "
        "(SELECT r.id FROM receipt r WHERE r.entry_id = e.id AND r.reversal_id IS NULL) FROM bank_entry e "
        "WHERE e.id = %s AND e.source = 'statement' AND e.said = 'credit' AND e.amount_minor > 0 "
        "FOR UPDATE OF e",
        (id,),
    ).fetchone()
    if row is None:
        return None
    names = ("amount_minor", "currency", "booked_on", "reference", "payment_id", "outcome", "receipt_id")
    return dict(zip(names, row, strict=True))


def payment_to_set_off(conn: psycopg.Connection[Any], id: UUID) -> dict[str, Any] | None:
    """A payment that something is to be set off against; ``live`` where something is already."""
    row = conn.execute(
        "SELECT y.project_id, y.state, y.amount_minor, y.currency, EXISTS (SELECT 1 FROM set_off o "
        "WHERE o.payment_id = y.id AND o.status IN ('proposed', 'agreed', 'applied')) "
        "FROM payment y WHERE y.id = %s",
        (id,),
    ).fetchone()
    names = ("project_id", "state", "amount_minor", "currency", "live")
    return dict(zip(names, row, strict=True)) if row else None


__all__ = ["credit", "payment_to_set_off"]

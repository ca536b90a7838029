"""One credit of a statement, as somebody who wants to receive it has to know it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg


def credit(conn: psycopg.Connection[Any], id: UUID) -> dict[str, Any] | None:
    """A credit by its entry's id, locked until the step is over, with its receipt; None: no credit."""
    row = conn.execute(
        "SELECT e.amount_minor, e.currency, e.booked_on, e.reference, e.payment_id, e.outcome, "
        "(SELECT r.id FROM receipt r WHERE r.entry_id = e.id) FROM bank_entry e "
        "WHERE e.id = %s AND e.source = 'statement' AND e.said = 'credit' AND e.amount_minor > 0 "
        "FOR UPDATE OF e",
        (id,),
    ).fetchone()
    if row is None:
        return None
    names = ("amount_minor", "currency", "booked_on", "reference", "payment_id", "outcome", "receipt_id")
    return dict(zip(names, row, strict=True))


__all__ = ["credit"]

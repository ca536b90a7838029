"""Where a refund goes: back to the appropriation that it was paid from, or to the treasury.

A programme may say that what comes back within the fiscal year is available again. The year is that of the
day on which the money came in; the appropriation must be of that year and in force. Money of earlier years,
and what the grantee paid to the treasury directly, is the treasury's.
"""

from __future__ import annotations

from uuid import UUID

from schema.inputs_receivable import ReceiveSlip
from states.case import Case


def homes(case: Case, taken_minor: int) -> list[tuple[UUID, int]]:
    """The appropriations that a refund goes home to, each with its part; the rest is the treasury's."""
    if case.programme.budget.same_year_refunds_to == "treasury" or isinstance(case.input, ReceiveSlip):
        return []
    year = case.facts["bank_credit"]["booked_on"].year
    found, left = [], taken_minor
    for row in case.facts["homes"]:
        part = min(left, int(row["open_minor"]))
        if row["fiscal_year"] == year and part > 0:
            found.append((UUID(row["id"]), part))
            left -= part
    return found


__all__ = ["homes"]

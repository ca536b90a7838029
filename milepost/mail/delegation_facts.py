"""What a mail says of a delegation: whose it is, and from when to when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Columns beside those of every mail; ``m`` is the mail, ``e`` and ``d`` its event and its deadline.
COLUMNS = """dg.state = 'accepted' AS dg_accepted, dg.from_on, dg.until_on, da.name AS dg_delegator,
  db.name AS dg_delegate, dg.delegate_id = m.recipient_id AS dg_to_me"""
JOINS = """LEFT JOIN delegation dg ON coalesce(e.noun, d.noun) = 'delegation'
  AND dg.id = coalesce(e.subject_id, d.subject_id)
LEFT JOIN person da ON da.id = dg.delegator_id LEFT JOIN person db ON db.id = dg.delegate_id"""


def delegation_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The values by name; names and days as they stand in the row, None where the mail is about none."""
    return {
        "accepted": bool(row["dg_accepted"]),
        "to_me": bool(row["dg_to_me"]),
        "delegator": row["dg_delegator"],
        "delegate": row["dg_delegate"],
        "first_day": row["from_on"],
        "last_day": row["until_on"],
    }


__all__ = ["COLUMNS", "JOINS", "delegation_values"]

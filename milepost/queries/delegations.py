"""Who acts for whom, as the two of them and supervisors may see it."""

from __future__ import annotations

from uuid import UUID

from milepost.db import Session
from milepost.queries.sight import Row, rows


def delegations(session: Session, actor_id: UUID, *, every: bool = False) -> list[Row]:
    """The delegations that the actor gave or was given, or every one; what is in force first."""
    return rows(
        session,
        """SELECT s.*, a.name AS delegator, b.name AS delegate, v.title AS programme,
          s.delegate_id = %(actor)s AS to_me FROM delegation s
        JOIN person a ON a.id = s.delegator_id JOIN person b ON b.id = s.delegate_id
        JOIN programme_version v ON v.id = s.programme_id
        WHERE %(every)s OR %(actor)s IN (s.delegator_id, s.delegate_id)
        ORDER BY s.state NOT IN ('granted', 'accepted'), s.until_on DESC, s.id LIMIT 200""",
        {"actor": actor_id, "every": every},
    )


__all__ = ["delegations"]

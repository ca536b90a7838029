"""Who acts for whom, as the two of them and supervisors may see it."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from milepost.db import Session
from milepost.queries.sight import Row, rows
from states.delegation import DELEGABLE
from states.refusals import Refusal, refuse


def delegations(session: Session, actor_id: UUID, *, every: bool = False) -> list[Row]:
    """The delegations that the actor gave or was given, or every one; what is in force first."""
    return rows(
        session,
        """SELECT s.*, a.name AS delegator, b.name AS delegate, v.title AS programme,
          s.delegate_id = %(actor)s AS to_me, s.delegator_id = %(actor)s AS by_me,
          o.name_zh AS office_zh, o.name_en AS office_en,
          (SELECT count(DISTINCT d.payment_id) FROM duty d WHERE d.delegation_id = s.id) AS done,
          CASE WHEN s.state = 'accepted' AND %(today)s < s.from_on THEN 'to_come'
            WHEN s.state = 'accepted' AND %(today)s > s.until_on THEN 'past'
            WHEN s.state = 'accepted' THEN 'in_force' END AS running
        FROM delegation s
        JOIN person a ON a.id = s.delegator_id JOIN person b ON b.id = s.delegate_id
        JOIN programme_version v ON v.id = s.programme_id LEFT JOIN office o ON o.path = s.within
        WHERE %(every)s OR %(actor)s IN (s.delegator_id, s.delegate_id)
        ORDER BY s.state NOT IN ('granted', 'accepted'), s.until_on DESC, s.id LIMIT 200""",
        {"actor": actor_id, "every": every, "today": session.clock.today()},
    )


_LAPSED = """SELECT n.name, g.state, g.from_on, g.until_on FROM delegation g
  JOIN person n ON n.id = g.delegator_id JOIN payment y ON y.id = %(payment)s
  JOIN project p ON p.id = y.project_id JOIN programme_version v ON v.id = p.programme_id
 WHERE g.delegate_id = %(actor)s AND g.chain_id = v.chain_id AND g.steps ? %(step)s
   AND starts_with(p.office_path, g.within) AND g.state IN ('accepted', 'revoked', 'ended')
   AND (g.state <> 'accepted' OR %(today)s NOT BETWEEN g.from_on AND g.until_on)
   AND NOT EXISTS (SELECT 1 FROM delegation x WHERE x.delegate_id = g.delegate_id AND x.chain_id = g.chain_id
     AND (x.state = 'granted' OR (x.state = 'accepted' AND %(today)s BETWEEN x.from_on AND x.until_on)))
 ORDER BY g.state = 'accepted' DESC, g.until_on DESC, g.id LIMIT 1"""


def lapsed(
    conn: psycopg.Connection[Any], today: date, actor_id: UUID, step: str, payment_id: UUID | None
) -> Refusal | None:
    """Why somebody who acted for another in this payment's programme cannot any more, or not yet.

    Says nothing of the payment, which they may no longer see. None to whoever had no such delegation, or has
    another that runs or is offered: then it is that one's bounds that keep them.
    """
    if step not in DELEGABLE or payment_id is None:
        return None
    asked = {"actor": actor_id, "payment": payment_id, "step": step, "today": today}
    found = conn.execute(_LAPSED, asked).fetchone()
    if found is None:
        return None
    name, state, from_on, until_on = found
    if state == "accepted" and today < from_on:
        return refuse("delegation_not_begun", name=name, day=from_on)
    if state == "revoked":
        return refuse("delegation_withdrawn", name=name)
    return refuse("delegation_over", name=name, day=until_on)


__all__ = ["delegations", "lapsed"]

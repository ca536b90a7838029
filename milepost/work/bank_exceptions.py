"""The queue of what the bank said and our books do not know: who clears something up says what it was."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from milepost.actions import Actor
from milepost.db import Session
from states.refusals import Refused, refuse

How = Literal["explain", "match", "use"]
HOWS: tuple[How, ...] = ("explain", "match", "use")
RESOLVERS = frozenset({"finance_officer"})


def resolve(session: Session, actor: Actor, id: UUID, how: How, note: str) -> None:
    """Close an exception, once, or ``Refused`` with every reason.

    - ``explain``: what it was stands in the note; nothing moves by it.
    - ``match``: the entry means the likely payment, and is taken up for it. Needs a fresh log-in.
    - ``use``: a statement that does not add up counts after all. Needs a fresh log-in.
    """
    with session.conn.transaction():
        row = session.conn.execute(
            "SELECT x.kind, x.state, x.file_id, x.entry_id, x.likely_id, e.amount_minor, y.amount_minor, "
            "EXISTS (SELECT 1 FROM role_grant g JOIN person n ON n.id = g.person_id AND n.active "
            "WHERE g.person_id = %s AND g.role = ANY(%s) AND g.revoked_at IS NULL) "
            "FROM bank_exception x LEFT JOIN bank_entry e ON e.id = x.entry_id "
            "LEFT JOIN payment y ON y.id = x.likely_id WHERE x.id = %s FOR UPDATE OF x",
            (actor.id, sorted(RESOLVERS), id),
        ).fetchone()
        if row is None or not row[-1]:
            raise Refused([refuse("not_found")])
        kind, state, file_id, entry_id, likely_id, theirs, ours, _ = row
        problems = []
        if state != "open":
            problems.append(refuse("bank_exception_closed"))
        if not note.strip():
            problems.append(refuse("bank_exception_note"))
        if how != "explain" and not actor.fresh:
            problems.append(refuse("fresh_login_needed"))
        if how == "match" and (likely_id is None or entry_id is None or abs(theirs) != ours):
            problems.append(refuse("bank_exception_no_match"))
        if how == "use" and kind != "statement_differs":
            problems.append(refuse("bank_exception_no_match"))
        if problems:
            raise Refused(problems)
        if how == "match":
            session.conn.execute(
                "UPDATE bank_entry SET payment_id = %s, outcome = 'new' WHERE id = %s", (likely_id, entry_id)
            )
        elif how == "use":
            session.conn.execute(
                "UPDATE bank_entry SET outcome = 'new' WHERE file_id = %s AND outcome = 'held'", (file_id,)
            )
        session.conn.execute(
            "UPDATE bank_exception SET state = 'resolved', resolved_by = %s, resolved_at = %s, how = %s, "
            "note = %s WHERE id = %s",
            (actor.id, session.clock.now(), how, note.strip(), id),
        )


__all__ = ["HOWS", "RESOLVERS", "How", "resolve"]

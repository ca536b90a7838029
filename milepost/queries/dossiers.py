"""What an application says of its subject and its people, for the form in which it is said again."""

from __future__ import annotations

from uuid import UUID

from milepost.db import Session
from milepost.queries.sight import GRANTEES, OBJECTORS, Row, Sight, review_open, rows


def said_before(session: Session, sight: Sight, project_id: UUID) -> Row:
    """The dossier as it stands, for those who may write it anew; empty where there is none yet.

    It holds what no page shows (accounts, hashes of identity numbers): writing it again loses nothing.
    Whom the applicant asks to keep away is theirs, and of those who may see the review.
    """
    if not sight.roles & (GRANTEES | OBJECTORS):
        return {}
    found = rows(
        session,
        f"""SELECT o.summary, o.fields, o.team,
          CASE WHEN %(grantee)s OR {review_open("o.project_id")} THEN o.unsuitable ELSE '[]' END AS unsuitable
        FROM dossier o WHERE o.project_id = %(id)s""",
        {
            "id": project_id,
            "actor": sight.actor_id,
            "grantee": bool(sight.roles & GRANTEES),
            "today": session.clock.today(),
        },
    )
    return found[0] if found else {}


__all__ = ["said_before"]

"""What applicants are told of the reviews, once it is decided and as far as the programme says.

Until then, and in programmes that say nothing, there is nothing here for anybody.
"""

from __future__ import annotations

from uuid import UUID

from config.programmes import Programme
from milepost.db import Session
from milepost.queries.sight import Row, rows

DECIDED = "(p.award_minor IS NOT NULL OR p.state = 'declined')"


def feedback(session: Session, project_id: UUID, programme: Programme) -> list[Row]:
    """The submitted reviews of decided rounds: comments; with ``scores`` their scores; if open, by whom.

    Their order is that of a hash, so that it says nothing about who wrote first or was asked first.
    """
    review = programme.review
    if review is None or review.feedback == "nothing":
        return []
    score = "t.score_milli" if review.feedback == "scores" else "NULL::int AS score_milli"
    name = "n.name" if review.blinding == "open" else "NULL::text AS name"
    return rows(
        session,
        f"SELECT r.stage, r.number, t.comment, {score}, {name} FROM task t "
        "JOIN round r ON r.id = t.round_id JOIN project p ON p.id = t.project_id "
        "JOIN person n ON n.id = t.expert_id "
        f"WHERE t.project_id = %(project)s AND t.state = 'submitted' AND r.state = 'decided' AND {DECIDED} "
        "ORDER BY r.stage, r.number, sha256(uuid_send(t.id))",
        {"project": project_id},
    )


__all__ = ["feedback"]

"""The rounds of a stage that are composed by hand or by a matching: what is to be matched with whom.

For officers, and closed as a whole by a conflict of interest with one of the applications, as rankings are:
a matching weighs every application against every other. The statement that reads the rounds asks for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.programmes import Panel
from milepost.db import Session
from milepost.experts.basis import conflicts, pool_on
from milepost.experts.conflicts import conflicts_among
from milepost.programmes import load_published
from milepost.queries.rankings import STAGES, Scope
from milepost.queries.sight import MINE, Row, holds_role, rows
from states.machines import Compiled

COMPOSED_BY = ("hand", "matching")
LIVE = "('invited', 'accepted', 'late', 'submitted')"
_OFFICER = holds_role(["programme_officer"])


def matched_here(compiled: Compiled | None) -> Panel | None:
    """The panel of a programme whose officers compose it; None where panels are drawn, or there are none."""
    review = compiled.programme.review if compiled else None
    return review.panel if review is not None and review.panel.by in COMPOSED_BY else None


def open_lists(session: Session, actor_id: UUID) -> list[Row]:
    """The stages with open rounds that somebody may compose, with how many rounds and empty seats."""
    found = rows(
        session,
        f"""WITH {MINE}, listed AS MATERIALIZED (
          SELECT p.id, p.programme_id, p.call_id, r.stage, (SELECT count(*) FROM task t
            WHERE t.round_id = r.id AND t.state IN {LIVE}) AS seated
          FROM project p JOIN round r ON r.project_id = p.id AND r.state = 'open' WHERE {_OFFICER}
        ), closed AS MATERIALIZED ({conflicts_among("SELECT DISTINCT id FROM listed")})
        SELECT l.programme_id, l.stage, l.call_id, v.code, v.version, v.title, c.title AS call_title,
          count(*) AS rounds, array_agg(l.seated::int) AS seated
        FROM listed l JOIN programme_version v ON v.id = l.programme_id LEFT JOIN call c ON c.id = l.call_id
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        HAVING NOT bool_or(l.id IN (SELECT project_id FROM closed))
        ORDER BY v.code, v.version DESC, c.title NULLS LAST, l.stage""",
        {"actor": actor_id, "today": session.clock.today()},
    )
    kept = []
    for row in found:
        panel = matched_here(load_published(session.conn, row["programme_id"]))
        if panel is not None and row["stage"] in STAGES:
            row["empty"] = sum(max(panel.size - seated, 0) for seated in row.pop("seated"))
            kept.append(row)
    return kept


_ROUNDS = f"""WITH {MINE}, listed AS MATERIALIZED (
  SELECT p.id, r.id AS round_id FROM project p JOIN round r ON r.project_id = p.id
  WHERE p.programme_id = %(programme)s AND p.call_id IS NOT DISTINCT FROM %(call)s
    AND r.stage = %(stage)s AND r.state = 'open' AND {_OFFICER}
), closed AS MATERIALIZED ({conflicts_among("SELECT id FROM listed")})
SELECT p.id, l.round_id, p.code, p.title, p.unit_name, p.office_path, o.summary,
  coalesce(o.fields, '[]') AS fields,
  ARRAY(SELECT DISTINCT y.unit_key FROM project_party y WHERE y.project_id = p.id
    AND y.part <> 'unsuitable' AND y.unit_key <> '') AS unit_keys,
  coalesce((SELECT jsonb_agg(jsonb_build_object('id', t.expert_id, 'state', t.state) ORDER BY t.id)
    FROM task t WHERE t.round_id = l.round_id), '[]') AS tasks
FROM listed l JOIN project p ON p.id = l.id LEFT JOIN dossier o ON o.project_id = p.id
WHERE NOT EXISTS (SELECT 1 FROM closed) ORDER BY p.code"""


def open_rounds(session: Session, actor_id: UUID, scope: Scope) -> list[Row]:
    """The open rounds of a list with their applications and tasks; nothing where it is closed."""
    asked: dict[str, Any] = {
        "actor": actor_id,
        "today": session.clock.today(),
        "programme": scope.programme_id,
        "stage": scope.stage,
        "call": scope.call_id,
    }
    return rows(session, _ROUNDS, asked)


@dataclass(frozen=True, slots=True)
class Material:
    """What a matching is made of: rounds, the pool with words about each, who is barred from what."""

    rounds: list[Row]
    pool: list[Row]
    barred: dict[str, dict[str, str]]
    names: dict[str, str]


def material(session: Session, actor_id: UUID, scope: Scope, panel: Panel) -> Material:
    """Everything a matching needs, as of now; no rounds where the list is closed to the actor."""
    found = open_rounds(session, actor_id, scope)
    day = session.clock.today()
    pool = pool_on(session.conn, day, panel)
    seated = {task["id"] for row in found for task in row["tasks"]}
    people = sorted({row["id"] for row in pool} | seated)
    told = rows(
        session,
        "SELECT n.id::text AS id, n.name, x.kinds, coalesce(x.title, '') || ' ' || coalesce(x.profile, '') "
        "AS words FROM person n LEFT JOIN expert x ON x.person_id = n.id "
        "WHERE n.id = ANY(%(people)s::uuid[])",
        {"people": people},
    )
    about = {row["id"]: row for row in told}
    for row in pool:
        row["words"] = about[row["id"]]["words"] or ""
    known = {row["id"] for row in pool}
    # Whoever was asked before and is not in the pool keeps the seat, and takes no other.
    pool += [
        {
            "id": id,
            "kinds": about[id]["kinds"] or ["technology"],
            "institution": "",
            "region": "",
            "fields": [],
            "capacity": 0,
            "words": "",
        }
        for id in people
        if id not in known
    ]
    barred = conflicts(session.conn, [row["id"] for row in found], [UUID(id) for id in people], day)
    return Material(found, pool, barred, {row["id"]: row["name"] for row in told})


__all__ = ["COMPOSED_BY", "Material", "matched_here", "material", "open_lists", "open_rounds"]

"""Reads of draws: for the officers and supervisors of an office, and for everybody what is published.

Whoever sees a draw sees ids; whose they are is in the pool, for those who see the pool. Of a project with
which the reader has a conflict of their own, the panel is left out. The published list and record hold ids
alone and are the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from milepost.db import Session
from milepost.experts.conflicts import conflicts_among
from milepost.experts.draw_names import write_opening
from milepost.experts.published import RECORD_SQL, published_bytes
from milepost.queries.projects import Page
from milepost.queries.sight import DRAWS, Row, rows
from states.case import SYSTEM_ID

PAGE = 50

_SEEN = """(%(actor)s = %(system)s OR EXISTS (SELECT 1 FROM role_grant g WHERE g.person_id = %(actor)s
  AND g.revoked_at IS NULL AND g.role = ANY(%(roles)s) AND starts_with(d.office_path, g.office_path)))"""
_BASICS = """d.id, d.title, d.state, d.office_path, d.programme_id, v.code AS programme_code,
  v.title AS programme_title, d.commitment, d.announced_at, d.drawn_at, d.source_kind, d.source_name,
  d.source_on, d.value, d.value_evidence, d.witness_id, d.replaces_id, d.reason, d.version,
  (SELECT count(*) FROM draw_round q WHERE q.draw_id = d.id) AS rounds"""
_OF = "FROM draw d JOIN programme_version v ON v.id = d.programme_id"


def _reader(actor_id: UUID) -> dict[str, Any]:
    return {"actor": actor_id, "system": SYSTEM_ID, "roles": sorted(DRAWS)}


def draws(session: Session, actor_id: UUID, *, after: str = "", limit: int = PAGE) -> Page:
    """The draws of the reader's offices, the newest first; ``after`` is the key a page before ended with."""
    at, id = _key_in(after)
    found = rows(
        session,
        f"SELECT {_BASICS} {_OF} WHERE {_SEEN} AND (%(at)s::timestamptz IS NULL "
        "OR (d.announced_at, d.id) < (%(at)s::timestamptz, %(id)s::uuid)) "
        "ORDER BY d.announced_at DESC, d.id DESC LIMIT %(limit)s",
        {**_reader(actor_id), "at": at, "id": id, "limit": limit + 1},
    )
    return Page(found[:limit], _key(found[limit - 1]) if len(found) > limit else None)


def _key(row: Row) -> str:
    return f"{row['announced_at'].isoformat()}~{row['id']}"


def _key_in(text: str) -> tuple[datetime | None, UUID | None]:
    """A key that was given out; anything else begins from the newest."""
    at, _, id = text.partition("~")
    try:
        return datetime.fromisoformat(at.replace(" ", "+")), UUID(id)
    except ValueError:
        return None, None


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody on a panel or who was: by draw (``entry`` 0) or replacement; ``state`` is their task's.

    ``alias`` is what the record calls them.
    """

    expert: str
    entry: int
    state: str
    name: str
    alias: str


@dataclass(frozen=True, slots=True)
class PanelView:
    """A project's panel: who sits and sat there, what is lacking; ``closed``: not for this reader."""

    project_id: UUID
    round_id: UUID
    code: str
    seats: Sequence[Seat] = ()
    short: Sequence[str] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class DrawView:
    """A draw as its office sees it: its row, what was committed, panels, entries, the draws around it."""

    row: Row
    committed: Row
    panels: list[PanelView]
    entries: list[Row]
    before: Row | None
    after: list[Row] = field(default_factory=list)


def draw_view(session: Session, actor_id: UUID, id: UUID) -> DrawView | None:
    """One draw; None where there is none or it is not the reader's."""
    found = rows(
        session,
        f"SELECT {_BASICS}, d.panels, d.entries, convert_from(d.committed, 'UTF8')::jsonb AS committed "
        f"{_OF} WHERE d.id = %(id)s AND {_SEEN}",
        {**_reader(actor_id), "id": id},
    )
    if not found:
        return None
    row = found[0]
    committed, kept, entries = row.pop("committed"), row.pop("panels"), row.pop("entries")
    panels = _panels(session, actor_id, id, kept or {}, entries or [])
    open_ones = {str(panel.project_id): panel.code for panel in panels if not panel.closed}
    known = {seat.alias: {"id": seat.expert, "name": seat.name} for panel in panels for seat in panel.seats}
    told = [
        {
            **entry,
            "number": number,
            "code": open_ones[entry["project"]],
            "at": datetime.fromisoformat(entry["at"]),
            "gone": known[entry["gone"]],
            "successors": [known[one] for one in entry["successors"]],
        }
        for number, entry in enumerate(entries or [], start=1)
        if entry["project"] in open_ones
    ]
    around = (
        "SELECT d.id, d.title, d.state, d.commitment, d.announced_at, d.reason FROM draw d WHERE "
        f"{{}} AND {_SEEN} ORDER BY d.announced_at"
    )
    before = rows(session, around.format("d.id = %(id)s"), {**_reader(actor_id), "id": row["replaces_id"]})
    after = rows(session, around.format("d.replaces_id = %(id)s"), {**_reader(actor_id), "id": id})
    return DrawView(row, committed, panels, told, before[0] if before else None, after)


def _panels(
    session: Session, actor_id: UUID, draw_id: UUID, kept: Row, entries: Sequence[Row]
) -> list[PanelView]:
    """The panels in the drawn order, before the draw in that of the codes."""
    of_these = "SELECT q.project_id FROM draw_round q WHERE q.draw_id = %(id)s"
    found = rows(
        session,
        f"""WITH closed AS MATERIALIZED ({conflicts_among(of_these)})
        SELECT q.project_id, q.round_id, p.code, p.id IN (SELECT project_id FROM closed) AS closed,
          coalesce((SELECT jsonb_agg(jsonb_build_object('expert', s.expert_id, 'entry', s.entry,
              'state', coalesce(t.state, ''), 'name', n.name, 'alias', draw_alias(w.salt, s.expert_id))
              ORDER BY s.entry, s.rank)
            FROM draw_seat s JOIN draw w ON w.id = s.draw_id JOIN person n ON n.id = s.expert_id
            LEFT JOIN task t ON t.round_id = s.round_id AND t.expert_id = s.expert_id
            WHERE s.draw_id = q.draw_id AND s.round_id = q.round_id), '[]') AS seats
        FROM draw_round q JOIN project p ON p.id = q.project_id WHERE q.draw_id = %(id)s ORDER BY p.code""",
        {"id": draw_id, "actor": actor_id, "today": session.clock.today()},
    )
    order = {panel["project"]: n for n, panel in enumerate(kept.get("panels", []))}
    short = {panel["project"]: panel["short"] for panel in kept.get("panels", [])}
    for entry in entries:
        short[entry["project"]] = entry["short"]
    found.sort(key=lambda row: order.get(str(row["project_id"]), len(order)))
    return [
        PanelView(row["project_id"], row["round_id"], row["code"], closed=True)
        if row["closed"]
        else PanelView(
            row["project_id"],
            row["round_id"],
            row["code"],
            tuple(Seat(**seat) for seat in row["seats"]),
            tuple(short.get(str(row["project_id"]), ())),
        )
        for row in found
    ]


# What forms offer ---------------------------------------------------------------------------------------


def rounds_to_draw(session: Session, actor_id: UUID) -> list[Row]:
    """Open rounds for which no draw stands, where the actor is an officer and the programme draws.

    Without those of applications with which the actor has a conflict of interest.
    """
    found = rows(
        session,
        f"""WITH closed AS MATERIALIZED (
          {conflicts_among("SELECT DISTINCT project_id FROM round WHERE state = 'open'")})
        SELECT r.id, p.id AS project_id, p.code, p.title, p.programme_id, p.office_path, r.stage, r.number,
          v.code AS programme_code,
          (SELECT w.title FROM draw_round q JOIN draw w ON w.id = q.draw_id WHERE q.round_id = r.id
            ORDER BY w.announced_at DESC LIMIT 1) AS drawn_before
        FROM round r JOIN project p ON p.id = r.project_id JOIN programme_version v ON v.id = p.programme_id
        WHERE r.state = 'open' AND NOT EXISTS (
            SELECT 1 FROM draw_round q WHERE q.round_id = r.id AND q.voided_at IS NULL)
          AND (%(actor)s = %(system)s OR EXISTS (SELECT 1 FROM role_grant g WHERE g.person_id = %(actor)s
            AND g.revoked_at IS NULL AND g.role = 'programme_officer'
            AND starts_with(p.office_path, g.office_path)))
          AND p.id NOT IN (SELECT project_id FROM closed)
        ORDER BY v.code, p.code LIMIT 2000""",
        {"actor": actor_id, "system": SYSTEM_ID, "today": session.clock.today()},
    )
    return [row for row in found if _draws(session, row["programme_id"])]


def _draws(session: Session, programme_id: UUID) -> bool:
    from milepost.cases import programme_of

    review = programme_of(session.conn, session.programmes, programme_id).programme.review
    return review is not None and review.panel.by == "draw"


def void_draws(session: Session, actor_id: UUID) -> list[Row]:
    """Draws that were voided and that another one may name as the one before it."""
    return rows(
        session,
        f"SELECT d.id, d.title, d.commitment FROM draw d WHERE d.state = 'void' AND {_SEEN} "
        "AND NOT EXISTS (SELECT 1 FROM draw x WHERE x.replaces_id = d.id AND x.state <> 'void') "
        "ORDER BY d.announced_at DESC LIMIT 200",
        _reader(actor_id),
    )


_CLOSED_OF = f"""WITH closed AS MATERIALIZED (
  {conflicts_among("SELECT o.project_id FROM draw_round o WHERE o.draw_id = %(id)s")})"""


def rounds_drawn(session: Session, actor_id: UUID, draw_id: UUID) -> list[Row]:
    """The rounds of a draw that stands, for the one who fills a seat and has no conflict there."""
    return rows(
        session,
        f"{_CLOSED_OF} SELECT q.round_id AS id, p.code, p.title FROM draw_round q "
        "JOIN project p ON p.id = q.project_id WHERE q.draw_id = %(id)s AND q.voided_at IS NULL "
        "AND p.id NOT IN (SELECT project_id FROM closed) ORDER BY p.code",
        {"id": draw_id, "actor": actor_id, "today": session.clock.today()},
    )


def seated(session: Session, actor_id: UUID, draw_id: UUID) -> list[Row]:
    """Who was drawn and has been followed by nobody, with the project's code; no panel with a conflict."""
    return rows(
        session,
        f"""{_CLOSED_OF} SELECT DISTINCT s.expert_id AS id, p.code
          FROM draw_seat s JOIN draw d ON d.id = s.draw_id
          JOIN draw_round q ON q.draw_id = s.draw_id AND q.round_id = s.round_id
          JOIN project p ON p.id = q.project_id
        WHERE s.draw_id = %(id)s AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(d.entries) e
          WHERE e ->> 'project' = q.project_id::text AND e ->> 'gone' = draw_alias(d.salt, s.expert_id))
          AND p.id NOT IN (SELECT project_id FROM closed)
        ORDER BY p.code, s.expert_id""",
        {"id": draw_id, "actor": actor_id, "today": session.clock.today()},
    )


# What is published --------------------------------------------------------------------------------------


# Every application that was drawn for has left the stage it was reviewed in.
_OVER = """NOT EXISTS (SELECT 1 FROM draw_round o JOIN round r ON r.id = o.round_id
  JOIN project p ON p.id = o.project_id
  WHERE o.draw_id = d.id AND r.stage IN (p.state, CASE p.state WHEN 'suspended' THEN p.suspended_from END))"""


def published(session: Session, *, after: str = "", limit: int = PAGE) -> Page:
    """Every draw with its commitment, as anybody may see it: no title, no name; the newest first."""
    at, id = _key_in(after)
    found = rows(
        session,
        f"""SELECT d.id, d.state, d.commitment, d.announced_at, d.drawn_at, d.value, d.source_kind,
          d.source_name, d.source_on, v.code AS programme_code, v.title AS programme_title,
          b.commitment AS before,
          (SELECT count(*) FROM draw_round q WHERE q.draw_id = d.id) AS rounds, {_OVER} AS released
        FROM draw d JOIN programme_version v ON v.id = d.programme_id
        LEFT JOIN draw b ON b.id = d.replaces_id
        WHERE %(at)s::timestamptz IS NULL OR (d.announced_at, d.id) < (%(at)s::timestamptz, %(id)s::uuid)
        ORDER BY d.announced_at DESC, d.id DESC LIMIT %(limit)s""",
        {"at": at, "id": id, "limit": limit + 1},
    )
    return Page(found[:limit], _key(found[limit - 1]) if len(found) > limit else None)


def record_for(session: Session, actor_id: UUID, draw_id: UUID) -> bytes | None:
    """The record for a reader of the draw; None for who has a conflict with one of its reviews under way."""
    found = rows(
        session,
        f"{_CLOSED_OF} {RECORD_SQL} WHERE d.id = %(id)s AND ({_OVER} OR NOT EXISTS (SELECT 1 FROM closed))",
        {"id": draw_id, "actor": actor_id, "today": session.clock.today()},
    )
    return published_bytes(found[0]) if found else None


def names_for(session: Session, actor_id: UUID, draw_id: UUID) -> bytes | None:
    """Who the names in a draw's record are, for a supervisor of its office without a conflict in it."""
    found = rows(
        session,
        f"""{_CLOSED_OF} SELECT d.commitment, d.salt, ARRAY(SELECT x.person_id::text FROM expert x
            WHERE convert_from(d.committed, 'UTF8')::jsonb->'pool'
              @> jsonb_build_array(jsonb_build_object('id', draw_alias(d.salt, x.person_id)))) AS experts
          FROM draw d WHERE d.id = %(id)s AND d.salt IS NOT NULL AND NOT EXISTS (SELECT 1 FROM closed)
            AND {_SEEN}""",
        {**_reader(actor_id), "roles": ["supervisor"], "id": draw_id, "today": session.clock.today()},
    )
    row = found[0] if found else None
    return write_opening(str(draw_id), row["commitment"], row["salt"], row["experts"]) if row else None


def record_of(session: Session, draw_id: UUID) -> bytes | None:
    """The whole record of a draw, void ones included; None where there is none."""
    found = rows(session, f"{RECORD_SQL} WHERE d.id = %(id)s", {"id": draw_id})
    return published_bytes(found[0]) if found else None


def record_by_commitment(session: Session, commitment: str) -> bytes | None:
    """A record by the commitment, which is how the public names a draw; None until its reviews are over.

    Before that it would tell applicants how many review, who left and when.
    """
    found = rows(session, f"{RECORD_SQL} WHERE d.commitment = %(name)s AND {_OVER}", {"name": commitment})
    return published_bytes(found[0]) if found else None


def draw_named(session: Session, actor_id: UUID, text: str) -> UUID | None:
    """A draw that the reader sees, by its id or the beginning of its commitment (eight digits or more)."""
    given = text.strip().lower()
    found = rows(
        session,
        f"SELECT d.id FROM draw d WHERE {_SEEN} AND (d.id::text = %(text)s "
        "OR (length(%(text)s) >= 8 AND starts_with(d.commitment, %(text)s))) LIMIT 2",
        {**_reader(actor_id), "text": given},
    )
    return found[0]["id"] if len(found) == 1 else None


__all__ = [
    "DrawView",
    "PanelView",
    "Seat",
    "draw_named",
    "draw_view",
    "draws",
    "names_for",
    "published",
    "record_by_commitment",
    "record_for",
    "record_of",
    "rounds_drawn",
    "rounds_to_draw",
    "seated",
    "void_draws",
]

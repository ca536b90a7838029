"""Reads of the expert pool: the list and one entry as far as the reader may see, loads, who can be drawn.

The pool shows itself to the roles of ``permits.READERS`` for regions they hold, and to each expert their own
entry. To everybody else no expert is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from milepost.clock import OFFICE_ZONE
from milepost.db import Session
from milepost.experts.conflicts import conflicts_among
from milepost.experts.duplicates import Pair, find_duplicates
from milepost.experts.fitness import ABSENT, BANNED, USED, of_year
from milepost.experts.permits import PERMITS, READERS, SELF, parts_of
from milepost.queries.projects import Page
from milepost.queries.sight import MINE, VISIBLE, Row, review_open, rows
from states.case import SYSTEM_ID

PAGE = 50
STANDINGS = ("available", "absent", "banned", "retired")
_NOW_THERE = "(a.from_on IS NULL OR a.from_on <= %(day)s) AND (a.to_on IS NULL OR a.to_on >= %(day)s)"


# Loads and draws ----------------------------------------------------------------------------------------


def _year(session: Session, year: int) -> dict[str, Any]:
    return of_year(year, getattr(session.clock, "zone", OFFICE_ZONE))


def load_used(
    session: Session, expert_ids: Sequence[UUID], year: int, *, reader: UUID | None = None
) -> dict[UUID, int]:
    """How many tasks each expert was given in a calendar year; those that came to nothing not counted.

    For a ``reader``: without those of reviews that a conflict of interest closes to them.
    """
    closed, and_open = "", ""
    if reader is not None:
        these = "SELECT DISTINCT k.project_id FROM task k WHERE k.expert_id = ANY(%(ids)s)"
        closed = f"WITH closed AS MATERIALIZED ({conflicts_among(these)}) "
        and_open = "AND t.project_id NOT IN (SELECT project_id FROM closed)"
    found = session.conn.execute(
        f"{closed}{USED} AND t.expert_id = ANY(%(ids)s) {and_open} GROUP BY t.expert_id",
        {
            **_year(session, year),
            "ids": list(expert_ids),
            "actor": reader,
            "today": session.clock.today(),
        },
    ).fetchall()
    used = {row[0]: int(row[1]) for row in found}
    return {id: used.get(id, 0) for id in expert_ids}


@dataclass(frozen=True, slots=True)
class Eligible:
    """An expert who can be drawn or matched on a day; ``units``: keys of where they work that day.

    ``capacity_left``: how many tasks of the day's year are left of the yearly load, never below 0.
    """

    person_id: UUID
    kinds: tuple[str, ...]
    region: str
    units: tuple[str, ...]
    fields: tuple[str, ...]
    capacity_left: int
    languages: tuple[str, ...]
    profile: str


def eligible(session: Session, day: date) -> list[Eligible]:
    """Everybody who is neither retired nor disabled, banned, or absent on that day, by id: one question.

    Those without capacity left are among them; whoever draws leaves them out, and can say so.
    """
    found = session.conn.execute(
        f"""SELECT x.person_id, x.kinds, x.region, coalesce(u.units, '{{}}'), coalesce(f.codes, '{{}}'),
          greatest(x.yearly_load - coalesce(l.used, 0), 0), x.languages, x.profile
        FROM expert x JOIN person n ON n.id = x.person_id AND n.active
        LEFT JOIN (SELECT a.person_id, array_agg(DISTINCT a.unit_key ORDER BY a.unit_key) AS units
          FROM affiliation a WHERE {_NOW_THERE} GROUP BY a.person_id) u ON u.person_id = x.person_id
        LEFT JOIN (SELECT person_id, array_agg(code ORDER BY code) AS codes FROM expert_field
          GROUP BY person_id) f ON f.person_id = x.person_id
        LEFT JOIN ({USED} GROUP BY t.expert_id) l ON l.expert_id = x.person_id
        WHERE x.active AND NOT {BANNED} AND NOT {ABSENT} ORDER BY x.person_id""",
        {**_year(session, day.year), "day": day},
    ).fetchall()
    return [
        Eligible(id, tuple(kinds), region, tuple(units), tuple(codes), left, tuple(languages), profile)
        for id, kinds, region, units, codes, left, languages, profile in found
    ]


# Pages --------------------------------------------------------------------------------------------------


def _held(roles: str) -> str:
    return f"""(%(everything)s OR EXISTS (SELECT 1 FROM role_grant g WHERE g.person_id = %(actor)s
      AND g.revoked_at IS NULL AND g.role = ANY(%({roles})s) AND starts_with(x.region, g.office_path)))"""


_SEEN = _held("readers")
# To administrators, who keep accounts only, nobody is banned or absent, and nobody has reviewed.
_BANNED_SEEN = f"({BANNED} AND {_held('review_side')})"
_ABSENT_SEEN = f"({ABSENT} AND {_held('review_side')})"


def _reader(actor_id: UUID) -> dict[str, Any]:
    return {
        "actor": actor_id,
        "everything": actor_id == SYSTEM_ID,
        "readers": sorted(READERS),
        "review_side": sorted(PERMITS["read_review_side"] - {SELF}),
    }


def expert_list(
    session: Session,
    actor_id: UUID,
    *,
    search: str = "",
    unit: str = "",
    field: str = "",
    kind: str = "",
    standing: str = "",
    after: str = "",
    limit: int = PAGE,
) -> Page:
    """Experts by log-in as far as the reader's roles reach. ``standing``: one of ``STANDINGS``, or all."""
    day = session.clock.today()
    where = {
        "available": f"x.active AND n.active AND NOT {_BANNED_SEEN} AND NOT {_ABSENT_SEEN}",
        "absent": f"x.active AND {_ABSENT_SEEN}",
        "banned": _BANNED_SEEN,
        "retired": "NOT (x.active AND n.active)",
    }.get(standing, "true")
    found = rows(
        session,
        f"""SELECT n.id, n.login, n.name, x.kinds, x.region, x.yearly_load, x.title,
          x.active AND n.active AS active, {_held("review_side")} AS review_side,
          {_BANNED_SEEN} AS banned, {_ABSENT_SEEN} AS absent,
          ARRAY(SELECT a.unit_name FROM affiliation a WHERE a.person_id = n.id AND {_NOW_THERE}
            ORDER BY a.from_on DESC NULLS LAST, a.unit_name) AS units,
          ARRAY(SELECT f.code FROM expert_field f WHERE f.person_id = n.id ORDER BY f.code) AS fields
        FROM expert x JOIN person n ON n.id = x.person_id
        WHERE {_SEEN} AND n.login > %(after)s AND {where}
          AND (%(search)s = '' OR n.login ILIKE %(pattern)s OR n.name ILIKE %(pattern)s)
          AND (%(kind)s = '' OR x.kinds ? %(kind)s)
          AND (%(field)s = '' OR EXISTS (SELECT 1 FROM expert_field f WHERE f.person_id = n.id
            AND starts_with(f.code, %(field)s)))
          AND (%(unit)s = '' OR EXISTS (SELECT 1 FROM affiliation a WHERE a.person_id = n.id
            AND strpos(a.unit_key, compared(%(unit)s)) > 0))
        ORDER BY n.login LIMIT %(limit)s""",
        {
            **_reader(actor_id),
            "day": day,
            "after": after,
            "search": search,
            "pattern": f"%{search.translate(_LITERAL)}%",
            "kind": kind,
            "field": "".join(c for c in field if c.isdigit()) if field else "",
            "unit": unit,
            "limit": limit + 1,
        },
    )
    page = found[:limit]
    used = load_used(session, [row["id"] for row in page], day.year, reader=actor_id)
    for row in page:
        row["used"] = used[row["id"]] if row.pop("review_side") else None
    return Page(page, page[-1]["login"] if len(found) > limit else None)


_LITERAL = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


def expert(session: Session, actor_id: UUID, person_id: UUID) -> Row | None:
    """One entry with all that is known over time, as far as this reader may see it; None where they may not.

    ``sees``: what they see of it and may do with it, the acts of ``permits.PERMITS``.
    """
    day = session.clock.today()
    found = rows(
        session,
        f"""SELECT n.id, n.login, n.name, n.email, x.kinds, x.region, x.languages, x.yearly_load, x.title,
          x.profile, x.phone, x.identity_hash IS NOT NULL AS identified, x.active, x.version, x.updated_at,
          n.active AS account_active, {BANNED} AS banned, {ABSENT} AS absent,
          ARRAY(SELECT f.code FROM expert_field f WHERE f.person_id = n.id ORDER BY f.code) AS fields
        FROM expert x JOIN person n ON n.id = x.person_id WHERE x.person_id = %(id)s""",
        {"id": person_id, "day": day},
    )
    if not found:
        return None
    row = found[0]
    sees = acts_over(session, actor_id, person_id, row["region"])
    if "read" not in sees:
        return None
    row["sees"] = sees
    if "read_review_side" not in sees:
        row["banned"] = row["absent"] = False
    if "read_phone" not in sees:
        row["phone"] = _masked(row["phone"])
    used = load_used(session, [person_id], day.year, reader=None if actor_id == person_id else actor_id)
    row["used"] = used[person_id] if "read_review_side" in sees else None
    row.update(_over_time(session, actor_id, person_id, sees, day))
    return row


def export_rows(session: Session, actor_id: UUID) -> list[Row]:
    """Every entry that the reader sees, with what a spreadsheet of it holds: one question."""
    return rows(
        session,
        f"""SELECT n.login, n.name, n.email, x.kinds, x.region, x.yearly_load, x.title, x.languages,
          x.profile, CASE WHEN {_held("phone_readers")} THEN x.phone ELSE '' END AS phone,
          ARRAY(SELECT f.code FROM expert_field f WHERE f.person_id = n.id ORDER BY f.code) AS fields,
          coalesce((SELECT jsonb_agg(jsonb_build_object('unit_name', a.unit_name, 'from_on', a.from_on,
            'to_on', a.to_on) ORDER BY a.to_on DESC NULLS FIRST, a.from_on DESC NULLS LAST, a.unit_name)
            FROM affiliation a WHERE a.person_id = n.id), '[]') AS units,
          CASE WHEN NOT (x.active AND n.active) THEN 'retired' WHEN {_BANNED_SEEN} THEN 'banned'
            WHEN {_ABSENT_SEEN} THEN 'absent' ELSE 'available' END AS standing
        FROM expert x JOIN person n ON n.id = x.person_id WHERE {_SEEN} ORDER BY n.login""",
        {
            **_reader(actor_id),
            "day": session.clock.today(),
            "phone_readers": sorted(PERMITS["read_phone"] - {SELF}),
        },
    )


def acts_over(session: Session, actor_id: UUID, person_id: UUID | None, region: str) -> frozenset[str]:
    """The acts that the table gives somebody over an entry of a region."""
    if actor_id == SYSTEM_ID:
        return frozenset(PERMITS) - {"lower_load"}
    parts = parts_of(session, actor_id, person_id, region)
    return frozenset(act for act, who in PERMITS.items() if who & parts)


def _masked(phone: str) -> str:
    from milepost.experts.profile import masked_phone

    return masked_phone(phone)


def _over_time(session: Session, actor_id: UUID, person_id: UUID, sees: frozenset[str], day: date) -> Row:
    """Affiliations, and for those on the review's side ties, absences, bans and who changed what."""
    given = {"id": person_id, "day": day}
    known: Row = {
        "affiliations": rows(
            session,
            f"SELECT a.id, a.unit_name, a.from_on, a.to_on, {_NOW_THERE} AS now_there FROM affiliation a "
            "WHERE a.person_id = %(id)s ORDER BY a.to_on DESC, a.from_on DESC NULLS LAST, a.unit_name "
            "LIMIT 200",
            given,
        ),
        "ties": [],
        "absences": [],
        "bans": [],
        "changes": [],
    }
    if "read_review_side" not in sees:
        return known
    # A project's code often names a unit: it is for those who see the project and its review.
    known["ties"] = rows(
        session,
        f"WITH {MINE} SELECT t.id, t.kind, coalesce(t.other_name, o.name) AS other_name, t.other_unit_key, "
        f"CASE WHEN %(everything)s OR ({VISIBLE} AND {review_open()}) THEN p.code END AS code, "
        "t.project_id IS NOT NULL AS of_application, "
        "t.since_on, t.until_on, t.evidence, t.declared_at, t.ended_at, t.declared_by = t.person_id AS own "
        "FROM tie t LEFT JOIN person o ON o.id = t.other_person_id "
        "LEFT JOIN project p ON p.id = t.project_id "
        f"WHERE t.person_id = %(id)s AND (%(actor)s = t.person_id OR {review_open()}) "
        "ORDER BY t.ended_at IS NOT NULL, t.declared_at DESC, t.id LIMIT 200",
        {**given, "actor": actor_id, "today": day, "everything": actor_id == SYSTEM_ID},
    )
    known["absences"] = rows(
        session,
        "SELECT id, from_on, to_on, reason, to_on < %(day)s AS past FROM absence WHERE person_id = %(id)s "
        "ORDER BY to_on DESC, from_on LIMIT 100",
        given,
    )
    known["bans"] = rows(
        session,
        "SELECT b.id, b.from_on, b.until_on, b.reason, b.imposed_by, i.name AS imposed_by_name, "
        "b.imposed_at, b.lifted_at, l.name AS lifted_by_name, "
        "b.lifted_at IS NULL AND b.until_on >= %(day)s AS stands "
        "FROM ban b JOIN person i ON i.id = b.imposed_by LEFT JOIN person l ON l.id = b.lifted_by "
        "WHERE b.person_id = %(id)s ORDER BY b.from_on DESC, b.imposed_at DESC LIMIT 100",
        given,
    )
    known["changes"] = rows(
        session,
        "SELECT c.at, c.what, c.detail, n.name AS by, c.by_id = c.person_id AS own FROM person_change c "
        "JOIN person n ON n.id = c.by_id WHERE c.person_id = %(id)s AND starts_with(c.what, 'expert_') "
        "ORDER BY c.at DESC, (c.detail->>'version')::int DESC NULLS LAST LIMIT 100",
        given,
    )
    return known


def duplicates_for(session: Session, actor_id: UUID) -> list[Pair]:
    """Pairs of entries that may be one person, where the reader sees both."""
    regions = tuple(regions_for(session, actor_id, "read"))
    return [
        pair
        for pair in find_duplicates(session)
        if pair.first.region.startswith(regions) and pair.second.region.startswith(regions)
    ]


def is_expert(session: Session, person_id: UUID) -> bool:
    """Whether somebody has an entry in the pool."""
    found = session.conn.execute("SELECT 1 FROM expert WHERE person_id = %s", (person_id,)).fetchone()
    return found is not None


def regions_for(session: Session, actor_id: UUID, act: str) -> list[str]:
    """The regions, with all below them, for which somebody's roles let them do something."""
    if actor_id == SYSTEM_ID:
        return ["/"]
    found = session.conn.execute(
        "SELECT DISTINCT office_path FROM role_grant WHERE person_id = %s AND revoked_at IS NULL "
        "AND office_path IS NOT NULL AND role = ANY(%s) ORDER BY office_path",
        (actor_id, sorted(PERMITS[act] - {SELF})),
    ).fetchall()
    return [row[0] for row in found]


__all__ = [
    "STANDINGS",
    "Eligible",
    "acts_over",
    "duplicates_for",
    "eligible",
    "expert",
    "expert_list",
    "export_rows",
    "is_expert",
    "load_used",
    "regions_for",
]

"""Who is to be told: roles become people, for many projects in one query."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from milepost.experts.conflicts import STAFF_RULE, conflicts_of
from milepost.facts import TOOK_PART

NAMED = {
    "expert": "expert_id",
    "evaluator": "evaluator_id",
    "delegator": "delegator_id",
    "delegate": "delegate_id",
}
"""Roles that mean the one person named in the subject's row, not all who hold the role."""
PARTIES = ("delegator", "delegate")
_OF_NOUN = {"task": ("expert",), "milestone": ("evaluator",), "delegation": PARTIES}

_LIVE = (
    "SELECT {who}, g.role, g.person_id FROM {of} JOIN person n ON n.id = g.person_id AND n.active "
    "WHERE g.revoked_at IS NULL AND g.role = ANY(%(roles)s)"
)
_OF_PROJECT = (
    _LIVE.format(who="p.id", of="project p JOIN role_grant g ON g.project_id = p.id")
    + " AND p.id = ANY(%(ids)s) UNION "
    + _LIVE.format(
        who="p.id",
        of="project p JOIN role_grant g ON g.project_id IS NULL "
        f"AND starts_with(p.office_path, g.office_path) AND {TOOK_PART}",
    )
    + " AND p.id = ANY(%(ids)s)"
)
_OF_OFFICE = _LIVE.format(who="NULL::uuid", of="role_grant g") + " AND g.office_path IS NOT NULL"

People = dict[str, list[UUID]]


def people_of_projects(
    conn: psycopg.Connection[Any], project_ids: Collection[UUID], roles: Collection[str]
) -> dict[UUID, People]:
    """Per project, who holds each role for it or for an office above it; named roles are left out.

    Who applies at an office stands only beside the projects they took part in.
    """
    asked = sorted(set(roles) - set(NAMED))
    found: dict[UUID, People] = {id: {} for id in project_ids}
    if asked and project_ids:
        rows = conn.execute(_OF_PROJECT, {"ids": list(project_ids), "roles": asked})
        for project_id, role, person_id in rows.fetchall():
            found[project_id].setdefault(role, []).append(person_id)
    return found


def without_conflicted(
    conn: psycopg.Connection[Any], people: Mapping[UUID, People], day: date
) -> dict[UUID, People]:
    """The same without those who have a conflict of their own with the project: for word of a review."""
    everybody = sorted({id for roles in people.values() for ids in roles.values() for id in ids})
    closed = {
        pair
        for pair, found in conflicts_of(conn, sorted(people), everybody, day).items()
        if any(conflict.rule != STAFF_RULE for conflict in found)
    }
    return {
        project: {role: [id for id in ids if (project, id) not in closed] for role, ids in roles.items()}
        for project, roles in people.items()
    }


def people_of_offices(conn: psycopg.Connection[Any], roles: Collection[str]) -> People:
    """Who holds each role for any office: for what belongs to a programme and to no project."""
    found: People = {}
    for _, role, person_id in conn.execute(_OF_OFFICE, {"roles": sorted(roles)}).fetchall():
        found.setdefault(role, []).append(person_id)
    return found


def named_people(
    conn: psycopg.Connection[Any], noun: str, subject_ids: Sequence[UUID]
) -> dict[UUID, dict[str, UUID]]:
    """Per subject, who its row names under a role: a task's expert, both people of a delegation."""
    found: dict[UUID, dict[str, UUID]] = {}
    for role in _OF_NOUN.get(noun, ()) if subject_ids else ():
        rows = conn.execute(
            f'SELECT id, "{NAMED[role]}" FROM "{noun}" WHERE id = ANY(%s) AND "{NAMED[role]}" IS NOT NULL',
            (list(subject_ids),),
        )
        for id, person in rows.fetchall():
            found.setdefault(id, {})[role] = person
    return found


def chosen(
    roles: Iterable[str], people: Mapping[str, Sequence[UUID]], named: Mapping[str, UUID]
) -> list[UUID]:
    """The people of some roles, each once, in a fixed order."""
    ids = set[UUID]()
    for role in roles:
        if role in NAMED:
            if role in named:
                ids.add(named[role])
        else:
            ids.update(people.get(role, ()))
    return sorted(ids)


__all__ = [
    "NAMED",
    "PARTIES",
    "People",
    "chosen",
    "named_people",
    "people_of_offices",
    "people_of_projects",
    "without_conflicted",
]

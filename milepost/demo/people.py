"""The people of an office, as many of each role as its work needs."""

from __future__ import annotations

from collections.abc import Mapping

from milepost.actions import Actor
from milepost.db import Database
from milepost.importing.people import NewPerson, enter_people

HOW_MANY: Mapping[str, int] = {
    "applicant": 1,
    "principal_investigator": 1,
    "programme_officer": 2,
    "evaluator": 2,
    "expert": 9,
    "finance_officer": 4,
    "supervisor": 1,
    "counsel": 1,
    "administrator": 1,
}


def cast(database: Database, *, path: str = "/", prefix: str = "") -> dict[str, tuple[Actor, ...]]:
    """People of every role at one office, as actors by role; the same call again gives the same people."""
    people = {
        role: [
            NewPerson(f"{prefix}{role}-{n}", f"{role.replace('_', ' ')} {n}", ((role, path),))
            for n in range(1, count + 1)
        ]
        for role, count in HOW_MANY.items()
    }
    with database.session() as session:
        enter_people(session, [person for some in people.values() for person in some])
    return {role: tuple(Actor(p.id, fresh=True) for p in some) for role, some in people.items()}

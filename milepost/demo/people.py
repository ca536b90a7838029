"""The people of an office: an account each and the roles they hold; a password only where one is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

from milepost.actions import Actor
from milepost.db import Database, Session
from states.case import NAMESPACE

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


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody to be entered: log-in, name, address, language, and (role, office path) pairs."""

    login: str
    name: str
    grants: tuple[tuple[str, str], ...]
    email: str = ""
    locale: str = "zh"
    password_hash: str | None = None

    @property
    def id(self) -> UUID:
        """The id follows from the log-in, so that entering people again changes nothing."""
        return person_id(self.login)


def person_id(login: str) -> UUID:
    """The id of the person with that log-in, where this module entered them."""
    return uuid5(NAMESPACE, f"person:{login}")


def enter_people(session: Session, people: Iterable[NewPerson]) -> None:
    """Enter people with their roles; who is there already stays as they are."""
    rows = list(people)
    now = session.clock.now()
    with session.conn.transaction(), session.conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO person (id, login, name, email, locale, password_hash, active) "
            "VALUES (%s, %s, %s, %s, %s, %s, true) ON CONFLICT DO NOTHING",
            [
                (p.id, p.login, p.name, p.email or f"{p.login}@example.invalid", p.locale, p.password_hash)
                for p in rows
            ],
        )
        cursor.executemany(
            "INSERT INTO role_grant (id, person_id, role, office_path, granted_at) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [
                (uuid5(NAMESPACE, f"grant:{p.login}:{role}:{path}"), p.id, role, path, now)
                for p in rows
                for role, path in p.grants
            ],
        )


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

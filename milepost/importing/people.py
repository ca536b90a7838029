"""Enters people who come with the data: an account and roles each, a password only where one is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from milepost.db import Session
from states.case import NAMESPACE


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

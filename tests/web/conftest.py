"""An office with its web: people of every role, strangers of every role, pages as a browser reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.testclient import TestClient

from config.settings import Settings
from milepost import people
from milepost.actions import Actor
from milepost.clock import SimulatedClock
from milepost.db import Database, Session
from milepost.web.app import create_app
from tests.builders import World, build

PASSWORD = "correct horse"
ROLES = (
    "applicant",
    "principal_investigator",
    "programme_officer",
    "evaluator",
    "expert",
    "finance_officer",
    "supervisor",
    "counsel",
    "administrator",
)


@pytest.fixture(scope="session")
def password_hash() -> str:
    """One hash for everybody: making them is slow on purpose."""
    return people.hash_password(PASSWORD)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(date(2025, 3, 3))


class Forms(HTMLParser):
    """The forms of a page: action and what each field holds."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, Any]]] = []
        self._text: str | None = None
        self._select: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name")
        if tag == "form":
            self.forms.append((given.get("action") or "", {}))
        elif not self.forms or (not name and tag != "option"):
            return
        elif tag == "textarea":
            self._text = name
            self.forms[-1][1][str(name)] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given):
            self.forms[-1][1][self._select] = given.get("value")
        elif tag == "input" and given.get("type") == "checkbox" and "checked" not in given:
            return
        elif tag == "input" and given.get("type") not in ("file", "radio"):
            self.forms[-1][1].setdefault(str(name), given.get("value") or "")

    def handle_data(self, data: str) -> None:
        if self._text:
            self.forms[-1][1][self._text] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = None
        if tag == "select":
            self._select = None


def form_of(html: str, action: str) -> dict[str, Any]:
    """What the form with that action would send."""
    return next(fields for where, fields in Forms(html).forms if where == action)


def message_codes(html: str) -> list[str]:
    """The codes of the refusals a page shows."""
    return re.findall(r'<li data-code="(\w+)">', html)


@dataclass
class Reader:
    """Somebody with a browser that follows no redirects by itself."""

    client: TestClient
    actor: Actor | None = None

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.client.get(path, **given)

    def csrf(self) -> str:
        return str(form_of(self.get("/projects").text, "/logout")["csrf"])

    def form(self, step: str, subject_id: UUID | None = None) -> dict[str, Any]:
        """The form of a step as it is shown now."""
        path = f"/steps/{step}/{subject_id}" if subject_id else f"/steps/{step}"
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return form_of(answer.text, path)

    def send(self, step: str, subject_id: UUID | None, fields: dict[str, Any]) -> httpx.Response:
        path = f"/steps/{step}/{subject_id}" if subject_id else f"/steps/{step}"
        return self.client.post(path, data=fields)

    def take(self, step: str, subject_id: UUID | None, **typed: Any) -> httpx.Response:
        """Open the form, type, submit."""
        return self.send(step, subject_id, {**self.form(step, subject_id), **typed})

    def api(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"x-requested-with": "milepost", **given.pop("headers", {})}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **given)


@dataclass
class Site:
    """The office's web and its people."""

    world: World
    app: Any
    password_hash: str
    minutes: SimulatedClock
    open: list[TestClient] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.world.database

    def anonymous(self) -> Reader:
        client = TestClient(self.app, follow_redirects=False)
        self.open.append(client)
        return Reader(client)

    def reader(self, actor: Actor, locale: str = "en") -> Reader:
        """A browser in which this person logged in a moment ago."""
        reader = self.anonymous()
        reader.actor = actor
        with self.database.session() as session:
            people.set_locale(session, actor.id, locale)
            token = people.open_login(Session(session.conn, self.minutes), actor.id, 12)
        reader.client.cookies.set("milepost", token, domain="testserver.local")
        return reader

    def the(self, role: str, n: int = 0, locale: str = "en") -> Reader:
        return self.reader(self.world.people[role][n], locale)

    def person(self, login: str, role: str, **scope: Any) -> Actor:
        """Somebody new with one role."""
        with self.database.session() as session:
            id = people.create_person(session, login=login, name=f"Name of {login}")
            session.conn.execute(
                "UPDATE person SET password_hash = %s WHERE id = %s", (self.password_hash, id)
            )
            people.grant(session, id, role, **(scope or {"office_path": "/elsewhere/"}))
        return Actor(id)

    def stranger(self, role: str) -> Actor:
        """Somebody who holds the role, but for nothing that is here."""
        return self.person(f"stranger-{uuid4().hex[:8]}", role)


@pytest.fixture
def site(database: Database, password_hash: str, tmp_path: Path) -> Iterator[Site]:
    world = build(database)
    with database.session() as session:
        session.conn.execute("UPDATE person SET password_hash = %s WHERE login <> 'system'", (password_hash,))
    settings = Settings(data_dir=tmp_path, upload_bytes_max=100_000)
    minutes = SimulatedClock(date(2030, 1, 1))
    made = Site(world, create_app(database, settings, clock=minutes), password_hash, minutes)
    yield made
    for client in made.open:
        client.close()

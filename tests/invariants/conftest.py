"""Towns for the tests of promises: one per module, in a database of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from tests.invariants.forge import Conn
from tests.invariants.town import START, Town


def new_database(server: EmbeddedPostgres, template: str) -> str:
    """A database copied from another, by name."""
    name = f"town_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return name


def drop_database(server: EmbeddedPostgres, name: str) -> None:
    """Away with it, whoever is still in it."""
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


Found = Callable[..., Town]


@pytest.fixture(scope="module")
def found(server: EmbeddedPostgres, template: str) -> Iterator[Found]:
    """Founds towns, each in a fresh database; ``programme`` is a programme's text."""
    with ExitStack() as stack:

        def make(*, programme: str | None = None, copy_of: str | None = None) -> Town:
            name = new_database(server, copy_of or template)
            stack.callback(drop_database, server, name)
            clock = SimulatedClock(START)
            database = Database(
                server.url("milepost_app", name), owner_url=server.url("postgres", name), clock=clock
            )
            stack.callback(database.close)
            town = Town(database, clock, programme=programme)
            stack.callback(town.close)
            return town

        yield make


@dataclass(frozen=True)
class Scene:
    """A town with something of every noun in it, for attackers to lay hands on."""

    town: Town
    url: dict[str, str]
    rows: dict[str, UUID]
    requested: UUID
    approved: UUID
    settled: UUID
    hold: UUID


@pytest.fixture(scope="module")
def scene(found: Found) -> Scene:
    town = found()
    appropriation = town.vote()
    stand = {
        "milestone": "planned",
        "payee": "entered",
        "round": "open",
        "task": "invited",
        "notice": "open",
        "objection": "filed",
        "call": "planned",
    }
    rows = {noun: town.stand(noun, state) for noun, state in stand.items()}
    project = town.funded()
    settled = town.payment("settled", project=project)
    requested = town.payment("requested", project=project, tranche=1)
    town.take("officer", "project.place_hold", project, reason="a question")
    hold = town.one("SELECT id FROM hold WHERE project_id = %s", project)
    rows |= {"project": project, "payment": requested, "appropriation": appropriation}
    approved = town.payment("approved")
    url = {"app": town.database.url, "owner": town.database.owner_url}
    return Scene(town, url, rows, requested, approved, settled, hold)


@pytest.fixture(params=["app", "owner"])
def attacker(request: pytest.FixtureRequest, scene: Scene) -> Iterator[Conn]:
    """A SQL prompt, as the application and as the owner of the database; what it did is rolled back."""
    with psycopg.connect(scene.url[request.param]) as conn:
        yield conn
        conn.rollback()


@pytest.fixture
def app(scene: Scene) -> Iterator[Conn]:
    """A SQL prompt as the application; what it did is rolled back."""
    with psycopg.connect(scene.url["app"]) as conn:
        yield conn
        conn.rollback()


@pytest.fixture
def owner(scene: Scene) -> Iterator[Conn]:
    """A SQL prompt as the owner; what it did is rolled back."""
    with psycopg.connect(scene.url["owner"]) as conn:
        yield conn
        conn.rollback()

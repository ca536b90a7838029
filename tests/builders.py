"""Real projects in a given state, for everybody's tests: all of it through ``perform``, nothing inserted.

    world = build(database)                                   # people, a published programme, a clock
    project_id = world.project_at("public_notice")
    project_id, payment_id = world.payment_at("approved")
    milestone_id = world.milestone_at("reported")
    world.take("applicant", "milestone.report", milestone_id, report="…")   # or with an Actor
    world.people["finance_officer"][1]                         # Actor, fresh
    world.clock.set(date(2025, 7, 1))

``build`` puts a SimulatedClock into the database (3 March 2025 unless told). The notices that projects run
through move it on. A project stands in an office path of "/" unless told; people hold their roles there.
"""

from __future__ import annotations

from datetime import date
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from config.programme_files import load_programme
from milepost.actions import Actor
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.demo.office import Office
from milepost.demo.people import cast
from milepost.programmes import Published, publish

PROGRAMMES = Path(__file__).resolve().parent.parent / "config" / "programmes"
FIRST_DAY = date(2025, 3, 3)
_numbers = count(1)


def people(database: Database, *, path: str = "/", prefix: str = "") -> dict[str, tuple[Actor, ...]]:
    """People of every role, as actors by role (two officers, nine experts, four finance officers, …)."""
    return cast(database, path=path, prefix=prefix)


def published(database: Database, programme: str | Path = "city-milestone-subsidy") -> Published:
    """A programme by the name of a shipped file or by path, published."""
    path = programme if isinstance(programme, Path) else PROGRAMMES / f"{programme}.toml"
    with database.session() as session:
        return publish(session.conn, load_programme(path), database.clock, owner_url=database.owner_url)


class World(Office):
    """An office for tests: everything ``milepost.demo.office.Office`` does, and states in one call."""

    def project_at(self, stage: str, code: str = "", **given: Any) -> UUID:
        """A new project that stands in a stage, or in closed_passed or archived."""
        return super().project_at(stage, code or f"{self.name}-{next(_numbers)}", **given)

    def payment_at(self, state: str, **given: Any) -> tuple[UUID, UUID]:
        """A new project and its first payment, brought to a state."""
        project_id = self.project_at("implementation" if self._implements else "closure", **given)
        payment_id = self.payments(project_id)[0]
        self.pay(payment_id, state)
        return project_id, payment_id

    def milestone_at(self, state: str, **given: Any) -> UUID:
        """The first milestone of a new project, brought to a state."""
        milestone_id = self.milestones(self.project_at("implementation", **given))[0]
        self.bring_milestone_to(milestone_id, state)
        return milestone_id

    @property
    def _implements(self) -> bool:
        return "implementation" in self.programme.stages


def build(
    database: Database,
    programme: str | Path = "city-milestone-subsidy",
    *,
    on: date = FIRST_DAY,
    path: str = "/",
    name: str = "P",
) -> World:
    """A world: a simulated clock, a published programme, people of every role, the year's funds voted."""
    if not isinstance(database.clock, SimulatedClock):
        database.clock = SimulatedClock(on)
    version = published(database, programme)
    world = World(database, version, people(database, path=path), name=name, path=path)
    world.vote()
    return world

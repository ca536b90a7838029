"""An office that draws its panels: applications under review, a pool, one draw over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from milepost.actions import Actor
from milepost.db import Database
from milepost.demo.panels import FIGURE, KINDS, draw_panels
from milepost.experts.pool import NewExpert, enrol
from milepost.experts.records import Unit
from milepost.importing.people import NewPerson, enter_people
from milepost.work.reviews import PanelReport, fill_panels
from tests.builders import World, build


@dataclass
class Panels:
    """A world of drawn panels: its projects and rounds, in the order of the applications, and the draw."""

    world: World
    projects: list[UUID]
    rounds: list[UUID]
    draw_id: UUID

    def fill(self) -> PanelReport:
        """What the flow does about seats."""
        with self.world.database.session() as session:
            return fill_panels(session)

    def row(self) -> dict[str, Any]:
        """The draw's own row, but for its bytes."""
        names = ("state", "value", "panels", "entries", "commitment")
        found = self.world.rows(f"SELECT {', '.join(names)} FROM draw WHERE id = %s", self.draw_id)[0]
        return dict(zip(names, found, strict=True))

    def people(self) -> dict[str, str]:
        """Everybody of the pool by what the draw calls them."""
        sql = (
            "SELECT draw_alias(d.salt, x.person_id), x.person_id::text FROM draw d, expert x WHERE d.id = %s"
        )
        return {name: id for name, id in self.world.rows(sql, self.draw_id)}

    def tasks(self, number: int) -> dict[UUID, tuple[UUID, str]]:
        """The tasks of a round by expert: id and state."""
        found = self.world.rows(
            "SELECT expert_id, id, state FROM task WHERE round_id = %s", self.rounds[number]
        )
        return {expert: (id, state) for expert, id, state in found}

    def live(self, number: int) -> dict[UUID, UUID]:
        """The tasks of a round on which somebody works or has worked, by expert."""
        working = ("invited", "accepted", "late", "submitted")
        return {expert: id for expert, (id, state) in self.tasks(number).items() if state in working}

    def submit(self, expert: UUID, task_id: UUID) -> None:
        """The expert accepts and reviews."""
        self.world.review_task(task_id)


def announce_ready(database: Database, *, projects: int, experts: int, name: str = "D") -> Panels:
    """Applications whose rounds are open and a pool, before any draw."""
    world = build(database, "city-key-projects", name=name)
    officer = world.who("programme_officer")
    # Entered first, because their ids then follow from their log-ins: the same draw for every database.
    pool = [
        NewPerson(f"{name.lower()}-pool-{number}", f"抽取专家{number}", (("expert", "/"),))
        for number in range(experts)
    ]
    with database.session() as session:
        enter_people(session, pool)
        for number, person in enumerate(pool):
            enrol(
                session,
                NewExpert(
                    login=person.login,
                    name=person.name,
                    kinds=(KINDS[number % len(KINDS)],),
                    region="/" if number % 2 else "/neighbour/",
                    yearly_load=100,
                    fields=("510",),
                    units=(Unit(f"{name}研究所{number}"),),
                ),
                by=officer.id,
            )
    made = [
        world.project_at("remote_review", f"{name}-{number}", leader_name=f"负责人{number}")
        for number in range(projects)
    ]
    rounds = [world.take("programme_officer", "round.open", id).subject_id for id in made]
    return Panels(world, made, rounds, UUID(int=0))


def drawn(database: Database, *, projects: int = 1, experts: int = 16, name: str = "D") -> Panels:
    """The same with one draw over all rounds, concluded; nobody is invited yet."""
    panels = announce_ready(database, projects=projects, experts=experts, name=name)
    panels.draw_id = draw_panels(panels.world, panels.rounds)
    return panels


def draw_again(world: World, rounds: list[UUID], replaces: UUID, *, reason: str) -> UUID:
    """A redraw that names the voided draw before it and says why, concluded: its id."""
    published_on = world.clock.today() + timedelta(days=1)
    draw_id = world.take(
        "programme_officer",
        "draw.announce",
        None,
        programme_id=str(world.published.id),
        office_path=world.path,
        title="示例：重抽",
        rounds=[str(id) for id in rounds],
        source_name=FIGURE,
        source_on=published_on.isoformat(),
        replaces=str(replaces),
        reason=reason,
    ).subject_id
    world.take("supervisor", "draw.witness", draw_id)
    world.clock.set(published_on)
    world.take("programme_officer", "draw.conclude", draw_id, value="2987.05", evidence="示例：交易所网站")
    return draw_id


def expert_actor(id: UUID) -> Actor:
    """An expert as an actor."""
    return Actor(id, fresh=True)

"""A review with everything in it: a blinded programme, a described application, an expert with a task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from config.settings import Settings
from milepost.actions import Actor
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.web.app import create_app
from tests.builders import PROGRAMMES, World, build
from tests.web.conftest import Site

TITLE, SUMMARY = "高效电池材料研究", "研究一种新的电池材料，三年内完成中试。"
UNIT, LEADER, MEMBER, CODE = "MARKED-UNIT", "MARKED-LEADER", "MARKED-MEMBER", "MARKED-CODE-1"
NOBODY = UUID(int=0)
RUBRIC = """
[[review.rubric]]
code = "novelty"
text = { zh = "创新性", en = "Novelty" }
guidance = { zh = "与最好的做法相比新在哪里。", en = "What is new against the best that exists." }
max = 100
weight = 2
threshold = 40

[[review.rubric]]
code = "team"
text = { zh = "团队", en = "Team" }
max = 5

[[review.rubric]]
code = "lawful"
text = { zh = "合法合规", en = "Lawful" }
kind = "pass_fail"
max = 1
threshold = 1
"""


def programme_file(folder: Path, blinding: str) -> Path:
    """A shipped programme with a rubric of all three kinds, and the blinding asked for."""
    text = (PROGRAMMES / "city-milestone-subsidy.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[[review.rubric]]")
    rest = rest[rest.index("[milestones]") :]
    head = head.replace("quorum = 5", f'quorum = 1\nblinding = "{blinding}"')
    path = folder / f"{blinding}.toml"
    path.write_text(head + RUBRIC.lstrip() + "\n" + rest, encoding="utf-8")
    return path


@dataclass
class ReviewSite(Site):
    """A site with one task."""

    task_id: UUID = NOBODY
    project_id: UUID = NOBODY
    round_id: UUID = NOBODY

    @property
    def expert(self) -> Actor:
        """Whose task it is."""
        return self.world.people["expert"][0]

    def task(self, column: str) -> Any:
        return self.world.value(f"SELECT {column} FROM task WHERE id = %s", self.task_id)

    def draft(self) -> dict[str, Any]:
        """What the database holds of the draft."""
        found = self.world.rows("SELECT content FROM draft WHERE task_id = %s", self.task_id)
        return {} if not found else {key: found[0][0].get(key) for key in ("scores", "comment")}

    def accept(self) -> None:
        self.world.take(self.expert, "task.accept", self.task_id)

    def declare_conflict(self) -> None:
        """The expert turns out to work at the applicant's unit."""
        with self.database.session() as session:
            session.conn.execute(
                "INSERT INTO affiliation (id, person_id, unit_name, unit_key) "
                "VALUES (gen_random_uuid(), %s, %s, '')",
                (self.expert.id, UNIT),
            )


@contextmanager
def review_site(
    database: Database, password_hash: str, folder: Path, *, blinding: str = "double", accepted: bool = True
) -> Iterator[ReviewSite]:
    """The site, its application under review, the task invited or accepted."""
    world: World = build(database, programme_file(folder, blinding))
    with database.session() as session:
        session.conn.execute("UPDATE person SET password_hash = %s WHERE login <> 'system'", (password_hash,))
        session.conn.execute("UPDATE person SET email = login || '@mail.example'")
    who = {"unit_name": UNIT, "leader_name": LEADER, "title": TITLE}
    project_id = world.apply(CODE, **who)
    team = [{"name": MEMBER, "unit": UNIT, "part": "member"}]
    world.take(
        "applicant", "project.describe", project_id, summary=SUMMARY, fields=["430", "52020"], team=team
    )
    world.bring_to(project_id, "remote_review")
    round_id, tasks = world.open_round(project_id, experts=2)
    minutes = SimulatedClock(world.clock.today())
    settings = Settings(data_dir=folder)
    made = ReviewSite(
        world,
        create_app(database, settings, clock=minutes),
        password_hash,
        minutes,
        task_id=tasks[0],
        project_id=project_id,
        round_id=round_id,
    )
    if accepted:
        made.accept()
    try:
        yield made
    finally:
        for client in made.open:
            client.close()

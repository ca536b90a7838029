"""How draws, requests for review and tasks get to each of their states in a town."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

from milepost.experts.pool import NewExpert, enrol

if TYPE_CHECKING:
    from tests.invariants.town import Town

FIGURE = {"source_kind": "figure", "source_name": "lottery 7", "office_path": "/", "title": "Spring"}


def drawing_text(text: str) -> str:
    """A programme like the given one that draws panels of one, under a code of its own."""
    named = text.replace('code = "', 'code = "drawn-', 1)
    return re.sub(
        r"\[review\]\nquorum = \d+", '[review]\nquorum = 1\npanel = { by = "draw", size = 1 }', named
    )


def draw(town: Town, state: str) -> UUID:
    """A draw for one round of a programme that draws."""
    programme = town.drawing()
    for n in (1, 2):
        login = town.one("SELECT login FROM person WHERE id = %s", town.people[f"expert{n}"].id)
        if not town.one("SELECT 1 FROM expert WHERE person_id = %s", town.people[f"expert{n}"].id):
            name = town.one("SELECT name FROM person WHERE login = %s", login)
            known = NewExpert(login, name, ("technology",), "/", 100, fields=("510",))
            enrol(town.session, known, by=town.people["officer"].id)
    project = town.apply(programme=programme)
    town.take("unit", "project.describe", project, summary="Glass", fields=["510"])
    town.advance(project, "remote_review")
    round = town.take("officer", "round.open", project).subject_id
    before = town.clock.now()
    tomorrow = town.clock.today().fromordinal(town.clock.today().toordinal() + 1)
    made = town.take(
        "officer",
        "draw.announce",
        None,
        programme_id=str(programme.id),
        rounds=[str(round)],
        source_on=tomorrow.isoformat(),
        **FIGURE,
    ).subject_id
    if state == "void":
        town.take("officer", "draw.void", made, reason="a mistake")
    elif state == "drawn":
        town.clock.set(tomorrow)
        town.take("officer", "draw.conclude", made, value="4711", evidence="newspaper")
        # The one who was drawn declines, so that the seat can pass to the other.
        drawn = town.one("SELECT expert_id FROM draw_seat WHERE draw_id = %s", made)
        task = town.take("officer", "task.invite", round, expert_id=str(drawn)).subject_id
        who = next(name for name, actor in town.people.items() if actor.id == drawn)
        town.take(who, "task.decline", task, reason="no time")
        town.clock.set(before)
    return made


def review_request(town: Town, state: str) -> UUID:
    """A request to review a declined application."""
    project = town.stand("project", "declined")
    request = town.take(
        "unit", "review_request.file", project, ground="procedure", statement="nobody read it"
    ).subject_id
    if state != "filed":
        verb = {"upheld": "uphold", "dismissed": "dismiss"}[state]
        town.take("officer", f"review_request.{verb}", request, answer="examined")
    return request

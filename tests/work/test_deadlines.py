"""A deadline that acts does so once its day is over, once, and only if its step still may be taken."""

from __future__ import annotations

from datetime import timedelta

import pytest

from milepost.db import Database
from milepost.work.deadlines import DeadlineReport, act_on_deadlines, conclude_notices
from tests.builders import World, build


def act(world: World) -> DeadlineReport:
    with world.database.session() as session:
        return act_on_deadlines(session)


def test_nothing_acts_on_its_last_day(database: Database) -> None:
    world = build(database)
    project_id = world.project_at("task_agreement")
    due = world.value("SELECT due_on FROM deadline WHERE act = 'project.lapse_agreement'")
    world.clock.set(due)
    assert act(world).acted == {}
    world.clock.set(due + timedelta(days=1))
    assert act(world).acted == {"project.lapse_agreement": 1}
    assert world.state(project_id) == "lapsed"
    assert act(world).acted == {}


def test_an_agreement_signed_in_time_does_not_lapse(database: Database) -> None:
    world = build(database)
    project_id = world.project_at("task_agreement")
    world._agreement(project_id)
    world.clock.set(world.clock.today() + timedelta(days=60))
    assert "project.lapse_agreement" not in act(world).acted
    assert world.state(project_id) == "implementation"


@pytest.mark.parametrize("pause", [1, 30, 400])
def test_a_missed_run_is_made_good_however_late(database: Database, pause: int) -> None:
    world = build(database)
    world.project_at("task_agreement")
    due = world.value("SELECT due_on FROM deadline WHERE act = 'project.lapse_agreement'")
    world.clock.set(due + timedelta(days=pause))
    assert act(world).acted["project.lapse_agreement"] == 1


def test_slices_reach_every_deadline(database: Database) -> None:
    world = build(database)
    for _ in range(5):
        world.project_at("task_agreement")
    world.clock.set(world.clock.today() + timedelta(days=100))
    after, slices, acted = None, 0, 0
    while True:
        with database.session() as session:
            report = act_on_deadlines(session, after=after, limit=2)
        slices, acted, after = slices + 1, acted + sum(report.acted.values()), report.next_after
        if after is None:
            break
    assert (slices, acted) == (3, 5)


def test_a_notice_ends_and_is_concluded_unless_an_objection_is_open(database: Database) -> None:
    world = build(database)
    free, contested = (world.project_at("public_notice") for _ in range(2))
    notices = [world.publish_notice(project_id) for project_id in (free, contested)]
    objection = world.take(
        "programme_officer",
        "objection.file",
        notices[1],
        objector="x",
        contact="x",
        grounds="x",
    ).subject_id
    world.clock.set(world.clock.today() + timedelta(days=20))
    assert act(world).acted["notice.end"] == 2
    with database.session() as session:
        assert conclude_notices(session).acted == {"project.conclude_notice": 1}
        assert conclude_notices(session).acted == {}
    assert (world.state(free), world.state(contested)) == ("approval", "public_notice")
    world.take("programme_officer", "objection.dismiss", objection, answer="x")
    with database.session() as session:
        assert conclude_notices(session).acted == {"project.conclude_notice": 1}


def test_a_call_opens_on_its_first_day_and_closes_after_its_last(database: Database) -> None:
    world = build(database)
    first = world.clock.today() + timedelta(days=10)
    call = world.take(
        "programme_officer",
        "call.announce",
        None,
        programme_id=str(world.published.id),
        title="x",
        opens_on=first.isoformat(),
        closes_on=(first + timedelta(days=5)).isoformat(),
    ).subject_id
    states = []
    for day in (-1, 0, 5, 6):
        world.clock.set(first + timedelta(days=day))
        act(world)
        states.append(world.value("SELECT state FROM call WHERE id = %s", call))
    assert states == ["planned", "open", "open", "closed"]

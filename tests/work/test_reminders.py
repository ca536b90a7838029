"""A reminder goes to whoever the programme names, by the day and not on the day, and never after the fact."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from milepost.db import Database
from milepost.work.reminders import ReminderReport, send_reminders
from tests.builders import World, build, people


def remind(world: World) -> ReminderReport:
    with world.database.session() as session:
        return send_reminders(session)


def told(world: World, name: str) -> list[tuple[str, list[int], bool]]:
    """Who was reminded of deadlines of that name, of which days, and whether it was escalated."""
    rows = world.rows(
        "SELECT n.login, m.context -> 'covers', (m.context ->> 'escalated')::bool FROM message m "
        "JOIN person n ON n.id = m.recipient_id "
        "JOIN deadline d ON d.id = (m.context ->> 'deadline_id')::uuid "
        "WHERE d.name = %s ORDER BY m.source, n.login",
        name,
    )
    return [(login, covers, escalated) for login, covers, escalated in rows]


def due_on(world: World, subject_id: UUID, name: str) -> date:
    day: date = world.value(
        "SELECT due_on FROM deadline WHERE subject_id = %s AND name = %s AND closed_seq IS NULL",
        subject_id,
        name,
    )
    return day


def test_each_day_is_told_as_it_comes_and_escalated_once_past(database: Database) -> None:
    world = build(database)
    project_id = world.project_at("completeness_check")
    due = due_on(world, project_id, "completeness_decision_due")
    name = "completeness_decision_due"
    world.clock.set(due - timedelta(days=6))
    remind(world)
    assert told(world, name) == []
    for day in (-5, -4, 0, 1):
        world.clock.set(due + timedelta(days=day))
        remind(world)
    officers = ["programme_officer-1", "programme_officer-2"]
    before = [(login, [-5], False) for login in officers]
    after = [(login, [1], True) for login in [*officers, "supervisor-1"]]
    assert sorted(told(world, name)) == sorted([*before, *after])


def test_after_a_pause_one_mail_names_every_day_that_was_missed(database: Database) -> None:
    world = build(database)
    project_id = world.project_at("completeness_check")
    world.clock.set(due_on(world, project_id, "completeness_decision_due") + timedelta(days=30))
    report = remind(world)
    assert {login: covers for login, covers, _ in told(world, "completeness_decision_due")} == {
        "programme_officer-1": [-5, 1, 7],
        "programme_officer-2": [-5, 1, 7],
        "supervisor-1": [-5, 1, 7],
    }
    assert report.mails >= 3
    assert remind(world).mails == 0


def test_a_deadline_that_was_met_reminds_nobody(database: Database) -> None:
    world = build(database)
    project_id = world.project_at("completeness_check")
    due = due_on(world, project_id, "completeness_decision_due")
    world.take("programme_officer", "project.pass_completeness", project_id)
    world.clock.set(due + timedelta(days=30))
    remind(world)
    assert told(world, "completeness_decision_due") == []


def test_an_expert_is_reminded_of_their_own_task_only(database: Database) -> None:
    world = build(database)
    project_id = world.project_at("remote_review")
    _, tasks = world.open_round(project_id, 2)
    due = due_on(world, tasks[0], "invitation_answer_due")
    world.clock.set(due - timedelta(days=1))
    remind(world)
    assert sorted(login for login, _, _ in told(world, "invitation_answer_due")) == ["expert-1", "expert-2"]


def test_people_of_another_office_hear_nothing(database: Database) -> None:
    world = build(database)
    people(database, path="/other/", prefix="other-")
    people(database, path="/city/", prefix="city-")
    project_id = world.project_at("completeness_check", office_path="/city/east/")
    world.clock.set(due_on(world, project_id, "completeness_decision_due") - timedelta(days=1))
    remind(world)
    assert {login for login, _, _ in told(world, "completeness_decision_due")} == {
        f"{office}programme_officer-{n}" for office in ("", "city-") for n in (1, 2)
    }


def test_nobody_to_remind_loses_nothing(database: Database) -> None:
    world = build(database)
    project_id = world.project_at("completeness_check")
    with database.session() as session:
        session.conn.execute(
            "UPDATE role_grant SET revoked_at = now() WHERE role IN ('programme_officer', 'supervisor')"
        )
    world.clock.set(due_on(world, project_id, "completeness_decision_due") + timedelta(days=2))
    report = remind(world)
    assert (report.unaddressed, told(world, "completeness_decision_due")) == (1, [])
    with database.session() as session:
        session.conn.execute("UPDATE role_grant SET revoked_at = NULL")
    remind(world)
    assert len(told(world, "completeness_decision_due")) == 3

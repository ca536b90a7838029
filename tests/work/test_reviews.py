"""A drawn panel stays whole by itself: who was drawn is invited, who leaves is followed by the next, once."""

from __future__ import annotations

import json
from datetime import date, timedelta
from uuid import UUID

import pytest

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.experts import records
from milepost.experts.draw_verify import verify
from milepost.experts.pool import retire
from milepost.queries.draws import record_of
from milepost.work.conflicts import take_away_conflicted
from milepost.work.deadlines import act_on_deadlines
from milepost.work.reviews import anything_to_staff, fill_panels
from tests.experts import second_draw
from tests.work.panels import Panels, drawn, expert_actor


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(date(2025, 3, 3))


def entries(panels: Panels) -> list[dict[str, object]]:
    """The replacements, with people by their own ids."""
    known = panels.people()
    return [{**entry, "gone": known[entry["gone"]]} for entry in panels.row()["entries"]]


def test_everybody_who_was_drawn_is_invited_once(database: Database) -> None:
    panels = drawn(database, projects=2)
    assert panels.fill().invited == 10
    for number in range(2):
        seats = panels.world.rows(
            "SELECT expert_id FROM draw_seat WHERE round_id = %s", panels.rounds[number]
        )
        assert {row[0] for row in seats} == set(panels.live(number))
    assert panels.fill() == type(panels.fill())()


def test_slices_reach_every_round(database: Database) -> None:
    drawn(database, projects=3)
    after, slices, invited = None, 0, 0
    while True:
        with database.session() as session:
            report = fill_panels(session, after=after, limit=1)
        slices, invited, after = slices + 1, invited + report.invited, report.next_after
        if after is None:
            break
    assert (slices, invited) == (4, 15)


@pytest.mark.parametrize("answer", ["task.decline", "task.recuse"])
def test_who_leaves_is_followed_by_the_next_and_the_officer_has_no_more_to_do(
    database: Database, answer: str
) -> None:
    panels = drawn(database)
    panels.fill()
    gone, task = next(iter(panels.live(0).items()))
    panels.world.take(expert_actor(gone), answer, task, reason="示例")
    report = panels.fill()
    assert (report.invited, report.succeeded, report.short) == (1, 1, 0)
    assert len(panels.live(0)) == 5 and gone not in panels.live(0)
    assert panels.tasks(0)[gone] == (task, "replaced")
    assert (
        panels.world.rows("SELECT 1 FROM deadline WHERE subject_id = %s AND closed_seq IS NULL", task) == []
    )
    assert entries(panels)[0]["reason"] == {"task.decline": "declined", "task.recuse": "recused"}[answer]


UNFIT = {
    "retired": "barred",
    "banned": "barred",
    "absent": "barred",
    "busy": "barred",
    "an applicant by now": "barred",
    "in conflict": "conflict",
}


@pytest.mark.parametrize("how", UNFIT)
def test_who_became_unfit_before_the_invitation_is_followed_without_having_been_asked(
    database: Database, how: str
) -> None:
    panels = drawn(database)
    world, officer = panels.world, panels.world.who("programme_officer").id
    gone = world.value("SELECT expert_id FROM draw_seat ORDER BY rank LIMIT 1")
    today = world.clock.today()
    with database.session() as session:
        if how == "retired":
            retire(session, gone, reason="示例", by=officer)
        elif how == "banned":
            records.ban(session, gone, years=1, reason="示例", by=world.who("supervisor").id)
        elif how == "absent":
            records.set_absence(
                session, gone, from_on=today, to_on=today + timedelta(days=9), reason="示例", by=officer
            )
        elif how == "busy":
            session.conn.execute("UPDATE expert SET yearly_load = 0 WHERE person_id = %s", (gone,))
        elif how == "in conflict":
            records.declare_tie(session, gone, kind="kin", other_name="负责人0", evidence="示例", by=officer)
        else:
            from milepost import people

            people.grant(session, gone, "principal_investigator", office_path="/")
    report = panels.fill()
    assert (report.invited, report.succeeded, report.refused) == (5, 1, {})
    assert gone not in panels.tasks(0)
    assert [(e["gone"], e["reason"]) for e in entries(panels)] == [(str(gone), UNFIT[how])]


def test_a_banned_expert_loses_the_task_and_the_next_one_drawn_follows(database: Database) -> None:
    panels = drawn(database)
    panels.fill()
    gone, task = next(iter(panels.live(0).items()))
    panels.world.take(expert_actor(gone), "task.accept", task)
    with database.session() as session:
        records.ban(session, gone, years=1, reason="示例", by=panels.world.who("supervisor").id)
        assert take_away_conflicted(session).taken == {"banned": 1}
    report = panels.fill()
    assert (report.invited, report.succeeded, report.refused) == (1, 1, {})
    assert gone not in panels.live(0) and len(panels.live(0)) == 5
    assert [(e["gone"], e["reason"]) for e in entries(panels)] == [(str(gone), "barred")]


def test_where_nobody_is_left_the_officers_are_told_once_for_each_seat(database: Database) -> None:
    # One expert of management: whoever that is, nobody can follow.
    panels = drawn(database, experts=0)
    panels.fill()
    manager = panels.world.value(
        "SELECT s.expert_id FROM draw_seat s JOIN expert x ON x.person_id = s.expert_id "
        "WHERE x.kinds ? 'management'"
    )
    panels.world.take(expert_actor(manager), "task.decline", panels.live(0)[manager], reason="示例")
    report = panels.fill()
    assert (report.succeeded, report.short, report.told) == (0, 1, 2)
    assert entries(panels)[0]["short"] == ["kind:management"]
    assert panels.fill().told == 0
    mails = panels.world.rows("SELECT recipient_id FROM message WHERE template = 'panel_short'")
    assert {row[0] for row in mails} == {officer.id for officer in panels.world.people["programme_officer"]}
    assert panels.tasks(0)[manager][1] == "declined", "the officer still has to find somebody"


def test_a_round_that_is_over_and_a_draw_that_is_void_are_left_alone(database: Database) -> None:
    panels = drawn(database)
    panels.fill()
    live = panels.live(0)
    panels.world.take("programme_officer", "draw.void", panels.draw_id, reason="示例")
    gone, task = next(iter(live.items()))
    panels.world.take(expert_actor(gone), "task.decline", task, reason="示例")
    assert panels.fill().succeeded == 0
    second = drawn(database, name="E")
    second.fill()
    for expert, task in list(second.live(0).items())[:4]:
        second.submit(expert, task)
    last = next(task for expert, task in second.live(0).items() if second.tasks(0)[expert][1] == "invited")
    second.world.take("programme_officer", "round.score", second.rounds[0])
    expert = second.world.value("SELECT expert_id FROM task WHERE id = %s", last)
    second.world.take(expert_actor(expert), "task.decline", last, reason="示例")
    assert second.fill().succeeded == 0


def test_a_late_expert_is_replaced_by_the_next_after_the_set_time(database: Database) -> None:
    panels = drawn(database)
    panels.fill()
    live = panels.live(0)
    late = next(iter(live))
    for expert, task in live.items():
        if expert != late:
            panels.submit(expert, task)
    _let_days_pass(panels, 10)
    assert panels.tasks(0)[late][1] == "late"
    assert panels.fill().succeeded == 0, "the set time is not over"
    _let_days_pass(panels, 10)
    task, state = panels.tasks(0)[late]
    assert state == "replaced"
    reason = panels.world.value("SELECT reason FROM task WHERE id = %s", task)
    assert "late_review_due" in reason and "期限" in reason
    report = panels.fill()
    assert (report.invited, report.succeeded) == (1, 1)
    assert entries(panels)[0]["reason"] == "absent"
    assert len(panels.live(0)) == 5


def _let_days_pass(panels: Panels, days: int) -> None:
    panels.world.clock.set(panels.world.clock.today() + timedelta(days=days))
    with panels.world.database.session() as session:
        act_on_deadlines(session)


def test_a_whole_draw_from_six_applications_to_a_record_that_two_implementations_confirm(
    database: Database,
) -> None:
    """One declines, one recuses, one gets into a conflict, one is late: the right one follows each."""
    panels = drawn(database, projects=6, experts=24)
    world = panels.world
    assert panels.fill().invited == 30
    decliner, task = next(iter(panels.live(0).items()))
    world.take(expert_actor(decliner), "task.decline", task, reason="示例")
    recuser, task = next(iter(panels.live(1).items()))
    world.take(expert_actor(recuser), "task.recuse", task, reason="示例")
    barred, task = next(iter(panels.live(2).items()))
    with database.session() as session:
        officer = world.who("programme_officer").id
        records.declare_tie(
            session, barred, kind="kin", other_name="负责人2", evidence="示例：配偶", by=officer
        )
        assert anything_to_staff(session)
        assert sum(take_away_conflicted(session).taken.values()) == 1
    report = panels.fill()
    assert (report.succeeded, report.invited, report.refused) == (3, 3, {})
    late = next(iter(panels.live(3)))
    for number in range(6):
        for expert, task in panels.live(number).items():
            if (number, expert) != (3, late):
                panels.submit(expert, task)
    _let_days_pass(panels, 10)
    _let_days_pass(panels, 10)
    report = panels.fill()
    assert (report.succeeded, report.invited) == (1, 1)

    with database.session() as session:
        published = record_of(session, panels.draw_id)
    assert published is not None
    assert verify(published, held=panels.row()["commitment"]) == []
    record = json.loads(published)
    known = {name: UUID(id) for name, id in panels.people().items()}
    happened = [(known[e["gone"]], e["reason"]) for e in record["replacements"]]
    assert set(happened[:3]) == {(decliner, "declined"), (recuser, "recused"), (barred, "conflict")}
    assert happened[3:] == [(late, "absent")]
    committed, text = record["committed"], record["value"]["text"]
    assert second_draw.commitment_of(committed) == record["commitment"]
    assert second_draw.panels_of(committed, record["commitment"], text) == record["panels"]
    for number, entry in enumerate(record["replacements"]):
        follows = second_draw.successors_of(
            committed, record["commitment"], text, record["panels"], record["replacements"], number
        )
        assert follows == (entry["successors"], entry["short"])
        project = panels.projects.index(UUID(entry["project"]))
        came = [known[name] for name in entry["successors"]]
        assert came == [expert for expert in panels.live(project) if expert in came]
    # No name is in it, of whomever, and no id by which the pool knows anybody.
    assert not any(str(id) in published.decode() for id in known.values())
    for (name,) in world.rows("SELECT name FROM person"):
        assert name not in published.decode()
    # Whoever changes one letter of it is found out.
    forged = json.loads(published)
    forged["replacements"][0]["successors"] = [forged["panels"][0]["members"][0]]
    assert verify(forged)

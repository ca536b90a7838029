"""The demo's review round goes from the call to the notice, and a second one waits for whoever logs in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from milepost.clock import OFFICE_ZONE
from milepost.db import Database
from milepost.demo.applications import FIRST, SECOND
from milepost.demo.city import actor_of, build_demo
from milepost.demo.pool import AWAY, BANNED, RETIRED
from milepost.demo.round import ReviewRound
from milepost.demo.run import TO_SEE
from milepost.evidence.verify_database import verify
from milepost.experts.draw_verify import verify as verify_draw
from milepost.queries.draws import record_of
from milepost.queries.rankings import Scope
from milepost.reports.ranking import ranked_list
from states.roles import ROLES


def played(database: Database, day: date) -> None:
    """The round alone, as it stands on a day, without the rest of the city."""
    now = datetime(day.year, day.month, day.day, 15, 30, tzinfo=OFFICE_ZONE)
    build_demo(database, now, goals={}, scene=ReviewRound)


def rows(database: Database, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with database.session() as session:
        return session.conn.execute(sql, params).fetchall()


def column(database: Database, sql: str, *params: Any) -> set[Any]:
    return {row[0] for row in rows(database, sql, *params)}


def tasks_of(database: Database, code: str) -> dict[str, str]:
    """The states of a project's tasks, by log-in."""
    found = rows(
        database,
        "SELECT n.login, t.state FROM task t JOIN project p ON p.id = t.project_id "
        "JOIN person n ON n.id = t.expert_id WHERE p.code = %s",
        code,
    )
    return dict(found)


def states(database: Database, codes: list[str]) -> list[str]:
    found = rows(database, "SELECT state FROM project WHERE code = ANY(%s) ORDER BY code", codes)
    return [row[0] for row in found]


DAYS = [
    pytest.param(date(2026, 11, 23), id="a monday"),
    pytest.param(date(2026, 10, 4), id="in the holidays", marks=pytest.mark.slow),
    pytest.param(date(2027, 2, 6), id="a saturday", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("day", DAYS)
def test_the_round_stands_where_people_find_it_on_any_day(database: Database, day: date) -> None:
    played(database, day)

    # What happened in the first round is on record, whatever came after it.
    taken = column(database, "SELECT DISTINCT step FROM event")
    assert taken >= {
        "call.announce", "call.open", "call.close", "project.describe", "round.open", "draw.announce",
        "draw.witness", "draw.conclude", "draw.succeed", "task.invite", "task.accept", "task.decline",
        "task.recuse", "task.take_away", "task.fall_late", "task.replace", "task.submit",
        "round.reach_quorum", "round.score", "round.decide", "project.conclude_remote_review",
        "project.decline", "notice.publish", "objection.file", "review_request.file",
    }  # fmt: skip
    entries = rows(database, "SELECT entries FROM draw WHERE entries <> '[]'")[0][0]
    assert sorted(entry["reason"] for entry in entries) == ["conflict", "declined", "recused"]
    assert all(len(entry["successors"]) == 1 for entry in entries)
    for one in FIRST:
        assert list(tasks_of(database, one.code).values()).count("submitted") == 5

    # The best are under notice today, one of them with an objection; unit01 may still ask for a review.
    window = rows(database, "SELECT state, closes_on FROM notice")
    assert len(window) >= 3 and all(state == "open" and closes >= day for state, closes in window)
    assert rows(database, "SELECT state FROM objection") == [("filed",)]
    assert states(database, ["K-01", "K-04"]) == ["declined", "declined"]
    assert rows(
        database, "SELECT p.code, q.state FROM review_request q JOIN project p ON p.id = q.project_id"
    ) == [("K-04", "filed")]
    declined_on = rows(
        database,
        "SELECT max(e.at) FROM event e JOIN project p ON p.id = e.subject_id WHERE p.code = 'K-01'",
    )[0][0]
    assert day - declined_on.astimezone(OFFICE_ZONE).date() <= timedelta(days=15)

    # The second round has something for everybody.
    assert states(database, [one.code for one in SECOND]) == ["remote_review"] * len(SECOND)
    assert tasks_of(database, "K-11")["expert1"] == "invited"
    assert tasks_of(database, "K-12")["expert1"] == "accepted"
    drafts = rows(database, "SELECT person_id, content FROM draft")
    assert [row[0] for row in drafts] == [actor_of("expert1").id] and drafts[0][1]["comment"]
    assert column(
        database,
        "SELECT p.code FROM round r JOIN project p ON p.id = r.project_id WHERE r.state = 'quorum_reached'",
    ) == {"K-13", "K-14"}
    draws = rows(database, "SELECT state, source_on, witness_id IS NULL FROM draw ORDER BY source_on")
    assert [row[0] for row in draws] == ["drawn", "drawn", "announced", "announced"]
    assert draws[2][1:] == (day, False)
    assert draws[3][1:] == (day + timedelta(days=1), True)

    # Nobody takes these for real, and everything can be proved.
    assert all("示例" in row for row in column(database, "SELECT title FROM project"))
    assert verify(database).faults == []


def test_what_is_published_of_the_draws_and_the_ranking_holds(database: Database) -> None:
    played(database, date(2026, 11, 23))
    with database.session() as session:
        for (id,) in session.conn.execute("SELECT id FROM draw").fetchall():
            record = record_of(session, id)
            assert record is not None and verify_draw(record) == []
        programme, call = session.conn.execute(
            "SELECT programme_id, call_id FROM project WHERE code = 'K-01'"
        ).fetchone() or (None, None)
        assert isinstance(programme, UUID)
        scope = Scope(programme, "remote_review", call)
        ranking = ranked_list(session, actor_of("officer1").id, scope)
        noticed = {row[0] for row in session.conn.execute("SELECT project_id FROM notice").fetchall()}
    assert ranking is not None
    # The officer put under notice what the ranking proposes, and no other.
    assert {one.id for one in ranking.above} == noticed
    assert ranking.funds is not None and ranking.funds.voted_minor is not None
    assert sum(one.year_minor for one in ranking.above) <= ranking.funds.voted_minor
    assert noticed <= {one.id for one in ranking.rows if one.row["passed"]}
    assert len(ranking.rows) == len(FIRST)
    # One expert tells no items apart, and that is pointed out.
    assert {finding.code for finding in ranking.findings} >= {"even_marks"}


def test_the_pool_has_people_who_cannot_be_asked_and_none_of_them_was(database: Database) -> None:
    played(database, date(2026, 11, 23))
    assert 55 <= len(rows(database, "SELECT 1 FROM expert")) <= 65
    out = [*RETIRED, *BANNED, *AWAY]
    asked = column(database, "SELECT DISTINCT n.login FROM task t JOIN person n ON n.id = t.expert_id")
    assert not asked & set(out)
    drawn = column(database, "SELECT n.login FROM draw_seat s JOIN person n ON n.id = s.expert_id")
    assert drawn and not drawn & set(out)
    kinds = column(database, "SELECT jsonb_array_elements_text(kinds) FROM expert")
    assert kinds == {"technology", "management", "finance", "investment"}
    assert len(column(database, "SELECT region FROM expert")) == 4


def test_every_role_is_told_what_there_is_to_see() -> None:
    assert set(TO_SEE) == set(ROLES) - {"system"}

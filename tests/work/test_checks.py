"""The payment-stage check judges every waiting payment as the gates judge it one by one, and tells it once.

Whatever its slices, whether it looks at all or only at what changed, twice or late: the same findings.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from config.programme_files import load_programme
from milepost.actions import SYSTEM, perform
from milepost.cases import load_cases
from milepost.db import Database
from milepost.work import verdicts, waiting
from milepost.work.checks import CheckReport, check_payments
from states.case import SYSTEM_ID
from states.gates import GATES, shut_gates
from states.refusals import Refused, refuse
from tests.builders import PROGRAMMES as PROGRAMME_FILES
from tests.builders import World, build

PROGRAMMES = [
    "city-milestone-subsidy",
    "city-post-subsidy",
    "city-pre-subsidy",
    "horizon-lump-sum",
    "small-grants",
]


def check(world: World, **given: Any) -> CheckReport:
    with world.database.session() as session:
        return check_payments(session, **given)


def on_record(world: World, payment_id: UUID) -> list[str]:
    """The codes that the last check wrote."""
    rows = world.rows("SELECT blocked FROM payment_check WHERE payment_id = %s", payment_id)
    return [entry["code"] for entry in rows[0][0]] if rows else ["never checked"]


def state_of(world: World, payment_id: UUID) -> str:
    return str(world.value("SELECT state FROM payment WHERE id = %s", payment_id))


def one_by_one(world: World) -> dict[UUID, list[str]]:
    """What the gates say of each waiting payment, loaded by itself as ``perform`` loads it."""
    found: dict[UUID, list[str]] = {}
    with world.database.session() as session:
        ids = session.conn.execute("SELECT id FROM payment WHERE state IN ('planned', 'due')").fetchall()
        for (id,) in ids:
            case = load_cases(
                session.conn, session.clock, "payment", [id], SYSTEM_ID, frozenset(), session.programmes
            )[id]
            found[id] = [refusal.code for refusal in shut_gates(case)]
    return found


def mails(world: World) -> list[tuple[str, str]]:
    return [
        (login, source)
        for login, source in world.rows(
            "SELECT n.login, m.source FROM message m JOIN person n ON n.id = m.recipient_id "
            "WHERE m.template = 'payment_blocked' ORDER BY m.source, n.login"
        )
    ]


# -- the same as one by one --------------------------------------------------------------------------------


def shake(world: World, project_ids: Sequence[UUID], dice: random.Random) -> None:
    """Do something at random to some projects: whatever is refused is refused."""
    for project_id in dice.sample(project_ids, k=max(1, len(project_ids) // 2)):
        milestones = world.milestones(project_id)
        moves: list[tuple[str, str, UUID, dict[str, Any]]] = [
            ("programme_officer", "project.place_hold", project_id, {"reason": "x"}),
            ("supervisor", "project.flag_integrity", project_id, {"reason": "x"}),
            ("counsel", "project.record_review", project_id, {"kind": "legal", "opinion": "x"}),
            ("programme_officer", "project.suspend", project_id, {"reason": "x"}),
            ("programme_officer", "project.resume", project_id, {"reason": "x"}),
            (
                "finance_officer",
                "project.evidence_contribution",
                project_id,
                {"amount_minor": dice.randrange(1, 10**8), "evidence": "x"},
            ),
        ]
        for milestone_id in milestones:
            moves += [
                ("applicant", "milestone.report", milestone_id, {"report": "x"}),
                ("programme_officer", "milestone.accept", milestone_id, {"opinion": "x"}),
                ("programme_officer", "milestone.reject", milestone_id, {"opinion": "x"}),
            ]
        for actor, step, subject_id, given in dice.choices(moves, k=3):
            with contextlib.suppress(Refused):
                world.take(actor, step, subject_id, **given)
        if dice.random() < 0.3:
            world.enter_payee(project_id, verified=dice.random() < 0.8)


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_a_set_is_judged_as_each_payment_is_by_itself(database: Database, programme: str) -> None:
    dice = random.Random(programme)
    world = build(database, programme)
    stage = "implementation" if "implementation" in world.programme.stages else "closure"
    projects = [
        world.project_at(
            stage, requested_minor=dice.randrange(10, 1000) * 100_000, milestones=dice.randrange(1, 4)
        )
        for _ in range(6)
    ]
    if dice.random() < 0.7:
        world.vote(3 * 10**7)
    for full in (True, False, False, True, False):
        shake(world, projects, dice)
        check(world, full=full, slice_size=dice.choice([1, 3, 1000]))
        expected = one_by_one(world)
        for payment_id, codes in expected.items():
            assert (state_of(world, payment_id) == "due") == (not codes)
            assert sorted(on_record(world, payment_id)) == sorted(codes), payment_id
        world.clock.set(world.clock.today() + timedelta(days=dice.choice([0, 1, 40])))


def test_every_gate_that_a_programme_may_name_is_judged(database: Database, tmp_path: Path) -> None:
    """One that the check cannot ask would end it for the whole office."""
    text = (PROGRAMME_FILES / "city-milestone-subsidy.toml").read_text(encoding="utf-8")
    more = ", ".join(f'"{name}"' for name in sorted(GATES) if f'"{name}"' not in text)
    named = tmp_path / "every.toml"
    named.write_text(text.replace("gates = [", f"gates = [ {more},"), encoding="utf-8")
    world = build(database, named)
    world.project_at("implementation")
    check(world, full=True)
    for payment_id, codes in one_by_one(world).items():
        assert sorted(on_record(world, payment_id)) == sorted(codes)


def test_a_second_check_finds_nothing_new(database: Database) -> None:
    world = build(database)
    world.payment_at("due")
    world.project_at("implementation", milestones=3)
    check(world, full=True)
    before = world.rows("SELECT * FROM payment_check ORDER BY payment_id")
    again = check(world)
    assert (again.examined, again.changed, again.told) == (0, 0, 0)
    all_again = check(world, full=True)
    assert (all_again.examined, all_again.changed, all_again.told) == (5, 0, 0)
    assert world.rows("SELECT * FROM payment_check ORDER BY payment_id") == before


def test_all_payments_are_read_whatever_the_slices(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = build(database)
    for _ in range(3):
        world.project_at("implementation", milestones=3)
    seen: list[tuple[int, int]] = []
    report = check(world, full=True, slice_size=2, progress=lambda done, total: seen.append((done, total)))
    assert report.examined == report.blocked == report.changed == 9
    assert seen == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]
    parts = [check(world, full=True, span=span).examined for span in waiting.spans(4)]
    assert sum(parts) == 9
    # With more than a few changed, one pass reads them all.
    monkeypatch.setattr(waiting, "FEW", 3)
    with database.session() as session:
        session.conn.execute("DELETE FROM payment_check")
    assert check(world, slice_size=2).changed == 9
    assert check(world).examined == 0


# -- due and back ------------------------------------------------------------------------------------------


def test_a_payment_falls_due_once_every_gate_is_open_and_back_when_one_shuts(database: Database) -> None:
    world = build(database)
    project_id = world.project_at("implementation")
    payment_id = world.payments(project_id)[0]
    check(world)
    assert (state_of(world, payment_id), "milestone_not_accepted" in on_record(world, payment_id)) == (
        "planned",
        True,
    )
    world.make_payable(payment_id)
    assert check(world).fell_due == 1
    assert (state_of(world, payment_id), on_record(world, payment_id)) == ("due", [])
    world.take("programme_officer", "project.place_hold", project_id, reason="x")
    assert check(world).fell_back == 1
    assert (state_of(world, payment_id), on_record(world, payment_id)) == ("planned", ["on_hold"])


def test_a_new_year_is_noticed_though_nothing_happens_to_the_project(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("planned", milestones=1)
    world.make_payable(payment_id)
    assert check(world).fell_due == 1
    # Its appropriation is the old year's.
    world.clock.set(date(2026, 1, 1))
    assert check(world).fell_back == 1
    assert on_record(world, payment_id) == ["appropriation_missing"]
    world.vote(year=2026)
    assert check(world).fell_due == 1


def test_a_day_that_opens_a_gate_needs_nobody_to_act() -> None:
    """The gate itself says which day it compared with."""
    today = date(2025, 3, 3)
    bench = verdicts.Bench(datetime(2025, 3, 3, tzinfo=UTC), today, lambda _: programme)
    programme = load_programme(PROGRAMME_FILES / "city-milestone-subsidy.toml").programme
    fact = {
        ("project", "programme_id"): UUID(int=1).bytes,
        ("tranche", "code"): "milestone",
        ("subject", "state"): "planned",
        ("project", "state"): "implementation",
        ("project", "notice_closes_on"): date(2025, 3, 9),
        ("project", "reviews_done"): '["legal"]',
        ("subject", "amount_minor"): 1,
    }
    verdict = bench.judge([fact.get(column) for column in (*bench.layout.shared, *bench.layout.own)])
    assert "notice_running" in verdict.codes
    assert verdict.recheck_on == date(2025, 3, 9)


def test_what_funds_block_is_asked_again_when_the_appropriation_changes(database: Database) -> None:
    world = build(database)
    all_there_is = world.value("SELECT amount_minor FROM appropriation")
    given = {"milestones": 1, "requested_minor": all_there_is}
    first, second = (world.payment_at("planned", **given)[1] for _ in range(2))
    for payment_id in (first, second):
        world.make_payable(payment_id)
    assert check(world).fell_due == 2
    # The first one takes all there is: the second falls back, though nothing happened to its project.
    world.pay(first, "requested")
    assert check(world).fell_back == 1
    assert (state_of(world, second), on_record(world, second)) == ("planned", ["appropriation_exhausted"])
    assert check(world).examined == 0
    appropriation = world.value("SELECT id FROM appropriation")
    more = {"amount_minor": all_there_is, "reason": "x"}
    change = world.take("finance_officer", "budget_change.increase", appropriation, **more).subject_id
    assert check(world).examined == 0
    world.take(world.who("finance_officer", 1), "budget_change.confirm", change)
    assert check(world).fell_due == 1
    assert state_of(world, second) == "due"


def test_a_clock_set_back_moves_no_payment_twice(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("planned")
    world.make_payable(payment_id)
    check(world)
    world.clock.set(world.clock.today() - timedelta(days=400))
    report = check(world, full=True)
    # A year without an appropriation: it falls back, says so, and comes again with its year.
    assert (report.fell_back, state_of(world, payment_id)) == (1, "planned")
    world.clock.set(date(2025, 7, 1))
    assert check(world).fell_due == 1
    assert world.value("SELECT count(*) FROM event WHERE step = 'payment.fall_due'") == 2


# -- telling -----------------------------------------------------------------------------------------------


def test_people_are_told_once_what_they_can_do_and_not_while_the_work_goes_on(database: Database) -> None:
    world = build(database)
    world.vote()
    project_id = world.project_at("implementation", milestones=1)
    payment_id = world.payments(project_id)[0]
    assert check(world).told == 0
    world.take("counsel", "project.record_review", project_id, kind="legal", opinion="x")
    world.bring_milestone_to(world.milestones(project_id)[0], "accepted")
    # The work is accepted, and there is no account to pay to: the grantee can act, and counsel cannot.
    report = check(world)
    assert (report.told, on_record(world, payment_id)) == (2, ["payee_missing"])
    assert {login for login, _ in mails(world)} == {"applicant-1", "principal_investigator-1"}
    assert check(world, full=True).told == 0
    # Something happened that changes no reason: nothing is told.
    world.enter_payee(project_id, verified=False)
    report = check(world)
    assert (report.examined, report.told) == (1, 0)


def test_a_payment_that_falls_back_is_told_to_who_can_act(database: Database) -> None:
    world = build(database)
    project_id, payment_id = world.payment_at("planned", milestones=1)
    world.make_payable(payment_id)
    check(world)
    world.take("programme_officer", "project.place_hold", project_id, reason="x")
    assert check(world).told == 2
    assert {login for login, _ in mails(world)} == {"programme_officer-1", "programme_officer-2"}


# -- the rules stay where they are ---------------------------------------------------------------------------


def test_a_gate_that_reads_something_new_needs_no_change_here(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tranche_is_early(case: Any) -> Any:
        late = case.facts["tranche"]["number"] > 1 and case.of["requested_minor"] > 0
        return refuse("on_hold", count=case.facts["tranche"]["number"]) if late else None

    world = build(database)
    project_id = world.project_at("implementation", milestones=3)
    monkeypatch.setitem(GATES, "no_hold", tranche_is_early)
    monkeypatch.setattr(verdicts, "_KNOWN", dict(verdicts._KNOWN))
    report = check(world, full=True, slice_size=2)
    assert report.examined == 3
    first, *others = world.payments(project_id)
    assert "on_hold" not in on_record(world, first)
    assert all("on_hold" in on_record(world, other) for other in others)


def test_what_is_recorded_is_written_as_the_database_writes_it(database: Database) -> None:
    refusals = [
        refuse("notice_running", closes=date(2025, 3, 10)),
        refuse("appropriation_exhausted", need='1 "x" \\ \n中', have="€\u001f"),
        refuse("on_hold", count=2),
    ]
    text = verdicts.as_stored(refusals)
    with database.session() as session:
        row = session.conn.execute("SELECT %s::jsonb::text", (text,)).fetchone()
    assert row is not None and row[0] == text


def test_a_step_that_is_refused_meanwhile_is_no_error(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("planned", milestones=1)
    world.make_payable(payment_id)
    with database.session() as session:
        perform(session, SYSTEM, "payment.fall_due", payment_id, {}, "somebody else")
    report = check(world, full=True)
    assert (report.fell_due, report.blocked) == (0, 0)
    assert on_record(world, payment_id) == []

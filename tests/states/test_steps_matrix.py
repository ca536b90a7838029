"""Every combination of state, step and role that is not in the tables refuses, and a refusal writes nothing.

The tables are read a second time here, row by row, and held against the machines, against what the database
was told, and against ``perform`` itself over real rows in every state of every noun.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from transitions import MachineError

from config.programme_files import load_programme
from milepost.actions import Order, perform, perform_many
from milepost.decisions import PARENT, permitted, state_objection
from states.case import Case
from states.machines import STATIC, Compiled, compile_programme, step_names
from states.project import project_steps
from states.refusals import Refusal, Refused
from states.roles import PERMISSIONS, ROLES
from states.step import SAME, NounMachine, Step
from tests.invariants.conftest import Found
from tests.invariants.town import SHIPPED, START, Town, person_id

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("matrix")

COMPILED = {path.stem: compile_programme(load_programme(path).programme) for path in SHIPPED}
MACHINES = [
    pytest.param(compiled, noun, id=f"{name}-{noun}")
    for name, compiled in COMPILED.items()
    for noun in compiled.machines
]


def rows_of(compiled: Compiled, noun: str) -> tuple[Step, ...]:
    return project_steps(compiled.programme) if noun == "project" else STATIC[noun]


def in_the_table(compiled: Compiled, noun: str) -> set[tuple[str, str, str, str]]:
    """(step, from, to, role) as the rows say them."""
    found = set()
    for row in rows_of(compiled, noun):
        for source in row.source or ("",):
            targets = (row.target,) if isinstance(row.target, str) else row.target
            for target in targets:
                for role, steps in PERMISSIONS.items():
                    if row.name in steps:
                        found.add((row.name, source, source if target == SAME else target, role))
    return found


def case_of(compiled: Compiled, noun: str, state: str, roles: set[str]) -> Case:
    subject: dict[str, Any] | None = {"state": state, "version": 1, "amount_minor": 1} if state else None
    at = START
    return Case(
        noun=noun,
        subject_id=UUID(int=1),
        subject=subject,
        project=subject,
        programme=compiled.programme,
        actor_id=UUID(int=2),
        roles=frozenset(roles),
        now=None,  # type: ignore[arg-type]
        today=at,
        facts={"duties": []},
    )


# The tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("compiled", "noun"), MACHINES)
def test_every_state_step_and_role_is_as_the_table_says(compiled: Compiled, noun: str) -> None:
    machine = compiled.machines[noun]
    table = in_the_table(compiled, noun)
    for state in ("", *machine.states):
        for step in machine.steps.values():
            for role in ROLES:
                case = case_of(compiled, noun, state, {role})
                allowed = (
                    not isinstance(permitted(case, step, machine), Refusal)
                    and state_objection(case, step) is None
                )
                in_table = any(r[0] == step.name and r[1] == state and r[3] == role for r in table)
                # Of the roles that may approve, a payment asks for those of its tier alone.
                asked = step.asks is None or not state or role in step.asks(case)
                assert allowed == (in_table and asked)


@pytest.mark.parametrize(("compiled", "noun"), MACHINES)
def test_the_machine_goes_only_where_the_table_says(compiled: Compiled, noun: str) -> None:
    machine = compiled.machines[noun]
    assert set(machine.allowed()) == in_the_table(compiled, noun)
    for state in ("", *machine.states):
        for step in machine.steps.values():
            went = targets_of(machine, step, state)
            assert went == {b for a, b in step.pairs() if a == state}


def targets_of(machine: NounMachine, step: Step, state: str) -> set[str]:
    """Where the machine goes when every guard holds, whatever the step would choose."""
    verdicts = dict.fromkeys(step.guards, True)
    chosen = step.target if isinstance(step.target, tuple) else (None,)
    found = set()
    for target in chosen:
        tried = replace(step, choose=(lambda case, to=target: to) if target else None)
        try:
            found.add(machine.fire(tried, state, verdicts, None))  # type: ignore[arg-type]
        except (MachineError, AssertionError):
            continue
    return found


@pytest.mark.parametrize(("compiled", "noun"), MACHINES)
def test_the_machine_stands_still_while_one_guard_objects(compiled: Compiled, noun: str) -> None:
    machine = compiled.machines[noun]
    for step in machine.steps.values():
        for objecting in step.guards:
            verdicts = {guard: guard != objecting for guard in step.guards}
            for state in step.source or ("",):
                if step.choose is None:
                    with pytest.raises(AssertionError):
                        machine.fire(step, state, verdicts, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("compiled", "noun"), MACHINES)
def test_a_guard_that_was_not_asked_stops_the_engine(compiled: Compiled, noun: str) -> None:
    machine = compiled.machines[noun]
    for step in machine.steps.values():
        if step.guards and step.choose is None:
            with pytest.raises(KeyError):
                machine.fire(step, step.source[0] if step.source else "", {}, None)  # type: ignore[arg-type]


def test_who_has_no_role_sees_nothing() -> None:
    for compiled in COMPILED.values():
        for noun, machine in compiled.machines.items():
            for step in machine.steps.values():
                objection = permitted(case_of(compiled, noun, "", set()), step, machine)
                assert isinstance(objection, Refusal) and objection.code == "not_found"


def test_administrators_and_counsel_move_no_state_and_no_money() -> None:
    assert PERMISSIONS["administrator"] == frozenset()
    holds = {"project.place_hold", "project.lift_hold"}
    assert PERMISSIONS["counsel"] == {"project.record_review", *holds}
    # Money is stopped by whoever has a reason, and let go by another: neither moves it.
    stops = {"payment.place_hold", "payment.lift_hold"}
    assert {step for step in PERMISSIONS["supervisor"] if step.startswith("payment.")} == stops


def test_nobody_but_finance_and_the_system_moves_money() -> None:
    for role, steps in PERMISSIONS.items():
        if role not in ("finance_officer", "system"):
            moves = {s for s in steps if s.partition(".")[0] in ("payment", "appropriation")}
            # A programme's tier may ask for an officer's approval; that alone moves nothing, nor does a hold.
            moves -= {"payment.place_hold", "payment.lift_hold"}
            assert moves <= ({"payment.approve"} if role == "programme_officer" else set())


def test_every_step_of_every_programme_belongs_to_somebody() -> None:
    for compiled in COMPILED.values():
        for machine in compiled.machines.values():
            for step in machine.steps:
                assert machine.roles_of(step), step
                assert step in step_names()


# The same over real rows -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found()
    made.vote(10_000_000_000)
    for path in SHIPPED:
        made.publish(path.read_text(encoding="utf-8"))
    return made


@pytest.fixture(scope="module")
def stood(town: Town) -> dict[str, dict[str, UUID]]:
    """A subject of every noun in every state."""
    machines = town.programme.compiled.machines
    return {noun: {state: town.stand(noun, state) for state in m.states} for noun, m in machines.items()}


@pytest.fixture
def unchanged(town: Town) -> Iterator[None]:
    before = contents(town)
    yield
    assert contents(town) == before


def contents(town: Town) -> dict[str, list[str]]:
    tables = [
        r[0]
        for r in town.all("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    ]
    return {t: sorted(r[0] for r in town.all(f'SELECT t::text FROM "{t}" t')) for t in tables}


ACTORS = {
    "applicant": "unit",
    "principal_investigator": "lead",
    "programme_officer": "officer",
    "evaluator": "judge",
    "expert": "expert1",
    "finance_officer": "finance5",
    "supervisor": "supervisor",
    "counsel": "counsel",
    "administrator": "admin",
    "system": "system",
}


def refusals(town: Town, who: str, step: str, subject: UUID | None) -> list[str]:
    with pytest.raises(Refused) as caught:
        perform(town.session, town.people[who], step, subject, {}, f"matrix-{secrets.token_hex(8)}")
    return [refusal.code for refusal in caught.value.refusals]


def test_the_database_knows_the_very_same_pairs(town: Town) -> None:
    for compiled in COMPILED.values():
        for machine in compiled.machines.values():
            rows = town.all(
                "SELECT step, from_state, to_state, role FROM allowed_step WHERE machine = %s", machine.id
            )
            assert set(rows) == set(machine.allowed())
            assert town.one("SELECT sealed FROM machine WHERE id = %s", machine.id) is True


@pytest.mark.usefixtures("unchanged")
def test_who_may_not_take_a_step_is_told_so_and_nothing_is_written(
    town: Town, stood: dict[str, dict[str, UUID]]
) -> None:
    tried = 0
    for noun, machine in town.programme.compiled.machines.items():
        for step in machine.steps.values():
            for role, who in ACTORS.items():
                if step.name in PERMISSIONS[role]:
                    continue
                subject = next(iter(stood[noun].values())) if step.source else parent_of(town, stood, noun)
                given = {} if step.source or subject else {"programme_id": str(town.programme.id)}
                with pytest.raises(Refused) as caught:
                    perform(
                        town.session,
                        town.people[who],
                        step.name,
                        subject,
                        given,
                        f"who-{secrets.token_hex(8)}",
                    )
                # The system holds no office, so that where nothing exists yet it is a stranger.
                at_the_root = role == "system" and subject is None
                code = "not_found" if at_the_root else "not_permitted"
                assert [r.code for r in caught.value.refusals] == [code], (step.name, role)
                tried += 1
    assert tried > 500


def parent_of(town: Town, stood: dict[str, dict[str, UUID]], noun: str) -> UUID | None:
    over = PARENT[noun]
    return next(iter(stood[over].values())) if over else None


@pytest.mark.usefixtures("unchanged")
def test_a_step_from_a_state_that_is_not_its_own_is_refused_and_nothing_is_written(
    town: Town, stood: dict[str, dict[str, UUID]]
) -> None:
    tried = 0
    for noun, machine in town.programme.compiled.machines.items():
        for state, subject in stood[noun].items():
            for step in machine.steps.values():
                if state in step.source or not step.source:
                    continue
                role = machine.roles_of(step.name)[0]
                code = "approvals_missing" if state in step.not_yet else "wrong_state"
                assert code in refusals(town, ACTORS[role], step.name, subject), (step.name, state)
                tried += 1
    assert tried > 500


@pytest.mark.usefixtures("unchanged")
def test_many_orders_that_all_refuse_write_nothing(town: Town, stood: dict[str, dict[str, UUID]]) -> None:
    orders = []
    for noun, machine in town.programme.compiled.machines.items():
        for state, subject in stood[noun].items():
            for step in machine.steps.values():
                if (
                    step.source
                    and state not in step.source
                    and step.asks is None
                    and "programme_officer" in machine.roles_of(step.name)
                ):
                    orders.append(Order(step.name, subject, {}, f"many-{secrets.token_hex(8)}"))
    outcomes = perform_many(town.session, town.people["officer"], orders)
    assert all("wrong_state" in {r.code for r in outcome.refusals} for outcome in outcomes)
    assert [outcome.order for outcome in outcomes] == orders


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_to_a_person_without_a_role_everything_is_missing(
    town: Town, stood: dict[str, dict[str, UUID]], who: str
) -> None:
    """What is forbidden and what does not exist look the same."""
    town.people.setdefault("stranger", type(town.people["nobody"])(person_id("stranger"), fresh=True))
    for noun, machine in town.programme.compiled.machines.items():
        for step in machine.steps.values():
            if step.source:
                there = refusals(town, who, step.name, next(iter(stood[noun].values())))
                missing = refusals(town, who, step.name, UUID(int=7))
                assert there == missing == ["not_found"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "step", ["project.fly", "project.approve_all", "payment.", "payment.pay", "sky.fall", ""]
)
def test_a_step_that_does_not_exist_is_named_with_those_that_do(
    town: Town, stood: dict[str, dict[str, UUID]], step: str
) -> None:
    subject = stood.get(step.partition(".")[0], stood["project"])
    for id in subject.values():
        assert refusals(town, "officer", step, id) == ["unknown_step"]


@pytest.mark.usefixtures("unchanged")
def test_a_step_of_a_stage_the_programme_does_not_have_is_unknown(
    town: Town, stood: dict[str, dict[str, UUID]]
) -> None:
    for state, id in stood["project"].items():
        assert refusals(town, "officer", "project.record_site_visit", id) == ["unknown_step"], state


@pytest.mark.usefixtures("unchanged")
def test_a_stale_page_is_refused(town: Town, stood: dict[str, dict[str, UUID]]) -> None:
    subject = stood["project"]["implementation"]
    version = town.one("SELECT version FROM project WHERE id = %s", subject)
    for seen in (version - 1, version + 1, 0):
        with pytest.raises(Refused) as caught:
            perform(
                town.session,
                town.people["officer"],
                "project.place_hold",
                subject,
                {"reason": "x"},
                secrets.token_hex(8),
                expected_version=seen,
            )
        assert [r.code for r in caught.value.refusals] == ["stale_page"]


def test_a_refusal_ends_its_transaction(town: Town, stood: dict[str, dict[str, UUID]]) -> None:
    refusals(town, "officer", "project.approve", stood["project"]["archived"])
    idle = psycopg.pq.TransactionStatus.IDLE
    assert town.session.conn.info.transaction_status == idle

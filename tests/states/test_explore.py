"""Guarantee: a programme that passes the check gets every project through and pays nothing unearned.

Each file in ``broken_programmes`` is a whole programme with one thing wrong. Its first line says what, a
mark ``#! code`` stands on the line that has to be named, and a second line gives the shortest path. The
other half breaks the product's own tables and rules instead, and expects the check to see it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.programme_files import ProgrammeError, load_programme, shipped_programmes
from config.programmes import Programme
from states import abstract, safety
from states.abstract import INPUTS, Model, Unread
from states.case import Case, Change
from states.explore import check_programme, explore_programme
from states.gates import GATES
from states.guards import GUARDS
from states.labels import every_step
from states.machines import Compiled, compile_programme
from states.refusals import Refusal
from states.step import NounMachine, Step
from states.walk import walk

BROKEN = sorted((Path(__file__).parent / "broken_programmes").glob("*.toml"))
SHIPPED = {path.stem: load_programme(path).programme for path in shipped_programmes()}
ALL = SHIPPED["city-pre-subsidy"], SHIPPED["city-milestone-subsidy"], SHIPPED["horizon-lump-sum"]


# -- programmes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_programme_is_proved_sound(name: str) -> None:
    report = explore_programme(SHIPPED[name])
    assert report.findings == []
    assert report.combinations > 50 and report.steps > report.combinations


def marks(path: Path) -> list[tuple[int, str]]:
    """The lines that carry a mark, with the codes expected there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        (n, code) for n, line in enumerate(lines, 1) if "#!" in line for code in line.split("#!")[1].split()
    ]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_programme_is_refused_on_the_line_that_is_wrong(path: Path) -> None:
    try:
        loaded = load_programme(path)
        problems = [finding.placed(loaded.places) for finding in check_programme(loaded.programme)]
    except ProgrammeError as error:
        problems = error.problems
    assert sorted((problem.line, problem.code) for problem in problems) == marks(path)
    for problem in problems:
        assert problem.zh.endswith("。") and problem.en.endswith("."), problem


WITH_PATH = [path for path in BROKEN if "\n# Shortest path: " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_PATH, ids=lambda path: path.stem)
def test_what_is_wrong_comes_with_the_shortest_path_that_shows_it(path: Path) -> None:
    line = path.read_text(encoding="utf-8").splitlines()[1]
    expected = line.removeprefix("# Shortest path: ").split(" → ")
    found = [
        finding.shortest for finding in check_programme(load_programme(path).programme) if finding.shortest
    ]
    best = min(found, key=len)
    # Two pledges may be signed in either order; nothing else is left open.
    assert (sorted(best), best[-1]) == (sorted(expected), expected[-1])


def test_there_are_many_ways_to_be_broken() -> None:
    assert len(BROKEN) >= 20 and len(WITH_PATH) >= 8
    assert len({code for path in BROKEN for _, code in marks(path)}) >= 18


# -- a gate is taken away -----------------------------------------------------------------------------

NEEDED = {
    "milestone_accepted",
    "acceptance_passed",
    "no_hold",
    "integrity_clear",
    "payee_verified",
    "appropriation_available",
}
GATED = [
    (name, index, gate)
    for name, programme in SHIPPED.items()
    for index, tranche in enumerate(programme.tranches)
    for gate in tranche.gates
    if gate in NEEDED
]


@pytest.mark.parametrize(("name", "index", "gate"), GATED)
def test_a_programme_without_one_of_its_gates_is_refused(name: str, index: int, gate: str) -> None:
    programme = SHIPPED[name]
    tranche = programme.tranches[index]
    without = tranche.model_copy(update={"gates": tuple(g for g in tranche.gates if g != gate)})
    tranches = (*programme.tranches[:index], without, *programme.tranches[index + 1 :])
    found = check_programme(programme.model_copy(update={"tranches": tranches}))
    assert {finding.code for finding in found} <= {"paid_unearned", "paid_despite"}
    assert any(f"add {gate} " in finding.en and finding.shortest for finding in found)


@pytest.mark.parametrize("gate", sorted(NEEDED | {"previous_tranche_spent", "own_contribution_evidenced"}))
def test_a_gate_that_no_longer_shuts_is_noticed(gate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GATES, gate, lambda case: None)
    found = [finding.code for programme in ALL for finding in check_programme(programme)]
    assert set(found) <= {"paid_unearned", "paid_despite"} and found


@pytest.mark.parametrize("gate", sorted({gate for p in ALL for t in p.tranches for gate in t.gates}))
def test_a_gate_that_never_opens_is_noticed(gate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GATES, gate, lambda case: Refusal("on_hold"))
    found = {finding.code for programme in ALL for finding in check_programme(programme)}
    assert "gate_never_opens" in found


# -- the tables are broken ----------------------------------------------------------------------------


def without_guard(name: str, guard: str) -> Callable[[Step], Step | None]:
    """The table with a step that no longer asks one of its guards."""

    def change(step: Step) -> Step | None:
        if step.name != name:
            return step
        assert guard in step.guards
        return dataclasses.replace(step, guards=tuple(g for g in step.guards if g != guard))

    return change


def without(*names: str) -> Callable[[Step], Step | None]:
    """The table without some steps."""
    return lambda step: None if step.name in names else step


def rebuilt(programme: Programme, change: Callable[[Step], Step | None]) -> Compiled:
    compiled = compile_programme(programme)
    machines = {
        noun: NounMachine(
            noun,
            {row.name: row for step in machine.steps.values() if (row := change(step)) is not None},
            machine.permissions,
        )
        for noun, machine in compiled.machines.items()
    }
    return dataclasses.replace(compiled, machines=machines)


TABLES: list[tuple[str, Callable[[Step], Step | None], str]] = [
    ("release asks no gate", without_guard("payment.release", "gates_open"), "paid_despite"),
    ("the bank is handed it unasked", without_guard("payment.instruct", "gates_open"), "paid_despite"),
    ("a request asks no gate", without_guard("payment.request", "gates_open"), "paid_despite"),
    ("closed with money", without_guard("project.close", "payments_finished"), "payment_outlives_project"),
    (
        "terminated with money at the bank",
        without_guard("project.terminate", "no_money_on_its_way"),
        "payment_outlives_project",
    ),
    ("nobody approves", without("project.approve"), "closure_unreachable"),
    ("the bank never answers", without("payment.settle", "payment.bank_return", "payment.not_received",
                                       "payment.lose"), "part_never_finishes"),
    ("nobody concludes the notice", without("project.conclude_notice"), "closure_unreachable"),
    ("nobody resumes", without("project.resume"), "closure_unreachable"),
    ("nobody verifies an account", without("payee.verify"), "gate_never_opens"),
    ("nobody grants money", without("appropriation.vote"), "gate_never_opens"),
    ("nobody lifts a hold", without("project.lift_hold"), "gate_never_opens"),
    ("nobody opens a round", without("round.open"), "closure_unreachable"),
    ("nobody signs for the unit", without("project.sign_unit_pledge"), "closure_unreachable"),
    ("approval leads nowhere", without("project.approve", "project.decline", "project.withdraw",
                                       "project.suspend"), "dead_end"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_a_broken_table_is_noticed(change: Callable[[Step], Step | None], code: str) -> None:
    programme = SHIPPED["city-milestone-subsidy"]
    found = explore_programme(programme, rebuilt(programme, change)).findings
    assert code in {finding.code for finding in found}


# -- no rule escapes the check ------------------------------------------------------------------------


def test_a_gate_that_reads_what_the_check_does_not_know_stops_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def moon_is_full(case: Case) -> Refusal | None:
        return None if case.of["moon_phase"] == "full" else Refusal("on_hold")

    monkeypatch.setitem(GATES, "no_hold", moon_is_full)
    with pytest.raises(Unread, match="moon_phase"):
        check_programme(SHIPPED["small-grants"])


def test_an_effect_that_writes_what_is_not_known_stops_it() -> None:
    def change(step: Step) -> Step:
        return dataclasses.replace(step, effect=wane) if step.name == "project.submit" else step

    def wane(case: Case) -> Change:
        return Change(set={"moon_phase": "new"})

    programme = SHIPPED["small-grants"]
    with pytest.raises(Unread, match="moon_phase"):
        explore_programme(programme, rebuilt(programme, change))


def test_the_lists_of_the_check_name_only_what_exists() -> None:
    steps = set(every_step())
    assert set(abstract.QUIET) <= steps
    assert {name for env in abstract.ENVIRONMENT.values() for name in env.by} <= steps
    assert {danger.gate for danger in safety.DANGERS} | {earned.gate for earned in safety.EARNED} <= set(
        GATES
    )
    assert {step for danger in safety.DANGERS for step in danger.steps} <= steps
    assert not set(abstract.TRACKED) & (set(abstract.ENVIRONMENT) | set(abstract.IGNORED))
    assert all(INPUTS.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_the_ends_of_the_machines_are_where_nothing_has_to_happen(name: str) -> None:
    machines = compile_programme(SHIPPED[name]).machines
    # Ends that somebody may leave again, without having to.
    reopened = {
        "project": {"declined"},
        "task": {"submitted"},
        "draw": {"drawn"},
        "payment": {"settled"},
        "claim": {"accepted"},
        "receivable": {"settled", "written_off", "cancelled"},
        "bank_exception": {"explained"},
    }
    for noun, ends in abstract.ENDS.items():
        assert machines[noun].terminal | reopened.get(noun, set()) == ends, noun


def test_every_guard_of_the_steps_that_are_walked_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    def listening(name: str, check: Callable[[Case], Any]) -> Callable[[Case], Any]:
        def listen(case: Case) -> Any:
            asked.add(name)
            return check(case)

        return listen

    for name, guard in GUARDS.items():
        monkeypatch.setitem(GUARDS, name, dataclasses.replace(guard, check=listening(name, guard.check)))
    walked: set[str] = set()
    for programme in ALL:
        compiled = compile_programme(programme)
        walk(Model(compiled, 0))
        for noun in ("project", "milestone", "payment", "notice", "objection"):
            rows = compiled.machines[noun].steps.values()
            walked |= {
                guard
                for step in rows
                if step.name not in abstract.QUIET
                and (noun == "project" or step.target != "=")
                and (step.source or noun in ("notice", "objection"))
                for guard in step.guards
            }
    assert walked <= asked

"""Guarantee: before a programme version changes, everything that moves is said, and who would be stranded."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from config.programme_files import load_programme, shipped_programmes
from config.programmes import Programme
from states.machines import compile_programme
from states.preview import Preview, Project, preview

SHIPPED = {path.stem: load_programme(path).programme for path in shipped_programmes()}
OLD = SHIPPED["city-pre-subsidy"]


def changed(**update: Any) -> Programme:
    return OLD.model_copy(update={"version": 2, **update})


def seen(new: Programme, *running: Project | tuple[str, str]) -> Preview:
    return preview(compile_programme(OLD), compile_programme(new), running)


def stages(*, without: tuple[str, ...] = (), after: dict[str, str] | None = None) -> tuple[str, ...]:
    order = [stage for stage in OLD.stages if stage not in without]
    for before, stage in (after or {}).items():
        order.insert(order.index(before) + 1, stage)
    return tuple(order)


def deadlines_without(*names: str) -> tuple[Any, ...]:
    """Without those of a stage, so that the programme still names only states that it has."""
    return tuple(deadline for deadline in OLD.deadlines if deadline.of not in names)


NO_VISIT = changed(stages=stages(without=("site_visit",)), deadlines=deadlines_without("project.site_visit"))


def test_a_version_that_differs_in_nothing_changes_nothing() -> None:
    nothing = seen(changed(), ("P-1", "approval"))
    assert nothing.possible and nothing.differences == ()
    assert (nothing.lines("zh"), nothing.lines("en")) == (["没有变化。"], ["Nothing changes."])


first, balance = OLD.tranches
OTHER_GATES = balance.model_copy(update={"gates": (*balance.gates[1:], "required_reviews_done")})
DIFFERENCES: list[tuple[str, Programme, list[tuple[str, str]]]] = [
    ("a stage less", NO_VISIT, [("lost", "stages.site_visit"), ("lost", "deadlines.site_visit_due")]),
    (
        "a stage more",
        changed(stages=stages(after={"remote_review": "panel_review"})),
        [("gained", "stages.panel_review")],
    ),
    (
        "another order",
        changed(stages=stages(without=("public_notice",), after={"eligibility_check": "public_notice"})),
        [("changed", "stages")],
    ),
    (
        "another share",
        changed(
            tranches=(
                first.model_copy(update={"share": Fraction(2, 5)}),
                balance.model_copy(update={"share": Fraction(3, 5)}),
            )
        ),
        [("changed", "tranches.first.share"), ("changed", "tranches.balance.share")],
    ),
    (
        "a gate for another",
        changed(tranches=(first, OTHER_GATES)),
        [
            ("gained", "tranches.balance.gates.required_reviews_done"),
            ("lost", "tranches.balance.gates.agreement_signed"),
        ],
    ),
    (
        "a tranche for another",
        changed(tranches=(first, balance.model_copy(update={"code": "rest"}))),
        [("gained", "tranches.rest"), ("lost", "tranches.balance")],
    ),
    (
        "another moment",
        changed(tranches=(first, balance.model_copy(update={"waits_for": "agreement"}))),
        [("changed", "tranches.balance.waits_for")],
    ),
    (
        "a longer deadline",
        changed(deadlines=(OLD.deadlines[0].model_copy(update={"length": 60}), *OLD.deadlines[1:])),
        [("changed", "deadlines.application_due")],
    ),
    ("another length of notice", changed(notice_working_days=7), [("changed", "notice_working_days")]),
    ("another currency", changed(currency="EUR"), [("changed", "currency")]),
]


@pytest.mark.parametrize(
    ("new", "expected"), [row[1:] for row in DIFFERENCES], ids=[row[0] for row in DIFFERENCES]
)
def test_every_difference_is_said_in_both_languages(new: Programme, expected: list[tuple[str, str]]) -> None:
    found = seen(new)
    assert [(each.kind, each.path) for each in found.differences] == expected
    for each in found.differences:
        assert each.words.zh.endswith("。") and each.words.en.endswith(".")


def test_a_project_in_a_stage_that_is_gone_would_be_stranded() -> None:
    found = seen(NO_VISIT, ("P-1", "site_visit"), ("P-2", "approval"), ("P-3", "declined"))
    assert [project.code for project in found.stranded] == ["P-1"]
    assert not found.possible
    assert found.lines("en")[0].startswith("P-1 is in “Site visit”, which the new version does not have; ")
    assert found.lines("zh")[0].startswith("P-1 处于“现场考察”")


def test_a_suspended_project_has_to_find_the_stage_it_came_from() -> None:
    found = seen(NO_VISIT, Project("P-1", "suspended", "site_visit"), Project("P-2", "suspended", "approval"))
    assert [project.code for project in found.stranded] == ["P-1"]


@pytest.mark.parametrize(
    ("state", "gained", "lost"),
    [
        ("application", ("panel_review",), ("site_visit",)),
        ("remote_review", ("panel_review",), ("site_visit",)),
        # What was put in or taken out behind a project passes it by.
        ("public_notice", (), ()),
        ("closed_passed", (), ()),
    ],
)
def test_each_project_is_told_what_lies_ahead(
    state: str, gained: tuple[str, ...], lost: tuple[str, ...]
) -> None:
    new = NO_VISIT.model_copy(
        update={"stages": stages(without=("site_visit",), after={"remote_review": "panel_review"})}
    )
    (outlook,) = seen(new, ("P-1", state)).outlooks
    assert (outlook.gained, outlook.lost) == (gained, lost)
    if gained:
        assert seen(new, ("P-1", state)).lines("en")[-1] == (
            "P-1 will also pass Panel review and will no longer pass Site visit."
        )


@pytest.mark.parametrize("old", SHIPPED)
@pytest.mark.parametrize("new", SHIPPED)
def test_any_two_programmes_can_be_compared(old: str, new: str) -> None:
    running = [("P", state) for state in compile_programme(SHIPPED[old]).machines["project"].states]
    found = preview(compile_programme(SHIPPED[old]), compile_programme(SHIPPED[new]), running)
    known = compile_programme(SHIPPED[new]).machines["project"].states
    assert {project.state for project in found.stranded} == {
        state for _, state in running if state not in known
    }
    assert (old == new) == (found.lines("en") == ["Nothing changes."])

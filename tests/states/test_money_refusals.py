"""Whatever keeps money from leaving says by which gate, what is the case, what helps and who can do it."""

from __future__ import annotations

import ast
import inspect

import pytest

from states import bank_guards, budget_guards
from states.gates import GATES
from states.guards import GUARDS
from states.payment import STEPS
from states.refusals import CATALOGUE
from states.roles import ROLES

GUARDED = {guard for step in STEPS for guard in step.guards} | {
    name for name in GUARDS if GUARDS[name].check.__module__ in (bank_guards.__name__, budget_guards.__name__)
}
CHECKS = {**GATES, **{name: GUARDS[name].check for name in GUARDED}}


def codes_of(check: object) -> set[str]:
    """The codes with which a check refuses, as its source has them."""
    tree = ast.parse(inspect.getsource(check))  # type: ignore[arg-type]
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "refuse"
        for arg in node.args[:1]
        if isinstance(arg, ast.Constant)
    }


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_refusal_of_money_says_what_helps_and_who_in_both_languages(name: str) -> None:
    for code in codes_of(CHECKS[name]):
        row = CATALOGUE[code]
        assert row.who and set(row.who) <= {*ROLES, "anyone"}, code
        for text in (row.fact, row.remedy):
            assert text.zh.strip() and text.en.strip(), code
            assert any("\u4e00" <= c <= "\u9fff" for c in text.zh), code
            assert not any("\u4e00" <= c <= "\u9fff" for c in text.en), code


def test_every_gate_refuses_by_a_code_that_no_other_check_uses_for_another_fact() -> None:
    found = {name: codes_of(check) for name, check in GATES.items()}
    assert all(found.values())
    everything = [code for codes in found.values() for code in codes]
    assert len(everything) == len(set(everything))

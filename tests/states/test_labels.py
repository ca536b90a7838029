"""Whoever reads a state, a step or a role reads words in their language, never a code."""

from __future__ import annotations

import pytest

from states.gate_labels import GATE_LABELS, GATE_NOUNS, GATE_STEPS
from states.gates import GATES
from states.labels import NOUNS, STATES, every_step, role_label, state_label, step_label, worded
from states.machines import static_machines, step_names
from states.refusals import refuse
from states.roles import ROLES
from states.stages import STAGES


def test_every_state_of_every_noun_has_words() -> None:
    for noun, machine in static_machines().items():
        assert noun in NOUNS
        assert set(machine.states) <= set(STATES[noun]), noun
    steps = [step for step in every_step().values() if step.noun == "project"]
    states = {state for step in steps for pair in step.pairs() for state in pair if state}
    assert states <= set(STATES["project"])
    assert set(STAGES) <= set(STATES["project"])


def test_every_step_and_role_has_words() -> None:
    assert set(every_step()) == step_names()
    for name in step_names():
        assert step_label(name).zh != step_label(name).en
    for role in (*ROLES, "anyone"):
        assert role_label(role).zh


def test_every_gate_has_words_and_names_steps_that_exist() -> None:
    assert set(GATES) <= set(GATE_LABELS)
    assert set(GATE_STEPS) | set(GATE_NOUNS) <= set(GATE_LABELS)
    assert {step for steps in GATE_STEPS.values() for step in steps} <= step_names()
    assert set(GATE_NOUNS.values()) <= set(NOUNS)


@pytest.mark.parametrize(
    ("refusal", "zh", "en"),
    [
        (
            refuse("wrong_state", state="reported", step="milestone.waive", sources="planned, due"),
            "当前状态为“已提交，待评价”，不能执行“免除里程碑”。",
            "It is “Reported, to be evaluated” now; “Waive” is not possible from there.",
        ),
        (
            refuse("not_permitted", step="project.approve", roles="programme_officer"),
            "您的角色不能执行“批准立项”。",
            "Your roles do not allow “Approve”.",
        ),
        (refuse("four_eyes", duty="payee editor"), "收款账户登记人", "editor of the payee's account"),
        (refuse("required_review_missing", kinds="legal"), "合法性审查", "legal review"),
        (refuse("project_stopped", state="suspended"), "暂停", "Suspended"),
    ],
)
def test_a_refusal_speaks_in_words(refusal: object, zh: str, en: str) -> None:
    assert zh in worded(refusal, "zh").fact("zh")  # type: ignore[arg-type]
    assert en in worded(refusal, "en").fact("en")  # type: ignore[arg-type]


def test_a_code_without_words_is_at_least_readable() -> None:
    assert state_label("project", "something_new").en == "something new"

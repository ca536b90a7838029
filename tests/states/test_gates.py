"""Every gate is open in one case and shut in others, and a payment sees every shut gate at once.

Money leaves only through these: a gate without its two cases fails here, and so does a programme that names
none for a tranche.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from config.programmes import Programme
from states.case import Case
from states.gates import GATES, PAYING_STATES, shut_gates
from states.guards import objections
from states.payment import STEPS
from tests.states import plan_gate_cases
from tests.states.test_guards import MILESTONES, PROGRAMMES, TODAY

ME, OTHER = UUID(int=1), UUID(int=2)
PAYMENT = {
    "state": "due",
    "version": 2,
    "amount_minor": 100,
    "offset_minor": 0,
    "holds": 0,
    "appropriation_id": None,
    "payee_id": None,
}
PROJECT = {
    "state": "implementation",
    "currency": "CNY",
    "agreement_signed_on": TODAY,
    "notice_closes_on": date(2025, 3, 7),
    "notice_state": "ended",
    "open_objections": 0,
    "acceptance_outcome": "passed",
    "pledged_unit": True,
    "pledged_leader": True,
    "integrity_flags": 0,
    "holds": 0,
    "payee_id": ME,
    "award_minor": 1000,
    "own_contribution_minor": 1000,
    "reviews_done": ["legal"],
    "proofs": ["audit_report", "final_accounts", "segregated_ledger"],
    "verified_minor": 0,
    "accounts_until": None,
}
FACTS = {
    "tranche": {"code": "milestone", "due_on": None},
    "milestone": {"state": "accepted", "deliverables": 1, "deliverables_accepted": 1},
    "previous": {"amount_minor": 300, "paid_minor": 300, "spent_minor": 300, "due_on": None},
    "funds": {"id": ME, "left_minor": 100},
    "owed": {"left_minor": 0},
}


def case(
    *,
    here: dict[str, Any] | None = None,
    of: dict[str, Any] | None = None,
    programme: Programme = MILESTONES,
    **facts: dict[str, Any],
) -> Case:
    return Case(
        noun="payment",
        subject_id=ME,
        subject={**PAYMENT, **(here or {})},
        project={**PROJECT, **(of or {})},
        programme=programme,
        actor_id=OTHER,
        roles=frozenset(),
        now=None,  # type: ignore[arg-type]
        today=TODAY,
        facts={**FACTS, **facts},
    )


def previous(**changes: int | None) -> Case:
    return case(previous={**FACTS["previous"], **changes})


NO_FUNDS = {"id": None, "left_minor": None}
SHUT: dict[str, list[tuple[Case, str]]] = {
    "agreement_signed": [(case(of={"agreement_signed_on": None}), "agreement_not_signed")],
    "notice_ended": [
        (case(of={"notice_closes_on": None}), "notice_missing"),
        (case(of={"notice_closes_on": TODAY}), "notice_running"),
        (case(of={"notice_closes_on": date(2025, 3, 11)}), "notice_running"),
        (case(of={"open_objections": 2}), "objection_open"),
    ],
    "milestone_accepted": [
        (case(milestone={"state": state}), "milestone_not_accepted")
        for state in ("planned", "due", "overdue", "reported", "returned", "rejected", "waived")
    ],
    "acceptance_passed": [
        (case(of={"acceptance_outcome": outcome}), "acceptance_not_passed")
        for outcome in (None, "failed", "closed_without_pass")
    ],
    "pledges_signed": [
        (case(of={"pledged_unit": False}), "pledge_unit_missing"),
        (case(of={"pledged_leader": False}), "pledge_leader_missing"),
    ],
    "integrity_clear": [(case(of={"integrity_flags": 1}), "integrity_flagged")],
    "no_hold": [(case(of={"holds": 1}), "on_hold")],
    "payee_verified": [(case(of={"payee_id": None}), "payee_missing")],
    "own_contribution_evidenced": [
        (case(of={"own_contribution_minor": have}), "own_contribution_short") for have in (0, 999)
    ],
    "previous_tranche_spent": [
        (previous(paid_minor=299), "previous_tranche_unpaid"),
        (previous(spent_minor=149), "previous_tranche_unspent"),
        (previous(spent_minor=0), "previous_tranche_unspent"),
    ],
    "nothing_owed": [(case(owed={"left_minor": 1}), "owed_undecided")],
    "appropriation_available": [
        (case(funds=NO_FUNDS), "appropriation_missing"),
        (case(funds={"id": ME, "left_minor": 99}), "appropriation_exhausted"),
    ],
    "required_reviews_done": [(case(of={"reviews_done": []}), "required_review_missing")],
}
OPEN, _SHUT = plan_gate_cases.cases(case, MILESTONES)
SHUT |= _SHUT
CASES = [
    pytest.param(name, shut, code, id=f"{name}-{number}")
    for name, rows in SHUT.items()
    for number, (shut, code) in enumerate(rows)
]


def test_every_gate_has_its_cases() -> None:
    assert set(SHUT) == set(GATES)


@pytest.mark.parametrize("name", sorted(GATES))
def test_a_gate_is_open(name: str) -> None:
    assert GATES[name](case()) is None


@pytest.mark.parametrize("name", sorted(OPEN))
def test_a_gate_of_a_plan_is_open_at_its_edge(name: str) -> None:
    assert GATES[name](OPEN[name]) is None


@pytest.mark.parametrize(("name", "shut", "code"), CASES)
def test_a_gate_is_shut_and_says_why(name: str, shut: Case, code: str) -> None:
    refusal = GATES[name](shut)
    assert refusal is not None and refusal.code == code
    assert refusal.fact("zh") and refusal.fact("en") and refusal.who


# The figures at their edges ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "award", "have", "open_"),
    [
        (Fraction(1, 3), 1000, 333, False),
        (Fraction(1, 3), 1000, 334, True),
        (Fraction(1, 3), 999, 333, True),
        (Fraction(2), 1000, 1999, False),
        (Fraction(2), 1000, 2000, True),
    ],
)
def test_a_contribution_is_compared_exactly(ratio: Fraction, award: int, have: int, open_: bool) -> None:
    settings = MILESTONES.gate_settings.model_copy(update={"own_contribution_ratio": ratio})
    programme = MILESTONES.model_copy(update={"gate_settings": settings})
    found = GATES["own_contribution_evidenced"](
        case(of={"award_minor": award, "own_contribution_minor": have}, programme=programme)
    )
    assert (found is None) == open_


@pytest.mark.parametrize(("spent", "open_"), [(66, False), (67, True), (100, True)])
def test_a_share_of_the_previous_tranche_is_compared_exactly(spent: int, open_: bool) -> None:
    settings = MILESTONES.gate_settings.model_copy(update={"previous_tranche_spent_share": Fraction(2, 3)})
    programme = MILESTONES.model_copy(update={"gate_settings": settings})
    before = {"amount_minor": 100, "paid_minor": 100, "spent_minor": spent}
    found = GATES["previous_tranche_spent"](case(programme=programme, previous=before))
    assert (found is None) == open_


def test_the_first_tranche_waits_for_no_other() -> None:
    assert GATES["previous_tranche_spent"](previous(amount_minor=None, paid_minor=None)) is None


def test_funds_are_not_asked_for_twice() -> None:
    """From the request on the payment's own hold is part of what was taken."""
    held = case(here={"appropriation_id": ME}, funds={"id": ME, "left_minor": 0})
    assert GATES["appropriation_available"](held) is None


# All gates together ---------------------------------------------------------------------------


def test_every_shut_gate_is_told_at_once() -> None:
    shut = case(
        of={"agreement_signed_on": None, "holds": 1, "payee_id": None, "state": "suspended"},
        milestone={"state": "reported"},
    )
    codes = [refusal.code for refusal in shut_gates(shut)]
    assert codes == [
        "project_stopped",
        "agreement_not_signed",
        "milestone_not_accepted",
        "on_hold",
        "payee_missing",
    ]


@pytest.mark.parametrize(
    "state",
    ["suspended", "terminated", "revoked", "closed_passed", "archived", "task_agreement", "withdrawn"],
)
def test_a_project_that_is_not_under_way_is_not_paid(state: str) -> None:
    assert state not in PAYING_STATES
    assert [r.code for r in shut_gates(case(of={"state": state}))] == ["project_stopped"]


def test_a_payment_whose_tranche_the_programme_does_not_know_crashes() -> None:
    """A look-up that fails must never let a payment pass."""
    with pytest.raises(StopIteration):
        shut_gates(case(tranche={"code": "renamed"}))


def test_a_payment_falls_due_or_falls_back_and_never_both() -> None:
    open_, shut = case(), case(of={"holds": 1})
    assert (objections("gates_open", open_), bool(objections("gates_shut", open_))) == ([], True)
    assert (bool(objections("gates_open", shut)), objections("gates_shut", shut)) == (True, [])


def test_every_step_that_moves_money_towards_the_bank_asks_the_gates_anew() -> None:
    asks = {step.name for step in STEPS if "gates_open" in step.guards}
    assert asks == {
        "payment.fall_due",
        "payment.request",
        "payment.approve",
        "payment.release",
        "payment.instruct",
        "payment.settle_by_set_off",
    }


@pytest.mark.parametrize("name", sorted(PROGRAMMES))
def test_no_shipped_programme_pays_without_agreement_payee_funds_and_a_clear_record(name: str) -> None:
    for tranche in PROGRAMMES[name].tranches:
        must = {"payee_verified", "appropriation_available", "no_hold", "integrity_clear"}
        assert must <= set(tranche.gates), (name, tranche.code)
        waits = {"milestone": "milestone_accepted", "acceptance": "acceptance_passed"}.get(tranche.waits_for)
        assert waits is None or waits in tranche.gates, (name, tranche.code)

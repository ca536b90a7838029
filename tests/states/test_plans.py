"""Guarantee: a computed sum never passes a limit, never pays twice, and no split loses a unit."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.programme_files import load_programme
from config.programme_rules import broken_rules
from config.programmes import Lateness, Programme, Text, Tranche
from schema.money import Money
from states.explore import check_programme
from states.gates import GATES
from states.outlook import years_of
from states.plans import Figures, LateInterest, Payable, interest_owed, late_interest, payable
from states.refusals import refuse
from states.tranches import planned_tranches
from tests.states.test_guards import PROGRAMMES

HALF = Fraction(1, 2)
SUMS = st.integers(0, 10**14)
SHARES = st.fractions(0, 1, max_denominator=1000)

TABLE: list[tuple[Figures, Payable]] = [
    # Post-subsidy: half of what is verified, up to the cap; a third is rounded down.
    (Figures(1_000, 900, 0, rate=HALF), Payable(500)),
    (Figures(1_000, 900, 0, rate=HALF, cap_minor=400), Payable(400)),
    (Figures(10_000, 900, 0, rate=HALF), Payable(900)),
    (Figures(100, 900, 0, rate=Fraction(1, 3)), Payable(33)),
    # Below the minimum nothing, from it on everything.
    (Figures(99, 900, 0, minimum_minor=100), Payable(0)),
    (Figures(100, 900, 0, minimum_minor=100), Payable(100)),
    # An advance of 400 is cleared first: nothing more until claims pass it, then what is above.
    (Figures(300, 900, 400), Payable(0, 0, 300)),
    (Figures(650, 900, 400), Payable(250, 0, 400)),
    # Five percent is held back, of what is due now, rounded down.
    (Figures(119, 900, 0, retention=Fraction(1, 20)), Payable(114, 5)),
    (Figures(0, 900, 0), Payable(0)),
]


@pytest.mark.parametrize(("figures", "expected"), TABLE)
def test_a_computed_sum_is_the_one_of_the_table(figures: Figures, expected: Payable) -> None:
    assert payable(figures) == expected


FIGURES = st.builds(
    Figures,
    verified_minor=SUMS,
    ceiling_minor=SUMS,
    taken_minor=SUMS,
    rate=SHARES,
    cap_minor=st.none() | SUMS,
    minimum_minor=SUMS,
    retention=SHARES,
)


@settings(deadline=None, max_examples=60)
@given(FIGURES)
def test_no_limit_is_passed_and_clearing_is_never_negative(f: Figures) -> None:
    found = payable(f)
    assert min(found.amount_minor, found.held_minor, found.cleared_minor) >= 0
    whole = found.amount_minor + found.held_minor
    most = min(f.ceiling_minor, f.cap_minor if f.cap_minor is not None else f.ceiling_minor)
    assert whole + f.taken_minor <= most or whole == 0
    assert whole + found.cleared_minor <= f.rate * f.verified_minor
    assert found.held_minor <= whole * f.retention
    assert found.cleared_minor <= f.taken_minor
    assert whole == 0 or int(f.rate * f.verified_minor) >= f.minimum_minor


@settings(deadline=None, max_examples=60)
@given(st.lists(SUMS, min_size=1, max_size=6), SUMS, SHARES)
def test_paying_claim_by_claim_comes_to_what_paying_at_once_does(
    claims: list[int], ceiling: int, rate: Fraction
) -> None:
    """However spending is cut into claims, together no more and no less is paid, and never beyond it."""
    taken = verified = 0
    for claim in claims:
        verified += claim
        taken += payable(Figures(verified, ceiling, taken, rate=rate)).amount_minor
        assert taken <= min(ceiling, rate * verified)
    assert taken == payable(Figures(sum(claims), ceiling, 0, rate=rate)).amount_minor


# The split of an award ----------------------------------------------------------------------------------

NAME = Text(zh="x", en="x")


def plan(*rows: dict[str, Any], **more: Any) -> Programme:
    tranches = tuple(Tranche(title=NAME, gates=(), **row) for row in rows)
    return PROGRAMMES["small-grants"].model_copy(update={"tranches": tranches, **more})


ADVANCE = {"code": "advance", "waits_for": "agreement", "share": "40%"}
QUARTERS = {
    "code": "quarter",
    "waits_for": "day",
    "share": "60%",
    "instalments": 7,
    "after_months": 3,
    "every_months": 3,
}
KEPT = {"code": "kept", "waits_for": "acceptance", "basis": "retained"}


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 10**15), st.fractions(0, Fraction(99, 100), max_denominator=500))
def test_tranches_are_the_award_to_the_last_unit_whatever_is_held_back(award: int, kept: Fraction) -> None:
    programme = plan(ADVANCE, QUARTERS, KEPT, retention=kept or None)
    rows = planned_tranches(programme, Money(award, "CNY"), [], date(2025, 1, 31))
    assert sum(row.amount_minor for row in rows) == award
    assert all(row.amount_minor > 0 and row.retained_minor >= 0 for row in rows)
    held = [row.amount_minor for row in rows if row.basis == "retained"]
    assert sum(held) == sum(row.retained_minor for row in rows)
    assert all(row.retained_minor <= (row.amount_minor + row.retained_minor) * kept for row in rows)


def test_instalments_stand_on_their_days() -> None:
    rows = planned_tranches(plan(ADVANCE, QUARTERS), Money(1_000, "CNY"), [], date(2025, 1, 31))
    assert [row.amount_minor for row in rows] == [400, 85, 85, 85, 85, 85, 85, 90]
    days = [row.due_on.isoformat() for row in rows if row.due_on]
    assert days[:3] == ["2025-04-30", "2025-07-31", "2025-10-31"] and len(days) == 7


def test_an_award_falls_into_the_years_of_its_instalments() -> None:
    years = years_of(plan(ADVANCE, QUARTERS), 1_000, "CNY", [], date(2025, 7, 1))
    assert years == {2025: 400 + 85, 2026: 4 * 85, 2027: 85 + 90}


def test_a_milestone_without_a_day_counts_with_the_last_that_has_one() -> None:
    rows = [
        {"number": 1, "title": "a", "amount_minor": 400, "due_on": None},
        {"number": 2, "title": "b", "amount_minor": 600, "due_on": "2026-05-01"},
    ]
    programme = PROGRAMMES["city-milestone-subsidy"]
    assert years_of(programme, 1_000, "CNY", rows, date(2025, 7, 1)) == {2026: 1_000}
    assert years_of(programme, 400, "CNY", rows[:1], date(2025, 7, 1)).keys() <= {2025, 2026, 2027, 2028}


def test_existing_programmes_split_an_award_as_before() -> None:
    for programme in PROGRAMMES.values():
        assert all(tranche.basis == "fixed" and tranche.instalments == 1 for tranche in programme.tranches)
        assert programme.retention is None and programme.claims is None


PAID_FROM = Lateness.model_validate({"rate": "8%", "promised_days": 30, "paid_from": "interest"})
VERIFIED = {"code": "v", "waits_for": "acceptance", "share": "60%", "basis": "verified"}
WRONG = [
    (plan(ADVANCE, VERIFIED), "claims_missing"),
    (plan(VERIFIED, ADVANCE), "fixed_after_computed"),
    (plan({**ADVANCE, "share": "100%", "rate": "50%"}), "basis_setting_unused"),
    (plan(ADVANCE, {**VERIFIED, "minimum_minor": 5, "cap_minor": 4}), "minimum_above_cap"),
    (plan({**ADVANCE, "share": "100%"}, retention=Fraction(1, 20)), "retention_never_released"),
    (plan({**ADVANCE, "share": "100%"}, KEPT), "retention_missing"),
    (plan(KEPT, {**ADVANCE, "share": "100%"}, retention=HALF), "retention_not_last"),
    (
        plan({**ADVANCE, "share": "60%"}, {**KEPT, "share": "40%"}, retention=HALF),
        "retention_with_share",
    ),
    (plan({**ADVANCE, "share": "100%"}, KEPT, retention=Fraction(1)), "retention_whole"),
    (plan(ADVANCE, {**QUARTERS, "every_months": None}), "instalment_days_missing"),
    (plan(ADVANCE, {**QUARTERS, "waits_for": "agreement"}), "instalment_unused"),
    (
        plan(ADVANCE, {**ADVANCE, "code": "b", "share": "60%"}, before_balance_at_most=Fraction(39, 100)),
        "balance_too_small",
    ),
    (plan({**ADVANCE, "share": "100%", "code": "late_interest"}), "code_reserved"),
    (plan({**ADVANCE, "share": "100%"}, late_interest=PAID_FROM), "interest_source_unknown"),
    (
        plan({**ADVANCE, "share": "100%"}, late_interest=PAID_FROM.model_copy(update={"paid_from": "own"})),
        "interest_source_first",
    ),
]


@pytest.mark.parametrize(("programme", "code"), WRONG, ids=[code for _, code in WRONG])
def test_a_combination_without_sense_is_refused_with_its_remedy(programme: Programme, code: str) -> None:
    found = [problem for problem in broken_rules(programme) if problem.code == code]
    assert found and found[0].zh.endswith("。") and found[0].en.endswith(".")


def test_what_is_paid_before_the_balance_counts_after_retention() -> None:
    rows = ({**ADVANCE, "share": "95%"}, {**ADVANCE, "code": "b", "share": "5%"}, KEPT)
    programme = plan(*rows, retention=Fraction(1, 10), before_balance_at_most=Fraction(9, 10))
    assert "balance_too_small" not in {problem.code for problem in broken_rules(programme)}


# Late interest ------------------------------------------------------------------------------------------

LATE = [
    # 8 % of 10,000.00 for 10 of 365 days is 21.9178…; of 360 days 22.2222….
    (1_000_000, 10, Fraction(8, 100), 365, 2_192),
    (1_000_000, 10, Fraction(8, 100), 360, 2_222),
    # Exactly half a unit goes up, anything less goes down.
    (365, 1, HALF, 365, 1),
    (364, 1, HALF, 365, 0),
    (1_000_000, 0, HALF, 365, 0),
    (1_000_000, -3, HALF, 365, 0),
    (1_000_000, 365, Fraction(1, 3), 365, 333_333),
]


@pytest.mark.parametrize(("amount", "days", "rate", "year", "owed"), LATE)
def test_late_interest_is_exact_and_rounded_half_up(
    amount: int, days: int, rate: Fraction, year: int, owed: int
) -> None:
    assert late_interest(amount, days, rate, year) == owed


def test_interest_begins_the_day_after_the_promised_ones() -> None:
    rule = Lateness(rate="8%", promised_days=30)  # type: ignore[arg-type]
    programme = PROGRAMMES["small-grants"].model_copy(update={"late_interest": rule})
    due = date(2025, 3, 1)
    assert interest_owed(programme, 1_000_000, due, date(2025, 3, 31)) == LateInterest(0, 0)
    assert interest_owed(programme, 1_000_000, due, date(2025, 4, 10)) == LateInterest(10, 2_192)
    assert interest_owed(programme, 1_000_000, None, date(2025, 4, 10)) == LateInterest(0, 0)
    assert interest_owed(PROGRAMMES["small-grants"], 1, due, date(2029, 1, 1)) == LateInterest(0, 0)


# The check of a programme ------------------------------------------------------------------------------

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cost-claims" / "programme.toml"


def full_plan() -> Programme:
    """The example with an advance, instalments against claims, and what is held back."""
    programme = load_programme(EXAMPLE).programme
    gates = ("agreement_signed", "pledges_signed", "integrity_clear", "no_hold", "payee_verified")
    gates = (*gates, "appropriation_available")
    rows = (
        {**ADVANCE, "gates": gates},
        {**QUARTERS, "basis": "verified", "gates": ("day_reached", "expenditure_stated", *gates)},
        {**KEPT, "gates": ("acceptance_passed", *gates)},
    )
    tranches = tuple(Tranche(title=NAME, **row) for row in rows)
    return programme.model_copy(update={"tranches": tranches, "retention": Fraction(1, 20)})


def test_the_example_and_a_plan_with_everything_are_proved_sound() -> None:
    assert check_programme(load_programme(EXAMPLE).programme) == []
    assert check_programme(full_plan()) == []


@pytest.mark.parametrize("gate", ["spending_verified", "day_reached", "expenditure_stated"])
def test_a_gate_of_a_plan_that_no_longer_shuts_is_noticed(gate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GATES, gate, lambda case: None)
    assert {finding.code for finding in check_programme(full_plan())} == {"paid_despite"}


@pytest.mark.parametrize("gate", ["day_reached", "expenditure_stated"])
def test_a_gate_of_a_plan_that_never_opens_is_noticed(gate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GATES, gate, lambda case: refuse("on_hold", count=1))
    assert "gate_never_opens" in {finding.code for finding in check_programme(full_plan())}


def test_a_programme_says_until_when_claims_are_examined() -> None:
    programme = load_programme(EXAMPLE).programme
    deadlines = tuple(d for d in programme.deadlines if not d.of.startswith("claim."))
    reminders = tuple(r for r in programme.reminders if not r.deadline.startswith("claim_"))
    bare = programme.model_copy(update={"deadlines": deadlines, "reminders": reminders})
    found = check_programme(bare)
    assert {finding.code for finding in found} == {"deadline_missing"}
    assert sorted(finding.en.split()[0] for finding in found) == ["claim.returned", "claim.submitted"]

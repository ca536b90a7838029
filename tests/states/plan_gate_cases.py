"""The cases of the gates of computed tranches and instalments; ``test_gates`` goes through them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from config.programmes import Programme
from states.case import Case

TODAY = date(2025, 3, 10)
Make = Callable[..., Case]
PLAN: dict[str, Any] = {"taken_minor": 0, "ceiling_minor": 100, "held_minor": 50, "open": 0}
WHOLE = {"state": "accepted", "deliverables": 2, "deliverables_accepted": 2}
BEFORE: dict[str, Any] = {"amount_minor": 300, "paid_minor": 300, "spent_minor": 300}


def _of_basis(programme: Programme, **changes: Any) -> Programme:
    tranches = tuple(tranche.model_copy(update=changes) for tranche in programme.tranches)
    return programme.model_copy(update={"tranches": tranches})


def cases(case: Make, programme: Programme) -> tuple[dict[str, Case], dict[str, list[tuple[Case, str]]]]:
    """Of each gate a case in which it is open, and those in which it is shut, each with its refusal."""
    half = _of_basis(programme, basis="verified", rate=Fraction(1, 2), minimum_minor=10)
    kept = _of_basis(programme, basis="retained")

    def computed(of: Programme, verified: int, state: str = "planned", amount: int = 1, **plan: Any) -> Case:
        here = {"state": state, "amount_minor": amount}
        return case(here=here, of={"verified_minor": verified}, programme=of, plan={**PLAN, **plan})

    def offset(verified: int, minor: int, state: str = "planned") -> Case:
        here = {"state": state, "amount_minor": 50, "offset_minor": minor}
        return case(here=here, of={"verified_minor": verified}, programme=half, plan=PLAN)

    def before(day: date | None, until: date | None) -> Case:
        return case(of={"accounts_until": until}, previous={**BEFORE, "due_on": day})

    yesterday, tomorrow = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
    is_open = {
        "spending_verified": computed(half, 100),
        "set_off_covered": offset(100, 50),
        "day_reached": case(tranche={"code": "milestone", "due_on": TODAY}),
        "expenditure_stated": before(TODAY, yesterday),
        "work_package_complete": case(milestone=WHOLE),
    }
    shut = {
        "spending_verified": [
            (computed(half, 19), "nothing_verified"),
            (computed(half, 100, taken_minor=50), "nothing_verified"),
            (computed(half, 100, "due", 51), "amount_no_longer_due"),
            (computed(kept, 0, held_minor=0), "nothing_held_back"),
            (computed(kept, 0, open=1), "others_unpaid"),
        ],
        "set_off_covered": [
            (offset(100, 51), "set_off_above_sum"),
            (offset(100, 51, "due"), "set_off_above_sum"),
        ],
        "day_reached": [(case(tranche={"code": "milestone", "due_on": tomorrow}), "day_to_come")],
        "expenditure_stated": [
            (before(TODAY, None), "expenditure_not_stated"),
            (before(TODAY, TODAY - timedelta(days=2)), "expenditure_not_stated"),
        ],
        "work_package_complete": [
            (case(milestone={**WHOLE, **changes}), "work_package_open")
            for changes in ({"deliverables_accepted": 1}, {"deliverables": None}, {"state": "reported"})
        ],
    }
    audited = programme.gate_settings.model_copy(update={"audit_from_minor": 1001})
    small = programme.model_copy(update={"gate_settings": audited})
    is_open["audit_report_present"] = case(of={"proofs": [], "award_minor": 1000}, programme=small)
    for name, code in (
        ("segregated_ledger_evidenced", "ledger_not_evidenced"),
        ("final_accounts_accepted", "final_accounts_missing"),
        ("audit_report_present", "audit_report_missing"),
    ):
        shut[name] = [(case(of={"proofs": []}), code), (case(of={"proofs": ["another"]}), code)]
    return is_open, shut


__all__ = ["cases"]

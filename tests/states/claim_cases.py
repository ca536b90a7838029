"""The cases of the guards of cost claims; ``test_guards`` goes through them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from config.programmes import BudgetCategory, Claims, Programme, Text
from schema import inputs_claims as inputs
from schema.inputs_proofs import DecideProof
from states.case import Case

ME, OTHER = UUID(int=1), UUID(int=2)
FIRST, LAST, TODAY = date(2025, 2, 1), date(2025, 2, 28), date(2025, 3, 10)
HASH = "a" * 64
Make = Callable[..., Case]


def _category(code: str, **more: Any) -> BudgetCategory:
    return BudgetCategory(code=code, text=Text(zh=code, en=code), **more)


CATEGORIES = Claims(
    categories=(
        _category("staff"),
        _category("equipment", at_most="50%"),
        _category("indirect", at_most="20%", of="others", evidence=False),
    ),
    lines_at_most=2,
)
LINE: dict[str, Any] = {
    "category": "staff",
    "spent_on": "2025-02-03",
    "payee": "p",
    "invoice_no": "",
    "description": "d",
    "amount_minor": 10,
    "evidence": HASH,
}


def written(first: date = FIRST, last: date = LAST) -> inputs.WriteClaim:
    return inputs.WriteClaim(period_from=first, period_to=last, lines=(inputs.ClaimLine(evidence=HASH),))


def found(number: int = 1, allowed: int = 10, reason: str = "") -> inputs.ExamineClaim:
    return inputs.ExamineClaim(
        findings=(inputs.LineFinding(number=number, allowed_minor=allowed, reason=reason),)
    )


def table(case: Make, programme: Programme) -> dict[str, tuple[Case, list[tuple[Case, str]]]]:
    """Guard: a case in which it holds, the cases in which it objects and by what."""
    claiming = programme.model_copy(update={"claims": CATEGORIES})

    def handed(*lines: dict[str, Any], **sums: int) -> Case:
        here = {"lines": list(lines), "period_from": FIRST, "period_to": LAST}
        facts = {"category_sums": sums, "claim_lines": [{**line, "allowed_minor": 10} for line in lines]}
        return case(here=here, of={"award_minor": 100}, facts=facts, programme=claiming)

    def lines(*allowed: int | None) -> dict[str, Any]:
        rows = [{"number": n, "amount_minor": 10, "allowed_minor": a} for n, a in enumerate(allowed, start=1)]
        return {"claim_lines": rows}

    def earned(allowed: int, **changes: Any) -> Case:
        """A project that was paid 100 in all, of which claims have to cover 100 at 100 %."""
        plan = {"code": "last", "ceiling_minor": 100, "taken_minor": 100, "owed_minor": 0, "open": 0}
        tranche = programme.tranches[0].model_copy(update={"code": "last", "basis": "verified"})
        paying = programme.model_copy(update={"tranches": (tranche,)})
        facts = {"claims_earned": {**plan, **changes}, "claim_lines": [{"allowed_minor": allowed}]}
        row = {"verified_minor": 40, "currency": "CNY"}
        return case(of=row, here={"currency": "CNY"}, facts=facts, programme=paying)

    waits = {"reopening_by": OTHER, "reopened_by": None}
    never, over = {"reopening_by": None, "reopened_by": None}, {"reopening_by": OTHER, "reopened_by": ME}

    def papers(by: UUID = OTHER, given: UUID = OTHER) -> Case:
        decided = DecideProof(proof_id=given, outcome="accepted", opinion="o")
        return case(given=decided, facts={"proofs": [{"id": str(OTHER), "handed_by": str(by)}]})

    indirect = {**LINE, "category": "indirect", "evidence": None}
    dear = {**LINE, "category": "equipment", "amount_minor": 51}
    return {
        "reopening_not_proposed": (case(here=over), [(case(here=waits), "reopening_waits")]),
        "reopening_proposed": (
            case(here=waits),
            [(case(here=never), "reopening_not_proposed"), (case(here=over), "reopening_not_proposed")],
        ),
        "reopening_proposed_by_another": (
            case(here=waits),
            [(case(here={**waits, "reopening_by": ME}), "reopening_same_person")],
        ),
        "no_claim_payment_underway": (
            case(facts={"claim_payments": []}),
            [(case(facts={"claim_payments": [{"number": 2, "state": "due"}]}), "claim_payment_underway")],
        ),
        "nothing_overpaid": (earned(60), [(earned(59), "claim_overpaid")]),
        "proof_waits": (
            papers(),
            [
                (case(facts={"proofs": []}), "no_proof_waits"),
                (papers(given=ME), "no_proof_waits"),
                (papers(by=ME), "proof_own"),
            ],
        ),
        "claims_foreseen": (case(programme=claiming), [(case(), "claims_not_foreseen")]),
        "project_funded": (
            case(of={"state": "implementation"}),
            [(case(of={"state": state}), "claim_not_now") for state in ("suspended", "approval", "archived")],
        ),
        "claim_period_in_order": (
            case(given=written()),
            [(case(given=written(LAST, FIRST)), "claim_period_reversed")],
        ),
        "claim_evidence_brought": (
            case(given=written(), facts={"claim_papers": []}),
            [(case(given=written(), facts={"claim_papers": [HASH]}), "claim_evidence_unknown")],
        ),
        "claim_period_over": (
            case(here={"period_to": LAST}),
            [(case(here={"period_to": TODAY}), "claim_period_running")],
        ),
        "claim_lines_complete": (
            handed(LINE, indirect),
            [
                (handed(), "claim_empty"),
                (handed(LINE, LINE, LINE), "claim_too_long"),
                (handed({**LINE, "payee": ""}), "claim_lines_incomplete"),
                (handed({**LINE, "amount_minor": None}), "claim_lines_incomplete"),
                (handed({**LINE, "category": "rockets"}), "claim_category_unknown"),
                (handed({**LINE, "evidence": None}), "claim_evidence_missing"),
                (handed({**LINE, "spent_on": "2025-03-01"}), "claim_lines_outside"),
            ],
        ),
        "claim_within_caps": (
            handed({**LINE, "amount_minor": 50}, indirect),
            [(handed(dear), "claim_cap_exceeded"), (handed(indirect, staff=49), "claim_cap_exceeded")],
        ),
        "claim_allowed_within_caps": (
            handed(indirect, staff=50),
            [
                (handed(indirect, staff=49), "claim_cap_exceeded"),
                (handed({**LINE, "category": "equipment"}, equipment=41), "claim_cap_exceeded"),
            ],
        ),
        "claim_of_another": (
            case(here={"submitted_by": OTHER}, facts={"claim_writers": [str(OTHER)]}),
            [
                (case(here={"submitted_by": ME}, facts={"claim_writers": []}), "claim_own"),
                (case(here={"submitted_by": OTHER}, facts={"claim_writers": [str(ME)]}), "claim_own"),
            ],
        ),
        "findings_fit": (
            case(given=found(allowed=9, reason="r"), facts=lines(None)),
            [
                (case(given=found(2), facts=lines(None)), "finding_line_unknown"),
                (case(given=found(allowed=11), facts=lines(None)), "allowed_more_than_claimed"),
                (case(given=found(allowed=9), facts=lines(None)), "disallowed_without_reason"),
            ],
        ),
        "doubles_explained": (
            case(given=found(reason="divided"), facts={"claim_doubles": [1]}),
            [(case(given=found(), facts={"claim_doubles": [1]}), "double_unexplained")],
        ),
        "claim_examined": (case(facts=lines(10, 0)), [(case(facts=lines(10, None)), "claim_unexamined")]),
        "budget_of_categories": (
            case(given=inputs.SetBudget(budget={"staff": 1}), programme=claiming),
            [
                (
                    case(given=inputs.SetBudget(budget={"rockets": 1}), programme=claiming),
                    "budget_category_unknown",
                )
            ],
        ),
        "claims_finished": (
            case(facts={"claims": [{"number": 1, "state": "accepted"}, {"number": 2, "state": "draft"}]}),
            [
                (case(facts={"claims": [{"number": 3, "state": state}]}), "claims_unfinished")
                for state in ("submitted", "returned")
            ],
        ),
    }

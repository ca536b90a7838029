"""The cases of the guards of what a grantee owes; ``test_guards`` goes through them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from schema import inputs_receivable as inputs
from states.case import Case

ME, OTHER = UUID(int=1), UUID(int=2)
TODAY, YESTERDAY, TOMORROW = date(2025, 3, 10), date(2025, 3, 9), date(2025, 3, 11)
Make = Callable[..., Case]
CREDIT = {"currency": "CNY", "payment_id": None, "outcome": "queued", "receipt_id": None}
OWED = {"amount_minor": 10, "received_minor": 0, "written_off_minor": 0}


def claim(amount: int, day: date = TODAY) -> inputs.Establish:
    return inputs.Establish(
        amount_minor=amount, ground="surplus", legal_basis="l", decision_no="d", due_on=day
    )


def grant(number: int, day: date = TODAY) -> inputs.GrantInstalments:
    return inputs.GrantInstalments(number=number, first_on=day, decision_no="d")


def slip(day: date) -> inputs.ReceiveSlip:
    return inputs.ReceiveSlip(amount_minor=1, reference="r", received_on=day, documents=("a" * 64,))


def credit(case: Make, **changed: Any) -> Case:
    given = inputs.Receive(entry_id=ME)
    return case(given=given, facts={"bank_credit": {**CREDIT, **changed} if changed != {"none": 1} else None})


def table(case: Make) -> dict[str, tuple[Case, list[tuple[Case, str]]]]:
    """Guard: a case in which it holds, the cases in which it objects and by what."""
    return {
        "something_was_paid": (
            case(facts={"paid_open": 1}),
            [(case(facts={"paid_open": none}), "nothing_was_paid") for none in (None, 0)],
        ),
        "claim_within_paid": (
            case(given=claim(10), facts={"paid_open": 10}),
            [
                (case(given=claim(11), facts={"paid_open": 10}), "claim_exceeds_paid"),
                (case(given=claim(1), facts={"paid_open": None}), "claim_exceeds_paid"),
            ],
        ),
        "claim_due_day_to_come": (
            case(given=claim(1)),
            [(case(given=claim(1, YESTERDAY)), "claim_day_past")],
        ),
        "claim_day_not_past": (
            case(here={"due_on": TODAY}),
            [(case(here={"due_on": YESTERDAY}), "claim_day_past")],
        ),
        "established_by_another": (
            case(here={"established_by": OTHER}),
            [(case(here={"established_by": ME}), "claim_same_person")],
        ),
        "first_instalment_to_come": (
            case(given=grant(2)),
            [(case(given=grant(2, YESTERDAY)), "claim_day_past")],
        ),
        "instalments_divide": (
            case(given=grant(10), here=OWED),
            [(case(given=grant(11), here=OWED), "instalments_too_many")],
        ),
        "credit_can_be_received": (
            credit(case),
            [
                (credit(case, none=1), "credit_unknown"),
                (credit(case, receipt_id=OTHER), "credit_received_already"),
                (credit(case, payment_id=OTHER), "credit_of_payment"),
                (credit(case, outcome="held"), "credit_of_payment"),
                (credit(case, currency="EUR"), "credit_currency"),
            ],
        ),
        "paid_in_by_now": (case(given=slip(TODAY)), [(case(given=slip(TOMORROW)), "paid_in_later")]),
        "no_write_off_proposed": (
            case(here={"ending": None}),
            [(case(here={"ending": "quashed"}), "write_off_proposed_already")],
        ),
        "write_off_proposed": (
            case(here={"ending": "quashed"}),
            [(case(here={"ending": None}), "write_off_not_proposed")],
        ),
        "write_off_proposed_by_another": (
            case(here={"ending": "quashed", "ending_by": OTHER}),
            [
                (case(here={"ending": None, "ending_by": None}), "write_off_not_proposed"),
                (case(here={"ending": "quashed", "ending_by": ME}), "write_off_same_person"),
            ],
        ),
        "paid_not_claimed": (
            case(here={"amount_minor": 10}, facts={"claimed_of_paid": 10}),
            [(case(here={"amount_minor": 10}, facts={"claimed_of_paid": 9}), "paid_is_claimed")],
        ),
    }

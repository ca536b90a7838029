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
OWED = {
    "amount_minor": 10,
    "received_minor": 0,
    "written_off_minor": 0,
    "offset_minor": 0,
    "reserved_minor": 0,
}
SET_OFF = {
    "id": str(ME),
    "status": "proposed",
    "proposed_by": str(OTHER),
    "amount_minor": 10,
    "payment_state": "due",
    "payment_minor": 10,
}
PAYMENT = {"project_id": ME, "state": "due", "amount_minor": 10, "currency": "CNY", "live": False}


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


def to_set_off(case: Make, amount: int = 10, **changed: Any) -> Case:
    given = inputs.ProposeSetOff(payment_id=ME, amount_minor=amount, grounds="g")
    found = None if changed == {"none": 1} else {**PAYMENT, **changed}
    return case(given=given, here=OWED, of={"id": ME}, facts={"set_off_payment": found})


def set_off(case: Make, **changed: Any) -> Case:
    found = [] if changed == {"none": 1} else [{**SET_OFF, **changed}]
    return case(here=OWED, facts={"set_offs": found})


def table(case: Make) -> dict[str, tuple[Case, list[tuple[Case, str]]]]:
    """Guard: a case in which it holds, the cases in which it objects and by what."""
    return {
        "something_was_paid": (
            case(facts={"paid_open": 1}),
            [(case(facts={"paid_open": none}), "nothing_was_paid") for none in (None, 0)],
        ),
        "claim_within_paid": (
            case(given=claim(10), facts={"paid_open": 10}),
            [(case(given=claim(11), facts={"paid_open": 10}), "claim_exceeds_paid")],
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
        "no_set_off_waits": (
            set_off(case, status="applied"),
            [(set_off(case, status=status), "set_off_waits_already") for status in ("proposed", "agreed")],
        ),
        "set_off_fits": (
            to_set_off(case),
            [
                (to_set_off(case, none=1), "set_off_payment_unknown"),
                (to_set_off(case, project_id=OTHER), "set_off_payment_unknown"),
                (to_set_off(case, currency="EUR"), "set_off_payment_unknown"),
                (to_set_off(case, state="requested"), "set_off_payment_moved"),
                (to_set_off(case, live=True), "set_off_payment_taken"),
                (to_set_off(case, amount=11, amount_minor=12), "set_off_exceeds"),
                (to_set_off(case, amount_minor=9), "set_off_exceeds"),
            ],
        ),
        "set_off_still_fits": (
            set_off(case),
            [
                (set_off(case, payment_state="approved"), "set_off_payment_moved"),
                (set_off(case, amount_minor=11), "set_off_exceeds"),
            ],
        ),
        "set_off_proposed_by_another": (
            set_off(case),
            [
                (set_off(case, none=1), "set_off_not_proposed"),
                (set_off(case, proposed_by=str(ME)), "set_off_same_person"),
            ],
        ),
        "set_off_waits": (
            set_off(case, status="agreed"),
            [
                (set_off(case, none=1), "set_off_not_proposed"),
                (set_off(case, status="agreed", payment_state="requested"), "set_off_payment_moved"),
            ],
        ),
        "something_to_pay": (
            case(here={"amount_minor": 2, "offset_minor": 1}),
            [(case(here={"amount_minor": 2, "offset_minor": 2}), "payment_set_off_whole")],
        ),
        "set_off_whole": (
            case(here={"amount_minor": 2, "offset_minor": 2}),
            [(case(here={"amount_minor": 2, "offset_minor": 1}), "payment_not_set_off")],
        ),
        "paid_not_claimed": (
            case(here={"amount_minor": 10}, facts={"claimed_of_paid": 10}),
            [(case(here={"amount_minor": 10}, facts={"claimed_of_paid": 9}), "paid_is_claimed")],
        ),
    }

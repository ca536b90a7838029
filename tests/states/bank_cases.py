"""The cases of the guards of batches and of what goes to the bank; ``test_guards`` goes through them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from schema import inputs
from states.case import Case

ME, OTHER = UUID(int=1), UUID(int=2)
# A Monday, which is the day of all cases, the Sunday before it and the Saturday after.
TODAY, YESTERDAY, SATURDAY = date(2025, 3, 10), date(2025, 3, 9), date(2025, 3, 15)
Make = Callable[..., Case]


def made(day: date) -> inputs.MakeBatch:
    return inputs.MakeBatch(programme_id=ME, currency="CNY", execution_on=day)


def table(case: Make) -> dict[str, tuple[Case, list[tuple[Case, str]]]]:
    """Guard: a case in which it holds, the cases in which it objects and by what."""
    some: dict[str, Any] = {"batch_of": {"payments": [{"id": ME}]}}
    none: dict[str, Any] = {"batch_of": {"payments": []}}
    return {
        "batch_takes_something": (
            case(given=made(TODAY), facts=some),
            [(case(given=made(TODAY), facts=none), "batch_takes_nothing")],
        ),
        "execution_day_works": (
            case(given=made(TODAY)),
            [(case(given=made(day)), "execution_day_closed") for day in (YESTERDAY, SATURDAY)],
        ),
        "execution_day_to_come": (
            case(here={"execution_on": TODAY}),
            [(case(here={"execution_on": YESTERDAY}), "execution_day_closed")],
        ),
        "batch_made_by_another": (
            case(here={"made_by": OTHER}),
            [(case(here={"made_by": ME}), "batch_same_person")],
        ),
        "batch_is_through": (
            case(facts={"batch_open": 0}),
            [(case(facts={"batch_open": 1}), "batch_payments_open")],
        ),
        "likely_payment_fits": (
            case(facts={"likely_fits": True}),
            [(case(facts={"likely_fits": False}), "no_likely_payment")],
        ),
        "statement_is_in_doubt": (
            case(here={"kind": "statement_differs"}),
            [(case(here={"kind": "paid_twice"}), "statement_not_in_doubt")],
        ),
        "exception_stands": (
            case(facts={"exception_moved": False}),
            [(case(facts={"exception_moved": True}), "exception_moved_on")],
        ),
        "bank_agrees": (case(facts={"bank_doubts": 0}), [(case(facts={"bank_doubts": 1}), "bank_doubt")]),
    }

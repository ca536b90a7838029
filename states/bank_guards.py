"""Guards of batches and of what goes to the bank: they enter the table when this module is read."""

from __future__ import annotations

from milepost.calendar import is_working_day
from states.case import Case
from states.guards import guard
from states.refusals import Refusal, refuse


@guard("batch_of")
def batch_takes_something(case: Case) -> Refusal | None:
    if case.input is None:
        return None
    return None if case.facts["batch_of"]["payments"] else refuse("batch_takes_nothing")


@guard()
def execution_day_works(case: Case) -> Refusal | None:
    day = getattr(case.input, "execution_on", None)
    if day is None:
        return None
    if day < case.today or not is_working_day(day, source=case.programme.calendar)[0]:
        return refuse("execution_day_closed", day=day.isoformat())
    return None


@guard()
def execution_day_to_come(case: Case) -> Refusal | None:
    day = case.here["execution_on"]
    return refuse("execution_day_closed", day=day.isoformat()) if day < case.today else None


@guard()
def batch_made_by_another(case: Case) -> Refusal | None:
    return refuse("batch_same_person") if case.here["made_by"] == case.actor_id else None


@guard("batch_open")
def batch_is_through(case: Case) -> Refusal | None:
    left = case.facts["batch_open"]
    return refuse("batch_payments_open", number=left) if left else None


@guard("bank_doubts")
def bank_agrees(case: Case) -> Refusal | None:
    """Nothing more is sent for a tranche while what the bank said of it does not fit our books."""
    doubts = case.facts["bank_doubts"]
    return refuse("bank_doubt", number=doubts) if doubts else None


@guard("likely_fits")
def likely_payment_fits(case: Case) -> Refusal | None:
    """A match needs an entry, and a payment that it probably means, of its own sum and currency."""
    return None if case.facts["likely_fits"] else refuse("no_likely_payment")


@guard("exception_moved")
def exception_stands(case: Case) -> Refusal | None:
    """Nothing else came of what the bank said meanwhile."""
    return refuse("exception_moved_on") if case.facts["exception_moved"] else None


@guard()
def statement_is_in_doubt(case: Case) -> Refusal | None:
    return None if case.here["kind"] == "statement_differs" else refuse("statement_not_in_doubt")

"""Guards of corrections: they enter the table when this module is read."""

from __future__ import annotations

from typing import Any

from schema.receivable import OPEN
from states.case import Case
from states.corrections import GIVEN_UP, corrected, owes_again, receipt, waiting, written_off
from states.guards import guard, shown
from states.refusals import Refusal, refuse


@guard("corrections")
def no_correction_waits(case: Case) -> Refusal | None:
    return refuse("correction_waits_already") if waiting(case) else None


@guard("corrections")
def a_correction_waits(case: Case) -> Refusal | None:
    return None if waiting(case) else refuse("correction_not_proposed")


@guard("receipts")
def receipt_can_be_reversed(case: Case) -> Refusal | None:
    found = None if case.input is None else receipt(case, case.input.receipt_id)
    if found is None and all(row["reversal_id"] is not None for row in case.facts["receipts"]):
        return refuse("receipt_none")
    if case.input is None:
        return None
    return _of_receipt(case, found, case.input.correction_no)


def _of_receipt(case: Case, found: dict[str, Any] | None, decision_no: str) -> Refusal | None:
    """It is this receivable's and stands, nothing was written off on top, its year is open or named."""
    if found is None:
        return refuse("receipt_unknown")
    if found["reversal_id"] is not None:
        return refuse("receipt_reversed_already")
    if int(found["restored_minor"]):
        home = shown(int(found["restored_minor"]), found["currency"])
        return refuse("receipt_went_home", restored=home)
    if case.state in GIVEN_UP and int(found["taken_minor"]):
        return refuse("receipt_under_write_off")
    if found["year_closed"] and not decision_no.strip():
        return refuse("receipt_year_closed", year=found["year"])
    return None


@guard("written_off_by")
def something_was_written_off(case: Case) -> Refusal | None:
    return None if written_off(case) else refuse("nothing_written_off")


@guard("corrections")
def correction_proposed_by_another(case: Case) -> Refusal | None:
    row = waiting(case)
    if row is None:
        return refuse("correction_not_proposed")
    return refuse("correction_same_person") if row["proposed_by"] == str(case.actor_id) else None


@guard("corrections", "receipts", "written_off_by", "claimed_of_paid")
def correction_still_fits(case: Case) -> Refusal | None:
    """What held when it was proposed holds now; what was written off is still there to be claimed."""
    if waiting(case) is None:
        return None
    row, found = corrected(case)
    if row["kind"] == "receipt":
        return _of_receipt(case, found, row["decision_no"])
    transfer = written_off(case)
    if transfer is None or transfer["id"] != row["transfer_id"] or case.state in OPEN:
        return refuse("nothing_written_off")
    have, need = int(case.facts["claimed_of_paid"] or 0), int(transfer["amount_minor"])
    currency = case.here["currency"]
    if need <= have:
        return None
    return refuse("claim_exceeds_paid", have=shown(have, currency), need=shown(need, currency))


@guard("corrections", "receipts")
def something_is_owed_again(case: Case) -> Refusal | None:
    if waiting(case) is None:
        return None
    return None if owes_again(case) else refuse("correction_of_too_much")


@guard("corrections", "receipts")
def nothing_is_owed_again(case: Case) -> Refusal | None:
    if waiting(case) is None:
        return None
    return refuse("correction_of_what_is_owed") if owes_again(case) else None

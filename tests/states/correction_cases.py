"""The cases of the guards of corrections; ``test_guards`` goes through them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from schema import inputs_correction as inputs
from states.case import Case
from tests.states.receivable_cases import ME, OTHER, Make

TRANSFER = {"id": str(OTHER), "amount_minor": 10}
RECEIPT = {
    "id": str(ME),
    "taken_minor": 10,
    "over_minor": 0,
    "reversal_id": None,
    "restored_minor": 0,
    "currency": "CNY",
    "transfer_id": str(OTHER),
    "year": 2025,
    "year_closed": False,
}
WAITS = {
    "id": str(ME),
    "kind": "receipt",
    "receipt_id": str(ME),
    "transfer_id": str(OTHER),
    "status": "proposed",
    "proposed_by": str(OTHER),
    "decision_no": "",
}


def made(
    case: Make,
    *,
    given: Any = None,
    receipt: dict[str, Any] | None = None,
    left: int = 10,
    written: dict[str, Any] | None = None,
    **waits: Any,
) -> Case:
    """A receivable with one receipt, and what waits to be corrected; ``status`` of another: nothing waits."""
    facts = {
        "corrections": [{**WAITS, **waits}],
        "receipts": [] if receipt == {"none": 1} else [{**RECEIPT, **(receipt or {})}],
        "written_off_by": written,
        "claimed_of_paid": left,
    }
    state = "written_off" if written is not None or (receipt or {}).get("under") else "owed"
    return case(given=given, here={"currency": "CNY"}, facts=facts, state=state)


def reverse(correction_no: str = "", id: UUID = ME) -> inputs.ReverseReceipt:
    return inputs.ReverseReceipt(receipt_id=id, reason="r", correction_no=correction_no)


def table(case: Make) -> dict[str, tuple[Case, list[tuple[Case, str]]]]:
    """Guard: a case in which it holds, the cases in which it objects and by what."""
    off: dict[str, Any] = {"kind": "write_off", "receipt_id": None, "written": TRANSFER}
    return {
        "no_correction_waits": (made(case, status="done"), [(made(case), "correction_waits_already")]),
        "a_correction_waits": (made(case), [(made(case, status="dropped"), "correction_not_proposed")]),
        "receipt_can_be_reversed": (
            made(case, given=reverse()),
            [
                (made(case, given=reverse(id=OTHER)), "receipt_unknown"),
                (made(case, given=reverse(), receipt={"reversal_id": str(ME)}), "receipt_reversed_already"),
                (made(case, given=reverse(), receipt={"restored_minor": 1}), "receipt_went_home"),
                (made(case, given=reverse(), receipt={"under": 1}), "receipt_under_write_off"),
                (made(case, given=reverse(" "), receipt={"year_closed": True}), "receipt_year_closed"),
            ],
        ),
        "something_was_written_off": (made(case, written=TRANSFER), [(made(case), "nothing_written_off")]),
        "correction_proposed_by_another": (
            made(case),
            [
                (made(case, status="dropped"), "correction_not_proposed"),
                (made(case, proposed_by=str(ME)), "correction_same_person"),
            ],
        ),
        "something_is_owed_again": (
            made(case, written=TRANSFER),
            [(made(case, receipt={"under": 1, "taken_minor": 0}), "correction_of_too_much")],
        ),
        "nothing_is_owed_again": (
            made(case, receipt={"under": 1, "taken_minor": 0}),
            [(made(case), "correction_of_what_is_owed")],
        ),
        "correction_still_fits": (
            made(case, **off),
            [
                (made(case, receipt={"none": 1}), "receipt_unknown"),
                (made(case, receipt={"year_closed": True}), "receipt_year_closed"),
                (made(case, **{**off, "written": None}), "nothing_written_off"),
                (made(case, **{**off, "transfer_id": str(ME)}), "nothing_written_off"),
                (made(case, left=9, **off), "claim_exceeds_paid"),
            ],
        ),
    }

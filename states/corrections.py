"""Taking back what a person caused by mistake at a receivable (更正): proposed by one, decided by another.

Rows that were posted stay. What is taken back is reversed by name, in today's books: the receipt stays on
record, its money is nobody's again and can be received for whom it came; what was written off is owed again.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from schema.inputs import NoInput, Reason
from schema.inputs_correction import Reopen, ReverseReceipt
from schema.receivable import OPEN
from states.case import Case, Change
from states.receivable_plan import next_due
from states.set_offs import NO_ENDING
from states.step import SAME, Notify, Step, words

FINANCE = ("finance_officer",)
OVER = ("settled", "written_off", "cancelled")
GIVEN_UP = ("written_off", "cancelled")


def waiting(case: Case) -> dict[str, Any] | None:
    """The correction that waits to be decided."""
    return next((row for row in case.facts["corrections"] if row["status"] == "proposed"), None)


def receipt(case: Case, id: object) -> dict[str, Any] | None:
    """A receipt of this receivable, with the transfer that it made."""
    return next((row for row in case.facts["receipts"] if row["id"] == str(id)), None)


def written_off(case: Case) -> dict[str, Any] | None:
    """The transfer by which what was left was written off; None where nothing of it stands."""
    found: dict[str, Any] | None = case.facts["written_off_by"]
    return found


def corrected(case: Case) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What waits, and the receipt that it takes back."""
    row = waiting(case)
    assert row is not None, "what is decided was proposed"
    return row, receipt(case, row["receipt_id"]) if row["kind"] == "receipt" else None


def _row(case: Case, kind: str, **more: Any) -> Change:
    given = case.input
    row = {
        "id": case.new_id("correction"),
        "receivable_id": case.subject_id,
        "project_id": case.of["id"],
        "kind": kind,
        "reason": given.reason,
        "decision_no": given.correction_no,
        "proposed_by": case.actor_id,
        "status": "proposed",
        **more,
    }
    return Change(insert=[("correction", row)])


def _propose_receipt(case: Case) -> Change:
    found = receipt(case, case.input.receipt_id)
    assert found is not None
    return _row(case, "receipt", receipt_id=found["id"], transfer_id=found["transfer_id"])


def _propose_reopening(case: Case) -> Change:
    found = written_off(case)
    assert found is not None
    return _row(case, "write_off", receipt_id=None, transfer_id=found["id"])


def _decided(case: Case, row: dict[str, Any], status: str) -> tuple[str, UUID, dict[str, Any]]:
    decided = {"status": status, "decided_by": case.actor_id, "decided_seq": case.here["version"] + 1}
    return "correction", UUID(row["id"]), decided


def _correct(case: Case) -> Change:
    row, found = corrected(case)
    here = case.here
    change = Change(update=[_decided(case, row, "done")])
    if found is None:
        transfer = written_off(case)
        assert transfer is not None
        still = here["written_off_minor"] - int(transfer["amount_minor"])
        change.set = {"written_off_minor": still, "closed_on": None, **NO_ENDING}
        if not still:
            change.set["ended_by"] = None
        return change
    taken, over = int(found["taken_minor"]), int(found["over_minor"])
    if taken:
        change.set = {"received_minor": here["received_minor"] - taken, "next_due_on": next_due(here, -taken)}
        if case.state == "settled":
            change.set["closed_on"] = None
    if over:
        change.set["over_minor"] = here["over_minor"] - over
    change.update.append(("receipt", found["id"], {"reversal_id": row["id"]}))
    if found["entry_id"] is not None:
        # Nobody's again: the next pass puts it in the queue, where the right one can be found for it.
        change.update.append(("bank_entry", found["entry_id"], {"outcome": "new"}))
    return change


def owes_again(case: Case) -> bool:
    """Whether what is taken back was owed; the rest was too much, and nothing is owed for it."""
    _, found = corrected(case)
    return case.state in OPEN or found is None or int(found["taken_minor"]) > 0


def _after(case: Case) -> str:
    if case.state in OPEN:
        return case.state
    return "instalments" if case.here["plan"] else "owed"


def _drop(case: Case) -> Change:
    row = waiting(case)
    assert row is not None
    return Change(update=[_decided(case, row, "dropped")])


STEPS: tuple[Step, ...] = (
    Step(
        "receivable.propose_reversal",
        (*OPEN, *OVER),
        SAME,
        words("提请冲销入账", "Propose to reverse a receipt"),
        input=ReverseReceipt,
        guards=("no_correction_waits", "receipt_can_be_reversed"),
        needs=("receipts",),
        effect=_propose_receipt,
        notify=(Notify("correction_proposed", FINANCE),),
    ),
    Step(
        "receivable.propose_reopening",
        GIVEN_UP,
        SAME,
        words("提请恢复应退款", "Propose to reverse the write-off"),
        input=Reopen,
        guards=("no_correction_waits", "something_was_written_off", "documents_handed_in"),
        needs=("written_off_by",),
        effect=_propose_reopening,
        notify=(Notify("correction_proposed", FINANCE),),
    ),
    Step(
        "receivable.correct",
        (*OPEN, *OVER),
        OPEN,
        words("同意更正", "Reverse it"),
        input=NoInput,
        guards=("correction_proposed_by_another", "correction_still_fits", "something_is_owed_again"),
        needs=("receipts", "corrections"),
        effect=_correct,
        choose=_after,
        fresh=True,
        notify=(Notify("correction_done", (*FINANCE, "programme_officer", "applicant")),),
    ),
    Step(
        "receivable.correct_over",
        OVER,
        SAME,
        words("同意冲销多收款", "Reverse what came in too much"),
        input=NoInput,
        guards=("correction_proposed_by_another", "correction_still_fits", "nothing_is_owed_again"),
        needs=("receipts", "corrections"),
        effect=_correct,
        fresh=True,
        notify=(Notify("correction_done", (*FINANCE, "programme_officer")),),
    ),
    Step(
        "receivable.drop_correction",
        (*OPEN, *OVER),
        SAME,
        words("不予更正", "Leave it as it is"),
        input=Reason,
        guards=("a_correction_waits",),
        needs=("corrections",),
        effect=_drop,
        notify=(Notify("correction_dropped", FINANCE),),
    ),
)

__all__ = ["STEPS", "corrected", "owes_again", "receipt", "waiting", "written_off"]

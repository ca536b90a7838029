"""What a grantee owes, set off against a payment: what the payment's steps do to the receivable."""

from __future__ import annotations

from typing import Any

from schema.inputs_receivable import ProposeSetOff
from schema.receivable import OPEN
from states.case import Case, Change, Follow
from states.receivable_plan import covered_minor, next_due

NO_ENDING = {"ending": None, "ending_by": None, "ending_reason": None, "ending_decision_no": None}
WAITING = ("planned", "due")
"""States of a payment in which its sum may still be set off; what was requested is bound."""


def applied(case: Case) -> list[Follow]:
    """The payment is settled: what was set off is no longer owed."""
    return _of_payment(case, "agreed", "receivable.apply_set_off")


def let_go(case: Case) -> list[Follow]:
    """The payment will not be paid: what was to be set off is owed as before."""
    return _of_payment(case, "agreed", "receivable.release_set_off")


def undone(case: Case) -> list[Follow]:
    """The payment came back after it was settled: what was set off is owed again."""
    return _of_payment(case, "applied", "receivable.undo_set_off")


def _of_payment(case: Case, status: str, step: str) -> list[Follow]:
    found = case.facts["set_off"]
    if not found or found["status"] != status:
        return []
    return [Follow(step, found["receivable_id"], {"set_off_id": found["id"]})]


def standing(case: Case, *statuses: str) -> dict[str, Any] | None:
    """The receivable's set-off that the input names, or the one that waits; None where there is none."""
    named = getattr(case.input, "set_off_id", None)
    for row in case.facts["set_offs"]:
        if row["status"] in statuses and (named is None or row["id"] == str(named)):
            return dict(row)
    return None


def _stands(case: Case, *statuses: str) -> dict[str, Any]:
    row = standing(case, *statuses)
    assert row is not None, "a set-off that is taken on stands"
    return row


def _named(row: dict[str, Any]) -> dict[str, str]:
    """For the mails: which set-off it was."""
    return {"set_off": str(row["id"])}


def propose(case: Case) -> Change:
    """Somebody wants it; nothing is reserved yet."""
    given: ProposeSetOff = case.input
    row = {
        "id": case.new_id("set_off"),
        "receivable_id": case.subject_id,
        "project_id": case.of["id"],
        "currency": case.here["currency"],
        "proposed_by": case.actor_id,
        "status": "proposed",
        **given.model_dump(),
    }
    return Change(insert=[("set_off", row)], context={"set_off": str(row["id"])})


def agree(case: Case) -> Change:
    """From here on the payment pays the lesser sum, and the difference is reserved of what is owed."""
    row = _stands(case, "proposed")
    amount = int(row["amount_minor"])
    agreed = {"status": "agreed", "agreed_by": case.actor_id, "hold_transfer_id": case.new_id("reserve")}
    return Change(
        set={"reserved_minor": case.here["reserved_minor"] + amount},
        update=[
            ("set_off", row["id"], agreed),
            ("payment", row["payment_id"], {"offset_minor": amount}),
        ],
        context=_named(row),
    )


def release(case: Case) -> Change:
    """It is not set off after all. The payment keeps its sum only while it waits."""
    row = _stands(case, "proposed", "agreed")
    change = Change(update=[("set_off", row["id"], {"status": "released"})], context=_named(row))
    if row["status"] == "agreed":
        change.set["reserved_minor"] = case.here["reserved_minor"] - int(row["amount_minor"])
        if row["payment_state"] in WAITING and not hasattr(case.input, "set_off_id"):
            change.update.append(("payment", row["payment_id"], {"offset_minor": 0}))
    return change


def apply(case: Case) -> Change:
    """Paid by set-off: the claim is settled by so much."""
    row = _stands(case, "agreed")
    amount = int(row["amount_minor"])
    done = {"status": "applied", "post_transfer_id": case.new_id("apply")}
    change = Change(
        set={
            "reserved_minor": case.here["reserved_minor"] - amount,
            "offset_minor": case.here["offset_minor"] + amount,
            "next_due_on": next_due(case.here, amount),
        },
        update=[("set_off", row["id"], done)],
        context=_named(row),
    )
    if after_applying(case) == "settled":
        change.set["closed_on"] = case.today
    return change


def after_applying(case: Case) -> str:
    """Settled once nothing is left."""
    amount = int(_stands(case, "agreed")["amount_minor"])
    return "settled" if covered_minor(case.here) + amount == case.here["amount_minor"] else case.state


def undo(case: Case) -> Change:
    """What was set off is owed again, also where the rest was written off meanwhile; that stays so."""
    row = _stands(case, "applied")
    amount = int(row["amount_minor"])
    change = Change(
        set={
            "offset_minor": case.here["offset_minor"] - amount,
            "next_due_on": next_due(case.here, -amount),
        },
        update=[("set_off", row["id"], {"status": "undone"})],
        context=_named(row),
    )
    if case.state not in OPEN:
        # Whoever wants to write this off as well proposes it anew.
        change.set |= {"closed_on": None, **NO_ENDING}
    return change


def after_undoing(case: Case) -> str:
    """Owed again, as it was before it was settled or written off."""
    if case.state in OPEN:
        return case.state
    return "instalments" if case.here["plan"] else "owed"


__all__ = [
    "NO_ENDING",
    "WAITING",
    "after_applying",
    "after_undoing",
    "agree",
    "applied",
    "apply",
    "let_go",
    "propose",
    "release",
    "standing",
    "undo",
    "undone",
]

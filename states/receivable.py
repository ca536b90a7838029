"""The steps of a receivable (应退款): established, confirmed by another, received, or written off.

The money that each moves stands in ``states.postings``; what is left, and by when, in
``states.receivable_plan``.
"""

from __future__ import annotations

from schema.inputs import NoInput, Note, Reason
from schema.inputs_receivable import (
    Establish,
    GrantInstalments,
    ProposeSetOff,
    ProposeWriteOff,
    Receive,
    ReceiveSlip,
    SetOffId,
)
from schema.receivable import OPEN
from states import corrections, set_offs
from states.case import Case, Change, account_id
from states.receivable_plan import covered_minor, instalments, left_minor, next_due
from states.reference import reference_of
from states.refund_homes import homes
from states.step import SAME, Notify, Step, words

GRANTEE = ("applicant", "principal_investigator")
FINANCE = ("finance_officer",)
OVER = ("settled", "written_off", "cancelled")


def _establish(case: Case) -> Change:
    given: Establish = case.input
    project = case.of
    account = {
        "id": account_id("receivable", project["id"], project["currency"]),
        "kind": "receivable",
        "owner_id": project["id"],
        "currency": project["currency"],
    }
    return Change(
        set={
            "project_id": project["id"],
            "reference": reference_of(case.subject_id),
            "currency": project["currency"],
            "next_due_on": given.due_on,
            "established_by": case.actor_id,
            "established_on": case.today,
            "claim_transfer_id": case.new_id("claim"),
            **given.model_dump(exclude={"documents"}),
        },
        insert=[("account", account)],
    )


def _confirm(case: Case) -> Change:
    return Change(set={"confirmed_by": case.actor_id, "confirmed_on": case.today})


def _cancel(case: Case) -> Change:
    return Change(set={"closed_on": case.today})


def _grant(case: Case) -> Change:
    given: GrantInstalments = case.input
    row = case.here
    plan = instalments(
        left_minor(row),
        row["currency"],
        given.number,
        given.first_on,
        given.every_months,
        case.programme.calendar,
    )
    return Change(set={"plan": plan, "planned_from_minor": covered_minor(row), "next_due_on": given.first_on})


def _came_in(case: Case) -> int:
    """The sum that came in, by the treasury's slip or by the statement's entry."""
    given = case.input
    return int(
        given.amount_minor if isinstance(given, ReceiveSlip) else case.facts["bank_credit"]["amount_minor"]
    )


def taken_minor(case: Case) -> int:
    """What of the money that came in was owed; the rest is too much."""
    return min(left_minor(case.here), _came_in(case)) if case.state in OPEN else 0


def _receive(case: Case) -> Change:
    """The money is entered with what names it, and what was owed is owed no longer."""
    given, row = case.input, case.here
    taken = taken_minor(case)
    slip = isinstance(given, ReceiveSlip)
    credit = {} if slip else case.facts["bank_credit"]
    amount = _came_in(case)
    receipt = {
        "id": case.new_id("receipt"),
        "receivable_id": case.subject_id,
        "project_id": case.of["id"],
        "entry_id": None if slip else given.entry_id,
        "amount_minor": amount,
        "taken_minor": taken,
        "over_minor": amount - taken,
        "restored_minor": sum(part for _, part in homes(case, taken)),
        "currency": row["currency"],
        "received_on": given.received_on if slip else credit["booked_on"],
        "reference": given.reference if slip else credit["reference"],
        "note": given.note if slip else "",
        "recorded_by": case.actor_id,
    }
    change = Change(insert=[("receipt", receipt)])
    if taken:
        change.set = {"received_minor": row["received_minor"] + taken, "next_due_on": next_due(row, taken)}
    if amount > taken:
        change.set["over_minor"] = row["over_minor"] + amount - taken
    if _received(case) == "settled" and case.state != "settled":
        change.set |= {"closed_on": case.today, **set_offs.NO_ENDING}
    if not slip:
        change.update.append(("bank_entry", given.entry_id, {"outcome": "received"}))
    return change


def _received(case: Case) -> str:
    covered = covered_minor(case.here) + taken_minor(case)
    return "settled" if covered == case.here["amount_minor"] else case.state


def _propose_ending(case: Case) -> Change:
    given: ProposeWriteOff = case.input
    return Change(
        set={
            "ending": given.ending,
            "ending_by": case.actor_id,
            "ending_reason": given.reason,
            "ending_decision_no": given.decision_no,
        }
    )


def _drop_ending(case: Case) -> Change:
    return Change(set=dict(set_offs.NO_ENDING))


def _ended(case: Case) -> str:
    return "cancelled" if case.here["ending"] == "quashed" else "written_off"


def _write_off(case: Case) -> Change:
    row = case.here
    off = row["written_off_minor"] + left_minor(row)
    return Change(set={"written_off_minor": off, "ended_by": case.actor_id, "closed_on": case.today})


STEPS: tuple[Step, ...] = (
    Step(
        "receivable.establish",
        (),
        "proposed",
        words("认定应退款", "Establish a receivable"),
        input=Establish,
        guards=("something_was_paid", "claim_within_paid", "claim_due_day_to_come", "documents_handed_in"),
        effect=_establish,
        notify=(Notify("receivable_proposed", FINANCE),),
    ),
    Step(
        "receivable.confirm",
        ("proposed",),
        "owed",
        words("确认应退款", "Confirm"),
        input=Note,
        guards=("established_by_another", "claim_day_not_past"),
        effect=_confirm,
        fresh=True,
        notify=(Notify("receivable_confirmed", (*GRANTEE, "programme_officer")),),
    ),
    Step(
        "receivable.cancel",
        ("proposed",),
        "cancelled",
        words("撤回认定", "Withdraw"),
        input=Reason,
        effect=_cancel,
        notify=(Notify("receivable_cancelled", (*FINANCE, "programme_officer")),),
    ),
    Step(
        "receivable.grant_instalments",
        OPEN,
        "instalments",
        words("准予分期退还", "Grant instalments"),
        input=GrantInstalments,
        guards=("first_instalment_to_come", "instalments_divide", "no_set_off_waits"),
        effect=_grant,
        notify=(Notify("receivable_instalments", GRANTEE),),
    ),
    Step(
        "receivable.receive",
        OPEN,
        (*OPEN, "settled"),
        words("退款入账", "Receive"),
        input=Receive,
        guards=("credit_can_be_received",),
        needs=("homes",),
        effect=_receive,
        choose=_received,
        fresh=True,
        notify=(Notify("receivable_received", (*FINANCE, *GRANTEE)),),
    ),
    Step(
        "receivable.receive_slip",
        OPEN,
        (*OPEN, "settled"),
        words("登记缴库回单", "Record a treasury slip"),
        input=ReceiveSlip,
        guards=("paid_in_by_now", "documents_handed_in"),
        effect=_receive,
        choose=_received,
        fresh=True,
        notify=(Notify("receivable_received", (*FINANCE, *GRANTEE)),),
    ),
    Step(
        "receivable.receive_over",
        OVER,
        SAME,
        words("登记多收款", "Record what came in too much"),
        input=Receive,
        guards=("credit_can_be_received",),
        needs=("homes",),
        effect=_receive,
        fresh=True,
        notify=(Notify("receivable_over", FINANCE),),
    ),
    Step(
        "receivable.propose_write_off",
        OPEN,
        SAME,
        words("提请核销", "Propose to write off"),
        input=ProposeWriteOff,
        guards=("no_write_off_proposed", "no_set_off_waits", "documents_handed_in"),
        effect=_propose_ending,
        notify=(Notify("receivable_write_off_proposed", FINANCE),),
    ),
    Step(
        "receivable.keep",
        OPEN,
        SAME,
        words("不予核销", "Keep it owed"),
        input=Reason,
        guards=("write_off_proposed",),
        effect=_drop_ending,
        notify=(Notify("receivable_kept", (*FINANCE, "programme_officer")),),
    ),
    Step(
        "receivable.write_off",
        OPEN,
        ("written_off", "cancelled"),
        words("核销", "Write off"),
        input=NoInput,
        guards=("write_off_proposed_by_another", "no_set_off_waits"),
        effect=_write_off,
        choose=_ended,
        fresh=True,
        notify=(Notify("receivable_written_off", (*FINANCE, "programme_officer")),),
    ),
    Step(
        "receivable.propose_set_off",
        OPEN,
        SAME,
        words("提请抵扣", "Propose a set-off"),
        input=ProposeSetOff,
        guards=("no_set_off_waits", "no_write_off_proposed", "set_off_fits"),
        effect=set_offs.propose,
        notify=(Notify("set_off_proposed", FINANCE),),
    ),
    Step(
        "receivable.agree_set_off",
        OPEN,
        SAME,
        words("同意抵扣", "Agree to the set-off"),
        input=Note,
        guards=("set_off_proposed_by_another", "set_off_still_fits"),
        effect=set_offs.agree,
        fresh=True,
        notify=(Notify("set_off_agreed", (*GRANTEE, "programme_officer")),),
    ),
    Step(
        "receivable.drop_set_off",
        OPEN,
        SAME,
        words("不予抵扣", "Drop the set-off"),
        input=Reason,
        guards=("set_off_waits",),
        effect=set_offs.release,
        notify=(Notify("set_off_dropped", (*FINANCE, "programme_officer")),),
    ),
    Step(
        "receivable.apply_set_off",
        OPEN,
        (*OPEN, "settled"),
        words("抵扣完成", "Set off"),
        input=SetOffId,
        needs=("set_offs",),
        effect=set_offs.apply,
        choose=set_offs.after_applying,
        notify=(Notify("set_off_applied", (*FINANCE, *GRANTEE)),),
    ),
    Step(
        "receivable.release_set_off",
        OPEN,
        SAME,
        words("未能抵扣", "Not set off after all"),
        input=SetOffId,
        needs=("set_offs",),
        effect=set_offs.release,
        notify=(Notify("set_off_dropped", (*FINANCE, "programme_officer")),),
    ),
    Step(
        "receivable.undo_set_off",
        (*OPEN, *OVER),
        OPEN,
        words("抵扣撤回", "Undo the set-off"),
        input=SetOffId,
        needs=("set_offs",),
        effect=set_offs.undo,
        choose=set_offs.after_undoing,
        notify=(Notify("set_off_undone", (*FINANCE, *GRANTEE)),),
    ),
    *corrections.STEPS,
)

__all__ = ["STEPS", "taken_minor"]

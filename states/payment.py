"""The steps of a payment, one row per attempt to pay a tranche, and of the payee it is paid to.

The money each step moves stands in ``states.postings``. A step that moves money asks the gates anew: what
was open when the payment fell due may have shut since.
"""

from __future__ import annotations

from datetime import date

from schema.inputs import Attest, BankAnswer, LiftHold, Note, PlaceHold, PlanPayment, Reason, Void
from schema.inputs_bank import BankPaid
from states.approvals import after_approving, approvals_needed, missing_approvals, roles_that_approve
from states.case import Case, Change, Follow
from states.interest import called_off, settled_late
from states.plans import computed
from states.project import ENDED
from states.set_offs import applied, let_go, undone
from states.step import SAME, Notify, Step, words

FINANCE = ("finance_officer",)
GRANTEE = ("applicant", "principal_investigator")
OFFICER = ("programme_officer",)
BEFORE_BANK = ("planned", "due", "requested", "approved", "released")
LIVE = (*BEFORE_BANK, "instructed", "unknown")


def _plan(case: Case) -> Change:
    given: PlanPayment = case.input
    row = given.model_dump()
    return Change(set={"project_id": case.of["id"], **row})


def next_attempt(case: Case, payment: dict[str, object] | None = None) -> Follow:
    """The tranche's next attempt, as a row of its own."""
    row = payment or dict(case.here)
    attempt = int(str(row["attempt"])) + 1
    return Follow(
        "payment.plan",
        case.new_id(f"payment:{row['tranche_id']}:{attempt}"),
        {k: row[k] for k in ("tranche_id", "amount_minor", "currency", "milestone_id")}
        | {"attempt": attempt},
    )


def _fall_due(case: Case) -> Change:
    """A computed sum is fixed now, on the payment and on its tranche together, and stands in the event."""
    found = computed(case)
    if found is None:
        return Change()
    fixed = {"payable_minor": found.amount_minor, "held_minor": found.held_minor}
    return Change(
        set={"amount_minor": found.amount_minor},
        update=[("tranche", case.here["tranche_id"], fixed)],
        computed={
            "amount_minor": found.amount_minor,
            "held_minor": found.held_minor,
            "cleared_minor": found.cleared_minor,
            "verified_minor": case.of["verified_minor"],
        },
    )


def _request(case: Case) -> Change:
    funds, payee = case.facts["funds"], case.facts["payee"]
    editor = {"payment_id": case.subject_id, "duty": "payee_editor", "person_id": payee["entered_by"]}
    return Change(
        set={
            "payee_id": case.of["payee_id"],
            "appropriation_id": funds["id"],
            "hold_transfer_id": case.new_id("hold"),
        },
        insert=[("duty", editor)],
    )


def _release(case: Case) -> Change:
    return Change(set={"post_transfer_id": case.new_id("post")})


def _instruct(case: Case) -> Change:
    return Change(set={"instruct_transfer_id": case.new_id("instruct")})


def _settled(case: Case, reference: str, paid_on: date | None = None) -> Change:
    tranche = case.facts["tranche"]
    paid = tranche["paid_minor"] + case.here["amount_minor"]
    change = Change(
        # The day on which the bank paid, as its statement has it; no day that is still to come.
        set={"bank_reference": reference, "settled_on": min(paid_on or case.today, case.today)},
        update=[("tranche", case.here["tranche_id"], {"paid_minor": paid})],
        follow=applied(case),
    )
    return settled_late(case, change, paid_on or case.today)


def _settle(case: Case) -> Change:
    """Late is what the bank paid late: when its statement is read makes no difference."""
    return _settled(case, case.input.reference, case.input.paid_on)


def _settle_by_set_off(case: Case) -> Change:
    """The grantee owed all of it: nothing goes to the bank."""
    change = _settled(case, "-")
    change.set["instruct_transfer_id"] = case.new_id("instruct")
    return change


def _bank_return(case: Case) -> Change:
    return Change(
        set={"bank_reference": case.input.reference, "bank_reason": case.input.reason},
        follow=[*let_go(case), next_attempt(case)],
    )


def _return_late(case: Case) -> Change:
    """The payee has the money no longer. Of a project that is over, nothing is planned anew."""
    paid = case.facts["tranche"]["paid_minor"] - case.here["amount_minor"]
    again = [] if case.of["state"] in (*ENDED, "archived") else [next_attempt(case)]
    return Change(
        set={"bank_reason": case.input.reason, "settled_on": None},
        update=[("tranche", case.here["tranche_id"], {"paid_minor": paid})],
        follow=[*undone(case), *called_off(case), *again],
    )


def _not_received(case: Case) -> Change:
    """It goes out anew; what somebody attested of the way before says nothing of this one."""
    return Change(set={"bank_reason": case.input.reason, "instruct_transfer_id": None, "attested": None})


def _attest(case: Case) -> Change:
    return Change(set={"attested": case.input.finding, "bank_reason": case.input.evidence})


def _attested(case: Case) -> str:
    return "settled" if case.here["attested"] == "settled" else "returned"


def _confirm(case: Case) -> Change:
    if _attested(case) == "settled":
        return _settled(case, case.here["bank_reference"] or "attested")
    return Change(follow=[*let_go(case), next_attempt(case)])


def _void(case: Case) -> Change:
    again = [next_attempt(case)] if case.input.again else []
    return Change(set={"bank_reason": case.input.reason}, follow=[*let_go(case), *again])


def _send_back(case: Case) -> Change:
    """The next attempt starts clean: other people may do its duties."""
    return Change(set={"bank_reason": case.input.reason}, follow=[*let_go(case), next_attempt(case)])


def _place_hold(case: Case) -> Change:
    row = {
        "id": case.new_id("hold:payment"),
        "project_id": case.of["id"],
        "payment_id": case.subject_id,
        "kind": "payment",
        "reason": case.input.reason,
        "placed_by": case.actor_id,
        "placed_at": case.now,
    }
    return Change(set={"holds": case.here["holds"] + 1}, insert=[("hold", row)])


def _lift_hold(case: Case) -> Change:
    lifted = {"lifted_by": case.actor_id, "lifted_at": case.now}
    return Change(set={"holds": case.here["holds"] - 1}, update=[("hold", case.input.hold_id, lifted)])


def _asks_an_officer(case: Case) -> bool:
    return OFFICER[0] in approvals_needed(case.programme, case.here["amount_minor"])


def _now_approved(case: Case) -> bool:
    return after_approving(case) == "approved"


def _still_to_approve(case: Case) -> bool:
    return not _now_approved(case)


def _officer_still_to_approve(case: Case) -> bool:
    return OFFICER[0] in {*missing_approvals(case)} - {case.role}


STEPS: tuple[Step, ...] = (
    Step("payment.plan", (), "planned", words("列入拨付计划", "Plan"), input=PlanPayment, effect=_plan),
    Step(
        "payment.fall_due",
        ("planned",),
        "due",
        words("达到拨付条件", "Fall due"),
        guards=("gates_open",),
        effect=_fall_due,
        notify=(Notify("payment_due", FINANCE),),
    ),
    Step(
        "payment.fall_back", ("due",), "planned", words("条件不再满足", "Fall back"), guards=("gates_shut",)
    ),
    Step(
        "payment.request",
        ("due",),
        "requested",
        words("申请拨付", "Request"),
        guards=("gates_open", "payee_entered_by_another", "four_eyes"),
        needs=("delegations",),
        input=Note,
        effect=_request,
        duty="requester",
        notify=(
            Notify("payment_requested", FINANCE),
            Notify("payment_approval_wanted", OFFICER, when=_asks_an_officer),
        ),
    ),
    Step(
        "payment.approve",
        ("requested",),
        ("requested", "approved"),
        words("审批拨付", "Approve"),
        guards=("gates_open", "binding_intact", "four_eyes", "approval_wanted"),
        needs=("delegations",),
        input=Note,
        choose=after_approving,
        duty="approver",
        asks=roles_that_approve,
        notify=(
            Notify("payment_approved", FINANCE, when=_now_approved),
            Notify("payment_approval_given", FINANCE, when=_still_to_approve),
            Notify("payment_approval_given", OFFICER, when=_officer_still_to_approve),
        ),
    ),
    Step(
        "payment.send_back",
        ("requested", "approved"),
        "void",
        words("退回申请", "Send back"),
        guards=("four_eyes",),
        input=Reason,
        needs=("set_off",),
        effect=_send_back,
        duty="objector",
        notify=(Notify("payment_sent_back", FINANCE),),
    ),
    Step(
        "payment.release",
        ("approved",),
        "released",
        words("放款", "Release"),
        guards=("gates_open", "binding_intact", "four_eyes", "approvals_complete", "bank_agrees"),
        needs=("delegations",),
        input=Note,
        effect=_release,
        duty="releaser",
        fresh=True,
        not_yet={"requested": "approvals_complete"},
        notify=(Notify("payment_released", FINANCE),),
    ),
    Step(
        "payment.instruct",
        ("released",),
        "instructed",
        words("交银行", "Hand to the bank"),
        guards=("gates_open", "binding_intact", "bank_agrees", "something_to_pay"),
        effect=_instruct,
    ),
    Step(
        "payment.settle",
        ("instructed", "unknown"),
        "settled",
        words("银行已付", "Settle"),
        input=BankPaid,
        needs=("set_off", "lateness"),
        effect=_settle,
        notify=(Notify("payment_settled", (*GRANTEE, "programme_officer")),),
    ),
    Step(
        "payment.settle_by_set_off",
        ("released",),
        "settled",
        words("抵扣结清", "Settle by set-off"),
        guards=("gates_open", "binding_intact", "set_off_whole"),
        needs=("set_off", "lateness"),
        effect=_settle_by_set_off,
        notify=(Notify("payment_set_off", (*GRANTEE, "programme_officer")),),
    ),
    Step(
        "payment.bank_return",
        ("instructed", "unknown"),
        "returned",
        words("银行退回", "Returned by the bank"),
        input=BankAnswer,
        needs=("set_off",),
        effect=_bank_return,
        notify=(Notify("payment_returned", (*FINANCE, "applicant")),),
    ),
    Step(
        "payment.return_late",
        ("settled",),
        "returned",
        words("付后退回", "Returned after the settlement"),
        input=BankAnswer,
        guards=("paid_not_claimed",),
        needs=("paid_transfer", "set_off", "interest_payment"),
        effect=_return_late,
        notify=(Notify("payment_returned_late", (*FINANCE, *GRANTEE)),),
    ),
    Step(
        "payment.lose",
        ("instructed",),
        "unknown",
        words("银行无回音", "Outcome unknown"),
        input=Note,
        notify=(Notify("payment_unknown", FINANCE),),
    ),
    Step(
        "payment.not_received",
        ("instructed", "unknown"),
        "released",
        words("银行证实未收到", "Never received"),
        input=BankAnswer,
        effect=_not_received,
    ),
    Step(
        "payment.attest",
        ("unknown",),
        SAME,
        words("查证", "Attest the outcome"),
        guards=("attested_by_nobody", "four_eyes"),
        input=Attest,
        effect=_attest,
        duty="first_attester",
        notify=(Notify("payment_attested", FINANCE),),
    ),
    Step(
        "payment.confirm",
        ("unknown",),
        ("settled", "returned"),
        words("复核查证", "Confirm the attestation"),
        guards=("attested_first", "four_eyes"),
        input=Note,
        choose=_attested,
        needs=("set_off", "lateness"),
        effect=_confirm,
        duty="second_attester",
        fresh=True,
        notify=(Notify("payment_confirmed", (*FINANCE, "applicant")),),
    ),
    Step(
        "payment.place_hold",
        BEFORE_BANK,
        SAME,
        words("冻结本笔", "Place a hold on it"),
        input=PlaceHold,
        effect=_place_hold,
        notify=(Notify("payment_held", (*GRANTEE, *FINANCE)),),
    ),
    Step(
        "payment.lift_hold",
        BEFORE_BANK,
        SAME,
        words("解除本笔冻结", "Lift its hold"),
        input=LiftHold,
        guards=("payment_hold_stands", "payment_hold_of_another"),
        effect=_lift_hold,
        notify=(Notify("payment_hold_lifted", (*GRANTEE, *FINANCE)),),
    ),
    Step(
        "payment.void",
        BEFORE_BANK,
        "void",
        words("作废", "Void"),
        input=Void,
        needs=("set_off",),
        effect=_void,
        notify=(Notify("payment_voided", FINANCE),),
    ),
)

"""The steps of a cost claim: drafted, handed in, examined line by line, accepted or returned.

Handing it in writes its lines as rows; an examiner's findings are all that is written to them afterwards.
Verified spending of a project is what is allowed in its accepted claims, and nothing else. An accepted claim
is examined once more when one person proposes it and another agrees (``states.reopening``).
"""

from __future__ import annotations

import unicodedata
from typing import Any

from config.programmes import Programme
from schema.inputs import NoInput, Note, Reason
from schema.inputs_claims import ExamineClaim, SetBudget, WriteClaim
from states.case import Case, Change
from states.step import SAME, Notify, Step, words

GRANTEE = ("applicant", "principal_investigator")
EXAMINERS = ("finance_officer", "programme_officer")
WRITABLE = ("draft", "returned")


def invoice_key(payee: str, invoice_no: str) -> str | None:
    """What makes two invoices the same: who wrote it and its number, by letters and digits alone."""

    def bare(text: str) -> str:
        return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())

    return f"{bare(payee)}:{bare(invoice_no)}" if bare(invoice_no) else None


def _written(given: WriteClaim) -> dict[str, Any]:
    return {
        "period_from": given.period_from,
        "period_to": given.period_to,
        "lines": [line.model_dump(mode="json") for line in given.lines],
    }


def _open(case: Case) -> Change:
    return Change(
        set={
            "project_id": case.of["id"],
            "number": len(case.facts["claims"]) + 1,
            "currency": case.of["currency"],
            **_written(case.input),
        }
    )


def _save(case: Case) -> Change:
    return Change(set=_written(case.input))


def _submit(case: Case) -> Change:
    """Every line becomes a row; the draft stays as it was typed."""
    claim, submission = case.here, case.here["submission"] + 1
    change = Change(
        set={
            "submission": submission,
            "claimed_minor": sum(line["amount_minor"] for line in claim["lines"]),
            "allowed_minor": 0,
            "submitted_by": case.actor_id,
            "submitted_on": case.today,
            "decided_by": None,
            "decided_on": None,
            "opinion": None,
        }
    )
    for number, line in enumerate(claim["lines"], start=1):
        row = {
            "id": case.new_id(f"claim_line:{number}"),
            "project_id": claim["project_id"],
            "claim_id": claim["id"],
            "submission": submission,
            "number": number,
            **line,
            "invoice_key": invoice_key(line["payee"], line["invoice_no"]),
            "live": True,
        }
        change.insert.append(("claim_line", row))
    return change


def _examine(case: Case) -> Change:
    given: ExamineClaim = case.input
    rows = {line["number"]: line for line in case.facts["claim_lines"]}
    change = Change()
    for finding in given.findings:
        found = {
            "allowed_minor": finding.allowed_minor,
            "reason": finding.reason,
            "examined_by": case.actor_id,
            "examined_at": case.now,
        }
        change.update.append(("claim_line", rows[finding.number]["id"], found))
    return change


def _accept(case: Case) -> Change:
    allowed = sum(line["allowed_minor"] for line in case.facts["claim_lines"])
    until = max(filter(None, (case.of["accounts_until"], case.here["period_to"])))
    return Change(
        set={
            "allowed_minor": allowed,
            "decided_by": case.actor_id,
            "decided_on": case.today,
            "opinion": case.input.note,
        },
        project={"verified_minor": case.of["verified_minor"] + allowed, "accounts_until": until},
    )


def _let_go(case: Case) -> list[tuple[str, Any, dict[str, Any]]]:
    """The lines of this submission are history from now on, and no doubles of any other."""
    return [("claim_line", line["id"], {"live": False}) for line in case.facts["claim_lines"]]


def _propose_reopen(case: Case) -> Change:
    return Change(
        set={"reopening_by": case.actor_id, "reopening_reason": case.input.reason, "reopened_by": None}
    )


def _keep_accepted(case: Case) -> Change:
    return Change(set={"reopening_by": None, "reopening_reason": None})


def _reopen(case: Case) -> Change:
    """It is examined once more; until it is accepted again nothing of it is verified spending."""
    return Change(
        set={
            "allowed_minor": 0,
            "decided_by": None,
            "decided_on": None,
            "opinion": None,
            "reopened_by": case.actor_id,
        },
        project={
            "verified_minor": case.of["verified_minor"] - case.here["allowed_minor"],
            "accounts_until": case.facts["other_claims_until"],
        },
    )


def _return(case: Case) -> Change:
    return Change(
        set={"decided_by": case.actor_id, "decided_on": case.today, "opinion": case.input.reason},
        update=_let_go(case),
    )


def _withdraw(case: Case) -> Change:
    return Change(set={"opinion": case.input.reason}, update=_let_go(case))


STEPS: tuple[Step, ...] = (
    Step(
        "claim.open",
        (),
        "draft",
        words("新建费用申报", "Open a cost claim"),
        input=WriteClaim,
        guards=("claims_foreseen", "project_funded", "claim_period_in_order", "claim_evidence_brought"),
        needs=("claims",),
        effect=_open,
    ),
    Step(
        "claim.save",
        WRITABLE,
        SAME,
        words("编写费用申报", "Write the claim"),
        input=WriteClaim,
        guards=("claim_period_in_order", "claim_evidence_brought"),
        effect=_save,
    ),
    Step(
        "claim.submit",
        WRITABLE,
        "submitted",
        words("提交费用申报", "Hand in the claim"),
        input=NoInput,
        guards=("project_funded", "claim_period_over", "claim_lines_complete", "claim_within_caps"),
        needs=("category_sums",),
        effect=_submit,
        notify=(Notify("claim_submitted", EXAMINERS),),
    ),
    Step(
        "claim.examine",
        ("submitted",),
        SAME,
        words("逐笔审核", "Examine line by line"),
        input=ExamineClaim,
        guards=("claim_of_another", "findings_fit", "doubles_explained"),
        needs=("claim_lines",),
        effect=_examine,
    ),
    Step(
        "claim.accept",
        ("submitted",),
        "accepted",
        words("审定费用申报", "Accept the claim"),
        input=Note,
        guards=("claim_of_another", "claim_examined", "claim_allowed_within_caps", "nothing_overpaid"),
        needs=("claim_lines",),
        effect=_accept,
        notify=(Notify("claim_accepted", (*GRANTEE, "finance_officer")),),
    ),
    Step(
        "claim.return",
        ("submitted",),
        "returned",
        words("退回费用申报", "Return the claim"),
        input=Reason,
        guards=("claim_of_another",),
        needs=("claim_lines",),
        effect=_return,
        notify=(Notify("claim_returned", GRANTEE),),
    ),
    Step(
        "claim.propose_reopen",
        ("accepted",),
        SAME,
        words("提出重新审核", "Propose to reopen the claim"),
        input=Reason,
        guards=("claim_of_another", "reopening_not_proposed", "project_funded", "no_claim_payment_underway"),
        effect=_propose_reopen,
    ),
    Step(
        "claim.reopen",
        ("accepted",),
        "submitted",
        words("同意重新审核", "Reopen the claim"),
        input=Note,
        guards=(
            "claim_of_another",
            "reopening_proposed",
            "reopening_proposed_by_another",
            "project_funded",
            "no_claim_payment_underway",
        ),
        needs=("other_claims_until",),
        effect=_reopen,
        notify=(Notify("claim_reopened", (*GRANTEE, "finance_officer")),),
    ),
    Step(
        "claim.keep_accepted",
        ("accepted",),
        SAME,
        words("维持审定", "Leave the claim accepted"),
        input=Reason,
        guards=("claim_of_another", "reopening_proposed"),
        effect=_keep_accepted,
    ),
    Step(
        "claim.withdraw",
        ("draft", "submitted", "returned"),
        "withdrawn",
        words("撤回费用申报", "Withdraw the claim"),
        input=Reason,
        needs=("claim_lines",),
        effect=_withdraw,
    ),
)


def _set_budget(case: Case) -> Change:
    return Change(set={"budget": dict(case.input.budget)})


def budgeted(programme: Programme, states: tuple[str, ...]) -> tuple[Step, ...]:
    """Where costs are claimed, a project has a budget by category to hold them against."""
    if programme.claims is None:
        return ()
    return (
        Step(
            "project.set_budget",
            states,
            SAME,
            words("填写预算科目", "Set the budget"),
            input=SetBudget,
            guards=("budget_of_categories",),
            effect=_set_budget,
        ),
    )


__all__ = ["EXAMINERS", "STEPS", "WRITABLE", "budgeted", "invoice_key"]

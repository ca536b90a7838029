"""Cases of the guards that count a payment's approvals, for tests/states/test_guards.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from config.programmes import ApprovalTier, PayeeRules
from schema.inputs_payees import EnterPayee
from states.case import Case

SAID = {f"{part}_{locale}": "-" for part in ("field", "fact", "remedy") for locale in ("zh", "en")}
TIERS = (
    ApprovalTier(above_minor=0, approvers={"finance_officer": 1}),
    ApprovalTier(above_minor=100, approvers={"finance_officer": 2}),
    ApprovalTier(above_minor=500, approvers={"finance_officer": 2, "programme_officer": 1}),
)


def table(case: Callable[..., Case]) -> dict[str, tuple[Case, list[tuple[Case, str]]]]:
    """A case in which each guard holds, and those in which it objects with a code."""

    def of(amount: int, role: str, *approved: str) -> Case:
        facts: dict[str, Any] = {"duties": [_approval(role) for role in approved]}
        made = case(here={"amount_minor": amount, "state": "requested"}, facts=facts)
        programme = made.programme.model_copy(update={"approvals": TIERS})
        return replace(made, programme=programme, role=role)

    finance, officer = "finance_officer", "programme_officer"

    def account(of: dict[str, Any] | None, said: tuple[Any, ...] = (), **given: Any) -> Case:
        rules = PayeeRules(kinds=("cn",) if of is None else (), evidence_required=True)
        entered = {"account_name": "a", "account_no": "123456", "bank_name": "b", **given}
        facts = {"account_findings": said, "documents_missing": []}
        made = case(given=EnterPayee(**entered), of=of or {"payee_id": None}, facts=facts)
        return replace(made, programme=made.programme.model_copy(update={"payees": rules}))

    return {
        "account_well_formed": (
            account(None, account_kind="cn", bank_code="102100099996"),
            [
                (account(None), "account_kind_missing"),
                (account(None, account_kind="iban"), "account_kind_not_taken"),
                (account({"payee_id": None}, bank_code="102100099996"), "account_kind_missing"),
                (account(None, (SAID,), account_kind="cn"), "account_not_valid"),
            ],
        ),
        "change_evidenced": (
            account({"payee_id": "p"}, documents=("0" * 64,)),
            [(account({"payee_id": "p"}), "payee_evidence_missing")],
        ),
        "approval_wanted": (
            of(501, officer, finance, finance),
            [
                (of(100, finance, finance), "approval_not_wanted"),
                (of(501, finance, finance, finance), "approval_not_wanted"),
                (of(501, officer, finance, officer), "approval_not_wanted"),
                (of(500, officer), "approval_not_wanted"),
            ],
        ),
        "approvals_complete": (
            of(501, finance, finance, officer, finance),
            [
                (of(1, finance), "approvals_missing"),
                (of(101, finance, finance), "approvals_missing"),
                (of(501, finance, finance, finance), "approvals_missing"),
                (of(501, finance, finance, officer), "approvals_missing"),
            ],
        ),
    }


def _approval(role: str) -> dict[str, str]:
    return {"duty": "approver", "person_id": role, "role": role}

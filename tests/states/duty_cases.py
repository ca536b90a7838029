"""Cases of the guards that count a payment's approvals, for tests/states/test_guards.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from config.programmes import ApprovalTier, PayeeRules
from schema.inputs_delegation import GrantDelegation
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

    def sound(**changed: Any) -> Case:
        """A finance officer gives to another; ``roles``: the actor's own, ``to``: the colleague's."""
        roles = changed.pop("roles", frozenset({finance}))
        to = changed.pop("to", [finance])
        asked = {
            "programme_id": UUID(int=1),
            "office_path": "/",
            "delegate_id": UUID(int=2),
            "role": finance,
            "from_on": made.today,
            "until_on": made.today,
            "reason": "leave",
            **changed,
        }
        return replace(case(given=GrantDelegation(**asked), facts={"delegate": to}), roles=roles)

    made = case()
    day, me = timedelta(days=1), made.actor_id
    other = UUID(int=3)
    pair = {"delegator_id": other, "delegate_id": me}
    return {
        "delegation_is_sound": (
            sound(),
            [
                (sound(roles=frozenset({officer})), "delegation_not_own"),
                (sound(until_on=made.today - day), "delegation_days_wrong"),
                (sound(until_on=made.today - day, from_on=made.today - day), "delegation_days_wrong"),
                (
                    sound(role=officer, duty="request", roles=frozenset({officer})),
                    "delegation_of_nothing",
                ),
                (sound(delegate_id=me), "delegate_unfit"),
                (sound(to=["supervisor"]), "delegate_unfit"),
                (sound(to=[]), "delegate_unfit"),
                (sound(limit_minor=1), "delegation_limit_half"),
            ],
        ),
        "hold_of_another": (
            case(facts={"holds": [{"id": "h", "placed_by": "another"}]}),
            [(case(facts={"holds": [{"id": "h", "placed_by": str(me)}]}), "hold_same_person")],
        ),
        "payment_hold_of_another": (
            case(facts={"payment_holds": [{"id": "h", "placed_by": "another"}]}),
            [(case(facts={"payment_holds": [{"id": "h", "placed_by": str(me)}]}), "hold_same_person")],
        ),
        "payment_hold_stands": (
            case(facts={"payment_holds": [{"id": "h", "placed_by": "another"}]}),
            [(case(facts={"payment_holds": []}), "no_holds")],
        ),
        "is_the_delegate": (
            case(here=pair),
            [(case(here={**pair, "delegate_id": other}), "delegation_of_others")],
        ),
        "is_a_party": (
            case(here=pair),
            [(case(here={**pair, "delegate_id": other}), "delegation_of_others")],
        ),
        "delegation_runs": (
            case(here={"until_on": made.today}),
            [(case(here={"until_on": made.today - day}), "delegation_days_wrong")],
        ),
        "delegation_is_over": (
            case(here={"until_on": made.today - day}),
            [(case(here={"until_on": made.today}), "delegation_running")],
        ),
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

"""Guards of a payment: who does what of it, what binds it. They enter the table when this module is read."""

from __future__ import annotations

from typing import Any

from states.approvals import listed, missing_approvals
from states.case import Case
from states.guards import guard
from states.refusals import Refusal, refuse


@guard("duties")
def four_eyes(case: Case) -> Refusal | None:
    """One duty a person and a payment, whoever last edited the payee's account among them."""
    acting = case.acting
    for duty in case.facts["duties"]:
        name = duty["duty"].replace("_", " ")
        if duty["person_id"] == str(case.actor_id):
            return refuse("four_eyes", duty=name)
        if acting is not None and duty["person_id"] == acting["delegator_id"]:
            return refuse("four_eyes_for", duty=name, name=acting["name"])
    return None


@guard()
def payee_entered_by_another(case: Case) -> Refusal | None:
    payee = case.facts["payee"]
    if payee["entered_by"] == case.actor_id:
        return refuse("four_eyes", duty="payee editor")
    if case.acting is not None and str(payee["entered_by"]) == case.acting["delegator_id"]:
        return refuse("four_eyes_for", duty="payee editor", name=case.acting["name"])
    return None


@guard()
def binding_intact(case: Case) -> Refusal | None:
    """What was approved is what is paid: the payee version bound is the project's present one."""
    return None if case.here["payee_id"] == case.of["payee_id"] else refuse("binding_broken")


@guard("duties")
def attested_by_nobody(case: Case) -> Refusal | None:
    """An outcome is attested once. After that a second person confirms it, or the bank's word decides."""
    given = any(duty["duty"] == "first_attester" for duty in case.facts["duties"])
    return refuse("attestation_given") if given else None


@guard()
def attested_first(case: Case) -> Refusal | None:
    return None if case.here["attested"] else refuse("attestation_missing")


@guard("duties")
def approval_wanted(case: Case) -> Refusal | None:
    """The actor's role is one of those that are still missing."""
    missing = missing_approvals(case)
    if not case.role or case.role in missing:
        return None
    return refuse("approval_not_wanted", roles=case.role, wanted=listed(missing) or "-")


@guard("duties")
def approvals_complete(case: Case) -> Refusal | None:
    missing = missing_approvals(case)
    return refuse("approvals_missing", wanted=listed(missing)) if missing else None


@guard("payment_holds")
def payment_hold_stands(case: Case) -> Refusal | None:
    return _stands(case, case.facts["payment_holds"])


@guard("holds")
def hold_of_another(case: Case) -> Refusal | None:
    """Who placed a hold does not lift it."""
    return _of_another(case, case.facts["holds"])


@guard("payment_holds")
def payment_hold_of_another(case: Case) -> Refusal | None:
    return _of_another(case, case.facts["payment_holds"])


def _stands(case: Case, holds: list[dict[str, Any]]) -> Refusal | None:
    if case.input is None:
        return None if holds else refuse("no_holds")
    return None if str(case.input.hold_id) in {hold["id"] for hold in holds} else refuse("no_holds")


def _of_another(case: Case, holds: list[dict[str, Any]]) -> Refusal | None:
    """With nothing typed yet it objects where every hold is the actor's own."""
    asked = [hold for hold in holds if case.input is None or hold["id"] == str(case.input.hold_id)]
    mine = [hold for hold in asked if hold["placed_by"] == str(case.actor_id)]
    return refuse("hold_same_person") if mine and len(mine) == len(asked) else None

"""Guards of a payee's account; they enter the table when this module is read."""

from __future__ import annotations

from states.case import Case
from states.guards import guard
from states.refusals import Refusal, refuse


@guard("account_findings")
def account_well_formed(case: Case) -> list[Refusal]:
    """Number and bank's code fit the kind of account that was stated; every one that does not is named."""
    if case.input is None:
        return []
    given, wanted = case.input, case.programme.payees.kinds
    if given.account_kind is None:
        if wanted or given.bank_code:
            return [refuse("account_kind_missing", kinds=", ".join(wanted) or "cn, iban")]
        return []
    if wanted and given.account_kind not in wanted:
        return [refuse("account_kind_not_taken", kinds=", ".join(wanted))]
    return [
        refuse(
            "account_not_valid",
            field_zh=found["field_zh"],
            field_en=found["field_en"],
            fact_zh=found["fact_zh"],
            fact_en=found["fact_en"],
            remedy_zh=found["remedy_zh"],
            remedy_en=found["remedy_en"],
        )
        for found in case.facts["account_findings"]
    ]


@guard("documents_missing")
def change_evidenced(case: Case) -> Refusal | None:
    """Another account than the verified one comes with evidence, where the programme asks for it."""
    if case.input is None or not case.programme.payees.evidence_required or case.of["payee_id"] is None:
        return None
    return None if case.input.documents else refuse("payee_evidence_missing")


@guard()
def verifier_is_second(case: Case) -> Refusal | None:
    return refuse("payee_same_person") if case.here["entered_by"] == case.actor_id else None

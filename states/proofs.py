"""Final papers: what a grantee shows before the last money moves, handed in and accepted by two people.

A programme asks for one by naming its gate; where no tranche does, there is nothing to hand in.
"""

from __future__ import annotations

from config.programmes import Programme
from schema.inputs_proofs import DecideProof, HandInProof
from states.case import Case, Change
from states.gates import gate
from states.guards import guard, shown
from states.refusals import Refusal, refuse
from states.step import SAME, Notify, Step, words

GRANTEE = ("applicant", "principal_investigator")
# Which gate asks for which paper.
ASKED_BY = {
    "segregated_ledger_evidenced": "segregated_ledger",
    "final_accounts_accepted": "final_accounts",
    "audit_report_present": "audit_report",
}


@gate
def segregated_ledger_evidenced(case: Case) -> Refusal | None:
    """The grantee keeps a ledger of its own for the project (专账)."""
    return None if "segregated_ledger" in case.of["proofs"] else refuse("ledger_not_evidenced")


@gate
def final_accounts_accepted(case: Case) -> Refusal | None:
    """The final accounts (决算) were handed in and accepted."""
    return None if "final_accounts" in case.of["proofs"] else refuse("final_accounts_missing")


@gate
def audit_report_present(case: Case) -> Refusal | None:
    """From the programme's threshold on, an auditor has reported."""
    least, award = case.programme.gate_settings.audit_from_minor, case.of["award_minor"]
    if award < least or "audit_report" in case.of["proofs"]:
        return None
    currency = case.of["currency"]
    return refuse("audit_report_missing", award=shown(award, currency), least=shown(least, currency))


@guard("proofs")
def proof_waits(case: Case) -> Refusal | None:
    """There is such a paper, nobody has decided on it, and it was handed in by somebody else."""
    waiting = {proof["id"]: proof for proof in case.facts["proofs"]}
    if case.input is None:
        return None if waiting else refuse("no_proof_waits")
    proof = waiting.get(str(case.input.proof_id))
    if proof is None:
        return refuse("no_proof_waits")
    return refuse("proof_own") if proof["handed_by"] == str(case.actor_id) else None


def _hand_in(case: Case) -> Change:
    given: HandInProof = case.input
    row = {
        "id": case.new_id("proof"),
        "project_id": case.subject_id,
        "kind": given.kind,
        "documents": list(given.documents),
        "note": given.note,
        "handed_by": case.actor_id,
        "handed_at": case.now,
    }
    return Change(insert=[("proof", row)])


def _decide(case: Case) -> Change:
    given: DecideProof = case.input
    decided = {
        "decided_by": case.actor_id,
        "decided_at": case.now,
        "outcome": given.outcome,
        "opinion": given.opinion,
    }
    change = Change(update=[("proof", given.proof_id, decided)])
    if given.outcome == "accepted":
        kind = next(p["kind"] for p in case.facts["proofs"] if p["id"] == str(given.proof_id))
        change.set = {"proofs": sorted({*case.here["proofs"], kind})}
    return change


def proof_steps(programme: Programme, states: tuple[str, ...]) -> tuple[Step, ...]:
    """The steps about papers, where some tranche asks for one."""
    named = {name for tranche in programme.tranches for name in tranche.gates}
    if not named & set(ASKED_BY) or not states:
        return ()
    return (
        Step(
            "project.hand_in_proof",
            states,
            SAME,
            words("提交决算等材料", "Hand in final papers"),
            input=HandInProof,
            guards=("documents_handed_in",),
            effect=_hand_in,
            notify=(Notify("proof_handed_in", ("finance_officer",)),),
        ),
        Step(
            "project.decide_proof",
            states,
            SAME,
            words("审核材料", "Decide on a paper"),
            input=DecideProof,
            guards=("proof_waits",),
            needs=("proofs",),
            effect=_decide,
            notify=(Notify("proof_decided", GRANTEE),),
        ),
    )


__all__ = ["ASKED_BY", "proof_steps"]

"""Guards of a cost claim that is examined once more after it was accepted.

What was paid on it stays paid. Later tranches are computed from all that is verified less all that was paid,
so what was paid too much is deducted by itself from the next one that waits for verified spending. Where
none is left the claim is not accepted with less than was paid for, until the difference is owed back.
"""

from __future__ import annotations

from states.case import Case
from states.guards import guard, shown
from states.plans import Figures, payable, tranche_of
from states.refusals import Refusal, refuse


@guard()
def reopening_not_proposed(case: Case) -> Refusal | None:
    return refuse("reopening_waits") if _proposed(case) else None


@guard()
def reopening_proposed(case: Case) -> Refusal | None:
    return None if _proposed(case) else refuse("reopening_not_proposed")


@guard()
def reopening_proposed_by_another(case: Case) -> Refusal | None:
    return refuse("reopening_same_person") if case.here["reopening_by"] == case.actor_id else None


def _proposed(case: Case) -> bool:
    """Somebody proposed it, and nobody has agreed since."""
    return case.here["reopening_by"] is not None and case.here["reopened_by"] is None


@guard("claim_payments")
def no_claim_payment_underway(case: Case) -> Refusal | None:
    """A payment that rests on verified spending is paid or sent back before what it rests on is examined."""
    under_way = sorted(row["number"] for row in case.facts["claim_payments"])
    return refuse("claim_payment_underway", numbers=", ".join(map(str, under_way))) if under_way else None


@guard("claim_lines", "claims_earned")
def nothing_overpaid(case: Case) -> Refusal | None:
    """What was paid on claims is covered by what is verified, by a tranche to come, or is owed back."""
    plan = case.facts["claims_earned"]
    if plan is None or plan["open"]:
        return None
    tranche = tranche_of(case.programme, plan["code"])
    allowed = sum(line["allowed_minor"] or 0 for line in case.facts["claim_lines"])
    earned = payable(
        Figures(
            verified_minor=case.of["verified_minor"] + allowed,
            ceiling_minor=plan["ceiling_minor"],
            taken_minor=0,
            rate=tranche.rate,
            cap_minor=tranche.cap_minor,
            minimum_minor=tranche.minimum_minor,
        )
    ).amount_minor
    over = plan["taken_minor"] - plan["owed_minor"] - earned
    return refuse("claim_overpaid", over=shown(over, case.of["currency"])) if over > 0 else None


__all__ = [
    "no_claim_payment_underway",
    "nothing_overpaid",
    "reopening_not_proposed",
    "reopening_proposed",
    "reopening_proposed_by_another",
]

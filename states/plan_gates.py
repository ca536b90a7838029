"""Gates of computed tranches, of instalments and of what has to be shown before money moves."""

from __future__ import annotations

from datetime import timedelta

from states.case import Case
from states.gates import gate
from states.guards import shown
from states.plans import computed, sum_now, tranche_of
from states.refusals import Refusal, refuse


@gate
def spending_verified(case: Case) -> Refusal | None:
    """A computed sum is above zero, and what fell due still follows from what is verified.

    Stands before every computed tranche, named or not: a payment of nothing is no payment.
    """
    found = computed(case)
    if found is None:
        return None
    currency = case.of["currency"]
    if tranche_of(case.programme, case.facts["tranche"]["code"]).basis == "retained":
        if case.facts["plan"]["open"]:
            return refuse("others_unpaid", count=case.facts["plan"]["open"])
        if not found.amount_minor:
            return refuse("nothing_held_back")
    elif not found.amount_minor:
        have = shown(case.of["verified_minor"], currency)
        return refuse("nothing_verified", have=have, cleared=shown(found.cleared_minor, currency))
    if case.here["state"] != "planned" and case.here["amount_minor"] > found.amount_minor:
        have, now = shown(case.here["amount_minor"], currency), shown(found.amount_minor, currency)
        return refuse("amount_no_longer_due", have=have, now=now)
    return None


@gate
def set_off_covered(case: Case) -> Refusal | None:
    """What was agreed to be set off is no more than the sum came to: a computed sum may come to less.

    Stands before every computed tranche, named or not.
    """
    offset = case.here["offset_minor"]
    if not offset or (sum_minor := sum_now(case)) >= offset:
        return None
    currency = case.of["currency"]
    return refuse("set_off_above_sum", need=shown(offset, currency), have=shown(sum_minor, currency))


@gate
def day_reached(case: Case) -> Refusal | None:
    """An instalment is paid from its day on."""
    day = case.facts["tranche"]["due_on"]
    return refuse("day_to_come", day=day) if day is not None and case.today < day else None


@gate
def expenditure_stated(case: Case) -> Refusal | None:
    """Accepted claims reach to the day of the instalment before; the first one waits for none."""
    before = case.facts["previous"]["due_on"]
    if before is None:
        return None
    until = case.of["accounts_until"]
    if until is not None and until >= before - timedelta(days=1):
        return None
    return refuse("expenditure_not_stated", day=before - timedelta(days=1), until=until or "-")


@gate
def work_package_complete(case: Case) -> Refusal | None:
    """A work package is wholly complete or unpaid: every deliverable that was reported is accepted."""
    row = case.facts["milestone"]
    reported, accepted = row["deliverables"], row["deliverables_accepted"]
    if row["state"] == "accepted" and reported and (accepted or 0) >= reported:
        return None
    return refuse("work_package_open", accepted=accepted or 0, reported=reported or 0)


__all__ = [
    "day_reached",
    "expenditure_stated",
    "set_off_covered",
    "spending_verified",
    "work_package_complete",
]

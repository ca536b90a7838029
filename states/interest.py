"""Interest for paying late (逾期利息): what a late settlement owes, as a tranche and a payment of its own.

One settlement owes interest once, and interest itself owes none. It is no part of the award: its tranche has
accounts of its own, whose commitment is bounded by the interest, and it is paid from the source that the
programme's file names (``late_interest.paid_from``), from which no tranche of an award is paid.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid5

from states.case import NAMESPACE, Case, Change, Follow, account_id
from states.plans import INTEREST_BASIS, INTEREST_CODE, interest_owed

ACCOUNTS = ("commitment", "payable", "paid")
LATENESS = "lateness"
"""What such a payment waits for, in place of an agreement or a milestone."""

BEFORE_BANK = ("planned", "due", "requested", "approved", "released")


def is_interest(case: Case) -> bool:
    """Whether a payment pays interest, not a part of the award."""
    return case.noun == "payment" and case.facts["tranche"]["code"] == INTEREST_CODE


def interest_id(payment_id: UUID) -> UUID:
    """The tranche of the interest for one payment: known before it is there, so that there is one."""
    return uuid5(NAMESPACE, f"interest:{payment_id}")


def owed_on(case: Case, paid_on: date) -> tuple[int, int]:
    """Days late and interest in minor units that a settlement on a day owes and the programme pays.

    On what the bank paid: what was set off needed no bank and was not late.
    """
    rule = case.programme.late_interest
    if rule is None or rule.paid_from is None or is_interest(case):
        return 0, 0
    fell_due = case.facts["lateness"]["fell_due_on"]
    net = case.here["amount_minor"] - case.here["offset_minor"]
    day = date.fromisoformat(fell_due) if fell_due else None
    owed = interest_owed(case.programme, net, day, min(paid_on, case.today))
    if owed.amount_minor < max(1, rule.minimum_minor):
        return owed.days, 0
    return owed.days, owed.amount_minor


def settled_late(case: Case, change: Change, paid_on: date) -> Change:
    """Add to a settlement what it owes for being late: a tranche, its accounts, its first payment."""
    days, amount = owed_on(case, paid_on)
    if not amount:
        return change
    id, currency = interest_id(case.subject_id), case.here["currency"]
    row = {
        "id": id,
        "project_id": case.of["id"],
        "number": case.facts["lateness"]["last_number"] + 1,
        "code": INTEREST_CODE,
        "amount_minor": amount,
        "currency": currency,
        "waits_for": LATENESS,
        "basis": INTEREST_BASIS,
        "interest_of_id": case.subject_id,
        "late_days": days,
    }
    change.insert.append(("tranche", row))
    change.insert += [
        (
            "account",
            {
                "id": account_id(kind, id, currency),
                "kind": kind,
                "owner_id": id,
                "currency": currency,
                "ceiling_minor": amount if kind == "commitment" else None,
            },
        )
        for kind in ACCOUNTS
    ]
    plan = {"tranche_id": id, "attempt": 1, "amount_minor": amount, "currency": currency}
    change.follow.append(Follow("payment.plan", case.new_id(f"payment:{id}:1"), plan))
    change.computed |= {"late_days": days, "interest_minor": amount}
    return change


def called_off(case: Case) -> list[Follow]:
    """The settlement is undone: interest for it that the bank does not have yet is not paid.

    What was paid or is on its way stays; whether it is claimed back is for people to decide.
    """
    found = case.facts["interest_payment"]
    if not found or found["state"] not in BEFORE_BANK:
        return []
    reason = case.input.reason or "-"
    return [Follow("payment.void", UUID(found["id"]), {"reason": reason, "again": False})]


__all__ = ["called_off", "interest_id", "is_interest", "owed_on", "settled_late"]

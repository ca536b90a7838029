"""Who has to approve a payment before it may be released: so many people of so many roles, by its sum.

The programme's tiers say it (``Programme.approvals``); the database counts the same by ``approvals_missing``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from config.programmes import Programme
from states.case import Case

APPROVER = "approver"
# Without tiers one finance officer approves, whatever the sum.
ONE = {"finance_officer": 1}


def approvals_needed(programme: Programme, amount_minor: int) -> dict[str, int]:
    """How many of each role approve a payment of this sum: the highest tier below it counts."""
    below = [tier for tier in programme.approvals if tier.above_minor < amount_minor]
    return dict(max(below, key=lambda tier: tier.above_minor).approvers) if below else dict(ONE)


def approvals_given(duties: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How many of each role have approved. From before there were roles in it, it was a finance officer."""
    return Counter(duty["role"] or "finance_officer" for duty in duties if duty["duty"] == APPROVER)


def still_missing(needed: Mapping[str, int], given: Mapping[str, int]) -> dict[str, int]:
    """How many of which roles are still to approve, those of the tier in its order."""
    return {role: n - given.get(role, 0) for role, n in needed.items() if given.get(role, 0) < n}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the approvals of a payment are: ``given`` of ``needed``, and whose are still missing."""

    given: int
    needed: int
    missing: dict[str, int]


def progress(programme: Programme, amount_minor: int, duties: Iterable[Mapping[str, Any]]) -> Progress:
    """How far the approvals of a payment of this sum are, by the duties on record."""
    needed = approvals_needed(programme, amount_minor)
    missing = still_missing(needed, approvals_given(duties))
    whole = sum(needed.values())
    return Progress(whole - sum(missing.values()), whole, missing)


def missing_approvals(case: Case) -> dict[str, int]:
    """How many of which roles are still to approve the payment."""
    needed = approvals_needed(case.programme, case.here["amount_minor"])
    return still_missing(needed, approvals_given(case.facts["duties"]))


def roles_that_approve(case: Case) -> tuple[str, ...]:
    """The roles of the payment's tier, those that are still missing first. Other roles do not approve it."""
    missing = missing_approvals(case)
    needed = approvals_needed(case.programme, case.here["amount_minor"])
    return (*missing, *(role for role in needed if role not in missing))


def after_approving(case: Case) -> str:
    """The state an approval leads to: approved with the last one that was missing."""
    missing = Counter(missing_approvals(case))
    if case.role:
        missing.subtract([case.role])
    elif missing:
        # Nobody in particular asks: what is checked is a programme, not a person.
        missing.subtract([next(iter(missing))])
    return "requested" if any(n > 0 for n in missing.values()) else "approved"


def listed(missing: Mapping[str, int]) -> str:
    """Roles with their numbers as a refusal carries them: ``finance_officer 2, programme_officer 1``."""
    return ", ".join(f"{role} {n}" for role, n in missing.items())


__all__ = [
    "APPROVER",
    "Progress",
    "after_approving",
    "approvals_given",
    "approvals_needed",
    "listed",
    "missing_approvals",
    "progress",
    "roles_that_approve",
    "still_missing",
]

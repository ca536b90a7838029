"""Guards of what several people owe one payment: they enter the table when this module is read."""

from __future__ import annotations

from states.approvals import listed, missing_approvals
from states.case import Case
from states.guards import guard
from states.refusals import Refusal, refuse


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

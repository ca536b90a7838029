"""How yearly budgets and their changes get to each of their states in a town."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from tests.invariants.town import Town


def appropriation(town: Town, state: str) -> UUID:
    """A budget of a year of its own."""
    year = 2030 + int(town.one("SELECT count(*) FROM appropriation"))
    if state in ("voted", "closed"):
        made = town.vote(year=year)
        return close(town, made) if state == "closed" else made
    given = {"fiscal_year": year, "currency": "CNY", "amount_minor": 100}
    programme = str(town.programme.id)
    made = town.take("finance8", "appropriation.propose", None, programme_id=programme, **given).subject_id
    if state == "rejected":
        town.take("finance7", "appropriation.reject", made, reason="not decided")
    elif state == "withdrawn":
        town.take("finance8", "appropriation.withdraw", made, reason="a mistake")
    return made


def close(town: Town, purse: UUID, reason: str = "year's end") -> UUID:
    """A year that finance1 proposes to close and finance2 closes."""
    town.take("finance1", "appropriation.propose_close", purse, reason=reason)
    return town.take("finance2", "appropriation.close", purse).subject_id


def propose(town: Town, kind: str, purse: UUID, **given: Any) -> UUID:
    """A change that finance1 proposes."""
    return town.take("finance1", f"budget_change.{kind}", purse, reason="as decided", **given).subject_id


def changed(town: Town, kind: str, purse: UUID, **given: Any) -> UUID:
    """A change that finance1 proposes and finance2 confirms."""
    made = propose(town, kind, purse, **given)
    town.take("finance2", "budget_change.confirm", made)
    return made


def change(town: Town, state: str) -> UUID:
    """An increase of a budget of its own."""
    made = propose(town, "increase", appropriation(town, "voted"), amount_minor=100)
    if state == "withdrawn":
        town.take("finance1", "budget_change.withdraw", made, reason="a mistake")
    elif state != "proposed":
        verb = {"confirmed": "confirm", "rejected": "reject"}[state]
        given = {"reason": "not now"} if state == "rejected" else {}
        town.take("finance2", f"budget_change.{verb}", made, **given)
    return made

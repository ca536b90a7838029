"""How delegations get to each of their states in a town."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from tests.invariants.town import Town


def grant(town: Town, delegator: str, delegate: str, **given: Any) -> UUID:
    """A delegation for a fortnight from today, not accepted yet."""
    today = town.clock.today()
    asked = {
        "programme_id": str(town.programme.id),
        "office_path": "/city/",
        "delegate_id": str(town.people[delegate].id),
        "role": "finance_officer",
        "duty": "every",
        "from_on": today.isoformat(),
        "until_on": (today + timedelta(days=14)).isoformat(),
        "reason": "leave",
        **given,
    }
    return town.take(delegator, "delegation.grant", None, **asked).subject_id


def delegate(town: Town, delegator: str, delegate: str, **given: Any) -> UUID:
    """A delegation that was accepted."""
    id = grant(town, delegator, delegate, **given)
    town.take(delegate, "delegation.accept", id)
    return id


def delegation(town: Town, state: str) -> UUID:
    """A delegation in a state."""
    id = grant(town, "finance8", "officer2")
    if state in ("accepted", "ended"):
        town.take("officer2", "delegation.accept", id)
    if state == "declined":
        town.take("officer2", "delegation.decline", id, reason="away too")
    elif state == "revoked":
        town.take("finance8", "delegation.revoke", id, reason="back early")
    elif state == "ended":
        before = town.clock.now()
        until: date = town.one("SELECT until_on FROM delegation WHERE id = %s", id)
        town.clock.set(until + timedelta(days=1))
        town.take("system", "delegation.end", id)
        town.clock.set(before)
    return id

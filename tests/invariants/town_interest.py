"""A programme that owes interest for paying late, and payments of it that are late."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from tests.invariants.town import Town

PROMISED_DAYS = 5
_RULE = (
    'late_interest = {{ rate = "{rate}", promised_days = {days}, paid_from = "interest"{more} }}\n'
    'budget = {{ {home}sources = [{{ code = "own", title = {{ zh = "本级", en = "Own" }} }}, '
    '{{ code = "interest", title = {{ zh = "利息", en = "Interest" }} }}] }}\n'
)


def late_text(
    text: str, *, rate: str = "8%", more: str = "", promised_days: int = PROMISED_DAYS, home: bool = False
) -> str:
    """A programme's text with interest for late payment, and a line that pays it.

    ``home``: what comes back within the year goes back to its appropriation.
    """
    kept = 'same_year_refunds_to = "appropriation", ' if home else ""
    rule = _RULE.format(rate=rate, more=more, days=promised_days, home=kept)
    return text.replace("rule_set =", rule + "rule_set =", 1)


def vote_interest(town: Town, amount: int = 1_000_000, *, year: int = 2025) -> UUID:
    """The year's money for interest, by two people."""
    proposed = town.take(
        "finance8",
        "appropriation.propose",
        None,
        programme_id=str(town.programme.id),
        fiscal_year=year,
        currency="CNY",
        source="interest",
        amount_minor=amount,
    ).subject_id
    return town.take("finance7", "appropriation.vote", proposed).subject_id


def interest_of(town: Town, payment: UUID) -> UUID | None:
    """The newest payment of the interest for a payment; None where nothing is owed."""
    found = town.one(
        "SELECT y.id FROM tranche t JOIN payment y ON y.tranche_id = t.id WHERE t.interest_of_id = %s "
        "ORDER BY y.attempt DESC LIMIT 1",
        payment,
    )
    return found if found is None else UUID(str(found))


def settled_late(town: Town, days: int, *, project: UUID | None = None, tranche: int = 0) -> UUID:
    """A payment that the bank paid so many days after it fell due."""
    payment = town.payment("instructed", project=project, tranche=tranche)
    paid_on = town.clock.today() + timedelta(days=days)
    town.clock.set(paid_on)
    town.take("system", "payment.settle", payment, reference="B", paid_on=paid_on.isoformat())
    return payment


def pay(town: Town, payment: UUID, *, until: str = "settle") -> None:
    """Take a planned payment through all hands to the bank and back."""
    for who, step in (
        ("system", "fall_due"),
        ("finance1", "request"),
        ("finance2", "approve"),
        ("finance3", "release"),
        ("system", "instruct"),
        ("system", "settle"),
    ):
        given = {"reference": "I"} if step == "settle" else {}
        town.take(who, f"payment.{step}", payment, **given)
        if step == until:
            return


__all__ = ["PROMISED_DAYS", "interest_of", "late_text", "pay", "settled_late", "vote_interest"]

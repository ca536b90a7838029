"""An award becomes milestones and tranches: exact sums, the remainder in the last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from dateutil.relativedelta import relativedelta

from config.programmes import Programme
from schema.money import Money


@dataclass(frozen=True, slots=True)
class Planned:
    """A tranche of one award: its number, its row in the programme, its sum, the milestone it waits for."""

    number: int
    code: str
    waits_for: str
    amount_minor: int
    milestone: int | None


def tranche_shares(programme: Programme) -> list[Fraction]:
    """The share of each tranche row; one per milestone without a share takes what the others leave."""
    fixed = sum((t.share or Fraction(0) for t in programme.tranches), Fraction(0))
    return [t.share if t.share is not None else 1 - fixed for t in programme.tranches]


def milestone_part(programme: Programme, total: Money) -> Money:
    """What of a total is paid by milestone, each with its own sum."""
    parts = total.split(tranche_shares(programme))
    zero = Money(0, total.currency)
    return sum((p for p, t in zip(parts, programme.tranches, strict=True) if t.per_milestone), zero)


def planned_milestones(programme: Programme, plan: list[dict[str, Any]], start: date) -> list[dict[str, Any]]:
    """The milestones of the agreement: the application's, or the programme's counted from ``start``."""
    if programme.milestones.from_application:
        return plan
    return [
        {
            "number": number,
            "title": row.title.zh,
            "amount_minor": None,
            "due_on": (start + relativedelta(months=row.after_months)).isoformat(),
        }
        for number, row in enumerate(programme.milestones.plan, start=1)
    ]


def _by_milestone(programme: Programme, part: Money, milestones: list[dict[str, Any]]) -> list[Money]:
    given = [m["amount_minor"] for m in milestones]
    if all(g is not None for g in given):
        if sum(given) == part.minor:
            return [Money(g, part.currency) for g in given]
        return part.split([Fraction(g, sum(given)) for g in given])
    shares = [row.share for row in programme.milestones.plan]
    if len(shares) == len(milestones) and all(s is not None for s in shares):
        return part.split([s for s in shares if s is not None])
    return part.split([Fraction(1, len(milestones))] * len(milestones))


def planned_tranches(programme: Programme, award: Money, milestones: list[dict[str, Any]]) -> list[Planned]:
    """The tranches of an award, in the programme's order; together they are the award to the last unit."""
    rows: list[Planned] = []
    for part, tranche in zip(award.split(tranche_shares(programme)), programme.tranches, strict=True):
        if tranche.per_milestone:
            for money, milestone in zip(_by_milestone(programme, part, milestones), milestones, strict=True):
                rows.append(
                    Planned(len(rows) + 1, tranche.code, "milestone", money.minor, milestone["number"])
                )
        else:
            rows.append(
                Planned(len(rows) + 1, tranche.code, tranche.waits_for, part.minor, tranche.milestone)
            )
    return [row for row in rows if row.amount_minor > 0]

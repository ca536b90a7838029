"""An award becomes milestones and tranches: exact sums, the remainder in the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from dateutil.relativedelta import relativedelta

from config.programmes import Programme, Tranche
from schema.money import Money


@dataclass(frozen=True, slots=True)
class Planned:
    """A tranche of one award: its number, its row in the programme, its sum, what it waits for.

    ``amount_minor`` is after ``retained_minor`` was held back; the tranche that releases it has the sum of
    all that was. ``due_on`` is the day of an instalment.
    """

    number: int
    code: str
    waits_for: str
    amount_minor: int
    milestone: int | None
    basis: str = "fixed"
    retained_minor: int = 0
    due_on: date | None = None


def sharing(programme: Programme) -> list[Tranche]:
    """The tranches that share the award out; what was held back of them is no share of its own."""
    return [tranche for tranche in programme.tranches if tranche.basis != "retained"]


def tranche_shares(programme: Programme) -> list[Fraction]:
    """The share of each tranche that has one; one per milestone without a share takes what others leave."""
    fixed = sum((t.share or Fraction(0) for t in programme.tranches), Fraction(0))
    return [t.share if t.share is not None else 1 - fixed for t in sharing(programme)]


def milestone_part(programme: Programme, total: Money) -> Money:
    """What of a total is paid by milestone, each with its own sum."""
    parts = total.split(tranche_shares(programme))
    zero = Money(0, total.currency)
    return sum((p for p, t in zip(parts, sharing(programme), strict=True) if t.per_milestone), zero)


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


def planned_tranches(
    programme: Programme, award: Money, milestones: list[dict[str, Any]], start: date | None = None
) -> list[Planned]:
    """The tranches of an award, in the programme's order; together they are the award to the last unit.

    ``start`` is the day of the agreement, from which the days of instalments are counted.
    """
    rows: list[Planned] = []
    for part, tranche in zip(award.split(tranche_shares(programme)), sharing(programme), strict=True):
        for money, milestone, due_on in _parts(programme, tranche, part, milestones, start):
            held = int(money.minor * (programme.retention or Fraction(0)))
            net, number = money.minor - held, len(rows) + 1
            waits_for, basis = tranche.waits_for, tranche.basis
            rows.append(Planned(number, tranche.code, waits_for, net, milestone, basis, held, due_on))
    held = sum(row.retained_minor for row in rows)
    rows += [
        Planned(len(rows) + 1, tranche.code, tranche.waits_for, held, None, "retained")
        for tranche in programme.tranches
        if tranche.basis == "retained"
    ]
    return [row for row in rows if row.amount_minor > 0]


def _parts(
    programme: Programme, tranche: Tranche, part: Money, milestones: list[dict[str, Any]], start: date | None
) -> Iterator[tuple[Money, int | None, date | None]]:
    """The sums a tranche is paid in: one a milestone, one an instalment with its day, or all at once."""
    if tranche.per_milestone:
        for money, milestone in zip(_by_milestone(programme, part, milestones), milestones, strict=True):
            yield money, milestone["number"], None
        return
    shares = [Fraction(1, tranche.instalments)] * tranche.instalments
    for index, money in enumerate(part.split(shares)):
        day = None
        if tranche.waits_for == "day" and start is not None:
            months = (tranche.after_months or 0) + index * (tranche.every_months or 0)
            day = start + relativedelta(months=months)
        yield money, tranche.milestone, day

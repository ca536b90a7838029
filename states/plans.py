"""What a tranche is worth where its sum is computed: from verified spending, or from what was held back.

One pure function says it, in whole minor units, rounded down, so that no limit is ever passed by rounding.
It is cumulative: what was paid before, an advance too, counts towards what is due now. So an advance is
cleared by the claims that are accepted after it, and nothing is paid twice in whatever order payments fall
due. Whoever has to offset something takes it from ``amount_minor``; nothing here knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from config.programmes import Programme, Text, Tranche
from states.case import Case

ZERO = Fraction(0)
INTEREST_CODE = "late_interest"
INTEREST_BASIS = "interest"
# No file names this tranche: it comes about by paying late. Money for it has to be there, and nothing else.
_INTEREST: Tranche = Tranche.model_construct(
    code=INTEREST_CODE,
    title=Text(zh="逾期利息", en="Interest for late payment"),
    waits_for="lateness",  # type: ignore[arg-type]
    basis="fixed",
    gates=("appropriation_available",),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a computed sum follows from; all sums in minor units of one currency.

    ``ceiling_minor`` is what the tranches up to this one may come to together, ``taken_minor`` what others
    of the project have paid or are about to pay, both before anything was held back.
    """

    verified_minor: int
    ceiling_minor: int
    taken_minor: int
    rate: Fraction = Fraction(1)
    cap_minor: int | None = None
    minimum_minor: int = 0
    retention: Fraction = ZERO


@dataclass(frozen=True, slots=True)
class LateInterest:
    """How many days a payment is beyond what was promised, and what is owed for them in minor units."""

    days: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Payable:
    """What is to be paid now, what of it is held back until the end, what was cleared by earlier payments."""

    amount_minor: int
    held_minor: int = 0
    cleared_minor: int = 0


def payable(figures: Figures) -> Payable:
    """min(cap, ceiling, rate × verified) less what was taken; below the minimum, nothing. Never negative.

    >>> payable(Figures(1_000, ceiling_minor=900, taken_minor=0, rate=Fraction(1, 2)))
    Payable(amount_minor=500, held_minor=0, cleared_minor=0)
    """
    earned = int(figures.verified_minor * figures.rate)
    if earned < figures.minimum_minor:
        earned = 0
    most = (
        figures.ceiling_minor if figures.cap_minor is None else min(figures.ceiling_minor, figures.cap_minor)
    )
    entitled = max(0, min(earned, most))
    cleared = min(entitled, figures.taken_minor)
    due = entitled - cleared
    held = int(due * figures.retention)
    return Payable(due - held, held, cleared)


def late_interest(
    amount_minor: int, days_late: int, rate: Fraction, days_in_year: int, rounding: str = "half_up"
) -> int:
    """What is owed for paying late: amount × rate × days / year, exactly, then rounded once, to the unit.

    >>> late_interest(1_000_000, 10, Fraction(8, 100), 365)
    2192
    """
    owed = Fraction(amount_minor * max(0, days_late)) * rate / days_in_year
    return int(owed + Fraction(1, 2)) if rounding == "half_up" else int(owed)


def interest_owed(programme: Programme, amount_minor: int, fell_due: date | None, paid: date) -> LateInterest:
    """The days beyond those promised, counted from the day after it fell due, and the interest for them."""
    rule = programme.late_interest
    if rule is None or fell_due is None:
        return LateInterest(0, 0)
    late = max(0, (paid - fell_due).days - rule.promised_days)
    owed = late_interest(amount_minor, late, rule.rate, rule.days_in_year, rule.rounding)
    return LateInterest(late, owed)


def tranche_of(programme: Programme, code: str) -> Tranche:
    """The row of a tranche in its programme; a payment without one is none."""
    if code == INTEREST_CODE:
        return _INTEREST
    return next(tranche for tranche in programme.tranches if tranche.code == code)


def computed(case: Case) -> Payable | None:
    """What a payment's tranche is worth as things stand; None where its sum was fixed by the agreement."""
    tranche = tranche_of(case.programme, case.facts["tranche"]["code"])
    if tranche.basis == "fixed":
        return None
    plan = case.facts["plan"]
    if tranche.basis == "retained":
        return Payable(plan["held_minor"])
    return payable(
        Figures(
            verified_minor=case.of["verified_minor"],
            ceiling_minor=plan["ceiling_minor"],
            taken_minor=plan["taken_minor"],
            rate=tranche.rate,
            cap_minor=tranche.cap_minor,
            minimum_minor=tranche.minimum_minor,
            retention=case.programme.retention or ZERO,
        )
    )


def sum_now(case: Case) -> int:
    """What a payment is about: computed while it is planned, fixed from the day it fell due."""
    if case.here["state"] == "planned" and (found := computed(case)) is not None:
        return found.amount_minor
    return int(case.here["amount_minor"])


__all__ = [
    "INTEREST_BASIS",
    "INTEREST_CODE",
    "Figures",
    "LateInterest",
    "Payable",
    "computed",
    "interest_owed",
    "late_interest",
    "payable",
    "sum_now",
    "tranche_of",
]

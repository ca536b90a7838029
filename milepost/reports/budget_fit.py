"""What if these were granted: does a list fit into this year's money and the next years', up to where?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.programmes import Programme, Text
from milepost.db import Session
from milepost.queries.commitments import Asked, committed, common_office, left_by_year
from milepost.reports.ranking import RankedList
from states.outlook import years_of
from states.step import words


@dataclass(frozen=True, slots=True)
class Wanted:
    """A project that would be granted so much, in its place on the list."""

    id: UUID
    code: str
    title: str
    amount_minor: int
    plan: Any
    office_path: str


@dataclass(frozen=True, slots=True)
class YearFit:
    """A year: what is left of its budget, what of that is promised, what the list would take.

    ``voted`` is False where no money was voted for it yet: such a year is shown, not held against the list.
    """

    year: int
    voted: bool
    left: int
    committed: int
    wanted: int

    @property
    def after(self) -> int:
        """What would be left once all is granted; below zero: so much is short."""
        return self.left - self.committed - self.wanted

    @property
    def short(self) -> bool:
        """Whether the list does not fit into this year."""
        return self.voted and self.after < 0


@dataclass(frozen=True, slots=True)
class Fit:
    """A list set against the years. ``first_unfit`` is the first that no longer fits, and in which year."""

    programme: Programme
    currency: str
    wanted: list[Wanted]
    by_project: list[dict[int, int]]
    years: list[YearFit]
    first_unfit: Wanted | None
    unfit_year: int | None

    @property
    def fits(self) -> bool:
        """Whether all of it can be granted."""
        return self.first_unfit is None

    @property
    def total_minor(self) -> int:
        """What the list asks for in all."""
        return sum(one.amount_minor for one in self.wanted)


def fit(session: Session, programme: Programme, currency: str, wanted: Sequence[Wanted]) -> Fit:
    """Set a list, in its order, against what is free of each year. Nothing is reserved by asking."""
    today = session.clock.today()
    asked = Asked(programme.code, currency, today, tuple(one.id for one in wanted))
    left = left_by_year(session.conn, asked, common_office([one.office_path for one in wanted]))
    promised = committed(session.conn, asked)
    by_project = [years_of(programme, one.amount_minor, currency, one.plan, today) for one in wanted]
    # This year counts as voted: without a vote there is nothing to grant from.
    voted = {today.year, *left}
    taken: dict[int, int] = {}
    first: Wanted | None = None
    failed: int | None = None
    for one, needs in zip(wanted, by_project, strict=True):
        for year, sum in needs.items():
            taken[year] = taken.get(year, 0) + sum
            free = left.get(year, 0) - promised.get(year, 0)
            if first is None and year in voted and taken[year] > free:
                first, failed = one, year
    every = sorted({*voted, *taken, *promised})
    years = [
        YearFit(year, year in voted, left.get(year, 0), promised.get(year, 0), taken.get(year, 0))
        for year in every
    ]
    return Fit(programme, currency, list(wanted), by_project, years, first, failed)


def remark(row: YearFit) -> Text:
    """What there is to say of a year: that it is short, or that nothing is voted for it yet."""
    if row.short:
        return words("不足", "short")
    return words(" ", " ") if row.voted else words("尚未安排", "nothing voted yet")


def listed(ranked: RankedList) -> list[UUID]:
    """The proposed ones of a ranking in their order; without a line all that have a place."""
    return [one.id for one in (ranked.above or ranked.ranked)]


_WANTED = """SELECT p.id, p.code, p.title, p.plan, p.office_path,
    coalesce(n.proposed_minor, p.requested_minor)
  FROM project p LEFT JOIN LATERAL (SELECT proposed_minor FROM notice n WHERE n.project_id = p.id
    AND n.state <> 'withdrawn' ORDER BY n.issued_on DESC, n.opens_on DESC LIMIT 1) n ON true
 WHERE p.id = ANY(%s) AND p.award_minor IS NULL"""


def wanted_of(session: Session, ids: Sequence[UUID]) -> list[Wanted]:
    """These projects in this order, with what is proposed or asked; those granted already are left out."""
    rows = {row[0]: row for row in session.conn.execute(_WANTED, (list(ids),)).fetchall()}
    found = [rows[id] for id in ids if id in rows]
    return [Wanted(id, code, title, sum, plan, office) for id, code, title, plan, office, sum in found]


__all__ = ["Fit", "Wanted", "YearFit", "fit", "listed", "remark", "wanted_of"]

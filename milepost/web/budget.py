"""The yearly budgets: what is in each, what two people change of it, and the papers of the year."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from milepost.queries import budget as reads
from milepost.queries.budget import Line
from milepost.queries.sight import Row
from milepost.web.offers import Offer, offers_for, roots
from milepost.web.render import page
from milepost.web.visitor import FundsReader, Visitor
from states.labels import step_label
from states.step import Step

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class BudgetsPage:
    """The appropriations with their buttons, the changes that wait, and those that were made."""

    lines: list[Line]
    offers: dict[UUID, list[Offer]]
    roots: list[Step]
    waiting: list[Row]
    past: list[Row]
    titles: dict[tuple[UUID, str], str]

    @property
    def years(self) -> list[int]:
        """The fiscal years there are, the latest first."""
        return sorted({line.fiscal_year for line in self.lines}, reverse=True)

    def title(self, programme_id: UUID, source: str) -> str:
        """What a source is called."""
        return self.titles.get((programme_id, source), source)


def titles_of(visitor: Visitor, lines: list[Line]) -> dict[tuple[UUID, str], str]:
    """What the sources of some appropriations are called."""
    asked = {(line.programme_id, line.source) for line in lines}
    return {key: reads.source_title(visitor.session, *key, visitor.locale) for key in asked}


@router.get("/appropriations")
def appropriations(visitor: FundsReader) -> Response:
    """The yearly budgets: what came in, is reserved, paid, left; and what waits for a second person."""
    lines = reads.lines(visitor.session, visitor.id)
    found = reads.changes(visitor.session, visitor.id)
    for row in found:
        row["label"] = step_label(f"budget_change.{row['kind']}")
    waiting = [row for row in found if row["state"] == "proposed"]
    offers = offers_for(visitor, "appropriation", [line.id for line in lines], visitor.roles)
    offers |= offers_for(visitor, "budget_change", [row["id"] for row in waiting], visitor.roles)
    past = [row for row in found if row["state"] != "proposed"]
    made = roots(visitor.roles, "appropriation")
    view = BudgetsPage(lines, offers, made, waiting, past, titles_of(visitor, lines))
    return page(visitor, "appropriations.html", view)

"""The yearly budgets: what is in each, what two people change of it, and the papers of the year."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from markupsafe import Markup
from pydantic import Field
from starlette.responses import Response

from milepost.queries import budget as reads
from milepost.queries.budget import Line, per_cent
from milepost.queries.sight import Row
from milepost.reports import budget_words as heads
from milepost.reports.budget_chart import execution_svg
from milepost.reports.budget_fit import Fit, fit, listed, remark, wanted_of
from milepost.reports.budget_year import CloseReport, Execution, Unbalanced, close_report, execution
from milepost.web.offers import Offer, offers_for, roots
from milepost.web.rankings import Asked, asked_of, listed_for
from milepost.web.render import page, programme_names
from milepost.web.visitor import FundsReader, Member, Visitor
from milepost.work.budget_sheets import close_sheet, execution_sheet
from states.step import Step

router = APIRouter(include_in_schema=False)


# What is done about a vote or a close that waits: where it waits, and not beside the budget itself.
SECOND: Mapping[str, tuple[str, ...]] = {
    "vote": ("appropriation.vote", "appropriation.reject", "appropriation.withdraw"),
    "close": ("appropriation.close", "appropriation.keep_open"),
}


@dataclass(frozen=True, slots=True)
class BudgetsPage:
    """The appropriations with their buttons, the changes that wait, and those that were made."""

    lines: list[Line]
    offers: dict[UUID, list[Offer]]
    roots: list[Step]
    waiting: list[Row]
    past: list[Row]
    titles: dict[tuple[UUID, str], str]
    proposed: list[Row]
    second: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: SECOND)

    @property
    def closing(self) -> set[UUID]:
        """The appropriations whose close waits for a second person."""
        return {row["id"] for row in self.proposed if row["what"] == "close"}

    @property
    def years(self) -> list[int]:
        """The fiscal years there are, the latest first."""
        return sorted({line.fiscal_year for line in self.lines}, reverse=True)

    def title(self, programme_id: UUID, source: str) -> str:
        """What a source is called."""
        return self.titles.get((programme_id, source), source)


def titles_of(visitor: Visitor, lines: Iterable[Line]) -> dict[tuple[UUID, str], str]:
    """What the sources of some appropriations are called."""
    asked = {(line.programme_id, line.source) for line in lines}
    return {key: reads.source_title(visitor.session, *key, visitor.locale) for key in asked}


@router.get("/appropriations")
def appropriations(visitor: FundsReader) -> Response:
    """The yearly budgets: what came in, is reserved, paid, left; and what waits for a second person."""
    lines = reads.lines(visitor.session, visitor.id)
    found = reads.changes(visitor.session, visitor.id)
    for row in found:
        row["label"] = heads.KINDS[row["kind"]]
    waiting = [row for row in found if row["state"] == "proposed"]
    proposed = reads.proposed(visitor.session, visitor.id)
    ids = [line.id for line in lines] + [row["id"] for row in proposed if row["what"] == "vote"]
    offers = offers_for(visitor, "appropriation", ids, visitor.roles)
    offers |= offers_for(visitor, "budget_change", [row["id"] for row in waiting], visitor.roles)
    past = [row for row in found if row["state"] != "proposed"]
    made = roots(visitor.roles, "appropriation")
    titles = titles_of(visitor, lines) | {
        key: reads.source_title(visitor.session, *key, visitor.locale)
        for key in {(row["programme_id"], row["source"]) for row in proposed}
    }
    view = BudgetsPage(lines, offers, made, waiting, past, titles, proposed)
    return page(visitor, "appropriations.html", view)


# The year told ------------------------------------------------------------------------------------------

Ending = Literal["xlsx", "csv"]
Year = Annotated[int, Field(ge=1, le=9999)]
_MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}


def _sheet(content: bytes, name: str, ending: Ending) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}.{ending}"'}
    return Response(content, media_type=_MEDIA[ending], headers=headers)


@dataclass(frozen=True, slots=True)
class ExecutionPage:
    """A year's execution with its chart; ``titles`` of the sources by programme version and code."""

    found: Execution
    chart: Markup
    titles: dict[tuple[UUID, str], str]
    heads: Any = heads
    per_cent: Any = per_cent

    def title(self, line: Line) -> str:
        """What the source of an appropriation is called."""
        return self.titles[line.programme_id, line.source]


def _execution(visitor: Visitor, year: int | None) -> Execution:
    return execution(visitor.session, visitor.id, year)


@router.get("/budget/execution")
def show_execution(visitor: FundsReader, year: Year | None = None) -> Response:
    """How far the year's budgets are spent, as a chart and as a table."""
    found = _execution(visitor, year)
    titles = titles_of(visitor, (line for group in found.groups for line in group.lines))
    # Drawn here from figures and escaped words; nothing in it comes from elsewhere as it is.
    name = programme_names(visitor)
    shown = [replace(group, programme_code=name(group.programme_code)) for group in found.groups]
    chart = Markup(execution_svg(shown, found.year, visitor.locale)) if shown else Markup()
    return page(visitor, "budget_execution.html", ExecutionPage(found, chart, titles))


@router.get("/budget/execution/sheet.{ending}")
def execution_as_sheet(visitor: FundsReader, ending: Ending, year: Year | None = None) -> Response:
    """The same as a spreadsheet."""
    found = _execution(visitor, year)
    content = execution_sheet(visitor.session, found, ending)
    return _sheet(content, f"budget-execution-{found.year}", ending)


@dataclass(frozen=True, slots=True)
class ClosePage:
    """The report of a year, or why there is none."""

    year: int
    found: CloseReport | None
    wrong: str
    titles: dict[tuple[UUID, str], str] = field(default_factory=dict)
    heads: Any = heads

    def title(self, line: Line) -> str:
        """What the source of an appropriation is called."""
        return self.titles[line.programme_id, line.source]

    def source(self, code: str) -> str:
        """What a source is called by the first programme that has it."""
        return next((title for (_, source), title in self.titles.items() if source == code), code)


@router.get("/budget/close-report/{year}")
def show_close_report(visitor: FundsReader, year: Year) -> Response:
    """The report with which a year closes; where it does not balance, what differs in its place."""
    try:
        found = close_report(visitor.session, visitor.id, year)
    except Unbalanced as wrong:
        told = wrong.zh if visitor.locale == "zh" else wrong.en
        return page(visitor, "budget_close.html", ClosePage(year, None, told), status=409)
    view = ClosePage(year, found, "", titles_of(visitor, found.lines))
    return page(visitor, "budget_close.html", view)


@router.get("/budget/close-report/{year}/sheet.{ending}")
def close_report_as_sheet(visitor: FundsReader, year: Year, ending: Ending) -> Response:
    """The same as a spreadsheet; there is none of a year that does not balance."""
    try:
        found = close_report(visitor.session, visitor.id, year)
    except Unbalanced:
        return show_close_report(visitor, year)
    return _sheet(close_sheet(visitor.session, found, ending), f"budget-{year}", ending)


# What if --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FitPage:
    """A ranking's proposed list set against the years."""

    asked: Asked
    title: Any
    found: Fit | None
    remark: Any = remark


@router.get("/rankings/{id}/{stage}/what-if")
def what_if(
    visitor: Member, id: UUID, stage: str, call: str = "", places: str = "", budget: str = ""
) -> Response:
    """Whether the proposed list fits into this year's money and the next years'."""
    asked = asked_of(visitor, id, stage, call, places, budget)
    ranking = listed_for(visitor, asked)
    wanted = wanted_of(visitor.session, listed(ranking))
    found = fit(visitor.session, ranking.programme, ranking.currency, wanted) if ranking.currency else None
    return page(visitor, "budget_fit.html", FitPage(asked, ranking.programme.title, found))

"""A review stage's list for officers and supervisors: figures, ranks, the line; steps for several, confirmed.

Who has a conflict of interest with one of the applications finds no list, and neither does anybody else. What
is done for several is shown first, row by row, and then taken step by step by whoever confirms it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from milepost.queries import rankings as reads
from milepost.queries.rankings import STAGES, Scope
from milepost.queries.sight import OBJECTORS, Row
from milepost.reports.ranking import Line, Listed, RankedList, ranked_list
from milepost.reports.ranking_words import FIGURES, PATTERNS_NOTE, percent, points
from milepost.web.render import page
from milepost.web.visitor import Member, Missing, Visitor
from milepost.work.ranking_sheet import ranking_sheet
from schema.money import Money, MoneyError
from states.labels import said
from states.roles import PERMISSIONS
from states.step import words

router = APIRouter(include_in_schema=False)
ROWS = 200
DEEDS: dict[str, Any] = {
    "conclude": words("汇总评分、确定结果并结束评审", "Count the scores, decide, conclude the review"),
    "notice": words("发布公示", "Publish the notice"),
    "decline": words("不予立项", "Decline"),
}
_STEP = {"conclude": "round.score", "notice": "notice.publish", "decline": "project.decline"}
WHOM: dict[str, Any] = {
    "ticked": words("勾选的", "the ticked ones"),
    "above": words("资助线以上的", "those above the line"),
    "below": words("有名次、在线以下的", "the ranked ones below the line"),
    "all": words("全部", "all of the list"),
}


def _reader(visitor: Visitor) -> None:
    """Officers and supervisors; which lists are theirs is for the query."""
    if not visitor.roles & OBJECTORS:
        raise Missing


@dataclass(frozen=True, slots=True)
class ListsPage:
    """The lists that somebody may look at."""

    rows: list[Row]


@router.get("/rankings")
def show_lists(visitor: Member) -> Response:
    """Every programme, call and stage that has applications under review."""
    _reader(visitor)
    return page(visitor, "rankings.html", ListsPage(reads.lists(visitor.session, visitor.id)))


# One list -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: the list, the line, the page of it."""

    scope: Scope
    line: Line
    places: str = ""
    budget: str = ""
    error: str = ""
    start: int = 0

    @property
    def path(self) -> str:
        """The list's address."""
        return f"/rankings/{self.scope.programme_id}/{self.scope.stage}"

    @property
    def query(self) -> dict[str, str]:
        """The address's parameters, without the page."""
        call = str(self.scope.call_id) if self.scope.call_id else ""
        return {"call": call, "places": self.places, "budget": self.budget}


@dataclass(frozen=True, slots=True)
class RankingPage:
    """One list, a page of it, and what the reader may do for several at once."""

    asked: Asked
    ranking: RankedList
    rows: list[Listed]
    deeds: dict[str, Any]
    said: str
    findings: list[str]
    whom: dict[str, Any] = field(default_factory=lambda: WHOM)
    figures: Any = field(default_factory=lambda: FIGURES)
    note: Any = PATTERNS_NOTE
    points: Any = points
    percent: Any = percent

    @property
    def total_minor(self) -> int:
        """What the ranked ones would take together."""
        return sum(one.amount_minor for one in self.ranking.ranked)

    @property
    def earlier(self) -> int | None:
        """Where the page before this one begins; None on the first."""
        return max(self.asked.start - ROWS, 0) if self.asked.start else None

    @property
    def later(self) -> int | None:
        """Where the next page begins; None on the last."""
        following = self.asked.start + ROWS
        return following if following < len(self.ranking.rows) else None


def _scope(id: UUID, stage: str, call: str) -> Scope:
    if stage not in STAGES:
        raise Missing
    try:
        return Scope(id, stage, UUID(call) if call else None)
    except ValueError:
        raise Missing from None


def asked_of(
    visitor: Visitor, id: UUID, stage: str, call: str = "", places: str = "", budget: str = "", start: int = 0
) -> Asked:
    """What is asked for; a line that cannot be read leaves the year's budget in its place, and says so."""
    _reader(visitor)
    scope = _scope(id, stage, call)
    places, budget, error, line = places.strip()[:20], budget.strip()[:40], "", Line()
    if places:
        if places.isascii() and places.isdigit() and int(places) < 10**6:
            line = Line(places=int(places))
        else:
            error = said(words("名额应为整数。", "Places are a whole number."), visitor.locale)
    elif budget:
        currency = _currency(visitor, scope)
        try:
            line = Line(budget_minor=Money.parse(budget, currency).minor)
        except MoneyError as wrong:
            error = said(words(wrong.zh, wrong.en), visitor.locale)
    return Asked(scope, line, places, budget, error, max(start, 0))


def _currency(visitor: Visitor, scope: Scope) -> str:
    found = reads.applications(visitor.session, visitor.id, scope)
    if not found:
        raise Missing
    return str(found[0]["currency"])


def listed_for(visitor: Visitor, asked: Asked) -> RankedList:
    found = ranked_list(visitor.session, visitor.id, asked.scope, asked.line)
    if found is None:
        raise Missing
    return found


def deeds_of(visitor: Visitor) -> dict[str, Any]:
    mine = set().union(*(PERMISSIONS.get(role, frozenset()) for role in visitor.roles))
    return {deed: text for deed, text in DEEDS.items() if _STEP[deed] in mine}


@router.get("/rankings/{id}/{stage}")
def show_list(
    visitor: Member, id: UUID, stage: str, call: str = "", places: str = "", budget: str = "", start: int = 0
) -> Response:
    """One list as it stands now."""
    asked = asked_of(visitor, id, stage, call, places, budget, start)
    found = listed_for(visitor, asked)
    rows = list(found.rows[asked.start : asked.start + ROWS])

    def amount(minor: int) -> str:
        return Money(minor, found.currency).format(visitor.locale)

    told = said(found.proposal.said(amount), visitor.locale) if found.proposal else ""
    findings = [said(finding.said(found.names), visitor.locale) for finding in found.findings]
    view = RankingPage(asked, found, rows, deeds_of(visitor), told, findings)
    return page(visitor, "ranking.html", view)


Ending = Literal["xlsx", "csv"]
_MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}


@router.get("/rankings/{id}/{stage}/sheet.{ending}")
def give_sheet(
    visitor: Member, id: UUID, stage: str, ending: Ending, call: str = "", places: str = "", budget: str = ""
) -> Response:
    """The list as a spreadsheet, without anybody's name."""
    asked = asked_of(visitor, id, stage, call, places, budget)
    content = ranking_sheet(listed_for(visitor, asked), ending)
    name = f"ranking-{stage}-{visitor.session.clock.today()}.{ending}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=_MEDIA[ending], headers=headers)

"""Figures over many projects: what waits and on whom, what is expected to leave each month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from config.programmes import Text
from milepost.queries.figures import offices_with_money, programmes_with_money
from milepost.queries.sight import Row
from milepost.reports.charts import Bar, bars
from milepost.web.render import page
from milepost.web.visitor import FundsReader, Visitor
from milepost.work.ageing import (
    AGEING_NOTE,
    BUCKET_LABELS,
    KIND_LABELS,
    Ageing,
    Total,
    Waiting,
    ageing,
    ageing_sheet,
    what_label,
)
from milepost.work.figure_sheets import MEDIA, Sheet, written
from schema.money import Money
from states.labels import said

router = APIRouter(include_in_schema=False)
Ending = Literal["xlsx", "csv"]
SHOWN = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the money is asked for; empty is all that the reader may see."""

    programme: str
    office: str
    programmes: list[str]
    offices: list[Row]

    @property
    def query(self) -> dict[str, str]:
        """The address's parameters."""
        return {"programme": self.programme, "office": self.office}


def asked_of(visitor: Visitor, programme: str, office: str) -> Asked:
    """What the address asks for, with what there is to choose."""
    return Asked(
        programme.strip()[:80],
        office.strip()[:200],
        programmes_with_money(visitor.session, visitor.id),
        offices_with_money(visitor.session, visitor.id),
    )


def given(sheet: Sheet, name: str, ending: Ending, visitor: Visitor) -> Response:
    """A sheet for saving."""
    file = f"{name}-{visitor.session.clock.today()}.{ending}"
    headers = {"content-disposition": f'attachment; filename="{file}"'}
    return Response(written(sheet, ending), media_type=MEDIA[ending], headers=headers)


@dataclass(frozen=True, slots=True)
class AgeingPage:
    """What waits: a chart and tables of it, and the longest waiting, one by one."""

    asked: Asked
    found: Ageing
    items: tuple[Waiting, ...]
    chart: Markup
    buckets: tuple[Text, ...]
    kinds: dict[str, Text]
    note: Text
    what: object

    @property
    def currencies(self) -> list[str]:
        """The currencies in which money waits."""
        return sorted(self.found.whole.sums)

    def sums(self, total: Total, bucket: int | None) -> list[tuple[int, str]]:
        """The money of a total in one bucket or in all, by currency; none that is nothing."""
        found = [(sum(s) if bucket is None else s[bucket], money) for money, s in sorted(total.sums.items())]
        return [(minor, money) for minor, money in found if minor]


@router.get("/ageing")
def show_ageing(visitor: FundsReader, programme: str = "", office: str = "") -> Response:
    """What waits, for how long and on whom."""
    asked = asked_of(visitor, programme, office)
    found = ageing(visitor.session, visitor.id, programme=asked.programme, office=asked.office)
    view = AgeingPage(
        asked,
        found,
        found.items[:SHOWN],
        Markup(_ageing_chart(found, visitor.locale)),
        BUCKET_LABELS,
        KIND_LABELS,
        AGEING_NOTE,
        what_label,
    )
    return page(visitor, "ageing.html", view)


def _ageing_chart(found: Ageing, locale: str) -> str:
    """A bar an age: how many wait, with their money. Everything in it is escaped where it is drawn."""
    rows = []
    for n, label in enumerate(BUCKET_LABELS):
        sums = [
            Money(sums[n], money).format(locale)
            for money, sums in sorted(found.whole.sums.items())
            if sums[n]
        ]
        count = found.whole.counts[n]
        rows.append(
            Bar(
                said(label, locale),
                count,
                " · ".join([f"{count} 件" if locale == "zh" else str(count), *sums]),
            )
        )
    title = "账龄：各时长的件数与金额" if locale == "zh" else "Ageing: how many wait for how long"
    told = "；".join(f"{row.label} {row.said}" for row in rows)
    return bars(title, told, rows, name="ageing")


@router.get("/ageing/sheet.{ending}")
def give_ageing(visitor: FundsReader, ending: Ending, programme: str = "", office: str = "") -> Response:
    """The same as a spreadsheet, every item."""
    asked = asked_of(visitor, programme, office)
    found = ageing(visitor.session, visitor.id, programme=asked.programme, office=asked.office)
    return given(ageing_sheet(found), "ageing", ending, visitor)


__all__ = ["router"]

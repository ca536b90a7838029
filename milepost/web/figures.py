"""Figures over many projects: what waits and on whom, what is expected to leave each month."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from config.programmes import Text
from milepost.queries.figures import offices_with_money, programmes_with_money
from milepost.queries.forecast import planned_tranches
from milepost.queries.sight import Row
from milepost.reports.charts import Bar, Range, bars, ranges
from milepost.reports.forecast import Basis, Forecast, Line, forecast
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
from milepost.work.forecast_sheet import KINDS, MONTH_0, NOTE, TOTALS_NOTE, basis_said, forecast_sheet
from schema.money import Money
from states.labels import said

router = APIRouter(include_in_schema=False)
Ending = Literal["xlsx", "csv"]
SHOWN = 300
PARTS = 40


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


# The forecast ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ForecastPage:
    """The months ahead: by currency a chart and a table, then programmes and offices, then the basis."""

    asked: Asked
    found: Forecast
    charts: dict[str, Markup]
    kinds: dict[str, Text]
    note: Text
    totals_note: Text
    rest: Text
    basis: Callable[[Basis], Text]

    @property
    def wholes(self) -> list[Line]:
        """The lines of everything, one a currency."""
        return [line for line in self.found.lines if line.kind == "all"]

    @property
    def parts(self) -> list[Line]:
        """The lines of programmes and offices, those first in which most is open; no more than a page."""
        found = [line for line in self.found.lines if line.kind != "all"]
        return sorted(found, key=lambda line: (line.kind != "programme", -line.open_minor))[:PARTS]


def _forecast(visitor: Visitor, asked: Asked) -> Forecast:
    plans = planned_tranches(visitor.session, visitor.id, programme=asked.programme, office=asked.office)
    return forecast(plans, visitor.session.clock.today())


@router.get("/forecast")
def show_forecast(visitor: FundsReader, programme: str = "", office: str = "") -> Response:
    """How much is expected to be paid each month."""
    asked = asked_of(visitor, programme, office)
    found = _forecast(visitor, asked)
    charts = {
        line.currency: Markup(_forecast_chart(found, line, visitor.locale))
        for line in found.lines
        if line.kind == "all"
    }
    view = ForecastPage(asked, found, charts, KINDS, NOTE, TOTALS_NOTE, MONTH_0, basis_said)
    return page(visitor, "forecast.html", view)


@router.get("/forecast/sheet.{ending}")
def give_forecast(visitor: FundsReader, ending: Ending, programme: str = "", office: str = "") -> Response:
    """The same as a spreadsheet."""
    found = _forecast(visitor, asked_of(visitor, programme, office))
    return given(forecast_sheet(found), "forecast", ending, visitor)


def _forecast_chart(found: Forecast, line: Line, locale: str) -> str:
    """A column a month. Everything in it is escaped where it is drawn."""

    def money(minor: int) -> str:
        return Money(minor, line.currency).format(locale)

    months = [
        Range(
            f"{month:%y-%m}",
            band.low,
            band.middle,
            band.high,
            f"{month:%Y-%m}: {money(band.low)} – {money(band.middle)} – {money(band.high)}",
        )
        for month, band in zip(found.months, line.bands, strict=True)
    ]
    most = max(band.high for band in line.bands)
    step = _round_step(most)
    ticks = [(n * step, Money(n * step, line.currency).format(locale)) for n in range(most // step + 1)]
    title = f"每月拨付预测（{line.currency}）" if locale == "zh" else f"Payments by month ({line.currency})"
    return ranges(title, "; ".join(m.said for m in months), months, ticks, name=f"forecast-{line.currency}")


def _round_step(most: int) -> int:
    """A step of 1, 2 or 5 and zeros that divides a sum into at most seven parts."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor * 7 >= most:
                return step * factor
        step *= 10


__all__ = ["router"]

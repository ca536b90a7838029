"""The forecast in words and as a spreadsheet: what it rests on, and a row a month and line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from config.programmes import Text
from milepost.reports.forecast import ENOUGH, Basis, Forecast, Line
from milepost.work.figure_sheets import Column, Sheet
from states.step import words

KINDS = {
    "all": words("合计", "All"),
    "programme": words("计划", "Programme"),
    "office": words("部门", "Office"),
}
LEGS = {
    "report": words("报告相对期限", "report against its day"),
    "report_undated": words("报告（无期限的）", "report, where no day was set"),
    "decide": words("评价", "decision"),
    "pay": words("拨付", "payment"),
}
NOTE = words(
    "按已立项、未付的各笔计划，以以往报告、评价、拨付实际所用天数推算；不含尚未立项的项目。"
    "十次中约八次应落在低值与高值之间。",
    "From what is planned and unpaid of funded projects, with the days that reports, decisions and payments "
    "really took so far; projects that are not approved yet are not in it. About eight times in ten the sum "
    "should lie between low and high.",
)
MONTH_0 = words("本月余下", "rest of this month")


def basis_said(basis: Basis) -> Text:
    """What one leg's figures rest on."""
    leg = LEGS[basis.leg]
    if basis.scope == "few":
        return words(
            f"{basis.programme}：{leg.zh}只有 {basis.finished} 个先例（少于 {ENOUGH}），范围已放宽。",
            f"{basis.programme}: {leg.en} has only {basis.finished} cases so far (fewer than {ENOUGH}); "
            "the range is wider for it.",
        )
    zh, en = {
        "programme": ("本计划", "of this programme"),
        "office": ("各计划同类", "of this kind in all programmes"),
        "all": ("各计划", "of all programmes"),
    }[basis.scope]
    return words(
        f"{basis.programme}：{leg.zh}依据{zh} {basis.finished} 个先例。",
        f"{basis.programme}: {leg.en} from {basis.finished} cases {en}.",
    )


def forecast_sheet(found: Forecast) -> Sheet:
    """A row a line and month; below those of all months, whose range is not the months' sum."""
    columns = (
        Column(words("范围", "Of")),
        Column(words("代码", "Code")),
        Column(words("币种", "Currency")),
        Column(words("月份", "Month"), "day"),
        Column(words("低（10%）", "Low (10 %)"), "money"),
        Column(words("中（50%）", "Middle (50 %)"), "money"),
        Column(words("高（90%）", "High (90 %)"), "money"),
        Column(words("若均按期", "If all came on its day"), "money"),
    )
    rows = [(line.currency, row) for line in found.lines for row in _rows(found, line)]
    totals = [
        (
            line.currency,
            ["合计（全部月份）· All months", "", line.currency, None, *_band(line)],
        )
        for line in found.lines
        if line.kind == "all"
    ]
    notes = [NOTE, TOTALS_NOTE, *(basis_said(basis) for basis in found.bases)]
    return Sheet("预测 Forecast", columns, rows, totals, notes)


TOTALS_NOTE = words(
    "全部月份的范围按各情形的总和排序得出，不等于各月范围相加。“若均按期”一列中，已经逾期的计入第一个月。",
    "The range of all months is that of the scenarios' totals; the months' ranges do not add up to it. What "
    "is late already counts in the first month of the column “if all came on its day”.",
)


def _rows(found: Forecast, line: Line) -> list[Sequence[Any]]:
    kind = KINDS[line.kind]
    return [
        [
            f"{kind.zh} · {kind.en}",
            line.key,
            line.currency,
            month,
            band.low,
            band.middle,
            band.high,
            band.planned_minor,
        ]
        for month, band in zip(found.months, line.bands, strict=True)
    ]


def _band(line: Line) -> list[int]:
    return [line.whole.low, line.whole.middle, line.whole.high, line.whole.planned_minor]


__all__ = ["KINDS", "LEGS", "MONTH_0", "NOTE", "TOTALS_NOTE", "basis_said", "forecast_sheet"]

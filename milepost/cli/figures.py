"""Figures over many projects: what waits and on whom, what is expected to leave each month."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from milepost.cli.app import app, command
from milepost.cli.terminal import Terminal

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from milepost.db import Session
    from milepost.reports.forecast import Band, Forecast, Planned
    from milepost.work.figure_sheets import Sheet

OfProgramme = Annotated[
    str, typer.Option("--programme", metavar="CODE", help="只看一个计划 · One programme only.")
]
OfOffice = Annotated[
    str, typer.Option("--office", metavar="PATH", help="只看一个部门及其下级 · One office and those below.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="写成 .xlsx 或 .csv · Write an .xlsx or .csv file."),
]


@command(app, "ageing", "什么在等、等谁、等了多久 · What waits, on whom, for how long.", acts=True)
def ageing(
    terminal: Terminal, programme: OfProgramme = "", office: OfOffice = "", output: Output = None
) -> None:
    from milepost.work.ageing import BUCKET_LABELS, KIND_LABELS, ageing_sheet, what_label
    from milepost.work.ageing import ageing as counted
    from schema.money import Money
    from states.labels import role_label

    with terminal.session() as session:
        reader = _reader(terminal, session) if terminal.login else None
        found = counted(session, reader, programme=programme, office=office)
    if output is not None:
        _write(terminal, ageing_sheet(found), output)
        return
    if terminal.as_json:
        terminal.answer({"ok": True, **found.as_json()})
        return
    heads = (("", ""), *((label.zh, label.en) for label in BUCKET_LABELS), ("合计", "all"))
    rows = [
        (terminal.text(KIND_LABELS[kind]), *total.counts, total.count)
        for kind, total in found.by_kind.items()
    ]
    for money, sums in sorted(found.whole.sums.items()):
        amounts = [Money(minor, money).format(terminal.locale) for minor in (*sums, sum(sums))]
        rows.append((terminal.say("金额", "amount"), *amounts))
    terminal.table(heads, rows, title=terminal.say("账龄", "Ageing"))
    whom = [
        (item.row["code"] or "", terminal.text(what_label(item)), item.days,
         item.name or terminal.say("、", ", ").join(terminal.text(role_label(r)) for r in item.roles))
        for item in found.items[:50]
    ]  # fmt: skip
    if whom:
        terminal.table((("项目", "project"), ("事项", "what"), ("天数", "days"), ("等谁", "on whom")), whom)


@command(
    app, "forecast", "今后各月预计拨付（10/50/90%） · What will be paid each month, in ranges.", acts=True
)
def forecast(
    terminal: Terminal,
    programme: OfProgramme = "",
    office: OfOffice = "",
    months: Annotated[int, typer.Option("--months", min=1, max=36, help="几个月 · How many months.")] = 12,
    output: Output = None,
    back_test: Annotated[
        bool,
        typer.Option("--back-test", help="以往的预测准不准 · How good it would have been in the last years."),
    ] = False,
) -> None:
    from milepost.queries.forecast import planned_tranches
    from milepost.reports.forecast import forecast as made
    from milepost.work.forecast_sheet import KINDS, basis_said, forecast_sheet
    from schema.money import Money

    with terminal.session() as session:
        reader = _reader(terminal, session) if terminal.login else None
        plans = planned_tranches(session, reader, programme=programme, office=office)
        today = session.clock.today()
    if back_test:
        _tell_tried(terminal, plans, today)
        return
    found = made(plans, today, months=months)
    if output is not None:
        _write(terminal, forecast_sheet(found), output)
        return
    if terminal.as_json:
        terminal.answer({"ok": True, **_forecast_json(found)})
        return
    heads = (
        ("月份", "month"),
        ("低 10%", "low 10 %"),
        ("中 50%", "middle"),
        ("高 90%", "high 90 %"),
        ("若按期", "on time"),
    )
    for line in found.lines:
        rows = [
            (
                f"{month:%Y-%m}",
                *(Money(minor, line.currency).format(terminal.locale) for minor in _figures(band)),
            )
            for month, band in zip(found.months, line.bands, strict=True)
        ]
        whole = [Money(minor, line.currency).format(terminal.locale) for minor in _figures(line.whole)]
        rows.append((terminal.say("全部", "all"), *whole))
        title = f"{terminal.text(KINDS[line.kind])} {line.key} {line.currency}"
        terminal.table(heads, rows, title=title)
    for basis in found.bases:
        terminal.print(terminal.text(basis_said(basis)))


def _figures(band: Band) -> tuple[int, int, int, int]:
    return band.low, band.middle, band.high, band.planned_minor


def _forecast_json(found: Forecast) -> dict[str, Any]:
    keys = ("low_minor", "middle_minor", "high_minor", "planned_minor")
    return {
        "day": found.day.isoformat(),
        "tranches": found.tranches,
        "lines": [
            {
                "kind": line.kind,
                "key": line.key,
                "currency": line.currency,
                "open_minor": line.open_minor,
                "months": [
                    {"month": f"{month:%Y-%m}", **dict(zip(keys, _figures(band), strict=True))}
                    for month, band in zip(found.months, line.bands, strict=True)
                ],
                "whole": dict(zip(keys, _figures(line.whole), strict=True)),
            }
            for line in found.lines
        ],
        "basis": [
            {"leg": b.leg, "programme": b.programme, "scope": b.scope, "finished": b.finished}
            for b in found.bases
        ],
    }


def _tell_tried(terminal: Terminal, plans: list[Planned], today: date) -> None:
    """Forecasts from the ends of past months, and how often the truth lay in the range."""
    from milepost.reports.forecast import back_test as tried_of
    from milepost.reports.forecast import month_ends

    first = min((plan.paid_on for plan in plans if plan.paid_on), default=today)
    tried = [one for one in tried_of(plans, month_ends(first, today), months=7) if one.ahead]
    told = [
        one
        for one in tried
        if not one.empty and (one.month.year, one.month.month) < (today.year, today.month)
    ]
    inside = sum(one.inside for one in told)
    below = sum(one.truth_minor < one.band.low for one in told)
    if terminal.as_json:
        terminal.answer({"ok": True, "months": len(told), "inside": inside, "below": below})
        return
    permille = inside * 1000 // len(told) if told else 0
    share = f"{permille // 10}.{permille % 10} %"
    terminal.line(
        f"{len(told)} 个曾预测的月份中，{inside} 个落在范围内（{share}；应约 80%），{below} 个低于，"
        f"{len(told) - inside - below} 个高于。",
        f"Of {len(told)} months that would have been forecast, {inside} lay in the range ({share}; about "
        f"80 % should), {below} below it and {len(told) - inside - below} above.",
    )


def _reader(terminal: Terminal, session: Session) -> UUID:
    """Who asks, if they may see the office's money at all; otherwise it reads as what is not there."""
    from milepost.queries.sight import FUNDS, roles_anywhere
    from states.refusals import Refused, refuse

    person = terminal.person(session)
    if not roles_anywhere(session, person.id) & FUNDS:
        raise Refused([refuse("not_found")])
    return person.id


def _write(terminal: Terminal, sheet: Sheet, output: Path) -> None:
    from milepost.cli.terminal import Usage
    from milepost.work.figure_sheets import ENDINGS, written

    ending = output.suffix.removeprefix(".").lower()
    if ending not in ENDINGS:
        raise Usage("file_kind", "文件名须以 .xlsx 或 .csv 结尾。", "The file's name ends in .xlsx or .csv.")
    output.write_bytes(written(sheet, ending))
    if terminal.as_json:
        terminal.answer({"ok": True, "file": str(output)})
    else:
        terminal.line(f"已写入 {output}。", f"Written to {output}.")


__all__ = ["ageing", "forecast"]

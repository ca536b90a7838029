"""The year's money at the terminal: execution, the report a year closes with, what a list would take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from milepost.cli.app import budget, command
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from milepost.db import Session
    from milepost.reports.budget_fit import Fit, Wanted

Year = Annotated[
    int | None, typer.Option("--year", min=1, max=9999, help="预算年度；默认今年 · Fiscal year; this one.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="写入 .xlsx 或 .csv 文件 · Write a .xlsx or .csv file."),
]


def _reader(terminal: Terminal, session: Session) -> UUID | None:
    """Nobody named: whoever has the machine sees everything. Somebody named: what their pages show."""
    if not terminal.login:
        return None
    from milepost.queries.sight import FUNDS, roles_anywhere

    by = terminal.person(session).id
    if not roles_anywhere(session, by) & FUNDS:
        raise Usage(
            "not_found", "没有这个对象，或您无权查看。", "There is no such thing, or you may not see it."
        )
    return by


def _write(terminal: Terminal, out: Path, content: bytes, rows: int) -> None:
    out.write_bytes(content)
    if terminal.as_json:
        terminal.answer({"ok": True, "file": str(out), "bytes": len(content), "rows": rows})
        return
    terminal.line(f"✓ 已写入 {out}", f"✓ {out}")


def _ending(out: Path) -> str:
    ending = out.suffix.lower().removeprefix(".")
    if ending not in ("xlsx", "csv"):
        raise Usage(
            "file_kind",
            f"“{out.name}”应以 .xlsx 或 .csv 结尾。",
            f"{out.name!r} should end in .xlsx or .csv.",
        )
    return ending


@command(budget, "list", "年度预算及执行 · The year's budgets and how far they are spent.", acts=True)
def list_(terminal: Terminal, year: Year = None, out: Out = None) -> None:
    from dataclasses import asdict

    from milepost.queries.budget import per_cent, source_title
    from milepost.reports import budget_words as heads
    from milepost.reports.budget_year import execution
    from milepost.work.budget_sheets import execution_sheet
    from schema.money import Money

    with terminal.session() as session:
        found = execution(session, _reader(terminal, session), year)
        if out is not None:
            content = execution_sheet(session, found, _ending(out))
            return _write(terminal, out, content, sum(len(group.lines) for group in found.groups))
        named = {
            line.id: source_title(session, line.programme_id, line.source, terminal.locale)
            for group in found.groups
            for line in group.lines
        }
    if terminal.as_json:
        groups = [
            {
                "programme": group.programme_code,
                "currency": group.currency,
                "committed_minor": group.committed,
                "free_minor": group.free,
                "executed_milli": group.executed_milli,
                "appropriations": [asdict(line) for line in group.lines],
            }
            for group in found.groups
        ]
        return terminal.answer({"ok": True, "year": found.year, "programmes": groups})
    shown = ("received", *heads.BECAME)
    titles = (
        heads.PROGRAMME,
        heads.SOURCE,
        heads.ORIGIN,
        heads.BUDGET,
        *heads.BECAME.values(),
        heads.EXECUTED,
    )
    rows: list[tuple[Any, ...]] = []
    for group in found.groups:

        def said(minor: int, currency: str = group.currency) -> str:
            return Money(minor, currency).format(terminal.locale)

        rows += [
            (
                line.programme_code,
                named[line.id],
                line.origin_year,
                *(said(getattr(line, name)) for name in shown),
                per_cent(line.executed_milli),
            )
            for line in group.lines
        ]
        rows.append(
            (
                terminal.text(heads.TOTAL),
                f"{terminal.text(heads.COMMITTED)} {said(group.committed)}",
                f"{terminal.text(heads.FREE)} {said(group.free)}",
                *(said(group.sum(name)) for name in shown),
                per_cent(group.executed_milli),
            )
        )
    terminal.table([(text.zh, text.en) for text in titles], rows, title=str(found.year))
    return None


@command(
    budget, "close-report", "年度决算报告，须平衡 · A year's report; it balances or it fails.", acts=True
)
def close_report_(
    terminal: Terminal,
    year: Annotated[int, typer.Argument(metavar="YEAR", help="预算年度 · The fiscal year.")],
    programme: Annotated[str, typer.Option("--programme", help="只看一个计划 · One programme.")] = "",
    out: Out = None,
) -> int:
    from dataclasses import asdict

    from milepost.reports import budget_words as heads
    from milepost.reports.budget_year import Unbalanced, close_report
    from milepost.work.budget_sheets import close_sheet
    from schema.money import Money

    with terminal.session() as session:
        try:
            found = close_report(session, _reader(terminal, session), year, programme or None)
        except Unbalanced as wrong:
            if terminal.as_json:
                terminal.answer({"ok": False, "error": wrong.code, "zh": wrong.zh, "en": wrong.en})
            else:
                terminal.line(f"✗ {wrong.zh}", f"✗ {wrong.en}")
            return REFUSED
        if out is not None:
            _write(terminal, out, close_sheet(session, found, _ending(out)), len(found.lines))
            return OK
    if terminal.as_json:
        totals = [asdict(total) for total in (*found.by_source, *found.totals)]
        lines = [asdict(line) for line in found.lines]
        terminal.answer({"ok": True, "year": year, "closed": found.closed, "lines": lines, "totals": totals})
        return OK
    figures = {**heads.CAME, **heads.BECAME}
    for total in (*found.by_source, *found.totals):
        rows = [
            (terminal.text(text), Money(total.sums[name], total.currency).format(terminal.locale))
            for name, text in figures.items()
        ]
        title = f"{year} · {total.source or terminal.text(heads.TOTAL)} · {total.currency}"
        terminal.table((("项目", "item"), ("金额", "amount")), rows, title=title)
        sides = [
            Money(sum, total.currency).format(terminal.locale) for sum in (total.received, total.accounted)
        ]
        terminal.line(f"✓ 平衡：{sides[0]} = {sides[1]}", f"✓ balances: {sides[0]} = {sides[1]}")
    if not found.lines:
        terminal.line(f"{year} 年度没有预算。", f"There is no budget for {year}.")
    elif not found.closed:
        terminal.note("该年度尚未全部关闭：为截至目前的数字。", "Not all of it is closed: figures so far.")
    return OK


@command(
    budget,
    "what-if",
    "试算：批准这些项目，预算够不够 · Says whether these would fit into the budget.",
    acts=True,
)
def what_if(
    terminal: Terminal,
    programme: Annotated[str, typer.Argument(metavar="PROGRAMME", help="计划代码 · The programme's code.")],
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CODE…]", help="项目编号；不写则用评审排名 · Projects; else the ranking."),
    ] = None,
    stage: Annotated[str, typer.Option("--stage", help="评审环节 · The review stage.")] = "",
    call: Annotated[str, typer.Option("--call", help="申报指南名称 · The call's title.")] = "",
    places: Annotated[int | None, typer.Option("--places", min=0, help="按名额 · By places.")] = None,
) -> int:
    from dataclasses import asdict

    from milepost.cli.review import _list, _scope
    from milepost.cli.subjects import find, programme_named
    from milepost.programmes import load_published
    from milepost.queries.sight import find_subjects
    from milepost.reports.budget_fit import fit, listed, wanted_of
    from milepost.reports.ranking import Line

    with terminal.session() as session:
        by = terminal.person(session).id
        wanted: list[Wanted]
        if codes:
            ids = [find(session, code).id for code in codes]
            seen = find_subjects(session, by, "project", ids)
            wanted = wanted_of(session, [id for id in ids if id in seen])
            compiled = load_published(session.conn, programme_named(session, programme))
            assert compiled is not None
            currencies = {str(seen[one.id].row["currency"]) for one in wanted}
        else:
            ranked = _list(
                session, by, _scope(session, by, programme, stage, call, None), Line(places=places)
            )
            compiled, currencies = ranked.compiled, {ranked.currency}
            wanted = wanted_of(session, listed(ranked))
        if len(currencies) != 1 or not wanted:
            raise Usage(
                "nothing_to_fit",
                "没有可试算的项目：须同一币种、尚未立项。",
                "There is nothing to fit: projects of one currency that are not granted yet.",
            )
        found = fit(session, compiled.programme, currencies.pop(), wanted)
    if terminal.as_json:
        years = [{**asdict(row), "after": row.after, "short": row.short} for row in found.years]
        terminal.answer(
            {
                "ok": found.fits,
                "total_minor": found.total_minor,
                "currency": found.currency,
                "years": years,
                "first_unfit": found.first_unfit.code if found.first_unfit else None,
                "unfit_year": found.unfit_year,
                "projects": [one.code for one in found.wanted],
            }
        )
        return OK if found.fits else REFUSED
    _tell(terminal, found)
    return OK if found.fits else REFUSED


def _tell(terminal: Terminal, found: Fit) -> None:
    from schema.money import Money

    def said(minor: int) -> str:
        return Money(minor, found.currency).format(terminal.locale)

    heads = (
        ("年度", "year"),
        ("剩余", "left"),
        ("已立项待申请", "committed"),
        ("本名单", "this list"),
        ("之后", "after"),
        ("", ""),
    )
    rows = [
        (
            row.year,
            said(row.left) if row.voted else "—",
            said(row.committed),
            said(row.wanted),
            said(row.after) if row.voted else "—",
            terminal.say("不足", "short")
            if row.short
            else ""
            if row.voted
            else terminal.say("未安排", "no vote yet"),
        )
        for row in found.years
    ]
    terminal.table(heads, rows)
    total, first = said(found.total_minor), found.first_unfit
    if first is None:
        terminal.line(
            f"✓ {len(found.wanted)} 项共 {total}，均可安排。", f"✓ {len(found.wanted)} for {total}: they fit."
        )
    else:
        terminal.line(
            f"✗ 自 {first.code} 起，{found.unfit_year} 年安排不下。",
            f"✗ From {first.code} on, {found.unfit_year} no longer has the money.",
        )


__all__ = ["close_report_", "list_", "what_if"]

"""The year's budget as spreadsheets: sums as numbers that can be added up, heads in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from config.programmes import Text
from milepost.db import Session
from milepost.importing.sheets import Written, write_sheet
from milepost.queries.budget import Line, per_cent, sources_of
from milepost.reports import budget_words as heads
from milepost.reports.budget_year import CloseReport, Execution, Total
from schema.money import Money
from states.labels import state_label


def _both(text: Text) -> str:
    return f"{text.zh} · {text.en}"


def _major(minor: int, currency: str) -> Decimal:
    return Money(minor, currency).major


def _source(session: Session, line: Line) -> str:
    found = next((s.title for s in sources_of(session, line.programme_id) if s.code == line.source), None)
    return f"{_both(found)} ({line.source})" if found else line.source


_WHERE = (heads.PROGRAMME, heads.YEAR, heads.SOURCE, heads.ORIGIN, heads.OFFICE, heads.CURRENCY, heads.STATE)


def _where(session: Session, line: Line) -> list[Written]:
    return [
        line.programme_code,
        str(line.fiscal_year),
        _source(session, line),
        str(line.origin_year),
        line.office_path,
        line.currency,
        _both(state_label("appropriation", line.state)),
    ]


def close_sheet(session: Session, found: CloseReport, ending: str) -> bytes:
    """The close report: each appropriation, then the totals by source and currency, then by currency."""
    figures = {**heads.CAME, **heads.BECAME}
    head = [_both(text) for text in (*_WHERE, *figures.values(), heads.RETURNED)]
    return write_sheet(
        ending, f"决算 Close {found.year}", head, [*_lines(session, found), *_totals(found)], _notes()
    )


def _lines(session: Session, found: CloseReport) -> Iterator[list[Written]]:
    for line in found.lines:
        sums = [_major(sum, line.currency) for sum in heads.amounts(line).values()]
        yield [*_where(session, line), *sums, _major(line.returned, line.currency)]


def _totals(found: CloseReport) -> Iterator[list[Written]]:
    for total in (*found.by_source, *found.totals):
        yield _total(found.year, total)


def _total(year: int, total: Total) -> list[Written]:
    where: list[Written] = [_both(heads.TOTAL), str(year), total.source or "", "", "", total.currency, ""]
    return [*where, *(_major(sum, total.currency) for sum in total.sums.values()), ""]


def _notes() -> tuple[str, list[list[str]]]:
    came = " ".join(
        f"{'−' if name in heads.TAKEN_OFF else '+'} {text.zh} {text.en}" for name, text in heads.CAME.items()
    )
    became = " + ".join(f"{text.zh} {text.en}" for text in heads.BECAME.values())
    rule = [["平衡关系 What balances", f"{came.removeprefix('+ ')} = {became}"]]
    return "说明 Notes", [["说明 Note", ""], *rule, [_both(heads.RETURNED), "已付中退回的部分，已不在已付中"]]


def execution_sheet(session: Session, found: Execution, ending: str) -> bytes:
    """The execution: each appropriation, then what each programme has committed and free in the year."""
    figures = (heads.BUDGET, *heads.BECAME.values(), heads.RETURNED, heads.EXECUTED)
    head = [_both(text) for text in (*_WHERE, *figures, heads.COMMITTED, heads.FREE)]
    rows: list[list[Written]] = []
    for group in found.groups:
        for line in group.lines:
            sums = [line.received, *(getattr(line, name) for name in heads.BECAME), line.returned]
            rows.append(
                [
                    *_where(session, line),
                    *(_major(sum, line.currency) for sum in sums),
                    per_cent(line.executed_milli),
                    "",
                    "",
                ]
            )
        sums = [group.sum(name) for name in ("received", *heads.BECAME, "returned")]
        where: list[Written] = [group.programme_code, str(group.fiscal_year), _both(heads.TOTAL), "", ""]
        rows.append(
            [
                *where,
                group.currency,
                "",
                *(_major(sum, group.currency) for sum in sums),
                per_cent(group.executed_milli),
                _major(group.committed, group.currency),
                _major(group.free, group.currency),
            ]
        )
    return write_sheet(ending, f"执行 Execution {found.year}", head, rows)


__all__ = ["close_sheet", "execution_sheet"]

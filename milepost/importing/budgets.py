"""Reads ``grant_budgets.csv``: applications, one row a milestone; what does not add up is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from milepost.importing.cells import CellError, name_in, sum_in, whole_in
from milepost.importing.durations import Duration, read_duration
from milepost.importing.tables import Finding, Row, Table, read_table
from schema.money import Explained, Money

FILE = "grant_budgets.csv"
COLUMNS = (
    "project",
    "total",
    "currency",
    "duration",
    "milestone",
    "amount",
    "amount_currency",
    "milestone_duration",
    "deliverables",
)


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One milestone as it was applied for."""

    row: int
    project: str
    total: Money
    milestone: int
    amount: Money
    duration: Duration | None
    deliverables: int


@dataclass(frozen=True, slots=True)
class Application:
    """An application that adds up: its milestones' sums make the total, in one currency."""

    project: str
    total: Money
    rows: tuple[BudgetRow, ...]


def read_budgets(folder: Path) -> tuple[list[Application], Table]:
    """Every application that adds up, in the file's order, and the file with its refusals and remarks."""
    table = read_table(folder / FILE, COLUMNS)
    groups: dict[str, list[BudgetRow | Finding]] = {}
    for finding in table.refused:
        if finding.project:
            groups.setdefault(finding.project, []).append(finding)
    for row in table.rows:
        groups.setdefault(row["project"], []).append(_read(row))
    applications: list[Application] = []
    table.refused = [finding for finding in table.refused if not finding.project]
    for project, rows in groups.items():
        wrong = _objections(rows)
        if wrong:
            table.refused.extend(wrong)
        else:
            good = tuple(row for row in rows if isinstance(row, BudgetRow))
            applications.append(Application(project, good[0].total, good))
            table.remarks.extend(_remarks(good))
    table.refused.sort(key=lambda finding: finding.row)
    return applications, table


def _read(row: Row) -> BudgetRow | Finding:
    try:
        currency, own = row["currency"], row["amount_currency"]
        return BudgetRow(
            row=row.number,
            project=name_in(row["project"]),
            total=sum_in(row["total"], currency, "total"),
            milestone=whole_in(row["milestone"], "milestone", 999),
            amount=sum_in(row["amount"], own, "amount"),
            duration=read_duration(row["milestone_duration"]),
            deliverables=whole_in(row["deliverables"], "deliverables"),
        )
    except Explained as wrong:
        return Finding(FILE, row.number, row["project"], wrong.code, wrong.zh, wrong.en)


def _objections(rows: list[BudgetRow | Finding]) -> list[Finding]:
    """Nothing, or a refusal for each of the application's rows: it stands or falls as one."""
    found = {row.row: row for row in rows if isinstance(row, Finding)}
    good = [row for row in rows if isinstance(row, BudgetRow)]
    if found:
        numbers = ", ".join(str(number) for number in sorted(found))
        rest = CellError(
            "application_incomplete",
            f"同一申报的第 {numbers} 行未被接受，整份申报不能导入。请更正那些行。",
            f"Of the same application, row {numbers} was refused, so the whole of it is. Correct that first.",
        )
        return [*found.values(), *(_refused(row, rest) for row in good)]
    whole = _does_not_add_up(good)
    return [_refused(row, whole) for row in good] if whole else []


def _refused(row: BudgetRow, why: Explained) -> Finding:
    return Finding(FILE, row.row, row.project, why.code, why.zh, why.en)


def _does_not_add_up(rows: list[BudgetRow]) -> Explained | None:
    """Why the application cannot be taken: the reader's words, or None."""
    total, numbers = rows[0].total, [row.milestone for row in rows]
    if any(row.total != total for row in rows):
        return CellError(
            "total_differs",
            "同一申报各行的总额或币种不同。请使各行一致。",
            "The rows of one application give different totals. Make them agree.",
        )
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        listed = ", ".join(map(str, twice))
        return CellError(
            "milestone_repeated",
            f"里程碑 {listed} 出现多次。每个里程碑只能有一行。",
            f"Milestone {listed} appears more than once. Give each milestone one row.",
        )
    others = sorted({row.amount.currency for row in rows} - {total.currency})
    if others:
        return CellError(
            "currency_differs",
            f"总额为 {total.format('zh')}，里程碑却用 {', '.join(others)}。请用同一币种申报。",
            f"The total is {total}, the milestones are in {', '.join(others)}. Apply in one currency.",
        )
    made = Money.total((row.amount for row in rows), total.currency)
    if made != total:
        return CellError(
            "plan_does_not_add_up",
            f"里程碑合计 {made.format('zh')}，总额为 {total.format('zh')}。请修改，使两者相等。",
            f"The milestones add up to {made}, the total is {total}. Change one until they agree.",
        )
    return None


def _remarks(rows: tuple[BudgetRow, ...]) -> list[Finding]:
    return [
        Finding(
            FILE,
            row.row,
            row.project,
            "duration_unreadable",
            "里程碑期限无法读取；此里程碑没有到期日。",
            "The milestone's duration cannot be read; the milestone has no due day.",
        )
        for row in rows
        if row.duration is None
    ]

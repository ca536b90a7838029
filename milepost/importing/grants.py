"""Makes grants of the two files: applications that add up, deliveries, and sums that had to be assumed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from milepost.importing.budgets import Application, BudgetRow, read_budgets
from milepost.importing.deliveries import FILE as DELIVERIES
from milepost.importing.deliveries import Delivery, read_deliveries
from milepost.importing.durations import NOTHING, Duration
from milepost.importing.tables import FileRefused, Finding, Table
from schema.money import Money

ASSUMED = Money(1_000_000, "USD")
"""What a milestone is worth where no file says so: 10,000.00 USD, and marked as assumed."""


@dataclass(frozen=True, slots=True)
class Undertaking:
    """One milestone of a grant: its sum, whether it is assumed, how long after the agreement it is due."""

    number: int
    amount: Money
    assumed: bool
    due_after: Duration | None
    delivery: Delivery | None


@dataclass(frozen=True, slots=True)
class Grant:
    """One project to be made: ``name`` as in the files; ``code`` differs only for a second currency."""

    name: str
    code: str
    milestones: tuple[Undertaking, ...]

    @property
    def currency(self) -> str:
        """The one currency of all its milestones."""
        return self.milestones[0].amount.currency

    @property
    def total(self) -> Money:
        """What its milestones make together."""
        return Money.total((m.amount for m in self.milestones), self.currency)

    @property
    def deliveries(self) -> list[Delivery]:
        """What was delivered, oldest first."""
        found = [m.delivery for m in self.milestones if m.delivery is not None]
        return sorted(found, key=lambda d: (d.delivered_on, d.milestone))

    @property
    def slug(self) -> str:
        """The name as a short word of small letters, digits and hyphens that no other grant has."""
        slug = re.sub(r"[^a-z0-9-]+", "-", self.name.lower()).strip("-")[:45] or "grant"
        if slug == self.name:
            return slug
        return f"{slug}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    @property
    def office(self) -> str:
        """The grantee's own office below the programme's, so that nobody else's project is theirs."""
        return f"/grants/{self.slug}/"


@dataclass(slots=True)
class Imported:
    """What a folder holds: grants in order of name, the rows refused, and what was noticed."""

    grants: list[Grant]
    refused: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)

    def last_day(self) -> date | None:
        """The last day on which something is on record, if anything is."""
        days = [
            day for g in self.grants for d in g.deliveries for day in (d.delivered_on, d.decided_on) if day
        ]
        return max(days, default=None)

    def first_day(self) -> date | None:
        """The first day on which something is on record, if anything is."""
        return min((d.delivered_on for g in self.grants for d in g.deliveries), default=None)


class FolderRefused(Exception):
    """The folder cannot be imported at all: every file that is in the way, with its reason."""

    def __init__(self, files: Iterable[FileRefused]) -> None:
        self.files = list(files)
        super().__init__("\n".join(str(file) for file in self.files))


def read_grants(folder: Path) -> Imported:
    """The grants of a folder with the two files, or ``FolderRefused``."""
    wrong: list[FileRefused] = []
    tables: list[Table] = []
    applications: list[Application] = []
    deliveries: list[Delivery] = []
    try:
        applications, table = read_budgets(folder)
        tables.append(table)
    except FileRefused as refused:
        wrong.append(refused)
    try:
        deliveries, table = read_deliveries(folder)
        tables.append(table)
    except FileRefused as refused:
        wrong.append(refused)
    if wrong:
        raise FolderRefused(wrong)
    imported = Imported(
        [],
        [finding for table in tables for finding in table.refused],
        [finding for table in tables for finding in table.remarks],
    )
    _join(imported, applications, deliveries)
    return imported


def _join(imported: Imported, applications: list[Application], deliveries: list[Delivery]) -> None:
    budgets = {application.project: application for application in applications}
    handed_in: dict[str, dict[int, Delivery]] = {}
    for delivery in deliveries:
        handed_in.setdefault(delivery.project, {})[delivery.milestone] = delivery
    names = sorted({*budgets, *handed_in})
    codes = set(names)
    for name in names:
        budget, delivered = budgets.get(name), handed_in.get(name, {})
        rows = {row.milestone: row for row in budget.rows} if budget else {}
        planned = _undertakings(rows, delivered)
        for currency in dict.fromkeys(m.amount.currency for m in planned):
            own = tuple(m for m in planned if m.amount.currency == currency)
            code = name if currency == planned[0].amount.currency else _free(f"{name}.assumed", codes)
            if code != name:
                codes.add(code)
                imported.remarks.append(_second_project(name, code, own))
            imported.grants.append(Grant(name, code, own))


def _undertakings(rows: dict[int, BudgetRow], delivered: dict[int, Delivery]) -> list[Undertaking]:
    """The milestones in order; a due day counts the durations of those before it as well."""
    found: list[Undertaking] = []
    so_far: Duration | None = NOTHING
    for number in sorted({*rows, *delivered}):
        row = rows.get(number)
        duration = row.duration if row else None
        so_far = so_far + duration if so_far is not None and duration is not None else None
        found.append(
            Undertaking(number, row.amount if row else ASSUMED, row is None, so_far, delivered.get(number))
        )
    # What was applied for comes first, so that the application's currency is the grant's.
    return sorted(found, key=lambda m: (m.assumed and bool(rows), m.number))


def _free(code: str, codes: set[str]) -> str:
    while code in codes:
        code += "-2"
    return code


def _second_project(name: str, code: str, milestones: tuple[Undertaking, ...]) -> Finding:
    row = min(m.delivery.row for m in milestones if m.delivery is not None)
    numbers = ", ".join(str(m.number) for m in milestones)
    return Finding(
        DELIVERIES,
        row,
        name,
        "milestone_not_in_budget",
        f"里程碑 {numbers} 不在申报预算内，金额按美元假定，以项目 {code} 另行拨付。",
        f"Milestone {numbers} is not in the budget; its sum is assumed in USD and paid as {code}.",
    )

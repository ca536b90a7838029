"""A year's budget told twice: its execution so far, and the report that it closes with, which balances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from milepost.db import Session
from milepost.queries.budget import Line, lines, offices_of
from milepost.queries.commitments import Asked, committed
from milepost.reports.budget_words import BECAME, CAME, amounts
from schema.money import Explained, Money


class Unbalanced(Explained):
    """The books of a year do not add up: there is no report, but what differs and by how much."""


@dataclass(frozen=True, slots=True)
class Total:
    """The sums of some appropriations of one currency, by the names of ``budget_words``."""

    source: str | None
    currency: str
    sums: dict[str, int]

    @property
    def received(self) -> int:
        """All that there was to spend."""
        return sum(self.sums[n] for n in CAME) - 2 * (self.sums["decreased"] + self.sums["moved_out"])

    @property
    def accounted(self) -> int:
        """What became of it."""
        return sum(self.sums[name] for name in BECAME)


def _total(source: str | None, currency: str, of: Iterable[Line]) -> Total:
    sums = dict.fromkeys((*CAME, *BECAME), 0)
    for line in of:
        for name, sum in amounts(line).items():
            sums[name] += sum
    return Total(source, currency, sums)


@dataclass(frozen=True, slots=True)
class CloseReport:
    """A year: each appropriation, the totals by source and currency, and those by currency.

    ``closed`` says whether every appropriation of it is; before that it is a report so far.
    """

    year: int
    lines: list[Line]
    by_source: list[Total]
    totals: list[Total]

    @property
    def closed(self) -> bool:
        """Whether nothing more is drawn on it."""
        return all(line.state == "closed" for line in self.lines)


def close_report(
    session: Session, actor_id: UUID | None, year: int, programme: str | None = None
) -> CloseReport:
    """The report of a year, narrowed to the reader, from one reading of the ledger. Unbalanced: refused."""
    found = lines(session, actor_id, year=year, programme=programme)
    check(found)
    sources = sorted({(line.currency, line.source) for line in found})
    by_source = [
        _total(s, c, (line for line in found if (line.currency, line.source) == (c, s))) for c, s in sources
    ]
    currencies = sorted({line.currency for line in found})
    totals = [_total(None, c, (line for line in found if line.currency == c)) for c in currencies]
    wrong = [t for t in (*by_source, *totals) if t.received != t.accounted]
    assert not wrong, "totals of what balances balance"
    return CloseReport(year, found, by_source, totals)


def check(found: Iterable[Line]) -> None:
    """Raise ``Unbalanced``, naming each appropriation whose two sides differ."""
    wrong = [line for line in found if line.difference]
    if not wrong:
        return
    zh, en = ([_difference(line, locale) for line in wrong] for locale in ("zh", "en"))
    raise Unbalanced(
        "budget_unbalanced",
        "年度预算不平，不出报告：" + "；".join(zh) + "。请运行 milepost verify 查明原因。",
        "The budget does not balance, so there is no report: " + "; ".join(en) + ". Run milepost verify.",
    )


def _difference(line: Line, locale: str) -> str:
    sums = (Money(sum, line.currency).format(locale) for sum in (line.received, line.accounted))
    return f"{line.programme_code} {line.fiscal_year} {line.source}: " + " ≠ ".join(sums)


# Execution ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """A programme's year in one currency: its appropriations, and what falls into it and is not requested."""

    programme_code: str
    fiscal_year: int
    currency: str
    lines: list[Line]
    committed: int

    def sum(self, name: str) -> int:
        """The sum of a figure over the appropriations."""
        return sum(getattr(line, name) for line in self.lines)

    @property
    def free(self) -> int:
        """What of the rest nobody was promised; below zero: too much was."""
        return self.sum("left") - self.committed

    @property
    def executed_milli(self) -> int | None:
        """What is paid of all there was, in thousandths."""
        received = self.sum("received")
        return self.sum("paid") * 1000 // received if received else None


@dataclass(frozen=True, slots=True)
class Execution:
    """A year's execution, programme by programme, and what is committed for the years after it."""

    year: int
    years: list[int]
    groups: list[Group]
    later: dict[tuple[str, str], dict[int, int]]


def execution(session: Session, actor_id: UUID | None, year: int | None = None) -> Execution:
    """How far a year's budgets are spent: this year's unless told, narrowed to the reader."""
    every = lines(session, actor_id)
    today = session.clock.today()
    years = sorted({line.fiscal_year for line in every}, reverse=True)
    chosen = year or (today.year if today.year in years or not years else years[0])
    found = [line for line in every if line.fiscal_year == chosen]
    keys = sorted({(line.programme_code, line.currency) for line in found})
    offices = offices_of(session, actor_id)
    promised = {key: _promised(session, key, offices) for key in keys}
    groups = [
        Group(
            code,
            chosen,
            currency,
            [line for line in found if (line.programme_code, line.currency) == (code, currency)],
            promised[code, currency].get(chosen, 0),
        )
        for code, currency in keys
    ]
    later = {key: {y: sum for y, sum in of.items() if y > chosen} for key, of in promised.items()}
    return Execution(chosen, years, groups, {key: of for key, of in later.items() if of})


def _promised(session: Session, key: tuple[str, str], offices: list[str]) -> dict[int, int]:
    found: dict[int, int] = {}
    for office in offices:
        asked = Asked(*key, session.clock.today(), office=office)
        for year, sum in committed(session.conn, asked).items():
            found[year] = found.get(year, 0) + sum
    return found


__all__ = ["CloseReport", "Execution", "Group", "Total", "Unbalanced", "check", "close_report", "execution"]

"""A year told: its report balances or is refused, its execution adds up, a list is set against the years."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import pytest

from milepost.db import Session
from milepost.queries.budget import lines
from milepost.queries.commitments import Asked, committed
from milepost.reports.budget_chart import execution_svg, parts_of
from milepost.reports.budget_fit import fit, wanted_of
from milepost.reports.budget_year import Unbalanced, check, close_report, execution
from milepost.work.budget_sheets import close_sheet, execution_sheet
from tests.invariants.conftest import Found
from tests.invariants.town import Town, programme_text
from tests.invariants.town_budget import changed
from tests.milepost.test_budget import SOURCES, vote

CODE = "city-milestone-subsidy"


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    """2025: 400,000 paid, 600,000 held, 1,000,000 promised; a sum was moved, another taken back."""
    town = found(programme=programme_text() + SOURCES)
    city, region = vote(town, "city", 2_000_000), vote(town, "region", 300_000)
    vote(town, "city", 100_000, year=2026)
    changed(town, "move", city, amount_minor=100_000, to_id=str(region))
    changed(town, "decrease", region, amount_minor=50_000)
    project = town.funded()
    town.payment("settled", project=project)
    town.payment("requested", project=project, tranche=1)
    town.funded()
    return town


def session_of(town: Town) -> Session:
    return town.session


def test_a_report_adds_up_by_source_and_in_all(town: Town) -> None:
    found = close_report(town.session, None, 2025)
    assert not found.closed
    city, region = found.by_source
    assert (city.source, city.received, city.accounted) == ("city", 1_900_000, 1_900_000)
    assert (city.sums["paid"], city.sums["held"], city.sums["left"]) == (400_000, 600_000, 900_000)
    assert (region.sums["moved_in"], region.sums["decreased"], region.received) == (100_000, 50_000, 350_000)
    (total,) = found.totals
    assert (total.received, total.sums["moved_in"], total.sums["moved_out"]) == (2_250_000, 100_000, 100_000)
    assert close_report(town.session, None, 2024).lines == []


@pytest.mark.parametrize("name", ["voted", "paid", "held", "on_way", "left", "carried_in", "lapsed"])
def test_a_report_that_does_not_balance_is_refused(town: Town, name: str) -> None:
    line = lines(town.session, None, year=2025)[0]
    with pytest.raises(Unbalanced) as caught:
        check([replace(line, **{name: getattr(line, name) + 1})])
    assert CODE in caught.value.en and "≠" in caught.value.zh


def test_what_is_promised_falls_into_the_years_in_which_it_is_expected(town: Town) -> None:
    asked = Asked(CODE, "CNY", town.clock.today())
    # The second project's two milestones; of the first nothing is still to be requested.
    assert committed(town.session.conn, asked) == {2025: 1_000_000}
    before = town.clock.now()
    town.clock.set(date(2026, 1, 5))
    late = committed(town.session.conn, Asked(CODE, "CNY", town.clock.today()))
    town.clock.set(before)
    assert late == {2026: 1_000_000}, "what is late falls into the present year"


def test_the_execution_and_its_chart_show_all_there_was(town: Town) -> None:
    found = execution(town.session, None)
    (group,) = found.groups
    assert (found.year, found.years) == (2025, [2026, 2025])
    assert (group.sum("left"), group.committed, group.free) == (1_250_000, 1_000_000, 250_000)
    assert sum(parts_of(group).values()) == group.sum("received")
    for locale in ("zh", "en"):
        svg = execution_svg(found.groups, 2025, locale)
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img" and root.find("{http://www.w3.org/2000/svg}title") is not None
    hostile = replace(group, programme_code='<script>"')
    assert "<script>" not in execution_svg([hostile], 2025, "en")


def test_sheets_hold_sums_that_can_be_added_up_and_no_formula(town: Town) -> None:
    from openpyxl import load_workbook

    report = close_report(town.session, None, 2025)
    report.lines[0] = replace(report.lines[0], source="=1+1", office_path="=cmd()")
    book = load_workbook(io.BytesIO(close_sheet(town.session, report, "xlsx")))
    rows = list(book.active.iter_rows(values_only=True))
    assert rows[0][0] == "计划 · Programme" and rows[-1][0] == "合计 · Total"
    assert "'=1+1" in rows[1] and "'=cmd()" in rows[1]
    assert all(cell.data_type != "f" for row in book.active.iter_rows() for cell in row)
    voted = rows[0].index("本年安排 · Voted")
    assert sum(row[voted] for row in rows[1:3]) == rows[-1][voted] == 23_000
    text = execution_sheet(town.session, execution(town.session, None), "csv").decode("utf-8-sig")
    assert "17.7%" in text and "12500.00" in text


def test_a_list_is_set_against_the_years_up_to_where_it_fits(town: Town) -> None:
    # 250,000 is free of 2025; a project's milestones are 40 and 60 hundredths of it.
    first, second, third = (town.apply(requested=sum) for sum in (200_000, 100_000, 10_000))
    programme = town.programme.compiled.programme
    wanted = wanted_of(town.session, [second, first, third])
    assert [one.id for one in wanted] == [second, first, third]
    found = fit(town.session, programme, "CNY", wanted)
    assert not found.fits and found.first_unfit is not None
    assert (found.first_unfit.id, found.unfit_year, found.total_minor) == (first, 2025, 310_000)
    row = next(each for each in found.years if each.year == 2025)
    assert (row.left, row.committed, row.wanted, row.after) == (1_250_000, 1_000_000, 310_000, -60_000)
    assert row.short and fit(town.session, programme, "CNY", wanted[:1]).fits
    # The office of a county has no money of its own here, and the city's reaches it.
    assert fit(town.session, programme, "EUR", wanted[:1]).unfit_year == 2025

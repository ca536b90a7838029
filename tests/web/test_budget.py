"""Budgets on the web: one person proposes, another confirms; the year's pages are for those who read it."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from milepost.web.rankings import STAGES
from tests.web.conftest import Site, message_codes

YEAR = 2041


def budget(site: Site, year: int) -> UUID:
    first, second = site.the("finance_officer"), site.the("finance_officer", 1)
    given = {"fiscal_year": str(year), "currency": "CNY", "amount_minor": "100,000"}
    programme = str(site.world.published.id)
    assert first.take("appropriation.propose", None, programme_id=programme, **given).status_code == 303
    asked = "SELECT id FROM appropriation WHERE fiscal_year = %s ORDER BY id LIMIT 1"
    made = UUID(str(site.world.value(asked, year)))
    assert second.take("appropriation.vote", made).status_code == 303
    return made


def test_a_change_is_proposed_by_one_and_confirmed_by_another(site: Site) -> None:
    purse = budget(site, YEAR)
    first, second = site.the("finance_officer"), site.the("finance_officer", 1)
    typed = {"amount_minor": "5,000", "reason": "<b>as decided</b>", "paper": "No. 7"}
    assert first.take("budget_change.increase", purse, **typed).status_code == 303
    change = site.world.value("SELECT id FROM budget_change WHERE appropriation_id = %s", purse)
    assert "&lt;b&gt;as decided" in first.get("/appropriations").text
    assert "as decided" in second.get("/").text and "as decided" not in first.get("/").text
    mine = first.get(f"/steps/budget_change.confirm/{change}")
    assert "budget_same_person" in message_codes(mine.text)
    assert second.take("budget_change.confirm", change).status_code == 303
    shown = second.get("/appropriations").text
    assert "105,000.00 CNY" in shown and "No. 7" in shown
    # What has no occasion yet is no button: a year that is not closed is not carried over.
    row = shown.split(f'id="appropriation-{purse}"')[1].split("<li id=")[0]
    assert "budget_change.move" in row and "budget_change.carry_over" not in row


def test_the_year_is_told_as_pages_and_sheets(site: Site) -> None:
    budget(site, YEAR + 1)
    for role in ("finance_officer", "supervisor", "programme_officer"):
        reader = site.the(role)
        page = reader.get(f"/budget/execution?year={YEAR + 1}")
        assert page.status_code == 200 and 'role="img"' in page.text and "100,000.00 CNY" in page.text
        report = reader.get(f"/budget/close-report/{YEAR + 1}")
        assert report.status_code == 200 and "What became of it" in report.text
    for path in ("execution/sheet.xlsx", f"close-report/{YEAR + 1}/sheet.xlsx", "execution/sheet.csv"):
        sheet = site.the("finance_officer").get(f"/budget/{path}?year={YEAR + 1}")
        assert sheet.status_code == 200 and "attachment" in sheet.headers["content-disposition"]
    assert site.the("finance_officer").get("/budget/close-report/2099").status_code == 200


@pytest.mark.parametrize("role", ["applicant", "expert", "administrator", "counsel"])
def test_nobody_else_reads_the_year(site: Site, role: str) -> None:
    for path in ("execution", "close-report/2025", "execution/sheet.csv", "close-report/2025/sheet.csv"):
        assert site.the(role).get(f"/budget/{path}").status_code == 404


def test_a_ranking_leads_to_what_it_would_take(site: Site) -> None:
    officer = site.the("programme_officer")
    listed = re.findall(r'href="(/rankings/[^"]+)"', officer.get("/rankings").text)
    if not listed:
        project = site.world.project_at(STAGES[0])
        assert site.world.value("SELECT state FROM project WHERE id = %s", project) == STAGES[0]
        listed = re.findall(r'href="(/rankings/[^"]+)"', officer.get("/rankings").text)
    path = listed[0].split("?")[0]
    assert f"{path}/what-if" in officer.get(listed[0]).text
    page = officer.get(f"{path}/what-if")
    assert page.status_code == 200 and "If this list were granted" in page.text
    assert site.the("finance_officer").get(f"{path}/what-if").status_code == 404

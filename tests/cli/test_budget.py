"""The year's money from a shell: as tables, JSON and sheets; what a list would take; who is told nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

PROGRAMME = "city-milestone-subsidy"


@pytest.fixture
def finance(shell: Shell) -> str:
    return login(shell, "finance_officer")


def login(shell: Shell, role: str) -> str:
    return str(
        shell.one(
            "SELECT n.login FROM person n JOIN role_grant g ON g.person_id = n.id WHERE g.role = %s "
            "ORDER BY n.login LIMIT 1",
            role,
        )
    )


def test_a_year_is_told_and_balances(shell: Shell, finance: str, tmp_path: Path) -> None:
    year = shell.one("SELECT min(fiscal_year) FROM appropriation")
    told = shell.json("budget", "list", "--year", str(year), "--as", finance)
    (line,) = told["programmes"][0]["appropriations"]
    assert line["increased"] == 1_000 and line["paid"] > 0 and line["held"] > 0 and line["on_way"] > 0
    report = shell.json("budget", "close-report", str(year), "--as", finance)
    assert report["ok"] and report["totals"][-1]["sums"]["increased"] == 1_000
    assert "✓ 平衡" in shell.run("budget", "close-report", str(year), "--lang", "zh").stdout
    out = tmp_path / "year.csv"
    shell.json("budget", "close-report", str(year), "--out", str(out))
    rows = list(csv.reader(out.open(encoding="utf-8-sig")))
    assert rows[0][0] == "计划 · Programme" and rows[-1][0] == "合计 · Total"
    closed = shell.json("budget", "close-report", "2031")
    assert closed["closed"] and closed["totals"][0]["sums"]["carried_out"] > 0
    assert "经费" not in shell.run("budget", "list", "--lang", "en").stdout


def test_a_report_of_books_that_were_tampered_with_is_refused(shell: Shell) -> None:
    year = shell.one("SELECT min(fiscal_year) FROM appropriation")
    shell.copy.tamper("UPDATE account SET credits_posted = credits_posted + 7 WHERE kind = 'appropriation'")
    told = shell.json("budget", "close-report", str(year), code=1)
    assert told["error"] == "budget_unbalanced" and "≠" in told["en"]


def test_a_list_or_some_projects_are_set_against_the_years(shell: Shell) -> None:
    officer = login(shell, "programme_officer")
    code = str(shell.one("SELECT code FROM project WHERE award_minor IS NULL ORDER BY code LIMIT 1"))
    # This year nothing was voted: the first of the list does not fit, and the exit code says so.
    told = shell.json("budget", "what-if", PROGRAMME, code, "--as", officer, code=1)
    assert (told["projects"], told["first_unfit"]) == ([code], code)
    assert told["years"][0]["wanted"] > 0 and told["years"][0]["short"]
    # Of the list only what is still to be granted; another module may have ranked somebody here meanwhile.
    asked = ("budget", "what-if", PROGRAMME, "--places", "3", "--as", officer)
    listed = shell.json(*asked, code=shell.run(*asked).exit_code)
    if "projects" in listed:
        for one in listed["projects"]:
            assert shell.one("SELECT award_minor FROM project WHERE code = %s", one) is None
    else:
        assert listed["error"]["code"] == "nothing_to_fit"
    assert "year" in shell.run("budget", "what-if", PROGRAMME, code, "--as", officer, "--lang", "en").stdout
    granted = str(shell.one("SELECT code FROM project WHERE award_minor > 0 LIMIT 1"))
    wrong = shell.json("budget", "what-if", PROGRAMME, granted, "--as", officer, code=2)
    assert wrong["error"]["code"] == "nothing_to_fit"


@pytest.mark.parametrize("role", ["applicant", "expert", "counsel", "administrator"])
def test_nobody_else_is_told_anything(shell: Shell, role: str) -> None:
    told = shell.json("budget", "list", "--as", login(shell, role), code=2)
    assert told["error"]["code"] == "not_found"

"""What adds up comes in once, what does not is named by file and row, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Shell

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "web3-grants"
HEAD = "project,total,currency,duration,milestone,amount,amount_currency,milestone_duration,deliverables\n"
GOOD = "alpha,30,CNY,3 months,1,10,CNY,1 month,1\nalpha,30,CNY,3 months,2,20,CNY,2 months,1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "grant_budgets.csv").write_text(
        HEAD + GOOD + "beta,30,CNY,3 months,1,10,CNY,1 month,1\ngamma,ten,CNY,1 month,1,10,CNY,1 month,1\n",
        encoding="utf-8",
    )
    return tmp_path


WORDS = ("--programme", "city-milestone-subsidy", "--as", "applicant-1")


def test_applications_that_add_up_become_projects_once(shell: Shell, folder: Path) -> None:
    found = shell.json("import", str(folder), *WORDS, code=1)
    assert found["made"] == ["alpha"] and not found["ok"]
    assert {row["project"] for row in found["refused_rows"]} == {"beta", "gamma"}
    assert all(row["file"] and row["row"] and row["reason"]["en"] for row in found["refused_rows"])
    assert shell.one("SELECT requested_minor FROM project WHERE code = 'alpha'") == 3_000
    again = shell.json("import", str(folder / "grant_budgets.csv"), *WORDS, code=1)
    assert again["made"] == [] and again["there_already"] == ["alpha"]


def test_a_check_brings_nothing_in(shell: Shell, folder: Path) -> None:
    assert shell.json("import", str(folder), "--check", *WORDS, code=1)["made"] == []
    assert shell.one("SELECT count(*) FROM project WHERE code = 'alpha'") == 0


def test_what_the_engine_refuses_is_told_by_project(shell: Shell) -> None:
    found = shell.json("import", str(EXAMPLE), *WORDS, code=1)
    reasons = {reason["code"] for entry in found["refused"] for reason in entry["refusals"]}
    assert reasons == {"currency_differs"} and found["made"] == []


def test_a_folder_without_the_file_is_refused(shell: Shell, tmp_path: Path) -> None:
    found = shell.json("import", str(tmp_path), *WORDS, code=1)
    assert "grant_budgets.csv" in found["error"]["en"]
    other = tmp_path / "other.csv"
    other.write_text(HEAD, encoding="utf-8")
    assert shell.json("import", str(other), *WORDS, code=2)["error"]["code"] == "file_unknown"

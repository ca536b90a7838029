"""A ranking from a shell: for whom it is, where the line lies, as a table, as JSON, as a spreadsheet."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

PROGRAMME = "city-milestone-subsidy"


@pytest.fixture
def officer(shell: Shell) -> str:
    return str(
        shell.one(
            "SELECT n.login FROM person n JOIN role_grant g ON g.person_id = n.id "
            "WHERE g.role = 'programme_officer' ORDER BY n.login LIMIT 1"
        )
    )


def test_a_list_is_told_with_its_figures_and_its_line(shell: Shell, officer: str) -> None:
    told = shell.json("review", "ranking", PROGRAMME, "--as", officer, "--places", "3")
    ranked = [one for one in told["applications"] if one["rank"]]
    assert len(ranked) > 3 and told["above"] == [one["code"] for one in ranked[:3]]
    assert {one["rank"] for one in ranked} == {1}, "all were given the same, and share the first rank"
    assert set(told["split"]) == {one["code"] for one in ranked}
    waiting = [one for one in told["applications"] if not one["rank"]]
    assert [one["why_unranked"][0]["en"] for one in waiting] == ["0 valid reviews, 5 needed"]
    assert ranked[0]["raw_milli"] == 80_000 and ranked[0]["counted"] is True
    text = shell.run(
        "review", "ranking", PROGRAMME, "--as", officer, "--budget", "250万", "--lang", "zh"
    ).stdout
    assert "按排名依次安排，拟立项" in text and "须由人决定" in text and "80.00" in text


def test_what_looks_odd_is_told_and_nothing_is_taken_away(shell: Shell, officer: str) -> None:
    told = shell.json("review", "patterns", PROGRAMME, "--as", officer)["patterns"]
    assert {one["code"] for one in told} <= {"repeated_marks", "even_marks", "same_text_several_raters"}
    done = shell.run("review", "patterns", PROGRAMME, "--as", officer, "--lang", "en")
    assert done.exit_code == 0


def test_the_list_goes_into_a_sheet(shell: Shell, officer: str, tmp_path: Path) -> None:
    out = tmp_path / "list.csv"
    asked = ("review", "ranking", PROGRAMME, "--as", officer, "--out")
    told = shell.json(*asked, str(out))
    rows = list(csv.reader(out.open(encoding="utf-8-sig")))
    assert len(rows) == told["rows"] + 1 and rows[0][0] == "名次 · Rank"
    wrong = shell.json(
        "review", "ranking", PROGRAMME, "--as", officer, "--out", str(tmp_path / "x.pdf"), code=2
    )
    assert wrong["error"]["code"] == "file_kind"


def test_nobody_else_is_told_anything(shell: Shell, officer: str) -> None:
    for role in ("applicant", "expert", "finance_officer", "administrator", "counsel"):
        login = shell.one("SELECT login FROM person WHERE login LIKE %s ORDER BY 1 LIMIT 1", f"{role}%")
        told = shell.json("review", "ranking", PROGRAMME, "--as", login, code=2)
        assert told["error"]["code"] == "ranking_unknown", role
        assert shell.json("notice", "list", "--as", login)["notices"] == [], role
    missing = shell.json("review", "ranking", "no-such-programme", "--as", officer, code=2)
    assert missing["error"]["code"] == "ranking_unknown"
    assert shell.json("review", "ranking", PROGRAMME, code=2)["error"]["code"] == "nobody_named"


def test_notices_are_listed_with_the_objections_that_wait(shell: Shell, officer: str) -> None:
    found = shell.json("notice", "list", "--as", officer, "--all")["notices"]
    assert [n["objections_open"] for n in found if n["state"] == "open"] == [1]
    assert all(n["issued_on"] < n["opens_on"] <= n["closes_on"] for n in found)
    text = shell.run("notice", "list", "--as", officer, "--all", "--lang", "en").stdout
    assert "Wang" not in text and "copied" not in text

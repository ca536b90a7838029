"""The expert pool from a shell: a file in, a file out, the list, one entry, duplicates; who acts is asked."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

SHEET = """login,name,kinds,region,yearly_load,units,phone
li,李文,技术,/liuzhou/,10,广西大学,13900000001
li2,李文,技术;财务,/liuzhou/,5,广西 大学,+43 1 58801
wu,吴,魔法,/,3,,
"""


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "experts.csv"
    path.write_text(SHEET, encoding="utf-8")
    return path


def test_a_file_goes_in_with_a_report_per_row_and_comes_out_the_same(
    shell: Shell, sheet: Path, tmp_path: Path
) -> None:
    checked = shell.json("experts", "import", str(sheet), "--check", code=1)
    assert checked["created"] == 2 and shell.json("experts", "list")["experts"] == []
    report = shell.json("experts", "import", str(sheet), code=1)
    assert [(row["row"], row["outcome"]) for row in report["rows"]] == [
        (2, "created"),
        (3, "created"),
        (4, "refused"),
    ]
    assert report["rows"][2]["reasons"][0]["column"] == "kinds"
    out = tmp_path / "out.xlsx"
    shell.json("experts", "export", str(out))
    again = shell.json("experts", "import", str(out))
    assert again["ok"] and again["unchanged"] == 2 and again["changed"] == 0
    shell.run("experts", "export", str(tmp_path / "out.csv"))
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8-sig")))
    assert [row["电话 · Telephone"] for row in rows] == ["13900000001", "'+43158801"]


def test_people_read_what_was_refused_and_where(shell: Shell, sheet: Path) -> None:
    done = shell.run("experts", "import", str(sheet), "--lang", "en")
    assert done.exit_code == 1
    assert "✗ experts.csv:4 wu kinds There is no kind of expert '魔法'" in done.stdout
    assert "2 created, 0 changed, 0 unchanged, 1 refused." in done.stdout
    listed = shell.run("experts", "list", "--kind", "财务", "--unit", "广西大学", "--lang", "zh")
    assert "li2" in listed.stdout and "0/5" in listed.stdout and "139" not in listed.stdout
    shown = shell.run("experts", "show", "li", "--lang", "en")
    assert "广西大学" in shown.stdout and "Enrolled as expert" in shown.stdout
    pairs = shell.json("experts", "duplicates")["pairs"]
    assert [([e["login"] for e in p["experts"]], p["reasons"]) for p in pairs] == [
        (["li", "li2"], ["name_and_unit"])
    ]
    assert "same name at the same unit" in shell.run("experts", "duplicates", "--lang", "en").stdout


def test_who_is_named_acts_as_far_as_their_roles_go(shell: Shell, sheet: Path) -> None:
    officer = shell.one("SELECT login FROM person WHERE login LIKE 'programme_officer%%' ORDER BY 1 LIMIT 1")
    applicant = shell.one("SELECT login FROM person WHERE login LIKE 'applicant%%' ORDER BY 1 LIMIT 1")
    refused = shell.json("experts", "import", str(sheet), "--as", applicant, code=1)
    assert refused["refused"] == 3 and refused["created"] == 0
    assert shell.json("experts", "import", str(sheet), "--as", officer, code=1)["created"] == 2
    assert shell.json("experts", "show", "li", "--as", officer)["expert"]["phone"] == "13900000001"
    hidden = shell.json("experts", "show", "li", "--as", applicant, code=1)
    assert hidden["error"]["code"] == "expert_unknown"
    assert shell.json("experts", "list", "--as", applicant)["experts"] == []


def test_a_template_is_written_and_another_kind_of_file_is_not(shell: Shell, tmp_path: Path) -> None:
    target = tmp_path / "template.xlsx"
    assert shell.json("experts", "template", str(target))["bytes"] == target.stat().st_size
    assert shell.json("experts", "template", str(tmp_path / "t.pdf"), code=2)["error"]["code"] == "file_kind"
    missing = shell.run("experts", "import", str(tmp_path / "none.csv"))
    assert missing.exit_code in (1, 2) and "Traceback" not in missing.output

"""A claim's lines from a table: bad rows are named, the good go on, nothing that stood there is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from milepost.cli.app import app
from milepost.documents import store
from milepost.importing.claims import import_lines
from milepost.importing.sheets import write_sheet
from milepost.importing.tables import FileRefused
from states.refusals import Refused
from tests.claims.conftest import Found
from tests.invariants.town import Town
from tests.invariants.town_claims import claim, line

pytestmark = pytest.mark.xdist_group("claims")
HEAD = ["科目", "日期", "收款方", "发票号码", "事由", "金额", "凭证", "备注"]
GOOD = ["人员费", "2025-02-03", "张三", "A-1", "测试", "1,200.50", "a.pdf", "x"]
ROWS = [
    GOOD,
    ["staff", "2025-02-04", "Lab", "A-2", "tests", "1.5万元", "", ""],
    ["餐费", "2025-02-03", "饭店", "", "聚餐", "10", "", ""],
    ["staff", "03.02.2025", "Lab", "", "tests", "10", "", ""],
    ["staff", "2025-02-03", "Lab", "", "tests", "zehn", "", ""],
    ["staff", "2025-02-03", "Lab", "", "tests", "10", "missing.pdf", ""],
    ["staff", "2025-02-03", "Lab", "", "=1+1", "10", "", ""],
]
WRONG = {4: "category_unknown", 5: "date_unreadable", 6: "amount_unreadable", 7: "evidence_missing"}


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    return found()


def resolver(town: Town) -> Any:
    from milepost.importing.cells import CellError

    def resolve(text: str) -> str:
        if text == "missing.pdf":
            raise CellError("evidence_missing", "没有文件。", "There is no file.")
        return store(town.session, text, b"%PDF-1.7", town.people["unit"].id, 99).sha256

    return resolve


def take(town: Town, id: UUID, content: bytes, name: str = "costs.csv", **more: Any) -> Any:
    return import_lines(town.session, town.people["unit"], id, name, content, resolver(town), **more)


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_good_rows_join_the_draft_and_bad_ones_are_named(town: Town, ending: str) -> None:
    made = claim(town, "draft", lines=[line(town)])
    content = write_sheet(ending, "costs", HEAD, ROWS)
    checked = take(town, made, content, f"costs.{ending}", check=True)
    assert town.one("SELECT jsonb_array_length(lines) FROM claim WHERE id = %s", made) == 1
    report = take(town, made, content, f"costs.{ending}")
    assert {finding.row: finding.code for finding in report.refused} == WRONG
    assert (report.taken, report.there) == (3, 0) and checked.as_json() == report.as_json()
    lines = town.one("SELECT lines FROM claim WHERE id = %s", made)
    assert [row["amount_minor"] for row in lines] == [100_000, 120_050, 1_500_000, 1_000]
    assert lines[1]["category"] == "staff" and lines[1]["evidence"] and lines[3]["description"] == "=1+1"
    # The same file again changes nothing; a corrected one adds what it corrects.
    again = take(town, made, content, f"costs.{ending}")
    assert (again.taken, again.there) == (0, 3)
    fixed = write_sheet(ending, "costs", HEAD, [*ROWS[:2], ["staff", *ROWS[2][1:]]])
    assert take(town, made, fixed, f"costs.{ending}").taken == 1


def test_a_file_without_its_columns_and_a_claim_that_is_handed_in_take_nothing(town: Town) -> None:
    made = claim(town, "submitted")
    with pytest.raises(FileRefused) as caught:
        take(town, made, write_sheet("csv", "x", ["科目", "金额"], []))
    assert caught.value.code == "column_missing"
    with pytest.raises(Refused) as refused:
        take(town, made, write_sheet("csv", "x", HEAD, [GOOD]))
    assert [refusal.code for refusal in refused.value.refusals] == ["wrong_state"]


def test_nobody_writes_a_claim_that_they_do_not_see(town: Town) -> None:
    made = claim(town, "draft")
    content = write_sheet("csv", "x", HEAD, [GOOD])
    with pytest.raises(Refused) as refused:
        import_lines(town.session, town.people["finance1"], made, "costs.csv", content, resolver(town))
    assert [refusal.code for refusal in refused.value.refusals] == ["not_found"]


def test_the_command_takes_files_from_beside_the_table_alone(town: Town, tmp_path: Path) -> None:
    made = claim(town, "draft", lines=[])
    of = "SELECT p.code || '/c1' FROM claim c JOIN project p ON p.id = c.project_id WHERE c.id = %s"
    name = town.one(of, made)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 beside")
    outside = ["staff", "2025-02-03", "Lab", "", "tests", "10", "../secret.pdf", ""]
    (tmp_path / "costs.csv").write_bytes(write_sheet("csv", "x", HEAD, [GOOD, outside]))
    env = {"MILEPOST_DATABASE_URL": town.database.url, "MILEPOST_OWNER_URL": str(town.database.owner_url)}
    words = ["claim", "import", str(name), str(tmp_path / "costs.csv"), "--as", "unit", "--json"]
    done = CliRunner().invoke(app, words, env=env)
    found = json.loads(done.stdout)
    assert (done.exit_code, found["taken"]) == (1, 1), done.output
    assert [(row["row"], row["code"]) for row in found["refused_rows"]] == [(3, "evidence_missing")]
    assert town.one("SELECT lines->0->>'payee' FROM claim WHERE id = %s", made) == "张三"

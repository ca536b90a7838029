"""A spreadsheet goes in and out whole: each row is reported, nothing is evaluated, and twice is once."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.experts import pool
from milepost.experts.pool import Unit
from milepost.importing.experts import Report, export_experts, import_experts, template
from milepost.importing.sheets import neutral, original, write_sheet
from milepost.importing.tables import FileRefused
from milepost.queries.experts import expert, export_rows
from tests.builders import people

HEADS = ("登录名 · Login", "姓名 · Name", "类别 · Kinds", "地区 · Region", "每年任务数 · Tasks a year")
LI = ("li", "李文", "技术；财务", "/liuzhou/", "10")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(date(2025, 3, 3))


def xlsx(rows: Iterable[Sequence[Any]]) -> bytes:
    """A workbook as a spreadsheet program would save it: a text that begins with = is a formula."""
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def table(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


class Desk:
    """An officer who brings files."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.people = people(database)
        self.officer: UUID = self.people["programme_officer"][0].id

    def bring(self, rows: Iterable[Sequence[Any]], by: UUID | None = None, **given: Any) -> Report:
        return self.file("experts.xlsx", xlsx(rows), by, **given)

    def file(self, name: str, content: bytes, by: UUID | None = None, **given: Any) -> Report:
        with self.database.session() as session:
            return import_experts(session, name, content, by=by or self.officer, **given)

    def outcomes(self, report: Report) -> list[str]:
        return [row.outcome for row in report.rows]

    def codes(self, report: Report) -> list[list[tuple[str, str]]]:
        return [[(f.column, f.code) for f in row.reasons] for row in report.rows]

    def export(self, ending: str, by: UUID | None = None) -> bytes:
        with self.database.session() as session:
            return export_experts(session, by or self.officer, ending)

    def rows(self) -> list[dict[str, Any]]:
        with self.database.session() as session:
            return export_rows(session, self.officer)

    def changes(self) -> int:
        with self.database.session() as session:
            row = session.conn.execute("SELECT count(*) FROM person_change").fetchone()
            assert row is not None
            return int(row[0])


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


# Rows ---------------------------------------------------------------------------------------------------


def test_what_is_valid_goes_on_and_each_other_row_says_why_where_and_what_to_do(desk: Desk) -> None:
    heads = (*HEADS, "学科代码 · Subject codes", "电话 · Telephone", "证件号码 · Identity number")
    report = desk.bring(
        [
            heads,
            (*LI, "460; 520.20", "139 7720 0001", "11010519491231002X"),
            ("chen", "陈工", "魔法", "liuzhou", "many", "99; 460", "?", "110105194912310021"),
            (),
            ("wu", "吴", None, "/", "3"),
            ("li", "李文", "技术", "/", "1"),
            (None, "无名", "技术", "/", "1"),
            ("li3", "Li Wen", "管理", "/", "2", None, None, "11010519491231002x"),
            ("zhao", "赵", "管理", "/", 4),
        ]
    )
    assert desk.outcomes(report) == ["created", *["refused"] * 5, "created"]
    assert [row.number for row in report.rows] == [2, 3, 5, 6, 7, 8, 9]
    assert desk.codes(report)[1:6] == [
        [
            ("kinds", "kind_unknown"),
            ("region", "region_unusable"),
            ("yearly_load", "load_unusable"),
            ("fields", "field_unknown"),
            ("phone", "phone_unusable"),
            ("identity_no", "identity_unusable"),
        ],
        [("kinds", "cell_missing")],
        [("login", "login_repeated")],
        [("login", "login_missing")],
        [("identity_no", "expert_twice")],
    ]
    assert all(f.zh and f.en for row in report.rows for f in row.reasons)
    assert [row["login"] for row in desk.rows()] == ["li", "zhao"]


def test_a_bad_code_is_named_with_the_nearest_known_ones(desk: Desk) -> None:
    report = desk.bring([(*HEADS, "fields"), (*LI, "521.10"), ("chen", "陈", "技术", "/", "1", "计算机")])
    numbers, words = (row.reasons[0].en for row in report.rows)
    assert "521.10" in numbers and "520 Computer science" in numbers
    assert "520 Computer science" in words


def test_the_same_file_twice_changes_nothing(desk: Desk) -> None:
    heads = (
        *HEADS,
        "Languages",
        "Subject codes",
        "Units",
        "Telephone",
        "Identity number",
        "Profile",
        "Title",
    )
    units = "广西大学 | 2015-09-01 | 2020-08-31\n玉柴 | 2020-09-01"
    row = (*LI, "中文; English", "460", units, "+43 1 58801", "E1234567", "多行\n简介", "教授")
    assert desk.outcomes(desk.bring([heads, row])) == ["created"]
    before, stand = desk.changes(), desk.rows()
    assert desk.outcomes(desk.bring([heads, row])) == ["unchanged"]
    assert (desk.changes(), desk.rows()) == (before, stand)


def test_a_changed_row_says_which_columns_changed_and_a_blank_leaves_what_stands(desk: Desk) -> None:
    heads = (*HEADS, "Title", "Subject codes", "Units")
    desk.bring([heads, (*LI, "教授", "460", "广西大学 | 2015-09-01")])
    changed = desk.bring(
        [heads, ("li", None, None, "/liuzhou/", 12, None, "520", "广西大学 | 2015-09-01 | 2024-12-31\n玉柴")]
    )
    assert [(row.outcome, row.changed) for row in changed.rows] == [
        ("changed", ("yearly_load", "fields", "units"))
    ]
    (row,) = desk.rows()
    assert (row["yearly_load"], row["title"], row["fields"]) == (12, "教授", ["520"])
    assert [(u["unit_name"], u["to_on"]) for u in row["units"]] == [
        ("玉柴", None),
        ("广西大学", "2024-12-31"),
    ]


def test_a_row_refused_halfway_leaves_nothing_of_itself(desk: Desk) -> None:
    desk.bring([HEADS, LI])
    stand, before = desk.rows(), desk.changes()
    report = desk.bring(
        [(*HEADS, "Units"), ("li", "李文", "管理", "/", "3", "玉柴 | 2025-01-01 | 2024-01-01")]
    )
    assert desk.codes(report) == [[("units", "days_not_in_order")]]
    assert (desk.rows(), desk.changes()) == (stand, before)


def test_somebody_elses_login_is_not_overwritten(desk: Desk) -> None:
    desk.bring([HEADS, LI])
    report = desk.bring([HEADS, ("li", "王五", "管理", "/", "3"), ("applicant-1", "王五", "管理", "/", "3")])
    assert desk.codes(report) == [[("login", "login_of_another")]] * 2
    assert desk.rows()[0]["kinds"] == ["technology", "finance"]


def test_who_may_be_there_already_is_entered_with_a_remark(desk: Desk) -> None:
    report = desk.bring([(*HEADS, "Telephone"), (*LI, "13900000001"), ("li2", *LI[1:], "139-0000-0001")])
    assert desk.outcomes(report) == ["created", "created"]
    (remark,) = report.rows[1].remarks
    assert remark.code == "perhaps_there" and "李文 (li): same telephone number" in remark.en


def test_an_officer_takes_in_only_experts_of_their_own_region(desk: Desk) -> None:
    here = people(desk.database, path="/liuzhou/", prefix="here-")["programme_officer"][0].id
    desk.bring([HEADS, ("far", "远", "技术", "/guilin/", "1")])
    rows = [HEADS, LI, ("qin", "秦", "技术", "/guilin/", "1"), ("far", "远", "管理", "/guilin/", "9")]
    report = desk.bring(rows, here)
    assert desk.outcomes(report) == ["created", "refused", "refused"]
    assert desk.codes(report)[1:] == [[("region", "not_permitted")], [("login", "expert_unknown")]]
    applicant = desk.people["applicant"][0].id
    assert desk.outcomes(desk.bring([HEADS, ("new", "新", "技术", "/", "1")], applicant)) == ["refused"]


def test_a_check_tells_the_same_and_does_nothing(desk: Desk) -> None:
    rows = [(*HEADS, "Identity number"), (*LI, "E1234567"), ("li2", "李", "技术", "/", "1", "E1234567")]
    told = desk.bring(rows, check=True)
    assert desk.rows() == []
    assert told.as_json() == desk.bring(rows).as_json()
    assert told.as_json()["created"] == told.as_json()["refused"] == 1


# Cells --------------------------------------------------------------------------------------------------


def test_a_formula_is_refused_and_not_evaluated(desk: Desk) -> None:
    heads = (*HEADS, "Profile")
    report = desk.bring([heads, (*LI, "=1+1"), ("chen", "陈", "技术", "/", "=2*5")])
    assert desk.codes(report) == [
        [("profile", "cell_is_a_formula")],
        [("yearly_load", "cell_is_a_formula")],
    ]
    assert desk.rows() == []


def test_numbers_that_a_spreadsheet_has_shortened_are_refused(desk: Desk) -> None:
    heads = (*HEADS, "Telephone", "Identity number")
    report = desk.bring([heads, (*LI, 13900000001, 110105194912310024), ("wu", "吴", "技术", "/", 3.0, 5)])
    assert desk.codes(report) == [
        [("identity_no", "number_too_long")],
        [("phone", "phone_unusable")],
    ]
    assert desk.outcomes(desk.bring([heads, (*LI, 13900000001.0)])) == ["created"]
    assert desk.rows()[0]["phone"] == "13900000001"


DANGEROUS = ["=1+1", "+43158801", "-1", "@SUM(A1)", "'=x", "''@x", '=HYPERLINK("http://x","y")', "'quoted'"]


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_what_looks_like_a_formula_goes_out_harmless_and_comes_back_the_same(desk: Desk, ending: str) -> None:
    desk.bring([(*HEADS, "Telephone"), *((f"e{n}", f"人{n}", *LI[2:], "+43 1 58801") for n in range(8))])
    with desk.database.session() as session:
        for n, text in enumerate(DANGEROUS):
            row = session.conn.execute("SELECT id FROM person WHERE login = %s", (f"e{n}",)).fetchone()
            assert row is not None
            pool.revise(session, row[0], {"title": text, "profile": f"{text}\n二"}, by=desk.officer)
            pool.affiliate(session, row[0], Unit(f"{text} | 公司", date(1999, 1, 2)), by=desk.officer)
            pool.affiliate(session, row[0], Unit("A|B"), by=desk.officer)
    before, stand = desk.changes(), desk.rows()
    content = desk.export(ending)
    if ending == "xlsx":
        cells = [cell for row in load_workbook(io.BytesIO(content)).active.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} <= {"s", "n", "inlineStr"}
        values = [cell.value for cell in cells if cell.value]
    else:
        values = [value for row in table(content) for value in row]
    assert not any(str(value).startswith(("=", "+", "-", "@", "\t")) for value in values)
    report = desk.file(f"pool.{ending}", content)
    assert desk.outcomes(report) == ["unchanged"] * 8, report.as_json()
    assert (desk.changes(), desk.rows()) == (before, stand)


@given(st.text(max_size=20))
def test_any_text_comes_back_from_behind_its_apostrophe(text: str) -> None:
    assert original(neutral(text)) == text
    assert not neutral(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_an_export_shows_telephones_to_officers_only_and_no_identity_to_anybody(desk: Desk) -> None:
    heads = (*HEADS, "Telephone", "Identity number")
    desk.bring([heads, (*LI, "13900000001", "11010519491231002X")])
    for role, sees in (("programme_officer", True), ("supervisor", False), ("administrator", False)):
        text = desk.export("csv", desk.people[role][0].id).decode()
        assert "李文" in text and ("13900000001" in text) == sees, role
        assert "11010519491231002" not in text
    for role in ("applicant", "finance_officer", "expert"):
        assert len(table(desk.export("csv", desk.people[role][0].id))) == 1, role


# Files --------------------------------------------------------------------------------------------------


def test_the_template_names_each_column_in_both_languages_and_takes_what_is_typed_there(desk: Desk) -> None:
    book = load_workbook(io.BytesIO(template("xlsx")))
    heads = [cell.value for cell in book.worksheets[0][1]]
    assert heads == table(template("csv"))[0] and all(" · " in head for head in heads)
    assert book.worksheets[0].column_dimensions["L"].number_format == "@"
    assert {"110", "910"} <= {str(row[0].value) for row in book.worksheets[1].iter_rows()}
    book.worksheets[0].append([*LI[:2], None, *LI[2:]])
    packed = io.BytesIO()
    book.save(packed)
    assert desk.outcomes(desk.file("t.xlsx", packed.getvalue())) == ["created"]


def _bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (201 * 1024 * 1024))
    return packed.getvalue()


def _far() -> bytes:
    book = Workbook()
    book.active.append(HEADS)
    book.active.cell(30_000, 1, "far")
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


REFUSED_FILES = {
    "not a workbook": ("a.xlsx", lambda: b"PK\x03\x04rubbish", "file_unreadable"),
    "another kind": ("a.xls", lambda: b"", "file_kind"),
    "nothing in it": ("a.csv", lambda: b"", "column_missing"),
    "no logins": ("a.csv", lambda: "姓名\n李\n".encode(), "column_missing"),
    "a column twice": ("a.csv", lambda: b"login,Login\na,b\n", "column_repeated"),
    "another encoding": ("a.csv", lambda: "登录名\n李\n".encode("gb18030"), "file_not_utf8"),
    "an open quotation mark": ("a.csv", lambda: b'login\n"a\n', "file_not_csv"),
    "unpacks to far too much": ("a.xlsx", _bomb, "file_unreadable"),
    "too many rows": ("a.xlsx", _far, "rows_too_many"),
}


@pytest.mark.parametrize("what", REFUSED_FILES)
def test_a_file_that_cannot_be_read_is_refused_with_a_remedy(desk: Desk, what: str) -> None:
    name, content, code = REFUSED_FILES[what]
    with pytest.raises(FileRefused) as refused:
        desk.file(name, content())
    assert refused.value.code == code and name in refused.value.zh


def test_columns_that_nobody_knows_are_named_and_left_alone(desk: Desk) -> None:
    report = desk.bring([(*HEADS, "Shoe size"), (*LI, "43")])
    assert report.ignored == ["Shoe size"] and desk.outcomes(report) == ["created"]


@pytest.mark.slow
def test_a_pool_of_a_city_goes_in_quickly_and_again_without_a_change(desk: Desk) -> None:
    heads = [*HEADS, "Title", "Subject codes", "Units", "Telephone", "Identity number"]
    rows = [
        [f"e{n:04}", f"专家{n:04}", "技术", "/liuzhou/", "10", "教授", "460; 520", f"单位{n % 200}",
         f"139{n:08}", f"E{n:07}"]
        for n in range(1080)
    ]  # fmt: skip
    content = write_sheet("xlsx", "专家", heads, rows)
    began = time.perf_counter()
    assert desk.file("city.xlsx", content).count("created") == 1080
    assert time.perf_counter() - began < 60
    assert desk.file("city.xlsx", content).count("unchanged") == 1080
    with desk.database.session() as session:
        began = time.perf_counter()
        assert len(pool.eligible(session, date(2025, 3, 3))) == 1080
        assert time.perf_counter() - began < 2
        row = session.conn.execute("SELECT id FROM person WHERE login = 'e0007'").fetchone()
        assert row is not None
        assert (expert(session, desk.officer, row[0]) or {})["phone"] == "13900000007"

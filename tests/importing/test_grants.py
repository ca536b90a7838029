"""What cannot be taken from a file is refused by file and row, in both languages; everything else goes on."""

from __future__ import annotations

import pickle
from datetime import date
from pathlib import Path

import pytest

from milepost.importing.durations import Duration, read_duration
from milepost.importing.grants import ASSUMED, FolderRefused, Imported, read_grants
from milepost.importing.tables import FileRefused

BUDGETS = "grant_budgets.csv"
DELIVERIES = "milestone_deliveries.csv"
BUDGET_HEADER = (
    "project,total,currency,duration,milestone,amount,amount_currency,milestone_duration,deliverables"
)
DELIVERY_HEADER = (
    "project,milestone,delivered_on,deliverables,evaluations,evaluated_on,decided_on,outcome,"
    "deliverables_accepted,evaluators"
)
GOOD_BUDGET = "good,2,BTC,1 month,1,2,BTC,1 month,3"
GOOD_DELIVERY = "fine,1,2021-06-18,3,1,2021-06-18,2021-06-20,accepted,3,E16"


def folder_of(tmp_path: Path, budgets: list[str], deliveries: list[str], *, end: str = "\n") -> Path:
    (tmp_path / BUDGETS).write_bytes((end.join([BUDGET_HEADER, *budgets]) + end).encode())
    (tmp_path / DELIVERIES).write_bytes((end.join([DELIVERY_HEADER, *deliveries]) + end).encode())
    return tmp_path


def refused(imported: Imported) -> list[tuple[str, int, str, str]]:
    for finding in imported.refused:
        assert finding.zh and finding.en and finding.zh != finding.en
    return [(f.file, f.row, f.project, f.code) for f in imported.refused]


def names(imported: Imported) -> list[str]:
    return [grant.name for grant in imported.grants]


BAD_DELIVERIES = {
    "x,1,2021-02-30,3,0,,,not_evaluated,,": "date_unreadable",
    "x,1,18.6.2021,3,0,,,not_evaluated,,": "date_unreadable",
    "x,1,2021-6-18,3,0,,,not_evaluated,,": "date_unreadable",
    "x,1,0021-06-18,3,0,,,not_evaluated,,": "date_out_of_range",
    "x,1,,3,0,,,not_evaluated,,": "date_unreadable",
    "x,one,2021-06-18,3,0,,,not_evaluated,,": "number_unreadable",
    "x,-1,2021-06-18,3,0,,,not_evaluated,,": "number_unreadable",
    "x,1.0,2021-06-18,3,0,,,not_evaluated,,": "number_unreadable",
    "x,1000,2021-06-18,3,0,,,not_evaluated,,": "number_unreadable",
    "x,1,2021-06-18,many,0,,,not_evaluated,,": "number_unreadable",
    "x,1,2021-06-18,٣,0,,,not_evaluated,,": "number_unreadable",
    ",1,2021-06-18,3,0,,,not_evaluated,,": "project_missing",
    "=cmd(),1,2021-06-18,3,0,,,not_evaluated,,": "project_unreadable",
    "x,1,2021-06-18,3,1,2021-06-18,2021-06-18,great,3,E1": "outcome_unknown",
    "x,1,2021-06-18,3,1,2021-06-18,2021-06-17,accepted,3,E1": "decided_before_delivered",
    "x,1,2021-06-18,3,1,2021-06-18,,accepted,3,E1": "decided_on_missing",
    "x,1,2021-06-18,3,1,2021-06-18,2021-06-18,in_progress,3,": "evaluator_missing",
    "x,1,2021-06-18,3,1,2021-06-18,2021-06-18,accepted,3,E1/../E2": "evaluator_unreadable",
    "x,1,2021-06-18,3,0,,2021-06-18,not_evaluated,,": "outcome_contradicts",
    "x,1,2021-06-18,3": "cells_miscounted",
    "x,1,2021-06-18,3,0,,,not_evaluated,,,more": "cells_miscounted",
    '"x\ny",1,2021-06-18,3,0,,,not_evaluated,,': "row_has_control_characters",
}


@pytest.mark.parametrize(("row", "code"), BAD_DELIVERIES.items(), ids=[*map(repr, BAD_DELIVERIES)])
def test_a_delivery_that_is_wrong_is_refused_by_row_and_the_rest_goes_on(
    tmp_path: Path, row: str, code: str
) -> None:
    imported = read_grants(folder_of(tmp_path, [], [GOOD_DELIVERY, row]))
    assert [(file, number, why) for file, number, _, why in refused(imported)] == [(DELIVERIES, 3, code)]
    assert names(imported) == ["fine"]


BAD_BUDGETS = {
    "x,1,BTC,1 month,1,one,BTC,1 month,3": "amount_unreadable",
    "x,1,BTC,1 month,1,-1,BTC,1 month,3": "amount_negative",
    "x,0,BTC,1 month,1,0,BTC,1 month,3": "amount_not_payable",
    "x,1,BTC,1 month,1,1e3,BTC,1 month,3": "amount_unreadable",
    "x,1,DAI,1 month,1,0.001,DAI,1 month,3": "too_many_decimals",
    "x,99999999999,BTC,1 month,1,99999999999,BTC,1 month,3": "amount_out_of_range",
    "x,1,XBT,1 month,1,1,XBT,1 month,3": "currency_unknown",
    "x,1,BTC,1 month,1,1,USD,1 month,3": "currency_differs",
    "x,2,BTC,1 month,1,1,BTC,1 month,3": "plan_does_not_add_up",
    "x,1,BTC,1 month,first,1,BTC,1 month,3": "number_unreadable",
    ",1,BTC,1 month,1,1,BTC,1 month,3": "project_missing",
    "x,1,BTC,1 month,1,1,BTC": "cells_miscounted",
}


@pytest.mark.parametrize(("row", "code"), BAD_BUDGETS.items(), ids=[*map(repr, BAD_BUDGETS)])
def test_an_application_that_is_wrong_is_refused_and_the_rest_goes_on(
    tmp_path: Path, row: str, code: str
) -> None:
    imported = read_grants(folder_of(tmp_path, [row, GOOD_BUDGET], []))
    assert [(file, number, why) for file, number, _, why in refused(imported)] == [(BUDGETS, 2, code)]
    assert names(imported) == ["good"]


def test_an_application_stands_or_falls_as_one(tmp_path: Path) -> None:
    rows = [
        "x,3,BTC,,1,1,BTC,1 week,1",
        "x,3,BTC,,2,oops,BTC,1 week,1",
        GOOD_BUDGET,
        "x,3,BTC,,3,1,BTC,1 week,1",
    ]
    imported = read_grants(folder_of(tmp_path, rows, []))
    assert refused(imported) == [
        (BUDGETS, 2, "x", "application_incomplete"),
        (BUDGETS, 3, "x", "amount_unreadable"),
        (BUDGETS, 5, "x", "application_incomplete"),
    ]
    assert "3" in imported.refused[0].en


@pytest.mark.parametrize(
    ("second", "code"),
    [("x,2,BTC,,1,1,BTC,1 week,1", "milestone_repeated"), ("x,3,BTC,,2,1,BTC,1 week,1", "total_differs")],
)
def test_rows_of_one_application_must_agree(tmp_path: Path, second: str, code: str) -> None:
    imported = read_grants(folder_of(tmp_path, ["x,2,BTC,,1,1,BTC,1 week,1", second], []))
    assert [row[3] for row in refused(imported)] == [code, code]


def test_a_milestone_delivered_twice_counts_once(tmp_path: Path) -> None:
    again = GOOD_DELIVERY.replace("accepted", "in_progress")
    imported = read_grants(folder_of(tmp_path, [], [GOOD_DELIVERY, again]))
    assert refused(imported) == [(DELIVERIES, 3, "fine", "milestone_repeated")]
    assert [d.outcome for d in imported.grants[0].deliveries] == ["accepted"]


def test_a_delivery_for_a_refused_application_is_a_fact_with_an_assumed_sum(tmp_path: Path) -> None:
    imported = read_grants(folder_of(tmp_path, ["fine,3,BTC,,1,1,BTC,1 week,1"], [GOOD_DELIVERY]))
    assert [(m.amount, m.assumed) for m in imported.grants[0].milestones] == [(ASSUMED, True)]
    assert [row[3] for row in refused(imported)] == ["plan_does_not_add_up"]


def test_a_delivery_beyond_the_budget_is_a_project_of_its_own_in_its_currency(tmp_path: Path) -> None:
    more = GOOD_DELIVERY.replace("fine,1", "good,2")
    imported = read_grants(folder_of(tmp_path, [GOOD_BUDGET], [more]))
    assert [(g.name, g.code, g.currency) for g in imported.grants] == [
        ("good", "good", "BTC"),
        ("good", "good.assumed", "USD"),
    ]
    assert [r.code for r in imported.remarks] == ["milestone_not_in_budget"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_mark_and_the_line_ends_of_other_systems_are_read(tmp_path: Path, end: str, mark: bytes) -> None:
    folder = folder_of(tmp_path, [GOOD_BUDGET, ""], [GOOD_DELIVERY], end=end)
    (folder / BUDGETS).write_bytes(mark + (folder / BUDGETS).read_bytes())
    imported = read_grants(folder)
    assert names(imported) == ["fine", "good"] and not imported.refused


def test_a_row_in_another_encoding_is_refused_alone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [], [GOOD_DELIVERY])
    with open(folder / DELIVERIES, "ab") as file:
        file.write("项目,1,2021-06-18,3,0,,,not_evaluated,,\n".encode("gb18030"))
    imported = read_grants(folder)
    assert refused(imported) == [(DELIVERIES, 3, "", "row_not_utf8")]
    assert names(imported) == ["fine"]


def test_a_quotation_mark_left_open_says_from_where(tmp_path: Path) -> None:
    imported = read_grants(folder_of(tmp_path, [], [GOOD_DELIVERY, '"x,1,2021-06-18']))
    assert refused(imported) == [(DELIVERIES, 3, "", "row_not_csv")]
    assert names(imported) == ["fine"]


def test_columns_nobody_asked_for_are_remarked(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [], [GOOD_DELIVERY + ",x"])
    text = (folder / DELIVERIES).read_text(encoding="utf-8")
    (folder / DELIVERIES).write_text(text.replace("evaluators\n", "evaluators,colour\n"), encoding="utf-8")
    imported = read_grants(folder)
    assert names(imported) == ["fine"]
    assert [(r.code, r.row) for r in imported.remarks] == [("columns_ignored", 1)]
    assert "colour" in imported.remarks[0].en


def test_what_is_odd_but_possible_is_remarked_and_kept(tmp_path: Path) -> None:
    rows = [
        "a,1,2021-06-18,3,1,2021-06-20,2021-06-19,accepted,5,E1",
        "b,1,2021-06-18,3,1,2021-06-01,2021-06-19,accepted,3,E1",
        "c,1,2021-06-18,3,2,2021-06-20,,not_evaluated,,",
    ]
    imported = read_grants(folder_of(tmp_path, ["d,1,BTC,,1,1,BTC,soon,1"], rows))
    assert not imported.refused and len(imported.grants) == 4
    assert sorted(r.code for r in imported.remarks) == [
        "decided_before_evaluated",
        "duration_unreadable",
        "evaluated_before_delivered",
        "evaluation_without_outcome",
        "more_accepted_than_delivered",
    ]
    first = imported.grants[0].deliveries[0]
    assert first.taken_up_on == first.decided_on == date(2021, 6, 19)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda path: path.unlink(), "file_missing"),
        (lambda path: path.write_bytes(b""), "column_missing"),
        (lambda path: path.write_text("project,milestone\n", encoding="utf-8"), "column_missing"),
        (lambda path: path.write_text(DELIVERY_HEADER + ",outcome\n", encoding="utf-8"), "column_repeated"),
        (lambda path: path.write_bytes(DELIVERY_HEADER.encode("utf-16")), "file_not_utf8"),
        (lambda path: path.write_bytes(b"\xff" + DELIVERY_HEADER.encode()), "file_not_utf8"),
        (lambda path: (path.unlink(), path.mkdir()), "file_unreadable"),
    ],
)
def test_a_file_that_cannot_be_taken_is_one_clear_error(tmp_path: Path, spoil: object, code: str) -> None:
    folder = folder_of(tmp_path, [GOOD_BUDGET], [GOOD_DELIVERY])
    assert callable(spoil)
    spoil(folder / DELIVERIES)
    with pytest.raises(FolderRefused) as caught:
        read_grants(folder)
    assert [(file.file, file.code) for file in caught.value.files] == [(DELIVERIES, code)]
    assert str(caught.value.files[0]).count(DELIVERIES) == 2  # once in each language


def test_both_files_missing_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(FolderRefused) as caught:
        read_grants(tmp_path)
    assert [file.file for file in caught.value.files] == [BUDGETS, DELIVERIES]


def test_a_file_error_survives_a_trip_between_processes() -> None:
    error = FileRefused("a.csv", "file_missing", "没有。", "there is none.")
    again = pickle.loads(pickle.dumps(error))
    assert (again.file, again.code, again.zh, again.en) == (error.file, error.code, error.zh, error.en)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("5 weeks", Duration(0, 35)),
        ("~2 weeks", Duration(0, 14)),
        ("4 Weeks", Duration(0, 28)),
        ("1 month and 1 week", Duration(1, 7)),
        ("1.5 month", Duration(1, 15)),
        ("One month", Duration(1, 0)),
        ("95 days", Duration(0, 95)),
        ("6 weeks(parallel with milestone 2)", Duration(0, 42)),
        ("1 year", Duration(12, 0)),
        ("soon", None),
        ("", None),
        ("0 weeks", None),
        ("999999 weeks", None),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, duration: Duration | None) -> None:
    assert read_duration(text) == duration


def test_a_due_day_counts_the_milestones_before_it(tmp_path: Path) -> None:
    rows = ["x,2,BTC,,1,1,BTC,1 week,1", "x,2,BTC,,2,1,BTC,1 month,1"]
    grant = read_grants(folder_of(tmp_path, rows, [])).grants[0]
    assert [m.due_after for m in grant.milestones] == [Duration(0, 7), Duration(1, 7)]

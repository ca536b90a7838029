"""Guarantee: the bank's spreadsheet holds each payment by the template, every text as a text and every amount
to the last unit, and the same batch gives the same file."""

from __future__ import annotations

import random
import zipfile
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from pydantic import ValidationError

from config.programmes import Text
from milepost.bank.files.batch import BBAN, Account, Agent, Batch
from milepost.bank.files.findings import BatchRefused
from milepost.bank.files.handover import file_bytes, hand_over
from milepost.bank.files.sheet import (
    FIELDS,
    Column,
    SheetTemplate,
    check_for_sheet,
    check_sheet,
    example_template,
    write_sheet,
)
from tests.bank.papers import ICBC, YUAN, batch, euro, payment, works

TEMPLATE = example_template()


def made(of: Batch, template: SheetTemplate = TEMPLATE) -> bytes:
    return file_bytes(of, rules=YUAN, works=works, template=template)


def cells(content: bytes) -> list[list[Any]]:
    """What another's library finds in the sheet."""
    sheet = load_workbook(BytesIO(content)).active
    assert sheet is not None
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def columns(*fields: str) -> tuple[Column, ...]:
    needed = ("creditor_name", "creditor_account", "amount")
    return tuple(Column(header=Text(zh=f"列{f}", en=f), field=f) for f in (*needed, *fields))


def test_the_sheet_holds_the_batch_by_its_template() -> None:
    head, *rows = cells(made(batch()))
    assert head == [column.header.zh for column in TEMPLATE.columns]
    first = dict(zip(head, rows[0], strict=True))
    assert first["序号"] == 1
    assert first["收款账号"] == "2105400309300012345"
    assert first["收款户名"] == "柳州示例机械有限公司"
    assert first["收款行联行号"] == "102100099996"
    assert first["金额"] == 12345.67
    assert first["期望付款日"] == "20260507"
    assert first["客户流水号"] == next(iter(batch().payments)).end_to_end_id
    assert len(rows) == 3


def test_headers_stand_in_the_language_that_the_bank_reads() -> None:
    english = TEMPLATE.model_copy(update={"language": "en"})
    assert cells(made(batch(), english))[0] == [column.header.en for column in TEMPLATE.columns]


def test_another_library_reads_the_same_table() -> None:
    frame = pd.read_excel(BytesIO(made(batch())), dtype={"收款账号": str, "收款行联行号": str})
    assert list(frame["收款账号"]) == [one.creditor.account.number for one in batch().payments]
    cents = [int(Decimal(str(value)) * 100) for value in frame["金额"]]
    assert cents == [one.amount_minor for one in batch().payments]


def test_the_same_batch_gives_the_same_bytes_and_no_time_stands_in_them() -> None:
    content = made(batch())
    assert content == made(batch())
    with zipfile.ZipFile(BytesIO(content)) as package:
        assert {member.date_time for member in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not any("docProps" in name for name in package.namelist())


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "=cmd|' /C calc'!A0", "＝1+1")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_begins_like_a_formula_stays_a_text(text: str) -> None:
    content = made(batch([payment(name=text, remark=text)]))
    sheet = load_workbook(BytesIO(content)).active
    assert sheet is not None
    found = [cell for row in sheet.iter_rows() for cell in row if cell.value == text]
    assert len(found) == 2
    for cell in found:
        assert cell.data_type == "s"
        assert cell.number_format == "@"
        # Marked so that a spreadsheet keeps it a text when somebody opens the cell and presses enter.
        assert bool(cell.quotePrefix) == (text[0] in "=+-@")
    with zipfile.ZipFile(BytesIO(content)) as package:
        assert b"<f>" not in package.read("xl/worksheets/sheet1.xml")


def test_account_numbers_are_texts_with_every_digit() -> None:
    number = "0021054003093000123456789012345"
    content = made(batch([payment(account=number)]))
    sheet = load_workbook(BytesIO(content)).active
    assert sheet is not None
    (cell,) = [cell for row in sheet.iter_rows() for cell in row if cell.value == number]
    assert (cell.data_type, cell.number_format) == ("s", "@")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 10**15 - 1), min_size=1, max_size=8))
def test_every_amount_that_a_spreadsheet_can_hold_is_exact(amounts: list[int]) -> None:
    content = made(batch([payment(n, amount=amount) for n, amount in enumerate(amounts)]))
    column = [column.field for column in TEMPLATE.columns].index("amount")
    read = [Decimal(repr(row[column])) * 100 for row in cells(content)[1:]]
    assert read == amounts


def test_an_amount_beyond_what_a_spreadsheet_holds_is_refused() -> None:
    generous = YUAN.model_copy(update={"amount_major_max": 10**13})
    large = batch([payment(amount=10**15)])
    found = check_for_sheet(large, TEMPLATE)
    assert [(said.code, said.row, said.field) for said in found] == [("amount_too_large", 1, "amount")]
    assert "9999999999999.99" in found[0].fact("en")
    as_text = SheetTemplate(
        name=TEMPLATE.name,
        columns=tuple(
            column.model_copy(update={"format": "amount_text"}) if column.field == "amount" else column
            for column in TEMPLATE.columns
        ),
    )
    assert check_for_sheet(large, as_text) == []
    assert "10000000000000.00" in cells(file_bytes(large, rules=generous, works=works, template=as_text))[1]


def test_a_sheet_without_a_column_for_it_holds_one_currency() -> None:
    bare = SheetTemplate(name=TEMPLATE.name, columns=columns())
    mixed = batch([payment(1), euro(2)])
    assert [said.code for said in check_for_sheet(mixed, bare)] == ["currencies_mixed"]
    assert check_for_sheet(mixed, SheetTemplate(name=TEMPLATE.name, columns=columns("currency"))) == []


def test_what_the_bank_needs_and_a_payment_lacks_is_said_by_row() -> None:
    of = batch([payment(1), payment(2, agent=Agent(bic="ICBKCNBJ"), amount=5)])
    found = check_for_sheet(of, TEMPLATE)
    assert [(said.code, said.row, said.field) for said in found] == [
        ("text_missing", 2, "bank_name"),
        ("text_missing", 2, "cnaps"),
    ]
    with pytest.raises(BatchRefused):
        made(of)


def test_more_rows_than_the_bank_takes_are_too_many() -> None:
    small = TEMPLATE.model_copy(update={"rows_max": 2})
    assert [said.code for said in check_for_sheet(batch(), small)] == ["batch_too_large"]


def test_the_sheet_is_held_against_the_batch_cell_by_cell() -> None:
    of = batch()
    content = made(of)
    assert check_sheet(content, of, TEMPLATE, YUAN) == []
    assert isinstance(of.payments, tuple)
    first, second, third = of.payments
    changes = {
        "amount": replace(second, amount_minor=2),
        "end_to_end_id": replace(second, end_to_end_id="x"),
        "remark": replace(second, remark="other"),
        "name": replace(second, creditor=replace(second.creditor, name="other")),
        "account": replace(second, creditor=replace(second.creditor, account=Account("1234567", BBAN))),
        "cnaps": replace(second, creditor=replace(second.creditor, agent=replace(ICBC, member_id="1"))),
    }
    for field, changed in changes.items():
        other = replace(of, payments=(first, changed, third))
        found = check_sheet(content, other, TEMPLATE, YUAN)
        assert [(said.code, said.row, said.field) for said in found] == [("file_differs", 2, field)]
    for other in (replace(of, payments=(first, second)), replace(of, payments=(*of.payments, payment(9)))):
        assert [said.field for said in check_sheet(content, other, TEMPLATE, YUAN)] == ["number"]
    english = TEMPLATE.model_copy(update={"language": "en"})
    assert [said.field for said in check_sheet(content, of, english, YUAN)] == ["file"]


def test_the_sheet_is_handed_over_as_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "batch.xlsx"
    done = hand_over(batch(), path, rules=YUAN, works=works, template=TEMPLATE)
    assert path.read_bytes() == made(batch())
    assert done.totals.number == 3


@pytest.mark.parametrize("field", sorted(FIELDS - {"creditor_name", "creditor_account", "amount"}))
def test_every_field_can_have_a_column(field: str) -> None:
    template = SheetTemplate(name=TEMPLATE.name, columns=columns(field))
    target = BytesIO()
    write_sheet(batch(), template, YUAN, target)
    assert check_sheet(target.getvalue(), batch(), template, YUAN) == []


NAME = {"zh": "x", "en": "x"}


@pytest.mark.parametrize(
    "template",
    [
        {"name": NAME, "columns": []},
        {"name": NAME, "columns": [{"header": NAME, "field": "amount"}]},
        {"name": NAME, "columns": [{"header": NAME, "field": "no such thing"}]},
        {"name": NAME, "columns": [{"header": NAME, "field": "creditor_name", "format": "amount"}]},
        {
            "name": NAME,
            "columns": [
                {"header": NAME, "field": f} for f in ("creditor_name", "creditor_account", "amount")
            ],
        },
        {"name": NAME, "sheet": "a/b", "columns": [c.model_dump() for c in columns()]},
        {"name": NAME, "nonsense": 1, "columns": [c.model_dump() for c in columns()]},
    ],
    ids=[
        "empty",
        "pays nobody",
        "unknown field",
        "a name as an amount",
        "one header twice",
        "title",
        "unknown key",
    ],
)
def test_a_template_that_cannot_be_is_refused_when_it_is_read(template: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SheetTemplate.model_validate(template)


def test_the_example_says_that_it_is_one() -> None:
    assert TEMPLATE.example
    assert "示例" in TEMPLATE.name.zh and "example" in TEMPLATE.name.en


def test_a_thousand_rows_come_back_in_order() -> None:
    draws = random.Random(11)
    of = batch([payment(n, amount=draws.randint(1, 10**12)) for n in range(1000)])
    rows = cells(made(of))[1:]
    assert [row[-1] for row in rows] == [one.end_to_end_id for one in of.payments]

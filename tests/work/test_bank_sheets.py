"""A bank that takes a spreadsheet gets one in its own columns, and its statement settles the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings
from milepost.bank.desk import template_at
from milepost.bank.files import sheet
from milepost.bank.files.xlsx import read_workbook
from tests.invariants.conftest import Found
from tests.work.files_scene import Loop

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("bank_sheets")
ID = '\n[[columns]]\nheader = { zh = "业务编号", en = "Id" }\nfield = "end_to_end_id"\nneeded = true\n'


def test_a_batch_goes_as_the_banks_own_sheet_and_its_statement_settles_it(
    found: Found, tmp_path: Path
) -> None:
    example = Path(sheet.__file__).with_name("sheet_example.toml").read_text(encoding="utf-8")
    # This bank finds the payee's bank by the account, and says the id again in its statement.
    needed = 'field = "creditor_cnaps"\nneeded = true'
    assert needed in example
    columns = tmp_path / "columns.toml"
    columns.write_text(example.replace(needed, 'field = "creditor_cnaps"') + ID, encoding="utf-8")
    template = template_at(columns)
    assert template is not None
    town = found()
    town.vote()
    loop = Loop(town, tmp_path)
    loop.desk, loop.bank.template = replace(loop.desk, template=template), template
    payments = loop.released(2)
    batch = loop.batch()
    assert loop.send().sent == [f"{batch.hex}.xlsx"]
    rows = [[cell.text for cell in cells] for _, cells in read_workbook(loop.desk.out / f"{batch.hex}.xlsx")]
    assert rows[0] == [template.header(column) for column in template.columns]
    assert {row[-1] for row in rows[1:]} == {payment.hex for payment in payments}
    assert town.one("SELECT kind FROM bank_file WHERE batch_id = %s", batch) == "sheet"
    assert loop.taken() == [batch.hex] and loop.send().sent == []
    loop.put(*loop.bank.reports(loop.today()), *loop.bank.statements(loop.today()))
    assert loop.read().outcomes == {"settled": 2}
    assert (town.state("batch", batch), loop.open()) == ("closed", [])
    assert loop.bank.paid(loop.today()) == {payment.hex: 400_000 for payment in payments}


def test_a_sheet_without_its_columns_stops_the_start() -> None:
    with pytest.raises(ValueError, match="MILEPOST_BANK_SHEET"):
        Settings(bank_format="sheet")

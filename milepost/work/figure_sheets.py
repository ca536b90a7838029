"""Figures as spreadsheets: numbers as numbers, money with its currency's decimals, text that is no formula.

A column is text, a whole number, a day or money; money is given in minor units. The last row is the totals.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from config.programmes import Text
from milepost.importing.sheets import neutral
from schema.money import Money, currency

Kind = Literal["text", "number", "day", "money"]
ENDINGS = ("xlsx", "csv")
MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head and what it holds; the money of one sheet is of one currency each row."""

    head: Text
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of figures: rows as wide as its columns, each with the currency of its money."""

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[str, Sequence[Any]]]
    totals: Sequence[tuple[str, Sequence[Any]]]
    notes: Sequence[Text] = ()


def written(sheet: Sheet, ending: str) -> bytes:
    """The sheet as the bytes of an xlsx or CSV file, heads in both languages."""
    return _csv(sheet) if ending == "csv" else _xlsx(sheet)


def _value(kind: Kind, given: Any, money: str) -> Any:
    if given is None:
        return None
    if kind == "money":
        return Money(given, money).major
    if kind == "number":
        return int(given)
    return given if kind == "day" else neutral(str(given))


def _csv(sheet: Sheet) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([f"{c.head.zh} · {c.head.en}" for c in sheet.columns])
    for money, row in (*sheet.rows, *sheet.totals):
        values = [_value(c.kind, v, money) for c, v in zip(sheet.columns, row, strict=True)]
        writer.writerow(["" if v is None else f"{v:f}" if isinstance(v, Decimal) else str(v) for v in values])
    return text.getvalue().encode("utf-8-sig")


def _xlsx(sheet: Sheet) -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font

    book = Workbook()
    page: Any = book.active
    page.title = sheet.title
    page.freeze_panes = "B2"
    page.append([f"{c.head.zh} · {c.head.en}" for c in sheet.columns])
    for money, row in (*sheet.rows, *sheet.totals):
        page.append([_value(c.kind, v, money) for c, v in zip(sheet.columns, row, strict=True)])
        for column, cell in zip(sheet.columns, page[page.max_row], strict=True):
            cell.number_format = _format(column.kind, money)
            cell.alignment = Alignment(vertical="top", wrap_text=column.kind == "text")
    for cell in page[1]:
        cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="top")
    for number in range(page.max_row - len(sheet.totals) + 1, page.max_row + 1):
        for cell in page[number]:
            cell.font = Font(bold=True)
    for index, column in enumerate(sheet.columns):
        page.column_dimensions[chr(ord("A") + index)].width = 18 if column.kind != "text" else 26
    if sheet.notes:
        notes: Any = book.create_sheet("说明 Notes")
        for note in sheet.notes:
            notes.append([neutral(note.zh), neutral(note.en)])
        for letter in "AB":
            notes.column_dimensions[letter].width = 70
        for row in notes.iter_rows():
            for cell in row:
                cell.alignment = Alignment(vertical="top", wrap_text=True)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def _format(kind: Kind, money: str) -> str:
    if kind == "money" and money:
        places = currency(money).decimals
        return "#,##0" + ("." + "0" * places if places else "")
    return {"number": "0", "day": "yyyy-mm-dd"}.get(kind, "@")


__all__ = ["ENDINGS", "MEDIA", "Column", "Sheet", "written"]

"""Reads and writes tables as offices keep them, xlsx and CSV; nothing in a cell is ever evaluated.

A text that a spreadsheet would take for a formula (it begins with = + - @) goes out behind an apostrophe and
comes back without it, the same to the letter. A cell that holds a formula is read as a problem, not a value.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from milepost.importing.tables import FileRefused

Written = str | Decimal
"""What a cell that is written may hold."""

ENDINGS = ("xlsx", "csv")
ROWS_MAX = 20_000
COLUMNS_MAX = 60
UNPACKED_MAX = 200 * 1024 * 1024
EXACT_MAX = 10**15
"""A spreadsheet keeps fifteen digits of a number; longer ones have lost their last."""
_FORMULA_LIKE = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")

Problem = tuple[str, str, str]
"""A stable code and the words for it in Chinese and English."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says as text, or why that cannot be told."""

    text: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row with its number as a spreadsheet shows it."""

    number: int
    cells: list[Cell]


def neutral(text: str) -> str:
    """A text as it may stand in a spreadsheet without being taken for a formula."""
    return f"'{text}" if _FORMULA_LIKE.match(text) else text


def original(text: str) -> str:
    """The text behind ``neutral``."""
    return text[1:] if _QUOTED.match(text) else text


# Reading ------------------------------------------------------------------------------------------------


def read_sheet(file: str, content: bytes) -> list[SheetRow]:
    """The rows of a CSV file or of an xlsx file's first sheet, blank ones left out; else ``FileRefused``."""
    ending = file.rpartition(".")[2].lower()
    if ending not in ENDINGS:
        raise FileRefused(
            file,
            "file_kind",
            "只接受 .xlsx 或 .csv 文件。请另存为其中一种。",
            "only .xlsx and .csv files are taken. Save it as one of them.",
        )
    rows = _from_xlsx(file, content) if ending == "xlsx" else _from_csv(file, content)
    kept: list[SheetRow] = []
    for number, cells in enumerate(rows, start=1):
        if number > ROWS_MAX + 1:
            raise FileRefused(
                file,
                "rows_too_many",
                f"超过 {ROWS_MAX} 行。请分成几个文件。",
                f"it has more than {ROWS_MAX} rows. Split it into several files.",
            )
        if any(cell.text or cell.problem for cell in cells):
            kept.append(SheetRow(number, cells))
    return kept


def _from_csv(file: str, content: bytes) -> Iterator[list[Cell]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(
            file,
            "file_not_utf8",
            "编码不是 UTF-8。请另存为“CSV UTF-8”或 .xlsx 后重试。",
            "it is not UTF-8. Save it as “CSV UTF-8” or .xlsx and try again.",
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for record in reader:
            yield [Cell(original(value.strip())) for value in record[:COLUMNS_MAX]]
    except csv.Error:
        raise FileRefused(
            file,
            "file_not_csv",
            f"第 {reader.line_num} 行起无法按 CSV 读取。请检查引号是否成对。",
            f"from line {reader.line_num} on it is not readable as CSV. "
            "Check that every quotation mark has its partner.",
        ) from None


def _from_xlsx(file: str, content: bytes) -> Iterator[list[Cell]]:
    from openpyxl import load_workbook

    broken = FileRefused(
        file,
        "file_unreadable",
        "无法作为 .xlsx 打开。请用表格软件重新保存，或另存为 CSV UTF-8。",
        "it cannot be opened as .xlsx. Save it again with a spreadsheet program, or as CSV UTF-8.",
    )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(member.file_size for member in packed.infolist()) > UNPACKED_MAX:
                raise broken
        book = load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for row in sheet.iter_rows(max_row=ROWS_MAX + 2, max_col=COLUMNS_MAX):
            yield [_cell(cell) for cell in row]
    except FileRefused:
        raise
    except Exception as error:
        # The library answers a broken file with whatever its insides run into; all of it means one thing.
        raise broken from error


def _cell(cell: Any) -> Cell:
    value, kind = cell.value, getattr(cell, "data_type", "n")
    if value is None:
        return Cell()
    if kind == "f" or not isinstance(value, str | int | float | date):
        return Cell(
            problem=(
                "cell_is_a_formula",
                "单元格是公式，系统不计算公式。请改为填写结果（选择性粘贴“值”）。",
                "The cell holds a formula, and formulas are not evaluated. Put the result there as a value.",
            )
        )
    if kind == "e":
        return Cell(
            problem=(
                "cell_is_an_error",
                f"单元格显示错误 {value}。请更正。",
                f"The cell shows the error {value}. Correct it.",
            )
        )
    if isinstance(value, bool):
        return Cell("TRUE" if value else "FALSE")
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime):
        return Cell(value.date().isoformat())
    if isinstance(value, date):
        return Cell(value.isoformat())
    return Cell(original(value.strip().replace("\r\n", "\n")))


def _number(value: float) -> Cell:
    if abs(value) >= EXACT_MAX:
        return Cell(
            problem=(
                "number_too_long",
                "数字超过 15 位，表格软件已丢失末位。请把单元格格式设为“文本”后重新填写。",
                "A number of more than 15 digits has lost its last ones in the spreadsheet. "
                "Format the cell as text and type it again.",
            )
        )
    return Cell(str(int(value)) if value == int(value) else repr(value))


# Writing ------------------------------------------------------------------------------------------------


def write_sheet(
    ending: str,
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Written]],
    notes: tuple[str, Sequence[Sequence[str]]] | None = None,
) -> bytes:
    """A table as the bytes of an xlsx or CSV file; ``notes``: a second sheet's title and rows, xlsx only.

    A ``Decimal`` becomes a number that can be added up, with as many decimals as it has; all else is text.
    """
    return _to_csv(header, rows) if ending == "csv" else _to_xlsx(title, header, rows, notes)


def _written(value: Written) -> Written:
    return value if isinstance(value, Decimal) else neutral(value)


def _number_format(value: Decimal) -> str:
    exponent = value.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"#,##0.{'0' * places}" if places else "#,##0"


def _to_csv(header: Sequence[str], rows: Iterable[Sequence[Written]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_written(value) for value in row] for row in rows)
    # The mark at the beginning tells spreadsheet programs that it is UTF-8.
    return text.getvalue().encode("utf-8-sig")


def _to_xlsx(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Written]],
    notes: tuple[str, Sequence[Sequence[str]]] | None,
) -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheets: list[tuple[Any, str, Sequence[Sequence[Written]]]] = [(book.active, title, [header, *rows])]
    if notes is not None:
        sheets.append((book.create_sheet(), notes[0], notes[1]))
    for sheet, name, lines in sheets:
        sheet.title = name
        sheet.freeze_panes = "B2"
        for index in range(1, len(header) + 1):
            column = sheet.column_dimensions[get_column_letter(index)]
            # As text, so that the long numbers that people type later keep their digits.
            column.width, column.number_format = 24, "@"
        for line in lines:
            sheet.append([_written(value) for value in line])
        for row in sheet.iter_rows():
            for cell in row:
                cell.number_format = _number_format(cell.value) if isinstance(cell.value, Decimal) else "@"
                cell.alignment = Alignment(vertical="top", wrap_text=True)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


__all__ = [
    "ENDINGS",
    "ROWS_MAX",
    "Cell",
    "Problem",
    "SheetRow",
    "Written",
    "neutral",
    "original",
    "read_sheet",
    "write_sheet",
]

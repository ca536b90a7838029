"""A workbook of one sheet: written so that the same cells give the same bytes, read without trust.

Every text is written as a text (an inline string), never as a formula, and cells whose text begins like one
are marked so that it stays a text when somebody edits it. Times stand nowhere in the file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any, BinaryIO, Literal

from milepost.bank.files.findings import FileUnreadable, finding
from milepost.bank.files.markup import safe
from milepost.bank.files.xml import OPENING_MAX, Source, opened, refuse_disguise

Kind = Literal["text", "number", "amount", "header"]

UNPACKED_MAX = 128 * 2**20
MEMBERS_MAX = 200
ROWS_MAX = 200_000
COLUMNS_MAX = 60
# A spreadsheet computes in floating point, which carries fifteen digits and no more.
DIGITS_MAX = 15

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_BEFORE_CHRISTMAS = (1980, 1, 1, 0, 0, 0)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# The cell formats by their place in the style sheet below.
_TEXT, _QUOTED, _WHOLE, _HEADER, _DECIMALS = 1, 2, 3, 4, {0: 3, 2: 5, 3: 6}


@dataclass(frozen=True, slots=True)
class Cell:
    """What goes into a cell: a text, a whole number, an amount (``decimals`` shown), or a header."""

    kind: Kind
    value: str
    decimals: int = 0


def write_workbook(
    target: BinaryIO, title: str, rows: Iterable[Sequence[Cell]], *, number: int, widths: Sequence[int]
) -> None:
    """Write one sheet of ``number`` rows, one by one; memory does not grow with them. A width a column."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package:
        for name, text in _parts(title).items():
            package.writestr(_member(name), text)
        with package.open(_member("xl/worksheets/sheet1.xml"), "w") as sheet:
            sheet.write(_sheet_head(number, widths).encode())
            for at, row in enumerate(rows, start=1):
                cells = "".join(_cell(cell, f"{_letters(n)}{at}") for n, cell in enumerate(row))
                sheet.write(f'<row r="{at}">{cells}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_BEFORE_CHRISTMAS)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 0
    return info


def _cell(cell: Cell, place: str) -> str:
    if cell.kind in ("number", "amount"):
        style = _WHOLE if cell.kind == "number" else _DECIMALS.get(cell.decimals, _WHOLE)
        return f'<c r="{place}" s="{style}"><v>{safe(cell.value)}</v></c>'
    if not cell.value:
        return ""
    style = _HEADER if cell.kind == "header" else _TEXT
    if cell.value.startswith(_FORMULA_STARTS):
        style = _QUOTED
    text = safe(cell.value)
    return f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _letters(place: int) -> str:
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _sheet_head(number: int, widths: Sequence[int]) -> str:
    columns = "".join(
        f'<col min="{n}" max="{n}" width="{width}" customWidth="1"/>'
        for n, width in enumerate(widths, start=1)
    )
    # Readers that find no size here read the whole sheet once to learn it.
    size = f'<dimension ref="A1:{_letters(len(widths) - 1)}{number}"/>'
    return f'{_HEAD}<worksheet xmlns="{_MAIN}">{size}<cols>{columns}</cols><sheetData>'


def _parts(title: str) -> dict[str, str]:
    types = f'<Types xmlns="{_PACKAGE}/content-types">' + "".join(
        (
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>',
            '<Default Extension="xml" ContentType="application/xml"/>',
            f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>',
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_CONTENT}.worksheet+xml"/>',
            f'<Override PartName="/xl/styles.xml" ContentType="{_CONTENT}.styles+xml"/>',
            "</Types>",
        )
    )
    workbook = (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}"><sheets>'
        f'<sheet name="{safe(title)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    return {
        "[Content_Types].xml": _HEAD + types,
        "_rels/.rels": _HEAD + _relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": _HEAD + workbook,
        "xl/_rels/workbook.xml.rels": _HEAD
        + _relations(("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")),
        "xl/styles.xml": _HEAD + _styles(),
    }


def _relations(*targets: tuple[str, str]) -> str:
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATED}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{related}</Relationships>'


def _styles() -> str:
    def format_of(number: int, font: int = 0, more: str = "") -> str:
        return (
            f'<xf numFmtId="{number}" fontId="{font}" fillId="0" borderId="0" xfId="0" '
            f'applyNumberFormat="1"{more}/>'
        )

    # 49 is text, 1 is 0, 2 is 0.00 in every spreadsheet; 164 is the first number that is ours to give.
    formats = "".join(
        (
            '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>',
            format_of(49),
            format_of(49, more=' quotePrefix="1"'),
            format_of(1),
            format_of(49, font=1, more=' applyFont="1"'),
            format_of(2),
            format_of(164),
        )
    )
    return "".join(
        (
            f'<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="0.000"/>',
            '</numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>',
            '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>',
            '<fills count="2"><fill><patternFill patternType="none"/></fill>',
            '<fill><patternFill patternType="gray125"/></fill></fills>',
            "<borders count='1'><border><left/><right/><top/><bottom/><diagonal/></border></borders>",
            "<cellStyleXfs count='1'><xf numFmtId='0' fontId='0' fillId='0' borderId='0'/></cellStyleXfs>",
            f'<cellXfs count="7">{formats}</cellXfs>',
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>',
            "</styleSheet>",
        )
    )


# -- reading -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """What stands in a cell: a text, a number as an exact decimal, nothing, or a formula or an error."""

    kind: Literal["text", "number", "blank", "formula"]
    text: str


_BLANK = Read("blank", "")


def read_workbook(source: Source, *, columns_max: int = COLUMNS_MAX) -> Iterator[tuple[int, list[Read]]]:
    """The rows of the first sheet with their numbers, blank ones left out; `FileUnreadable` if it is none.

    What stands beyond ``columns_max`` is not looked at: the time it takes grows with the columns allowed.
    """
    handle = opened(source)
    content = handle.read()
    if handle is not source:
        handle.close()
    _unpacks_safely(content)
    # The library takes its time to load, and most of us never read a workbook.
    from openpyxl import load_workbook

    try:
        book = load_workbook(BytesIO(content), read_only=True, data_only=False, keep_links=False)
        sheet = book.worksheets[0]
        # A sheet may claim a size it does not have, and a reader that believes it walks a million rows.
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(max_col=columns_max), start=1):
            if number > ROWS_MAX:
                raise FileUnreadable(finding("sheet_too_long", "file", most=ROWS_MAX))
            cells = [_read(cell) for cell in row]
            while cells and cells[-1].kind == "blank":
                cells.pop()
            if cells:
                yield number, cells
    except FileUnreadable:
        raise
    except Exception as error:  # The library raises whatever it stumbles over; none of it is ours.
        raise _broken(f"{type(error).__name__}: {error}") from None


def _read(cell: Any) -> Read:
    value = cell.value
    if value is None:
        return _BLANK
    if cell.data_type in ("f", "e"):
        return Read("formula", str(value)[:80])
    if isinstance(value, bool):
        return Read("text", str(value))
    if isinstance(value, int | float):
        # The shortest text that gives the same number back is what was typed.
        return Read("number", f"{Decimal(repr(value)):f}")
    if hasattr(value, "isoformat"):
        return Read("text", value.isoformat())
    text = str(value).strip()
    return Read("text", text) if text else _BLANK


def _unpacks_safely(content: bytes) -> None:
    """Refuse what is no package, unpacks to too much, or holds XML with a DOCTYPE."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as package:
            members = package.infolist()
            if len(members) > MEMBERS_MAX or sum(m.file_size for m in members) > UNPACKED_MAX:
                raise FileUnreadable(finding("file_too_large", "file", most=UNPACKED_MAX))
            for member in members:
                if member.file_size:
                    with package.open(member) as part:
                        _refuse_hidden_xml(member.filename, part.read(OPENING_MAX))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _broken(str(error)) from None


def _refuse_hidden_xml(name: str, head: bytes) -> None:
    """A part is XML by what it holds and not by its name, which the package's author chooses."""
    begins = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\0")[:1] == b"<"
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    if begins or wide or name.endswith((".xml", ".rels")):
        refuse_disguise(head)


def _broken(what: str) -> FileUnreadable:
    return FileUnreadable(finding("workbook_broken", "file", what=what[:200]))


__all__ = ["DIGITS_MAX", "Cell", "Read", "read_workbook", "write_workbook"]

"""Reads a CSV file into rows that know where they stand; what cannot be read is refused by row.

A row is numbered as a spreadsheet shows it: the header is row 1. UTF-8 with or without a mark, LF or CRLF.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schema.money import Explained

_UNDECODED = range(0xDC80, 0xDD00)  # where ``surrogateescape`` keeps the bytes that are not UTF-8


@dataclass(frozen=True, slots=True)
class Finding:
    """Something said about a row: its place, whose it is, a stable code, the words in both languages."""

    file: str
    row: int
    project: str
    code: str
    zh: str
    en: str

    def as_json(self) -> dict[str, Any]:
        """The finding as a program reads it."""
        reason = {"zh": self.zh, "en": self.en}
        return {
            "file": self.file,
            "row": self.row,
            "project": self.project,
            "code": self.code,
            "reason": reason,
        }


class FileRefused(Explained):
    """A whole file that cannot be taken: it is missing, unreadable, or lacks a column."""

    def __init__(self, file: str, code: str, zh: str, en: str) -> None:
        super().__init__(code, f"{file}：{zh}", f"{file}: {en}")
        self.file = file

    def __reduce__(self) -> Any:
        return _again, (self.file, self.code, self.zh, self.en)


def _again(file: str, code: str, zh: str, en: str) -> FileRefused:
    return FileRefused(file, code, zh.removeprefix(f"{file}："), en.removeprefix(f"{file}: "))


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number and its cells by column, blanks around them taken off."""

    number: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclass(slots=True)
class Table:
    """A file's rows, the ones that were refused, and what was noticed."""

    file: str
    rows: list[Row] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)


def read_table(path: Path, columns: Sequence[str]) -> Table:
    """The rows of a file that has at least these columns, or ``FileRefused``."""
    table = Table(path.name)
    records = _records(path, table)
    header = [cell.strip() for cell in records[0]] if records else []
    _check_header(path.name, header, columns)
    extra = [name for name in header if name not in columns]
    if extra:
        names = ", ".join(extra)
        table.remarks.append(
            Finding(
                path.name,
                1,
                "",
                "columns_ignored",
                f"多出的列未使用：{names}。",
                f"These extra columns are not used: {names}.",
            )
        )
    for number, record in enumerate(records[1:], start=2):
        if not any(cell.strip() for cell in record):
            continue  # A blank line says nothing.
        cells = dict(zip(header, (cell.strip() for cell in record), strict=False))
        problem = _problem_of(record, header)
        if problem is None:
            table.rows.append(Row(number, cells))
        else:
            whose = cells.get("project", "") if problem[0] != "row_not_utf8" else ""
            table.refused.append(Finding(path.name, number, whose, *problem))
    return table


def _records(path: Path, table: Table) -> list[list[str]]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise FileRefused(
            path.name,
            "file_missing",
            f"文件夹 {path.parent} 中没有此文件。请放入后重试。",
            f"there is no such file in {path.parent}. Put it there and try again.",
        ) from None
    except OSError as error:
        raise FileRefused(
            path.name,
            "file_unreadable",
            f"无法读取（{error.strerror}）。请检查权限。",
            f"it cannot be read ({error.strerror}). Check its permissions.",
        ) from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _not_utf8(path.name)
    text = raw.decode("utf-8-sig", errors="surrogateescape")
    records: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), strict=True):
            records.append(record)
    except csv.Error as error:
        # What came before stands; from here on it cannot be told where a cell ends.
        table.refused.append(
            Finding(
                path.name,
                len(records) + 1,
                "",
                "row_not_csv",
                f"从此行起无法按 CSV 读取（{error}）。请检查引号是否成对。",
                f"From this row on the file is not readable as CSV ({error}). "
                "Check that every quotation mark has its partner.",
            )
        )
    return records


def _not_utf8(file: str) -> FileRefused:
    return FileRefused(
        file,
        "file_not_utf8",
        "编码不是 UTF-8。请另存为“CSV UTF-8”后重试。",
        "it is not UTF-8. Save it as “CSV UTF-8” and try again.",
    )


def _check_header(file: str, header: Sequence[str], columns: Sequence[str]) -> None:
    if any(_undecoded(cell) for cell in header):
        raise _not_utf8(file)
    missing = [name for name in columns if name not in header]
    if missing:
        names = ", ".join(missing)
        raise FileRefused(
            file,
            "column_missing",
            f"缺少列：{names}。第一行须为列名。",
            f"the columns {names} are missing. The first row names the columns.",
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        names = ", ".join(twice)
        raise FileRefused(
            file,
            "column_repeated",
            f"列名重复：{names}。请只保留一列。",
            f"the columns {names} appear more than once. Keep one of each.",
        )


def _undecoded(text: str) -> bool:
    return any(ord(character) in _UNDECODED for character in text)


def _problem_of(record: Sequence[str], header: Sequence[str]) -> tuple[str, str, str] | None:
    if any(_undecoded(cell) for cell in record):
        return (
            "row_not_utf8",
            "此行编码不是 UTF-8。请另存为“CSV UTF-8”。",
            "The row is not UTF-8. Save the file as “CSV UTF-8”.",
        )
    if any(ord(character) < 32 for cell in record for character in cell):
        return (
            "row_has_control_characters",
            "此行含有换行或不可见的控制字符。请删除。",
            "The row has line breaks or invisible control characters in a cell. Remove them.",
        )
    if len(record) != len(header):
        return (
            "cells_miscounted",
            f"此行有 {len(record)} 个单元格，表头有 {len(header)} 个。请检查逗号与引号。",
            f"The row has {len(record)} cells, the header {len(header)}. Check commas and quotation marks.",
        )
    return None

"""The columns of the expert pool's spreadsheet: what each is called, how its cells are read and written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from config.programmes import Text
from milepost.experts.permits import ExpertError
from milepost.experts.profile import (
    KIND_LABELS,
    LANGUAGE_LABELS,
    identity_in,
    kinds_in,
    languages_in,
    load_in,
    phone_in,
    region_in,
)
from milepost.experts.records import Unit
from milepost.experts.subjects import subject_in, subjects_in

_DAY = r"(?:\d{4}-\d{2}-\d{2})?"
_UNIT = re.compile(rf"(?P<name>.*?)\s*(?:\|\s*(?P<from>{_DAY})\s*(?:\|\s*(?P<to>{_DAY})\s*)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the sheet: its key, its name, and what belongs there."""

    key: str
    name: Text
    hint: Text

    @property
    def head(self) -> str:
        """The header's cell, in both languages."""
        return f"{self.name.zh} · {self.name.en}"


def _column(key: str, zh: str, en: str, hint_zh: str, hint_en: str) -> Column:
    return Column(key, Text(zh=zh, en=en), Text(zh=hint_zh, en=hint_en))


def _either(labels: Mapping[str, Text]) -> tuple[str, str]:
    return "、".join(label.zh for label in labels.values()), ", ".join(label.en for label in labels.values())


_KINDS, _LANGUAGES = _either(KIND_LABELS), _either(LANGUAGE_LABELS)
COLUMNS = (
    _column(
        "login", "登录名", "Login", "必填，每人唯一，如 zhangwei", "Needed; one a person, such as zhangwei"
    ),
    _column("name", "姓名", "Name", "新专家必填", "Needed for a new expert"),
    _column("email", "邮箱", "Mail address", "用于新账户；已有账户的邮箱不变", "For a new account only"),
    _column("kinds", "类别", "Kinds", f"{_KINDS[0]}；多项用分号", f"{_KINDS[1]}; several with semicolons"),
    _column("region", "地区", "Region", "部门路径，如 /liuzhou/", "An office's path, such as /liuzhou/"),
    _column("yearly_load", "每年任务数", "Tasks a year", "整数，如 10", "A whole number, such as 10"),
    _column("title", "职称", "Title", "如 教授", "Such as Professor"),
    _column(
        "languages", "语言", "Languages", f"{_LANGUAGES[0]}；空白为中文", f"{_LANGUAGES[1]}; blank: Chinese"
    ),
    _column(
        "fields",
        "学科代码",
        "Subject codes",
        "GB/T 13745 的 3、5 或 7 位代码，多项用分号，如 460; 520.20",
        "Codes of 3, 5 or 7 digits (GB/T 13745), such as 460; 520.20",
    ),
    _column(
        "units",
        "单位",
        "Units",
        "每行一个：单位 | 起始日 | 结束日，如 广西大学 | 2015-09-01 |",
        "One a line: unit | first day | last day, such as Guangxi University | 2015-09-01 |",
    ),
    _column(
        "phone", "电话", "Telephone", "如 13900000000 或 +43 1 58801", "Such as 13900000000 or +43 1 58801"
    ),
    _column(
        "identity_no",
        "证件号码",
        "Identity number",
        "只用于查重，仅保存加密摘要，不会导出。请设为文本格式",
        "For finding duplicates; only a keyed hash is kept and it is never exported. Format it as text",
    ),
    _column("profile", "简介", "Profile", "研究方向与经历", "Fields of work and experience"),
    _column("standing", "状态", "Standing", "仅供查看，导入时不使用", "To be read only; not used on import"),
)
BY_KEY: Mapping[str, Column] = {column.key: column for column in COLUMNS}


# Cells of several values --------------------------------------------------------------------------------


def several(text: str) -> list[str]:
    """The values in a cell of several words."""
    return [part for part in re.split(r"[;；,，、/\s]+", text) if part]


def codes_of(text: str) -> list[str]:
    """The subject codes in a cell, or first levels by name; blanks part codes but not the words of a name."""
    found: list[str] = []
    for piece in (piece.strip() for piece in re.split(r"[;；,，\n]+", text)):
        if re.fullmatch(r"[\d.\s、]+", piece, re.ASCII):
            found += re.split(r"[\s、]+", piece)
        elif piece:
            found.append(piece)
    return [subject_in(piece) for piece in found if piece]


def units_of(text: str) -> list[Unit]:
    """The units in a cell, one a line."""
    units = []
    for line in text.splitlines():
        match = _UNIT.fullmatch(line.strip())
        if match is None or not match["name"]:
            continue
        if re.search(r"\|\s*\S+\s*$", line) and match["from"] is None:
            raise _unit_unreadable(line)
        units.append(Unit(match["name"], _day(match["from"], line), _day(match["to"], line)))
    return units


def _day(text: str | None, line: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _unit_unreadable(line) from None


def _unit_unreadable(line: str) -> ExpertError:
    return ExpertError(
        "unit_unreadable",
        f"“{line.strip()[:60]}”不可读。请写成：单位 | 2015-09-01 | 2020-08-31，没有的日期留空。",
        f"{line.strip()[:60]!r} is not readable. Write: unit | 2015-09-01 | 2020-08-31; days may be blank.",
    )


READERS: Mapping[str, Callable[[str], Any]] = {
    "kinds": lambda text: kinds_in(several(text)),
    "region": region_in,
    "yearly_load": load_in,
    "languages": lambda text: languages_in(several(text)),
    "fields": lambda text: subjects_in(codes_of(text)),
    "units": units_of,
    "phone": phone_in,
    "identity_no": identity_in,
}


# Cells as they go out -----------------------------------------------------------------------------------

_STANDING = {
    "available": "可用 available",
    "absent": "暂不便 absent",
    "banned": "禁评 banned",
    "retired": "已退出 retired",
}


def cell_of(row: Mapping[str, Any], key: str) -> str:
    """What an entry says in a column; an identity number is nowhere to be had."""
    if key == "identity_no":
        return ""
    value = row[key]
    if key == "units":
        return "\n".join(_unit_cell(unit) for unit in value)
    if key == "standing":
        return _STANDING[value]
    labels = {"kinds": KIND_LABELS, "languages": LANGUAGE_LABELS}.get(key)
    if labels is not None:
        return "; ".join(labels[name].zh for name in value)
    return "; ".join(value) if key == "fields" else str(value)


def _unit_cell(unit: Mapping[str, Any]) -> str:
    days = [unit["from_on"] or "", unit["to_on"] or ""]
    name = str(unit["unit_name"])
    return " | ".join([name, *days]).rstrip() if any(days) or "|" in name else name


__all__ = ["BY_KEY", "COLUMNS", "READERS", "Column", "cell_of", "codes_of", "several", "units_of"]

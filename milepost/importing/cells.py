"""Reads single cells: a name, a whole number, a day, a sum. What is wrong is said in both languages."""

from __future__ import annotations

import re
from datetime import date

from schema.money import Explained, Money

FIRST_DAY, LAST_DAY = date(2000, 2, 1), date(2099, 12, 31)
SUM_MAX = 9_000_000_000_000_000  # what a step takes as a sum (``schema.inputs.Minor``)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class CellError(Explained):
    """A cell that cannot be taken as it stands."""


def name_in(text: str) -> str:
    """A grant's short name: letters, digits, point, underscore, hyphen."""
    if not text:
        raise CellError(
            "project_missing",
            "没有项目名。请填写 project。",
            "There is no project name. Fill in project.",
        )
    if not _NAME.fullmatch(text):
        raise CellError(
            "project_unreadable",
            f"项目名“{text[:60]}”只能含字母、数字、点、下划线和连字符，且不超过 120 个字符。",
            f"The project name {text[:60]!r} may have letters, digits, points, underscores and hyphens only, "
            "120 at most.",
        )
    return text


def whole_in(text: str, column: str, most: int = 1_000_000) -> int:
    """A whole number from 0 to ``most``."""
    if text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= most:
        return int(text)
    raise CellError(
        "number_unreadable",
        f"{column} 须为 0 到 {most} 的整数，收到的是“{text[:40]}”。",
        f"{column} is a whole number from 0 to {most}, not {text[:40]!r}.",
    )


def day_in(text: str, column: str) -> date:
    """A day as 2021-06-18, in the years that can be lived through."""
    day: date | None = None
    if _DAY.fullmatch(text):
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
    if day is None:
        raise CellError(
            "date_unreadable",
            f"{column} 须写成 2021-06-18 这样的日期，收到的是“{text[:40]}”。",
            f"{column} is a day written like 2021-06-18, not {text[:40]!r}.",
        )
    if not FIRST_DAY <= day <= LAST_DAY:
        raise CellError(
            "date_out_of_range",
            f"{column} 的日期 {day} 不在 {FIRST_DAY} 至 {LAST_DAY} 之间。请检查年份。",
            f"{column} says {day}, which is not between {FIRST_DAY} and {LAST_DAY}. Check the year.",
        )
    return day


def sum_in(text: str, currency: str, column: str) -> Money:
    """A positive sum in a currency, exactly as written."""
    money = Money.parse(text, currency, allow_negative=False)
    if not 0 < money.minor <= SUM_MAX:
        raise CellError(
            "amount_not_payable",
            f"{column} 须大于零且不超过可记录的上限，收到的是“{text[:40]}”。",
            f"{column} must be above zero and no more than can be kept, not {text[:40]!r}.",
        )
    return money


def people_in(text: str) -> tuple[str, ...]:
    """The evaluators named, in the order written, blanks or semicolons between them."""
    names = tuple(dict.fromkeys(re.split(r"[\s;]+", text))) if text else ()
    for name in names:
        if not _PERSON.fullmatch(name):
            raise CellError(
                "evaluator_unreadable",
                f"评价人代号“{name[:40]}”不可读。请写成 E01 E02。",
                f"{name[:40]!r} is not a readable evaluator. Write them like E01 E02.",
            )
    return names

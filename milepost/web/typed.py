"""Reads a form that somebody typed into the input of a step, and says by field what cannot be read.

What was typed is kept, right or wrong: the form comes back with it and with the reason beside each field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from config.programmes import Text
from milepost.documents import DocumentError, not_brought, store
from milepost.web import claim_rows, form_rows
from milepost.web.fields import Asked, Field, bare_type, documents_kept, fields_of, widget_of
from schema.money import CURRENCIES, Money, MoneyError
from states.labels import said
from states.step import words

NEEDED = words("请填写。", "This is needed.")
_PATTERNS = {
    "code": words(
        "只用字母、数字和 . _ -，以字母或数字开头。",
        "Letters, digits and . _ - only, beginning with a letter or digit.",
    ),
    "account_no": words(
        "账号为 6 至 40 位大写字母、数字或空格。", "6 to 40 capital letters, digits or spaces."
    ),
    "office_path": words("部门路径形如 /liuzhou/。", "An office path looks like /liuzhou/."),
    "currency": words("请填写币种代码，如 CNY。", "A currency code, such as CNY."),
    "kind": words("只用小写字母和下划线，如 legal。", "Lower-case letters and underscores, such as legal."),
}


@dataclass(slots=True)
class Reading:
    """What was read: the input for ``perform`` as plain values, the form to show again, what is wrong."""

    input: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, Text] = field(default_factory=dict)

    def fields(self, asked: Asked) -> list[Field]:
        """The form again, with everything as typed and the reasons beside it."""
        again = []
        for made in fields_of(asked):
            error = self.errors.get(made.name)
            value = self.values.get(made.name, made.value)
            again.append(replace(made, value=value, error=said(error, asked.locale) if error else ""))
        return again


def read(asked: Asked, form: FormData, upload_bytes_max: int) -> Reading:
    """Read every field, then ask the step's own model; nothing is dropped in silence."""
    reading = Reading()
    model = asked.step.input
    for name, info in model.model_fields.items():
        widget = widget_of(name, info).partition(":")[0]
        reader = _READERS.get(widget, _line)
        if widget == "documents":
            _documents(asked, form, name, reading, upload_bytes_max)
        elif widget == "claim_lines":
            claim_rows.read_lines(asked, form, name, reading, upload_bytes_max)
        else:
            reader(asked, form, name, reading)
    if reading.errors:
        return reading
    try:
        model.model_validate(reading.input)
    except ValidationError as error:
        for entry in error.errors():
            reading.errors.setdefault(str(entry["loc"][0]) if entry["loc"] else "", problem(entry))
    return reading


def problem(entry: Mapping[str, Any]) -> Text:
    """What pydantic objects to, in words for the one who typed it."""
    kind, context = str(entry["type"]), entry.get("ctx") or {}
    name = str(entry["loc"][-1]) if entry["loc"] else ""
    if kind in ("missing", "string_too_short"):
        return NEEDED
    if kind == "extra_forbidden":
        return words(f"没有“{name}”这一项。", f"There is no field “{name}”.")
    if kind == "string_too_long":
        most = context.get("max_length")
        return words(f"至多 {most} 个字符。", f"At most {most} characters.")
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(name, words("格式不正确。", "This does not have the right form."))
    if kind in ("greater_than", "greater_than_equal"):
        least = context.get("gt", context.get("ge"))
        than = (
            words("须大于", "It must be more than")
            if "gt" in context
            else words("不得小于", "It must be at least")
        )
        return words(f"{than.zh} {least}。", f"{than.en} {least}.")
    if kind in ("less_than", "less_than_equal"):
        most = context.get("lt", context.get("le"))
        return words(f"不得大于 {most}。", f"It must be at most {most}.")
    if kind == "currency_unknown":
        known = context.get("known")
        return words(f"请使用以下币种之一：{known}。", f"Use one of {known}.")
    if kind == "literal_error":
        return words("请从给出的选项中选择。", "Choose one of those given.")
    if kind.startswith("uuid"):
        return words("请从列表中选择。", "Choose one from the list.")
    if kind.startswith("date"):
        return words("请填写日期，如 2025-06-01。", "Give a day, such as 2025-06-01.")
    if kind.startswith("int"):
        return words("请填写整数。", "Give a whole number.")
    return words(f"无法识别（{kind}）。", f"{entry.get('msg', 'This cannot be read')}.")


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip().replace("\r\n", "\n") if isinstance(value, str) else ""


def _required(asked: Asked, name: str) -> bool:
    return asked.step.input.model_fields[name].is_required()


def _line(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    typed = _text(form, name)
    into.values[name] = typed
    if typed:
        into.input[name] = typed
    elif _required(asked, name):
        into.errors[name] = NEEDED


def _whole(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    _line(asked, form, name, into)
    if name in into.input:
        into.input[name] = _int(name, into.input[name], into)


def _int(name: str, typed: str, into: Reading) -> int | None:
    try:
        return int(typed) if len(typed) < 20 else _too_big()
    except ValueError:
        into.errors[name] = words(f"“{typed}”不是整数。", f"“{typed}” is not a whole number.")
        return None


def _too_big() -> int:
    raise ValueError


def _tick(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    into.values[name] = into.input[name] = bool(_text(form, name))


def _day(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    _line(asked, form, name, into)
    if name in into.input and not _is_day(into.input[name]):
        typed = into.input[name]
        into.errors[name] = words(
            f"“{typed}”不是日期，请写成 2025-06-01。", f"“{typed}” is not a day. Write it as 2025-06-01."
        )


def _is_day(typed: str) -> bool:
    try:
        date.fromisoformat(typed)
    except ValueError:
        return False
    return True


def _currency(asked: Asked, form: FormData) -> str:
    typed = _text(form, "currency")
    return typed if typed in CURRENCIES else asked.currency


def _minor(asked: Asked, form: FormData, name: str, typed: str, into: Reading) -> int | None:
    try:
        return Money.parse(typed, _currency(asked, form), allow_negative=False).minor
    except MoneyError as error:
        into.errors[name] = words(error.zh, error.en)
        return None


def _sum(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    _line(asked, form, name, into)
    if name in into.input:
        into.input[name] = _minor(asked, form, name, into.input[name], into)


def _ticks(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    chosen = [value for value in form.getlist(name) if isinstance(value, str)]
    into.values[name] = into.input[name] = chosen


def _rubric(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    scores: dict[str, Any] = {}
    typed: dict[str, str] = {}
    review = asked.programme.review if asked.programme else None
    for criterion in review.rubric if review else ():
        said_ = _text(form, f"{name}.{criterion.code}")
        typed[criterion.code] = said_
        if said_:
            scores[criterion.code] = _int(name, said_, into)
    into.values[name], into.input[name] = typed, scores


def _plan(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    """Rows in order; empty rows fall out, the others are numbered from one."""
    shown: list[dict[str, str]] = []
    plan: list[dict[str, Any]] = []
    titles = form.getlist(f"{name}.title")[:100]
    for position in range(len(titles)):
        row = {part: _nth(form, f"{name}.{part}", position) for part in ("title", "amount", "due_on")}
        if not any(row.values()):
            continue
        shown.append(row)
        plan.append(_planned(asked, form, name, row, len(plan) + 1, into))
    into.values[name], into.input[name] = shown, plan


def _nth(form: FormData, name: str, position: int) -> str:
    found = form.getlist(name)
    value = found[position] if position < len(found) else ""
    return value.strip() if isinstance(value, str) else ""


def _planned(
    asked: Asked, form: FormData, name: str, row: Mapping[str, str], number: int, into: Reading
) -> dict[str, Any]:
    made: dict[str, Any] = {"number": number, "title": row["title"]}
    if not row["title"]:
        into.errors[name] = words(f"第 {number} 行没有名称。", f"Row {number} has no title.")
    if row["amount"]:
        made["amount_minor"] = _minor(asked, form, name, row["amount"], into)
    if row["due_on"] and not _is_day(row["due_on"]):
        into.errors[name] = words(
            f"第 {number} 行的日期“{row['due_on']}”无法识别。",
            f"“{row['due_on']}” in row {number} is not a day.",
        )
    elif row["due_on"]:
        made["due_on"] = row["due_on"]
    return made


def _documents(asked: Asked, form: FormData, name: str, into: Reading, bytes_max: int) -> None:
    kept = [v for v in form.getlist(f"{name}.kept") if isinstance(v, str) and v]
    strange = set(not_brought(asked.session, asked.person_id, kept))
    digests = [digest for digest in kept if digest not in strange]
    for upload in form.getlist(name):
        if not isinstance(upload, UploadFile) or not upload.filename:
            continue
        try:
            content = upload.file.read(bytes_max + 1)
            stored = store(asked.session, upload.filename, content, asked.person_id, bytes_max)
        except DocumentError as error:
            into.errors[name] = words(error.zh, error.en)
            continue
        if stored.sha256 not in digests:
            digests.append(stored.sha256)
    into.values[name] = documents_kept(asked.session, digests)
    into.input[name] = digests


_READERS = {
    "whole": _whole,
    "tick": _tick,
    "date": _day,
    "money": _sum,
    "checklist": _ticks,
    "rubric": _rubric,
    "plan": _plan,
    "rounds": form_rows.read_rounds,
    "subjects": form_rows.read_subjects,
    "team": form_rows.read_rows,
    "unsuitable": form_rows.read_rows,
    "claim_findings": claim_rows.read_findings,
    "budget": claim_rows.read_budget,
}

__all__ = ["Reading", "bare_type", "problem", "read"]

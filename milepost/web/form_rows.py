"""Widgets of several rows and of many choices: what a form begins with, and how what was typed is read.

Rows need no script: a form shows some empty ones, a button asks for more of them and keeps what was typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData

from milepost.experts.subjects import first_level
from milepost.queries import draws, receivables
from milepost.queries.dossiers import said_before
from milepost.queries.sight import Row
from schema.money import Money
from states.labels import said, state_label
from states.receivable_plan import left_minor
from states.step import words

if TYPE_CHECKING:
    from milepost.web.fields import Asked
    from milepost.web.typed import Reading

ROWS_MAX = 100
MORE = "more"
"""The name of the button that asks for more rows; its value is the field."""

COLUMNS: Mapping[str, tuple[str, ...]] = {"team": ("name", "unit", "part"), "unsuitable": ("name", "unit")}
PARTS = {
    "leader": words("负责人", "Leader"),
    "member": words("成员", "Member"),
    "unit": words("合作单位（不填姓名）", "Partner unit (no name)"),
}
_CODE = re.compile(r"[0-9]{3}(?:[0-9]{2}){0,2}")


# What a form begins with ----------------------------------------------------------------------------------


def present(asked: Asked, name: str, widget: str) -> Any:
    """The rows, codes or choices that a field begins with; None for a widget that is none of these."""
    if widget == "rounds":
        return []
    if widget in COLUMNS:
        return [{column: row.get(column) or "" for column in COLUMNS[widget]} for row in _before(asked, name)]
    if widget == "subjects":
        return " ".join(_before(asked, name))
    return None


def summary_before(asked: Asked) -> str:
    """The summary as it stands."""
    return str(_dossier(asked).get("summary") or "")


def _dossier(asked: Asked) -> Row:
    if asked.subject is None or asked.subject.noun != "project":
        return {}
    return said_before(asked.session, asked.subject.sight, asked.subject.id)


def _before(asked: Asked, name: str) -> Sequence[Any]:
    return _dossier(asked).get(name) or ()


def choices(asked: Asked, widget: str) -> list[tuple[str, str, str]]:
    """What a widget offers: value, label and hint."""
    zh = asked.locale == "zh"
    if widget == "rounds":
        told = []
        for row in draws.rounds_to_draw(asked.session, asked.person_id):
            before = row["drawn_before"]
            hint = (f"此前抽取：{before}" if zh else f"drawn before: {before}") if before else ""
            told.append((str(row["id"]), f"{row['code']} {row['title']} · {row['programme_code']}", hint))
        return told
    if widget == "draw":
        return [
            (str(row["id"]), f"{row['title']} · {row['commitment'][:12]}…", "")
            for row in draws.void_draws(asked.session, asked.person_id)
        ]
    if widget == "team":
        return [(part, said(text, asked.locale), "") for part, text in PARTS.items()]
    if widget == "subjects":
        return [(code, said(text, asked.locale), "") for code, text in first_level().items()]
    if asked.subject is None:
        return []
    if widget == "credit":
        return [
            (str(row["id"]), _credit_said(row), "")
            for row in receivables.loose_credits(
                asked.session, asked.person_id, str(asked.subject.row["currency"])
            )
        ]
    if widget == "set_off_payment" and asked.subject.project_id is not None:
        return [
            (
                str(row["id"]),
                _payment_said(asked, row),
                "",
            )
            for row in receivables.payments_to_set_off(asked.session, asked.subject.project_id)
        ]
    if widget == "receipt":
        return [
            (str(row["id"]), _receipt_said(row, zh), row["note"])
            for row in receivables.receipts_that_stand(asked.session, asked.subject.id)
        ]
    if widget == "drawn_round":
        found = draws.rounds_drawn(asked.session, asked.person_id, asked.subject.id)
        return [(str(row["id"]), f"{row['code']} {row['title']}", "") for row in found]
    if widget == "drawn_expert":
        found = draws.seated(asked.session, asked.person_id, asked.subject.id)
        return [(str(row["id"]), f"{row['code']} · {row['id']}", "") for row in found]
    return []


def _receipt_said(row: Row, zh: bool) -> str:
    """A receipt in one line of a list."""
    sum_ = Money(row["amount_minor"], row["currency"])
    by = ("对账单" if zh else "statement") if row["by_bank"] else ("缴库回单" if zh else "treasury slip")
    return f"{row['received_on']} · {sum_} · {by} {row['reference'] or '—'}"


def _payment_said(asked: Asked, row: Row) -> str:
    """A payment that waits, in one line of a list: which, what it pays, where it stands."""
    sum_ = Money(row["amount_minor"], row["currency"]).format(asked.locale)
    state = said(state_label("payment", row["state"]), asked.locale)
    if row["late_number"] is not None:
        which = said(words("第 {n} 笔的逾期利息", "Interest for tranche {n}"), asked.locale)
        return f"{which.format(n=row['late_number'])} · {sum_} · {state}"
    which = said(words("第 {n} 笔", "Tranche {n}"), asked.locale).format(n=row["number"])
    return f"{which} · {sum_} · {state}"


def set_off_left(asked: Asked) -> Money | None:
    """What is left of a receivable that somebody wants to set off; None in any other form."""
    if asked.step.name != "receivable.propose_set_off" or asked.subject is None:
        return None
    return Money(left_minor(asked.subject.row), asked.currency)


def _credit_said(row: Row) -> str:
    """A credit in one line of a list."""
    parts = (
        row["booked_on"],
        Money(row["amount_minor"], row["currency"]),
        row["reference"],
        row["remittance"],
    )
    return " · ".join(str(part) for part in parts if part)[:120]


# What was typed ---------------------------------------------------------------------------------------------


def read_rounds(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    """The rounds that were ticked; "all" ticks every one that was offered."""
    chosen = [value for value in form.getlist(name) if isinstance(value, str)]
    if form.get(f"{name}.all"):
        chosen = [value for value, _, _ in choices(asked, "rounds")]
    into.values[name] = into.input[name] = chosen
    if not chosen:
        into.errors[name] = words("请至少选择一个评审轮次。", "Choose at least one round.")


def read_subjects(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    """Codes with blanks or commas between them, points in them or not; a wrong one is named."""
    value = form.get(name, "")
    typed = value.strip() if isinstance(value, str) else ""
    into.values[name] = typed
    codes = [piece.replace(".", "") for piece in re.split(r"[\s,，;；、]+", typed) if piece]
    wrong = [code for code in codes if not _CODE.fullmatch(code) or code[:3] not in first_level()]
    into.input[name] = list(dict.fromkeys(codes))
    if not codes:
        into.errors[name] = words("请填写。", "This is needed.")
    elif wrong:
        into.errors[name] = words(
            f"没有学科代码“{wrong[0][:20]}”。代码为 3、5 或 7 位数字。",
            f"There is no subject code “{wrong[0][:20]}”. A code has 3, 5 or 7 digits.",
        )


def read_rows(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    """Rows of people or units; empty ones fall out. What no page shows of a row is kept with it."""
    shown, read = list[dict[str, str]](), list[dict[str, Any]]()
    columns = COLUMNS[name]
    known = {_same(row): row for row in _before(asked, name)}
    for position in range(min(len(form.getlist(f"{name}.name")), ROWS_MAX)):
        row = {column: _nth(form, f"{name}.{column}", position) for column in columns}
        if not row["name"] and not row["unit"]:
            continue
        shown.append(row)
        before = known.get(_same(row), {})
        hidden = {key: before[key] for key in ("person_id", "identity_hash") if before.get(key)}
        read.append({**row, **hidden})
        number = len(shown)
        if row.get("part") == "unit":
            if not row["unit"]:
                into.errors[name] = words(f"第 {number} 行没有单位。", f"Row {number} has no unit.")
        elif not row["name"]:
            into.errors[name] = words(f"第 {number} 行没有姓名。", f"Row {number} has no name.")
    into.values[name], into.input[name] = shown, read


def _same(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(column) or "") for column in ("name", "unit", "part"))


def _nth(form: FormData, name: str, position: int) -> str:
    found = form.getlist(name)
    value = found[position] if position < len(found) else ""
    return value.strip() if isinstance(value, str) else ""


__all__ = [
    "COLUMNS",
    "MORE",
    "choices",
    "present",
    "read_rounds",
    "read_rows",
    "read_subjects",
    "summary_before",
]

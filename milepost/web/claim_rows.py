"""The rows of a cost claim in a form: as its grantee writes them, and as an examiner finds on them.

Rows need no script. A row keeps its file by its hash; another file can be chosen beside it. What cannot be
read is named by row, and everything typed comes back.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData, UploadFile

from milepost.documents import DocumentError, described, not_brought, store
from milepost.queries.claims import claim_view
from schema.inputs_claims import LINES_MAX
from schema.money import CURRENCIES, Money, MoneyError
from states.claim_guards import categories
from states.labels import said
from states.step import words

if TYPE_CHECKING:
    from milepost.web.fields import Asked
    from milepost.web.typed import Reading

WIDGETS = frozenset({"claim_lines", "claim_findings", "budget"})
COLUMNS = ("category", "spent_on", "payee", "invoice_no", "description", "amount", "evidence")
NAMED = 5
"""So many rows are named in one message."""


def _major(minor: int | None, currency: str) -> str:
    return "" if minor is None else f"{Money(minor, currency).major:f}"


def choices(asked: Asked) -> list[tuple[str, str, str]]:
    """The categories of the programme: code, name, and "evidence" where a line of it needs some."""
    known = categories(asked.programme) if asked.programme else {}
    return [(code, said(c.text, asked.locale), "evidence" if c.evidence else "") for code, c in known.items()]


def present(asked: Asked, widget: str) -> Any:
    """The rows a form begins with."""
    if widget == "claim_findings":
        return _examined(asked)
    row = asked.subject.row if asked.subject else {}
    if widget == "budget":
        return {code: _major(sum_, asked.currency) for code, sum_ in (row.get("budget") or {}).items()}
    if asked.subject is None or asked.subject.noun != "claim":
        return []
    return _named(
        asked,
        [
            {
                **{name: line[name] or "" for name in COLUMNS if name != "amount"},
                "amount": _major(line["amount_minor"], asked.currency),
            }
            for line in row["lines"]
        ],
    )


def _named(asked: Asked, shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the names of their files, as far as the reader brought them or the claim has them."""
    row = asked.subject.row if asked.subject and asked.subject.noun == "claim" else {"lines": []}
    own = {line["evidence"] for line in row["lines"]}
    digests = [line["evidence"] for line in shown if line["evidence"]]
    strange = set(not_brought(asked.session, asked.person_id, [d for d in digests if d not in own]))
    known = described(asked.session, [d for d in digests if d not in strange])
    return [
        {**line, "file": known[line["evidence"]].name if line["evidence"] in known else ""} for line in shown
    ]


def _examined(asked: Asked) -> list[dict[str, Any]]:
    assert asked.subject is not None
    view = claim_view(asked.session, asked.person_id, asked.subject.id)
    if view is None:
        return []
    names = {code: name for code, name, _ in choices(asked)}
    currency = asked.currency
    return [
        {
            **line,
            "claim": str(asked.subject.id),
            "category": names.get(line["category"], line["category"]),
            "claimed": Money(line["amount_minor"], currency).format(asked.locale),
            "file": view.documents[line["evidence"]].name if line["evidence"] in view.documents else "",
            "doubles": view.doubles.get(line["number"], []),
            "allowed": _major(line["allowed_minor"], currency),
            "reason": line["reason"] or "",
        }
        for line in view.lines
    ]


# What was typed ---------------------------------------------------------------------------------------


def _cell(form: FormData, name: str, position: int) -> str:
    found = form.getlist(name)
    value = found[position] if position < len(found) else ""
    return value.strip().replace("\r\n", "\n") if isinstance(value, str) else ""


class _Wrong:
    """What is wrong with rows, by row, joined into one message for the field."""

    def __init__(self) -> None:
        self.zh: list[str] = []
        self.en: list[str] = []

    def add(self, number: int, zh: str, en: str) -> None:
        """Name a row and what is wrong with it."""
        self.zh.append(f"第 {number} 笔：{zh}")
        self.en.append(f"Line {number}: {en}")

    def tell(self, name: str, into: Reading) -> None:
        """Put it beside the field."""
        if self.zh:
            more = len(self.zh) > NAMED
            zh, en = " ".join(self.zh[:NAMED]), " ".join(self.en[:NAMED])
            into.errors[name] = words(zh + (" …" if more else ""), en + (" …" if more else ""))


def read_lines(asked: Asked, form: FormData, name: str, into: Reading, bytes_max: int) -> None:
    """Rows in order; empty ones fall out. A sum or a day that cannot be read keeps the form open."""
    shown, lines, wrong = list[dict[str, Any]](), list[dict[str, Any]](), _Wrong()
    for position in range(min(len(form.getlist(f"{name}.payee")), LINES_MAX)):
        row: dict[str, Any] = {column: _cell(form, f"{name}.{column}", position) for column in COLUMNS}
        upload = form.get(f"{name}.file.{position}")
        chosen = upload if isinstance(upload, UploadFile) and upload.filename else None
        if chosen is None and not any(row.values()):
            continue
        number = len(shown) + 1
        if chosen is not None:
            row["evidence"] = _stored(asked, chosen, number, wrong, bytes_max) or row["evidence"]
        shown.append(row)
        line = {column: row[column] for column in ("category", "payee", "invoice_no", "description")}
        lines.append(
            {
                **line,
                "amount_minor": _sum(row["amount"], asked.currency, number, wrong),
                "spent_on": _day(row["spent_on"], number, wrong),
                "evidence": row["evidence"] or None,
            }
        )
    into.values[name], into.input[name] = _named(asked, shown), lines
    wrong.tell(name, into)


def _stored(asked: Asked, upload: UploadFile, number: int, wrong: _Wrong, bytes_max: int) -> str | None:
    try:
        content = upload.file.read(bytes_max + 1)
        return store(asked.session, upload.filename or "", content, asked.person_id, bytes_max).sha256
    except DocumentError as error:
        wrong.add(number, error.zh, error.en)
        return None


def _sum(typed: str, currency: str, number: int, wrong: _Wrong, *, zero: bool = False) -> int | None:
    if not typed:
        return None
    try:
        minor = Money.parse(typed, currency if currency in CURRENCIES else "CNY", allow_negative=False).minor
    except MoneyError as error:
        wrong.add(number, error.zh, error.en)
        return None
    if minor or zero:
        return minor
    wrong.add(number, "金额须大于零。", "The amount is more than zero.")
    return None


def _day(typed: str, number: int, wrong: _Wrong) -> str | None:
    if not typed:
        return None
    try:
        return date.fromisoformat(typed).isoformat()
    except ValueError:
        wrong.add(number, f"“{typed[:20]}”不是日期。", f"“{typed[:20]}” is not a day.")
        return None


def read_findings(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    """What was found of each line; "rest" allows the lines without a finding in full."""
    rows, wrong, findings = _examined(asked), _Wrong(), list[dict[str, Any]]()
    rest = bool(form.get(f"{name}.rest"))
    for row in rows:
        number = row["number"]
        allowed = form.get(f"{name}.{number}.allowed")
        reason = form.get(f"{name}.{number}.reason")
        row["allowed"] = allowed.strip() if isinstance(allowed, str) else row["allowed"]
        row["reason"] = reason.strip() if isinstance(reason, str) else row["reason"]
        if row["allowed"]:
            minor = _sum(row["allowed"], asked.currency, number, wrong, zero=True)
            findings.append({"number": number, "allowed_minor": minor, "reason": row["reason"]})
        elif rest:
            findings.append({"number": number, "allowed_minor": row["amount_minor"], "reason": row["reason"]})
        elif row["reason"]:
            wrong.add(number, "写了理由，没有核定金额。", "It has a reason and no amount allowed.")
    into.values[name], into.input[name] = rows, findings
    if not findings:
        into.errors[name] = words(
            "请至少填写一笔的核定金额。", "Say of one line at least how much is allowed."
        )
    wrong.tell(name, into)


def read_budget(asked: Asked, form: FormData, name: str, into: Reading) -> None:
    """A sum for each category that has one."""
    typed, budget, wrong = dict[str, str](), dict[str, int | None](), _Wrong()
    for number, (code, _, _) in enumerate(choices(asked), start=1):
        value = form.get(f"{name}.{code}", "")
        typed[code] = value.strip() if isinstance(value, str) else ""
        if typed[code]:
            budget[code] = _sum(typed[code], asked.currency, number, wrong)
    into.values[name], into.input[name] = typed, budget
    wrong.tell(name, into)


__all__ = ["WIDGETS", "choices", "present", "read_budget", "read_findings", "read_lines"]

"""Reads the sheet in which a domestic bank says what became of each payment, row by row.

Which columns it has and what its words mean is a template in the settings. A row that cannot be read is said
by its number and the others stand: unlike a message, a sheet has passed through people's hands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from milepost.bank.files.amounts import NotAnAmount, amount_minor_of, amount_text
from milepost.bank.files.batch import Account, Payment
from milepost.bank.files.findings import FileUnreadable, Finding, finding
from milepost.bank.files.pain002 import Outcome
from milepost.bank.files.xlsx import Read, read_workbook
from milepost.bank.files.xml import Source

AnswerField = Literal["end_to_end_id", "account", "name", "amount", "status", "reason", "reference"]


class AnswerTemplate(BaseModel):
    """Headers by field, each under any of its names, and what the bank's words for a status come to.

    A payment is recognised by its end-to-end id; where the bank does not give it back, by account and amount.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    headers: Mapping[AnswerField, tuple[str, ...]]
    statuses: Mapping[str, Outcome]
    currency: str = "CNY"
    header_rows_max: int = Field(default=30, ge=1, le=200)

    @model_validator(mode="after")
    def _recognises(self) -> AnswerTemplate:
        fields = set(self.headers)
        if "status" not in fields or not ("end_to_end_id" in fields or {"account", "amount"} <= fields):
            raise ValueError("an answer has a status, and an end-to-end id or else account and amount")
        if not self.statuses:
            raise ValueError("an answer's statuses mean something: name them")
        return self


def example_answer_template() -> AnswerTemplate:
    """A template to start from, an example and no bank's own."""
    return AnswerTemplate(
        headers={
            "end_to_end_id": ("客户流水号", "Customer's reference"),
            "account": ("收款账号", "Creditor's account"),
            "name": ("收款户名", "Creditor"),
            "amount": ("金额", "Amount"),
            "status": ("处理状态", "交易状态", "Status"),
            "reason": ("失败原因", "Reason"),
            "reference": ("银行流水号", "Bank reference"),
        },
        statuses={
            "成功": "settled",
            "交易成功": "settled",
            "Success": "settled",
            "失败": "rejected",
            "交易失败": "rejected",
            "Failed": "rejected",
            "已退汇": "rejected",
            "处理中": "pending",
            "Processing": "pending",
            "已受理": "accepted",
        },
    )


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One row: the number it has in the spreadsheet and what it says."""

    row: int
    end_to_end_id: str
    account: str = field(repr=False)
    name: str
    amount_minor: int | None
    outcome: Outcome
    status: str
    reason: str
    reference: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows that could be read, and what is to be said of these and of the others."""

    rows: tuple[AnswerRow, ...]
    findings: tuple[Finding, ...]


def read_answer(source: Source, template: AnswerTemplate) -> Answer:
    """Every row of the bank's sheet; `FileUnreadable` where it is no workbook or lacks a column."""
    rows: list[AnswerRow] = []
    findings: list[Finding] = []
    sheet = read_workbook(source)
    places = _places(sheet, template)
    seen: dict[str, AnswerRow] = {}
    for number, cells in sheet:
        found = {name: cells[at] for name, at in places.items() if at < len(cells)}
        if _is_total(found):
            continue
        row, said = _row(number, found, template)
        if row is not None:
            said += _repeated(row, seen)
            rows.append(row)
        findings += [each.at(number) for each in said]
    return Answer(tuple(rows), tuple(findings))


def _places(sheet: Iterator[tuple[int, list[Read]]], template: AnswerTemplate) -> dict[AnswerField, int]:
    """The column of each field, from the first row that has one for the status; titles may stand above."""
    best: dict[AnswerField, int] = {}
    for number, cells in sheet:
        if number > template.header_rows_max:
            break
        texts = [cell.text.strip() for cell in cells]
        found = {
            name: texts.index(header)
            for name, headers in template.headers.items()
            for header in headers
            if header in texts
        }
        best = max(best, found, key=len)
        if "status" in found and ("end_to_end_id" in found or {"account", "amount"} <= set(found)):
            return found
    missing = [headers[0] for name, headers in template.headers.items() if name not in best]
    raise FileUnreadable(finding("columns_missing", "file", columns=", ".join(missing)))


def _is_total(found: Mapping[AnswerField, Read]) -> bool:
    """A row that has neither a payment nor a status is a sum or a note under the table."""
    return all(not found[name].text for name in ("end_to_end_id", "account", "status") if name in found)


def _row(
    number: int, found: Mapping[AnswerField, Read], template: AnswerTemplate
) -> tuple[AnswerRow | None, list[Finding]]:
    said = [finding("cell_formula", _FIELDS[name]) for name, cell in found.items() if cell.kind == "formula"]
    said += [
        finding("digits_lost", _FIELDS[name])
        for name, cell in found.items()
        if name in ("account", "end_to_end_id") and cell.digits_lost
    ]
    texts = {name: cell.text for name, cell in found.items()}
    status = texts.get("status", "")
    outcome = template.statuses.get(status)
    if outcome is None:
        said.append(finding("status_unknown", "status", status=status[:40]))
    amount_minor = None
    if texts.get("amount"):
        try:
            amount_minor = amount_minor_of(texts["amount"].replace(",", ""), template.currency)
        except NotAnAmount as wrong:
            said.append(wrong.finding)
    if not texts.get("end_to_end_id") and not (texts.get("account") and amount_minor is not None):
        said.append(finding("id_missing", "end_to_end_id"))
    if said or outcome is None:
        return None, said
    row = AnswerRow(
        row=number,
        end_to_end_id=texts.get("end_to_end_id", ""),
        account="".join(texts.get("account", "").split()),
        name=texts.get("name", ""),
        amount_minor=amount_minor,
        outcome=outcome,
        status=status,
        reason=texts.get("reason", ""),
        reference=texts.get("reference", ""),
    )
    return row, []


_FIELDS: Mapping[AnswerField, str] = {
    "end_to_end_id": "end_to_end_id",
    "account": "account",
    "name": "name",
    "amount": "amount",
    "status": "status",
    "reason": "remark",
    "reference": "reference",
}


def _repeated(row: AnswerRow, seen: dict[str, AnswerRow]) -> list[Finding]:
    if not row.end_to_end_id:
        return []
    first = seen.setdefault(row.end_to_end_id, row)
    if first is row:
        return []
    if first.outcome != row.outcome:
        return [finding("status_contradicts", "status", first=first.status, second=row.status)]
    return [finding("end_to_end_repeated", "end_to_end_id", first=first.row)]


@dataclass(frozen=True, slots=True)
class Matched:
    """A row of the answer and the payment it is about, if there is one that it can be about."""

    row: AnswerRow
    payment: Payment | None


def match_answer(
    answer: Answer, payments: Iterable[Payment], currency: str
) -> tuple[list[Matched], list[Finding]]:
    """Each row with its payment, and what is to be said: whose rows, other figures, payments without a row.

    By end-to-end id; without one, by account and amount where one payment and one row alone have both.
    """
    by_id = {payment.end_to_end_id.lower(): payment for payment in payments}
    by_both: dict[tuple[str, int], list[Payment | None]] = {}
    for payment in by_id.values():
        by_both.setdefault((payment.creditor.account.number, payment.amount_minor), []).append(payment)
    unnamed = Counter((row.account, row.amount_minor) for row in answer.rows if not row.end_to_end_id)
    matched: list[Matched] = []
    findings: list[Finding] = []
    answered: set[str] = set()
    for row in answer.rows:
        both = (row.account, row.amount_minor or 0)
        found = [by_id.get(row.end_to_end_id.lower())] if row.end_to_end_id else by_both.get(both, [])
        alone = len(found) == 1 and (row.end_to_end_id or unnamed[both] == 1)
        theirs = found[0] if alone else None
        if theirs is None:
            findings.append(finding("payment_not_ours", "end_to_end_id").at(row.row))
        else:
            answered.add(theirs.end_to_end_id)
            findings += [said.at(row.row) for said in _other_figures(row, theirs, currency)]
        matched.append(Matched(row, theirs))
    for place, payment in enumerate(by_id.values(), start=1):
        if payment.end_to_end_id not in answered:
            findings.append(finding("payment_unanswered", "end_to_end_id").at(place))
    return matched, findings


def _other_figures(row: AnswerRow, payment: Payment, currency: str) -> Iterator[Finding]:
    if row.amount_minor is not None and (row.amount_minor, currency) != (
        payment.amount_minor,
        payment.currency,
    ):
        stated = f"{amount_text(row.amount_minor, currency)} {currency}"
        ours = f"{amount_text(payment.amount_minor, payment.currency)} {payment.currency}"
        yield finding("answer_differs", "amount", stated=stated, ours=ours)
    account = payment.creditor.account
    if row.account and row.account != account.number:
        yield finding("answer_differs", "account", stated=Account(row.account).masked, ours=account.masked)


__all__ = [
    "Answer",
    "AnswerRow",
    "AnswerTemplate",
    "Matched",
    "example_answer_template",
    "match_answer",
    "read_answer",
]

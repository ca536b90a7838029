"""A batch as the spreadsheet of a domestic bank, whose columns are a template in the settings.

A template is data: which column holds which field, how it is headed and how it is written. `example_template`
is a labelled example and no bank's own layout; banks give theirs to their customers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.programmes import Text
from milepost.bank.files.amounts import amount_text, decimals_of
from milepost.bank.files.batch import Batch, Payment
from milepost.bank.files.characters import fit
from milepost.bank.files.findings import Finding, finding
from milepost.bank.files.pain001 import PaymentsChanged
from milepost.bank.files.rules import BankRules
from milepost.bank.files.xlsx import DIGITS_MAX, Cell, Read, read_workbook, write_workbook
from milepost.bank.files.xml import Source

Format = Literal["text", "amount", "amount_text", "number", "date"]

# What a column may hold, and which field of a finding it is.
_VALUES: Mapping[str, tuple[str, Callable[[Batch, int, Payment], str]]] = MappingProxyType(
    {
        "row": ("number", lambda batch, row, payment: str(row)),
        "batch_id": ("batch", lambda batch, row, payment: batch.id),
        "end_to_end_id": ("end_to_end_id", lambda batch, row, payment: payment.end_to_end_id),
        "debtor_name": ("debtor_name", lambda batch, row, payment: batch.debtor.name),
        "debtor_account": ("debtor_account", lambda batch, row, payment: batch.debtor.account.number),
        "creditor_name": ("name", lambda batch, row, payment: payment.creditor.name),
        "creditor_account": ("account", lambda batch, row, payment: payment.creditor.account.number),
        "creditor_bank": ("bank_name", lambda batch, row, payment: payment.creditor.agent.name),
        "creditor_cnaps": ("cnaps", lambda batch, row, payment: payment.creditor.agent.member_id),
        "creditor_bic": ("bic", lambda batch, row, payment: payment.creditor.agent.bic),
        "amount": ("amount", lambda batch, row, payment: amount_text(payment.amount_minor, payment.currency)),
        "currency": ("currency", lambda batch, row, payment: payment.currency),
        "remark": ("remark", lambda batch, row, payment: payment.remark),
        "execution_on": ("execution_on", lambda batch, row, payment: batch.execution_on.isoformat()),
        "constant": ("file", lambda batch, row, payment: ""),
    }
)
FIELDS = frozenset(_VALUES)


class Column(BaseModel):
    """One column: its header in both languages, what it holds and how it is written.

    ``constant`` writes ``value`` in every row. ``needed`` refuses a batch in which a row leaves it empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    header: Text
    field: str
    format: Format = "text"
    value: str = ""
    needed: bool = False
    width: int = Field(default=18, ge=4, le=120)

    @model_validator(mode="after")
    def _fits(self) -> Column:
        if self.field not in FIELDS:
            raise ValueError(f"{self.field!r} is no field; there are {', '.join(sorted(FIELDS))}")
        wanted = {"amount": "amount", "amount_text": "amount", "date": "execution_on", "number": "row"}
        if self.format in wanted and self.field != wanted[self.format]:
            raise ValueError(f"{self.format} is a way to write {wanted[self.format]}, not {self.field}")
        return self


class SheetTemplate(BaseModel):
    """A bank's sheet: its title, the language of its headers, its columns in order.

    ``date_format`` writes the execution day (``%Y%m%d``); ``rows_max`` is the most payments the bank takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Text
    example: bool = False
    sheet: str = Field(default="Sheet1", min_length=1, max_length=31, pattern=r"^[^\[\]:*?/\\']+$")
    language: Literal["zh", "en"] = "zh"
    date_format: str = "%Y%m%d"
    rows_max: int = Field(default=1000, ge=1, le=100_000)
    columns: tuple[Column, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _pays(self) -> SheetTemplate:
        held = [column.field for column in self.columns]
        missing = {"creditor_name", "creditor_account", "amount"} - set(held)
        if missing:
            raise ValueError(f"a sheet that pays has columns for {', '.join(sorted(missing))}")
        headers = [self.header(column) for column in self.columns]
        if len(set(headers)) != len(headers):
            raise ValueError("two columns have the same header")
        return self

    def header(self, column: Column) -> str:
        """The column's header as it stands in the sheet."""
        return column.header.zh if self.language == "zh" else column.header.en

    def holds(self, field: str) -> bool:
        """Whether a column holds the field."""
        return any(column.field == field for column in self.columns)


def example_template() -> SheetTemplate:
    """A template to start from. It is an example: no bank's own layout is published with this product."""
    path = Path(__file__).with_name("sheet_example.toml")
    return SheetTemplate.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def write_sheet(batch: Batch, template: SheetTemplate, rules: BankRules, target: BinaryIO) -> None:
    """Write the batch as a workbook; the same batch gives the same bytes."""
    before = batch.totals()
    widths = [column.width for column in template.columns]
    rows = _rows(batch, template, rules)
    write_workbook(target, template.sheet, rows, number=before.number + 1, widths=widths)
    if batch.totals() != before:
        raise PaymentsChanged(f"the payments of batch {batch.id} changed while they were written")


def _rows(batch: Batch, template: SheetTemplate, rules: BankRules) -> Iterator[list[Cell]]:
    yield [Cell("header", template.header(column)) for column in template.columns]
    for row, payment in enumerate(batch.payments, start=1):
        yield [_cell(column, batch, row, payment, template, rules) for column in template.columns]


def _cell(
    column: Column, batch: Batch, row: int, payment: Payment, template: SheetTemplate, rules: BankRules
) -> Cell:
    value = _value(column, batch, row, payment, template, rules)
    if column.format == "amount":
        return Cell("amount", value, decimals_of(payment.currency))
    return Cell("number" if column.format == "number" else "text", value)


def _value(
    column: Column, batch: Batch, row: int, payment: Payment, template: SheetTemplate, rules: BankRules
) -> str:
    if column.field == "constant":
        return column.value
    if column.format == "date":
        return batch.execution_on.strftime(template.date_format)
    value = _VALUES[column.field][1](batch, row, payment)
    if column.field in ("creditor_name", "creditor_bank", "debtor_name", "remark"):
        return fit(value, rules.characters).text
    return value


def check_for_sheet(batch: Batch, template: SheetTemplate) -> list[Finding]:
    """What is to be said of a batch because it goes out as this sheet."""
    totals = batch.totals()
    found = []
    if totals.number > template.rows_max:
        found.append(finding("batch_too_large", "number", number=totals.number, most=template.rows_max))
    if len(totals.minor_by_currency) > 1 and not template.holds("currency"):
        currencies = ", ".join(sorted(totals.minor_by_currency))
        found.append(finding("currencies_mixed", "file", currencies=currencies))
    as_number = any(column.format == "amount" for column in template.columns)
    needed = [column for column in template.columns if column.needed]
    for row, payment in enumerate(batch.payments, start=1):
        if as_number and len(str(abs(payment.amount_minor))) > DIGITS_MAX:
            shown, most = (
                amount_text(minor, payment.currency) for minor in (payment.amount_minor, 10**DIGITS_MAX - 1)
            )
            found.append(finding("amount_too_large", "amount", amount=shown, most=most).at(row))
        for column in needed:
            field, value = _VALUES[column.field]
            if not value(batch, row, payment).strip() and column.field != "constant":
                found.append(finding("text_missing", field).at(row))
    return found


def check_sheet(source: Source, batch: Batch, template: SheetTemplate, rules: BankRules) -> list[Finding]:
    """Whether the workbook, read back by another's library, says what the batch says, cell by cell."""
    found: list[Finding] = []
    rows = read_workbook(source, columns_max=len(template.columns))
    header = [cell.text for cell in next(rows, (0, []))[1]]
    if header != [template.header(column) for column in template.columns]:
        return [finding("file_differs", "file")]
    payments = enumerate(batch.payments, start=1)
    for line, cells in rows:
        row, payment = next(payments, (0, None))
        if payment is None:
            return [*found, finding("file_differs", "number").at(line=line)]
        padded = cells + [Read("blank", "")] * (len(template.columns) - len(cells))
        for column, cell in zip(template.columns, padded, strict=False):
            value = _value(column, batch, row, payment, template, rules)
            if not _says(cell, value, column):
                found.append(finding("file_differs", _VALUES[column.field][0]).at(row, line))
    if next(payments, None) is not None:
        found.append(finding("file_differs", "number"))
    return found


def _says(cell: Read, value: str, column: Column) -> bool:
    if column.format == "amount":
        # 12345.60 comes back as 12345.6, which is the same amount; a text would not be summed by the bank.
        return cell.kind == "number" and _bare(cell.text) == _bare(value)
    if column.format == "number":
        return cell.kind == "number" and cell.text == value
    return cell.kind in ("text", "blank") and cell.text == value.strip()


def _bare(amount: str) -> str:
    return amount.rstrip("0").rstrip(".") if "." in amount else amount


__all__ = [
    "FIELDS",
    "Column",
    "SheetTemplate",
    "check_for_sheet",
    "check_sheet",
    "example_template",
    "write_sheet",
]

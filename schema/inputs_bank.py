"""What is asked for about the bank's words: what does not fit, what it was, and when something was paid."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from schema.inputs import BankAnswer, Line, Sha256, StepInput, Text, ask


class RaiseException(StepInput):
    """Something the bank said that our books do not know.

    ``payment_id`` is the payment it names, ``likely_id`` the one it probably means. What names and means none
    belongs to the account: ``account_chain_id`` and ``office_path`` say whose.
    """

    kind: Annotated[str, Field(pattern=r"^[a-z_]{2,60}$")] = ask("类别", "Kind")
    file_id: UUID = ask("银行文件", "Bank file")
    entry_id: UUID | None = ask("银行所述", "Entry", default=None)
    payment_id: UUID | None = ask("拨付", "Payment", default=None)
    likely_id: UUID | None = ask("可能的匹配", "Likely match", default=None)
    account_chain_id: UUID = ask("账户", "Account")
    office_path: Line = ask("归口管理部门", "Office", widget="office")
    params: dict[str, str] = ask("情况", "Particulars", default={})


class BankPaid(BankAnswer):
    """The bank paid; ``paid_on`` is the day on which its statement has the debit, where there is one."""

    paid_on: date | None = ask("付款日", "Paid on", default=None)


class RecordFile(StepInput):
    """A file of the bank, by its digest, and what was read from it, by digests of the rows."""

    file_id: UUID = ask("银行文件", "Bank file")
    kind: Line = ask("类别", "Kind")
    size: Annotated[int, Field(ge=0)] = ask("字节数", "Bytes")
    number: Annotated[int, Field(ge=0)] = ask("所述条数", "Entries first said in it")
    documents: tuple[Sha256] = ask("文件摘要", "Digest of the file")
    register_sha256: Sha256 = ask("登记摘要", "Digest of its register row")
    statements_sha256: Sha256 = ask("对账单摘要", "Digest of its statements")
    words_sha256: Sha256 = ask("所述摘要", "Digest of what it said first")
    account_chain_id: UUID = ask("账户", "Account")
    office_path: Line = ask("归口管理部门", "Office", widget="office")


class ClearUp(StepInput):
    """What an exception turned out to be, and from where that is known."""

    note: Text = ask("查明的情况与依据", "What it was, and how you know", widget="text")


__all__ = ["BankPaid", "ClearUp", "RaiseException", "RecordFile"]

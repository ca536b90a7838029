"""What the steps of a receivable ask for."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schema.inputs import Day, Line, Minor, Sha256, StepInput, Text, ask


class Establish(StepInput):
    """What is to be paid back, why, by which decision and until when."""

    amount_minor: Minor = ask("应退金额", "Amount to be paid back", widget="money")
    ground: Literal["disallowed_cost", "surplus", "termination", "revocation", "overpayment"] = ask(
        "退款事由", "Ground"
    )
    legal_basis: Line = ask("法律依据", "Legal basis")
    decision_no: Line = ask("决定书文号", "Number of the decision")
    due_on: Day = ask("退款期限", "Due day", widget="date")
    documents: tuple[Sha256, ...] = ask("附件", "Documents", widget="documents", default=())


class GrantInstalments(StepInput):
    """How what is left may be paid: so many equal parts, the last of which takes the remainder."""

    number: Annotated[int, Field(ge=2, le=60)] = ask("期数", "Instalments")
    first_on: Day = ask("首期期限", "First due day", widget="date")
    every_months: Annotated[int, Field(ge=1, le=12)] = ask("每几个月一期", "Months between two", default=1)
    decision_no: Line = ask("准予分期的文号", "Number of the decision")


class Receive(StepInput):
    """The entry of a statement that the money came in by; sum, currency and day are the entry's."""

    entry_id: UUID = ask("入账流水", "Statement entry", widget="credit")


class ReceiveSlip(StepInput):
    """Money that went to the treasury directly, by the treasury's slip (缴库回单)."""

    amount_minor: Minor = ask("缴库金额", "Amount paid in", widget="money")
    reference: Line = ask("缴库回单号", "Number of the treasury's slip")
    received_on: Day = ask("缴库日期", "Paid in on", widget="date")
    note: Annotated[str, Field(max_length=1000)] = ask("说明", "Note", widget="text", default="")
    documents: Annotated[tuple[Sha256, ...], Field(min_length=1)] = ask(
        "回单影像", "Copy of the slip", widget="documents"
    )


class ProposeWriteOff(StepInput):
    """Why what is left will not come: it cannot be collected, or the decision was quashed."""

    ending: Literal["uncollectable", "quashed"] = ask("核销事由", "Why")
    reason: Text = ask("理由", "Reason", widget="text")
    decision_no: Line = ask("核销决定文号", "Number of the decision")
    documents: Annotated[tuple[Sha256, ...], Field(min_length=1)] = ask(
        "决定书", "The decision", widget="documents"
    )


class ProposeSetOff(StepInput):
    """What is owed, set off against a payment that waits, and the ground for it (Guangxi (2019)桂行终837)."""

    payment_id: UUID = ask("抵扣的拨付", "Payment", widget="set_off_payment")
    amount_minor: Minor = ask("抵扣金额", "Amount set off", widget="money")
    grounds: Text = ask("抵扣依据", "Ground", widget="text")


class SetOffId(StepInput):
    """Which set-off a payment's own step carries on."""

    set_off_id: UUID


__all__ = [
    "Establish",
    "GrantInstalments",
    "ProposeSetOff",
    "ProposeWriteOff",
    "Receive",
    "ReceiveSlip",
    "SetOffId",
]

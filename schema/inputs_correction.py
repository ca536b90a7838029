"""What the steps ask for that take back what a person caused by mistake."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from schema.inputs import Line, Sha256, StepInput, Text, ask


class ReverseReceipt(StepInput):
    """Which receipt does not belong here, and why; of a closed year also by which decision."""

    receipt_id: UUID = ask("入账记录", "Receipt", widget="receipt")
    reason: Text = ask("理由", "Reason", widget="text")
    correction_no: Annotated[str, Field(max_length=200)] = ask(
        "更正决定文号（年度已关账时必填）", "Number of the decision (where the year is closed)", default=""
    )


class Reopen(StepInput):
    """Why what was written off is owed after all, and by which decision."""

    reason: Text = ask("理由", "Reason", widget="text")
    correction_no: Line = ask("更正决定文号", "Number of the decision")
    documents: Annotated[tuple[Sha256, ...], Field(min_length=1)] = ask(
        "决定书", "The decision", widget="documents"
    )


__all__ = ["Reopen", "ReverseReceipt"]

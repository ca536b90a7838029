"""What the steps of a cost claim ask for, and the budget that its categories are held against."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schema.inputs import Day, Line, Minor, Reason, Sha256, StepInput, Text, _number, ask

Nothing = Annotated[int, BeforeValidator(_number), Field(ge=0, le=9_000_000_000_000_000)]
LINES_MAX = 1000


class ClaimLine(BaseModel):
    """One cost as it is claimed. Of a draft any part may be missing; handing it in asks for all of them."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)
    category: Annotated[str, Field(max_length=40)] = ""
    spent_on: Day | None = None
    payee: Annotated[str, Field(max_length=300)] = ""
    invoice_no: Annotated[str, Field(max_length=100)] = ""
    description: Annotated[str, Field(max_length=1000)] = ""
    amount_minor: Minor | None = None
    evidence: Sha256 | None = None


class WriteClaim(StepInput):
    """A claim for a period, both days included, with its lines so far."""

    period_from: Day = ask("费用期间起", "Period from", widget="date")
    period_to: Day = ask("费用期间止", "Period to", widget="date")
    lines: Annotated[tuple[ClaimLine, ...], Field(max_length=LINES_MAX)] = ask(
        "费用明细", "Costs", widget="claim_lines", default=()
    )


class LineFinding(BaseModel):
    """What an examiner finds of one line: how much of it is allowed; less than all needs a reason."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)
    number: Annotated[int, BeforeValidator(_number), Field(ge=1, le=LINES_MAX)]
    allowed_minor: Nothing
    reason: Annotated[str, Field(max_length=2000)] = ""


class ExamineClaim(StepInput):
    """Findings by line; lines that are not named stay as they are."""

    findings: Annotated[tuple[LineFinding, ...], Field(min_length=1, max_length=LINES_MAX)] = ask(
        "逐笔审核", "Line by line", widget="claim_findings"
    )


class SetBudget(StepInput):
    """What a project plans to spend, by category of its programme."""

    budget: Annotated[dict[Annotated[str, Field(max_length=40)], Minor], Field(max_length=60)] = ask(
        "预算科目", "Budget by category", widget="budget"
    )


__all__ = [
    "LINES_MAX",
    "ClaimLine",
    "ExamineClaim",
    "Line",
    "LineFinding",
    "Reason",
    "SetBudget",
    "Text",
    "WriteClaim",
]

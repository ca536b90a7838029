"""What the changes of a yearly budget ask for."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from schema.inputs import Minor, StepInput, Text, ask

Paper = Annotated[str, Field(max_length=300)]


class ChangeSum(StepInput):
    """More or less money for an appropriation."""

    amount_minor: Minor = ask("金额", "Amount", widget="money")
    reason: Text = ask("理由", "Reason", widget="text")
    paper: Paper = ask("批复文号", "Number of the decision", default="")


class MoveSum(StepInput):
    """Money that goes from one appropriation to another of the same year."""

    to_id: UUID = ask("调入", "To", widget="purse")
    amount_minor: Minor = ask("金额", "Amount", widget="money")
    reason: Text = ask("理由", "Reason", widget="text")
    paper: Paper = ask("批复文号", "Number of the decision", default="")


class WholeRest(StepInput):
    """All that is left of a closed year; the sum follows from the ledger."""

    reason: Text = ask("理由", "Reason", widget="text")
    paper: Paper = ask("批复文号", "Number of the decision", default="")


class OpenCarried(StepInput):
    """The appropriation that carried-over money goes into; nothing is voted for it."""

    programme_id: UUID = ask("计划", "Programme", widget="programme")
    fiscal_year: Annotated[int, Field(ge=2000, le=2200)] = ask("预算年度", "Fiscal year")
    source: Annotated[str, Field(max_length=60)] = ask("资金来源", "Source")
    source_rank: Annotated[int, Field(ge=0)] = ask("来源次序", "Order of the source")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3,4}$")] = ask("币种", "Currency")
    origin_year: Annotated[int, Field(ge=2000, le=2200)] = ask("资金年度", "Year of origin")
    office_path: Annotated[str, Field(max_length=300)] = ask("单位", "Office", widget="office")
    for_interest: bool = ask("只付逾期利息", "For interest alone", default=False)


__all__ = ["ChangeSum", "MoveSum", "OpenCarried", "WholeRest"]

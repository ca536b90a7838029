"""What the steps of a delegation ask for."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from schema.inputs import Currency, Day, Line, Minor, Office, StepInput, ask


class GrantDelegation(StepInput):
    """Who may act for the actor, in what and from when to when; both days are included."""

    programme_id: UUID = ask("计划", "Programme", widget="programme")
    office_path: Office = ask("部门（含下级）", "Office, and those below it", widget="office")
    delegate_id: UUID = ask("被委托人", "Delegate", widget="colleague")
    role: Literal["finance_officer", "programme_officer"] = ask("以何角色", "In which role")
    duty: Literal["every", "request", "approve", "release"] = ask("委托事项", "For what", default="every")
    from_on: Day = ask("自", "From", widget="date")
    until_on: Day = ask("至（含当日）", "Until (that day included)", widget="date")
    limit_minor: Minor | None = ask("单笔不超过", "Up to this sum each", widget="money", default=None)
    currency: Currency | None = ask("限额币种", "Currency of the sum", default=None)
    reason: Line = ask("事由", "Reason")


__all__ = ["GrantDelegation"]

"""What the steps of a payee's account ask for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schema.inputs import Line, Sha256, StepInput, ask


class EnterPayee(StepInput):
    """The account a project is to be paid to; of a change also the evidence, as documents handed in.

    ``bank_code``: of a domestic account the bank's twelve digits (联行号, CNAPS), of an IBAN the BIC.
    """

    account_name: Line = ask("户名", "Account name")
    account_kind: Literal["cn", "iban"] | None = ask("账户类别", "Kind of account", default=None)
    account_no: Annotated[str, Field(pattern=r"^[A-Z0-9 ]{6,40}$")] = ask("账号", "Account number")
    bank_name: Line = ask("开户行", "Bank")
    bank_code: Annotated[str, Field(min_length=1, max_length=40)] | None = ask(
        "联行号（12 位）或 BIC", "Bank code: 12 digits (CNAPS), or BIC", default=None
    )
    documents: tuple[Sha256, ...] = ask("变更凭证", "Evidence of the change", widget="documents", default=())


__all__ = ["EnterPayee"]

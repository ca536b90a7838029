"""What the steps about final papers ask for: which paper, its files, and what finance finds."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schema.inputs import Sha256, StepInput, Text, ask

ProofKind = Literal["segregated_ledger", "final_accounts", "audit_report"]


class HandInProof(StepInput):
    """A paper that money waits for: separate ledger (专账), final accounts (决算), audit report (审计)."""

    kind: ProofKind = ask("材料种类", "Which paper")
    documents: Annotated[tuple[Sha256, ...], Field(min_length=1, max_length=20)] = ask(
        "文件", "Files", widget="documents"
    )
    note: Annotated[str, Field(max_length=4000)] = ask("说明", "Note", widget="text", default="")


class DecideProof(StepInput):
    """What finance finds of one paper."""

    proof_id: UUID = ask("材料", "Paper", widget="proof")
    outcome: Literal["accepted", "returned"] = ask("结论", "Finding")
    opinion: Text = ask("意见", "Opinion", widget="text")


__all__ = ["DecideProof", "HandInProof", "ProofKind"]

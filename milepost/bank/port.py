"""The port to a bank: hand over one instruction, ask what became of it. Nothing here knows our ledger.

Whoever calls it holds no transaction open, and treats every exception but one as "outcome unknown".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID

from schema.money import Money

Kind = Literal["settled", "rejected", "accepted", "not_received"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One payment as the bank is told of it. The end-to-end id is the payment's id and comes back with it.

    The account's number does not print itself, so that it reaches no log by way of a traceback.
    """

    end_to_end_id: UUID
    account_name: str = field(repr=False)
    account_no: str = field(repr=False)
    bank_name: str
    amount_minor: int
    currency: str
    remark: str

    def __post_init__(self) -> None:
        if Money(self.amount_minor, self.currency).minor <= 0:
            raise ValueError(f"an instruction pays a positive sum, not {self.amount_minor}")
        if not self.account_no.strip():
            raise ValueError("an instruction names an account")


@dataclass(frozen=True, slots=True)
class BankReply:
    """What the bank says about one end-to-end id; ``reference`` is its own, empty where it has none.

    - ``settled``: the payee has the money.
    - ``rejected``: the payee does not, and will not by this instruction, whether it was refused at once or
      came back later; ``reason`` says why.
    - ``accepted``: the bank has it and has not decided; ask again.
    - ``not_received``: the bank never had it and nothing is under way. Only ``status`` says so.
    """

    kind: Kind
    reference: str
    reason: str


class BankError(Exception):
    """The bank gave no answer."""


class BankUnreachable(BankError):
    """No connection came about: nothing was handed over."""


class ReplyLost(BankError):
    """It was handed over and no answer came back: whether it was booked is unknown."""


class BankPort(Protocol):
    """A bank that takes one instruction at a time."""

    async def submit(self, instruction: Instruction) -> BankReply:
        """Hand over an instruction. The bank does not notice a repetition: never submit one twice."""
        ...

    async def status(self, end_to_end_id: UUID) -> BankReply:
        """What became of an instruction, as the bank's own books have it."""
        ...


__all__ = ["BankError", "BankPort", "BankReply", "BankUnreachable", "Instruction", "Kind", "ReplyLost"]

"""A batch as it goes to the bank: who pays, from which account, on which day, and the payments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable
from uuid import UUID

from milepost.bank.files.amounts import control_sum

IBAN = "IBAN"
BBAN = "BBAN"
"""An account number by the rules of its country, which is what ISO 20022 calls it."""
CARD = "CARD"


@dataclass(frozen=True, slots=True)
class Account:
    """An account number and what kind it is: ``IBAN``, ``BBAN``, ``CARD``, or a name the bank gave.

    Blanks, with which people group digits, are taken out; an IBAN is in capitals. The number does not
    print itself, so that it reaches no log by way of a traceback.
    """

    number: str = field(repr=False)
    scheme: str = IBAN

    def __post_init__(self) -> None:
        bare = "".join(self.number.split())
        object.__setattr__(self, "number", bare.upper() if self.scheme == IBAN else bare)

    @property
    def masked(self) -> str:
        """The last four digits, for people who have to tell accounts apart."""
        return f"…{self.number[-4:]}" if len(self.number) > 8 else "…"


@dataclass(frozen=True, slots=True)
class Agent:
    """A bank: by BIC, or by its number in a clearing system (CNAPS: the twelve digits of 联行号), or both."""

    bic: str = ""
    member_id: str = ""
    clearing_system: str = "CNAPS"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """A holder, the account and the bank that keeps it."""

    name: str
    account: Account
    agent: Agent = Agent()


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment. ``end_to_end_id`` comes back on reports and statements, so it is unique for ever.

    Nothing is refused here: what is wrong with a payment is said by ``checks``, with its row.
    """

    end_to_end_id: str
    amount_minor: int
    currency: str
    creditor: Party
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """How many payments, and how much in each currency."""

    number: int
    minor_by_currency: Mapping[str, int]

    @property
    def control_sum(self) -> Decimal:
        """The figures added up whatever their currency."""
        return control_sum(self.minor_by_currency)


@runtime_checkable
class Counted(Protocol):
    """Payments that can be counted where they are, without being read one by one."""

    def totals(self) -> Totals:
        """Counted anew each time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Payments that go together. ``payments`` is read several times and gives the same each time.

    A tuple will do; for many, give something that reads them from where they are (a class with
    ``__iter__``, better with ``totals`` as well), and they are never all in memory. An iterator can be read
    once only and is refused.
    """

    id: str
    created_at: datetime
    debtor: Party
    execution_on: date
    payments: Iterable[Payment] = field(repr=False)

    def __post_init__(self) -> None:
        if self.created_at.utcoffset() is None:
            raise ValueError("the time of creation has a time zone")
        if isinstance(self.payments, Iterator):
            raise ValueError("payments are read several times: give a sequence, not an iterator")

    def totals(self) -> Totals:
        """Counted anew from the payments."""
        if isinstance(self.payments, Counted):
            return self.payments.totals()
        number = 0
        sums: dict[str, int] = {}
        for payment in self.payments:
            number += 1
            sums[payment.currency] = sums.get(payment.currency, 0) + payment.amount_minor
        return Totals(number, sums)


def end_to_end_text(payment_id: UUID) -> str:
    """A payment's id as files carry it: 32 of the 35 characters, without the hyphens."""
    return payment_id.hex


def payment_id_of(end_to_end_id: str) -> UUID | None:
    """The payment that an end-to-end id names, or None where it is not one of ours.

    Banks change case and put hyphens back; anything else is somebody else's id.
    """
    bare = end_to_end_id.strip().replace("-", "").lower()
    if len(bare) != 32 or bare.strip("0123456789abcdef"):
        return None
    return UUID(hex=bare)


__all__ = [
    "BBAN",
    "CARD",
    "IBAN",
    "Account",
    "Agent",
    "Batch",
    "Counted",
    "Party",
    "Payment",
    "Totals",
    "end_to_end_text",
    "payment_id_of",
]

"""What a bank's statement says: statements, balances, entries, and the payments behind an entry.

Amounts are signed minor units as the account's owner sees them: a credit is positive, a debit negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Literal

from milepost.bank.files.batch import BBAN, Account, Agent, Party

EntryStatus = Literal["booked", "pending", "info", "future", "unknown"]


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance of one kind (``OPBD``, ``CLBD``, ``ITBD`` …) on a day."""

    kind: str
    amount_minor: int
    currency: str
    on: date | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of several, counted from 1."""

    number: int
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementAccount:
    """The account a statement is about; ``bank`` is the BIC or clearing number of the bank that keeps it."""

    number: str = field(repr=False)
    iban: bool = False
    currency: str = ""
    owner: str = ""
    bank: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement without its entries, and what its entries add up to.

    - ``number``: its place in the file, from 1. ``sequence``: the electronic number, else the legal one.
    - ``copy``: ``DUPL``, ``COPY`` or ``CODU`` where the bank says that it was sent before.
    - ``credits_minor``, ``debits_minor``: the sums of booked entries, the second not above zero.
    """

    id: str
    account: StatementAccount
    balances: tuple[Balance, ...] = ()
    number: int = 1
    line: int = 0
    sequence: int | None = None
    page: Page | None = None
    created_at: datetime | None = None
    first_on: date | None = None
    last_on: date | None = None
    copy: str = ""
    entries: int = 0
    booked: int = 0
    credits_minor: int = 0
    debits_minor: int = 0

    @property
    def booked_minor(self) -> int:
        """What the booked entries add up to."""
        return self.credits_minor + self.debits_minor

    @property
    def opening(self) -> Balance | None:
        """The balance before the first entry; an interim one where the statement begins in between."""
        return self._of("OPBD", "PRCD") or (self._interim[0] if self._has_closing_after_interim else None)

    @property
    def closing(self) -> Balance | None:
        """The balance after the last entry; an interim one where the statement ends in between."""
        closing = [balance for balance in self._own if balance.kind == "CLBD"]
        if closing:
            return closing[-1]
        interim = self._interim
        if not interim or (self._of("OPBD", "PRCD") is None and len(interim) < 2):
            return None
        return interim[-1]

    @property
    def _own(self) -> tuple[Balance, ...]:
        currency = self.account.currency
        return tuple(b for b in self.balances if not currency or b.currency == currency)

    @property
    def _interim(self) -> tuple[Balance, ...]:
        return tuple(balance for balance in self._own if balance.kind == "ITBD")

    @property
    def _has_closing_after_interim(self) -> bool:
        closing = any(balance.kind == "CLBD" for balance in self._own)
        return len(self._interim) > (0 if closing else 1)

    def _of(self, *kinds: str) -> Balance | None:
        for kind in kinds:
            for balance in self._own:
                if balance.kind == kind:
                    return balance
        return None


_NOBODY = Party("", Account("", BBAN), Agent(clearing_system=""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One payment behind an entry, as far as the bank tells; empty texts were not given.

    - ``references``: structured creditor references.
    - ``return_code``, ``return_text``: why it came back, by ISO's code or the bank's own; ``original_code``
      is the bank's code of what came back.
    """

    end_to_end_id: str = ""
    instruction_id: str = ""
    transaction_id: str = ""
    message_id: str = ""
    block_id: str = ""
    bank_reference: str = ""
    clearing_reference: str = ""
    uetr: str = ""
    amount_minor: int | None = None
    currency: str = ""
    code: str = ""
    debtor: Party = _NOBODY
    creditor: Party = _NOBODY
    remark: str = ""
    references: tuple[str, ...] = ()
    return_code: str = ""
    return_text: str = ""
    original_code: str = ""
    note: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBooking:
    """What the bank says of payments it booked as one."""

    message_id: str = ""
    block_id: str = ""
    number: int | None = None
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a statement, with everything the bank wrote about it in ``xml``.

    - ``statement``, ``number``: the statement's place in the file and the entry's in the statement, from 1.
    - ``code``: the bank transaction code (``PMNT/ICDT/ESCT``); ``own_code``: the bank's own for the same.
    - ``status_code``: the status as the bank wrote it, also where nobody knows what it means.
    """

    amount_minor: int
    currency: str
    statement: int = 1
    account_no: str = field(default="", repr=False)
    number: int = 1
    line: int = 0
    reference: str = ""
    bank_reference: str = ""
    reversal: bool = False
    status: EntryStatus = "booked"
    status_code: str = "BOOK"
    booked_on: date | None = None
    valued_on: date | None = None
    code: str = ""
    own_code: str = ""
    batches: tuple[BatchBooking, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    note: str = ""
    xml: bytes = field(default=b"", repr=False, compare=False)

    @property
    def key(self) -> str:
        """What names the entry within its account, also in another file: the bank's reference and the amount.

        Banks give the same reference to a payment and its return, so direction and amount belong to it.
        An entry without a reference is named by what it says.
        """
        if self.bank_reference:
            return f"{self.bank_reference}/{self.amount_minor}/{self.currency}"
        return f"sha256:{sha256(self.xml).hexdigest()}"

    @property
    def returned(self) -> bool:
        """Whether money comes back by it that had gone out (or goes back that had come in)."""
        if self.reversal or self.code.rpartition("/")[2] in RETURN_FAMILIES:
            return True
        return any(
            part.return_code or part.return_text or part.code.rpartition("/")[2] in RETURN_FAMILIES
            for part in self.transactions
        )

    def parts(self) -> Iterator[tuple[Transaction, int | None]]:
        """Each payment behind the entry with its signed amount; None where the bank tells the sum only."""
        for part in self.transactions:
            if part.amount_minor is not None and part.currency == self.currency:
                yield part, part.amount_minor
            else:
                yield part, self.amount_minor if len(self.transactions) == 1 else None


# Sub-families of the bank transaction code that say "this came back": a return, a cancellation, a payment
# or a debit that was not honoured, a reversal.
RETURN_FAMILIES = frozenset({"RRTN", "RPCR", "ARET", "UPCT", "UPDD", "PRDD"})


__all__ = [
    "RETURN_FAMILIES",
    "Balance",
    "BatchBooking",
    "Entry",
    "EntryStatus",
    "Page",
    "Statement",
    "StatementAccount",
    "Transaction",
]

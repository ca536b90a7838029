"""The office's side of the files: which account pays, what the bank takes, and the folders shared with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from config.settings import Settings
from milepost.bank.files.batch import BBAN, IBAN, Account, Agent, Party
from milepost.bank.files.rules import BankRules

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}")


def account_of(number: str) -> Account:
    """An account number by its looks: an IBAN begins with a country and two digits, any other is a BBAN."""
    bare = "".join(number.split())
    return Account(bare, IBAN if _IBAN.fullmatch(bare.upper()) else BBAN)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where files go to and come from. ``staged`` holds a file until it is moved to ``out``, once.

    ``office`` keeps the account: what the bank says of no project is for its people.
    """

    debtor: Party = field(repr=False)
    rules: BankRules
    folder: Path
    office: str = "/"

    @property
    def account(self) -> str:
        """Our account as statements name it."""
        return self.debtor.account.number

    @property
    def staged(self) -> Path:
        return self._made("staged")

    @property
    def out(self) -> Path:
        return self._made("out")

    @property
    def inbox(self) -> Path:
        return self._made("in")

    @property
    def read(self) -> Path:
        return self._made("read")

    def _made(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def desk_of(settings: Settings) -> Desk | None:
    """The desk that the settings describe; None while payments do not go by file."""
    if settings.bank != "files" or settings.bank_account is None:
        return None
    # A payee is kept with its account alone, so that the bank finds the payee's bank by the number.
    rules = BankRules(
        version=settings.bank_format, agent_needed=False, currencies=frozenset({"CNY", "EUR", "USD", "HKD"})
    )
    agent = Agent(bic=settings.bank_bic, member_id=settings.bank_cnaps)
    debtor = Party(settings.bank_holder, account_of(settings.bank_account), agent)
    return Desk(debtor, rules, settings.bank_place, settings.bank_office)


__all__ = ["Desk", "account_of", "desk_of"]

"""The office's side of the files: which account pays, what the bank takes, and the folders shared with it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from config.settings import Settings
from milepost.bank.files.batch import BBAN, IBAN, Account, Agent, Party
from milepost.bank.files.rules import BankRules
from milepost.bank.files.sheet import SheetTemplate

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}")


def account_of(number: str) -> Account:
    """An account number by its looks: an IBAN begins with a country and two digits, any other is a BBAN."""
    bare = "".join(number.split())
    return Account(bare, IBAN if _IBAN.fullmatch(bare.upper()) else BBAN)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where files go to and come from. ``staged`` holds a file until it is moved to ``out``, once.

    With a ``template`` a batch goes as a spreadsheet. ``office`` keeps the account: what the bank says of no
    project is for its people.
    """

    debtor: Party = field(repr=False)
    rules: BankRules
    folder: Path
    office: str = "/"
    template: SheetTemplate | None = None

    @property
    def account(self) -> str:
        """Our account as statements name it."""
        return self.debtor.account.number

    @property
    def ending(self) -> str:
        """How the names of our files end."""
        return "xml" if self.template is None else "xlsx"

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


def template_at(path: Path | None) -> SheetTemplate | None:
    """The columns of a bank's spreadsheet as a file says them; ValueError (pydantic's) for what is none."""
    if path is None:
        return None
    return SheetTemplate.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def desk_of(settings: Settings) -> Desk | None:
    """The desk that the settings describe; None while payments do not go by file."""
    if settings.bank != "files" or settings.bank_account is None:
        return None
    template = template_at(settings.bank_sheet) if settings.bank_format == "sheet" else None
    # A payee is kept with its account alone, so that the bank finds the payee's bank by the number.
    rules = BankRules(agent_needed=False, currencies=frozenset({"CNY", "EUR", "USD", "HKD"}))
    if settings.bank_format != "sheet":
        rules = rules.model_copy(update={"version": settings.bank_format})
    agent = Agent(bic=settings.bank_bic, member_id=settings.bank_cnaps)
    debtor = Party(settings.bank_holder, account_of(settings.bank_account), agent)
    return Desk(debtor, rules, settings.bank_place, settings.bank_office, template)


__all__ = ["Desk", "account_of", "desk_of", "template_at"]

"""What one bank takes in its files, as data: the version, the characters, the lengths, the currencies."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from milepost.bank.files.amounts import decimals_of
from milepost.bank.files.characters import Repertoire

Version = Literal["pain.001.001.09", "pain.001.001.03"]


class BankRules(BaseModel):
    """The defaults fit a domestic bank that takes Chinese. ``sepa_rules`` gives those of a SEPA transfer.

    - ``one_currency``: a payment block holds one currency; a batch of several becomes several blocks.
    - ``agent_needed``: an account that is no IBAN comes with its bank's CNAPS code or BIC.
    - ``account_schemes``: kinds of account that the bank knows beside IBAN, BBAN and CARD.
    - ``amount_major_max``: the most in one payment, in whole units of the currency.
    - ``charge_bearer``, ``service_level``, ``batch_booking``: written as they stand, left out when empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Version = "pain.001.001.09"
    characters: Repertoire = "unicode"
    currencies: frozenset[str] = frozenset({"CNY"})
    one_currency: bool = True
    agent_needed: bool = True
    account_schemes: frozenset[str] = frozenset()
    name_max: int = Field(default=140, ge=1, le=140)
    remark_max: int = Field(default=140, ge=1, le=140)
    payments_max: int = Field(default=100_000, ge=1, le=999_999)
    # Eighteen digits are what the schemas allow, the currency's decimals among them.
    amount_major_max: int = Field(default=10**13, ge=1, le=10**13)
    charge_bearer: Literal["", "DEBT", "CRED", "SHAR", "SLEV"] = ""
    service_level: str = Field(default="", max_length=4, pattern=r"^[A-Z]*$")
    batch_booking: bool | None = None

    @field_validator("currencies")
    @classmethod
    def _can_be_written(cls, value: frozenset[str]) -> frozenset[str]:
        """The schemas carry three capital letters and five decimals: no bitcoin goes through a bank."""
        odd = [code for code in value if not re.fullmatch("[A-Z]{3}", code) or decimals_of(code) > 5]
        if odd or not value:
            raise ValueError(f"no bank file pays in {', '.join(sorted(odd)) or 'no currency at all'}")
        return value


def sepa_rules(version: Version = "pain.001.001.09") -> BankRules:
    """The rules of a SEPA credit transfer: euro, Latin characters, names of seventy, charges shared."""
    return BankRules(
        version=version,
        characters="latin",
        currencies=frozenset({"EUR"}),
        name_max=70,
        amount_major_max=999_999_999,
        charge_bearer="SLEV",
        service_level="SEPA",
    )


__all__ = ["BankRules", "Version", "sepa_rules"]

"""An amount in a bank file is a decimal text beside a currency: read exactly into minor units, or refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from milepost.bank.files.findings import Finding, finding
from schema.money import CURRENCIES, MINOR_MAX

# ISO 4217 gives two decimals to all but these. A bank may report on an account in any of them.
_NO_DECIMALS = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"),
    *("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DECIMALS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(_NO_DECIMALS, 0) | dict.fromkeys(_THREE_DECIMALS, 3) | dict.fromkeys(("CLF", "UYW"), 4)
)
# The schemas allow eighteen digits, some of them decimals, and no exponent.
_WRITTEN = re.compile(r"([0-9]{0,18})(?:\.([0-9]{0,17}))?")
_CODE = re.compile(r"[A-Z]{3}")


class NotAnAmount(ValueError):
    """A text that is no exact amount; ``finding`` says why, without a place."""

    def __init__(self, said: Finding) -> None:
        super().__init__(said.fact("en"))
        self.finding = said


def decimals_of(currency: str) -> int:
    """How many decimals a currency has: ours as we account for it, others by ISO 4217."""
    ours = CURRENCIES.get(currency)
    return ours.decimals if ours is not None else _DECIMALS.get(currency, 2)


def amount_text(amount_minor: int, currency: str) -> str:
    """The amount as a file writes it: a point, exactly the currency's decimals, no separators.

    >>> amount_text(1_234_567, "CNY"), amount_text(5, "EUR"), amount_text(1500, "JPY")
    ('12345.67', '0.05', '1500')
    """
    places = decimals_of(currency)
    sign, digits = ("-" if amount_minor < 0 else ""), str(abs(amount_minor)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def amount_minor_of(text: str, currency: str) -> int:
    """The amount in minor units. Zeros beyond the currency's decimals say nothing; other digits are refused.

    An amount in a bank file has no sign (debit and credit stand beside it), so one with a sign is refused.
    """
    written = _WRITTEN.fullmatch(text)
    if written is None or not (written[1] or written[2]) or _CODE.fullmatch(currency) is None:
        shown = f"{text[:40]} {currency[:8]}".strip()
        raise NotAnAmount(finding("amount_unreadable", "amount", value=shown))
    places = decimals_of(currency)
    decimals = written[2] or ""
    if decimals[places:].strip("0"):
        raise NotAnAmount(
            finding("amount_decimals", "amount", value=text, currency=currency, decimals=places)
        )
    minor = int((written[1] or "0") + decimals[:places].ljust(places, "0"))
    if minor > MINOR_MAX:
        most = amount_text(MINOR_MAX, currency)
        raise NotAnAmount(finding("amount_too_large", "amount", amount=text, most=most))
    return minor


def control_sum(minor_by_currency: Mapping[str, int]) -> Decimal:
    """The figures added up whatever their currency, as the standard wants a control sum."""
    return sum(
        (Decimal(minor).scaleb(-decimals_of(code)) for code, minor in sorted(minor_by_currency.items())),
        Decimal(0),
    )


def control_sum_text(minor_by_currency: Mapping[str, int]) -> str:
    """The control sum with as many decimals as the currency with most of them has."""
    places = max((decimals_of(code) for code in minor_by_currency), default=2)
    return f"{control_sum(minor_by_currency):.{places}f}"


def summed(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Minor units by currency."""
    totals: dict[str, int] = {}
    for currency, minor in amounts:
        totals[currency] = totals.get(currency, 0) + minor
    return totals


__all__ = [
    "NotAnAmount",
    "amount_minor_of",
    "amount_text",
    "control_sum",
    "control_sum_text",
    "decimals_of",
    "summed",
]

"""Money is a whole number of minor units in one currency: never a float, never a rounded sum.

What is stored is a signed 64-bit integer (BIGINT) beside a currency code. Text becomes money
through exact decimals, money becomes text without rounding, and a split gives back every last
unit. Whatever cannot be kept exactly is refused with a `MoneyError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

# The range is symmetric, one short of what BIGINT holds below zero, so that a negation always fits.
MINOR_MAX = 2**63 - 1

Share = Fraction | Decimal | str | int


class Explained(ValueError):
    """A refusal that tells the reader the fact and the remedy, in Chinese and in English.

    `code` is stable and meant for programs; `zh` and `en` are whole sentences meant for people.
    """

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{en} {zh}")
        self.code, self.zh, self.en = code, zh, en

    def __reduce__(self) -> tuple[type[Explained], tuple[str, str, str]]:
        """Survive a trip between processes; an exception would otherwise forget its three parts."""
        return type(self), (self.code, self.zh, self.en)


class MoneyError(Explained):
    """An amount that cannot be kept, compared, split or read exactly."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency as this product accounts for it: how many decimals, and what people call it."""

    code: str
    decimals: int
    zh: str
    symbols: tuple[str, ...] = ()

    @property
    def minor_per_major(self) -> int:
        """How many minor units make one unit of the currency."""
        return int(10**self.decimals)


# DAI has 18 decimals on its own ledger. At that scale a signed 64-bit integer ends at 9.22 DAI,
# so DAI is accounted in hundredths, as the dollar it follows. BTC fits: all 21 million bitcoins
# are 2.1e15 satoshi.
CURRENCIES: Mapping[str, Currency] = MappingProxyType(
    {
        c.code: c
        for c in (
            Currency("CNY", 2, "元", ("¥", "￥")),
            Currency("USD", 2, "美元", ("$",)),
            Currency("EUR", 2, "欧元", ("€",)),
            Currency("GBP", 2, "英镑", ("£",)),
            Currency("BTC", 8, "比特币", ("₿",)),
            Currency("DAI", 2, "DAI"),
        )
    }
)


def currency(code: str) -> Currency:
    """The currency of that code; an unknown code is refused with the list of those that exist."""
    found = CURRENCIES.get(code)
    if found is None:
        known = ", ".join(CURRENCIES)
        raise MoneyError(
            "currency_unknown",
            f"没有币种“{code}”。请使用以下币种之一：{known}。",
            f"There is no currency {code!r}. Use one of: {known}.",
        )
    return found


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `minor` units (分, cents, satoshi) of one `currency`.

    Amounts of one currency can be added, subtracted, negated and ordered. Amounts of two
    currencies are unequal, and everything else between them is refused.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise MoneyError(
                "minor_not_whole",
                f"金额须为最小货币单位的整数，收到的是 {self.minor!r}。请用 Money.parse 读取文字金额。",
                f"An amount is a whole number of minor units, not {self.minor!r}. "
                "Read text with Money.parse.",
            )
        currency(self.currency)
        if abs(self.minor) > MINOR_MAX:
            raise MoneyError(
                "amount_out_of_range",
                f"金额 {self.minor} 超出可存储的范围（±{MINOR_MAX}）。请检查单位，或拆成多笔。",
                f"The amount {self.minor} is beyond what can be stored (±{MINOR_MAX}). "
                "Check its unit, or divide it into several.",
            )

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in that currency."""
        return cls(0, currency)

    @classmethod
    def total(cls, amounts: Iterable[Money], currency: str) -> Money:
        """The sum of the amounts; of none, zero. The currency is named because none has none."""
        return sum(amounts, cls.zero(currency))

    @classmethod
    def parse(cls, text: str, currency: str, *, allow_negative: bool = True) -> Money:
        """Read what a person wrote, exactly: "12,345.67", "¥100", "100.00 USD", "1.5万元".

        A comma separates thousands and a point separates decimals. Full-width digits and signs
        are read as the ordinary ones. 万 and 亿 go with the currency's Chinese name (万元, 万美元).
        More decimals than the currency carries are refused even when they are zeros, because
        "1.000" means a thousand to half of Europe.
        """
        return _parse(text, currency, allow_negative)

    @property
    def major(self) -> Decimal:
        """The amount in whole units of its currency, exactly, with all its decimals."""
        return Decimal(f"{self.minor}E-{currency(self.currency).decimals}")

    def format(self, locale: str = "zh", *, in_wan: bool = False) -> str:
        """The amount as people write it; every stored unit shows, whatever the unit.

        `zh` gives 12,345.67元, or 1.234567万元 with `in_wan`; `en` gives 12,345.67 USD and has
        no 万. A locale such as zh_CN or en-GB counts by its language.
        """
        language = re.split("[-_]", locale)[0].lower()
        if language not in ("zh", "en"):
            raise MoneyError(
                "locale_unknown",
                f"没有语言“{locale}”的金额写法。请使用 zh 或 en。",
                f"There is no way of writing amounts for the locale {locale!r}. Use zh or en.",
            )
        if language == "en":
            return f"{self.major:,f} {self.currency}"
        name = currency(self.currency).zh
        if not in_wan:
            return f"{self.major:,f}{name}"
        places = currency(self.currency).decimals + 4
        text = f"{Decimal(f'{self.minor}E-{places}'):,f}".rstrip("0").rstrip(".")
        return f"{text}万{name}"

    def split(self, shares: Sequence[Share]) -> list[Money]:
        """Divide by shares that make one whole, losing nothing: the last takes the remainder.

        A share is exact: Fraction(1, 3), Decimal("0.3"), "30%", "0.3" or "1/3". Every part but
        the last is rounded towards zero, so that a negative amount splits as its positive does.
        """
        parts = [_fraction(share) for share in shares]
        if sum(parts) != 1:
            raise MoneyError(
                "shares_not_whole",
                f"各份额之和为 {sum(parts)}，应恰为 1。除不尽的份额请写成分数，如 1/3。",
                f"The shares add up to {sum(parts)}, not to 1. Write a share that does not end "
                "as a fraction, such as 1/3.",
            )
        sign = -1 if self.minor < 0 else 1
        minors = [sign * int(abs(self.minor) * part) for part in parts[:-1]]
        minors.append(self.minor - sum(minors))
        return [Money(minor, self.currency) for minor in minors]

    def ratio_floor(self, ratio: Share) -> Money:
        """That ratio of the amount, rounded down, so that a limit is never passed by rounding."""
        return Money(self.minor * _fraction(ratio) // 1, self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._comparable(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._comparable(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._comparable(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._comparable(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._comparable(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._comparable(other)

    def __str__(self) -> str:
        return self.format("en")

    def _comparable(self, other: object) -> int:
        """The other amount's minor units, when it is money of the same currency."""
        if not isinstance(other, Money):
            raise MoneyError(
                "not_money",
                f"{other!r} 不是金额，不能与 {self} 运算或比较。请先写成 Money。",
                f"{other!r} is not money and cannot be combined with {self}. Make it Money first.",
            )
        if other.currency != self.currency:
            raise MoneyError(
                "currency_mismatch",
                f"{self} 与 {other} 币种不同，不能运算或比较。请先按有据可查的汇率折算。",
                f"{self} and {other} are of different currencies. Convert one at a rate on record first.",
            )
        return other.minor


_TEXT_MAX = 64
_SHARE = re.compile(r"(?P<over>[0-9]+)/(?P<under>0*[1-9][0-9]*)|(?P<number>[0-9]+(\.[0-9]+)?)(?P<percent>%?)")


def _fraction(share: Share) -> Fraction:
    """The exact value of a share; a float, a negative and a text that is no number are refused."""
    if isinstance(share, str) and len(share) <= _TEXT_MAX and (match := _SHARE.fullmatch(share.strip())):
        if match["number"] is None:
            return Fraction(int(match["over"]), int(match["under"]))
        return Fraction(match["number"]) / (100 if match["percent"] else 1)
    # The exponent is bounded, because Decimal("1E-999999999") is short to write and endless to expand.
    decimal = isinstance(share, Decimal) and share.is_finite() and abs(share.adjusted()) <= _TEXT_MAX
    if decimal or (isinstance(share, Fraction | int) and not isinstance(share, bool)):
        value = Fraction(share)
        if value >= 0:
            return value
    raise MoneyError(
        "share_unreadable",
        f"无法准确读取份额 {share!r}。请写成不小于零的小数、百分数或分数，如 0.3、30%、1/3。",
        f"The share {share!r} cannot be read exactly. Write a decimal, a percentage or a fraction "
        "that is not below zero: 0.3, 30%, 1/3.",
    )


_NARROW = str.maketrans("０１２３４５６７８９，．－＋％＄￡−", "0123456789,.-+%$£-")
_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.(?P<decimals>[0-9]+))?")
_SCALES = {"亿": 8, "万": 4, "": 0}


def _parse(text: str, code: str, allow_negative: bool) -> Money:
    """See `Money.parse`."""
    money = currency(code)
    if not isinstance(text, str) or len(text) > _TEXT_MAX:
        raise _unreadable(text if isinstance(text, str) else repr(text), money)
    bare, scale = _without_unit(text.translate(_NARROW).strip(), money)
    match = _NUMBER.fullmatch(bare)
    if match is None:
        raise _unreadable(text, money)
    decimals, places = match["decimals"] or "", money.decimals + scale
    if len(decimals) > places:
        raise MoneyError(
            "too_many_decimals",
            f"“{text}”的小数超过 {places} 位，{code} 无法准确记录。请改写为至多 {places} 位小数。",
            f"{text!r} has more than {places} decimals, which {code} cannot keep exactly. "
            f"Write at most {places}.",
        )
    minor = int(match["whole"].replace(",", "") + decimals.ljust(places, "0"))
    if match["sign"] == "-" and minor and not allow_negative:
        raise MoneyError(
            "amount_negative",
            f"此处金额不能为负，收到的是“{text}”。请填写不小于零的金额。",
            f"The amount here cannot be negative, and {text!r} is. Write an amount that is not below zero.",
        )
    return Money(-minor if match["sign"] == "-" else minor, code)


def _without_unit(text: str, money: Currency) -> tuple[str, int]:
    """The number without its sign of currency, and the power of ten its unit stands for."""
    sign = text[:1] if text[:1] in ("+", "-") else ""
    bare = text[len(sign) :]
    for mark in (*money.symbols, money.code):
        if bare.startswith(mark):
            bare = bare.removeprefix(mark).lstrip()
            break
    for scale, power in _SCALES.items():
        for unit in (scale + money.zh, scale or money.code):
            if bare.endswith(unit):
                return sign + bare.removesuffix(unit).rstrip(), power
    return sign + bare, 0


def _unreadable(text: str, money: Currency) -> MoneyError:
    """The refusal of a text that is no amount in that currency."""
    shown = text if len(text) <= _TEXT_MAX else text[:_TEXT_MAX] + "…"
    return MoneyError(
        "amount_unreadable",
        f"“{shown}”不是可读的{money.code}金额。请写成 12,345.67，或带单位 1.5万{money.zh}。",
        f"{shown!r} is not a readable amount in {money.code}. Write it as 12,345.67.",
    )

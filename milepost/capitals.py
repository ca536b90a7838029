"""The amount in Chinese capitals (人民币大写) that a voucher must carry, for any sum that can be stored.

The rules are those of the People's Bank for bills and settlement vouchers: the text begins with
人民币; a sum that ends at 元 closes with 整, one that ends at 角 or 分 does not; zeros inside
collapse to one 零, and zeros at the end of a group of four are silent. Where the rules leave a
choice (零 between a group's silent zeros and the next group's first digit, 零 before 角), the
shorter writing is taken.
"""

from __future__ import annotations

from schema.money import Money, MoneyError

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ((1000, "仟"), (100, "佰"), (10, "拾"), (1, ""))
_GROUPS = ((10**8, "亿"), (10**4, "万"))


def capitals(amount: Money) -> str:
    """The sum as a voucher writes it: 16,409.02 is 人民币壹万陆仟肆佰零玖元零贰分.

    Only CNY has this writing, and only a sum that is not negative: a voucher that takes money
    back shows a positive sum in the other direction. Anything else is a `MoneyError`.
    """
    if amount.currency != "CNY":
        raise MoneyError(
            "capitals_only_cny",
            f"人民币大写仅适用于人民币，{amount} 不是人民币。请填写折合的人民币金额。",
            f"Chinese capitals are for CNY, and {amount} is not. Give its equivalent in CNY.",
        )
    if amount.minor < 0:
        raise MoneyError(
            "capitals_negative",
            f"凭证金额不能为负（{amount}）。请以正数金额按相反方向开具。",
            f"A voucher's sum cannot be negative ({amount}). Write it positive, in the other direction.",
        )
    yuan, cents = divmod(amount.minor, 100)
    whole = _whole(yuan) + "元" if yuan or not cents else ""
    return f"人民币{whole}{_cents(cents, after_yuan=bool(yuan))}"


def _cents(cents: int, *, after_yuan: bool) -> str:
    """What follows 元."""
    if not cents:
        return "整"
    jiao, fen = divmod(cents, 10)
    gap = "零" if after_yuan and not jiao else ""
    return (_DIGITS[jiao] + "角" if jiao else gap) + (_DIGITS[fen] + "分" if fen else "")


def _whole(number: int) -> str:
    """A whole number in capitals; beyond 亿 the counting starts again (壹万亿, 壹亿亿)."""
    for size, name in _GROUPS:
        if number >= size:
            high, low = divmod(number, size)
            gap = "零" if 0 < low < size // 10 else ""
            return _whole(high) + name + gap + (_whole(low) if low else "")
    return _group(number)


def _group(number: int) -> str:
    """A number below ten thousand in capitals."""
    text = ""
    for size, name in _PLACES:
        digit = number // size % 10
        if digit:
            text += _DIGITS[digit] + name
        elif text and number % size and not text.endswith("零"):
            text += "零"
    return text or "零"

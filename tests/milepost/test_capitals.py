"""A voucher's capitals say the stored sum, and no two sums are written alike."""

import re

import cn2an
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from milepost.capitals import capitals
from schema.money import MINOR_MAX, Money, MoneyError

VECTORS = [
    ("0", "零元整"),
    ("0.01", "壹分"),
    ("0.10", "壹角"),
    ("0.14", "壹角肆分"),
    ("1", "壹元整"),
    ("1.01", "壹元零壹分"),
    ("1.10", "壹元壹角"),
    ("10", "壹拾元整"),
    ("10.04", "壹拾元零肆分"),
    ("15", "壹拾伍元整"),
    ("100", "壹佰元整"),
    ("101", "壹佰零壹元整"),
    ("110", "壹佰壹拾元整"),
    ("325.04", "叁佰贰拾伍元零肆分"),
    ("1001", "壹仟零壹元整"),
    ("1010", "壹仟零壹拾元整"),
    ("1409.50", "壹仟肆佰零玖元伍角"),
    ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
    ("6007.14", "陆仟零柒元壹角肆分"),
    ("10000", "壹万元整"),
    ("10001", "壹万零壹元整"),
    ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
    ("100000", "壹拾万元整"),
    ("107000.53", "壹拾万柒仟元伍角叁分"),
    ("1000010", "壹佰万零壹拾元整"),
    ("10010000", "壹仟零壹万元整"),
    ("100000000", "壹亿元整"),
    ("100000001", "壹亿零壹元整"),
    ("100001000", "壹亿零壹仟元整"),
    ("100050000.05", "壹亿零伍万元零伍分"),
    ("110000000", "壹亿壹仟万元整"),
    ("1000000000000", "壹万亿元整"),
    ("1000100000000", "壹万零壹亿元整"),
    ("1000000010000", "壹万亿零壹万元整"),
    (
        "92233720368547758.07",
        "玖亿贰仟贰佰叁拾叁万柒仟贰佰零叁亿陆仟捌佰伍拾肆万柒仟柒佰伍拾捌元零柒分",
    ),
]


@pytest.mark.parametrize(("amount", "text"), VECTORS)
def test_sum_is_written_in_capitals(amount, text):
    assert capitals(Money.parse(amount, "CNY")) == "人民币" + text


def test_cross_check_is_known_to_be_wrong_on_an_empty_group_of_ten_thousands():
    # When this fails the other library has been mended, and the assumption below can go.
    assert cn2an.an2cn("100001000", "rmb") == "壹亿壹仟元整"


@given(st.integers(0, 10**16 - 1))
def test_capitals_agree_with_another_implementation(minor):
    groups = [minor // 100 // 10 ** (4 * n) % 10**4 for n in range(4)]
    assume(all(groups[n] for n in range(1, 4) if any(groups[n + 1 :])))
    assert capitals(Money(minor, "CNY")) == "人民币" + cn2an.an2cn(f"{minor // 100}.{minor % 100:02}", "rmb")


@given(st.integers(0, MINOR_MAX))
def test_capitals_read_back_to_the_sum(minor):
    assert _read(capitals(Money(minor, "CNY"))) == minor


@given(st.integers(0, MINOR_MAX))
def test_capitals_never_double_a_zero_nor_end_wrong(minor):
    text = capitals(Money(minor, "CNY"))
    assert "零零" not in text
    assert text.endswith("整") == (minor % 100 == 0)
    assert text == "人民币零元整" or not re.search("零[仟佰拾万亿元角分整]", text)


@pytest.mark.parametrize(
    ("amount", "code"),
    [(Money(100, "USD"), "capitals_only_cny"), (Money(-1, "CNY"), "capitals_negative")],
)
def test_sum_that_no_voucher_carries_is_refused(amount, code):
    with pytest.raises(MoneyError) as caught:
        capitals(amount)
    assert caught.value.code == code


def _read(text: str) -> int:
    """The minor units that a text in capitals stands for, by a reader that knows nothing of the writer."""
    match = re.fullmatch("人民币(?:(?P<yuan>.+)元)?零?(?:(?P<jiao>.)角)?(?:(?P<fen>.)分)?整?", text)
    assert match
    digit = "零壹贰叁肆伍陆柒捌玖".index
    jiao, fen = (digit(match[name]) if match[name] else 0 for name in ("jiao", "fen"))
    return _read_whole(match["yuan"] or "零") * 100 + jiao * 10 + fen


def _read_whole(text: str) -> int:
    for unit, size in (("亿", 10**8), ("万", 10**4), ("仟", 1000), ("佰", 100), ("拾", 10)):
        high, found, low = text.rpartition(unit)
        if found:
            return _read_whole(high) * size + _read_whole(low)
    return "零壹贰叁肆伍陆柒捌玖".index(text.strip("零") or "零")

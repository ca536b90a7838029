"""Money stays whole: no unit is lost, invented, rounded away, or mixed with another currency's."""

import pickle
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schema.money import CURRENCIES, MINOR_MAX, Money, MoneyError, currency

minors = st.integers(-MINOR_MAX, MINOR_MAX)
monies = st.builds(Money, minors, st.sampled_from(sorted(CURRENCIES)))


def refused(code: str, call) -> MoneyError:
    """The refusal with that code, which states its case in both languages."""
    with pytest.raises(MoneyError) as caught:
        call()
    assert caught.value.code == code
    assert caught.value.zh and caught.value.en
    assert caught.value.zh in str(caught.value) and caught.value.en in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("code", "decimals"), [("CNY", 2), ("USD", 2), ("EUR", 2), ("GBP", 2), ("BTC", 8), ("DAI", 2)]
)
def test_currency_carries_its_decimals(code, decimals):
    assert currency(code).decimals == decimals
    assert currency(code).minor_per_major == 10**decimals


def test_every_bitcoin_there_will_be_fits_and_ten_dai_at_full_scale_would_not():
    assert Money.parse("21,000,000", "BTC").minor == 2_100_000_000_000_000
    ten_dai_minor = 10 * 10**18
    assert ten_dai_minor > MINOR_MAX


@pytest.mark.parametrize("code", ["JPY", "cny", "", "RMB"])
def test_unknown_currency_is_refused_with_those_that_exist(code):
    error = refused("currency_unknown", lambda: Money(1, code))
    assert all(known in error.zh and known in error.en for known in CURRENCIES)


@pytest.mark.parametrize("minor", [1.0, 0.5, True, "1", Decimal(1), None])
def test_anything_but_a_whole_number_of_minor_units_is_refused(minor):
    refused("minor_not_whole", lambda: Money(minor, "CNY"))


@pytest.mark.parametrize("minor", [MINOR_MAX + 1, -MINOR_MAX - 1, 10**30])
def test_amount_beyond_what_can_be_stored_is_refused(minor):
    refused("amount_out_of_range", lambda: Money(minor, "CNY"))


def test_sum_that_leaves_the_range_is_refused():
    refused("amount_out_of_range", lambda: Money(MINOR_MAX, "CNY") + Money(1, "CNY"))


@pytest.mark.parametrize(
    "combine",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
    ],
)
def test_two_currencies_never_mix_and_money_never_mixes_with_numbers(combine):
    refused("currency_mismatch", lambda: combine(Money(1, "CNY"), Money(1, "USD")))
    for number in (1, 1.0, Decimal(1), None):
        refused("not_money", lambda number=number: combine(Money(1, "CNY"), number))


def test_amounts_of_two_currencies_are_unequal():
    assert Money(1, "CNY") != Money(1, "USD")
    assert len({Money(1, "CNY"), Money(1, "USD"), Money(1, "CNY")}) == 2


def test_money_cannot_be_changed():
    with pytest.raises(AttributeError):
        Money(1, "CNY").minor = 2  # type: ignore[misc]


@given(st.integers(-(10**17), 10**17), st.integers(-(10**17), 10**17))
def test_arithmetic_and_order_are_those_of_whole_numbers(a, b):
    x, y = Money(a, "CNY"), Money(b, "CNY")
    assert (x + y).minor == a + b
    assert (x - y).minor == a - b
    assert (-x).minor == -a
    assert (x < y, x <= y, x > y, x >= y) == (a < b, a <= b, a > b, a >= b)
    assert max(x, y).minor == max(a, b)


def test_total_of_nothing_is_zero_and_of_two_currencies_is_refused():
    assert Money.total([], "CNY") == Money.zero("CNY") == Money(0, "CNY")
    assert Money.total([Money(1, "CNY"), Money(2, "CNY")], "CNY") == Money(3, "CNY")
    refused("currency_mismatch", lambda: Money.total([Money(1, "USD")], "CNY"))


# --- split and ratio ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "shares", "parts"),
    [
        (100, ["1/3", "1/3", "1/3"], [33, 33, 34]),
        (100, [Fraction(1, 3), Fraction(2, 3)], [33, 67]),
        (1, ["0.5", "0.5"], [0, 1]),
        (101, ["65%", "35%"], [65, 36]),
        (101, [Decimal("0.60"), Decimal("0.40")], [60, 41]),
        (-100, ["1/3", "1/3", "1/3"], [-33, -33, -34]),
        (0, ["33%", "67%"], [0, 0]),
        (7, [1], [7]),
        (7, [0, "100%"], [0, 7]),
        (50_000_001, ["33.3%", "33.3%", "33.4%"], [16_650_000, 16_650_000, 16_700_001]),
    ],
)
def test_split_gives_the_remainder_to_the_last_share(minor, shares, parts):
    assert Money(minor, "CNY").split(shares) == [Money(part, "CNY") for part in parts]


@given(monies, st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any))
def test_split_loses_nothing_and_strays_from_each_share_by_less_than_a_unit(amount, weights):
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    parts = amount.split(shares)
    assert Money.total(parts, amount.currency) == amount
    assert all(abs(part.minor) <= abs(amount.minor) for part in parts)
    assert all(part.minor * amount.minor >= 0 for part in parts)
    for part, share in list(zip(parts, shares, strict=True))[:-1]:
        assert abs(amount.minor * share - part.minor) < 1
    assert (-amount).split(shares) == [-part for part in parts]


@pytest.mark.parametrize("shares", [[], ["0.5"], ["33%", "33%", "33%"], ["0.5", "0.6"], [2]])
def test_shares_that_make_no_whole_are_refused(shares):
    refused("shares_not_whole", lambda: Money(100, "CNY").split(shares))


UNREADABLE_SHARES = [
    0.5,
    True,
    None,
    "-0.5",
    Fraction(-1, 2),
    Decimal("NaN"),
    Decimal("Infinity"),
    Decimal("1E-999999999"),
    "1e-1",
    "1/0",
    "1/00",
    "half",
    "",
    "０.５",
    "1" * 100,
]


@pytest.mark.parametrize("share", UNREADABLE_SHARES)
def test_share_without_an_exact_value_is_refused(share):
    refused("share_unreadable", lambda: Money(100, "CNY").split([share, "0.5"]))
    refused("share_unreadable", lambda: Money(100, "CNY").ratio_floor(share))


@pytest.mark.parametrize(
    ("minor", "ratio", "floor"),
    [(101, "65%", 65), (100, "1/3", 33), (-100, "1/3", -34), (100, "0", 0), (100, "1.5", 150), (99, 1, 99)],
)
def test_ratio_is_rounded_down(minor, ratio, floor):
    assert Money(minor, "CNY").ratio_floor(ratio) == Money(floor, "CNY")


# --- text --------------------------------------------------------------------------------------

READABLE = [
    ("12,345.67", "USD", 1_234_567),
    ("12345.67", "USD", 1_234_567),
    ("0", "CNY", 0),
    ("-0.00", "CNY", 0),
    ("0.1", "CNY", 10),
    ("007", "CNY", 700),
    ("-1.50", "CNY", -150),
    ("+1.50", "CNY", 150),
    ("−1.50", "CNY", -150),
    ("  1 ", "CNY", 100),
    ("1.5万元", "CNY", 1_500_000),
    ("1.5 万元", "CNY", 1_500_000),
    ("1.5万", "CNY", 1_500_000),
    ("¥1.5万", "CNY", 1_500_000),
    ("0.000001万元", "CNY", 1),
    ("1,234.5万元", "CNY", 1_234_500_000),
    ("3.19亿元", "CNY", 31_900_000_000),
    ("12元", "CNY", 1_200),
    ("12.34元", "CNY", 1_234),
    ("¥12", "CNY", 1_200),
    ("￥12.30", "CNY", 1_230),
    ("-¥12", "CNY", -1_200),
    ("¥-12", "CNY", -1_200),
    ("CNY 12.30", "CNY", 1_230),
    ("12.30 CNY", "CNY", 1_230),
    ("$1,000", "USD", 100_000),
    ("100美元", "USD", 10_000),
    ("2万美元", "USD", 2_000_000),
    ("€5", "EUR", 500),
    ("£5", "GBP", 500),
    ("0.00000001", "BTC", 1),
    ("2.5 DAI", "DAI", 250),
    ("１２，３４５．６７", "CNY", 1_234_567),
    ("－１．５万元", "CNY", -1_500_000),
    ("92,233,720,368,547,758.07", "CNY", MINOR_MAX),
]


@pytest.mark.parametrize(("text", "code", "minor"), READABLE)
def test_text_is_read_exactly(text, code, minor):
    assert Money.parse(text, code) == Money(minor, code)


UNREADABLE = [
    "",
    " ",
    "-",
    ".",
    ".5",
    "5.",
    "1,2",
    "12,34",
    "1,2345",
    ",123",
    "1,,234",
    "1.2.3",
    "1.234,56",
    "12 345",
    "1_000",
    "1e5",
    "1E+2",
    "0x10",
    "NaN",
    "sNaN",
    "Infinity",
    "-inf",
    "∞",
    "--1",
    "+-1",
    "(5)",
    "1/2",
    "50%",
    "①",
    "²",
    "٣",
    "१",
    "一百",
    "壹佰元",
    "五万元",
    "1万万元",
    "1万亿元",
    "1千元",
    "100美元",
    "100 USD",
    "$100",
    "¥¥1",
    "1\n2",
    "1\x00",
    "=1+1",
    "9" * 65,
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_text_that_is_no_amount_is_refused(text):
    refused("amount_unreadable", lambda: Money.parse(text, "CNY"))


@pytest.mark.parametrize("given", [12.5, 12, Decimal("1"), None, b"12"])
def test_what_is_not_text_is_refused(given):
    refused("amount_unreadable", lambda: Money.parse(given, "CNY"))


def test_long_nonsense_is_not_echoed_in_full():
    assert len(refused("amount_unreadable", lambda: Money.parse("x" * 10**6, "CNY")).en) < 300


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0.001", "CNY"),
        ("1.000", "CNY"),
        ("12.345", "USD"),
        ("0.0000001万元", "CNY"),
        ("0.000000001", "BTC"),
        ("0.123456789012345678", "DAI"),
    ],
)
def test_more_decimals_than_the_currency_carries_are_refused_never_rounded(text, code):
    refused("too_many_decimals", lambda: Money.parse(text, code))


def test_text_beyond_the_range_is_refused():
    refused("amount_out_of_range", lambda: Money.parse("92,233,720,368,547,758.08", "CNY"))


def test_negative_is_refused_where_asked_and_a_signed_zero_is_zero():
    refused("amount_negative", lambda: Money.parse("-0.01", "CNY", allow_negative=False))
    assert Money.parse("-0", "CNY", allow_negative=False) == Money.zero("CNY")


@pytest.mark.parametrize(
    ("minor", "code", "locale", "in_wan", "text"),
    [
        (1_234_567, "USD", "en", False, "12,345.67 USD"),
        (1_234_567, "USD", "en_GB", True, "12,345.67 USD"),
        (1_234_567, "CNY", "zh", False, "12,345.67元"),
        (1_234_567, "CNY", "zh_CN", True, "1.234567万元"),
        (1_000_000, "CNY", "zh-CN", True, "1万元"),
        (120_000_000, "CNY", "zh", True, "120万元"),
        (1_500_000, "CNY", "zh", True, "1.5万元"),
        (1, "CNY", "zh", True, "0.000001万元"),
        (0, "CNY", "zh", True, "0万元"),
        (-150, "CNY", "zh", False, "-1.50元"),
        (1_234_500_000_000, "CNY", "zh", True, "1,234,500万元"),
        (100, "EUR", "zh", False, "1.00欧元"),
        (2_000_000, "USD", "zh", True, "2万美元"),
        (1, "BTC", "en", False, "0.00000001 BTC"),
        (MINOR_MAX, "CNY", "zh", True, "9,223,372,036,854.775807万元"),
    ],
)
def test_amount_is_written_as_people_write_it(minor, code, locale, in_wan, text):
    assert Money(minor, code).format(locale, in_wan=in_wan) == text


def test_unknown_locale_is_refused():
    refused("locale_unknown", lambda: Money(1, "CNY").format("fr"))


@given(monies, st.sampled_from(["zh", "en"]), st.booleans())
@example(Money(-MINOR_MAX, "DAI"), "zh", True)
def test_what_is_written_reads_back_to_the_same_amount(amount, locale, in_wan):
    assert Money.parse(amount.format(locale, in_wan=in_wan), amount.currency) == amount


@given(st.text(max_size=70), st.sampled_from(sorted(CURRENCIES)))
def test_any_text_is_read_or_refused_in_words(text, code):
    try:
        Money.parse(text, code)
    except MoneyError as error:
        assert error.zh and error.en


def test_major_is_exact():
    assert Money(-1_234_567, "CNY").major == Decimal("-12345.67")
    assert str(Money(100, "CNY").major) == "1.00"
    assert str(Money(100, "CNY")) == "1.00 CNY"


def test_money_and_its_refusals_survive_a_trip_between_processes():
    assert pickle.loads(pickle.dumps(Money(5, "CNY"))) == Money(5, "CNY")
    error = refused("currency_unknown", lambda: currency("XYZ"))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, again.zh, again.en) == (MoneyError, error.code, error.zh, error.en)

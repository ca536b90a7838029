"""Guarantee: an amount is read exactly or refused, and a text goes to the bank as it was written, or
recognisably mapped, or not at all."""

from __future__ import annotations

import doctest
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.bank.files import amounts
from milepost.bank.files.amounts import (
    NotAnAmount,
    amount_minor_of,
    amount_text,
    control_sum,
    control_sum_text,
    decimals_of,
)
from milepost.bank.files.characters import Repertoire, fit, named
from schema.money import MINOR_MAX

CURRENCIES = ("CNY", "EUR", "JPY", "KWD", "CLF", "BTC", "CHF")


@given(st.integers(0, 10**17 - 1), st.sampled_from(CURRENCIES))
def test_an_amount_comes_back_as_it_was_written(minor: int, currency: str) -> None:
    text = amount_text(minor, currency)
    assert amount_minor_of(text, currency) == minor
    assert Decimal(text).scaleb(decimals_of(currency)) == minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12345.67", "CNY", 1_234_567),
        ("0.01", "EUR", 1),
        ("1", "EUR", 100),
        ("1.", "EUR", 100),
        (".5", "EUR", 50),
        ("000.10", "EUR", 10),
        ("10.50000", "EUR", 1_050),
        ("1500", "JPY", 1_500),
        ("1500.00", "JPY", 1_500),
        ("1.234", "KWD", 1_234),
        ("92233720368547758.07", "CNY", MINOR_MAX),
    ],
)
def test_amounts_that_banks_write_are_read(text: str, currency: str, minor: int) -> None:
    assert amount_minor_of(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("10.005", "EUR", "amount_decimals"),
        ("0.5", "JPY", "amount_decimals"),
        ("1.2345", "KWD", "amount_decimals"),
        ("", "EUR", "amount_unreadable"),
        (".", "EUR", "amount_unreadable"),
        ("1,000.00", "EUR", "amount_unreadable"),
        ("1.000,00", "EUR", "amount_unreadable"),
        ("-5.00", "EUR", "amount_unreadable"),
        ("+5.00", "EUR", "amount_unreadable"),
        ("1e3", "EUR", "amount_unreadable"),
        ("NaN", "EUR", "amount_unreadable"),
        ("１２", "EUR", "amount_unreadable"),
        ("10.00", "eur", "amount_unreadable"),
        ("10.00", "", "amount_unreadable"),
        ("1" * 19, "EUR", "amount_unreadable"),
        ("92233720368547758.08", "CNY", "amount_too_large"),
    ],
)
def test_what_is_no_exact_amount_is_refused(text: str, currency: str, code: str) -> None:
    with pytest.raises(NotAnAmount) as refused:
        amount_minor_of(text, currency)
    assert refused.value.finding.code == code


def test_a_control_sum_adds_figures_whatever_their_currency() -> None:
    sums = {"CNY": 1_050, "JPY": 7, "KWD": 1_001}
    assert control_sum(sums) == Decimal("18.501")
    assert control_sum_text(sums) == "18.501"
    assert control_sum_text({"EUR": 100}) == "1.00"
    assert control_sum_text({}) == "0.00"


def test_the_examples_in_the_module_hold() -> None:
    assert doctest.testmod(amounts).failed == 0


# -- characters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "repertoire", "put"),
    [
        ("柳州示例机械有限公司", "unicode", "柳州示例机械有限公司"),
        ("  柳州　示例\t公司 ", "unicode", "柳州 示例 公司"),
        ("示例\u200b公司\ufeff", "unicode", "示例公司"),
        ("Müller & Söhne", "unicode", "Müller & Söhne"),
        ("𠮷田研究所", "unicode", "𠮷田研究所"),
        ("Müller & Söhne", "latin", "Muller + Sohne"),
        ("Łódź – “Straße”", "latin", "Lodz - 'Strasse'"),
        ("Ｅｘａｍｐｌｅ　１２", "latin", "Example 12"),
        ("O'Brien/2 (a): x,y. +?", "latin", "O'Brien/2 (a): x,y. +?"),
        ("a  b", "latin", "a b"),
        ("", "latin", ""),
    ],
)
def test_a_text_is_written_as_the_bank_takes_it(text: str, repertoire: Repertoire, put: str) -> None:
    fitted = fit(text, repertoire)
    assert (fitted.text, fitted.refused) == (put, ())


@pytest.mark.parametrize(
    ("text", "repertoire", "refused"),
    [
        ("柳州 Ltd", "latin", ("柳", "州")),
        ("price 5$", "latin", ("$",)),
        ("name\u202egnp", "unicode", ("\u202e",)),
        ("null\x00", "unicode", ("\x00",)),
        ("\ue000造字", "unicode", ("\ue000",)),
        ("bro\ufffdken", "unicode", ("\ufffd",)),
        ("half\ud800", "unicode", ("\ud800",)),
    ],
)
def test_what_cannot_be_carried_is_named_and_not_replaced(
    text: str, repertoire: Repertoire, refused: tuple[str, ...]
) -> None:
    assert fit(text, repertoire).refused == refused
    for char in refused:
        assert f"U+{ord(char):04X}" in named(char)


def test_a_mapping_is_told_character_by_character() -> None:
    assert fit("Müller & Co", "latin").mapped == (("ü", "u"), ("&", "+"))


@given(st.text(), st.sampled_from(["unicode", "latin"]))
def test_what_is_fitted_once_is_not_changed_again(text: str, repertoire: Repertoire) -> None:
    fitted = fit(text, repertoire)
    if fitted.refused:
        return
    again = fit(fitted.text, repertoire)
    assert (again.text, again.mapped, again.refused) == (fitted.text, (), ())
    assert not any(unicodedata.category(char).startswith("C") for char in fitted.text)
    if repertoire == "latin":
        assert fitted.text.isascii()

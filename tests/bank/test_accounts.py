"""Guarantee: an account number or a bank's code that cannot be right is refused with its reason, and one that
can be right is not."""

from __future__ import annotations

import doctest
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.bank import accounts
from milepost.bank.accounts import (
    bank_of,
    check_account,
    check_agent,
    check_bic,
    check_card,
    check_chinese_account,
    check_cnaps,
    check_iban,
    cnaps_check_digit,
    luhn_holds,
)
from milepost.bank.files.batch import BBAN, CARD, IBAN, Account, Agent
from milepost.bank.files.findings import Finding

# The examples of the public IBAN registry.
IBANS = (
    "AD1200012030200359100100",
    "AE070331234567890123456",
    "AT611904300234573201",
    "BE68539007547034",
    "BR1800360305000010009795493C1",
    "CH9300762011623852957",
    "CY17002001280000001200527600",
    "CZ6508000000192000145399",
    "DE89370400440532013000",
    "DK5000400440116243",
    "EE382200221020145685",
    "ES9121000418450200051332",
    "FI2112345600000785",
    "FR1420041010050500013M02606",
    "GB29NWBK60161331926819",
    "GR1601101250000000012300695",
    "HU42117730161111101800000000",
    "IE29AIBK93115212345678",
    "IL620108000000099999999",
    "IT60X0542811101000000123456",
    "LU280019400644750000",
    "MT84MALT011000012345MTLCAST001S",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "PL61109010140000071219812874",
    "PT50000201231234567890154",
    "SA0380000000608010167519",
    "SE4550000000058398257466",
    "TR330006100519786457841326",
)
# Head offices and branches as their banks publish them.
CNAPS = (
    "102100099996",
    "103100000026",
    "104100000004",
    "105100000017",
    "301290000007",
    "302100011000",
    "303100000006",
    "304100040000",
    "305100000013",
    "306581000003",
    "307584007998",
    "308584000013",
    "309391000011",
    "310290000013",
    "403100000004",
    "105131000403",
    "105138000039",
    "105141000152",
)


@pytest.mark.parametrize("number", IBANS)
def test_the_registrys_own_examples_are_taken(number: str) -> None:
    assert check_iban(number) is None


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("DE88370400440532013000", "iban_checksum"),
        ("DE89370400440532013001", "iban_checksum"),
        ("GB29NWBK60161331926891", "iban_checksum"),
        # 00, 01 and 99 pass a bare remainder of 97 and are never given out; this one would be 98.
        ("DE01370400440000000042", "iban_checksum"),
        ("DE8937040044053201300", "iban_length"),
        ("NL91ABNA041716430012", "iban_length"),
        ("GB29NWBK6016133192681X", "iban_structure"),
        ("DE89370400440532O13000", "iban_structure"),
        ("DE89-3704-0044-0532-0130-00", "iban_structure"),
        ("ＤＥ89370400440532013000", "iban_structure"),
        ("DE", "iban_structure"),
        ("", "iban_structure"),
        ("XX89370400440532013000", "iban_country"),
        ("CN89370400440532013000", "iban_country"),
    ],
)
def test_a_wrong_iban_is_refused_with_what_is_wrong(number: str, code: str) -> None:
    assert _code(check_iban(number)) == code


@given(st.sampled_from(IBANS), st.data())
def test_no_single_wrong_digit_gets_past_the_iban(number: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(2, len(number) - 1).filter(lambda n: number[n].isdigit()))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != number[at]))
    assert check_iban(number[:at] + other + number[at + 1 :]) is not None


@pytest.mark.parametrize("bic", ["COBADEFF", "COBADEFFXXX", "NWBKGB2L", "ICBKCNBJ", "BKCHCNBJ300"])
def test_a_bic_is_taken(bic: str) -> None:
    assert check_bic(bic) is None


@pytest.mark.parametrize(
    ("bic", "code"),
    [
        ("COBADEF", "bic_length"),
        ("COBADEFFXX", "bic_length"),
        ("", "bic_length"),
        ("COBADEFFXXXX", "bic_length"),
        ("cobadeff", "bic_structure"),
        ("COBA1EFF", "bic_structure"),
        ("COBADE1F", "bic_structure"),
        ("COBADEFO", "bic_structure"),
        ("COBADEF ", "bic_structure"),
        ("COBAXXFF", "bic_country"),
    ],
)
def test_a_wrong_bic_is_refused_with_what_is_wrong(bic: str, code: str) -> None:
    assert _code(check_bic(bic)) == code


@pytest.mark.parametrize("code", CNAPS)
def test_published_bank_codes_are_taken(code: str) -> None:
    assert check_cnaps(code) is None


@pytest.mark.parametrize(
    "code", ["", "10210009999", "1021000999960", "10210009999X", "１０２１０００９９９９６", "102-10009999"]
)
def test_a_bank_code_is_twelve_digits(code: str) -> None:
    assert _code(check_cnaps(code)) == "cnaps_length"


@given(st.sampled_from(CNAPS), st.data())
def test_no_single_wrong_digit_gets_past_the_bank_code(code: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, 11))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != code[at]))
    assert _code(check_cnaps(code[:at] + other + code[at + 1 :])) == "cnaps_check_digit"


@given(st.text("0123456789", min_size=11, max_size=11))
def test_each_eleven_digits_have_one_twelfth(eleven: str) -> None:
    right = [digit for digit in "0123456789" if check_cnaps(eleven + digit) is None]
    assert right == [cnaps_check_digit(eleven)]


def test_the_first_three_digits_name_the_bank() -> None:
    assert bank_of("105100000017") == ("中国建设银行", "China Construction Bank")
    # 313 is shared by all city banks, so it names none.
    assert bank_of("313100000013") is None


@pytest.mark.parametrize(
    "number", ["6222021234567890128", "622848123456789012", "4111111111111111", "5500000000000004"]
)
def test_a_card_number_is_taken(number: str) -> None:
    assert check_card(number) is None


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("6222021234567890129", "card_check_digit"),
        ("6222021234567891028", "card_check_digit"),
        ("622202", "card_length"),
        ("62220212345678901281", "card_length"),
        ("622202123456789012X", "card_length"),
        ("", "card_length"),
    ],
)
def test_a_wrong_card_number_is_refused_with_what_is_wrong(number: str, code: str) -> None:
    assert _code(check_card(number)) == code


@given(st.text("0123456789", min_size=12, max_size=18))
def test_each_beginning_of_a_card_number_has_one_last_digit(beginning: str) -> None:
    assert sum(luhn_holds(beginning + digit) for digit in "0123456789") == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("2105400309300012345", None),  # nineteen digits, and no card
        ("45001604351050700001", None),
        ("114650012345", None),
        ("FTN3105123456789", None),
        ("NRA1234567890", None),
        ("6222021234567890128", None),
        # It looks like a card, but a company's number may begin so too: mentioned, not refused.
        ("6222021234567890129", "card_perhaps"),
        ("12345", "account_length"),
        ("1" * 33, "account_length"),
        ("2105-4003-0930", "account_characters"),
        ("2105４00309300012345", "account_characters"),
        ("ABC1234567", "account_characters"),
        ("=1+1", "account_characters"),
    ],
)
def test_a_chinese_account_number_is_known_by_its_form(number: str, code: str | None) -> None:
    assert _code(check_chinese_account(number)) == code


def test_what_merely_looks_like_a_wrong_card_stops_nothing() -> None:
    said = check_chinese_account("6222021234567890129")
    assert said is not None and not said.blocks


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (Account("DE89 3704 0044 0532 0130 00"), None),
        (Account("de89370400440532013000"), None),
        (Account(""), "account_missing"),
        (Account("   ", BBAN), "account_missing"),
        (Account("6222021234567890129", CARD), "card_check_digit"),
        (Account("2105400309300012345", BBAN), None),
        (Account("12", "UPIC"), "scheme_unknown"),
        (Account("12", "OWN"), None),
        (Account("1" * 35, "OWN"), "account_length"),
        (Account("12-345/a", "OWN"), None),
        (Account("12\x00345", "OWN"), "account_characters"),
        (Account("账号12345", "OWN"), "account_characters"),
    ],
)
def test_an_account_is_checked_by_its_kind(account: Account, code: str | None) -> None:
    assert _code(check_account(account, schemes=frozenset({"OWN"}))) == code


CHINESE, GERMAN = Account("2105400309300012345", BBAN), Account("DE89370400440532013000", IBAN)


@pytest.mark.parametrize(
    ("agent", "account", "codes"),
    [
        (Agent(member_id="102100099996"), CHINESE, []),
        (Agent(), CHINESE, ["agent_missing"]),
        (Agent(), GERMAN, []),
        (Agent(bic="COBADEFF"), GERMAN, []),
        (Agent(bic="COBADEF"), GERMAN, ["bic_length"]),
        (Agent(bic="NWBKGB2L"), GERMAN, ["bic_elsewhere"]),
        (Agent(member_id="102100099997"), CHINESE, ["cnaps_check_digit"]),
        (Agent(member_id="37040044", clearing_system="DEBLZ"), GERMAN, []),
        (Agent(member_id="3704-0044", clearing_system="DEBLZ"), GERMAN, ["member_id_invalid"]),
        (Agent(member_id="1" * 36, clearing_system=""), GERMAN, ["member_id_invalid"]),
        (Agent(member_id="102100099996", name="中国工商银行柳州分行"), CHINESE, []),
        (Agent(member_id="102100099996", name="工行柳州分行"), CHINESE, []),
        (Agent(member_id="102100099996", name="中国建设银行柳州分行"), CHINESE, ["bank_name_differs"]),
        (Agent(member_id="104100000004", name="Bank of China"), CHINESE, []),
    ],
)
def test_a_bank_is_checked_beside_its_account(agent: Agent, account: Account, codes: list[str]) -> None:
    assert [said.code for said in check_agent(agent, account)] == codes


@pytest.mark.parametrize("check", [check_iban, check_card, check_chinese_account, check_cnaps])
def test_no_reason_repeats_the_number(check: Callable[..., Finding | None]) -> None:
    number = "6222021234567890129"
    said = check(number)
    assert said is not None
    for locale in ("zh", "en"):
        assert number[4:12] not in said.text(locale)


def test_the_examples_in_the_module_hold() -> None:
    assert doctest.testmod(accounts).failed == 0


def _code(said: Finding | None) -> str | None:
    return None if said is None else said.code

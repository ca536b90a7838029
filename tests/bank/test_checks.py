"""Guarantee: what a schema lets through and a bank would not carry out is found before a file leaves, and is
said with row, field, fact and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from milepost.bank.files.batch import CARD, IBAN, Account, Agent, Batch, Party
from milepost.bank.files.checks import check_batch, check_file
from milepost.bank.files.findings import BatchRefused, Finding, blocking
from milepost.bank.files.handover import file_bytes
from milepost.bank.files.rules import BankRules
from tests.bank.papers import (
    BEIJING,
    CCB,
    IBAN_DE,
    IBAN_FR,
    SEPA,
    YUAN,
    batch,
    complaints,
    euro,
    euros,
    id_of,
    payment,
    works,
)

SEVERAL = YUAN.model_copy(update={"currencies": frozenset({"CNY", "EUR"})})


def said_of(of: Batch, rules: BankRules = YUAN) -> list[tuple[str, int, str]]:
    return [(said.code, said.row, said.field) for said in check_batch(of, rules, works=works)]


@pytest.mark.parametrize(("of", "rules"), [(batch(), YUAN), (euros(), SEPA)])
def test_nothing_is_said_of_a_batch_that_is_right(of: Batch, rules: BankRules) -> None:
    assert said_of(of, rules) == []


ONE_PAYMENT = {
    "zero": (payment(amount=0), "amount_not_positive", "amount"),
    "negative": (payment(amount=-100), "amount_not_positive", "amount"),
    "too much": (payment(amount=10**15 + 1), "amount_too_large", "amount"),
    "another currency": (payment(currency="USD"), "currency_not_allowed", "currency"),
    "a currency no bank keeps": (payment(currency="BTC"), "currency_not_allowed", "currency"),
    "no name": (payment(name=" "), "text_missing", "name"),
    "a long name": (payment(name="名" * 141), "text_too_long", "name"),
    "a long remark": (payment(remark="r" * 141), "text_too_long", "remark"),
    "a hidden turn in a name": (payment(name="Ltd\u202e.oC"), "characters_refused", "name"),
    "a damaged name": (payment(name="柳\ufffd公司"), "characters_refused", "name"),
    "no account": (payment(account=""), "account_missing", "account"),
    "a wrong IBAN": (payment(account=Account("DE88370400440532013000")), "iban_checksum", "account"),
    "a wrong card": (payment(account=Account("6222021234567890129", CARD)), "card_check_digit", "account"),
    "a wrong bank code": (payment(agent=Agent(member_id="102100099997")), "cnaps_check_digit", "agent"),
    "a wrong BIC": (payment(agent=Agent(bic="COBADE")), "bic_length", "agent"),
    "no bank": (payment(agent=Agent()), "agent_missing", "agent"),
    "no id": (payment(id=""), "id_missing", "end_to_end_id"),
    "a long id": (payment(id="1" * 36), "id_too_long", "end_to_end_id"),
    "an id with a space": (payment(id="A 1"), "id_characters", "end_to_end_id"),
    "an id with slashes": (payment(id="A//1"), "id_characters", "end_to_end_id"),
    "an id that ends in one": (payment(id="A/"), "id_characters", "end_to_end_id"),
}


@pytest.mark.parametrize("name", ONE_PAYMENT)
def test_a_payment_that_is_wrong_is_named_by_row_and_field_and_makes_no_file(name: str) -> None:
    wrong, code, field = ONE_PAYMENT[name]
    of = batch([payment("first", amount=55), wrong, payment("last", amount=77)])
    assert said_of(of) == [(code, 2, field)]
    with pytest.raises(BatchRefused) as refused:
        file_bytes(of, rules=YUAN, works=works)
    assert [said.code for said in refused.value.findings] == [code]


@pytest.mark.parametrize(
    ("of", "code", "field"),
    [
        (batch([]), "batch_empty", "batch"),
        (batch(id=""), "id_missing", "batch"),
        (batch(id="批次"), "id_characters", "batch"),
        (batch(id="B" * 36), "id_too_long", "batch"),
        (batch(day=date(2026, 5, 9)), "execution_not_working", "execution_on"),
        (batch(day=date(2026, 5, 5)), "execution_past", "execution_on"),
        (batch(debtor=Party("", Account(IBAN_DE))), "text_missing", "debtor_name"),
        (batch(debtor=Party("x", Account("DE001"))), "iban_length", "debtor_account"),
        (batch(debtor=Party("x", Account(IBAN_DE), Agent(bic="X"))), "bic_length", "debtor_agent"),
    ],
)
def test_what_is_wrong_with_a_batch_as_a_whole_is_said_once(of: Batch, code: str, field: str) -> None:
    assert said_of(of) == [(code, 0, field)]


def test_the_day_of_creation_is_the_offices_own() -> None:
    # At half past midnight in Beijing it is still the day before in Greenwich.
    created = datetime(2026, 5, 7, 0, 30, tzinfo=BEIJING)
    assert said_of(batch(created=created, day=date(2026, 5, 7))) == []
    assert said_of(batch(created=created, day=date(2026, 5, 6))) == [("execution_past", 0, "execution_on")]


def test_an_id_that_grows_by_its_blocks_needs_room_for_it() -> None:
    assert said_of(batch(id="B" * 35)) == []
    mixed = batch([payment(1), euro(2)], id="B" * 34)
    assert said_of(mixed, SEVERAL) == [("id_too_long", 0, "batch")]


def test_more_payments_than_the_bank_takes_are_too_many() -> None:
    few = YUAN.model_copy(update={"payments_max": 2})
    assert said_of(batch(), few) == [("batch_too_large", 0, "number")]


def test_a_sum_of_more_digits_than_the_schemas_allow_is_too_much() -> None:
    large = [payment(n, amount=10**15, remark=str(n)) for n in range(1001)]
    assert said_of(batch(large[:999])) == []
    assert said_of(batch(large)) == [("amount_too_large", 0, "control_sum")]


@pytest.mark.parametrize("currencies", [{"BTC"}, {"CNY", "eur"}, {"EURO"}, set()])
def test_a_bank_that_pays_in_what_no_file_carries_is_no_bank(currencies: set[str]) -> None:
    with pytest.raises(ValidationError):
        BankRules(currencies=frozenset(currencies))


def test_the_same_end_to_end_id_twice_is_refused_however_it_is_written() -> None:
    one = id_of(1)
    hyphened = f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}".upper()
    for again in (one, one.upper()):
        of = batch([payment(1), payment(2, id=again, amount=5)])
        assert said_of(of) == [("end_to_end_repeated", 2, "end_to_end_id")]
    codes = {code for code, _, _ in said_of(batch([payment(1), payment(2, id=hyphened, amount=5)]))}
    assert "end_to_end_repeated" in codes
    # Names that are no ids of ours are different names.
    assert said_of(batch([payment(id="P-11"), payment(id="P1-1", amount=5)])) == []


def test_an_id_that_was_used_before_is_refused() -> None:
    found = check_batch(batch(), YUAN, works=works, known={id_of(2)})
    assert [(said.code, said.row) for said in found] == [("end_to_end_known", 2)]


def test_what_a_person_should_see_stops_nothing() -> None:
    twice = batch([payment(1), payment(2), payment(3, name="示例　公司", amount=7)])
    found = check_batch(twice, YUAN, works=works)
    assert [(said.code, said.row) for said in found] == [("payment_alike", 2), ("characters_mapped", 3)]
    assert blocking(found) == []
    assert "示例 公司".encode() in file_bytes(twice, rules=YUAN, works=works)


def test_a_bank_with_latin_letters_gets_them_or_nothing() -> None:
    mapped = check_batch(euros([euro(name="Müller & Söhne")]), SEPA, works=works)
    assert [said.code for said in mapped] == ["characters_mapped"]
    assert "ü" in mapped[0].fact("en") and "'u'" in mapped[0].fact("en")
    refused = check_batch(euros([euro(name="柳州 Ltd")]), SEPA, works=works)
    assert [said.code for said in refused] == ["characters_refused"]
    assert "U+67F3" in refused[0].fact("zh")
    # It counts what is written: an ellipsis becomes three points.
    long = check_batch(euros([euro(name="x" * 69 + "…")]), SEPA, works=works)
    assert "text_too_long" in {said.code for said in long}


def test_every_reason_is_given_not_the_first_only() -> None:
    wrong = payment(1, amount=0, name="", account="", remark="x" * 200)
    codes = {code for code, row, _ in said_of(batch([wrong])) if row == 1}
    assert codes == {"amount_not_positive", "text_missing", "account_missing", "text_too_long"}


# -- what the schema does not see, in a file -----------------------------------------------------------------


def _sub(pattern: str, put: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        changed, number = re.subn(pattern, put, text, count=1)
        assert number == 1, pattern
        return changed

    return change


def _second_payment(pattern: str, put: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        first, second, third = text.partition("</CdtTrfTxInf>\n")[0], "", ""
        head = text[: len(first) + len("</CdtTrfTxInf>\n")]
        second, third = text[len(head) :].split("</CdtTrfTxInf>\n", 1)
        return head + _sub(pattern, put)(second) + "</CdtTrfTxInf>\n" + third

    return change


def _twice(text: str) -> str:
    """The last payment once more, counts and sums as they stood."""
    last = re.findall(r"<CdtTrfTxInf>.*?</CdtTrfTxInf>\n", text)[-1]
    return text.replace(last, last + last)


EURO_FILE = file_bytes(euros([euro(1), euro(2), euro(3, amount=1)]), rules=SEPA, works=works).decode()
UNSEEN = {
    "a zero amount": (_second_payment(r">1500\.00<", ">0.00<"), {"amount_not_positive": 2}),
    "half a cent": (_second_payment(r">1500\.00<", ">1500.005<"), {"amount_decimals": 2}),
    "a sum that is wrong": (_sub(r"<CtrlSum>3000\.01", "<CtrlSum>3000.02"), {"sum_differs": 0}),
    "a count that is wrong": (_sub(r"<NbOfTxs>3<", "<NbOfTxs>4<"), {"count_differs": 0}),
    "digits of an IBAN swapped": (_second_payment("FR1420041", "FR1402041"), {"iban_checksum": 2}),
    "a country without IBANs": (_second_payment("FR1420041", "XX1420041"), {"iban_country": 2}),
    "the same id twice": (
        lambda text: text.replace(f">{id_of(2)}<", f">{id_of(1)}<"),
        {"end_to_end_repeated": 2},
    ),
    "a payment twice": (_twice, {"end_to_end_repeated": 4, "count_differs": 0, "sum_differs": 0}),
    "two currencies in a block": (
        _second_payment('Ccy="EUR"', 'Ccy="USD"'),
        {"currency_not_allowed": 2, "currencies_mixed": 0},
    ),
    "a character that was not agreed": (_second_payment("Institut", "Institüt"), {"characters_refused": 2}),
    "a name of blanks": (_second_payment("<Nm>Institut Exemple<", "<Nm>  <"), {"text_missing": 2}),
    "a name of eighty": (_second_payment("<Nm>Institut", f"<Nm>{'x' * 80}"), {"text_too_long": 2}),
    "a Saturday": (_sub("2026-05-07", "2026-05-09"), {"execution_not_working": 0}),
    "a day gone by": (_sub("2026-05-07", "2026-05-05"), {"execution_past": 0}),
    "an id that may be lost": (_second_payment(id_of(2), f"{id_of(2)}//"), {"id_characters": 2}),
    "a debtor's account that cannot be": (_sub(IBAN_DE, "DE88370400440532013000"), {"iban_checksum": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSEEN)
def test_what_the_schema_takes_is_found_in_the_file(name: str) -> None:
    change, expected = UNSEEN[name]
    content = change(EURO_FILE).encode()
    assert complaints(content) == [], "the schema sees this itself"
    found = check_file(content, SEPA, works=works)
    rows = {said.code: said.row for said in blocking(found)}
    # An amount that was changed also moves the sums, which is a second way to notice it.
    if name in ("a zero amount", "half a cent"):
        assert rows.pop("sum_differs") == 0
    assert rows == expected
    assert all(said.line > 0 for said in found)


def test_nothing_is_said_of_the_file_as_it_was_made() -> None:
    assert blocking(check_file(EURO_FILE.encode(), SEPA, works=works)) == []


def test_a_bank_code_and_a_card_are_checked_in_a_file_too() -> None:
    content = file_bytes(batch(), rules=YUAN, works=works).decode()
    for pattern, put, code in [
        ("105100000017", "105100000071", "cnaps_check_digit"),
        ("6222021234567890128", "6222021234567890182", "card_check_digit"),
    ]:
        changed = _sub(pattern, put)(content).encode()
        assert complaints(changed) == []
        found = [said.code for said in blocking(check_file(changed, YUAN, works=works))]
        assert found == [code]


def test_the_file_is_held_against_the_batch_it_was_made_of() -> None:
    of = batch()
    content = file_bytes(of, rules=YUAN, works=works).decode()
    changes = {
        ">0.01<": (">0.02<", "amount"),
        "2105400309300067890": ("2105400309300067891", "account"),
        id_of(2): (id_of("other"), "end_to_end_id"),
        "<Nm>李示例": ("<Nm>李四", "name"),
        "105100000017": ("104100000004", "agent"),
        "2026-05-07": ("2026-05-08", "execution_on"),
        "2105400309300000011": ("2105400309300000012", "debtor_account"),
    }
    for pattern, (put, field) in changes.items():
        changed = content.replace(pattern, put).encode()
        found = blocking(check_file(changed, YUAN, works=works, batch=of))
        assert [said.field for said in found if said.code == "file_differs"] == [field], field


def test_a_payment_more_or_less_than_the_batch_is_noticed() -> None:
    of = batch()
    content = file_bytes(of, rules=YUAN, works=works)
    assert isinstance(of.payments, tuple)
    fewer, more = replace(of, payments=of.payments[:2]), replace(of, payments=(*of.payments, payment(9)))
    for other in (fewer, more):
        found = blocking(check_file(content, YUAN, works=works, batch=other))
        assert [said.field for said in found] == ["number"]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_single_changed_digit_of_a_figure_or_an_account_goes_unnoticed(data: st.DataObject) -> None:
    of = euros([euro(1), euro(2, iban=IBAN_DE, amount=123_456_789)])
    content = file_bytes(of, rules=SEPA, works=works).decode()
    spans = [
        m.span(1)
        for m in re.finditer(r"<(?:InstdAmt[^>]*|CtrlSum|NbOfTxs|IBAN|EndToEndId)>([^<]+)<", content)
    ]
    start, end = data.draw(st.sampled_from(spans))
    at = data.draw(st.integers(start, end - 1).filter(lambda n: content[n].isdigit()))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != content[at]))
    changed = content[:at] + other + content[at + 1 :]
    assert blocking(check_file(changed.encode(), SEPA, works=works, batch=of))


def test_ibans_in_a_domestic_batch_need_no_bank_code() -> None:
    of = batch([payment(account=Account(IBAN_FR, IBAN), agent=Agent()), payment(2, agent=CCB)])
    assert said_of(of) == []


def test_findings_never_show_an_account_number_in_full() -> None:
    shown = []
    for wrong, _, _ in ONE_PAYMENT.values():
        found: list[Finding] = check_batch(batch([payment("a"), wrong]), YUAN, works=works)
        shown += [said.text(locale) for said in found for locale in ("zh", "en")]
        number = wrong.creditor.account.number
        assert not number or all(number not in text for text in shown)

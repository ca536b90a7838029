"""Guarantee: what is measured of bank files is the real work: files with every payment, entries all matched,
and a bare contender that finds the same."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree  # type: ignore[import-untyped]

from bench import bank_files
from bench.sizes import TINY
from milepost.embedded import EmbeddedPostgres


def test_both_contenders_write_the_same_payments(tmp_path: Path) -> None:
    ours, bare = tmp_path / "ours.xml", tmp_path / "bare.xml"
    assert bank_files.write(7, ours) > 0
    assert bank_files.bare_write(7, bare) > 0

    def payments(path: Path) -> list[bytes]:
        found = etree.parse(str(path)).getroot().iter("{*}CdtTrfTxInf")
        return [etree.tostring(one, method="c14n").strip() for one in found]

    assert len(payments(ours)) == 7
    assert payments(ours) == payments(bare)


def test_both_contenders_match_every_payment_or_crash(tmp_path: Path) -> None:
    path = tmp_path / "statement.xml"
    bank_files.make_statement(7, path)
    ours = {one.end_to_end_id: one.amount_minor for one in bank_files.Payments(7)}
    for read in (bank_files.read, bank_files.bare_read):
        assert read(ours, path) > 0
        with pytest.raises(AssertionError):
            read({**ours, "missing": 1}, path)
        with pytest.raises(AssertionError):
            read({id: minor + 1 for id, minor in ours.items()}, path)


def test_the_lines_are_measured_and_held_against_their_goals() -> None:
    server: EmbeddedPostgres | None = None
    lines = bank_files.measure(server, TINY)  # type: ignore[arg-type]
    assert [line.name for line in lines] == [
        "bank file of 40",
        "bank statement of 40",
        "bank file, bare lxml",
        "bank statement, bare lxml",
        "growth of the bank file",
        "growth of the bank statement",
        "memory of a bank file",
        "memory of a bank statement",
    ]
    assert [line.goal for line in lines] == [1.0, 1.0, None, None, 1.1, 1.1, 1.1, 1.1]
    for line in lines:
        assert line.ratio is not None and math.isfinite(line.ratio)
        assert " / " in line.compared or "exponent" in line.compared
    # Seconds over the seconds allowed.
    whole = lines[0].raw["medians"]["write"]
    assert Decimal(str(lines[0].ratio)) == pytest.approx(Decimal(str(whole / 10)), abs=Decimal("0.0001"))

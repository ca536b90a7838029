"""Guarantee: what is said of a bank file is said in both languages, with the same facts, and each sentence
of the catalogue can come up."""

from __future__ import annotations

import pickle
import re
from string import Formatter

import pytest

from milepost.bank.files.findings import (
    FIELDS,
    FINDINGS,
    BatchRefused,
    FileUnreadable,
    Finding,
    blocking,
    finding,
)
from tests.test_architecture import ROOT

SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in [*(ROOT / "milepost/bank/files").glob("*.py"), ROOT / "milepost/bank/accounts.py"]
)


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("code", FINDINGS)
def test_both_languages_tell_the_same_facts(code: str) -> None:
    words = FINDINGS[code]
    # The country is in the words of both, or in those of neither; so is every figure.
    assert names_in(words.fact.zh) == names_in(words.fact.en)
    assert names_in(words.remedy.zh) == names_in(words.remedy.en) == set()
    assert re.search(r"[\u4e00-\u9fff]", words.fact.zh + words.remedy.zh)
    assert not re.search(r"[\u4e00-\u9fff]", words.fact.en + words.remedy.en)
    assert words.fact.en.endswith(".") and words.remedy.en.endswith(".")
    assert words.fact.zh.endswith("。") and words.remedy.zh.endswith("。")


@pytest.mark.parametrize("code", FINDINGS)
def test_every_finding_can_be_found(code: str) -> None:
    assert f'"{code}"' in SOURCES, "nothing says this any more"


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_spoken_of(field: str) -> None:
    assert f'"{field}"' in SOURCES


def test_a_finding_reads_as_place_fact_and_remedy() -> None:
    said = finding("amount_not_positive", "amount", amount="0.00 CNY").at(3, 17)
    assert said.text("en") == (
        "row 3, line 17 of the file, amount: The amount is 0.00 CNY, and a payment is above zero. "
        "Correct the amount or take the payment out."
    )
    assert said.text("zh") == (
        "第 3 行，文件第 17 行，金额：金额为 0.00 CNY，付款须大于零。请更正金额，或移出这笔付款。"
    )
    assert said.as_json()["row"] == 3
    assert said.as_json()["remedy"]["en"].startswith("Correct")


def test_what_is_in_no_catalogue_cannot_be_said() -> None:
    with pytest.raises(KeyError):
        finding("nonsense", "amount")
    with pytest.raises(KeyError):
        finding("amount_unreadable", "nonsense")


def test_refusals_travel_between_processes() -> None:
    said = finding("xml_truncated", "file").at(line=9)
    unreadable = pickle.loads(pickle.dumps(FileUnreadable(said)))
    assert (unreadable.finding, unreadable.line, unreadable.code) == (said, 9, "xml_truncated")
    refused = pickle.loads(pickle.dumps(BatchRefused([said] * 30)))
    assert len(refused.findings) == 30
    assert "and 10 more" in str(refused)


def test_only_some_findings_block() -> None:
    mapped, zero = Finding("payment_alike", "account"), Finding("batch_empty", "batch")
    assert blocking([mapped, zero]) == [zero]

"""Guarantee: the bank's answer sheet is read row by row into what became of each payment. A row that cannot
be read is named and decides nothing, and none is taken for a payment that it is not about."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from openpyxl import Workbook
from pydantic import ValidationError

from milepost.bank.files.answer_sheet import (
    AnswerTemplate,
    example_answer_template,
    match_answer,
    read_answer,
)
from milepost.bank.files.findings import FileUnreadable, blocking
from tests.bank.papers import id_of, payment

TEMPLATE = example_answer_template()
HEAD = ["客户流水号", "收款账号", "收款户名", "金额", "处理状态", "失败原因", "银行流水号"]
ACCOUNT = "2105400309300012345"


def row(
    n: object = 1, *, status: Any = "成功", amount: Any = "12,345.67", account: Any = ACCOUNT, **more: Any
) -> list[Any]:
    given = {"id": id_of(n), "name": "柳州示例机械有限公司", "reason": "", "reference": f"BANK-{n}"} | more
    return [given["id"], account, given["name"], amount, status, given["reason"], given["reference"]]


def sheet(*rows: list[Any], above: tuple[list[Any], ...] = (), head: list[str] | None = None) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    for each in (*above, HEAD if head is None else head, *rows):
        page.append(each)
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def said_of(content: bytes) -> list[tuple[str, int, str]]:
    return [(said.code, said.row, said.field) for said in read_answer(content, TEMPLATE).findings]


def test_each_row_says_what_became_of_a_payment() -> None:
    content = sheet(
        row(1),
        row(2, status="失败", reason="户名不符", reference=""),
        row(3, status="处理中", amount=0.01),
        row(4, status="已退汇", amount=100),
    )
    answer = read_answer(content, TEMPLATE)
    assert answer.findings == ()
    assert [(r.row, r.outcome, r.amount_minor) for r in answer.rows] == [
        (2, "settled", 1_234_567),
        (3, "rejected", 1_234_567),
        (4, "pending", 1),
        (5, "rejected", 10_000),
    ]
    second = answer.rows[1]
    assert (second.end_to_end_id, second.reason, second.status) == (id_of(2), "户名不符", "失败")
    assert ACCOUNT not in repr(second)


def test_titles_above_and_sums_below_are_no_rows() -> None:
    content = sheet(
        row(1),
        [],
        ["合计", None, None, "12345.67"],
        above=(["批量付款结果"], ["导出时间", "2026-05-08"], []),
    )
    # A sum names no status and no account, but it stands in the column of the id.
    answer = read_answer(content, TEMPLATE)
    assert [r.row for r in answer.rows] == [5]
    assert {said.row for said in answer.findings} == {7}
    assert said_of(sheet(row(1), [None, None, "合计", "12345.67"])) == []


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        (row(2, status="成功了吗"), "status_unknown", "status"),
        (row(2, status=None), "status_unknown", "status"),
        (row(2, amount="12.345"), "amount_decimals", "amount"),
        (row(2, amount=12.345), "amount_decimals", "amount"),
        (row(2, amount="-12.00"), "amount_unreadable", "amount"),
        (row(2, amount="十二元"), "amount_unreadable", "amount"),
        (row(2, id=None, amount=None), "id_missing", "end_to_end_id"),
        (row(2, amount="=1+1"), "cell_formula", "amount"),
        (row(2, status='=IF(1,"成功","")'), "cell_formula", "status"),
        (row(2, account=6222021234567890128), "digits_lost", "account"),
        (row(2, account=6.22202123456789e18), "digits_lost", "account"),
        (row(1, status="失败"), "status_contradicts", "status"),
        (row(1), "end_to_end_repeated", "end_to_end_id"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_stand(
    wrong: list[Any], code: str, field: str
) -> None:
    content = sheet(row(1), wrong, row(3))
    found = said_of(content)
    assert (code, 3, field) in found
    assert {place for _, place, _ in found} == {3}
    ids = [r.end_to_end_id for r in read_answer(content, TEMPLATE).rows]
    assert ids[0] == id_of(1) and ids[-1] == id_of(3)


def test_a_short_account_that_became_a_number_is_still_whole() -> None:
    answer = read_answer(sheet(row(1, account=114650012345)), TEMPLATE)
    assert (answer.findings, answer.rows[0].account) == ((), "114650012345")


def test_a_sheet_without_its_columns_is_refused_by_name() -> None:
    with pytest.raises(FileUnreadable) as caught:
        read_answer(sheet([1], head=["客户流水号", "金额"]), TEMPLATE)
    assert caught.value.code == "columns_missing"
    assert "处理状态" in caught.value.zh
    with pytest.raises(FileUnreadable):
        read_answer(sheet(head=[]), TEMPLATE)


def test_headers_are_known_by_any_of_their_names_and_in_any_order() -> None:
    content = sheet(["Success", id_of(1)], head=["Status", "Customer's reference"])
    (read,) = read_answer(content, TEMPLATE).rows
    assert (read.outcome, read.end_to_end_id, read.amount_minor) == ("settled", id_of(1), None)


def test_rows_are_held_against_the_batch() -> None:
    ours = [payment(1), payment(2, amount=100), payment(3, amount=7)]
    answer = read_answer(
        sheet(row(1), row(2, amount="1.01"), row(9), row(3, amount="0.07", account="114650012345")), TEMPLATE
    )
    matched, found = match_answer(answer, ours, "CNY")
    assert [m.payment.end_to_end_id if m.payment else None for m in matched] == [
        id_of(1),
        id_of(2),
        None,
        id_of(3),
    ]
    assert [(said.code, said.row, said.field) for said in blocking(found)] == [
        ("answer_differs", 3, "amount"),
        ("payment_not_ours", 4, "end_to_end_id"),
        ("answer_differs", 5, "account"),
    ]
    assert "1.01 CNY" in found[0].fact("en") and "1.00 CNY" in found[0].fact("en")
    assert "114650012345" not in found[2].fact("zh")


def test_a_payment_without_a_row_is_said_and_stays_open() -> None:
    matched, found = match_answer(read_answer(sheet(row(1)), TEMPLATE), [payment(1), payment(2)], "CNY")
    assert len(matched) == 1
    assert [(said.code, said.row, said.blocks) for said in found] == [("payment_unanswered", 2, False)]


BY_ACCOUNT = TEMPLATE.model_copy(
    update={"headers": {k: v for k, v in TEMPLATE.headers.items() if k != "end_to_end_id"}}
)


def test_without_ids_a_payment_is_known_by_account_and_amount_where_that_is_certain() -> None:
    ours = [payment(1, amount=100), payment(2, amount=200), payment(3, amount=200)]
    answer = read_answer(sheet(row(amount="1.00"), row(amount="2.00"), row(amount="2.00")), BY_ACCOUNT)
    matched, _ = match_answer(answer, ours, "CNY")
    assert [m.payment.end_to_end_id if m.payment else None for m in matched] == [id_of(1), None, None]
    # One row alike to one payment, but two rows alike to each other: which one is it?
    twice = read_answer(sheet(row(amount="1.00"), row(amount="1.00", status="失败")), BY_ACCOUNT)
    matched, _ = match_answer(twice, ours, "CNY")
    assert [m.payment for m in matched] == [None, None]


@pytest.mark.parametrize(
    "template",
    [
        {"headers": {"status": ["状态"]}, "statuses": {"成功": "settled"}},
        {"headers": {"status": ["状态"], "account": ["账号"]}, "statuses": {"成功": "settled"}},
        {"headers": {"end_to_end_id": ["编号"]}, "statuses": {"成功": "settled"}},
        {"headers": {"end_to_end_id": ["编号"], "status": ["状态"]}, "statuses": {}},
        {"headers": {"end_to_end_id": ["编号"], "status": ["状态"]}, "statuses": {"成功": "paid"}},
    ],
)
def test_a_template_that_recognises_nobody_is_refused(template: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnswerTemplate.model_validate(template)

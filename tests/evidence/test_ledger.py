"""Accounts, payments and the bank agree, and where they do not, the difference is named with both figures."""

from __future__ import annotations

import pytest

from milepost.ledger import Reconciliation, reconcile
from tests.evidence.lived import Copy


def reconciled(copy: Copy) -> Reconciliation:
    with copy.database.session() as session:
        return reconcile(session.conn)


def codes(copy: Copy) -> list[str]:
    return [difference.code for difference in reconciled(copy).differences]


def test_an_untouched_ledger_agrees_and_its_parts_make_the_whole(copy: Copy) -> None:
    found = reconciled(copy)
    assert found.ok, found.differences
    [balance] = found.balances
    assert balance.currency == "CNY" and balance.payments_settled == 1
    assert balance.paid_minor > 0 and balance.waiting_minor > 0
    parts = (
        balance.left_minor
        + balance.held_minor
        + balance.waiting_minor
        + balance.with_bank_minor
        + balance.paid_minor
    )
    assert parts == balance.appropriated_minor
    assert set(found.as_json()) == {"ok", "balances", "differences"}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE account SET credits_pending = 7 WHERE kind = 'commitment'", "held_differs"),
        ("UPDATE payment SET state = 'instructed' WHERE state = 'released'", "waiting_differs"),
        ("UPDATE payment SET state = 'unknown' WHERE state = 'released'", "with_bank_differs"),
        ("UPDATE payment SET state = 'released' WHERE state = 'settled'", "paid_differs"),
    ],
)
def test_books_that_differ_from_the_payments_are_named(copy: Copy, statement: str, code: str) -> None:
    copy.tamper(statement)
    assert code in codes(copy)


BOOKED = """INSERT INTO simbank_instruction (end_to_end_id, account_name, account_no, amount_minor, currency,
    received_at, outcome, reference)
    SELECT id, 'x', '1', amount_minor + {more}, currency, now(), '{outcome}', 'R'
    FROM payment WHERE state = '{state}'"""


@pytest.mark.parametrize(
    ("state", "outcome", "more", "times", "expected"),
    [
        ("settled", "settled", 0, 1, []),
        ("settled", "settled", 0, 2, ["bank_paid_twice"]),
        ("settled", "settled", 1, 1, ["bank_paid_other_sum"]),
        ("settled", "rejected", 0, 1, ["bank_did_not_pay"]),
        ("released", "settled", 0, 1, ["bank_paid_unasked"]),
    ],
)
def test_a_bank_that_did_something_else_is_named(
    copy: Copy, state: str, outcome: str, more: int, times: int, expected: list[str]
) -> None:
    copy.tamper(*[BOOKED.format(state=state, outcome=outcome, more=more)] * times)
    assert codes(copy) == expected

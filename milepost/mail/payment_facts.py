"""What a mail says of a payment that was paid: capitals, last digits, bank reference, and what follows."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from milepost.capitals import capitals
from milepost.queries.sight import SEES
from milepost.reports.earned import earned_by, next_payment
from schema.money import Money
from states.labels import said

# Columns beside those of every mail; ``y`` is the payment, ``t`` its tranche.
COLUMNS = """y.id AS payment_id, y.bank_reference, y.settled_on, t.waits_for, ym.number AS earned_number,
  ym.title AS earned_title,
  right(replace(yk.account_no, ' ', ''), 4) AS account_tail, length(yk.account_no) AS account_length,
  x.number AS next_tranche, x.amount_minor AS next_minor, x.waits_for AS next_waits,
  x.milestone AS next_milestone"""
JOINS = """LEFT JOIN milestone ym ON ym.id = y.milestone_id LEFT JOIN payee yk ON yk.id = y.payee_id
LEFT JOIN LATERAL (SELECT xt.number, xt.amount_minor, xt.waits_for, xm.number AS milestone
  FROM tranche xt LEFT JOIN milestone xm ON xm.id = xt.milestone_id
  WHERE xt.project_id = y.project_id AND xt.number > t.number AND xt.paid_minor = 0
  ORDER BY xt.number LIMIT 1) x ON true"""
# Shorter than this, four digits are most of an account.
_ACCOUNT_MIN = 8


def paid_values(row: Mapping[str, Any], locale: str) -> dict[str, str]:
    """The values by name; empty where the mail is about no payment."""
    if row["amount_minor"] is None or row["waits_for"] is None:
        return dict.fromkeys(PAID_NAMES, "")
    currency = row["currency"]
    following = None if row["next_minor"] is None else Money(row["next_minor"], currency)
    tail = row["account_tail"] if (row["account_length"] or 0) >= _ACCOUNT_MIN else ""
    return {
        "account_tail": _line(tail or ""),
        "bank_reference": _line(row["bank_reference"] or ""),
        "capitals": capitals(Money(row["amount_minor"], currency)) if currency == "CNY" else "",
        "next_payment": said(
            next_payment(row["next_tranche"], following, row["next_waits"] or "", row["next_milestone"]),
            locale,
        ),
        "paid_for": _line(
            said(earned_by(row["waits_for"], row["earned_number"], row["earned_title"]), locale)
        ),
    }


def shows_payments(roles: Iterable[str]) -> bool:
    """Whether a payment's own page is for somebody with these roles: there the mail leads them."""
    return any("payment" in SEES.get(role, frozenset()) for role in roles)


PAID_NAMES = frozenset({"account_tail", "bank_reference", "capitals", "next_payment", "paid_for"})


def _line(text: str) -> str:
    """In one line, so that what somebody typed begins no paragraph of its own."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())


__all__ = ["COLUMNS", "JOINS", "PAID_NAMES", "paid_values", "shows_payments"]

"""What a mail says of a payment that was paid: capitals, last digits, bank reference, and what follows."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from milepost.capitals import capitals
from milepost.queries.sight import SEES
from milepost.reports.earned import earned_by, next_payment
from milepost.reports.sum_words import interest_also, interest_note, set_off_note
from schema.money import Money
from states.labels import said
from states.step import words

# Columns beside those of every mail; ``y`` is the payment, ``t`` its tranche.
COLUMNS = """y.id AS payment_id, y.bank_reference, y.settled_on, t.waits_for, ym.number AS earned_number,
  ym.title AS earned_title,
  right(replace(yk.account_no, ' ', ''), 4) AS account_tail, length(yk.account_no) AS account_length,
  x.number AS next_tranche, x.amount_minor AS next_minor, x.waits_for AS next_waits,
  x.milestone AS next_milestone,
  coalesce(y.amount_minor, py.amount_minor) AS gross_minor,
  coalesce(so.amount_minor, y.offset_minor) AS set_off_minor,
  coalesce(y.currency, py.currency) AS gross_currency, pt.number AS set_off_tranche,
  CASE WHEN y.offset_minor > 0 THEN (SELECT r.reference FROM set_off o
    JOIN receivable r ON r.id = o.receivable_id
    WHERE o.payment_id = y.id ORDER BY o.status IN ('agreed', 'applied') DESC LIMIT 1) ELSE v.reference END
    AS set_off_reference,
  lt.number AS late_number, t.late_days, ii.late_days AS own_late_days, ii.amount_minor AS interest_minor"""
JOINS = """LEFT JOIN milestone ym ON ym.id = y.milestone_id LEFT JOIN payee yk ON yk.id = y.payee_id
LEFT JOIN LATERAL (SELECT xt.number, xt.amount_minor, xt.waits_for, xm.number AS milestone
  FROM tranche xt LEFT JOIN milestone xm ON xm.id = xt.milestone_id
  WHERE xt.project_id = y.project_id AND xt.number > t.number AND xt.paid_minor = 0
    AND xt.basis <> 'interest'
  ORDER BY xt.number LIMIT 1) x ON true
LEFT JOIN payment ly ON ly.id = t.interest_of_id LEFT JOIN tranche lt ON lt.id = ly.tranche_id
LEFT JOIN tranche ii ON ii.interest_of_id = y.id
LEFT JOIN set_off so ON so.id = (m.context ->> 'set_off')::uuid
LEFT JOIN payment py ON py.id = so.payment_id LEFT JOIN tranche pt ON pt.id = py.tranche_id"""
# Shorter than this, four digits are most of an account.
_ACCOUNT_MIN = 8


def paid_values(row: Mapping[str, Any], locale: str) -> dict[str, str]:
    """The values by name; empty where the mail is about no payment."""
    note = _note(row, locale)
    if row["amount_minor"] is None or row["waits_for"] is None:
        return dict.fromkeys(PAID_NAMES, "") | {"money_note": note}
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
        "money_note": note,
        "paid_for": _line(
            said(earned_by(row["waits_for"], row["earned_number"], row["earned_title"]), locale)
        ),
    }


def _note(row: Mapping[str, Any], locale: str) -> str:
    """What the sum is made of, where it is not simply the tranche; of a set-off, which payment it is."""
    found = []
    if row["gross_minor"] is not None and row["set_off_minor"]:
        gross, offset = (Money(row[c], row["gross_currency"]) for c in ("gross_minor", "set_off_minor"))
        told = set_off_note(gross, offset, row["set_off_reference"])
        if row["set_off_tranche"] is not None:
            number = row["set_off_tranche"]
            told = words(f"第 {number} 笔拨款：{told.zh}", f"Tranche {number}: {told.en}")
        found.append(told)
    if row["late_days"] is not None:
        found.append(interest_note(row["late_number"], row["late_days"]))
    if row["interest_minor"] is not None:
        interest = Money(row["interest_minor"], row["currency"])
        found.append(interest_also(row["own_late_days"], interest))
    return "\n".join(said(note, locale) for note in found)


def shows_payments(roles: Iterable[str]) -> bool:
    """Whether a payment's own page is for somebody with these roles: there the mail leads them."""
    return any("payment" in SEES.get(role, frozenset()) for role in roles)


PAID_NAMES = frozenset(
    {"account_tail", "bank_reference", "capitals", "money_note", "next_payment", "paid_for"}
)


def _line(text: str) -> str:
    """In one line, so that what somebody typed begins no paragraph of its own."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())


__all__ = ["COLUMNS", "JOINS", "PAID_NAMES", "paid_values", "shows_payments"]

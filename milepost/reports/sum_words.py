"""What a payment's sum is made of: gross, set off and net; interest, and for what; for papers and mails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.programmes import Text
from schema.money import Money
from states.reference import spaced
from states.step import words


def set_off_note(gross: Money, offset: Money, reference: str | None) -> Text:
    """What was to be paid, what of it is set off against which receivable, and what is paid."""
    net = gross - offset
    zh = f"（退款编号 {spaced(reference)}）" if reference else ""
    en = f" (reference {spaced(reference)})" if reference else ""
    return words(
        f"应拨 {gross.format('zh')}，抵扣应退款 {offset.format('zh')}{zh}，实付 {net.format('zh')}。",
        f"Gross {gross.format('en')}, set off against what is owed back {offset.format('en')}{en}, "
        f"net {net.format('en')}.",
    )


def interest_note(number: int, days: int) -> Text:
    """That a payment is interest, and for which late one."""
    be = "day" if days == 1 else "days"
    return words(
        f"本笔是第 {number} 笔拨款逾期 {days} 天的利息，不占立项金额。",
        f"This is the interest for paying tranche {number} {days} {be} late; it is no part of the award.",
    )


def interest_also(days: int, amount: Money) -> Text:
    """That a payment was late, and what is paid for that."""
    be = "day" if days == 1 else "days"
    return words(
        f"本笔逾期 {days} 天付出，另付逾期利息 {amount.format('zh')}。",
        f"It was paid {days} {be} late; interest of {amount.format('en')} is paid besides.",
    )


def notes_of(row: Mapping[str, Any]) -> list[Text]:
    """All that is to be said of a payment's sum, from its row as ``milepost.queries.payments`` reads it."""
    currency, found = row["currency"], []
    if row["offset_minor"]:
        gross, offset = Money(row["amount_minor"], currency), Money(row["offset_minor"], currency)
        found.append(set_off_note(gross, offset, row["set_off_reference"]))
    if row["late_days"] is not None:
        found.append(interest_note(row["late_number"], row["late_days"]))
    if row["interest_minor"] is not None:
        found.append(interest_also(row["own_late_days"], Money(row["interest_minor"], currency)))
    return found


__all__ = ["interest_also", "interest_note", "notes_of", "set_off_note"]

"""What a constraint of the database stands for: the guards say it better, the database says it last.

A guard names the figures. The database knows that a rule was broken, not by how much: its refusals have words
of their own, without a gap where a figure would be.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from states.refusals import Refusal, refuse

CONSTRAINTS: dict[str, Callable[[], Refusal]] = {
    "account_not_overdrawn": lambda: refuse("account_taken"),
    "account_ceiling": lambda: refuse("award_exceeded"),
    "payment_one_live": lambda: refuse("tranche_has_live_payment"),
    "duty_different_people": lambda: refuse("duty_taken"),
    "project_code_key": lambda: refuse("exists_already", what="code"),
    "task_expert_once": lambda: refuse("expert_in_round_already"),
    "batch_payment_live": lambda: refuse("batch_takes_nothing"),
    "claim_number_once": lambda: refuse("exists_already", what="claim"),
    "claim_two_people": lambda: refuse("claim_own"),
    "batch_two_people": lambda: refuse("batch_same_person"),
    "budget_two_people": lambda: refuse("budget_same_person"),
    "claim_reopened_by_two": lambda: refuse("reopening_same_person"),
    "appropriation_two_people": lambda: refuse("budget_same_person"),
    "year_closed_by_two_people": lambda: refuse("close_same_person"),
    "appropriation_once": lambda: refuse("exists_already", what="appropriation"),
    "receivable_two_people": lambda: refuse("claim_same_person"),
    "receivable_write_off_two_people": lambda: refuse("write_off_same_person"),
    "payment_offset_within": lambda: refuse("set_off_too_large"),
    "set_off_two_people": lambda: refuse("set_off_same_person"),
    "set_off_payment_live": lambda: refuse("set_off_payment_taken"),
    "set_off_receivable_live": lambda: refuse("set_off_waits_already"),
    "receipt_entry_once": lambda: refuse("credit_received_already"),
    "receipt_slip_once": lambda: refuse("slip_entered_already"),
    "correction_two_people": lambda: refuse("correction_same_person"),
    "correction_waits_once": lambda: refuse("correction_waits_already"),
    "correction_of_receipt_once": lambda: refuse("receipt_reversed_already"),
    "correction_of_transfer_once": lambda: refuse("nothing_written_off"),
    "hold_two_people": lambda: refuse("hold_same_person"),
    "payee_two_people": lambda: refuse("payee_same_person"),
}


def refusal_of(error: psycopg.Error) -> Refusal | None:
    """The refusal that a constraint stands for, or None where it is the program that is wrong."""
    known = CONSTRAINTS.get(error.diag.constraint_name or "")
    return known() if known else None


__all__ = ["CONSTRAINTS", "refusal_of"]

"""Which transfers a step makes. A step that stands nowhere here moves no money.

treasury → appropriation when voted, and what two people change (``states.budget``); appropriation →
commitment when requested (pending) and released (posted); commitment → payable when handed
to the bank; payable → paid when settled. What comes back is reversed by name.
paid → receivable when a claim is established (pending) and confirmed (posted); receivable → treasury when it
is paid back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from states.budget import receiver
from states.case import Case, account_id, chain_of_programme
from states.corrections import corrected, written_off
from states.interest import is_interest
from states.receivable import taken_minor
from states.receivable_plan import left_minor
from states.refund_homes import homes
from states.set_offs import standing


@dataclass(frozen=True, slots=True)
class Posting:
    """One transfer to be written with the event; ``amount_minor`` in units of ``currency``."""

    id: UUID
    kind: str
    debit_id: UUID
    credit_id: UUID
    amount_minor: int
    currency: str
    pending_id: UUID | None = None
    reverses_id: UUID | None = None


def _leg(
    case: Case,
    tag: str,
    kind: str,
    debit: UUID,
    credit: UUID,
    *,
    pending: UUID | None = None,
    reverses: UUID | None = None,
) -> Posting:
    row = case.here
    return Posting(
        case.new_id(tag), kind, debit, credit, row["amount_minor"], row["currency"], pending, reverses
    )


def _appropriation(case: Case, id: UUID) -> UUID:
    return account_id("appropriation", id, case.here["currency"])


def _own(case: Case, kind: str) -> UUID:
    """An account of the project; of interest, the same of its own tranche."""
    owner = case.here["tranche_id"] if is_interest(case) else case.of["id"]
    return account_id(kind, owner, case.here["currency"])


def _hold(case: Case) -> list[Posting]:
    debit = _appropriation(case, case.facts["funds"]["id"])
    return [_leg(case, "hold", "pending", debit, _own(case, "commitment"))]


def _unhold(case: Case) -> list[Posting]:
    """Give back what the payment holds: void a pending hold, reverse a posted one."""
    row = case.here
    if row["hold_transfer_id"] is None:
        return []
    taken, commitment = _appropriation(case, row["appropriation_id"]), _own(case, "commitment")
    if row["post_transfer_id"] is None:
        return [_leg(case, "unhold", "void", taken, commitment, pending=row["hold_transfer_id"])]
    return [_leg(case, "unhold", "posted", commitment, taken, reverses=row["post_transfer_id"])]


def _post(case: Case) -> list[Posting]:
    taken = _appropriation(case, case.here["appropriation_id"])
    pending = case.here["hold_transfer_id"]
    return [_leg(case, "post", "post", taken, _own(case, "commitment"), pending=pending)]


def _to_bank(case: Case) -> list[Posting]:
    return [_leg(case, "instruct", "posted", _own(case, "commitment"), _own(case, "payable"))]


def _from_bank(case: Case) -> list[Posting]:
    reverses = case.here["instruct_transfer_id"]
    return [
        _leg(case, "uninstruct", "posted", _own(case, "payable"), _own(case, "commitment"), reverses=reverses)
    ]


def _pay(case: Case) -> list[Posting]:
    return [_leg(case, "pay", "posted", _own(case, "payable"), _own(case, "paid"))]


def _give_back(case: Case) -> list[Posting]:
    return [*_from_bank(case), *_unhold(case)]


def _take_back(case: Case) -> list[Posting]:
    """What was paid came back: each leg of its way is reversed, the last one first."""
    paid = case.facts["paid_transfer"]
    back = _leg(case, "unpay", "posted", _own(case, "paid"), _own(case, "payable"), reverses=UUID(str(paid)))
    return [back, *_give_back(case)]


def _by_attestation(case: Case) -> list[Posting]:
    return _pay(case) if case.here["attested"] == "settled" else _give_back(case)


def _appropriate(case: Case) -> list[Posting]:
    row = case.here
    debit = account_id("treasury", row["chain_id"], row["currency"])
    credit = _appropriation(case, row["id"])
    return [Posting(case.new_id("vote"), "posted", debit, credit, row["amount_minor"], row["currency"])]


def _claim(case: Case) -> list[Posting]:
    """What was paid is to come back: reserved until it is confirmed."""
    project, given = case.of, case.input
    debit, credit = (account_id(k, project["id"], project["currency"]) for k in ("paid", "receivable"))
    id = case.new_id("claim")
    return [Posting(id, "pending", debit, credit, given.amount_minor, project["currency"])]


def _claimed(kind: str) -> Callable[[Case], list[Posting]]:
    def second_phase(case: Case) -> list[Posting]:
        pending = case.here["claim_transfer_id"]
        return [_leg(case, kind, kind, _own(case, "paid"), _own(case, "receivable"), pending=pending)]

    return second_phase


def _of_claim(case: Case, amount_minor: int, credit: UUID, tag: str = "claimed") -> list[Posting]:
    currency = case.here["currency"]
    if not amount_minor:
        return []
    return [Posting(case.new_id(tag), "posted", _own(case, "receivable"), credit, amount_minor, currency)]


def _home(case: Case) -> UUID:
    """The treasury of the project's programme, as an account of money that came back."""
    return account_id("treasury", chain_of_programme(case.programme.code), case.here["currency"])


def _refund(case: Case) -> list[Posting]:
    """What was refunded goes home, else to the treasury; what is too much is nobody's here."""
    taken = taken_minor(case)
    back = homes(case, taken)
    parts = [
        leg for id, part in back for leg in _of_claim(case, part, _appropriation(case, id), f"claimed:{id}")
    ]
    return [*parts, *_of_claim(case, taken - sum(part for _, part in back), _home(case))]


def _give_up(case: Case) -> list[Posting]:
    """What is left stays paid."""
    return _of_claim(case, left_minor(case.here), _own(case, "paid"))


def _change_budget(case: Case) -> list[Posting]:
    """One transfer with both legs: from the treasury, back to it, or from one appropriation to another."""
    row = case.here
    purse, treasury = _appropriation(case, row["appropriation_id"]), _treasury(case)
    debit, credit = {
        "increase": (treasury, purse),
        "decrease": (purse, treasury),
        "lapse": (purse, treasury),
    }.get(row["kind"]) or (purse, _appropriation(case, receiver(case)))
    return [_leg(case, row["kind"], "posted", debit, credit)]


def _treasury(case: Case) -> UUID:
    return account_id("treasury", case.facts["chain_id"], case.here["currency"])


def _pay_by_set_off(case: Case) -> list[Posting]:
    return [*_to_bank(case), *_pay(case)]


def _set_off(tag: str, kind: str, *statuses: str) -> Callable[[Case], list[Posting]]:
    """What is owed is the treasury's once its payment is settled: reserved, posted, or given back."""

    def postings(case: Case) -> list[Posting]:
        row = standing(case, *statuses)
        if row is None or (tag == "unreserve" and row["status"] == "proposed"):
            return []
        pending = None if tag == "reserve" else UUID(row["hold_transfer_id"])
        debit, credit = _own(case, "receivable"), _home(case)
        amount, currency = int(row["amount_minor"]), row["currency"]
        return [Posting(case.new_id(tag), kind, debit, credit, amount, currency, pending)]

    return postings


def _unapply(case: Case) -> list[Posting]:
    row = standing(case, "applied")
    assert row is not None
    amount, back = int(row["amount_minor"]), UUID(row["post_transfer_id"])
    credit = _own(case, "receivable")
    return [
        Posting(case.new_id("unapply"), "posted", _home(case), credit, amount, row["currency"], None, back)
    ]


def _correct(case: Case) -> list[Posting]:
    """What the mistake moved goes back the way it came, in a transfer that names it."""
    row, found = corrected(case)
    if row["transfer_id"] is None:
        return []
    moved = found["transfer"] if found is not None else written_off(case)
    assert moved is not None and moved["id"] == row["transfer_id"]
    debit, credit = UUID(moved["credit_id"]), UUID(moved["debit_id"])
    amount, currency, id = int(moved["amount_minor"]), moved["currency"], UUID(moved["id"])
    return [Posting(case.new_id("correct"), "posted", debit, credit, amount, currency, None, id)]


POSTINGS: dict[str, Callable[[Case], list[Posting]]] = {
    "appropriation.vote": _appropriate,
    "budget_change.confirm": _change_budget,
    "payment.request": _hold,
    "payment.send_back": _unhold,
    "payment.void": _unhold,
    "payment.release": _post,
    "payment.instruct": _to_bank,
    "payment.settle": _pay,
    "payment.bank_return": _give_back,
    "payment.not_received": _from_bank,
    "payment.return_late": _take_back,
    "payment.confirm": _by_attestation,
    "receivable.establish": _claim,
    "receivable.confirm": _claimed("post"),
    "receivable.cancel": _claimed("void"),
    "receivable.receive": _refund,
    "receivable.receive_slip": _refund,
    "receivable.write_off": _give_up,
    "receivable.agree_set_off": _set_off("reserve", "pending", "proposed"),
    "receivable.drop_set_off": _set_off("unreserve", "void", "proposed", "agreed"),
    "receivable.release_set_off": _set_off("unreserve", "void", "agreed"),
    "receivable.apply_set_off": _set_off("apply", "post", "agreed"),
    "receivable.undo_set_off": _unapply,
    "receivable.correct": _correct,
    "receivable.correct_over": _correct,
    "payment.settle_by_set_off": _pay_by_set_off,
}

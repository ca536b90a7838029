"""Which transfers a step makes. A step that stands nowhere here moves no money.

appropriation → commitment when requested (pending) and released (posted); commitment → payable when handed
to the bank; payable → paid when settled. What comes back is reversed by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from states.case import Case, account_id


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
    return account_id(kind, case.of["id"], case.here["currency"])


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
    currency = case.input.currency if case.subject is None else case.here["currency"]
    chain = case.facts["chain_id"]
    debit = account_id("treasury", chain, currency)
    credit = account_id("appropriation", case.subject_id, currency)
    return [Posting(case.new_id("vote"), "posted", debit, credit, case.input.amount_minor, currency)]


POSTINGS: dict[str, Callable[[Case], list[Posting]]] = {
    "appropriation.vote": _appropriate,
    "appropriation.increase": _appropriate,
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
}

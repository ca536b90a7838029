"""The papers of a payment: the order (付款申请单), the voucher (记账凭证), the advice to the grantee.

Each is made from the one reading of the payment, for one reader, and says where its facts are on record: the
last event's hash and the seal over it. A paper that has no ground yet does not exist: an order comes with the
request, a voucher with the ledger's first posted leg, an advice once the bank paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from config.programmes import Text
from milepost.capitals import capitals
from milepost.queries.sight import FUNDS, Row
from milepost.reports.earned import earned_by
from milepost.reports.payment_words import SET_OFF, account_label, beside
from milepost.work.payment_why import Duty, PaymentWhy
from schema.money import Money
from states.labels import duty_label, step_label
from states.step import words

Kind = Literal["order", "voucher", "advice"]
TITLES: dict[Kind, Text] = {
    "order": words("付款申请单", "Payment order"),
    "voucher": words("记账凭证", "Voucher"),
    "advice": words("到账通知书", "Remittance advice"),
}
_BOOKED = ("posted", "post")


@dataclass(frozen=True, slots=True)
class Line:
    """One side of a posted transfer: an account and a sum, on the debit or on the credit side."""

    label: Text
    account: str
    debit_minor: int | None
    credit_minor: int | None
    leg: Row


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper: its kind, its number, and the reading it shows."""

    kind: Kind
    number: str
    why: PaymentWhy
    capitals: str
    earned: Text
    lines: tuple[Line, ...]

    @property
    def title(self) -> Text:
        """What stands at its head."""
        return TITLES[self.kind]

    @staticmethod
    def beside(column: str) -> Text:
        """What stands beside a person: who was acted for."""
        return beside(column)

    @property
    def total_minor(self) -> int:
        """The sum of the debit side, which is that of the credit side."""
        debit = sum(line.debit_minor or 0 for line in self.lines)
        assert debit == sum(line.credit_minor or 0 for line in self.lines), "debits are credits"
        return debit

    @property
    def signers(self) -> list[Duty]:
        """Who is to be named on it: everybody with a duty, in the order in which they did it."""
        return [duty for duty in self.why.duties if duty.duty not in ("payee_editor", "represented")]

    def as_json(self) -> dict[str, Any]:
        """For programs; the shape is stable."""
        row, read = self.why.row, self.why.read
        amount = Money(row["amount_minor"] - row["offset_minor"], row["currency"])
        last = read.last_event
        return {
            "kind": self.kind,
            "title": self.title.model_dump(),
            "number": self.number,
            "payment_id": str(row["id"]),
            "programme": {
                "code": row["programme_code"],
                "title": self.why.compiled.programme.title.model_dump(),
            },
            "project": {"code": row["code"], "title": row["title"]},
            "grantee": row["unit_name"],
            "payee": {"name": row["account_name"], "bank": row["bank_name"], "account": row["account_no"]},
            "amount_minor": amount.minor,
            "gross_minor": row["amount_minor"],
            "set_off_minor": row["offset_minor"],
            "set_off_reference": row["set_off_reference"],
            "notes": [note.model_dump() for note in self.why.notes],
            "currency": row["currency"],
            "amount": {"zh": amount.format("zh"), "en": amount.format("en")},
            "capitals": self.capitals or None,
            "tranche": row["number"],
            "attempt": row["attempt"],
            "state": row["state"],
            "earned_by": self.earned.model_dump(),
            "duties": [
                {
                    "duty": d.duty,
                    "label": duty_label(d.duty).model_dump(),
                    "name": d.name,
                    "at": d.event.at.isoformat() if d.event else None,
                    "event_hash": d.event.hash if d.event else None,
                }
                for d in self.why.duties
            ],
            "lines": [
                {
                    "account": line.account,
                    "label": line.label.model_dump(),
                    "debit_minor": line.debit_minor,
                    "credit_minor": line.credit_minor,
                    "at": line.leg["at"].isoformat(),
                    "step": line.leg["step"],
                    "step_label": step_label(line.leg["step"]).model_dump(),
                    "transfer_id": str(line.leg["id"]),
                    "event_hash": bytes(line.leg["hash"]).hex(),
                }
                for line in self.lines
            ],
            "total_minor": self.total_minor,
            "bank_reference": row["bank_reference"],
            "settled_on": row["settled_on"].isoformat() if row["settled_on"] else None,
            "last_event_hash": last.hash if last else None,
            "seal": None
            if read.seal is None
            else {"sealed_on": read.seal["sealed_on"].isoformat(), "root": bytes(read.seal["root"]).hex()},
        }


def papers_of(why: PaymentWhy) -> list[Kind]:
    """The papers that exist of a payment for this reader."""
    found: list[Kind] = []
    if why.read.sight.roles & FUNDS:
        if any(event.step == "payment.request" for event in why.read.events):
            found.append("order")
        if any(leg["kind"] in _BOOKED for leg in why.read.legs):
            found.append("voucher")
    if why.row["state"] == "settled" and why.row["bank_reference"] != SET_OFF:
        found.append("advice")
    return found


def paper_of(why: PaymentWhy, kind: Kind) -> Paper | None:
    """One paper, or None where there is none of this kind for this reader."""
    if kind not in papers_of(why):
        return None
    row = why.row
    amount = Money(row["amount_minor"] - row["offset_minor"], row["currency"])
    return Paper(
        kind,
        f"{row['code']}-{row['number']}-{row['attempt']}",
        why,
        capitals(amount) if amount.currency == "CNY" else "",
        earned_by(row["waits_for"], row["milestone_number"], row["milestone_title"]),
        tuple(_lines(why)) if kind == "voucher" else (),
    )


def _lines(why: PaymentWhy) -> list[Line]:
    """Two lines a posted leg, the debit first; reservations are no entries."""
    found = []
    for leg in why.read.legs:
        if leg["kind"] in _BOOKED:
            amount = leg["amount_minor"]
            found.append(Line(account_label(leg["debit"]), leg["debit"], amount, None, leg))
            found.append(Line(account_label(leg["credit"]), leg["credit"], None, amount, leg))
    return found


__all__ = ["TITLES", "Kind", "Line", "Paper", "paper_of", "papers_of"]

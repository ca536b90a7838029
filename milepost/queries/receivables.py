"""What is owed and what came in for it, as far as the reader may see it; credits that nobody claimed yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from milepost.bank.desk import account_of
from milepost.db import Session
from milepost.queries.sight import FUNDS, INTERNAL, MINE, Row, bank_scope, find_subject, holds_role, rows
from schema.receivable import OPEN
from states.receivable_plan import covered_minor, left_minor, open_instalments
from states.reference import spaced
from states.set_offs import WAITING

MOST = 500
_PROJECT = "p.code, p.title, p.unit_name, p.office_path, p.award_minor"


def receivables(session: Session, actor_id: UUID, *, only_open: bool = False) -> list[Row]:
    """Receivables of the offices in which the reader answers for money; what is due first comes first."""
    found = rows(
        session,
        f"""WITH {MINE} SELECT r.*, {_PROJECT} FROM receivable r JOIN project p ON p.id = r.project_id
         WHERE {holds_role(FUNDS)} AND (NOT %(only)s OR r.state = ANY(%(open)s))
         ORDER BY r.state <> ALL(%(open)s), r.state <> 'proposed', r.next_due_on, r.reference
         LIMIT %(most)s""",
        {
            "actor": actor_id,
            "only": only_open,
            "open": list(OPEN),
            # Ageing counts all that is owed; a page shows what comes first.
            "most": 1_000_000 if only_open else MOST,
        },
    )
    return [{**row, "left_minor": _left(row)} for row in found]


def _left(row: Row) -> int:
    return left_minor(row) if row["state"] in (*OPEN, "proposed") else 0


def of_project(session: Session, project_id: UUID, *, names: bool) -> list[Row]:
    """A project's receivables with their receipts and instalments; without ``names`` nobody is named."""
    found = rows(
        session,
        """SELECT r.*, a.name AS established_name, b.name AS confirmed_name, c.name AS ending_name
         FROM receivable r JOIN person a ON a.id = r.established_by
         LEFT JOIN person b ON b.id = r.confirmed_by
         LEFT JOIN person c ON c.id = r.ending_by
         WHERE r.project_id = %(id)s ORDER BY r.established_on, r.reference""",
        {"id": project_id},
    )
    receipts = rows(
        session,
        "SELECT receivable_id, amount_minor, taken_minor, over_minor, restored_minor, currency, "
        "received_on, reference, entry_id IS NOT NULL AS by_bank, reversal_id IS NOT NULL AS reversed "
        "FROM receipt WHERE project_id = %(id)s ORDER BY received_on, reference, id",
        {"id": project_id},
    )
    taken_back = rows(
        session,
        "SELECT c.receivable_id, c.kind, c.status, c.reason, c.decision_no, r.amount_minor, r.currency, "
        "r.reference, a.name AS proposed_name, b.name AS decided_name FROM correction c "
        "JOIN person a ON a.id = c.proposed_by LEFT JOIN person b ON b.id = c.decided_by "
        "LEFT JOIN receipt r ON r.id = c.receipt_id WHERE c.project_id = %(id)s "
        "AND (%(names)s OR c.status = 'done') ORDER BY c.decided_seq NULLS LAST, c.id",
        {"id": project_id, "names": names},
    )
    offs = rows(
        session,
        "SELECT o.receivable_id, o.payment_id, o.amount_minor, o.currency, o.grounds, o.status, t.number "
        "FROM set_off o JOIN payment y ON y.id = o.payment_id JOIN tranche t ON t.id = y.tranche_id "
        "WHERE o.project_id = %(id)s AND (%(names)s OR o.status <> 'proposed') ORDER BY t.number, o.id",
        {"id": project_id, "names": names},
    )
    for row in found:
        row["set_offs"] = [one for one in offs if one["receivable_id"] == row["id"]]
        row["left_minor"], row["spaced"] = _left(row), spaced(row["reference"])
        row["receipts"] = [one for one in receipts if one["receivable_id"] == row["id"]]
        row["corrections"] = [one for one in taken_back if one["receivable_id"] == row["id"]]
        paid = covered_minor(row) - row["planned_from_minor"]
        row["parts"] = open_instalments(row["plan"], paid)
        if not names:
            row |= dict.fromkeys(_NAMES | INTERNAL)
    return found


_NAMES = {"established_name", "confirmed_name", "ending_name", "established_by", "confirmed_by"}


def sums_of_project(session: Session, project_id: UUID) -> Row | None:
    """Award, paid, owed, refunded and net of a project in its currency; None while nothing was claimed."""
    found = rows(
        session,
        """SELECT p.award_minor, p.currency, x.owed, x.refunded, x.over,
            coalesce(sum(y.amount_minor) FILTER (WHERE y.state = 'settled'), 0)::bigint AS paid
          FROM project p LEFT JOIN (payment y JOIN tranche t ON t.id = y.tranche_id AND t.basis <> 'interest')
            ON y.project_id = p.id
          JOIN LATERAL (SELECT count(*) AS n,
              coalesce(sum(r.received_minor + r.offset_minor), 0)::bigint AS refunded,
              coalesce(sum(r.over_minor), 0)::bigint AS over,
              coalesce(sum(r.amount_minor - r.received_minor - r.offset_minor - r.written_off_minor)
                FILTER (WHERE r.state = ANY(%(open)s)), 0)::bigint AS owed
            FROM receivable r WHERE r.project_id = p.id) x ON x.n > 0
         WHERE p.id = %(id)s GROUP BY p.id, x.owed, x.refunded, x.over""",
        {"id": project_id, "open": list(OPEN)},
    )
    return {**found[0], "net": found[0]["paid"] - found[0]["refunded"]} if found else None


def payments_to_set_off(session: Session, project_id: UUID) -> list[Row]:
    """Payments of a project that wait still and that nothing is set off against."""
    return rows(
        session,
        """SELECT y.id, y.amount_minor, y.currency, y.state, t.number, lt.number AS late_number
          FROM payment y JOIN tranche t ON t.id = y.tranche_id
          LEFT JOIN payment ly ON ly.id = t.interest_of_id LEFT JOIN tranche lt ON lt.id = ly.tranche_id
         WHERE y.project_id = %(id)s AND y.state = ANY(%(waiting)s) AND NOT EXISTS (SELECT 1 FROM set_off o
           WHERE o.payment_id = y.id AND o.status IN ('proposed', 'agreed', 'applied'))
         ORDER BY t.number""",
        {"id": project_id, "waiting": list(WAITING)},
    )


def receipts_that_stand(session: Session, receivable_id: UUID) -> list[Row]:
    """What came in for a receivable and was not taken back, the newest first."""
    return rows(
        session,
        "SELECT id, amount_minor, currency, received_on, reference, note, entry_id IS NOT NULL AS by_bank "
        "FROM receipt WHERE receivable_id = %(id)s AND reversal_id IS NULL ORDER BY received_on DESC, id",
        {"id": receivable_id},
    )


@dataclass(frozen=True, slots=True)
class SetOffShown:
    """A set-off that waits or was agreed to: against which payment, and what is left to pay."""

    payment_id: UUID
    number: int
    payment_minor: int
    amount_minor: int
    currency: str
    grounds: str
    proposed_by: str
    left_minor: int

    @property
    def net_minor(self) -> int:
        """What the bank would pay."""
        return self.payment_minor - self.amount_minor


def set_off_shown(session: Session, receivable_id: UUID) -> SetOffShown | None:
    """The set-off of a receivable that somebody has to decide about; whoever asks may see the receivable."""
    found = rows(
        session,
        """SELECT o.payment_id, t.number, y.amount_minor AS payment_minor, o.amount_minor, o.currency,
            o.grounds, n.name AS proposed_by,
            r.amount_minor - r.received_minor - r.written_off_minor - r.offset_minor AS left_minor
          FROM set_off o JOIN payment y ON y.id = o.payment_id JOIN tranche t ON t.id = y.tranche_id
          JOIN person n ON n.id = o.proposed_by JOIN receivable r ON r.id = o.receivable_id
         WHERE o.receivable_id = %(id)s AND o.status IN ('proposed', 'agreed')""",
        {"id": receivable_id},
    )
    return SetOffShown(**found[0]) if found else None


def demand(session: Session, actor_id: UUID, id: UUID) -> Row | None:
    """One receivable with its project, for its demand; None where there is none for this reader."""
    if find_subject(session, actor_id, "receivable", id) is None:
        return None
    found = rows(
        session,
        f"SELECT r.*, {_PROJECT}, o.name_zh AS office_zh, o.name_en AS office_en FROM receivable r "
        "JOIN project p ON p.id = r.project_id LEFT JOIN office o ON o.path = p.office_path "
        "WHERE r.id = %(id)s",
        {"id": id},
    )
    row = found[0]
    row["left_minor"] = _left(row)
    row["parts"] = open_instalments(row["plan"], covered_minor(row) - row["planned_from_minor"])
    return row


def loose_credits(session: Session, actor_id: UUID, currency: str = "") -> list[dict[str, Any]]:
    """Credits of our statements that are nobody's yet, with the receivables that they probably are for.

    All of them for those whose office keeps the account; for others those that probably are for them.
    Likely is what has the exact sum that is left, or that is due next; likelier what also came from an
    account that the project is or was paid to. ``likely`` is (receivable, why) by likelihood.
    """
    credits = rows(
        session,
        f"""SELECT e.id, e.amount_minor, e.currency, e.booked_on, e.reference, e.remittance, e.party_account,
            EXISTS (SELECT 1 FROM bank_exception x WHERE x.entry_id = e.id
              AND {bank_scope("x.office_path")}) AS here
          FROM bank_entry e WHERE e.source = 'statement' AND e.said = 'credit' AND e.payment_id IS NULL
           AND e.outcome IN ('new', 'queued') AND e.amount_minor > 0
           AND (%(currency)s = '' OR e.currency = %(currency)s)
         ORDER BY e.booked_on, e.id LIMIT 2000""",
        {"currency": currency, "actor": actor_id},
    )
    if not credits:
        return []
    owed = receivables(session, actor_id, only_open=True)
    accounts = _accounts(session, [row["project_id"] for row in owed])
    for credit in credits:
        likely = []
        for row in owed:
            if row["currency"] != credit["currency"] or credit["amount_minor"] not in _sums(row):
                continue
            known = credit["party_account"] in accounts.get(row["project_id"], ())
            likely.append((row, "account_and_amount" if known else "amount"))
        credit["likely"] = sorted(likely, key=lambda pair: pair[1] == "amount")[:3]
    return [credit for credit in credits if credit.pop("here") or credit["likely"]][:200]


def _sums(row: Row) -> set[int]:
    paid = covered_minor(row) - row["planned_from_minor"]
    due = next((p["left_minor"] for p in open_instalments(row["plan"], paid) if p["left_minor"]), 0)
    return {row["left_minor"], due} - {0}


def _accounts(session: Session, projects: list[UUID]) -> dict[UUID, set[str]]:
    """The accounts that projects are or were paid to, as a statement writes them."""
    found: dict[UUID, set[str]] = {}
    for row in rows(
        session,
        "SELECT project_id, account_no FROM payee WHERE project_id = ANY(%(ids)s) "
        "AND verified_by IS NOT NULL",
        {"ids": projects},
    ):
        found.setdefault(row["project_id"], set()).add(account_of(row["account_no"]).number)
    return found


__all__ = [
    "SetOffShown",
    "demand",
    "loose_credits",
    "of_project",
    "payments_to_set_off",
    "receipts_that_stand",
    "receivables",
    "set_off_shown",
    "sums_of_project",
]

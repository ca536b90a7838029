"""The queue of what the bank said and our books do not know: raised and cleared by the thousand, told once.

Everything here goes through ``perform_many``. A request id follows from what an exception is about, so that
whoever dies in between raises nothing twice. Finance is told once for a file and a day, however many there
are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from milepost.actions import SYSTEM, Order, perform_many
from milepost.bank.desk import Desk
from milepost.db import Session
from milepost.mail.outbox import Mailing, queue_many
from milepost.programmes import open_chain
from states.case import chain_of_account


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that does not fit, before it is on record; ``times`` it was explained, and is asked again."""

    kind: str
    file_id: UUID
    params: Mapping[str, str]
    entry_id: UUID | None = None
    payment_id: UUID | None = None
    likely_id: UUID | None = None
    times: int = 0


@dataclass(slots=True)
class Queue:
    """The exceptions of one account. ``raised`` counts them by kind."""

    session: Session
    desk: Desk
    raised: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        # What is of no project stands in the account's own chain.
        open_chain(self.session.conn, chain_of_account(self.desk.account), "account")

    def put(self, doubts: Iterable[Doubt]) -> None:
        """Raise exceptions; those that were raised before stay as they are."""
        orders = [self._order(doubt) for doubt in doubts]
        for outcome in perform_many(self.session, SYSTEM, orders):
            if outcome.receipt is not None and not outcome.receipt.repeated:
                self.raised[str(outcome.order.input["kind"])] += 1

    def _order(self, doubt: Doubt) -> Order:
        given = {
            "kind": doubt.kind,
            "file_id": str(doubt.file_id),
            "entry_id": _text(doubt.entry_id),
            "payment_id": _text(doubt.payment_id),
            "likely_id": _text(doubt.likely_id),
            "account_chain_id": str(chain_of_account(self.desk.account)),
            "office_path": self.desk.office,
            "params": dict(doubt.params),
        }
        again = f":{doubt.times}" if doubt.times else ""
        about = f"{doubt.kind}:{doubt.entry_id or doubt.file_id}:{doubt.payment_id}{again}"
        return Order("bank_exception.raise", None, given, f"bank_exception.raise:{about}")

    def put_files(self) -> None:
        """Raise what does not fit of files as a whole."""
        found = self.session.conn.execute(
            "SELECT f.id, d.kind, d.params FROM bank_file f CROSS JOIN LATERAL jsonb_each(f.doubts) "
            "AS d(kind, params) WHERE f.doubts <> '{}' AND NOT EXISTS (SELECT 1 FROM bank_exception x "
            "WHERE x.file_id = f.id AND x.kind = d.kind AND x.entry_id IS NULL) ORDER BY f.at, f.id, d.kind"
        ).fetchall()
        self.put(Doubt(kind, id, params) for id, kind, params in found)

    def clear(self, payments: Sequence[UUID]) -> None:
        """The statement has what was reported, or never spoken of: that is cleared up by itself."""
        found = self.session.conn.execute(
            "SELECT id FROM bank_exception WHERE state = 'open' AND payment_id = ANY(%s) "
            "AND kind IN ('reported_but_not_booked', 'attested_but_not_booked', 'no_word') ORDER BY id",
            (list(payments),),
        ).fetchall()
        clear_exceptions(self.session, [row[0] for row in found], "对账单已入账 · the statement has it")

    def clear_gaps(self, still: Sequence[UUID]) -> None:
        """The statement that was missing before a file's is there."""
        found = self.session.conn.execute(
            "SELECT id FROM bank_exception WHERE state = 'open' AND kind = 'statement_missing' "
            "AND chain_id = %s AND NOT file_id = ANY(%s) ORDER BY id",
            (chain_of_account(self.desk.account), list(still)),
        ).fetchall()
        clear_exceptions(
            self.session, [row[0] for row in found], "前一份对账单已读入 · the one before is there"
        )

    def tell(self) -> int:
        """Owe finance a mail for each file and day of which something is open; how many were not owed yet."""
        rows = self.session.conn.execute(_TOLD).fetchall()
        mailings = [
            Mailing(
                f"bank_exceptions:{file_id}:{day}",
                (person,),
                "bank_exceptions",
                {"number": number, "bank_file": name},
            )
            for file_id, name, day, person, number in rows
        ]
        return queue_many(self.session.conn, mailings, now=self.session.clock.now())


def clear_exceptions(session: Session, ids: Iterable[UUID], note: str) -> None:
    """Close exceptions as the system, in sets, because something else said what they were."""
    orders = [Order("bank_exception.clear", id, {"note": note}, f"bank_exception.clear:{id}") for id in ids]
    perform_many(session, SYSTEM, orders)


# Who may clear it up, where it is: the office's finance officers and those of the project.
_TOLD = """SELECT x.file_id, f.name, x.day, g.person_id, sum(x.number)::int FROM (
    SELECT file_id, office_path, project_id, (raised_at AT TIME ZONE 'Asia/Shanghai')::date AS day,
           count(*) AS number FROM bank_exception WHERE state = 'open' GROUP BY 1, 2, 3, 4) x
  JOIN bank_file f ON f.id = x.file_id
  JOIN role_grant g ON g.role = 'finance_officer' AND g.revoked_at IS NULL
   AND (g.project_id = x.project_id OR starts_with(x.office_path, g.office_path))
  JOIN person n ON n.id = g.person_id AND n.active
 WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.recipient_id = g.person_id
   AND m.source = 'bank_exceptions:' || x.file_id || ':' || x.day)
 GROUP BY 1, 2, 3, 4 ORDER BY 1, 3, 4"""


def _text(id: UUID | None) -> str | None:
    return str(id) if id is not None else None


__all__ = ["Doubt", "Queue", "clear_exceptions"]

"""How what is owed gets to each of its states in a town, and statements that bring it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg

from milepost.documents import store
from milepost.work.bank_intakes import record_files
from tests.invariants.town_bank import DESK

if TYPE_CHECKING:
    from tests.invariants.town import Town

PAPER = b"decision"
BASIS: dict[str, Any] = {
    "ground": "disallowed_cost",
    "legal_basis": "agreement, art. 9",
    "decision_no": "D-1",
}


def home_text() -> str:
    """A programme whose refunds of the same year go back to the appropriation."""
    from tests.invariants.town import programme_text

    rule = 'budget = { same_year_refunds_to = "appropriation" }\nrule_set ='
    return programme_text().replace("rule_set =", rule, 1)


def paper(town: Town) -> str:
    """The digest of a document that is there."""
    return store(town.session, "decision.txt", PAPER, town.people["officer"].id, 1000).sha256


def paid(town: Town) -> UUID:
    """A project of which a payment is settled."""
    return UUID(str(town.one("SELECT project_id FROM payment WHERE id = %s", town.payment("settled"))))


def establish(town: Town, project: UUID, amount: int, *, days: int = 30) -> UUID:
    """What an officer wants back of a project."""
    due = town.clock.today() + timedelta(days=days)
    given = {"amount_minor": amount, "due_on": due.isoformat(), **BASIS}
    return town.take("officer", "receivable.establish", project, **given).subject_id


def owed(town: Town, project: UUID, amount: int, *, days: int = 30) -> UUID:
    """What is owed, confirmed."""
    made = establish(town, project, amount, days=days)
    town.take("finance1", "receivable.confirm", made)
    return made


def entry(
    town: Town, amount: int, remittance: str = "", *, on: date | None = None, account: str = ""
) -> UUID:
    """A credit as a statement would have brought it, before anything was made of it."""
    by, now = town.people["finance1"].id, town.clock.now()
    made = entry_row(town.session.conn, by, now, amount, remittance, on=on, account=account)
    record_files(town.session, DESK)
    return made


def entry_row(
    conn: psycopg.Connection[Any],
    by: UUID,
    now: datetime,
    amount: int,
    remittance: str = "",
    *,
    on: date | None = None,
    account: str = "",
) -> UUID:
    """The same, as somebody who read the file."""
    id, file = uuid4(), uuid4()
    conn.execute(
        "INSERT INTO bank_file (id, direction, kind, name, sha256, size, at, by_id) "
        "VALUES (%s, 'in', 'camt.053', 's.xml', %s, 1, %s, %s)",
        (file, file.hex * 2, now, by),
    )
    conn.execute(
        "INSERT INTO bank_entry (id, file_id, source, account, key, part, said, booked_on, amount_minor, "
        "currency, end_to_end, reference, reason, party_account, remittance, outcome) "
        "VALUES (%s, %s, 'statement', 'A', %s, 0, 'credit', %s, %s, 'CNY', '', %s, '', %s, %s, 'new')",
        (id, file, id.hex, on or now.date(), amount, f"B{id.hex[:8]}", account, remittance),
    )
    return id


def receivable(town: Town, state: str) -> UUID:
    """Something owed that stands in a state."""
    project = paid(town)
    if state in ("proposed", "cancelled"):
        made = establish(town, project, 1000)
        if state == "cancelled":
            town.take("officer", "receivable.cancel", made, reason="a mistake")
        return made
    made = owed(town, project, 1000)
    if state == "instalments":
        first = (town.clock.today() + timedelta(days=20)).isoformat()
        town.take(
            "finance2",
            "receivable.grant_instalments",
            made,
            number=3,
            first_on=first,
            decision_no="D-2",
        )
    elif state == "settled":
        town.take("finance2", "receivable.receive", made, entry_id=str(entry(town, 1000)))
    elif state == "written_off":
        propose(town, made)
        town.take("finance3", "receivable.write_off", made)
    return made


def propose(town: Town, made: UUID, ending: str = "uncollectable", who: str = "finance2") -> None:
    """Propose to write off what is left."""
    given = {"ending": ending, "reason": "gone", "decision_no": "D-3", "documents": [paper(town)]}
    town.take(who, "receivable.propose_write_off", made, **given)


__all__ = [
    "BASIS",
    "entry",
    "entry_row",
    "establish",
    "home_text",
    "owed",
    "paid",
    "paper",
    "propose",
    "receivable",
]

"""How batches and late returns get to each of their states in a town."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_DNS, UUID, uuid5

from milepost.bank.desk import Desk
from milepost.bank.files.batch import BBAN, Account, Agent, Party
from milepost.bank.files.rules import BankRules
from milepost.calendar import is_working_day
from milepost.programmes import open_chain
from milepost.work.bank_intakes import record_files
from states.case import SYSTEM_ID, chain_of_account

if TYPE_CHECKING:
    from tests.invariants.town import Town

WRITTEN = {"size": 1, "number": 1, "total_minor": 1}


def make(town: Town, *, currency: str = "CNY") -> UUID:
    """A batch of everything that is released."""
    return town.take(
        "finance4",
        "batch.make",
        None,
        programme_id=str(town.programme.id),
        currency=currency,
        execution_on=working_day(town).isoformat(),
    ).subject_id


def working_day(town: Town) -> date:
    """Today, or the working day after it."""
    day = town.clock.today()
    while not is_working_day(day)[0]:
        day += timedelta(days=1)
    return day


def batch(town: Town, state: str) -> UUID:
    """A batch of one payment."""
    payment = town.payment("released")
    made = make(town)
    if state == "discarded":
        town.take("finance4", "batch.discard", made, reason="the wrong day")
    if state in ("made", "discarded"):
        return made
    town.take("finance5", "batch.hand_over", made)
    if state == "lapsed":
        town.take("system", "batch.lapse", made, reason="nothing was left")
    if state in ("handed_over", "lapsed"):
        return made
    town.take("system", "payment.instruct", payment)
    town.take(
        "system",
        "batch.write",
        made,
        file_name=f"{made.hex}.xml",
        sha256=f"{made.hex}{made.hex}",
        staged_as=f"{made.hex[:8]}.xml",
        **WRITTEN,
    )
    if state != "written":
        town.take("system", "batch.send", made)
    if state == "answered":
        town.take("system", "batch.answer", made)
    if state == "closed":
        town.take("system", "payment.settle", payment, reference="B")
        town.take("system", "batch.close", made)
    return made


# What a bank said that nobody knows: rows as reading a file leaves them.
ACCOUNT = "2105400309300000011"
DESK = Desk(Party("示例科学技术局", Account(ACCOUNT, BBAN), Agent()), BankRules(), Path())
_FILE = (
    "INSERT INTO bank_file (id, direction, kind, name, sha256, size, at, by_id) "
    "VALUES (%s, 'in', 'camt.053', %s, %s, 1, %s, %s)"
)
_ENTRY = (
    "INSERT INTO bank_entry (id, file_id, source, account, key, part, said, booked_on, amount_minor, "
    "currency, end_to_end, reference, reason, party_account, outcome) "
    "VALUES (%s, %s, 'statement', %s, %s, 0, 'debit', %s, %s, 'CNY', '', '', '', '', %s)"
)


def strange_entry(
    town: Town, outcome: str = "new", amount: int = 100, *, recorded: bool = True
) -> tuple[UUID, UUID]:
    """An entry that names nothing, and the file it came in, which is on record."""
    number = town.one("SELECT count(*) FROM bank_file")
    file, entry = (uuid5(NAMESPACE_DNS, f"{what}:{number}") for what in ("file", "entry"))
    digest = sha256(file.bytes).hexdigest()
    conn = town.session.conn
    conn.execute(_FILE, (file, f"{number}.xml", digest, town.clock.now(), SYSTEM_ID))
    conn.execute(_ENTRY, (entry, file, ACCOUNT, digest, town.clock.today(), -amount, outcome))
    open_chain(conn, chain_of_account(ACCOUNT), "account")
    if recorded:
        record_files(town.session, DESK)
    return entry, file


def bank_intake(town: Town, state: str) -> UUID:
    """A file of the bank that is on record."""
    assert state == "recorded"
    _, file = strange_entry(town)
    return UUID(str(town.one("SELECT id FROM bank_intake WHERE file_id = %s", file)))


def raised(town: Town, kind: str = "unmatched_entry", **given: object) -> UUID:
    """An exception that is open."""
    row = {"account_chain_id": str(chain_of_account(ACCOUNT)), "office_path": "/", "params": {}, **given}
    return town.take("system", "bank_exception.raise", None, kind=kind, **row).subject_id


def bank_exception(town: Town, state: str) -> UUID:
    """An exception of each kind that ends in the state."""
    if state == "used":
        _, file = strange_entry(town, "held")
        made = raised(town, "statement_differs", file_id=str(file))
    else:
        likely = town.payment("instructed") if state == "matched" else None
        amount = town.one("SELECT amount_minor FROM payment WHERE id = %s", likely) if likely else 100
        entry, file = strange_entry(town, amount=amount)
        given = {"likely_id": str(likely)} if likely else {}
        made = raised(town, entry_id=str(entry), file_id=str(file), **given)
    way = {"explained": "explain", "matched": "match", "used": "use", "cleared": "clear"}.get(state)
    if way is not None:
        town.take("system" if way == "clear" else "finance1", f"bank_exception.{way}", made, note="asked")
    return made

"""A database that lived before a revision comes through it: its rows are kept, and mean what they meant."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID, uuid5

import psycopg

from milepost.clock import SimulatedClock
from milepost.db import Database, downgrade, migrate
from milepost.evidence.verify_database import verify
from milepost.work.reconciliation import reconcile
from states.case import NAMESPACE, SYSTEM_ID
from tests.conftest import DatabaseUrls
from tests.invariants import town_bank
from tests.invariants.town import START, Town
from tests.schema.test_migrations import columns, contents, of_columns


def old_id(name: str) -> UUID:
    return uuid5(NAMESPACE, f"old:{name}")


# What the bank said, as the seventh revision had it, by name: source, outcome, kind of exception, how
# it was cleared up.
FILES = ("statement", "junk", "report")
SAID = {
    "strange": ("statement", "queued", "unmatched_entry", None),
    "explained": ("statement", "queued", "unmatched_entry", "explain"),
    "matched": ("statement", "applied", "unmatched_entry", "match"),
    "denied": ("report", "queued", "unknown_payment", None),
    "settled": ("report", "noted", "", None),
}


def live_before(conn: psycopg.Connection, matched: UUID, person: UUID, now: object) -> None:
    """What a bank said and what people made of it, in the form of before."""
    for name in FILES:
        conn.execute(
            "INSERT INTO bank_file (id, direction, kind, name, sha256, size, at, by_id) "
            "VALUES (%s, 'in', %s, %s, %s, 1, %s, %s)",
            (
                old_id(name),
                {"statement": "camt.053", "report": "pain.002", "junk": "unknown"}[name],
                f"{name}.xml",
                sha256(name.encode()).hexdigest(),
                now,
                SYSTEM_ID,
            ),
        )
    amount = conn.execute("SELECT amount_minor FROM payment WHERE id = %s", (matched,)).fetchone()
    assert amount is not None
    for name, (source, outcome, kind, how) in SAID.items():
        said = {"denied": "rejected", "settled": "settled"}.get(name, "debit")
        conn.execute(
            "INSERT INTO bank_entry (id, file_id, source, account, key, part, said, booked_on, amount_minor, "
            "currency, end_to_end, reference, reason, party_account, payment_id, outcome) "
            "VALUES (%s, %s, %s, %s, %s, 0, %s, '2025-03-03', %s, 'CNY', %s, '', '', '', %s, %s)",
            (
                old_id(name),
                old_id(source),
                source,
                town_bank.ACCOUNT,
                name,
                said,
                -amount[0] if source == "statement" else 0,
                {"denied": "X", "settled": matched.hex}.get(name, ""),
                matched if name in ("matched", "settled") else None,
                outcome,
            ),
        )
        if kind:
            exception(
                conn, name, kind, source, old_id(name), matched if how == "match" else None, person, how
            )
    exception(conn, "junk", "file_not_known", "junk", None, None, person, None)


def exception(
    conn: psycopg.Connection,
    name: str,
    kind: str,
    file: str,
    entry: UUID | None,
    likely: UUID | None,
    person: UUID,
    how: str | None,
) -> None:
    cleared = (person, "2025-03-04", how, "asked") if how else (None, None, None, None)
    conn.execute(
        "INSERT INTO bank_exception (id, kind, file_id, entry_id, likely_id, params, raised_at, state, "
        "resolved_by, resolved_at, how, note) "
        "VALUES (%s, %s, %s, %s, %s, %s, '2025-03-03', %s, %s, %s, %s, %s)",
        (
            old_id(f"exception:{name}"),
            kind,
            old_id(file),
            entry,
            likely,
            psycopg.types.json.Jsonb({"name": name}),
            "resolved" if how else "open",
            *cleared,
        ),
    )


def test_exceptions_without_events_come_through_all_revisions_since_the_seventh(
    database_urls: DatabaseUrls,
) -> None:
    clock = SimulatedClock(START)
    database = Database(database_urls.app, owner_url=database_urls.owner, clock=clock, pool_size=1)
    with Town(database, clock) as town:
        town.vote()
        matched = town.payment("settled", project=town.funded())
        town_bank.batch(town, "closed")
        person = town.people["finance1"].id
    database.close()
    downgrade(database_urls.owner, "0007")
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        live_before(conn, matched, person, clock.now())
        kept = columns(conn)
        before = contents(conn, kept)
        migrate(database_urls.owner)
        outcomes = dict(conn.execute("SELECT id, outcome FROM bank_entry").fetchall())
        # What was open is taken up anew; what was cleared up stays.
        assert {name: outcomes[old_id(name)] for name in SAID} == {
            "strange": "new",
            "explained": "queued",
            "matched": "applied",
            "denied": "waiting",
            "settled": "noted",
        }
        for table in kept.keys() - {"bank_exception", "bank_entry"}:
            now = contents(conn, [table])
            shared = {table: [name for name in kept[table] if name in columns(conn)[table]]}
            assert of_columns(now, shared) == of_columns(before, shared), table
        assert conn.execute("SELECT count(*) FROM bank_exception_before").fetchone() == (5,)
    database = Database(database_urls.app, owner_url=database_urls.owner, clock=clock, pool_size=1)
    with database.session() as session:
        report = reconcile(session, town_bank.DESK)
        raised = session.conn.execute(
            "SELECT kind, entry_id, state FROM bank_exception ORDER BY kind"
        ).fetchall()
    assert raised == [
        ("file_not_known", None, "open"),
        ("unknown_payment", old_id("denied"), "open"),
        ("unmatched_entry", old_id("strange"), "open"),
    ]
    assert report.exceptions == {"file_not_known": 1, "unknown_payment": 1, "unmatched_entry": 1}
    # What later revisions keep of the votes began anew on the way; what the bank said has to fit as it is.
    assert [fault for fault in verify(database).faults if fault.code.startswith("bank")] == []
    database.close()
    downgrade(database_urls.owner, "0012")
    with psycopg.connect(database_urls.owner) as conn:
        again = contents(conn, ["bank_exception"])
        names = {"bank_exception": kept["bank_exception"]}
        assert of_columns(again, names) == of_columns(before, names)

"""What somebody with all rights changes in what went to the bank, or in what it said, the verification names.

Each case tampers in a transaction with every trigger off, asks what ``milepost verify`` asks, and is undone.
"""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

import psycopg
import pytest

from milepost.bank.simulated_files import Answer, Misbehaviour
from milepost.evidence import verify_bundle
from milepost.evidence.export import export_account
from milepost.evidence.recounts import recounts
from milepost.evidence.verify_database import verify
from tests.evidence.lived import seal
from tests.invariants.conftest import Found, found
from tests.work.files_scene import Loop

assert found  # The fixture of towns, which this folder has not by itself.
# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("bank_evidence")


@pytest.fixture(scope="module")
def loop(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """A bank that pays one a strange sum, has one come back, and says something of nobody's of the third."""
    town = found()
    town.vote()
    loop = Loop(town, tmp_path_factory.mktemp("evidence"))
    *sent, voided = loop.released(4)
    tells = (Misbehaviour(seed=n, wrong_amount=3, come_back=3, unknown=3) for n in count())
    loop.bank.told = next(
        told
        for told in tells
        if [[told.strikes(fault, p.hex) for p in sent] for fault in ("wrong_amount", "come_back", "unknown")]
        == [[True, False, False], [False, True, False], [False, False, True]]
    )
    loop.batch()
    town.take("finance6", "payment.void", voided, reason="x", again=False)
    loop.send()
    loop.taken()
    loop.put(*loop.bank.reports(loop.today()), Answer("junk.xml", b"<a/>"))
    for _ in range(3):
        loop.put(*loop.bank.statements(loop.today()))
        loop.read()
        loop.next_day()
    (wrong,) = town.all("SELECT id FROM bank_exception WHERE kind = 'wrong_amount'")
    town.take("finance1", "bank_exception.explain", wrong[0], note="a charge")
    return loop


def test_what_nobody_touched_is_clean(loop: Loop) -> None:
    assert verify(loop.town.database).faults == []
    states = {row[0] for row in loop.town.all("SELECT DISTINCT outcome FROM bank_entry")}
    assert states >= {"applied", "noted", "queued"}
    assert loop.open() == ["file_not_known", "unknown_payment"]


TAMPERED = {
    "another digest of our file": (
        "UPDATE bank_file SET sha256 = repeat('a', 64) WHERE direction = 'out'",
        "bank_file",
    ),
    "another size of our file": ("UPDATE bank_file SET size = size + 1 WHERE direction = 'out'", "bank_file"),
    "our file taken off the register": ("DELETE FROM bank_file WHERE direction = 'out'", "bank_file"),
    "another digest of the bank's file": (
        "UPDATE bank_file SET sha256 = repeat('a', 64) WHERE kind = 'pain.002'",
        "bank_file",
    ),
    "another day of the bank's file": ("UPDATE bank_file SET closing_on = NULL", "bank_file"),
    "a file of the bank put in by hand": (
        "INSERT INTO bank_file SELECT gen_random_uuid(), direction, kind, name, repeat('b', 64), size, at, "
        "by_id, batch_id, closing_on, counts, findings, doubts FROM bank_file WHERE kind = 'unknown'",
        "bank_file",
    ),
    "what put a file on record taken away": ("DELETE FROM bank_intake WHERE number = 0", "bank_file"),
    "a report that nothing came of": (
        "UPDATE bank_entry SET reason = 'x' WHERE source = 'report' AND said = 'settled'",
        "bank_entry",
    ),
    "what the payer wrote": ("UPDATE bank_entry SET remittance = 'x' WHERE outcome = 'queued'", "bank_entry"),
    "an entry that nobody read": (
        "INSERT INTO bank_entry SELECT gen_random_uuid(), file_id, source, account, 'x', part, said, "
        "booked_on, amount_minor, currency, 'x', reference, reason, party_account, NULL, 'queued' "
        "FROM bank_entry LIMIT 1",
        "bank_entry",
    ),
    "a closing balance": ("UPDATE bank_statement SET closing_minor = closing_minor - 1", "bank_statement"),
    "both balances": (
        "UPDATE bank_statement SET opening_minor = opening_minor + 7, closing_minor = closing_minor + 7",
        "bank_statement",
    ),
    "a statement taken away": ("DELETE FROM bank_statement", "bank_statement"),
    "a booking taken away": ("DELETE FROM bank_booking WHERE outcome = 'applied'", "bank_entry"),
    "a booking of another kind": ("UPDATE bank_booking SET outcome = 'noted'", "bank_entry"),
    "what was wrong with a file": ("UPDATE bank_file SET doubts = '{}' WHERE kind = 'unknown'", "bank_file"),
    "who handed the batch over": (
        "UPDATE batch SET handed_by = (SELECT id FROM person WHERE login = 'finance8')",
        "batch",
    ),
    "a batch given to another office": ("UPDATE batch SET office_path = '/city/'", "batch"),
    "a payment left out in silence": ("UPDATE batch_payment SET live = false WHERE position = 1", "batch"),
    "a debit unsaid": (
        "UPDATE bank_entry SET outcome = 'noted' WHERE outcome = 'applied' AND amount_minor > 0",
        "bank_entry",
    ),
    "an entry deleted": (
        "DELETE FROM bank_entry WHERE outcome = 'applied' AND amount_minor > 0",
        "bank_entry",
    ),
    "an entry's sum": (
        "UPDATE bank_entry SET amount_minor = amount_minor - 1 WHERE outcome = 'applied'",
        "bank_entry",
    ),
    "an entry's direction": ("UPDATE bank_entry SET said = 'credit' WHERE said = 'debit'", "bank_entry"),
    "a return's reason": (
        "UPDATE bank_entry SET reason = 'x' WHERE outcome = 'applied' AND amount_minor > 0",
        "bank_entry",
    ),
    "a return's reference": (
        "UPDATE bank_entry SET reference = 'x' WHERE outcome = 'applied' AND amount_minor > 0",
        "bank_entry",
    ),
    "the sum of what was queued": (
        "UPDATE bank_entry SET amount_minor = -5 WHERE outcome = 'queued'",
        "bank_entry",
    ),
    "the id of what was queued": (
        "UPDATE bank_entry SET end_to_end = 'x' WHERE outcome = 'queued'",
        "bank_entry",
    ),
    "what was queued as if noted": (
        "UPDATE bank_entry SET outcome = 'noted' WHERE outcome = 'queued'",
        "bank_entry",
    ),
    "an entry for a payment it did not name": (
        "UPDATE bank_entry SET payment_id = (SELECT id FROM payment WHERE state = 'void' LIMIT 1) "
        "WHERE outcome = 'queued'",
        "bank_entry",
    ),
    "an exception's state": ("UPDATE bank_exception SET state = 'cleared' WHERE state = 'explained'", "row"),
    "an exception deleted": ("DELETE FROM bank_exception WHERE state = 'open'", "row"),
    "an exception of another tranche": (
        "UPDATE bank_exception SET tranche_id = (SELECT id FROM tranche t WHERE t.id <> tranche_id LIMIT 1) "
        "WHERE tranche_id IS NOT NULL",
        "bank_exception",
    ),
    "who cleared it up": (
        "UPDATE bank_exception SET resolved_by = (SELECT id FROM person WHERE login = 'finance8') "
        "WHERE state = 'explained'",
        "bank_exception",
    ),
    "what it was said to be": ("UPDATE bank_exception SET note = 'x' WHERE state = 'explained'", "value"),
    "what kind it was": ("UPDATE bank_exception SET kind = 'no_word' WHERE state = 'explained'", "value"),
}


def test_a_file_of_the_bank_that_is_swapped_in_its_folder_is_named(loop: Loop, tmp_path: Path) -> None:
    """By the check of the database, and by the bundle of the account, whose verifier needs no database."""
    database, folder = loop.town.database, tmp_path / "read"
    shutil.copytree(loop.desk.read, folder)
    root = seal(database, loop.today())
    assert verify(database, root=root, files=folder).ok
    whole = export_account(database, loop.desk.account, tmp_path / "whole.zip", folder)
    assert whole.report.ok and "document_withheld" not in {f.code for f in whole.report.notes}
    assert verify_bundle.verify(whole.path, root).ok
    held = next(path for path in sorted(folder.iterdir()) if b"camt.053" in path.read_bytes())
    held.write_bytes(held.read_bytes() + b"<!-- -->")
    assert [(f.code, f.where) for f in verify(database, files=folder).faults] == [
        ("bank_file_changed", held.name)
    ]
    swapped = export_account(database, loop.desk.account, tmp_path / "swapped.zip", folder)
    assert {f.code for f in swapped.report.faults} == {"document_unrecorded", "document_missing"}
    held.unlink()
    taken = export_account(database, loop.desk.account, tmp_path / "taken.zip", folder)
    assert taken.report.ok and "document_withheld" in {f.code for f in taken.report.notes}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_tampered_with_is_named(loop: Loop, what: str) -> None:
    statement, about = TAMPERED[what]
    assert loop.town.database.owner_url
    with psycopg.connect(loop.town.database.owner_url) as owner:
        owner.execute("SET LOCAL session_replication_role = replica")
        assert owner.execute(statement).rowcount > 0
        named = {claim.code for claim in recounts() if owner.execute(claim.sql).fetchone() is not None}
        owner.rollback()
    assert named & {f"{about}_differs", f"{about}_missing"}, named

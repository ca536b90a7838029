"""The loop with the bank by hand: read, look, clear up; and the simulated bank over folders and HTTP."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from milepost.bank.files.batch import BBAN, Account, Agent, Batch, Party, Payment
from milepost.bank.files.pain001 import write_pain001
from milepost.bank.files.pain002 import read_pain002
from milepost.bank.files.rules import BankRules
from milepost.bank.simulated_files import FileBank, misbehaviour_from, write_answers
from milepost.bank.simulated_http import server_for
from milepost.clock import SimulatedClock
from tests.cli.conftest import Shell

DAY = date(2025, 8, 1)
ACCOUNT = "2105400309300000011"


def file_of(*ids: str) -> bytes:
    """A payment file that nobody here has sent."""
    payee = Party("Glass Works", Account("622200011122", BBAN))
    payments = tuple(Payment(id, 100 + n, "CNY", payee) for n, id in enumerate(ids))
    debtor = Party("Office", Account(ACCOUNT, BBAN), Agent())
    target = BytesIO()
    batch = Batch("a" * 32, datetime(2025, 8, 1, tzinfo=UTC), debtor, DAY, payments)
    write_pain001(batch, BankRules(agent_needed=False), target)
    return target.getvalue()


@pytest.fixture
def by_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name, value in (("BANK", "files"), ("BANK_ACCOUNT", ACCOUNT), ("BANK_HOLDER", "Office")):
        monkeypatch.setenv(f"MILEPOST_{name}", value)
    monkeypatch.setenv("MILEPOST_BANK_FOLDER", str(tmp_path))
    return tmp_path


def test_a_file_is_read_entry_by_entry_and_what_does_not_fit_is_cleared_up(
    shell: Shell, by_files: Path
) -> None:
    bank = FileBank(by_files / "books.sqlite")
    bank.take(file_of("b" * 32), DAY)
    (path,) = write_answers(by_files / "in", bank.statements(DAY))
    told = shell.json("bank", "read", str(path), code=1)
    assert [word["outcome"] for word in told["files"][0]["words"]] == ["queued"]
    assert told["exceptions"] == {"unknown_payment": 1}
    assert shell.json("bank", "read", str(path))["files"][0]["known"]
    found = shell.json("bank", "exceptions")["exceptions"]
    assert [row["kind"] for row in found] == ["unknown_payment"] and found[0]["remedy"]["zh"]
    refused = shell.run("bank", "resolve", found[0]["id"], "--note", "x", "--as", "programme_officer-1")
    assert refused.exit_code != 0
    shell.json("bank", "resolve", found[0]["id"], "--note", "another bureau's", "--as", "finance_officer-1")
    assert shell.json("bank", "exceptions")["exceptions"] == []
    assert shell.json("bank", "batches")["batches"] == []


def test_where_payments_do_not_go_by_files_reading_says_what_to_set(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("bank", "read", str(tmp_path / "x.xml"), "--lang", "en")
    assert done.exit_code != 0 and "MILEPOST_BANK=files" in done.output


def test_the_simulated_bank_takes_what_lies_there_and_answers(shell: Shell, by_files: Path) -> None:
    (by_files / "out").mkdir()
    (by_files / "out" / "one.xml").write_bytes(file_of("c" * 32, "d" * 32))
    done = shell.run("bank", "simulate", "--once", "--misbehave", "reject=1")
    assert done.exit_code == 0, done.output
    names = sorted(path.name[:7] for path in (by_files / "in").iterdir())
    assert names == ["camt053", "pain002"] and not list((by_files / "out").glob("*.xml"))
    assert shell.run("bank", "simulate", "--once", "--misbehave", "sleep=1").exit_code != 0


@pytest.mark.parametrize(("misbehave", "status"), [("", 200), ("lose_reply=1", 204)])
def test_over_http_the_report_comes_back_or_is_lost(tmp_path: Path, misbehave: str, status: int) -> None:
    bank = FileBank(tmp_path / "books.sqlite", misbehaviour_from(misbehave))
    with server_for(bank, SimulatedClock(DAY)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/pain001"
        with urlopen(Request(address, file_of("e" * 32), method="POST"), timeout=10) as answer:
            assert answer.status == status
            if status == 200:
                assert read_pain002(BytesIO(answer.read())).status == "ACSC"
        with pytest.raises(HTTPError):
            urlopen(Request(address, b"<a/>", method="POST"), timeout=10)
        server.shutdown()
    assert bank.paid(DAY) == {"e" * 32: 100}

"""What grantees owe, at the terminal; money that comes in at the simulated bank, by hand and over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import UUID

import pytest

from milepost.actions import Actor, perform
from milepost.bank.files.camt053 import StatementFile
from milepost.bank.simulated_files import FileBank
from milepost.bank.simulated_http import server_for
from milepost.clock import SimulatedClock
from milepost.documents import store
from states.reference import spaced
from tests.cli.conftest import Shell
from tests.invariants.town_receivable import BASIS

DAY = date(2025, 8, 1)
ACCOUNT = "2105400309300000011"
OWED = 1_050


@pytest.fixture
def owed(shell: Shell) -> tuple[UUID, str]:
    """Something owed by a project that was paid, and its reference."""
    project = shell.one("SELECT project_id FROM payment WHERE state = 'settled' LIMIT 1")
    with shell.copy.database.session() as session:
        due = (session.clock.today() + timedelta(days=40)).isoformat()
        made = project
        for login, step, given in (
            ("programme_officer-1", "establish", {"amount_minor": OWED, "due_on": due, **BASIS}),
            ("finance_officer-1", "confirm", {}),
        ):
            who = Actor(shell.one("SELECT id FROM person WHERE login = %s", login), fresh=True)
            made = perform(session, who, f"receivable.{step}", made, given, f"owe {step}").subject_id
    return made, shell.one("SELECT reference FROM receivable WHERE id = %s", made)


def test_what_is_owed_is_told_with_its_reference_and_its_age(shell: Shell, owed: tuple[UUID, str]) -> None:
    told = shell.json("receivables", "--as", "finance_officer-1")
    (row,) = told["receivables"]
    assert (row["reference"], row["left_minor"], row["state"]) == (owed[1], OWED, "owed")
    (band,) = told["ageing"]
    assert (band["number"], band["total_minor"], band["not_due"]) == (1, OWED, OWED)
    shown = shell.run("receivables", "--as", "finance_officer-1", "--lang", "en").output
    assert spaced(owed[1])[:14] in shown and "10.50" in shown


def test_settled_receivables_are_left_out_on_request_and_strangers_see_none(
    shell: Shell, owed: tuple[UUID, str]
) -> None:
    with shell.copy.database.session() as session:
        finance = Actor(shell.one("SELECT id FROM person WHERE login = 'finance_officer-2'"), fresh=True)
        paper = store(session, "decision.txt", b"decision", finance.id, 1000).sha256
        given = {"ending": "uncollectable", "reason": "gone", "decision_no": "D", "documents": [paper]}
        perform(session, finance, "receivable.propose_write_off", owed[0], given, "propose")
        other = Actor(shell.one("SELECT id FROM person WHERE login = 'finance_officer-3'"), fresh=True)
        perform(session, other, "receivable.write_off", owed[0], {}, "write off")
    every = shell.json("receivables", "--as", "finance_officer-1")
    assert [row["state"] for row in every["receivables"]] == ["written_off"] and every["ageing"] == []
    assert shell.json("receivables", "--open", "--as", "finance_officer-1")["receivables"] == []
    assert shell.json("receivables", "--as", "expert-1")["receivables"] == []


def test_the_ageing_is_written_as_a_sheet_and_as_no_other_kind_of_file(
    shell: Shell, owed: tuple[UUID, str], tmp_path: Path
) -> None:
    for name, begins in (("ageing.csv", b"\xef\xbb\xbf"), ("ageing.xlsx", b"PK")):
        done = shell.run("receivables", "--out", str(tmp_path / name), "--as", "finance_officer-1")
        assert done.exit_code == 0 and (tmp_path / name).read_bytes().startswith(begins)
    refused = shell.run("receivables", "--out", str(tmp_path / "a.pdf"), "--as", "finance_officer-1")
    assert refused.exit_code != 0 and not (tmp_path / "a.pdf").exists()


def said(content: bytes) -> list[tuple[int, str]]:
    """The entries of a statement: sum and what the payer wrote."""
    with StatementFile(BytesIO(content)) as file:
        return sorted((e.amount_minor, t.remark) for e in file.entries() for t in e.transactions)


def test_money_that_comes_in_is_on_the_statement_of_the_day(shell: Shell, tmp_path: Path) -> None:
    asked = ("bank", "simulate", "--folder", str(tmp_path), "--once", "--account", ACCOUNT)
    done = shell.run(*asked, "--credit", "10.50=退款 RF12", "--credit", "3=second")
    assert done.exit_code == 0
    (statement,) = (tmp_path / "in").iterdir()
    assert said(statement.read_bytes()) == [(300, "second"), (1_050, "退款 RF12")]
    assert shell.run(*asked, "--credit", "1.005=too fine").exit_code != 0
    assert shell.run(*asked, "--credit", "-5=less than nothing").exit_code != 0


def test_a_refund_by_its_reference_goes_from_the_simulated_bank_to_settled(
    shell: Shell, owed: tuple[UUID, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BANK", "files"), ("BANK_ACCOUNT", ACCOUNT), ("BANK_HOLDER", "Office")):
        monkeypatch.setenv(f"MILEPOST_{name}", value)
    monkeypatch.setenv("MILEPOST_BANK_FOLDER", str(tmp_path))
    shell.run("bank", "simulate", "--once", "--credit", f"10.50={owed[1].lower()}")
    (statement,) = (tmp_path / "in").iterdir()
    shell.json("bank", "read", str(statement))
    assert shell.one("SELECT state FROM receivable WHERE id = %s", owed[0]) == "settled"


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[tuple[FileBank, str]]:
    """The simulated bank over HTTP, and its address."""
    bank = FileBank(tmp_path / "books.sqlite", account=ACCOUNT)
    server = server_for(bank, SimulatedClock(datetime(2025, 8, 1, 9, tzinfo=UTC)), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield bank, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def post(url: str, content: object) -> tuple[int, bytes]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    try:
        with urlopen(Request(url, body, method="POST"), timeout=10) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, b""


def test_a_credit_over_http_is_answered_with_the_statement_that_has_it(counter: tuple[FileBank, str]) -> None:
    _, url = counter
    given = {"amount_minor": 700, "currency": "CNY", "remittance": "RF 1", "name": "Glass", "account": "6222"}
    status, content = post(f"{url}/credit", given)
    assert status == 200 and said(content) == [(700, "RF 1")]


@pytest.mark.parametrize(
    "given",
    [
        {"amount_minor": 0},
        {"amount_minor": -5},
        {"amount_minor": "many"},
        {"currency": "cny"},
        {"more": 1},
        b"{",
    ],
)
def test_what_is_no_credit_is_refused_and_books_nothing(
    counter: tuple[FileBank, str], given: dict[str, object] | bytes
) -> None:
    bank, url = counter
    whole = {"amount_minor": 700, "currency": "CNY", "remittance": "RF 1"}
    content = given if isinstance(given, bytes) else whole | given
    assert post(f"{url}/credit", content)[0] == 422
    assert post(f"{url}/elsewhere", whole)[0] == 404
    assert [entry for answer in bank.statements(DAY) for entry in said(answer.content)] == []

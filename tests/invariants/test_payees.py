"""Another account is paid to only after two people saw it, the old contacts were told, and it has rested.

An account that cannot be one is not taken at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from milepost.bank.files.pain001_reader import Transfer, read_pain001
from milepost.documents import store
from milepost.evidence.rests import check_rests
from milepost.mail.facts import load_letters
from milepost.mail.templates import render
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.forge import Conn, forged_event, refused, write_event
from tests.invariants.town import START, Town, person_id, programme_text
from tests.work.files_scene import Loop

RULES = "\n[payees]\nrest_days = 3\nevidence_required = true\n"
OLD, NEW = "622200011122", "622200099999"
CNAPS, IBAN = "102100099996", "DE89370400440532013000"
ENTRY = {"account_name": "Glass Works", "account_no": OLD, "bank_name": "City Bank"}


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found(programme=programme_text() + RULES)
    made.vote()
    return made


@pytest.fixture(autouse=True)
def as_it_was(town: Town) -> Iterator[None]:
    town.clock.set(START)
    yield
    assert faults(town.session.conn) == []


def evidence(town: Town) -> str:
    return store(town.session, "letter.txt", b"Our bank has changed.", person_id("finance7"), 10_000).sha256


def change(town: Town, project: UUID) -> UUID:
    """Another account, entered with evidence and verified."""
    entry = {**ENTRY, "account_no": NEW, "documents": [evidence(town)]}
    payee = town.take("finance7", "payee.enter", project, **entry).subject_id
    town.take("finance6", "payee.verify", payee)
    return payee


def codes(town: Town, who: str, step: str, subject: UUID, **input: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, subject, **input)
    return [refusal.code for refusal in caught.value.refusals]


# What an account is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"account_kind": "cn", "bank_code": CNAPS},
        {"account_kind": "cn", "account_no": "FTE12345678901", "bank_code": CNAPS},
        {"account_kind": "iban", "account_no": IBAN},
        {"account_kind": "iban", "account_no": "DE89 3704 0044 0532 0130 00", "bank_code": "COBADEFFXXX"},
        {},
    ],
)
def test_an_account_that_can_be_one_is_taken(town: Town, given: dict[str, str]) -> None:
    project = town.apply()
    payee = town.take("unit", "payee.enter", project, **ENTRY | given).subject_id
    stored = town.all("SELECT account_kind, bank_code FROM payee WHERE id = %s", payee)
    assert stored == [(given.get("account_kind"), given.get("bank_code"))]


@pytest.mark.parametrize(
    ("given", "zh", "en"),
    [
        ({"account_kind": "cn"}, "没有联行号", "neither a CNAPS code"),
        ({"account_kind": "cn", "bank_code": "10210009999"}, "应为 12 位数字", "is 12 digits"),
        (
            {"account_kind": "cn", "bank_code": "102100099995"},
            "联行号的校验位不对",
            "check digit does not fit",
        ),
        (
            {"account_kind": "cn", "bank_code": CNAPS, "account_no": "12AB5678"},
            "账号含有",
            "account number holds",
        ),
        ({"account_kind": "iban", "account_no": IBAN[:-1] + "1"}, "校验码不对", "check digits do not fit"),
        ({"account_kind": "iban", "account_no": IBAN[:-1]}, "应为|位，DE", "one of DE has 22"),
        ({"account_kind": "iban", "account_no": "CN89370400440532"}, "没有 IBAN", "no IBAN in 'CN'"),
        ({"account_kind": "iban", "account_no": IBAN, "bank_code": "COBADE"}, "应为 8 或 11 位", "8 or 11"),
        ({"bank_code": CNAPS}, "账户类别", "kind of account"),
    ],
)
def test_an_account_that_cannot_be_one_is_refused_by_its_field_in_both_languages(
    town: Town, given: dict[str, str], zh: str, en: str
) -> None:
    with pytest.raises(Refused) as caught:
        town.take("unit", "payee.enter", town.apply(), **ENTRY | given)
    [refusal] = caught.value.refusals
    assert any(part in refusal.fact("zh") for part in zh.split("|")) and en in refusal.fact("en")
    assert refusal.remedy("zh") and refusal.remedy("en")


def test_the_banks_file_names_the_bank_by_its_code(town: Town, tmp_path: Any) -> None:
    project = town.funded()
    entry = {**ENTRY, "account_kind": "cn", "bank_code": CNAPS, "documents": [evidence(town)]}
    payee = town.take("finance7", "payee.enter", project, **entry).subject_id
    town.take("finance6", "payee.verify", payee)
    town.clock.set(town.clock.today() + timedelta(days=10))
    loop = Loop(town, tmp_path)
    town.payment("released", project=project)
    loop.batch()
    [name] = loop.send().sent
    text = (loop.desk.out / name).read_text("utf-8")
    assert "<Cd>CNAPS</Cd>" in text and f"<MmbId>{CNAPS}</MmbId>" in text
    assert len([row for row in read_pain001(loop.desk.out / name) if isinstance(row, Transfer)]) == 1


# A change -------------------------------------------------------------------------------------------------


def test_a_change_needs_evidence_and_the_first_account_does_not(town: Town) -> None:
    project = town.funded()
    assert codes(town, "finance7", "payee.enter", project, **ENTRY) == ["payee_evidence_missing"]
    strange = {"documents": ["a" * 64]}
    assert "document" in codes(town, "finance7", "payee.enter", project, **ENTRY, **strange)[0]
    payee = change(town, project)
    assert town.one("SELECT documents FROM payee WHERE id = %s", payee) == [evidence(town)]


def test_a_first_account_does_not_rest(town: Town) -> None:
    payment = town.payment("released")
    assert (
        town.one(
            "SELECT k.rests_until FROM payment y JOIN payee k ON k.id = y.payee_id WHERE y.id = %s", payment
        )
        is None
    )


def test_a_change_rests_for_whole_working_days(town: Town) -> None:
    """Monday's change rests Tuesday to Thursday; on Friday it is paid to."""
    project = town.funded()
    monday = town.clock.today() + timedelta(days=-town.clock.today().weekday() + 7)
    town.clock.set(monday)
    due = town.payment("due", project=project)
    payee = change(town, project)
    assert town.one("SELECT rests_until FROM payee WHERE id = %s", payee) == monday + timedelta(days=3)
    for days in range(4):
        town.clock.set(monday + timedelta(days=days))
        assert codes(town, "finance1", "payment.request", due) == ["payee_resting"]
    town.clock.set(monday + timedelta(days=4))
    assert town.take("finance1", "payment.request", due).state == "requested"


def test_what_was_under_way_starts_anew_after_the_rest(town: Town) -> None:
    project = town.funded()
    payment = town.payment("approved", project=project)
    payee = change(town, project)
    assert town.state("payment", payment) == "void"
    again = town.payments(project)[0]
    assert codes(town, "system", "payment.fall_due", again) == ["payee_resting"]
    until: date = town.one("SELECT rests_until FROM payee WHERE id = %s", payee)
    town.clock.set(until + timedelta(days=1))
    assert town.payment("released", project=project) == again


# Who hears of it ------------------------------------------------------------------------------------------


def told(town: Town, payee: UUID) -> dict[tuple[str, str], tuple[str, UUID]]:
    """By login and address, the template and the message."""
    rows = town.all(
        "SELECT n.login, coalesce(m.context->>'email', n.email), m.template, m.id FROM message m "
        "JOIN person n ON n.id = m.recipient_id JOIN event e ON e.chain_id = m.chain_id "
        "AND e.seq = m.event_seq WHERE e.subject_id = %s AND e.step = 'payee.verify'",
        payee,
    )
    return {(login, address): (template, id) for login, address, template, id in rows}


def test_a_change_is_told_to_the_grantee_at_the_old_address_too(town: Town) -> None:
    project = town.funded()
    # Somebody got hold of the unit's log-in and its mail address before changing the account.
    town.session.conn.execute("UPDATE person SET email = 'thief@example.net' WHERE login = 'unit'")
    try:
        payee = change(town, project)
        found = told(town, payee)
        assert {who: template for who, (template, _) in found.items()} == {
            ("unit", "unit@example.org"): "payee_changed",
            ("unit", "thief@example.net"): "payee_changed",
            **{who: "payee_changed" for who in found if who[0] == "lead"},
        }
        ids = [id for _, id in found.values()]
        letters = load_letters(town.session.conn, ids, today=town.clock.today(), public_url="https://x")
        for letter in letters:
            for locale in ("zh", "en"):
                subject, body = render(locale, letter.template, letter.values)
                assert "…1122" in body and "…9999" in body and letter.values["rests"] in body
                assert OLD not in subject + body and NEW not in subject + body
    finally:
        town.session.conn.execute("UPDATE person SET email = 'unit@example.org' WHERE login = 'unit'")


def test_the_first_account_is_told_as_verified(town: Town) -> None:
    project = town.funded()
    first = town.one("SELECT payee_id FROM project WHERE id = %s", project)
    assert {template for template, _ in told(town, first).values()} == {"payee_verified"}


# With a SQL prompt ------------------------------------------------------------------------------------------


@pytest.fixture(params=["app", "owner"])
def attacker(request: pytest.FixtureRequest, town: Town) -> Iterator[Conn]:
    url = town.database.url if request.param == "app" else town.database.owner_url
    assert url is not None
    with psycopg.connect(url) as conn:
        yield conn
        conn.rollback()


@pytest.mark.parametrize(
    "change_of",
    [
        {"account_kind": "cn", "bank_code": CNAPS},
        {"documents": psycopg.types.json.Jsonb([])},
        {"rests_until": None},
        {"contacts": psycopg.types.json.Jsonb([])},
    ],
    ids=str,
)
def test_nothing_of_a_verified_account_changes(town: Town, attacker: Conn, change_of: dict[str, Any]) -> None:
    project = town.funded()
    payee = change(town, project)
    write_event(attacker, forged_event(attacker, "project", project, "project.place_hold"))
    sets = ", ".join(f"{column} = %s" for column in change_of)
    with refused("MP005"):
        attacker.execute(f"UPDATE payee SET {sets} WHERE id = %s", (*change_of.values(), payee))


def test_a_rest_that_the_owner_of_the_database_shortened_is_named(town: Town) -> None:
    """Also of a change verified before its event said the day: that one is counted again."""
    payee = change(town, town.funded())
    assert town.database.owner_url
    with psycopg.connect(town.database.owner_url) as conn:
        assert list(check_rests(conn)) == []
        conn.execute("SET LOCAL session_replication_role = replica")
        unsaid = (
            "UPDATE event e SET body = n.body, hash = sha256(e.prev_hash || n.body) FROM (SELECT hash, "
            "convert_to((convert_from(body, 'UTF8')::jsonb - 'computed')::text, 'UTF8') AS body "
            "FROM event) n "
            "WHERE n.hash = e.hash AND e.subject_id = %s AND e.step = 'payee.verify'"
        )
        for tampered in (None, unsaid):
            if tampered:
                conn.execute(tampered, (payee,))
                assert list(check_rests(conn)) == []
            conn.execute("UPDATE payee SET rests_until = rests_until - 1 WHERE id = %s", (payee,))
            assert [id for id, _, _ in check_rests(conn)] == [str(payee)]
            conn.execute("UPDATE payee SET rests_until = rests_until + 1 WHERE id = %s", (payee,))
        conn.execute("UPDATE payee SET rests_until = NULL WHERE id = %s", (payee,))
        assert [id for id, _, _ in check_rests(conn)] == [str(payee)]
        conn.rollback()


def test_nothing_is_requested_while_the_account_rests(town: Town, attacker: Conn) -> None:
    project = town.funded()
    due = town.payment("due", project=project)
    payee = change(town, project)
    event = forged_event(attacker, "payment", due, "payment.request", "requested")
    funds = town.one("SELECT id FROM appropriation")
    with refused("MP008"):
        write_event(attacker, event, payee_id=payee, appropriation_id=funds)

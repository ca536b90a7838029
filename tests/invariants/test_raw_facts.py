"""With a SQL prompt and the application's password: no fact that money waits for is changed on the quiet.

S3 I2: a column of a noun, a tranche or a hold changes with an event of its chain or not at all, and what an
approval binds does not change even with one. No trigger, constraint or setting can be put aside either.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.invariants.conftest import Scene
from tests.invariants.forge import Conn, copied, forged_event, insert, refused, write_event

# Every fact a gate reads, and what somebody in a hurry would set it to.
FACTS = (
    ("project", "holds = 0"),
    ("project", "integrity_flags = 0"),
    ("project", "integrity_flags = 3"),
    ("project", "open_objections = 0"),
    ("project", "payee_id = gen_random_uuid()"),
    ("project", "award_minor = award_minor * 2"),
    ("project", "requested_minor = requested_minor * 2"),
    ("project", "notice_closes_on = '2020-01-01'"),
    ("project", "notice_state = 'ended'"),
    ("project", "agreement_signed_on = '2020-01-01'"),
    ("project", "grantee_signed_on = '2020-01-01'"),
    ("project", "pledged_unit = true"),
    ("project", "pledged_leader = true"),
    ("project", "reviews_done = '[\"legal\"]'"),
    ("project", "review_outcomes = '{\"remote_review\": true}'"),
    ("project", "acceptance_outcome = 'passed'"),
    ("project", "own_contribution_minor = 10000000"),
    ("project", "currency = 'USD'"),
    ("project", "code = 'other'"),
    ("project", "office_path = '/elsewhere/'"),
    ("project", "machine = 'other'"),
    ("project", "suspended_from = 'closure'"),
    ("project", "rectified = false"),
    ("milestone", "amount_minor = 1"),
    ("milestone", "due_on = '2099-01-01'"),
    ("milestone", "evaluator_id = NULL"),
    ("milestone", "report = 'better'"),
    ("milestone", "opinion = 'excellent'"),
    ("payment", "payee_id = NULL"),
    ("payment", "attested = 'settled'"),
    ("payment", "bank_reference = 'B9'"),
    ("payee", "verified_by = NULL"),
    ("task", "score_milli = 100000"),
    ("task", "scores = '{}'"),
    ("task", "expert_id = expert_id"),
    ("round", "passed = true"),
    ("round", "score_milli = 100000"),
    ("notice", "closes_on = opens_on"),
    ("objection", "grounds = 'none'"),
    ("objection", "answer = 'unfounded'"),
    ("call", "closes_on = '2099-01-01'"),
    ("appropriation", "amount_minor = 1"),
    ("appropriation", "fiscal_year = 2031"),
)


@pytest.mark.parametrize(("noun", "change"), FACTS)
def test_a_fact_is_not_changed_without_an_event(attacker: Conn, scene: Scene, noun: str, change: str) -> None:
    with refused("MP003", "MP005"):
        attacker.execute(f'UPDATE "{noun}" SET {change} WHERE id = %s', (scene.rows[noun],))


def test_an_event_of_another_project_is_no_excuse(attacker: Conn, scene: Scene) -> None:
    other = attacker.execute("SELECT project_id FROM payment WHERE id = %s", (scene.approved,)).fetchone()
    assert other is not None
    write_event(attacker, forged_event(attacker, "project", other[0], "project.place_hold"))
    with refused("MP003"):
        attacker.execute("UPDATE project SET holds = 0 WHERE id = %s", (scene.rows["project"],))


def test_an_event_of_an_earlier_transaction_is_no_excuse(attacker: Conn, scene: Scene) -> None:
    """The chain's newest event stands beside the row already; only one of this transaction counts."""
    with refused("MP003"):
        attacker.execute("UPDATE project SET title = 'x' WHERE id = %s", (scene.rows["project"],))


def test_an_upsert_is_an_update_too(attacker: Conn, scene: Scene) -> None:
    row = copied(attacker, "milestone", scene.rows["milestone"], id=scene.rows["milestone"])
    names, values = ", ".join(f'"{c}"' for c in row), ", ".join(["%s"] * len(row))
    with refused("MP003"):
        attacker.execute(
            f"INSERT INTO milestone ({names}) VALUES ({values}) "
            "ON CONFLICT (id) DO UPDATE SET state = 'accepted'",
            tuple(row.values()),
        )


def test_a_merge_is_an_update_too(attacker: Conn, scene: Scene) -> None:
    with refused("MP003"):
        attacker.execute(
            "MERGE INTO project p USING (SELECT %s::uuid AS id) s ON p.id = s.id "
            "WHEN MATCHED THEN UPDATE SET holds = 0",
            (scene.rows["project"],),
        )


# Facts in tables of their own -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("tranche", "paid_minor = 0"),
        ("tranche", "spent_minor = 1"),
        ("hold", "lifted_at = now()"),
        ("hold", "lifted_by = (SELECT id FROM person WHERE id <> placed_by LIMIT 1)"),
    ],
)
def test_a_tranche_or_a_hold_is_not_changed_without_an_event(attacker: Conn, table: str, change: str) -> None:
    with refused("MP003"):
        attacker.execute(f"UPDATE {table} SET {change}")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("tranche", "amount_minor = 1"),
        ("tranche", "currency = 'USD'"),
        ("tranche", "code = 'other'"),
        ("tranche", "milestone_id = NULL"),
        ("tranche", "previous_id = NULL"),
        ("tranche", "waits_for = 'agreement'"),
        ("tranche", "project_id = project_id"),
        ("hold", "kind = 'integrity'"),
        ("hold", "project_id = project_id"),
        ("hold", "reason = 'none'"),
        ("deadline", "due_on = '2099-01-01'"),
        ("deadline", "act = NULL"),
    ],
)
def test_the_application_does_not_write_what_was_agreed(app: Conn, table: str, change: str) -> None:
    with refused("42501"):
        app.execute(f"UPDATE {table} SET {change}")


@pytest.mark.parametrize("table", ["tranche", "hold"])
def test_a_tranche_or_a_hold_is_not_removed(attacker: Conn, table: str) -> None:
    code = "MP001" if attacker.info.user != "milepost_app" else "42501"
    with refused(code):
        attacker.execute(f"DELETE FROM {table}")
    attacker.rollback()
    with refused(code):
        attacker.execute(f"TRUNCATE {table} CASCADE")


def of_tables(scene: Scene) -> list[tuple[str, dict[str, Any]]]:
    project, person = scene.rows["project"], scene.town.people["officer"].id
    return [
        (
            "pledge",
            {"project_id": project, "signer": "ghost", "person_id": person, "signed_at": "2025-03-03"},
        ),
        (
            "hold",
            {
                "id": uuid4(),
                "project_id": project,
                "kind": "hold",
                "reason": "x",
                "placed_by": person,
                "placed_at": "2025-03-03",
            },
        ),
        (
            "contribution",
            {
                "id": uuid4(),
                "project_id": project,
                "amount_minor": 1,
                "currency": "CNY",
                "evidence": "x",
                "verified_by": person,
                "verified_at": "2025-03-03",
            },
        ),
        (
            "tranche",
            {
                "id": uuid4(),
                "project_id": project,
                "number": 99,
                "code": "extra",
                "amount_minor": 1,
                "currency": "CNY",
                "waits_for": "agreement",
            },
        ),
    ]


@pytest.mark.parametrize("number", range(4))
def test_a_fact_is_not_added_without_an_event(attacker: Conn, scene: Scene, number: int) -> None:
    table, row = of_tables(scene)[number]
    with refused("MP003"):
        insert(attacker, table, row)


def test_a_contribution_is_positive(attacker: Conn, scene: Scene) -> None:
    write_event(attacker, forged_event(attacker, "project", scene.rows["project"], "project.place_hold"))
    table, row = of_tables(scene)[2]
    with refused("contribution_amount_positive"):
        insert(attacker, table, {**row, "amount_minor": -5})


# I2: what is bound stays bound, with an event or without ----------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "account_no = '999999'",
        "account_name = 'Other'",
        "bank_name = 'Other'",
        "entered_by = NULL",
        "project_id = NULL",
    ],
)
def test_the_details_of_a_payee_never_change(attacker: Conn, scene: Scene, change: str) -> None:
    event = forged_event(attacker, "payee", scene.rows["payee"], "payee.verify", "verified")
    write_event(attacker, event, verified_by=scene.town.people["finance6"].id)
    with refused("MP005"):
        attacker.execute(f"UPDATE payee SET {change} WHERE id = %s", (scene.rows["payee"],))


def test_who_verified_a_payee_never_changes(attacker: Conn, scene: Scene) -> None:
    event = forged_event(attacker, "payee", scene.rows["payee"], "payee.verify", "verified")
    write_event(attacker, event, verified_by=scene.town.people["finance6"].id)
    with refused("MP005"):
        attacker.execute(
            "UPDATE payee SET verified_by = %s WHERE id = %s",
            (scene.town.people["finance5"].id, scene.rows["payee"]),
        )


@pytest.mark.parametrize(
    "column", ["amount_minor", "currency", "tranche_id", "milestone_id", "project_id", "attempt"]
)
@pytest.mark.parametrize("which", ["requested", "approved"])
def test_a_payment_keeps_what_it_pays(attacker: Conn, scene: Scene, column: str, which: str) -> None:
    payment: UUID = getattr(scene, which)
    other = copied(attacker, "payment", scene.settled)
    value = 1 if column in ("amount_minor", "attempt") else "USD" if column == "currency" else other[column]
    if column in ("project_id", "tranche_id", "milestone_id") and which == "requested":
        value = copied(attacker, "payment", scene.approved)[column]
    event = forged_event(attacker, "payment", payment, "payment.void", "void")
    if column == "attempt":
        value = 9
    with refused("MP005"):
        write_event(attacker, event, **{column: value})


@pytest.mark.parametrize("column", ["payee_id", "appropriation_id"])
@pytest.mark.parametrize(
    ("which", "step", "to"), [("requested", "approve", "approved"), ("approved", "release", "released")]
)
def test_an_approval_binds_the_payee_and_the_appropriation(
    attacker: Conn, scene: Scene, column: str, which: str, step: str, to: str
) -> None:
    value = {"payee_id": scene.rows["payee"], "appropriation_id": None}[column]
    event = forged_event(attacker, "payment", getattr(scene, which), f"payment.{step}", to)
    with refused("MP005"):
        write_event(attacker, event, **{column: value})


def test_a_payment_is_requested_for_a_verified_payee_of_its_project(scene: Scene) -> None:
    payment = scene.town.payment("due")
    with psycopg.connect(scene.url["app"]) as conn:
        for payee in (scene.rows["payee"], copied(conn, "payment", scene.settled)["payee_id"]):
            event = forged_event(conn, "payment", payment, "payment.request", "requested")
            with refused("MP005"):
                write_event(conn, event, payee_id=payee)
            conn.rollback()


# Nothing of this can be put aside ---------------------------------------------------------------------

DDL = (
    "ALTER TABLE event DISABLE TRIGGER ALL",
    "ALTER TABLE project DISABLE TRIGGER project_state_needs_event",
    "ALTER TABLE transfer DROP CONSTRAINT transfer_amount_positive",
    "ALTER TABLE event DROP CONSTRAINT event_step_allowed",
    "ALTER TABLE account DROP CONSTRAINT account_not_overdrawn",
    "ALTER TABLE event OWNER TO milepost_app",
    "DROP TABLE event CASCADE",
    "DROP TRIGGER event_appended ON event",
    "DROP FUNCTION event_appended() CASCADE",
    "DROP INDEX payment_one_live",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER early BEFORE INSERT ON event EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE quiet AS ON DELETE TO event DO INSTEAD NOTHING",
    "CREATE TABLE event_copy AS SELECT * FROM event",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "SET session_replication_role = replica",
    "SET ROLE postgres",
    "ALTER ROLE milepost_app SUPERUSER",
    "GRANT ALL ON event TO milepost_app WITH GRANT OPTION",
    "ALTER SYSTEM SET session_replication_role = replica",
    "ALTER DATABASE postgres SET session_replication_role = replica",
    "COPY event FROM PROGRAM 'true'",
    "UPDATE pg_trigger SET tgenabled = 'D'",
    "BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE",
    "INSERT INTO alembic_version VALUES ('0001')",
    "UPDATE alembic_version SET version_num = '0001'",
)


@pytest.mark.parametrize("sql", DDL)
def test_the_application_cannot_put_the_guards_aside(scene: Scene, sql: str) -> None:
    guards = "SELECT count(*) FROM pg_trigger WHERE tgenabled = 'O'"
    with psycopg.connect(scene.url["app"], autocommit=True) as app:
        before = app.execute(guards).fetchone()
        try:
            app.execute(sql)
        except psycopg.Error as error:
            assert error.sqlstate == "42501", error
            app.rollback()
        else:
            # A GRANT without the right to give it is a warning in PostgreSQL: nothing was granted.
            granted = app.execute("SELECT has_table_privilege('milepost_app', 'event', 'DELETE')").fetchone()
            assert sql.startswith("GRANT") and granted == (False,)
        assert app.execute(guards).fetchone() == before


def test_the_application_is_an_ordinary_role(app: Conn) -> None:
    row = app.execute(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles "
        "WHERE rolname = current_user"
    ).fetchone()
    assert row == (False, False, False, False, False)


def test_a_job_is_claimed_once(attacker: Conn) -> None:
    row = {"job": "notice.end:1", "due": "2025-03-10", "claimed_at": "2025-03-10"}
    insert(attacker, "job_claim", row)
    with refused("job_claim_pkey"):
        insert(attacker, "job_claim", row)


@pytest.mark.parametrize(
    "sql", ["DELETE FROM job_claim", "UPDATE job_claim SET due = 'x'", "TRUNCATE job_claim"]
)
def test_a_claim_is_not_taken_back(attacker: Conn, sql: str) -> None:
    with refused("MP001" if attacker.info.user != "milepost_app" else "42501"):
        attacker.execute(sql)


def test_one_notice_goes_to_one_person_once(attacker: Conn) -> None:
    """E2: all copies of a notice are one row, with one Message-ID."""
    row = attacker.execute("SELECT id FROM message LIMIT 1").fetchone()
    assert row is not None
    message = copied(attacker, "message", row[0])
    with refused("message_once"):
        insert(attacker, "message", message)


def test_a_message_of_an_event_names_one_that_exists(attacker: Conn) -> None:
    row = attacker.execute("SELECT id FROM message LIMIT 1").fetchone()
    assert row is not None
    with refused("message_chain_id_event_seq_fkey"):
        insert(attacker, "message", copied(attacker, "message", row[0], source="other", event_seq=9999))


@pytest.mark.parametrize("sql", ["DELETE FROM message", "TRUNCATE message"])
def test_a_message_owed_is_not_removed_by_the_application(app: Conn, sql: str) -> None:
    with refused("42501"):
        app.execute(sql)

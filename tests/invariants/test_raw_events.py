"""With a SQL prompt and the application's password: no event is forged, changed, or left out.

M4 S1 S2 A1 A2: an event fits its chain, its subject, its machine and its transaction, or the database
refuses it. The first tests show that the forger's honest event is accepted, so that the others are refused
for what is false in them and for nothing else.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from states.machines import static_machines
from tests.invariants.conftest import Scene
from tests.invariants.forge import Conn, copied, forged_event, insert, refused, write_birth, write_event

APPEND_ONLY = (
    "event",
    "transfer",
    "seal",
    "seal_leaf",
    "duty",
    "pledge",
    "contribution",
    "programme_version",
    "allowed_step",
    "document",
)


def hold_event(conn: Conn, scene: Scene, **false: Any) -> dict[str, Any]:
    return forged_event(conn, "project", scene.rows["project"], "project.place_hold", **false)


def test_an_event_that_is_true_in_every_column_is_accepted(attacker: Conn, scene: Scene) -> None:
    write_event(attacker, hold_event(attacker, scene))


def test_an_event_and_then_another_are_accepted_in_one_transaction(attacker: Conn, scene: Scene) -> None:
    write_event(attacker, hold_event(attacker, scene))
    write_event(attacker, hold_event(attacker, scene))


# What is on record stays ------------------------------------------------------------------------------


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
def test_what_is_on_record_is_neither_changed_nor_removed(attacker: Conn, table: str, verb: str) -> None:
    column = attacker.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
    ).fetchall()[0][0]
    sql = {
        "UPDATE": f'UPDATE "{table}" SET "{column}" = "{column}"',
        "DELETE": f'DELETE FROM "{table}"',
        "TRUNCATE": f'TRUNCATE "{table}" CASCADE',
    }
    with refused("MP001" if is_owner(attacker) else "42501"):
        attacker.execute(sql[verb])


def is_owner(conn: Conn) -> bool:
    return conn.info.user != "milepost_app"


# An event fits its chain ------------------------------------------------------------------------------


def test_an_event_leaves_no_gap_in_its_chain(attacker: Conn, scene: Scene) -> None:
    event = hold_event(attacker, scene)
    with refused("MP002"):
        write_event(attacker, {**event, "seq": event["seq"] + 1})


def test_an_event_takes_no_place_that_is_taken(attacker: Conn, scene: Scene) -> None:
    event = hold_event(attacker, scene)
    with refused("event_pkey", "MP002"):
        write_event(attacker, {**event, "seq": event["seq"] - 1})


@pytest.mark.parametrize("seq", [0, -1])
def test_an_event_does_not_stand_before_the_first(attacker: Conn, scene: Scene, seq: int) -> None:
    with refused("MP002", "MP003"):
        write_event(attacker, hold_event(attacker, scene, seq=seq))


def test_an_event_names_the_hash_before_it(attacker: Conn, scene: Scene) -> None:
    with refused("MP002"):
        write_event(attacker, hold_event(attacker, scene, prev_hash=sha256(b"").digest()))


def test_a_chain_does_not_fork(attacker: Conn, scene: Scene) -> None:
    first = attacker.execute("SELECT prev_hash FROM event ORDER BY at LIMIT 1").fetchone()
    assert first is not None
    with refused("event_chain_linear", "MP002"):
        write_event(attacker, hold_event(attacker, scene, prev_hash=first[0]))


def test_a_hash_is_that_of_the_stored_bytes(attacker: Conn, scene: Scene) -> None:
    with refused("event_hash_true"):
        write_event(attacker, hold_event(attacker, scene, hash=sha256(b"other").digest()))


def test_two_events_in_one_statement_follow_each_other(attacker: Conn, scene: Scene) -> None:
    first = hold_event(attacker, scene)
    after = {
        **first,
        "seq": first["seq"] + 2,
        "subject_seq": first["subject_seq"] + 1,
        "request_id": "gap",
        "prev_hash": first["hash"],
        "hash": sha256(first["hash"] + first["body"]).digest(),
    }
    names = ", ".join(first)
    values = ", ".join(["%s"] * len(first))
    with refused("MP002"):
        attacker.execute(
            f"WITH e AS (INSERT INTO event ({names}) VALUES ({values}), ({values})) "
            "UPDATE project SET version = %s WHERE id = %s",
            (*first.values(), *after.values(), after["subject_seq"], first["subject_id"]),
        )


def test_a_chain_opens_at_its_genesis(attacker: Conn) -> None:
    with refused("MP002"):
        insert(attacker, "chain", {"id": uuid4(), "kind": "project", "seq": 0, "head": bytes(32)})
    attacker.rollback()
    id = uuid4()
    head = sha256(b"milepost:" + id.bytes).digest()
    with refused("MP002"):
        insert(attacker, "chain", {"id": id, "kind": "project", "seq": 7, "head": head})


@pytest.mark.parametrize("change", ["seq = 0", "seq = seq + 1", "head = '\\x00'", "id = gen_random_uuid()"])
def test_the_head_of_a_chain_moves_with_its_events_alone(app: Conn, scene: Scene, change: str) -> None:
    with refused("42501"):
        app.execute(f"UPDATE chain SET {change} WHERE id = %s", (scene.rows["project"],))


def test_the_kind_of_a_chain_stays(attacker: Conn, scene: Scene) -> None:
    with refused("MP001"):
        attacker.execute("UPDATE chain SET kind = 'programme' WHERE id = %s", (scene.rows["project"],))


def test_a_chain_is_not_removed(attacker: Conn) -> None:
    with refused("MP001" if is_owner(attacker) else "42501"):
        attacker.execute("DELETE FROM chain")


# An event fits its subject ----------------------------------------------------------------------------


def test_an_event_starts_where_its_subject_stands(attacker: Conn, scene: Scene) -> None:
    row = forged_event(attacker, "milestone", scene.rows["milestone"], "milestone.accept", "accepted")
    with refused("MP002"):
        write_event(attacker, {**row, "from_state": "reported", "role": "evaluator"})


@pytest.mark.parametrize("by", [-1, 1])
def test_the_versions_of_a_subject_have_no_gap(attacker: Conn, scene: Scene, by: int) -> None:
    event = hold_event(attacker, scene)
    with refused("MP002", "event_subject_version"):
        write_event(attacker, {**event, "subject_seq": event["subject_seq"] + by})


def test_an_event_without_its_row_is_refused(attacker: Conn, scene: Scene) -> None:
    with refused("MP003"):
        insert(attacker, "event", hold_event(attacker, scene))


def test_an_event_of_something_that_is_not_there_is_refused(attacker: Conn, scene: Scene) -> None:
    event = hold_event(attacker, scene)
    ghost = {**event, "noun": "milestone", "subject_id": uuid4(), "subject_seq": 1, "from_state": ""}
    ghost |= {"machine": static_machines()["milestone"].id, "step": "milestone.plan", "to_state": "planned"}
    with refused("MP003"):
        insert(attacker, "event", {**ghost, "role": "system"})


def test_an_event_and_a_row_that_stands_elsewhere_are_refused(attacker: Conn, scene: Scene) -> None:
    event = forged_event(attacker, "milestone", scene.rows["milestone"], "milestone.waive", "waived")
    with refused("MP003"):
        write_event(attacker, event, state="accepted")


def test_an_event_stands_in_its_subjects_own_chain(attacker: Conn, scene: Scene) -> None:
    other = hold_event(attacker, scene)
    event = forged_event(attacker, "milestone", scene.rows["milestone"], "milestone.waive", "waived")
    wrong = {k: other[k] for k in ("chain_id", "seq", "prev_hash", "hash", "body")}
    with refused("MP002", "MP003"):
        write_event(attacker, {**event, **wrong})


def test_an_event_belongs_to_the_transaction_that_writes_it(attacker: Conn, scene: Scene) -> None:
    """Otherwise an event dated to a later transaction would let that one change facts without an event."""
    xid = attacker.execute("SELECT (pg_current_xact_id()::text)::bigint + 1").fetchone()
    assert xid is not None
    payee = copied(attacker, "payee", scene.rows["payee"], version=1, state="entered")
    event = forged_event(attacker, "payee", scene.rows["payee"], "payee.verify", "verified")
    born = {"subject_id": payee["id"], "subject_seq": 1, "from_state": "", "to_state": "entered"}
    born |= {"step": "payee.enter", "xid": xid[0]}
    with refused("MP002", "MP003"):
        write_birth(attacker, {**event, **born}, payee)


def test_the_birth_of_a_row_is_accepted_with_its_event(attacker: Conn, scene: Scene) -> None:
    payee = copied(attacker, "payee", scene.rows["payee"], version=1, state="entered")
    event = forged_event(attacker, "payee", scene.rows["payee"], "payee.verify", "verified")
    born = {"subject_id": payee["id"], "subject_seq": 1, "from_state": "", "to_state": "entered"}
    write_birth(attacker, {**event, **born, "step": "payee.enter"}, payee)


# An event fits its machine ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "to_state", "false"),
    [
        ("project.place_hold", "closure", {}),
        ("project.place_hold", None, {"role": "applicant"}),
        ("project.place_hold", None, {"role": "administrator"}),
        ("project.approve", "implementation", {}),
        ("project.invented", "closure", {}),
        ("project.archive", "archived", {}),
    ],
)
def test_an_event_that_no_table_of_steps_allows_is_refused(
    attacker: Conn, scene: Scene, step: str, to_state: str | None, false: dict[str, str]
) -> None:
    event = forged_event(attacker, "project", scene.rows["project"], step, to_state, **false)
    with refused("event_step_allowed"):
        write_event(attacker, event)


def test_an_event_under_another_nouns_machine_is_refused(attacker: Conn, scene: Scene) -> None:
    event = forged_event(attacker, "milestone", scene.rows["milestone"], "payment.fall_due", "due")
    with refused("MP002"):
        write_event(attacker, {**event, "machine": static_machines()["payment"].id, "role": "system"})


def test_a_project_keeps_to_its_own_programmes_machine(owner: Conn, scene: Scene) -> None:
    id = scene.rows["project"]
    machine = "project:borrowed"
    insert(owner, "machine", {"id": machine, "noun": "project", "sealed": False})
    pair = {"step": "project.close", "from_state": "implementation", "to_state": "archived", "role": "system"}
    insert(owner, "allowed_step", {"machine": machine, **pair})
    owner.execute("UPDATE machine SET sealed = true WHERE id = %s", (machine,))
    event = forged_event(owner, "project", id, "project.close", "archived")
    with refused("MP002", "MP003"):
        write_event(owner, {**event, "machine": machine, "role": "system"})


def test_an_event_under_an_unsealed_machine_is_refused(owner: Conn, scene: Scene) -> None:
    machine = "milestone:open"
    insert(owner, "machine", {"id": machine, "noun": "milestone", "sealed": False})
    pair = {"step": "milestone.accept", "from_state": "planned", "to_state": "accepted", "role": "system"}
    insert(owner, "allowed_step", {"machine": machine, **pair})
    event = forged_event(owner, "milestone", scene.rows["milestone"], "milestone.accept", "accepted")
    with refused("MP002"):
        write_event(owner, {**event, "machine": machine, "role": "system"})


def test_the_application_makes_no_machine_of_its_own(app: Conn) -> None:
    """With a machine that lets a planned payment be settled, whoever has its password would need no steps."""
    with refused("42501"):
        insert(app, "machine", {"id": "payment:mine", "noun": "payment", "sealed": False})
    app.rollback()
    with refused("42501"):
        app.execute("UPDATE machine SET sealed = true")


def test_a_sealed_machine_learns_no_new_step(attacker: Conn) -> None:
    pair = {"step": "payment.settle", "from_state": "planned", "to_state": "settled", "role": "applicant"}
    with refused("MP001" if is_owner(attacker) else "42501"):
        insert(attacker, "allowed_step", {"machine": static_machines()["payment"].id, **pair})


@pytest.mark.parametrize("change", ["sealed = false", "noun = 'payment'", "id = 'x'"])
def test_a_sealed_machine_stays_sealed(attacker: Conn, change: str) -> None:
    with refused("MP001", "42501"):
        attacker.execute(f"UPDATE machine SET {change}")


def test_a_machine_is_not_removed(attacker: Conn) -> None:
    with refused("MP001" if is_owner(attacker) else "42501"):
        attacker.execute("DELETE FROM machine")


# One request, one effect ------------------------------------------------------------------------------


def test_a_request_id_is_used_once_by_one_actor(attacker: Conn, scene: Scene) -> None:
    used = attacker.execute("SELECT actor_id, request_id FROM event LIMIT 1").fetchone()
    assert used is not None
    with refused("event_request_once"):
        write_event(attacker, hold_event(attacker, scene, actor_id=used[0], request_id=used[1]))


def test_an_event_has_an_actor_that_exists(attacker: Conn, scene: Scene) -> None:
    with refused("event_actor_id_fkey"):
        write_event(attacker, hold_event(attacker, scene, actor_id=uuid4()))


# A row without its event ------------------------------------------------------------------------------

NOUNS = (
    "project",
    "milestone",
    "payment",
    "payee",
    "round",
    "task",
    "notice",
    "objection",
    "call",
    "appropriation",
)


@pytest.mark.parametrize("noun", NOUNS)
def test_a_row_is_not_added_without_its_event(attacker: Conn, scene: Scene, noun: str) -> None:
    row = copied(attacker, noun, scene.rows[noun], version=1)
    # What is unique in a row is made different, so that the missing event is all that is wrong.
    fresh: dict[str, dict[str, Any]] = {
        "project": {"code": "forged"},
        "milestone": {"number": 999},
        "payment": {"attempt": 99, "state": "void"},
        "round": {"number": 99},
        "task": {"expert_id": scene.town.people["expert8"].id},
        "appropriation": {"fiscal_year": 2199, "state": "proposed", "voted_by": None},
    }
    with refused("MP003"):
        insert(attacker, noun, {**row, **fresh.get(noun, {})})


@pytest.mark.parametrize("noun", NOUNS)
def test_a_state_is_not_changed_without_its_event(attacker: Conn, scene: Scene, noun: str) -> None:
    with refused("MP003"):
        attacker.execute(f"UPDATE \"{noun}\" SET state = 'elsewhere' WHERE id = %s", (scene.rows[noun],))


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("by", [-1, 0, 1])
def test_a_version_is_not_changed_without_its_event(attacker: Conn, scene: Scene, noun: str, by: int) -> None:
    with refused("MP003"):
        attacker.execute(f'UPDATE "{noun}" SET version = version + %s WHERE id = %s', (by, scene.rows[noun]))


def test_every_row_that_a_statement_changes_needs_its_event(attacker: Conn, scene: Scene) -> None:
    """Also after the check's plan was kept from a statement with one row."""
    event = forged_event(attacker, "milestone", scene.rows["milestone"], "milestone.waive", "waived")
    with attacker.transaction(force_rollback=True):
        write_event(attacker, event)
    names, values = ", ".join(f'"{c}"' for c in event), ", ".join(["%s"] * len(event))
    before = event["subject_seq"] - 1
    found = attacker.execute("SELECT count(*) FROM milestone WHERE version = %s", (before,)).fetchone()
    assert found is not None and found[0] > 1
    with refused("MP003"):
        attacker.execute(
            f"WITH e AS (INSERT INTO event ({names}) VALUES ({values})) "
            "UPDATE milestone SET state = %s, version = version + 1 WHERE version = %s",
            (*event.values(), event["to_state"], before),
        )


@pytest.mark.parametrize("noun", NOUNS)
def test_a_row_is_not_removed(attacker: Conn, scene: Scene, noun: str) -> None:
    with refused("MP001" if is_owner(attacker) else "42501"):
        attacker.execute(f'DELETE FROM "{noun}" WHERE id = %s', (scene.rows[noun],))
    attacker.rollback()
    with refused("MP001" if is_owner(attacker) else "42501"):
        attacker.execute(f'TRUNCATE "{noun}" CASCADE')


@pytest.mark.parametrize("noun", NOUNS)
def test_a_row_keeps_its_id(attacker: Conn, scene: Scene, noun: str) -> None:
    with refused("MP003", "23503"):
        attacker.execute(f'UPDATE "{noun}" SET id = gen_random_uuid() WHERE id = %s', (scene.rows[noun],))


def test_a_row_does_not_borrow_the_event_of_another_nouns_row(attacker: Conn, scene: Scene) -> None:
    """A milestone and a payment both begin as planned: the event of the one is not the other's."""
    row = copied(attacker, "milestone", scene.rows["milestone"], id=scene.requested, number=998, version=1)
    with refused("MP003"):
        insert(attacker, "milestone", row)


def test_a_fake_table_of_events_in_a_temporary_schema_deceives_nobody(app: Conn, scene: Scene) -> None:
    """Temporary tables come first on the search path, so a guard must say whose table it means."""
    project = scene.rows["project"]
    app.execute("CREATE TEMP TABLE event (LIKE public.event INCLUDING DEFAULTS)")
    app.execute("GRANT ALL ON pg_temp.event TO PUBLIC")
    app.execute(
        "INSERT INTO pg_temp.event SELECT chain_id, seq + 1000, noun, subject_id, subject_seq, machine, "
        "step, from_state, to_state, role, actor_id, request_id, fingerprint, at, body, prev_hash, hash "
        "FROM public.event WHERE chain_id = %s ORDER BY seq DESC LIMIT 1",
        (project,),
    )
    with refused("MP003"):
        app.execute("UPDATE project SET holds = 0 WHERE id = %s", (project,))


def test_a_fake_machine_in_a_temporary_schema_deceives_nobody(owner: Conn) -> None:
    owner.execute("CREATE TEMP TABLE machine (id text, noun text, sealed boolean)")
    pair = {"step": "payment.settle", "from_state": "planned", "to_state": "settled", "role": "applicant"}
    row = {"machine": static_machines()["payment"].id, **pair}
    with refused("MP001"):
        owner.execute(
            "INSERT INTO public.allowed_step (machine, step, from_state, to_state, role) "
            "VALUES (%(machine)s, %(step)s, %(from_state)s, %(to_state)s, %(role)s)",
            row,
        )


def test_a_subject_does_not_move_to_another_chain(attacker: Conn, scene: Scene) -> None:
    """An event in the other project's chain does not make a milestone its own."""
    write_event(attacker, hold_event(attacker, scene))
    with refused("MP003"):
        attacker.execute(
            "UPDATE milestone SET project_id = %s, number = 997 WHERE id = %s",
            (scene.rows["project"], scene.rows["milestone"]),
        )


def test_two_writers_of_one_chain_stand_in_line(scene: Scene) -> None:
    """Whoever forges in parallel waits for the row of the chain, and then no longer fits."""
    with psycopg.connect(scene.url["app"]) as one, psycopg.connect(scene.url["app"]) as two:
        events: list[dict[str, Any]] = [hold_event(conn, scene) for conn in (one, two)]
        write_event(one, events[0])
        two.execute("SET lock_timeout = '200ms'")
        with refused("55P03"):
            write_event(two, events[1])
        one.rollback()
        two.rollback()

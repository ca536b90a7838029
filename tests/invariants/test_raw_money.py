"""With a SQL prompt and the application's password: no money appears, vanishes, or goes twice.

M1 M2 M3 M6: every movement is one positive sum in one currency between two accounts, bound to an event of
its own transaction; what is posted stays; the sums of the accounts follow the transfers alone.
"""

from __future__ import annotations

from contextlib import nullcontext
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest

from states.case import account_id
from tests.invariants.conftest import Scene
from tests.invariants.forge import Conn, copied, forged_event, insert, refused, write_birth, write_event


def own(scene: Scene, kind: str) -> UUID:
    return account_id(kind, scene.rows["project"], "CNY")


def fund(scene: Scene) -> UUID:
    return account_id("appropriation", scene.rows["appropriation"], "CNY")


def transfer(conn: Conn, scene: Scene, **changes: Any) -> None:
    """A transfer from the appropriation to the project's commitment, beside an event that is true."""
    event = forged_event(conn, "project", scene.rows["project"], "project.place_hold")
    write_event(conn, event)
    row = {
        "id": uuid4(),
        "chain_id": event["chain_id"],
        "event_seq": event["seq"],
        "debit_id": fund(scene),
        "credit_id": own(scene, "commitment"),
        "amount_minor": 1,
        "currency": "CNY",
        "kind": "pending",
        "pending_id": None,
        "reverses_id": None,
    }
    insert(conn, "transfer", {**row, **changes})


def of_payment(conn: Conn, payment: UUID, column: str) -> dict[str, Any]:
    """The transfer that a payment's column names."""
    row = conn.execute(f"SELECT {column} FROM payment WHERE id = %s", (payment,)).fetchone()
    assert row is not None and row[0] is not None
    found = copied(conn, "transfer", row[0], id=row[0])
    return found


PARTS = ("debit_id", "credit_id", "amount_minor", "currency")


def like(found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**{k: found[k] for k in PARTS}, **changes}


def mirror(found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    turned = {"debit_id": found["credit_id"], "credit_id": found["debit_id"], "kind": "posted"}
    return like(found, **turned, reverses_id=found["id"], **changes)


# What is true is accepted -----------------------------------------------------------------------------


def test_a_transfer_that_is_true_in_every_column_is_accepted(attacker: Conn, scene: Scene) -> None:
    # The first tranche is settled and the second held, so nothing of the award is left to draw.
    held = of_payment(attacker, scene.requested, "hold_transfer_id")
    transfer(attacker, scene, **like(held, kind="void", pending_id=held["id"]))
    transfer(attacker, scene)


def test_the_reversal_of_a_posted_transfer_is_accepted(attacker: Conn, scene: Scene) -> None:
    paid = attacker.execute(
        "SELECT id FROM transfer WHERE payment_id = %s AND credit_id = %s",
        (scene.settled, own(scene, "paid")),
    ).fetchone()
    assert paid is not None
    transfer(attacker, scene, **mirror(copied(attacker, "transfer", paid[0], id=paid[0])))


# M1 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, -1, -(2**62)])
def test_a_transfer_moves_a_positive_sum(attacker: Conn, scene: Scene, amount: int) -> None:
    with refused("transfer_amount_positive"):
        transfer(attacker, scene, amount_minor=amount)


def test_a_transfer_fits_into_the_range_of_sums(attacker: Conn, scene: Scene) -> None:
    with refused("22003"):
        transfer(attacker, scene, amount_minor=2**63)


def test_a_transfer_has_two_accounts(attacker: Conn, scene: Scene) -> None:
    with refused("transfer_two_accounts"):
        transfer(attacker, scene, credit_id=fund(scene))


@pytest.mark.parametrize("side", ["debit_id", "credit_id"])
def test_a_transfer_has_accounts_that_exist(attacker: Conn, scene: Scene, side: str) -> None:
    with refused(f"transfer_{side}_fkey"):
        transfer(attacker, scene, **{side: uuid4()})


def test_a_transfer_is_in_the_currency_of_both_accounts(attacker: Conn, scene: Scene) -> None:
    with refused("MP004"):
        transfer(attacker, scene, currency="USD")


def test_a_transfer_is_of_a_known_kind(attacker: Conn, scene: Scene) -> None:
    with refused("transfer_kind_known"):
        transfer(attacker, scene, kind="gift")


def test_a_transfer_goes_a_way_that_money_goes(attacker: Conn, scene: Scene) -> None:
    """Appropriation, commitment, payable, paid: a short cut would pass by the award's ceiling."""
    with refused("MP004"):
        transfer(attacker, scene, credit_id=own(scene, "payable"), kind="posted")
    attacker.rollback()
    with refused("MP004"):
        transfer(attacker, scene, debit_id=own(scene, "paid"), credit_id=own(scene, "payable"), kind="posted")


def test_a_transfer_stays_within_its_project(attacker: Conn, scene: Scene) -> None:
    row = attacker.execute("SELECT project_id FROM payment WHERE id = %s", (scene.approved,)).fetchone()
    assert row is not None
    with refused("MP004"):
        transfer(
            attacker, scene, debit_id=own(scene, "commitment"), credit_id=account_id("payable", row[0], "CNY")
        )
    attacker.rollback()
    with refused("MP004"):
        transfer(attacker, scene, credit_id=account_id("commitment", row[0], "CNY"))


# A1 ---------------------------------------------------------------------------------------------------


def test_a_transfer_belongs_to_an_event_of_its_transaction(attacker: Conn, scene: Scene) -> None:
    row = attacker.execute("SELECT chain_id, event_seq FROM transfer LIMIT 1").fetchone()
    assert row is not None
    with refused("MP004"):
        transfer(attacker, scene, chain_id=row[0], event_seq=row[1])


def test_a_transfer_belongs_to_an_event_that_exists(attacker: Conn, scene: Scene) -> None:
    with refused("MP004", "transfer_chain_id_event_seq_fkey"):
        transfer(attacker, scene, event_seq=9999)


# M2 ---------------------------------------------------------------------------------------------------


def test_what_is_held_and_paid_stays_within_the_award(attacker: Conn, scene: Scene) -> None:
    with refused("account_ceiling"):
        transfer(attacker, scene, amount_minor=1)


def test_what_is_held_and_paid_stays_within_the_appropriation(attacker: Conn, scene: Scene) -> None:
    with refused("account_not_overdrawn", "account_ceiling"):
        transfer(attacker, scene, amount_minor=10**11)


def test_a_commitment_is_not_drawn_below_zero(attacker: Conn, scene: Scene) -> None:
    with refused("account_not_overdrawn"):
        accounts = {"debit_id": own(scene, "commitment"), "credit_id": own(scene, "payable")}
        transfer(attacker, scene, **accounts, kind="posted")


def test_a_ceiling_is_the_award(attacker: Conn, scene: Scene) -> None:
    """Whoever opens a project's commitment first, without a ceiling or with a higher one, gains nothing."""
    project = scene.town.one("SELECT id FROM project WHERE award_minor IS NULL LIMIT 1")
    for ceiling in (None, 10**15):
        write_event(attacker, forged_event(attacker, "project", project, "project.place_hold"))
        account = {"id": account_id("commitment", project, "CNY"), "kind": "commitment", "currency": "CNY"}
        with refused("MP004"):
            insert(attacker, "account", {**account, "owner_id": project, "ceiling_minor": ceiling})
        attacker.rollback()


# Accounts ---------------------------------------------------------------------------------------------

SUMS = ("debits_pending", "debits_posted", "credits_pending", "credits_posted", "drawn_minor")


@pytest.mark.parametrize("column", [*SUMS, "ceiling_minor", "currency", "kind", "owner_id"])
def test_an_account_is_not_written_by_the_application(app: Conn, column: str) -> None:
    with refused("42501"):
        app.execute(f"UPDATE account SET {column} = {column}")


@pytest.mark.parametrize("column", SUMS)
def test_an_account_opens_empty(attacker: Conn, column: str) -> None:
    row = {"id": uuid4(), "kind": "treasury", "owner_id": uuid4(), "currency": "CNY", column: 5}
    with refused("MP004"):
        insert(attacker, "account", row)


def test_an_account_opens_with_an_event(attacker: Conn, scene: Scene) -> None:
    row = {"id": uuid4(), "kind": "payable", "owner_id": scene.rows["project"], "currency": "EUR"}
    with refused("MP004"):
        insert(attacker, "account", row)


def test_an_account_is_of_a_known_kind(attacker: Conn) -> None:
    with refused("account_kind_known", "MP004"):
        insert(attacker, "account", {"id": uuid4(), "kind": "slush", "owner_id": uuid4(), "currency": "CNY"})


def test_an_account_is_there_once(attacker: Conn, scene: Scene) -> None:
    write_event(attacker, forged_event(attacker, "project", scene.rows["project"], "project.place_hold"))
    row = {"id": uuid4(), "kind": "payable", "owner_id": scene.rows["project"], "currency": "CNY"}
    with refused("account_once"):
        insert(attacker, "account", row)


@pytest.mark.parametrize("sql", ["DELETE FROM account", "TRUNCATE account CASCADE"])
def test_an_account_is_not_removed(attacker: Conn, sql: str) -> None:
    with refused("MP001" if attacker.info.user != "milepost_app" else "42501"):
        attacker.execute(sql)


def test_an_increase_without_a_ledger_entry_does_not_raise_the_funds(attacker: Conn, scene: Scene) -> None:
    with refused("MP003", "MP005"):
        attacker.execute("UPDATE appropriation SET amount_minor = amount_minor * 2")


# M6: two phases, one reversal -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["post", "void"])
def test_a_second_phase_names_its_first(attacker: Conn, scene: Scene, kind: str) -> None:
    with refused("transfer_second_phase"):
        transfer(attacker, scene, kind=kind)


@pytest.mark.parametrize("kind", ["pending", "posted"])
def test_a_first_phase_names_none(attacker: Conn, scene: Scene, kind: str) -> None:
    held = of_payment(attacker, scene.requested, "hold_transfer_id")
    with refused("transfer_second_phase"):
        transfer(attacker, scene, **like(held, kind=kind, pending_id=held["id"]))


@pytest.mark.parametrize("false", [{"amount_minor": 1}, {"swap": True}, {"amount_minor": 10**10}])
@pytest.mark.parametrize("kind", ["post", "void"])
def test_a_second_phase_is_like_its_first(
    attacker: Conn, scene: Scene, kind: str, false: dict[str, Any]
) -> None:
    held = of_payment(attacker, scene.requested, "hold_transfer_id")
    row = like(held, kind=kind, pending_id=held["id"])
    if false.get("swap"):
        row["debit_id"], row["credit_id"] = row["credit_id"], row["debit_id"]
    else:
        row |= false
    with refused("MP004"):
        transfer(attacker, scene, **row)


def test_a_hold_is_resolved_once(attacker: Conn, scene: Scene) -> None:
    held = of_payment(attacker, scene.settled, "hold_transfer_id")
    with refused("transfer_resolved_once"):
        transfer(attacker, scene, **like(held, kind="void", pending_id=held["id"]))


def test_a_posted_transfer_has_no_second_phase(attacker: Conn, scene: Scene) -> None:
    posted = of_payment(attacker, scene.settled, "instruct_transfer_id")
    with refused("MP004"):
        transfer(attacker, scene, **like(posted, kind="void", pending_id=posted["id"]))


def test_a_transfer_is_reversed_once(attacker: Conn, scene: Scene) -> None:
    paid = attacker.execute(
        "SELECT id FROM transfer WHERE payment_id = %s AND credit_id = %s",
        (scene.settled, own(scene, "paid")),
    ).fetchone()
    assert paid is not None
    found = copied(attacker, "transfer", paid[0], id=paid[0])
    transfer(attacker, scene, **mirror(found))
    with refused("transfer_reversed_once"):
        transfer(attacker, scene, **mirror(found))


@pytest.mark.parametrize(
    "false", [{"amount_minor": 1}, {"kind": "pending"}, {"debit_id": None}, {"credit_id": None}]
)
def test_a_reversal_mirrors_what_it_reverses(attacker: Conn, scene: Scene, false: dict[str, Any]) -> None:
    row = mirror(of_payment(attacker, scene.settled, "instruct_transfer_id"))
    for side, value in false.items():
        row[side] = own(scene, "paid") if value is None else value
    with refused("MP004", "transfer_two_accounts"):
        transfer(attacker, scene, **row)


def test_a_hold_is_voided_not_reversed(attacker: Conn, scene: Scene) -> None:
    held = of_payment(attacker, scene.requested, "hold_transfer_id")
    with refused("MP004"):
        transfer(attacker, scene, **mirror(held))


def test_a_reversal_is_not_reversed(attacker: Conn, scene: Scene) -> None:
    paid = of_payment(attacker, scene.settled, "instruct_transfer_id")
    # Back from paid first, so that the payable account can give back what it was given.
    row = attacker.execute(
        "SELECT id FROM transfer WHERE payment_id = %s AND credit_id = %s",
        (scene.settled, own(scene, "paid")),
    ).fetchone()
    assert row is not None
    transfer(attacker, scene, **mirror(copied(attacker, "transfer", row[0], id=row[0])))
    back = mirror(paid, id=uuid4())
    transfer(attacker, scene, **back)
    with refused("MP004"):
        transfer(attacker, scene, **mirror(back))


# M3 I1: payments and duties ---------------------------------------------------------------------------


def test_a_tranche_has_one_live_payment(attacker: Conn, scene: Scene) -> None:
    row = copied(attacker, "payment", scene.requested, attempt=77, version=1, state="planned")
    with refused("payment_one_live"):
        insert(attacker, "payment", row)


def test_a_tranche_is_not_paid_above_its_sum(attacker: Conn, scene: Scene) -> None:
    write_event(attacker, forged_event(attacker, "project", scene.rows["project"], "project.place_hold"))
    with refused("tranche_paid_within"):
        attacker.execute(
            "UPDATE tranche SET paid_minor = paid_minor + amount_minor "
            "WHERE project_id = %s AND paid_minor > 0",
            (scene.rows["project"],),
        )


@pytest.mark.parametrize("more", [0, 1, -1, 10**9])
def test_a_new_attempt_is_for_the_sum_of_its_tranche(attacker: Conn, scene: Scene, more: int) -> None:
    """Whatever event it comes with: more than the tranche is never planned."""
    event = forged_event(attacker, "payment", scene.requested, "payment.void", "void")
    row = copied(attacker, "payment", scene.requested, attempt=2, version=1, state="planned")
    row |= {"payee_id": None, "appropriation_id": None, "hold_transfer_id": None}
    write_event(attacker, event)
    body = b"born"
    born = {"subject_id": row["id"], "subject_seq": 1, "seq": event["seq"] + 1, "from_state": ""}
    born |= {"step": "payment.plan", "to_state": "planned", "role": "system", "request_id": "born"}
    born |= {"prev_hash": event["hash"], "body": body, "hash": sha256(event["hash"] + body).digest()}
    with refused("MP005") if more else nullcontext():
        write_birth(attacker, {**event, **born}, {**row, "amount_minor": row["amount_minor"] + more})


def test_one_person_has_one_duty_in_a_payment(attacker: Conn, scene: Scene) -> None:
    person = attacker.execute(
        "SELECT person_id FROM duty WHERE payment_id = %s AND duty = 'requester'", (scene.requested,)
    ).fetchone()
    assert person is not None
    write_event(attacker, forged_event(attacker, "payment", scene.requested, "payment.approve", "requested"))
    with refused("duty_different_people"):
        row = {"payment_id": scene.requested, "duty": "approver", "person_id": person[0]}
        insert(attacker, "duty", row)


def test_a_duty_is_held_by_one_person(attacker: Conn, scene: Scene) -> None:
    person = scene.town.people["expert8"].id
    with refused("duty_pkey"):
        row = {"payment_id": scene.requested, "duty": "requester", "person_id": person}
        insert(attacker, "duty", row)


def test_a_duty_comes_with_an_event_of_its_payment(attacker: Conn, scene: Scene) -> None:
    with refused("MP003"):
        row = {
            "payment_id": scene.requested,
            "duty": "approver",
            "person_id": scene.town.people["expert8"].id,
        }
        insert(attacker, "duty", row)


def test_whoever_entered_an_account_does_not_verify_it(attacker: Conn, scene: Scene) -> None:
    event = forged_event(attacker, "payee", scene.rows["payee"], "payee.verify", "verified")
    entered = scene.town.people["finance7"].id
    with refused("payee_two_people"):
        write_event(attacker, event, verified_by=entered)

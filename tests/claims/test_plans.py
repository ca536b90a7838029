"""An advance, interim payments against claims, retention: each sum as it falls due, and no other by SQL."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import psycopg
import pytest

from milepost.evidence.verify_database import verify
from milepost.queries.commitments import Asked, committed
from milepost.queries.work import work
from states.refusals import Refused
from tests.claims.conftest import Found
from tests.invariants import town_receivable
from tests.invariants.forge import forged_event, refused, write_event
from tests.invariants.town import Town, programme_text
from tests.invariants.town_claims import claim, claiming_text, line
from tests.invariants.town_receivable import owed

pytestmark = pytest.mark.xdist_group("claims")

PLAN = """
retention = "10%"

[[tranches]]
code = "advance"
title = { zh = "预付款", en = "Advance" }
waits_for = "agreement"
share = "40%"
gates = [GATES]

[[tranches]]
code = "interim"
title = { zh = "中期款", en = "Interim" }
waits_for = "day"
share = "60%"
basis = "verified"
rate = "80%"
minimum_minor = 1000
instalments = 2
after_months = 0
every_months = 6
gates = ["day_reached", GATES]

[[tranches]]
code = "kept"
title = { zh = "保留金", en = "Retention" }
waits_for = "acceptance"
basis = "retained"
gates = ["acceptance_passed", GATES]
"""
GATES = (
    '"agreement_signed", "pledges_signed", "integrity_clear", "no_hold", "payee_verified", '
    '"appropriation_available"'
)


def planned_text() -> str:
    text = claiming_text(programme_text("small-grants"))
    head, _, rest = text.partition("[[tranches]]")
    retention, _, tranches = PLAN.replace("GATES", GATES).partition("\n\n")
    claims = rest[rest.index("[claims]") :]
    return f"{head}{retention}\n\n{tranches}\n{claims}".replace("claiming-", "planned-", 1)


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found()
    made.programme = made.publish(planned_text())
    made.vote()
    return made


def project_of(town: Town) -> UUID:
    project = town.apply(requested=1_000_000)
    town.advance(project, "implementation")
    town.payee(project)
    return project


def due(town: Town, project: UUID, tranche: int) -> Any:
    payment = town.payments(project)[tranche]
    town.take("system", "payment.fall_due", payment)
    return town.one("SELECT amount_minor FROM payment WHERE id = %s", payment)


def pay(town: Town, project: UUID, tranche: int) -> None:
    payment = town.payments(project)[tranche]
    for who, step, given in (
        ("finance1", "request", {}),
        ("finance2", "approve", {}),
        ("finance3", "release", {}),
        ("system", "instruct", {}),
        ("system", "settle", {"reference": f"B{payment}"}),
    ):
        town.take(who, f"payment.{step}", payment, **given)


def spend(town: Town, project: UUID, *amounts: int) -> None:
    claim(town, "accepted", project=project, lines=[line(town, amount) for amount in amounts])


def shut(town: Town, project: UUID, tranche: int) -> list[str]:
    with pytest.raises(Refused) as caught:
        due(town, project, tranche)
    return [refusal.code for refusal in caught.value.refusals]


def test_an_advance_is_cleared_then_claims_are_paid_and_the_rest_is_released_at_the_end(town: Town) -> None:
    project = project_of(town)
    amounts = town.all("SELECT amount_minor FROM tranche WHERE project_id = %s ORDER BY number", project)
    assert [row[0] for row in amounts] == [360_000, 270_000, 270_000, 100_000]
    assert due(town, project, 0) == 360_000
    pay(town, project, 0)
    # 80 % of 450,000 is 360,000: less than the 400,000 that the advance was before retention.
    spend(town, project, 450_000)
    assert shut(town, project, 1) == ["nothing_verified"]
    assert shut(town, project, 2) == ["day_to_come", "nothing_verified"] or shut(town, project, 2) == [
        "nothing_verified",
        "day_to_come",
    ]
    spend(town, project, 150_000)
    # 80 % of 600,000 is 480,000; 400,000 was taken; of the 80,000 a tenth is held back.
    assert due(town, project, 1) == 72_000
    row = town.all(
        "SELECT payable_minor, held_minor FROM tranche WHERE project_id = %s AND number = 2", project
    )
    assert row == [(72_000, 8_000)]
    pay(town, project, 1)
    town.clock.set(date(2025, 10, 1))
    spend(town, project, 900_000)
    # The ceiling is the award: 1,000,000 less 480,000 taken, a tenth held back.
    assert due(town, project, 2) == 468_000
    assert shut(town, project, 3)[0] == "others_unpaid"
    pay(town, project, 2)
    town.advance(project, "closure")
    assert due(town, project, 3) == 40_000 + 8_000 + 52_000
    pay(town, project, 3)
    assert town.one("SELECT sum(paid_minor) FROM tranche WHERE project_id = %s", project) == 1_000_000
    assert verify(town.database).faults == []


def test_a_sum_that_fell_due_is_fixed_and_one_that_is_planned_again_is_computed_anew(town: Town) -> None:
    project = project_of(town)
    spend(town, project, 100_000)
    assert due(town, project, 1) == 72_000
    spend(town, project, 100_000)
    assert town.one("SELECT amount_minor FROM payment WHERE id = %s", town.payments(project)[1]) == 72_000
    town.take("finance1", "payment.void", town.payments(project)[1], reason="more came", again=True)
    assert due(town, project, 1) == 144_000
    # The advance falls due later: what claims have paid for already is not taken from it, it was agreed.
    assert due(town, project, 0) == 360_000
    town.take("supervisor", "project.place_hold", project, reason="a question")
    town.take("system", "payment.fall_back", town.payments(project)[1])
    hold = town.one("SELECT id FROM hold WHERE project_id = %s", project)
    town.take("finance1", "project.lift_hold", project, hold_id=str(hold), reason="answered")
    # By now the advance is on its way: of 160,000 nothing is left.
    assert shut(town, project, 1) == ["nothing_verified"]
    assert verify(town.database).faults == []


def test_what_is_agreed_is_committed_to_the_years_of_its_instalments(town: Town) -> None:
    text = planned_text().replace("planned-", "longer-", 1).replace("every_months = 6", "every_months = 12")
    longer = town.publish(text)
    project = town.apply(programme=longer, requested=1_000_000)
    town.advance(project, "implementation")
    asked = Asked(longer.compiled.programme.code, "CNY", town.clock.today())
    year = town.clock.today().year
    # The advance, the first instalment and, at the end, what is held back; the second a year later.
    this, next = 360_000 + 270_000 + 100_000, 270_000
    assert committed(town.session.conn, asked) == {year: this, year + 1: next}


def test_a_sum_that_comes_to_less_than_was_set_off_says_by_how_much_and_waits(town: Town) -> None:
    project = project_of(town)
    due(town, project, 0)
    pay(town, project, 0)
    made = owed(town, project, 300_000)
    payment = town.payments(project)[1]
    given = {"payment_id": str(payment), "amount_minor": 200_000, "grounds": "agreement, art. 12"}
    town.take("officer", "receivable.propose_set_off", made, **given)
    town.take("finance4", "receivable.agree_set_off", made)
    spend(town, project, 600_000)
    # 80 % of 600,000, less the advance of 400,000 before retention, less a tenth: 72,000.
    with pytest.raises(Refused) as caught:
        due(town, project, 1)
    (refusal,) = caught.value.refusals
    assert refusal.code == "set_off_above_sum" and "?" not in refusal.fact("zh") + refusal.remedy("en")
    assert dict(refusal.params) == {"need": "2,000.00 CNY", "have": "720.00 CNY"}
    town.take("finance4", "receivable.drop_set_off", made, reason="the sum came to less")
    town.take("officer", "receivable.propose_set_off", made, **{**given, "amount_minor": 72_000})
    town.take("finance4", "receivable.agree_set_off", made)
    assert due(town, project, 1) == 72_000
    assert verify(town.database).faults == []


ATTACKS = [
    ("UPDATE payment SET amount_minor = amount_minor + 1 WHERE id = %(due)s", "MP005"),
    ("UPDATE tranche SET payable_minor = 1, held_minor = 0 WHERE id = %(tranche)s", "MP005"),
    ("UPDATE tranche SET payable_minor = 1, held_minor = 0 WHERE id = %(fixed)s", "tranche_computed"),
    ("UPDATE tranche SET paid_minor = payable_minor + 1 WHERE id = %(tranche)s", "tranche_paid_within"),
    ("UPDATE tranche SET basis = 'fixed' WHERE id = %(tranche)s", "42501"),
    ("UPDATE tranche SET retained_minor = 0 WHERE id = %(tranche)s", "42501"),
]
TAMPERED = [
    ("UPDATE payment SET amount_minor = 1 WHERE id = %(due)s", "payment_differs"),
    ("UPDATE tranche SET payable_minor = 1 WHERE id = %(tranche)s", "tranche_differs"),
    ("UPDATE tranche SET held_minor = 1 WHERE id = %(tranche)s", "tranche_differs"),
]


def test_raw_sql_neither_computes_a_sum_nor_hides_that_it_was_changed(town: Town) -> None:
    from milepost.evidence.recounts import recounts

    project = project_of(town)
    spend(town, project, 100_000)
    due(town, project, 1)
    payment = town.payments(project)[1]
    of = "SELECT id FROM tranche WHERE project_id = %s AND number = %s"
    ids = {"due": payment, "tranche": town.one(of, project, 2), "fixed": town.one(of, project, 1)}
    for sql, code in ATTACKS:
        with psycopg.connect(town.database.url) as conn, refused(code):
            conn.execute(sql, ids)
    owner = town.database.owner_url
    assert owner is not None
    with psycopg.connect(owner) as conn:
        conn.execute("SET session_replication_role = replica")
        for sql, code in TAMPERED:
            with conn.transaction(force_rollback=True):
                conn.execute(sql, ids)
                assert code in {each.code for each in recounts() if conn.execute(each.sql).fetchone()}, sql


# Examined once more ---------------------------------------------------------------------------------------


def refusals(town: Town, who: str, step: str, id: UUID, **given: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, id, **given)
    return [refusal.code for refusal in caught.value.refusals]


def allow_again(town: Town, claim: UUID, amount: int) -> None:
    finding = {"number": 1, "allowed_minor": amount, "reason": "half of it was another project's"}
    town.take("finance1", "claim.examine", claim, findings=[finding])


def test_what_was_paid_on_a_reopened_claim_is_deducted_from_the_next_tranche_or_owed_back(town: Town) -> None:
    town.clock.set(date(2025, 3, 3))
    project = project_of(town)
    due(town, project, 0)
    pay(town, project, 0)
    first = claim(town, "accepted", project=project, lines=[line(town, 700_000)])
    # 80 % of 700,000 less the advance of 400,000, of which a tenth is kept: 144,000.
    assert due(town, project, 1) == 144_000
    assert refusals(town, "finance1", "claim.propose_reopen", first, reason="x") == ["claim_payment_underway"]
    pay(town, project, 1)
    assert refusals(town, "finance2", "claim.reopen", first) == ["reopening_not_proposed"]
    town.take("finance1", "claim.propose_reopen", first, reason="an invoice of another project")
    assert refusals(town, "finance1", "claim.reopen", first) == ["reopening_same_person"]
    waiting = work(town.session, town.people["officer"].id, limit=500).rows
    assert first in {row["subject_id"] for row in waiting}
    assert town.take("officer", "claim.reopen", first).state == "submitted"
    assert town.one("SELECT verified_minor FROM project WHERE id = %s", project) == 0
    allow_again(town, first, 550_000)
    # One interim tranche is still to come: what was paid too much is taken off it.
    town.take("finance1", "claim.accept", first)
    assert town.one("SELECT verified_minor FROM project WHERE id = %s", project) == 550_000
    town.clock.set(date(2025, 12, 1))
    spend(town, project, 200_000)
    # 80 % of 750,000 is 600,000; 560,000 was taken, though only 440,000 had been earned.
    assert due(town, project, 2) == 36_000
    pay(town, project, 2)
    # Now no tranche is left: with less it is accepted only once the difference is owed back.
    town.take("officer", "claim.propose_reopen", first, reason="the other half as well")
    town.take("finance2", "claim.reopen", first)
    allow_again(town, first, 540_000)
    [refusal] = refusals(town, "finance1", "claim.accept", first)
    assert refusal == "claim_overpaid"
    owed = town_receivable.establish(town, project, 8_000)
    assert refusals(town, "finance1", "claim.accept", first) == ["claim_overpaid"], "nobody confirmed it yet"
    town.take("finance2", "receivable.confirm", owed)
    town.take("finance1", "claim.accept", first)
    assert verify(town.database).faults == []


def test_a_reopening_is_dropped_by_anybody_and_proposed_anew(town: Town) -> None:
    made = claim(town, "accepted", project=project_of(town), lines=[line(town, 10_000)])
    town.take("finance1", "claim.propose_reopen", made, reason="x")
    assert refusals(town, "finance2", "claim.propose_reopen", made, reason="y") == ["reopening_waits"]
    town.take("finance1", "claim.keep_accepted", made, reason="looked again")
    assert refusals(town, "finance2", "claim.reopen", made) == ["reopening_not_proposed"]
    town.take("finance1", "claim.propose_reopen", made, reason="again")
    town.take("finance2", "claim.reopen", made)
    town.take("finance1", "claim.accept", made)
    # A second time needs two people as well, and not those of the first.
    assert refusals(town, "finance2", "claim.reopen", made) == ["reopening_not_proposed"]
    assert verify(town.database).faults == []


@pytest.mark.parametrize("columns", ["", "reopened_by = reopening_by", "reopening_by = %(other)s"])
def test_no_acceptance_is_taken_back_by_sql(town: Town, columns: str) -> None:
    made = claim(town, "accepted", project=project_of(town), lines=[line(town, 10_000)])
    town.take("finance1", "claim.propose_reopen", made, reason="x")
    with psycopg.connect(town.database.url) as conn:
        event = forged_event(conn, "claim", made, "claim.reopen", "submitted")
        more = {"allowed_minor": 0}
        if columns.startswith("reopened_by"):
            more["reopened_by"] = town.people["finance1"].id
        elif columns:
            more |= {"reopening_by": town.people["finance3"].id, "reopened_by": event["actor_id"]}
        with refused("MP005", "claim_reopened_by_two"):
            write_event(conn, event, **more)

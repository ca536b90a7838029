"""What a person caused by mistake is taken back by two people: reversed by name, once, and booked anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from milepost.db import Session
from milepost.evidence.verify_database import verify
from milepost.ledger import balances
from milepost.ledger import reconcile as hold_against
from milepost.queries.receivables import loose_credits, of_project
from milepost.queries.work import work
from milepost.work import reconciliation
from milepost.work.reconciliation import ReconciliationReport
from states.refusals import Refused
from tests.invariants.conftest import Found
from tests.invariants.town import Town
from tests.invariants.town_receivable import entry, owed, paid, paper, propose
from tests.work.files_scene import desk_in

pytestmark = pytest.mark.xdist_group("corrections")
AMOUNT = 100_000


@pytest.fixture(scope="module")
def made(found: Found) -> Town:
    town = found()
    town.vote(10_000_000_000)
    return town


@pytest.fixture
def town(made: Town) -> Iterator[Town]:
    yield made
    assert verify(made.database).faults == []
    assert hold_against(made.session.conn).ok


def reconcile(session: Session) -> ReconciliationReport:
    return reconciliation.reconcile(session, desk_in(Path()))


def of(town: Town, id: UUID, columns: str = "state, received_minor, over_minor") -> tuple[object, ...]:
    row = town.session.conn.execute(f"SELECT {columns} FROM receivable WHERE id = %s", (id,)).fetchone()
    assert row is not None
    return tuple(row)


def codes(town: Town, who: str, step: str, id: UUID, **given: object) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, f"receivable.{step}", id, **given)
    return [refusal.code for refusal in caught.value.refusals]


def receipt(town: Town, of: UUID) -> str:
    """The receipt of a receivable that stands."""
    return str(town.one("SELECT id FROM receipt WHERE receivable_id = %s AND reversal_id IS NULL", of))


def reverse(town: Town, of: UUID) -> None:
    town.take(
        "finance2", "receivable.propose_reversal", of, receipt_id=receipt(town, of), reason="not theirs"
    )
    town.take("finance3", "receivable.correct", of)


def test_a_receipt_at_the_wrong_receivable_goes_back_to_nobody_s_and_to_the_right_one(town: Town) -> None:
    wrong, right = owed(town, paid(town), AMOUNT), owed(town, paid(town), AMOUNT)
    before = balances(town.session.conn)[0]
    reference = str(of(town, wrong, "reference")[0])
    credit = entry(town, AMOUNT, f"refund {reference}")
    reconcile(town.session)
    assert of(town, wrong) == ("settled", AMOUNT, 0)
    given = {"receipt_id": receipt(town, wrong), "reason": "the payer gave another's reference"}
    town.take("finance2", "receivable.propose_reversal", wrong, **given)
    assert of(town, wrong) == ("settled", AMOUNT, 0), "a proposal moves nothing"
    assert codes(town, "finance2", "correct", wrong) == ["correction_same_person"]
    assert codes(town, "finance3", "correct_over", wrong) == ["correction_of_what_is_owed"]
    assert codes(town, "finance4", "propose_reversal", wrong, **given) == ["correction_waits_already"]
    assert codes(town, "officer", "correct", wrong) == ["not_permitted"]
    town.take("finance3", "receivable.correct", wrong)
    assert of(town, wrong, "state, received_minor, closed_on") == ("owed", 0, None)
    moved = "SELECT count(*) FROM transfer v JOIN correction c ON c.transfer_id = v.reverses_id "
    assert town.one(f"{moved} WHERE c.receivable_id = %s", wrong) == 1, "it names what it reverses"
    assert balances(town.session.conn)[0].refunded_minor == before.refunded_minor
    found = reconcile(town.session)
    assert found.received == {}, "the same reference misleads nobody twice"
    kinds = town.all("SELECT kind, state FROM bank_exception WHERE entry_id = %s", credit)
    assert kinds == [("unmatched_entry", "open")], "it stands with what nobody claimed"
    assert credit in [row["id"] for row in loose_credits(town.session, town.people["finance2"].id)]
    town.take("finance2", "receivable.receive", right, entry_id=str(credit))
    reconcile(town.session)
    assert of(town, right) == ("settled", AMOUNT, 0)
    assert town.one("SELECT count(*) FROM bank_exception WHERE entry_id = %s AND state = 'open'", credit) == 0
    assert town.one("SELECT count(*) FROM receipt WHERE entry_id = %s", credit) == 2


def test_a_receipt_is_reversed_once_and_its_entry_may_be_taken_back_again(town: Town) -> None:
    made = owed(town, paid(town), AMOUNT)
    credit = str(entry(town, AMOUNT))
    for _ in range(2):
        town.take("finance2", "receivable.receive", made, entry_id=credit)
        first = receipt(town, made)
        reverse(town, made)
        given = {"receipt_id": first, "reason": "again"}
        assert codes(town, "finance2", "propose_reversal", made, **given) == ["receipt_reversed_already"]
        reconcile(town.session)
    raised = town.all("SELECT state FROM bank_exception WHERE entry_id = %s ORDER BY 1", UUID(credit))
    assert raised == [("cleared",), ("open",)], "each time it is nobody's it is a question of its own"


def test_what_was_too_much_goes_back_without_a_transfer_and_a_slip_may_be_entered_again(town: Town) -> None:
    made, other = owed(town, paid(town), AMOUNT), owed(town, paid(town), AMOUNT)
    day = town.clock.today().isoformat()
    slip = {"reference": f"S-{made}", "received_on": day, "documents": [paper(town)]}
    town.take("finance2", "receivable.receive_slip", made, amount_minor=AMOUNT, **slip)
    town.take("finance2", "receivable.receive_over", made, entry_id=str(entry(town, 70)))
    assert of(town, made) == ("settled", AMOUNT, 70)
    over = town.one("SELECT id FROM receipt WHERE receivable_id = %s AND taken_minor = 0", made)
    town.take("finance2", "receivable.propose_reversal", made, receipt_id=str(over), reason="another's")
    assert codes(town, "finance3", "correct", made) == ["correction_of_too_much"]
    town.take("finance3", "receivable.correct_over", made)
    assert of(town, made) == ("settled", AMOUNT, 0), "it was owed nothing before and is owed nothing now"
    reverse(town, made)
    assert of(town, made) == ("owed", 0, 0)
    town.take("finance2", "receivable.receive_slip", other, amount_minor=AMOUNT, **slip)
    assert of(town, other) == ("settled", AMOUNT, 0)


def test_in_instalments_it_is_owed_in_instalments_again_and_no_unit_is_lost(town: Town) -> None:
    project = paid(town)
    made = owed(town, project, 1000)
    early, late = str(entry(town, 100)), str(entry(town, 900))
    town.take("finance2", "receivable.receive", made, entry_id=early)
    first = town.clock.today().isoformat()
    town.take("finance2", "receivable.grant_instalments", made, number=3, first_on=first, decision_no="D")
    town.take("finance2", "receivable.receive", made, entry_id=late)
    assert of(town, made) == ("settled", 1000, 0)
    before = town.one("SELECT id FROM receipt WHERE entry_id = %s", UUID(early))
    town.take("finance2", "receivable.propose_reversal", made, receipt_id=str(before), reason="-")
    town.take("finance3", "receivable.correct", made)
    (plan,) = of(town, made, "plan")
    assert isinstance(plan, list) and sum(part["amount_minor"] for part in plan) == 900
    last = date.fromisoformat(plan[2]["due_on"])
    assert of(town, made, "state, received_minor, next_due_on") == ("instalments", 900, last)
    reverse(town, made)
    shown = [row for row in of_project(town.session, project, names=True) if row["id"] == made]
    assert [part["left_minor"] for part in shown[0]["parts"]] == [400, 300, 300], (
        "what came before is due first"
    )
    assert of(town, made, "received_minor, next_due_on") == (0, town.clock.today())
    town.take("finance2", "receivable.receive", made, entry_id=late)
    town.take("finance2", "receivable.receive", made, entry_id=early)
    assert of(town, made) == ("settled", 1000, 0)


def test_a_write_off_on_a_wrong_figure_is_owed_again_unless_it_was_claimed_meanwhile(town: Town) -> None:
    project = paid(town)
    sum_paid = int(
        town.one("SELECT sum(amount_minor) FROM payment WHERE project_id = %s AND state = 'settled'", project)
    )
    made = owed(town, project, sum_paid)
    town.take("finance2", "receivable.receive", made, entry_id=str(entry(town, 1000)))
    given = {"reason": "they had the money", "correction_no": "D-9", "documents": [paper(town)]}
    assert codes(town, "finance2", "propose_reopening", made, **given)[0] == "wrong_state"
    propose(town, made)
    town.take("finance3", "receivable.write_off", made)
    assert codes(town, "finance2", "propose_reversal", made, receipt_id=receipt(town, made), reason="-") == [
        "receipt_under_write_off"
    ]
    town.take("finance3", "receivable.propose_reopening", made, **given)
    again = owed(town, project, sum_paid - 1000)
    assert codes(town, "finance2", "correct", made) == ["claim_exceeds_paid"]
    propose(town, again)
    town.take("finance3", "receivable.write_off", again)
    town.take("finance2", "receivable.correct", made)
    assert of(town, made, "state, received_minor, written_off_minor, ended_by, ending") == (
        "owed",
        1000,
        0,
        None,
        None,
    )
    reverse(town, made)
    propose(town, made)
    town.take("finance3", "receivable.write_off", made)
    assert of(town, made, "state, received_minor, written_off_minor") == ("written_off", 0, sum_paid)


def test_a_proposal_may_be_dropped_and_a_closed_year_asks_for_a_decision(found: Found) -> None:
    town = found()
    purse = town.vote()
    made = owed(town, paid(town), AMOUNT)
    town.take("finance2", "receivable.receive", made, entry_id=str(entry(town, 10)))
    given = {"receipt_id": receipt(town, made), "reason": "-"}
    town.take("finance2", "receivable.propose_reversal", made, **given)
    town.take("finance1", "appropriation.propose_close", purse, reason="year's end")
    town.take("finance4", "appropriation.close", purse)
    assert codes(town, "finance3", "correct", made) == ["receipt_year_closed"]
    town.take("finance3", "receivable.drop_correction", made, reason="by decision only")
    assert codes(town, "finance3", "drop_correction", made, reason="-") == ["correction_not_proposed"]
    assert codes(town, "finance2", "propose_reversal", made, **given) == ["receipt_year_closed"]
    town.take("finance2", "receivable.propose_reversal", made, correction_no="D-7", **given)
    town.take("finance3", "receivable.correct", made)
    assert of(town, made) == ("owed", 0, 0)
    assert verify(town.database).faults == []


def test_the_database_takes_nothing_back_without_a_correction(town: Town) -> None:
    made = owed(town, paid(town), AMOUNT)
    credit = entry(town, 10)
    town.take("finance2", "receivable.receive", made, entry_id=str(credit))
    given = {"receipt_id": receipt(town, made), "reason": "-"}
    town.take("finance2", "receivable.propose_reversal", made, **given)
    correction = town.one("SELECT id FROM correction WHERE receivable_id = %s", made)
    me = town.people["finance3"].id
    for sql, params in (
        ("UPDATE receivable SET received_minor = 0 WHERE id = %s", (made,)),
        ("UPDATE receipt SET reversal_id = %s WHERE receivable_id = %s", (correction, made)),
        ("UPDATE receipt SET taken_minor = 1 WHERE receivable_id = %s", (made,)),
        ("UPDATE bank_entry SET outcome = 'new' WHERE id = %s", (credit,)),
        (
            "UPDATE correction SET status = 'done', decided_by = %s, decided_seq = 4 WHERE id = %s",
            (me, correction),
        ),
        ("UPDATE correction SET reason = 'x' WHERE id = %s", (correction,)),
        ("DELETE FROM correction WHERE id = %s", (correction,)),
    ):
        with pytest.raises(psycopg.Error) as caught, town.session.conn.transaction():
            town.session.conn.execute(sql, params)
        assert (caught.value.sqlstate or "").startswith(("MP", "42501")), (sql, caught.value)
    town.take("finance3", "receivable.drop_correction", made, reason="-")


def test_what_was_explained_too_soon_is_asked_again(town: Town) -> None:
    credit = entry(town, 33)
    reconcile(town.session)
    found = town.one("SELECT id FROM bank_exception WHERE entry_id = %s", credit)
    town.take("finance1", "bank_exception.explain", found, note="interest")
    town.take("finance2", "bank_exception.reopen", found, reason="it is no interest")
    assert town.state("bank_exception", found) == "open"
    town.take("finance1", "bank_exception.explain", found, note="a refund")
    town.take("finance2", "receivable.receive", owed(town, paid(town), 33), entry_id=str(credit))
    with pytest.raises(Refused, match="exception_moved_on"):
        town.take("finance2", "bank_exception.reopen", found, reason="after all")


def asked(town: Town, receivable: UUID) -> set[str]:
    """The finance officers in whose work it stands."""
    return {
        who
        for who in ("finance2", "finance3", "finance4")
        for row in work(town.session, town.people[who].id, limit=500).rows
        if row["subject_id"] == receivable
    }


def test_what_is_proposed_stands_in_the_work_of_those_who_can_decide_it(town: Town) -> None:
    made = owed(town, paid(town), AMOUNT)
    town.take("finance2", "receivable.receive", made, entry_id=str(entry(town, AMOUNT)))
    assert asked(town, made) == set()
    given = {"receipt_id": receipt(town, made), "reason": "not theirs"}
    town.take("finance2", "receivable.propose_reversal", made, **given)
    assert asked(town, made) == {"finance3", "finance4"}
    town.take("finance3", "receivable.correct", made)
    assert asked(town, made) == set()
    propose(town, made)
    assert len(asked(town, made)) == 2, "everybody but who proposed it"
    town.take("finance4", "receivable.keep", made, reason="it may still come")
    assert asked(town, made) == set()
    payment = town.payment(
        "due", project=town.one("SELECT project_id FROM receivable WHERE id = %s", made), tranche=1
    )
    off = {"payment_id": str(payment), "amount_minor": 1_000, "grounds": "agreement, art. 12"}
    town.take("finance3", "receivable.propose_set_off", made, **off)
    assert asked(town, made) == {"finance2", "finance4"}
    town.take("finance2", "receivable.agree_set_off", made)
    assert asked(town, made) == set()

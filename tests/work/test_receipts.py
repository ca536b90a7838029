"""What is owed comes in once: by its reference from a statement, in part, whole or too much."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from milepost.db import Session
from milepost.evidence.verify_database import verify
from milepost.ledger import balances
from milepost.ledger import reconcile as hold_against
from milepost.work import reconciliation
from milepost.work.reconciliation import ReconciliationReport
from states.reference import is_reference, reference_of, references_in, spaced
from states.refusals import Refused
from tests.invariants.conftest import Found
from tests.invariants.town import Town
from tests.invariants.town_receivable import entry, establish, owed, paid, paper, propose
from tests.work.files_scene import desk_in

AMOUNT = 400_000
# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("receipts")


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    """One town for all of these tests, each with projects of its own."""
    made = found()
    made.vote(10_000_000_000)
    return made


def reconcile(session: Session) -> ReconciliationReport:
    return reconciliation.reconcile(session, desk_in(Path()))


def of(town: Town, id: UUID, columns: str) -> tuple[object, ...]:
    row = town.session.conn.execute(f"SELECT {columns} FROM receivable WHERE id = %s", (id,)).fetchone()
    assert row is not None
    return tuple(row)


def refused(town: Town, who: str, step: str, id: UUID, **given: object) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, id, **given)
    return [refusal.code for refusal in caught.value.refusals]


def remittance(town: Town, id: UUID) -> str:
    return f"refund {spaced(str(of(town, id, 'reference')[0]))} thank you"


def books(town: Town) -> dict[str, int]:
    """What each kind of account holds; nothing is ever lost between them."""
    rows = town.all("SELECT kind, sum(credits_posted - debits_posted)::bigint FROM account GROUP BY 1")
    found = {kind: int(total) for kind, total in rows}
    assert sum(found.values()) == 0
    return found


def whole(town: Town) -> None:
    """Everything that is claimed can be counted again."""
    assert verify(town.database).faults == []
    assert hold_against(town.session.conn).ok


def test_a_claim_is_confirmed_by_another_and_received_by_its_reference_once(town: Town) -> None:
    project = paid(town)
    before = books(town)
    made = establish(town, project, AMOUNT)
    assert books(town) == before | {"receivable": 0}, "only reserved yet"
    assert refused(town, "officer", "receivable.confirm", made) == ["not_permitted"]
    town.take("finance1", "receivable.confirm", made)
    assert books(town)["receivable"] == AMOUNT
    first, second = entry(town, 150_000, remittance(town, made)), entry(town, 250_000, remittance(town, made))
    assert reconcile(town.session).received == {"receivable.receive": 2}
    assert of(town, made, "state, received_minor, over_minor") == ("settled", AMOUNT, 0)
    after = books(town)
    assert after["receivable"] == 0 and after["paid"] == before["paid"] - AMOUNT
    assert after["treasury"] == before["treasury"] + AMOUNT, "to the treasury"
    assert after["appropriation"] == before["appropriation"], "and not back to the appropriation"
    assert reconcile(town.session).received == {}, "the same statement again changes nothing"
    assert town.one("SELECT count(*) FROM receipt WHERE entry_id = ANY(%s)", [first, second]) == 2
    (balance,) = balances(town.session.conn)
    assert balance.refunded_minor == AMOUNT and balance.owed_minor == 0
    whole(town)


def test_who_established_cannot_confirm(town: Town) -> None:
    given = {"amount_minor": 10, "ground": "surplus", "legal_basis": "x", "decision_no": "y"}
    project = paid(town)
    due = town.clock.today().isoformat()
    made = town.take("finance1", "receivable.establish", project, due_on=due, **given).subject_id
    assert refused(town, "finance1", "receivable.confirm", made) == ["claim_same_person"]
    with pytest.raises(psycopg.errors.CheckViolation, match="receivable_two_people"):
        town.session.conn.execute(
            "UPDATE receivable SET confirmed_by = established_by WHERE id = %s", (made,)
        )


def test_no_more_is_claimed_than_was_paid_and_is_not_claimed_already(town: Town) -> None:
    unpaid, project = town.funded(), paid(town)
    sum_paid = int(
        town.one("SELECT sum(amount_minor) FROM payment WHERE project_id = %s AND state = 'settled'", project)
    )
    establish(town, project, sum_paid - 10)
    due = town.clock.today().isoformat()
    given = {"ground": "surplus", "legal_basis": "x", "decision_no": "y", "due_on": due}
    assert refused(town, "officer", "receivable.establish", project, amount_minor=11, **given) == [
        "claim_exceeds_paid"
    ]
    establish(town, project, 10)
    assert refused(town, "officer", "receivable.establish", project, amount_minor=1, **given) == [
        "nothing_was_paid"
    ]
    assert refused(town, "officer", "receivable.establish", unpaid, amount_minor=1, **given) == [
        "nothing_was_paid"
    ]


def test_what_is_too_much_is_kept_and_shown(town: Town) -> None:
    made = owed(town, paid(town), AMOUNT)
    entry(town, AMOUNT + 7, remittance(town, made))
    entry(town, 30, remittance(town, made), on=town.clock.today() + timedelta(days=1))
    assert sum(reconcile(town.session).received.values()) == 2
    assert of(town, made, "state, received_minor") == ("settled", AMOUNT)
    assert of(town, made, "over_minor") == (37,)
    assert books(town)["receivable"] == 0
    whole(town)


def test_without_a_reference_only_a_person_receives_and_one_entry_counts_once(town: Town) -> None:
    made, other = owed(town, paid(town), AMOUNT), owed(town, paid(town), AMOUNT)
    credit = entry(town, AMOUNT, "no reference")
    reconcile(town.session)
    assert of(town, made, "received_minor") == (0,)
    assert town.one("SELECT kind FROM bank_exception WHERE entry_id = %s", credit) == "unmatched_entry"
    town.take("finance2", "receivable.receive", made, entry_id=str(credit))
    assert refused(town, "finance2", "receivable.receive", other, entry_id=str(credit)) == [
        "credit_received_already"
    ]
    reconcile(town.session)
    assert town.one("SELECT state FROM bank_exception WHERE entry_id = %s", credit) == "cleared"
    whole(town)


def test_money_that_came_before_the_claim_was_confirmed_is_found_afterwards(town: Town) -> None:
    made = establish(town, paid(town), AMOUNT)
    credit = entry(town, AMOUNT, remittance(town, made))
    reconcile(town.session)
    assert of(town, made, "state") == ("proposed",)
    town.take("finance1", "receivable.confirm", made)
    reconcile(town.session)
    assert of(town, made, "state") == ("settled",)
    assert town.one("SELECT count(*) FROM bank_exception WHERE entry_id = %s AND state = 'open'", credit) == 0


def test_a_slip_of_the_treasury_counts_once(town: Town) -> None:
    made = owed(town, paid(town), AMOUNT)
    given = {
        "reference": f"S-{made}",
        "received_on": town.clock.today().isoformat(),
        "documents": [paper(town)],
    }
    town.take("finance2", "receivable.receive_slip", made, amount_minor=100_000, **given)
    assert refused(town, "finance2", "receivable.receive_slip", made, amount_minor=100_000, **given) == [
        "slip_entered_already"
    ]
    assert of(town, made, "state, received_minor") == ("owed", 100_000)
    whole(town)


def test_instalments_lose_no_unit_and_their_days_follow_what_came_in(town: Town) -> None:
    made = owed(town, paid(town), 1000)
    first = town.clock.today() + timedelta(days=20)
    grant = {"number": 3, "decision_no": "D-2"}
    town.take("finance2", "receivable.grant_instalments", made, first_on=first.isoformat(), **grant)
    (plan,) = of(town, made, "plan")
    assert isinstance(plan, list) and [part["amount_minor"] for part in plan] == [333, 333, 334]
    days = [date.fromisoformat(part["due_on"]) for part in plan]
    assert of(town, made, "next_due_on") == (days[0],)
    town.take("finance2", "receivable.receive", made, entry_id=str(entry(town, 400)))
    assert of(town, made, "state, next_due_on") == ("instalments", days[1])
    waiting = town.all("SELECT name, due_on FROM deadline WHERE subject_id = %s AND closed_seq IS NULL", made)
    assert waiting == [("refund_instalment_due", days[1])]
    town.take("finance2", "receivable.grant_instalments", made, first_on=first.isoformat(), **grant)
    (plan,) = of(town, made, "plan")
    assert isinstance(plan, list) and sum(part["amount_minor"] for part in plan) == 600
    town.take("finance2", "receivable.receive", made, entry_id=str(entry(town, 600)))
    assert of(town, made, "state, received_minor") == ("settled", 1000)
    assert town.one("SELECT count(*) FROM deadline WHERE subject_id = %s AND closed_seq IS NULL", made) == 0
    whole(town)


@pytest.mark.parametrize(("ending", "state"), [("uncollectable", "written_off"), ("quashed", "cancelled")])
def test_what_is_left_is_written_off_by_two(town: Town, ending: str, state: str) -> None:
    made = owed(town, paid(town), AMOUNT)
    town.take("finance2", "receivable.receive", made, entry_id=str(entry(town, 1000)))
    before = books(town)
    assert refused(town, "finance2", "receivable.write_off", made) == ["write_off_not_proposed"]
    propose(town, made, ending)
    assert refused(town, "finance2", "receivable.write_off", made) == ["write_off_same_person"]
    town.take("finance3", "receivable.write_off", made)
    assert of(town, made, "state, written_off_minor") == (state, AMOUNT - 1000)
    assert books(town)["paid"] == before["paid"] + AMOUNT - 1000, "what will not come stays paid"
    entry(town, 5, remittance(town, made))
    assert reconcile(town.session).received == {"receivable.receive_over": 1}
    assert of(town, made, "over_minor") == (5,)
    whole(town)


def test_a_payment_that_is_claimed_does_not_come_back_by_the_bank_as_well(town: Town) -> None:
    payment = town.payment("settled")
    project = UUID(str(town.one("SELECT project_id FROM payment WHERE id = %s", payment)))
    made = establish(town, project, 1)
    assert refused(town, "system", "payment.return_late", payment, reference="R") == ["paid_is_claimed"]
    town.take("officer", "receivable.cancel", made, reason="it came back")
    town.take("system", "payment.return_late", payment, reference="R")
    whole(town)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RF18 5390 0754 7034 12", []),
        ("pay {}", 1),
        ("x{}", []),
        ("{}9", []),
    ],
)
def test_references_are_found_as_people_write_them(text: str, found: object) -> None:
    reference = reference_of(UUID(int=12345))
    assert is_reference(reference) and len(reference) == 20
    assert is_reference("RF18539007547034"), "the example of the standard"
    for written in (reference, spaced(reference), reference.lower(), spaced(reference).replace(" ", "-")):
        assert references_in(text.format(written)) == ([reference] if found else [])


def test_every_single_wrong_digit_and_every_swap_of_two_is_noticed() -> None:
    reference = reference_of(UUID(int=987654321))
    for at in range(2, len(reference)):
        for digit in "0123456789":
            if digit != reference[at]:
                assert not is_reference(reference[:at] + digit + reference[at + 1 :])
    for at in range(2, len(reference) - 1):
        swapped = reference[:at] + reference[at + 1] + reference[at] + reference[at + 2 :]
        assert swapped == reference or not is_reference(swapped)

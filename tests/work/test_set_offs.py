"""What is owed is set off against a payment: the bank pays the lesser sum, neither side loses a unit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.evidence.verify_database import verify
from milepost.ledger import balances
from milepost.ledger import reconcile as hold_against
from milepost.work.receipts import settle_set_offs
from states.refusals import Refused
from tests.invariants.conftest import Found
from tests.invariants.town import Town
from tests.invariants.town_receivable import owed, paper
from tests.work.files_scene import Loop

pytestmark = pytest.mark.xdist_group("set_offs")
SUM = 300_000


@pytest.fixture(scope="module")
def loop(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    town = found()
    town.vote(10_000_000_000)
    return Loop(town, tmp_path_factory.mktemp("set_offs"))


@pytest.fixture
def town(loop: Loop) -> Iterator[Town]:
    yield loop.town
    assert verify(loop.town.database).faults == []
    assert hold_against(loop.town.session.conn).ok


def begun(town: Town, amount: int = SUM) -> tuple[UUID, UUID, UUID]:
    """A project with a settled payment, what it owes of it, and its next payment."""
    project = UUID(str(town.one("SELECT project_id FROM payment WHERE id = %s", town.payment("settled"))))
    return project, owed(town, project, amount), town.payments(project)[1]


def propose(town: Town, made: UUID, payment: UUID, amount: int) -> None:
    given = {"payment_id": str(payment), "amount_minor": amount, "grounds": "agreement, art. 12"}
    town.take("officer", "receivable.propose_set_off", made, **given)


def agreed(town: Town, made: UUID, payment: UUID, amount: int) -> None:
    propose(town, made, payment, amount)
    town.take("finance4", "receivable.agree_set_off", made)


def of(town: Town, id: UUID) -> tuple[object, ...]:
    row = town.session.conn.execute(
        "SELECT state, offset_minor, reserved_minor FROM receivable WHERE id = %s", (id,)
    ).fetchone()
    assert row is not None
    return tuple(row)


def codes(town: Town, who: str, step: str, id: UUID, **input: object) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, id, **input)
    return [refusal.code for refusal in caught.value.refusals]


def test_the_bank_pays_the_lesser_sum_and_the_rest_is_the_treasury_s(town: Town, loop: Loop) -> None:
    project, made, payment = begun(town)
    before = balances(town.session.conn)[0]
    propose(town, made, payment, SUM)
    assert codes(town, "finance4", "receivable.write_off", made)[-1] == "set_off_waits_already"
    town.take("finance4", "receivable.agree_set_off", made)
    assert of(town, made) == ("owed", 0, SUM), "reserved until the payment is settled"
    town.payment("released", project=project, tranche=1)
    assert codes(town, "finance4", "receivable.drop_set_off", made, reason="-") == ["set_off_payment_moved"]
    loop.batch()
    loop.send()
    assert loop.taken()
    sum_paid = loop.bank.paid(loop.today())
    gross = int(town.one("SELECT amount_minor FROM payment WHERE id = %s", payment))
    assert sum_paid[payment.hex] == gross - SUM
    loop.put(*loop.bank.reports(loop.today()), *loop.bank.statements(loop.today()))
    assert loop.read().exceptions == {}
    assert town.state("payment", payment) == "settled"
    assert of(town, made) == ("settled", SUM, 0)
    after = balances(town.session.conn)[0]
    assert (
        after.paid_minor == before.paid_minor + gross and after.refunded_minor == before.refunded_minor + SUM
    )


def test_a_payment_that_is_set_off_as_a_whole_needs_no_bank(town: Town) -> None:
    project = town.funded()
    town.payment("settled", project=project, tranche=1)
    payment = town.payments(project)[0]
    gross = int(town.one("SELECT amount_minor FROM payment WHERE id = %s", payment))
    made = owed(town, project, gross)
    agreed(town, made, payment, gross)
    town.payment("released", project=project, tranche=0)
    assert codes(town, "system", "payment.instruct", payment) == ["payment_set_off_whole"]
    assert settle_set_offs(town.session) == 1 and settle_set_offs(town.session) == 0
    assert town.state("payment", payment) == "settled" and of(town, made) == ("settled", gross, 0)


def test_whoever_proposed_cannot_agree_and_nothing_else_is_set_off_meanwhile(town: Town) -> None:
    _, made, payment = begun(town)
    given = {"payment_id": str(payment), "amount_minor": 10, "grounds": "g"}
    town.take("finance4", "receivable.propose_set_off", made, **given)
    assert codes(town, "finance4", "receivable.agree_set_off", made) == ["set_off_same_person"]
    assert codes(town, "officer", "receivable.propose_set_off", made, **given) == [
        "set_off_waits_already",
        "set_off_payment_taken",
    ]
    town.take("officer", "receivable.drop_set_off", made, reason="a mistake")
    assert of(town, made) == ("owed", 0, 0)
    agreed(town, made, payment, 10)
    town.take("officer", "receivable.drop_set_off", made, reason="after all")
    assert of(town, made) == ("owed", 0, 0)
    assert town.one("SELECT offset_minor FROM payment WHERE id = %s", payment) == 0


@pytest.mark.parametrize("way", ["void", "send_back", "bank_return"])
def test_what_does_not_reach_the_payee_is_owed_as_before(town: Town, way: str) -> None:
    project, made, payment = begun(town)
    agreed(town, made, payment, SUM)
    if way == "bank_return":
        town.payment("instructed", project=project, tranche=1)
        town.take("system", "payment.bank_return", payment, reference="R")
    else:
        town.payment("requested", project=project, tranche=1)
        who = "finance1" if way == "void" else "finance5"
        town.take(who, f"payment.{way}", payment, reason="a mistake")
    assert of(town, made) == ("owed", 0, 0)
    again = town.payments(project)[1]
    assert again != payment and town.one("SELECT offset_minor FROM payment WHERE id = %s", again) == 0


def test_a_payment_that_comes_back_late_takes_its_set_off_with_it(town: Town) -> None:
    project, made, payment = begun(town)
    agreed(town, made, payment, SUM)
    town.payment("settled", project=project, tranche=1)
    assert of(town, made) == ("settled", SUM, 0)
    town.take("system", "payment.return_late", payment, reference="R")
    assert of(town, made) == ("owed", 0, 0)
    assert town.one("SELECT status FROM set_off WHERE payment_id = %s", payment) == "undone"


def test_what_is_set_off_covers_the_oldest_instalments_and_is_due_again_when_undone(town: Town) -> None:
    project, made, payment = begun(town)
    first = town.clock.today() + timedelta(days=10)
    given = {"number": 3, "first_on": first.isoformat(), "decision_no": "D-2"}
    town.take("finance1", "receivable.grant_instalments", made, **given)
    day = "SELECT next_due_on FROM receivable WHERE id = %s"
    open_days = (
        "SELECT array_agg(due_on) FROM deadline WHERE subject_id = %s AND name = 'refund_instalment_due' "
        "AND closed_seq IS NULL"
    )
    agreed(town, made, payment, SUM * 2 // 3)
    town.payment("settled", project=project, tranche=1)
    last = town.one("SELECT (plan->2->>'due_on')::date FROM receivable WHERE id = %s", made)
    assert (town.one(day, made), town.one(open_days, made)) == (last, [last])
    town.take("system", "payment.return_late", payment, reference="R")
    assert (town.one(day, made), town.one(open_days, made)) == (first, [first])


def test_a_late_return_is_entered_also_when_the_rest_was_written_off_meanwhile(town: Town) -> None:
    project, made, payment = begun(town)
    agreed(town, made, payment, 100_000)
    town.payment("settled", project=project, tranche=1)
    given = {"ending": "uncollectable", "reason": "insolvent", "decision_no": "W-1"}
    town.take("officer", "receivable.propose_write_off", made, documents=[paper(town)], **given)
    town.take("finance1", "receivable.write_off", made)
    town.take("system", "payment.return_late", payment, reference="R")
    assert of(town, made) == ("owed", 0, 0)
    assert codes(town, "finance2", "receivable.write_off", made) == ["write_off_not_proposed"]
    town.take("officer", "receivable.propose_write_off", made, documents=[paper(town)], **given)
    town.take("finance2", "receivable.write_off", made)
    assert town.one("SELECT written_off_minor FROM receivable WHERE id = %s", made) == SUM


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(claim=st.integers(1, 400_000), received=st.integers(0, 400_000), amount=st.integers(1, 700_000))
def test_no_set_off_exceeds_either_side(loop: Loop, claim: int, received: int, amount: int) -> None:
    town = loop.town
    _, made, payment = begun(town, claim)
    if 0 < received < claim:
        from tests.invariants.town_receivable import entry

        town.take("finance2", "receivable.receive", made, entry_id=str(entry(town, received)))
        left = claim - received
    else:
        left = claim
    gross = int(town.one("SELECT amount_minor FROM payment WHERE id = %s", payment))
    try:
        agreed(town, made, payment, amount)
    except Refused as refused:
        assert amount > min(left, gross) and "set_off_exceeds" in str(refused)
    else:
        assert amount <= min(left, gross)
        assert of(town, made) == ("owed", 0, amount)

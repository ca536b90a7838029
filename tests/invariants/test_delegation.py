"""Whoever acts for another acts as both: no two duties of a payment meet in a person and their delegate.

Every pair of duties is tried with every pair of hands. ``officer`` and ``officer2`` are officers who act for
finance, ``away`` is a finance officer of another office, without a role for the project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import psycopg
import pytest

from milepost.actions import perform_many
from milepost.available import available
from milepost.queries.projects import project_view
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.forge import Conn, forged_event, insert, refused, write_event
from tests.invariants.town import START, Town, person_id
from tests.invariants.town_duties import delegate, grant

STEPS = ("payment.request", "payment.approve", "payment.release")
# A hand: who takes the step, and for whom.
HANDS = {
    "finance1": ("finance1", None),
    "finance2": ("finance2", None),
    "officer for finance1": ("officer", "finance1"),
    "officer for finance2": ("officer", "finance2"),
    "officer2 for finance1": ("officer2", "finance1"),
}


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found()
    made.vote()
    return made


@pytest.fixture(autouse=True)
def nobody_acts_for_anybody(town: Town) -> Iterator[None]:
    town.clock.set(START)
    yield
    rows = town.all(
        "SELECT d.id, n.login FROM delegation d JOIN person n ON n.id = d.delegator_id "
        "WHERE d.state IN ('granted', 'accepted')"
    )
    for id, login in rows:
        town.take(login, "delegation.revoke", id, reason="the test is over")
    assert faults(town.session.conn) == []


def codes(town: Town, who: str, step: str, subject: UUID | None, **input: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, subject, **input)
    return [refusal.code for refusal in caught.value.refusals]


def duties(town: Town, payment: UUID) -> set[tuple[str, str]]:
    return set(
        town.all(
            "SELECT d.duty, n.login FROM duty d JOIN person n ON n.id = d.person_id WHERE payment_id = %s",
            payment,
        )
    )


# Acting for another ---------------------------------------------------------------------------------------


def test_who_acts_for_another_does_so_in_their_own_name(town: Town) -> None:
    project = town.funded()
    given = delegate(town, "finance2", "officer2")
    payment = town.payment("requested", project=project)
    receipt = town.take("officer2", "payment.approve", payment)
    assert receipt.state == "approved"
    assert {("approver", "officer2"), ("represented", "finance2")} <= duties(town, payment)
    row = town.all(
        "SELECT role, actor_id, convert_from(body, 'UTF8')::jsonb->>'for', "
        "convert_from(body, 'UTF8')::jsonb->>'delegation' FROM event WHERE hash = %s",
        bytes.fromhex(receipt.hash),
    )
    assert row == [("finance_officer", person_id("officer2"), str(person_id("finance2")), str(given))]
    view = project_view(town.session, town.people["finance1"].id, project)
    assert view is not None
    [shown] = [y for y in view.payments if y["id"] == payment]
    assert ("officer2", "finance2") in {(d["name"], d["for_name"]) for d in shown["duties"]}


@pytest.fixture(scope="module")
def turns(town: Town) -> Iterator[Callable[[], UUID]]:
    """A payment that is due, again and again: what was tried on it before is void."""
    project = town.funded()
    town.payment("due", project=project)
    day = town.clock.today()

    def next_one() -> UUID:
        town.clock.set(day)
        payment = town.payments(project)[0]
        if town.state("payment", payment) != "due":
            town.take("finance8", "payment.void", payment, reason="again", again=True)
            payment = town.payments(project)[0]
            town.take("system", "payment.fall_due", payment)
        return payment

    yield next_one


@pytest.mark.parametrize(("one", "two"), [(0, 1), (1, 2), (0, 2)])
def test_no_two_duties_meet(town: Town, turns: Callable[[], UUID], one: int, two: int) -> None:
    """Of two hands that share a person, in front or behind, the second is refused; any others both act."""
    for first, second in product(HANDS.values(), HANDS.values()):
        payment = turns()
        given = [delegate(town, of, who) for who, of in {first, second} if of is not None]
        others = iter(("finance4", "finance5"))
        for at in range(two):
            town.take(first[0] if at == one else next(others), STEPS[at], payment)
        if (set(first) & set(second)) - {None}:
            found = codes(town, second[0], STEPS[two], payment)
            assert found and set(found) <= {"four_eyes", "four_eyes_for"}, (first, second, found)
        else:
            assert town.take(second[0], STEPS[two], payment), (first, second)
        for id in given:
            row = town.one(
                "SELECT n.login FROM delegation d JOIN person n ON n.id = d.delegator_id WHERE d.id = %s", id
            )
            town.take(row, "delegation.revoke", id, reason="the next pair")


def test_whoever_entered_the_account_has_no_delegate_in_the_payment(town: Town) -> None:
    payment = town.payment("due")  # finance7 entered the account.
    delegate(town, "finance7", "officer2")
    assert codes(town, "officer2", "payment.request", payment) == ["four_eyes_for"]
    town.take("finance1", "payment.request", payment)
    assert codes(town, "officer2", "payment.approve", payment) == ["four_eyes_for"]


def test_of_two_delegations_the_one_without_a_clash_counts(town: Town) -> None:
    delegate(town, "finance1", "officer2")
    delegate(town, "finance2", "officer2")
    payment = town.payment("requested")  # by finance1
    town.take("officer2", "payment.approve", payment)
    assert ("represented", "finance2") in duties(town, payment)


def test_a_colleague_of_another_office_sees_and_does_what_was_given_and_no_more(town: Town) -> None:
    conn = town.session.conn
    conn.execute(
        "INSERT INTO person (id, login, name, email, locale, active) VALUES "
        "(%s, 'away', 'away', 'away@example.org', 'zh', true) ON CONFLICT DO NOTHING",
        (person_id("away"),),
    )
    town.people["away"] = type(town.people["finance1"])(person_id("away"), fresh=True)
    town.grant("away", "finance_officer", "/elsewhere/")
    project = town.funded()
    payment = town.payment("requested", project=project)
    assert codes(town, "away", "payment.approve", payment) == ["not_found"]
    given = delegate(town, "finance2", "away", duty="approve")
    assert project_view(town.session, town.people["away"].id, project) is not None
    steps = {o.step.name for o in available(town.session, town.people["away"], "payment", payment)}
    assert steps == {"payment.approve"}
    assert codes(town, "away", "payment.void", payment, reason="x", again=True) == ["not_found"]
    town.take("away", "payment.approve", payment)
    assert codes(town, "away", "payment.release", payment) == ["not_found"]
    town.take("finance2", "delegation.revoke", given, reason="back")
    assert project_view(town.session, town.people["away"].id, project) is None


def test_set_by_set_somebody_acts_for_another_too(town: Town) -> None:
    payments = [town.payment("requested") for _ in range(2)]
    delegate(town, "finance2", "officer2")
    orders = [town.order("payment.approve", payment) for payment in payments]
    outcomes = perform_many(town.session, town.people["officer2"], orders)
    assert [o.receipt and o.receipt.state for o in outcomes] == ["approved", "approved"]


# Its bounds -----------------------------------------------------------------------------------------------


def test_it_begins_and_ends_with_its_days_whether_or_not_anything_ran(town: Town) -> None:
    payment = town.payment("requested")
    today = town.clock.today()
    first, last = today + timedelta(days=2), today + timedelta(days=4)
    given = delegate(town, "finance2", "officer2", from_on=first.isoformat(), until_on=last.isoformat())
    for day, may in ((today, False), (first, True), (last, True), (last + timedelta(days=1), False)):
        town.clock.set(day)
        offered = available(town.session, town.people["officer2"], "payment", payment)
        assert ("payment.approve" in {o.step.name for o in offered if o.allowed}) == may, day
    assert codes(town, "officer2", "payment.approve", payment) == ["delegation_over"]
    assert town.state("delegation", given) == "accepted"
    town.take("system", "delegation.end", given)


@pytest.mark.parametrize(
    "bounds",
    [
        {"limit_minor": 399_999, "currency": "CNY"},
        {"limit_minor": 400_000, "currency": "EUR"},
        {"office_path": "/city/other/"},
        {"duty": "release"},
    ],
    ids=str,
)
def test_beyond_its_bounds_it_gives_nothing(town: Town, bounds: dict[str, Any]) -> None:
    delegate(town, "finance2", "officer2", **bounds)
    payment = town.payment("requested")
    assert codes(town, "officer2", "payment.approve", payment) == ["not_permitted"]


def test_it_is_worth_what_the_delegators_role_is_worth(town: Town) -> None:
    conn = town.session.conn
    lent = town.grant("expert8", "finance_officer", "/city/")
    delegate(town, "expert8", "officer2")
    payment = town.payment("requested")
    conn.execute("UPDATE role_grant SET revoked_at = now() WHERE id = %s", (lent,))
    assert codes(town, "officer2", "payment.approve", payment) == ["not_permitted"]
    conn.execute("UPDATE role_grant SET revoked_at = NULL WHERE id = %s", (lent,))
    conn.execute("UPDATE person SET active = false WHERE login = 'expert8'")
    assert codes(town, "officer2", "payment.approve", payment) == ["not_permitted"]
    conn.execute("UPDATE person SET active = true WHERE login = 'expert8'")
    town.take("officer2", "payment.approve", payment)


def test_nothing_is_given_before_it_is_accepted(town: Town) -> None:
    given = grant(town, "finance2", "officer2")
    payment = town.payment("requested")
    assert codes(town, "officer2", "payment.approve", payment) == ["not_permitted"]
    assert codes(town, "finance2", "delegation.accept", given) == ["delegation_of_others"]
    assert codes(town, "officer", "delegation.accept", given) == ["delegation_of_others"]
    assert codes(town, "officer", "delegation.revoke", given, reason="x") == ["delegation_of_others"]
    town.take("officer2", "delegation.accept", given)
    town.take("officer2", "payment.approve", payment)


@pytest.mark.parametrize(
    ("who", "given", "code"),
    [
        # Held by delegation is not held: there are no chains.
        ("officer2", {"delegate": "officer"}, "delegation_not_own"),
        ("finance1", {"delegate": "finance1"}, "delegate_unfit"),
        ("finance1", {"delegate": "supervisor"}, "delegate_unfit"),
        ("finance1", {"until_on": "2025-03-01", "from_on": "2025-02-01"}, "delegation_days_wrong"),
        ("finance1", {"until_on": "2025-03-04", "from_on": "2025-03-05"}, "delegation_days_wrong"),
        ("finance1", {"limit_minor": 5}, "delegation_limit_half"),
        ("officer", {"role": "programme_officer", "duty": "release"}, "delegation_of_nothing"),
    ],
)
def test_what_cannot_be_given(town: Town, who: str, given: dict[str, Any], code: str) -> None:
    delegate(town, "finance2", "officer2")
    given = dict(given)
    to = given.pop("delegate", "officer2")
    with pytest.raises(Refused) as caught:
        grant(town, who, to, **given)
    assert code in [refusal.code for refusal in caught.value.refusals]


# With a SQL prompt ------------------------------------------------------------------------------------------


@pytest.fixture(params=["app", "owner"])
def attacker(request: pytest.FixtureRequest, town: Town) -> Iterator[Conn]:
    url = town.database.url if request.param == "app" else town.database.owner_url
    assert url is not None
    with psycopg.connect(url) as conn:
        yield conn
        conn.rollback()


def _approval(attacker: Conn, payment: UUID, **more: Any) -> dict[str, Any]:
    mine = {"actor_id": person_id("officer2"), "role": "finance_officer"}
    write_event(attacker, forged_event(attacker, "payment", payment, "payment.approve", "requested", **mine))
    return {
        "payment_id": payment,
        "duty": "approver",
        "person_id": person_id("officer2"),
        "role": "finance_officer",
        **more,
    }


@pytest.mark.parametrize(
    ("of", "by", "represented", "answer"),
    [
        ("finance2", "finance2", True, ""),
        ("finance2", "finance1", True, "MP008"),
        ("finance3", "finance2", True, "MP008"),
        ("finance2", "finance2", False, "MP008"),
        ("finance1", "finance1", True, "duty_different_people"),
    ],
)
def test_the_database_knows_who_acts_for_whom(
    town: Town, attacker: Conn, of: str, by: str, represented: bool, answer: str
) -> None:
    given = delegate(town, by, "officer2")  # on the day that forged events name
    payment = town.payment("requested")  # by finance1
    row = _approval(attacker, payment, for_id=person_id(of), delegation_id=given)
    with refused(answer) if answer else nullcontext():
        if represented:
            behind = {"payment_id": payment, "duty": "represented", "person_id": person_id(of)}
            insert(attacker, "duty", behind)
        insert(attacker, "duty", row)


def test_what_was_given_never_changes(town: Town, attacker: Conn) -> None:
    given = delegate(town, "finance2", "officer2")
    write_event(attacker, forged_event(attacker, "delegation", given, "delegation.revoke", "revoked"))
    with refused("MP005"):
        attacker.execute("UPDATE delegation SET until_on = until_on + 365 WHERE id = %s", (given,))

"""The larger the sum, the more people approve it: all different, and held by the database as well.

Milestone payments of 4,000.00 and 6,000.00 under tiers that ask for two finance officers, and for a programme
officer beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest

from milepost.actions import Receipt, perform, perform_many
from milepost.db import Database
from milepost.queries.payments import payment_sight
from milepost.work.approvals import Approvals
from milepost.work.payment_why import payment_why
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.forge import Conn, forged_event, insert, refused, write_event
from tests.invariants.town import Town, person_id, programme_text
from tests.invariants.town_duties import delegate

TIERS = """
[[approvals]]
approvers = { finance_officer = 1 }

[[approvals]]
above_minor = 399_999
approvers = { finance_officer = 2 }

[[approvals]]
above_minor = 400_000
approvers = { finance_officer = 2, programme_officer = 1 }
"""
SMALL, LARGE = 0, 1  # 400,000 and 600,000 in minor units


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found(programme=programme_text() + TIERS)
    made.vote()
    return made


@pytest.fixture(autouse=True)
def nothing_broken(town: Town) -> Iterator[None]:
    yield
    assert faults(town.session.conn) == []


def codes(town: Town, who: str, step: str, payment: UUID, **input: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, payment, **input)
    return [refusal.code for refusal in caught.value.refusals]


def approvers(town: Town, payment: UUID) -> list[Any]:
    return town.all(
        "SELECT place, role FROM duty WHERE payment_id = %s AND duty = 'approver' ORDER BY place", payment
    )


def test_release_waits_for_the_last_approval_and_names_who_is_missing(town: Town) -> None:
    payment = town.payment("requested", tranche=LARGE)
    for who in ("finance2", "officer", "finance3"):
        with pytest.raises(Refused) as caught:
            town.take("finance4", "payment.release", payment)
        [refusal] = caught.value.refusals
        assert refusal.code == "approvals_missing"
        assert town.state("payment", payment) == "requested"
        missing = dict(refusal.params)["wanted"]
        assert ("programme_officer 1" in missing) == (who != "finance3")
        town.take(who, "payment.approve", payment)
    assert town.state("payment", payment) == "approved"
    assert approvers(town, payment) == [
        (1, "finance_officer"), (2, "programme_officer"), (3, "finance_officer"),
    ]  # fmt: skip
    assert town.take("finance4", "payment.release", payment).state == "released"


def test_the_same_sum_and_less_is_another_tier(town: Town) -> None:
    payment = town.payment("requested", tranche=SMALL)
    assert codes(town, "officer", "payment.approve", payment) == ["not_permitted"]
    assert town.take("finance2", "payment.approve", payment).state == "requested"
    assert town.take("finance3", "payment.approve", payment).state == "approved"


def test_whoever_has_a_duty_approves_nothing_else(town: Town) -> None:
    payment = town.payment("requested", tranche=LARGE)
    town.take("finance2", "payment.approve", payment)
    # Requested it, approved it already, entered the account.
    for who in ("finance1", "finance2", "finance7"):
        assert codes(town, who, "payment.approve", payment) == ["four_eyes"]
    town.take("finance3", "payment.approve", payment)
    town.take("officer", "payment.approve", payment)
    for who in ("finance1", "finance2", "finance3"):
        assert codes(town, who, "payment.release", payment) == ["four_eyes"]


def test_more_of_a_role_than_are_asked_for_do_not_make_up_for_another(town: Town) -> None:
    payment = town.payment("requested", tranche=LARGE)
    for who in ("finance2", "finance3"):
        town.take(who, "payment.approve", payment)
    assert codes(town, "finance4", "payment.approve", payment) == ["approval_not_wanted"]
    town.take("officer", "payment.approve", payment)
    assert town.state("payment", payment) == "approved"


def test_somebody_of_two_roles_approves_in_the_one_that_is_missing(town: Town) -> None:
    project = town.funded()
    town.grant("finance2", "programme_officer", project=project)
    payment = town.payment("requested", project=project, tranche=LARGE)
    for who in ("finance3", "finance4"):
        town.take(who, "payment.approve", payment)
    town.take("finance2", "payment.approve", payment)
    assert approvers(town, payment)[2] == (3, "programme_officer")
    # And nobody gets a second duty with a second role.
    assert codes(town, "finance2", "payment.release", payment) == ["four_eyes"]


def test_a_role_that_came_or_went_midway_makes_no_second_duty(town: Town) -> None:
    project = town.funded()
    payment = town.payment("requested", project=project, tranche=LARGE)
    town.grant("finance1", "programme_officer", project=project)
    assert codes(town, "finance1", "payment.approve", payment) == ["four_eyes"]
    town.take("finance2", "payment.approve", payment)
    grant = town.grant("finance2", "programme_officer", project=project)
    assert codes(town, "finance2", "payment.approve", payment) == ["four_eyes"]
    town.session.conn.execute("UPDATE role_grant SET revoked_at = now() WHERE id = %s", (grant,))
    # Who has lost the role cannot approve; what was approved before stands.
    gone = town.grant("expert8", "finance_officer", project=project)
    town.take("expert8", "payment.approve", payment)
    town.session.conn.execute("UPDATE role_grant SET revoked_at = now() WHERE id = %s", (gone,))
    town.take("officer", "payment.approve", payment)
    assert town.state("payment", payment) == "approved"


@pytest.mark.parametrize(
    "taken",
    [
        (),
        ("finance2",),
        ("finance2", "officer"),
        ("finance2", "officer", "finance3"),
        ("finance2", "officer", "finance3", "finance4"),
    ],
    ids=len,
)
def test_another_account_voids_every_approval_there_was(town: Town, taken: tuple[str, ...]) -> None:
    project = town.funded()
    payment = town.payment("requested", project=project, tranche=LARGE)
    for who in taken:
        town.take(who, "payment.release" if who == "finance4" else "payment.approve", payment)
    town.payee(project, number="622200099999")
    assert town.state("payment", payment) == "void"
    again = town.payments(project)[LARGE]
    assert again != payment
    assert town.all("SELECT * FROM duty WHERE payment_id = %s", again) == []


def test_set_by_set_the_same_approvals_count(town: Town) -> None:
    payments = [town.payment("requested", tranche=SMALL) for _ in range(3)]
    for who, state in (("finance2", "requested"), ("finance3", "approved")):
        orders = [town.order("payment.approve", payment) for payment in payments]
        outcomes = perform_many(town.session, town.people[who], orders)
        assert [outcome.receipt and outcome.receipt.state for outcome in outcomes] == [state] * 3


def test_five_who_approve_at_once_are_as_many_as_were_asked_for(town: Town) -> None:
    payment = town.payment("requested", tranche=SMALL)
    people = [f"finance{n}" for n in (2, 3, 4, 5, 8)]
    barrier = Barrier(len(people))
    database = Database(town.database.url, clock=town.clock, pool_size=len(people))

    def one(who: str) -> Receipt | Refused:
        with database.session() as session:
            barrier.wait(30)
            try:
                return perform(session, town.people[who], "payment.approve", payment, {}, f"at-once-{who}")
            except Refused as refused:
                return refused

    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(one, people))
    database.close()
    assert sum(isinstance(answer, Receipt) for answer in answers) == 2
    assert approvers(town, payment) == [(1, "finance_officer"), (2, "finance_officer")]


# With a SQL prompt ------------------------------------------------------------------------------------------


@pytest.fixture(params=["app", "owner"])
def attacker(request: pytest.FixtureRequest, town: Town) -> Iterator[Conn]:
    url = town.database.url if request.param == "app" else town.database.owner_url
    assert url is not None
    with psycopg.connect(url) as conn:
        yield conn
        conn.rollback()


Forge = Callable[[Conn, UUID], None]


def _nobody(attacker: Conn, payment: UUID) -> None:
    write_event(attacker, forged_event(attacker, "payment", payment, "payment.approve", "approved"))


def _duties_without_events(attacker: Conn, payment: UUID) -> None:
    write_event(attacker, forged_event(attacker, "payment", payment, "payment.approve", "requested"))
    for place, who in enumerate(("finance2", "finance3"), start=1):
        insert(attacker, "duty", _duty(payment, place, who))
    write_event(attacker, forged_event(attacker, "payment", payment, "payment.approve", "approved"))


def _one_in_two_places(attacker: Conn, payment: UUID) -> None:
    mine = {"actor_id": person_id("finance2"), "role": "finance_officer"}
    for place in (1, 2):
        write_event(
            attacker, forged_event(attacker, "payment", payment, "payment.approve", "requested", **mine)
        )
        insert(attacker, "duty", _duty(payment, place, "finance2"))


def _straight_to_release(attacker: Conn, payment: UUID) -> None:
    write_event(attacker, forged_event(attacker, "payment", payment, "payment.release", "released"))


def _a_second_requester(attacker: Conn, payment: UUID) -> None:
    write_event(attacker, forged_event(attacker, "payment", payment, "payment.approve", "requested"))
    insert(attacker, "duty", {**_duty(payment, 2, "expert8"), "duty": "requester"})


def _fewer_asked_for(attacker: Conn, payment: UUID) -> None:
    attacker.execute("UPDATE programme_version SET approvals = '[]'")


def _duty(payment: UUID, place: int, who: str) -> dict[str, Any]:
    return {
        "payment_id": payment,
        "duty": "approver",
        "place": place,
        "person_id": person_id(who),
        "role": "finance_officer",
    }


@pytest.mark.parametrize(
    ("attack", "answer"),
    [
        (_nobody, ("MP008",)),
        (_duties_without_events, ("MP008",)),
        (_one_in_two_places, ("duty_different_people",)),
        (_straight_to_release, ("MP008",)),
        (_a_second_requester, ("duty_of_one",)),
        (_fewer_asked_for, ("MP001", "42501")),
    ],
)
def test_the_database_counts_for_itself(
    town: Town, attacker: Conn, attack: Forge, answer: tuple[str, ...]
) -> None:
    payment = town.payment("requested", tranche=SMALL)
    with refused(*answer):
        attack(attacker, payment)


# What people are told --------------------------------------------------------------------------------------


def told(town: Town, payment: UUID) -> Approvals:
    """What the supervisor is told of a payment's approvals."""
    sight = payment_sight(town.session, person_id("supervisor"), payment)
    assert sight is not None
    found = payment_why(town.session, sight, payment)
    assert found is not None and found.approvals is not None
    return found.approvals


def test_people_are_told_who_approved_who_still_may_and_what_undid_an_approval(town: Town) -> None:
    project = town.funded()
    payment = town.payment("requested", project=project, tranche=LARGE)
    given = delegate(town, "finance8", "officer2", duty="approve")
    town.take("finance2", "payment.approve", payment)
    found = told(town, payment)
    assert (found.progress.given, found.progress.needed) == (1, 3)
    assert [(g.name, g.role) for g in found.given] == [("finance2", "finance_officer")]
    by_role = {w.role: w for w in found.wanted}
    assert by_role["finance_officer"].number == by_role["programme_officer"].number == 1
    # Neither who requested it (finance1), nor who approved, nor who entered the account (finance7).
    may = by_role["finance_officer"].may
    assert [name for name, behalf in may if not behalf] == [f"finance{n}" for n in (3, 4, 5, 6, 8)]
    assert ("officer2", "finance8") in may
    assert ("officer2", "") in by_role["programme_officer"].may and found.undone == ()
    # A new account undoes the approval; the next attempt says whose, why and by what.
    town.payee(project, number="622200011199")
    town.take("finance8", "delegation.revoke", given, reason="done")
    [undone] = told(town, payment).undone
    assert (undone.approvers, undone.step, undone.by) == (("finance2",), "payment.void", "")
    assert "account changed" in undone.why and undone.payment_id == payment
    again = told(town, town.payments(project)[LARGE])
    assert (again.progress.given, again.given) == (0, ()) and again.undone == (undone,)


def test_too_few_people_for_the_approvals_that_are_missing_is_said(town: Town) -> None:
    payment = town.payment("requested", tranche=LARGE)
    conn = town.session.conn
    conn.execute("UPDATE person SET active = false WHERE login IN ('finance3', 'finance4', 'finance5')")
    conn.execute("UPDATE person SET active = false WHERE login IN ('finance6', 'finance8')")
    wanted = {w.role: w for w in told(town, payment).wanted}
    conn.execute("UPDATE person SET active = true")
    assert [name for name, _ in wanted["finance_officer"].may] == ["finance2"]
    assert not wanted["finance_officer"].enough and wanted["programme_officer"].enough

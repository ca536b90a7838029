"""With a SQL prompt and the application's password: no budget grows, shrinks, moves or closes by itself.

M2 M6: what is between the treasury and a year's budgets goes by a vote or by a change that a second person
confirmed, once, with its sum, its way; what was voted stays what it was.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from states.case import account_id, chain_of_programme
from tests.invariants.conftest import Found
from tests.invariants.forge import Conn, copied, forged_event, insert, refused, write_event
from tests.invariants.town import Town
from tests.invariants.town_budget import changed, propose


class Budget:
    """A town with a budget, an empty one of another year, a proposal and a change that was confirmed."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.purse, self.other = town.vote(10_000_000), town.vote(5, year=2026)
        self.payment = town.payment("requested")
        self.project = town.one("SELECT project_id FROM payment WHERE id = %s", self.payment)
        # What is free, so that the sum by itself fits; the decrease that comes after takes of it.
        self.all = 9_600_000
        self.greedy = propose(town, "decrease", self.purse, amount_minor=self.all)
        self.proposal = propose(town, "increase", self.purse, amount_minor=100)
        self.done = changed(town, "decrease", self.purse, amount_minor=7)


@pytest.fixture(scope="module")
def budget(found: Found) -> Budget:
    return Budget(found())


@pytest.fixture
def attacker(budget: Budget) -> Any:
    with psycopg.connect(budget.town.database.url) as conn:
        yield conn
        conn.rollback()


def fund(purse: UUID) -> UUID:
    return account_id("appropriation", purse, "CNY")


def treasury(budget: Budget) -> UUID:
    code = budget.town.programme.compiled.programme.code
    return account_id("treasury", chain_of_programme(code), "CNY")


def transfer(conn: Conn, event: dict[str, Any], debit: UUID, credit: UUID, amount: int, **more: Any) -> None:
    row = {
        "id": uuid4(),
        "chain_id": event["chain_id"],
        "event_seq": event["seq"],
        "debit_id": debit,
        "credit_id": credit,
        "amount_minor": amount,
        "currency": "CNY",
        "kind": "posted",
        **more,
    }
    insert(conn, "transfer", row)


def confirmation(conn: Conn, budget: Budget) -> dict[str, Any]:
    """A confirmation that is true, with the row that follows from it."""
    event = forged_event(conn, "budget_change", budget.proposal, "budget_change.confirm", "confirmed")
    write_event(conn, event, confirmed_by=budget.town.people["finance2"].id)
    return event


def test_what_a_confirmed_change_says_is_accepted_once(attacker: Conn, budget: Budget) -> None:
    event = confirmation(attacker, budget)
    transfer(attacker, event, treasury(budget), fund(budget.purse), 100)
    with refused("MP004"):
        transfer(attacker, event, treasury(budget), fund(budget.purse), 100)


@pytest.mark.parametrize("wrong", ["sum", "way", "purse", "pending"])
def test_a_confirmed_change_moves_its_sum_its_way(attacker: Conn, budget: Budget, wrong: str) -> None:
    event = confirmation(attacker, budget)
    debit, credit, amount, kind = treasury(budget), fund(budget.purse), 100, "posted"
    if wrong == "sum":
        amount = 101
    elif wrong == "way":
        debit, credit = credit, debit
    elif wrong == "purse":
        credit = fund(budget.other)
    else:
        kind = "pending"
    with refused("MP004"):
        transfer(attacker, event, debit, credit, amount, kind=kind)


@pytest.mark.parametrize("way", ["in", "out", "across"])
def test_no_money_reaches_or_leaves_a_budget_by_another_event(
    attacker: Conn, budget: Budget, way: str
) -> None:
    event = forged_event(attacker, "budget_change", budget.proposal, "budget_change.reject", "proposed")
    project = forged_event(attacker, "project", budget.project, "project.place_hold")
    write_event(attacker, project)
    ways = {
        "in": (treasury(budget), fund(budget.purse)),
        "out": (fund(budget.purse), treasury(budget)),
        "across": (fund(budget.purse), fund(budget.other)),
    }
    assert event["chain_id"] != project["chain_id"]
    with refused("MP004"):
        transfer(attacker, project, *ways[way], 1)


def test_a_change_takes_no_more_than_is_free(attacker: Conn, budget: Budget) -> None:
    """Also where the row of the change and its second person are as they should be."""
    purse, second = budget.purse, budget.town.people["finance2"].id
    event = forged_event(attacker, "budget_change", budget.greedy, "budget_change.confirm", "confirmed")
    write_event(attacker, event, confirmed_by=second)
    with refused("account_not_overdrawn"):
        transfer(attacker, event, fund(purse), treasury(budget), budget.all)


CHANGES = (
    ("appropriation", "amount_minor = amount_minor + 1"),
    ("appropriation", "origin_year = origin_year - 1"),
    ("appropriation", "source = 'moon'"),
    ("appropriation", "source_rank = 9"),
    ("appropriation", "office_path = '/county/'"),
    ("appropriation", "state = 'closed'"),
    ("budget_change", "amount_minor = amount_minor + 1"),
    ("budget_change", "kind = 'decrease'"),
    ("budget_change", "to_id = appropriation_id"),
    ("budget_change", "reason = 'x'"),
    ("budget_change", "state = 'confirmed'"),
    ("budget_change", "confirmed_by = proposed_by"),
)


@pytest.mark.parametrize(("table", "change"), CHANGES)
def test_a_budget_and_a_proposal_stay_what_they_are(
    attacker: Conn, budget: Budget, table: str, change: str
) -> None:
    with refused("MP003", "MP005", "budget_two_people", "budget_change_two_purses"):
        attacker.execute(f"UPDATE {table} SET {change}")


@pytest.mark.parametrize("table", ["appropriation", "budget_change"])
def test_nothing_of_a_budget_is_deleted(attacker: Conn, budget: Budget, table: str) -> None:
    with refused("42501", "MP001"):
        attacker.execute(f"DELETE FROM {table}")


def close(conn: Conn, budget: Budget, purse: UUID) -> None:
    """A close that somebody proposed before, with its second person as they should be."""
    if budget.town.one("SELECT closing_by FROM appropriation WHERE id = %s", purse) is None:
        # The guard would refuse to propose the close of a year in which something hangs.
        event = forged_event(conn, "appropriation", purse, "appropriation.propose_close", "voted")
        write_event(conn, event, closing_by=event["actor_id"], closing_reason="year's end")
    second = budget.town.people["finance2"].id
    event = forged_event(conn, "appropriation", purse, "appropriation.close", "closed", actor_id=second)
    write_event(conn, event, closed_by=second)


def test_a_year_does_not_close_over_a_payment_that_hangs(attacker: Conn, budget: Budget) -> None:
    with refused("MP006"):
        close(attacker, budget, budget.purse)


def test_nothing_is_drawn_from_a_year_that_is_closed(attacker: Conn, budget: Budget) -> None:
    close(attacker, budget, budget.other)
    held = forged_event(attacker, "project", budget.project, "project.place_hold")
    write_event(attacker, held)
    with refused("MP006"):
        mine = account_id("commitment", budget.project, "CNY")
        transfer(attacker, held, fund(budget.other), mine, 1, kind="pending")


# Two people -----------------------------------------------------------------------------------------------


def proposed(budget: Budget, year: int) -> UUID:
    """An appropriation that finance8 proposed and nobody confirmed."""
    given = {"fiscal_year": year, "currency": "CNY", "amount_minor": 5}
    programme = str(budget.town.programme.id)
    found = budget.town.one("SELECT id FROM appropriation WHERE fiscal_year = %s", year)
    made = (
        found
        or budget.town.take(
            "finance8", "appropriation.propose", None, programme_id=programme, **given
        ).subject_id
    )
    return UUID(str(made))


@pytest.mark.parametrize("second", ["finance8", "finance7", None])
def test_a_vote_is_confirmed_by_whoever_acts_and_did_not_propose_it(
    attacker: Conn, budget: Budget, second: str | None
) -> None:
    """By the same person, in another's name, in nobody's: the row is refused before any money comes."""
    purse = proposed(budget, 2051)
    by = budget.town.people[second].id if second else None
    event = forged_event(attacker, "appropriation", purse, "appropriation.vote", "voted")
    if second == "finance8":
        event["actor_id"] = by
    with refused("MP005", "appropriation_two_people"):
        write_event(attacker, event, voted_by=by)


def test_money_comes_with_the_confirmation_and_with_nothing_else(attacker: Conn, budget: Budget) -> None:
    purse = proposed(budget, 2052)
    assert budget.town.one("SELECT credits_posted FROM account WHERE owner_id = %s", purse) == 0
    event = forged_event(attacker, "appropriation", purse, "appropriation.withdraw", "withdrawn")
    write_event(attacker, event)
    with refused("MP004"):
        transfer(attacker, event, treasury(budget), fund(purse), 5)


@pytest.mark.parametrize(
    "row",
    [
        {"proposed_by": None},
        {"state": "voted"},
        {"state": "voted", "proposed_by": None},
        {"voted_by": "finance7"},
        {"closing_by": "finance7", "closing_reason": "x"},
    ],
    ids=str,
)
def test_no_appropriation_is_born_confirmed(attacker: Conn, budget: Budget, row: dict[str, Any]) -> None:
    """Neither voted with money in it, nor with a second person, nor without a first one."""
    people = {k: budget.town.people[v].id if k.endswith("_by") and v else v for k, v in row.items()}
    made = copied(attacker, "appropriation", proposed(budget, 2053), version=1, fiscal_year=2054, **people)
    with refused("MP003", "MP005"):
        insert(attacker, "appropriation", made)


@pytest.mark.parametrize("columns", [{}, {"closed_by": "finance1"}, {"closed_by": "finance2"}], ids=str)
def test_a_year_is_closed_by_whoever_acts_and_did_not_propose_it(
    attacker: Conn, budget: Budget, columns: dict[str, str]
) -> None:
    purse = budget.town.vote(5, year=2055) if not _known(budget, 2055) else _known(budget, 2055)
    if budget.town.one("SELECT closing_by FROM appropriation WHERE id = %s", purse) is None:
        budget.town.take("finance1", "appropriation.propose_close", purse, reason="over")
    people = {column: budget.town.people[who].id for column, who in columns.items()}
    with refused("MP005", "year_closed_by_two_people"):
        write_event(
            attacker,
            forged_event(attacker, "appropriation", purse, "appropriation.close", "closed"),
            **people,
        )


def _known(budget: Budget, year: int) -> UUID | None:
    found: UUID | None = budget.town.one("SELECT id FROM appropriation WHERE fiscal_year = %s", year)
    return found

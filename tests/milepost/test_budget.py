"""A year's money: whose is spent first, who changes it, how a year ends, and what is carried on or lapses."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from milepost.actions import perform_many
from milepost.ledger import balances
from milepost.queries.budget import Line, lines
from milepost.queries.commitments import common_office
from milepost.queries.rankings import funds
from milepost.queries.work import work
from milepost.reports import ranking
from milepost.reports.budget_fit import Wanted, fit
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import Town, programme_text
from tests.invariants.town_budget import changed, close, propose

SOURCES = """
[[budget.sources]]
code = "city"
title = { zh = "市本级", en = "City" }

[[budget.sources]]
code = "region"
title = { zh = "自治区补助", en = "Regional transfer" }
"""


def vote(town: Town, source: str, amount: int, year: int = 2025, **more: Any) -> UUID:
    given = {"fiscal_year": year, "currency": "CNY", "amount_minor": amount, "source": source, **more}
    programme = str(town.programme.id)
    made = town.take("finance8", "appropriation.propose", None, programme_id=programme, **given).subject_id
    return town.take("finance6", "appropriation.vote", made).subject_id


PROPOSE, CLOSE = "appropriation.propose", "appropriation.propose_close"


def refused(town: Town, who: str, step: str, subject: UUID | None, **given: Any) -> set[str]:
    before = town.one("SELECT count(*) FROM event")
    with pytest.raises(Refused) as caught:
        town.take(who, step, subject, **given)
    assert town.one("SELECT count(*) FROM event") == before
    return {refusal.code for refusal in caught.value.refusals}


def line(town: Town, purse: UUID) -> Line:
    return next(each for each in lines(town.session, None) if each.id == purse)


def sound(town: Town) -> None:
    """Every year balances, and nothing is wrong anywhere."""
    assert [each.difference for each in lines(town.session, None) if each.difference] == []
    assert faults(town.session.conn) == []


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    return found(programme=programme_text() + SOURCES)


def test_two_people_change_a_budget_and_never_take_what_is_taken(town: Town) -> None:
    city, region = vote(town, "city", 900_000), vote(town, "region", 100_000)
    given = {
        "programme_id": str(town.programme.id),
        "fiscal_year": 2025,
        "currency": "CNY",
        "amount_minor": 1,
    }
    assert refused(town, "finance1", PROPOSE, None, **given, source="moon") == {"source_unknown"}
    town.payment("requested", project=town.funded())  # 400,000 of the city's
    more = propose(town, "increase", region, amount_minor=50_000, paper="No. 7")
    assert refused(town, "finance1", "budget_change.confirm", more) == {"budget_same_person"}
    assert line(town, region).left == 100_000  # What is proposed moves nothing.
    town.take("finance2", "budget_change.confirm", more)
    assert refused(town, "finance2", "budget_change.confirm", more) == {"wrong_state"}
    assert refused(town, "finance1", "budget_change.decrease", city, amount_minor=500_001, reason="x") == {
        "purse_has_less"
    }
    changed(town, "decrease", city, amount_minor=200_000)
    changed(town, "move", city, amount_minor=300_000, to_id=str(region))
    assert (line(town, city).left, line(town, city).held, line(town, region).left) == (0, 400_000, 450_000)
    # Two proposals that fit one by one do not fit together: the second is refused when it is confirmed.
    one, other = (propose(town, "decrease", region, amount_minor=400_000) for _ in range(2))
    town.take("finance2", "budget_change.confirm", one)
    assert refused(town, "finance2", "budget_change.confirm", other) == {"purse_has_less"}
    town.take("finance2", "budget_change.reject", other, reason="not there")
    taken = propose(town, "increase", region, amount_minor=1)
    assert refused(town, "finance2", "budget_change.withdraw", taken, reason="x") == {"proposed_by_another"}
    town.take("finance1", "budget_change.withdraw", taken, reason="x")
    sound(town)
    found = line(town, region)
    assert (found.voted, found.increased, found.decreased, found.moved_in) == (
        100_000,
        50_000,
        400_000,
        300_000,
    )


def test_a_year_ends_once_its_payments_are_through_and_its_rest_goes_on_or_back(found: Found) -> None:
    town = found(programme=programme_text() + SOURCES)
    region, city = vote(town, "region", 500_000), vote(town, "city", 1_000_000)
    project = town.funded()
    first = town.payment("released", project=project)
    assert refused(town, "finance1", CLOSE, city, reason="x") == {"year_payments_hang"}
    assert refused(town, "finance1", "budget_change.carry_over", city, reason="x") == {"purse_not_closed"}
    town.take("system", "payment.instruct", first)
    town.take("system", "payment.settle", first, reference="B1")
    waiting = propose(town, "decrease", city, amount_minor=1)
    assert refused(town, "finance1", CLOSE, city, reason="x") == {"year_changes_wait"}
    town.take("finance1", "budget_change.withdraw", waiting, reason="x")
    for purse in (city, region):
        close(town, purse)
    assert refused(town, "finance1", "budget_change.increase", city, amount_minor=1, reason="x") == {
        "purse_closed"
    }
    assert refused(town, "finance1", "budget_change.lapse", city, reason="x") == {"lapse_not_due"}
    for purse in (city, region):
        changed(town, "carry_over", purse)
        assert refused(town, "finance1", "budget_change.carry_over", purse, reason="x") == {"nothing_left"}
    town.clock.set(date(2026, 2, 2))
    own, new = (
        town.one("SELECT id FROM appropriation WHERE fiscal_year = 2026 AND source = %s", name)
        for name in ("city", "region")
    )
    assert (line(town, own).carried_in, line(town, own).origin_year) == (600_000, 2025)
    fresh = vote(town, "city", 5_000_000, 2026)
    # Money of 2025 first, in the order of sources: 600,000 of the city's; the region's 500,000 is too little.
    second = town.payment("requested", project=project, tranche=1)
    assert town.one("SELECT appropriation_id FROM payment WHERE id = %s", second) == own
    third = town.payment("requested", project=town.funded())  # 400,000
    assert town.one("SELECT appropriation_id FROM payment WHERE id = %s", third) == new
    fourth = town.payment("requested", project=town.funded())
    assert town.one("SELECT appropriation_id FROM payment WHERE id = %s", fourth) == fresh
    assert refused(
        town, "finance1", "budget_change.move", new, amount_minor=1, to_id=str(fresh), reason="x"
    ) == {"receiving_differs"}
    # What the bank brings back after the close is the old year's, and goes the way of its rest.
    town.take("system", "payment.return_late", first, reference="B2", reason="account closed")
    assert line(town, city).left == 400_000
    changed(town, "carry_over", city)
    assert line(town, own).carried_in == 1_000_000
    for payment in (second, third, fourth):
        town.take("finance4", "payment.send_back", payment, reason="another year")
    close(town, own)
    assert refused(town, "finance1", "budget_change.carry_over", own, reason="x") == {"lapse_due"}
    changed(town, "lapse", own)
    ended = line(town, own)
    assert (ended.carried_in, ended.lapsed, ended.left, ended.paid) == (1_000_000, 1_000_000, 0, 0)
    assert line(town, city).returned == 400_000
    # Voted in all, less what lapsed; nothing that came back or was carried on counts twice.
    (whole,) = balances(town.session.conn)
    assert whole.appropriated_minor == 500_000 + 1_000_000 + 5_000_000 - 1_000_000
    assert whole.left_minor == sum(each.left for each in lines(town.session, None))
    found = funds(town.session, town.programme.compiled.programme.code, "CNY", [])
    assert (found.voted_minor, found.left_minor) == (5_500_000, whole.left_minor)
    sound(town)


def test_a_sum_voted_before_its_year_is_the_opening(town: Town) -> None:
    early = vote(town, "city", 70, 2027)
    assert (line(town, early).opening, line(town, early).voted) == (70, 0)


def test_money_of_an_office_pays_for_that_office_and_those_below(found: Found) -> None:
    town = found(programme=programme_text() + SOURCES)
    vote(town, "city", 10_000_000, office_path="/county/")
    due = town.payment("planned", project=town.funded())
    town.accept(town.one("SELECT milestone_id FROM payment WHERE id = %s", due))
    assert refused(town, "system", "payment.fall_due", due) == {"appropriation_missing"}
    town.grant("finance7", "finance_officer", "/county/")
    town.session.conn.execute(
        "UPDATE role_grant SET revoked_at = now() WHERE person_id = %s AND office_path = '/'",
        (town.people["finance7"].id,),
    )
    mine = vote(town, "city", 5, 2026, office_path="/county/")
    given = {
        "programme_id": str(town.programme.id),
        "fiscal_year": 2026,
        "currency": "CNY",
        "amount_minor": 1,
    }
    assert refused(town, "finance7", PROPOSE, None, **given) == {"not_found"}
    other = vote(town, "city", 5, 2026, office_path="/city/")
    seen = {each.id for each in lines(town.session, town.people["finance7"].id)}
    assert mine in seen and other not in seen
    # Whoever may not change the receiving budget moves nothing into it, nor learns that it is there.
    assert refused(
        town, "finance7", "budget_change.move", mine, amount_minor=1, to_id=str(other), reason="x"
    ) == {"receiving_unknown"}


def test_a_programme_may_hold_approvals_to_what_is_free_of_each_year(found: Found) -> None:
    text = programme_text() + "\n[budget]\nfits_before_approval = true\n" + SOURCES
    town = found(programme=text)
    vote(town, "city", 1_500_000)
    first, second = town.apply(), town.apply()
    for project in (first, second):
        town.advance(project, "approval")
    assert refused(town, "officer", "project.approve", first, award_minor=1_600_000) >= {"award_does_not_fit"}
    town.take("officer", "project.approve", first)
    # 1,000,000 of 1,500,000 is promised, though no tranche is agreed yet.
    assert refused(town, "officer", "project.approve", second) == {"award_does_not_fit"}
    changed(town, "increase", town.one("SELECT id FROM appropriation"), amount_minor=600_000)
    third = town.apply()
    town.advance(third, "approval")
    # Of a set only as many are granted as fit together.
    orders = [town.order("project.approve", project) for project in (second, third)]
    outcomes = perform_many(town.session, town.people["officer"], orders)
    assert [outcome.receipt is not None for outcome in outcomes] == [True, False]


def test_the_office_that_several_belong_to() -> None:
    assert common_office(["/a/b/", "/a/b/c/"]) == "/a/b/"
    assert common_office(["/a/", "/b/"]) == "/"
    assert common_office([]) == "/"


def test_a_vote_and_a_close_take_two_people_and_wait_in_the_others_lists(found: Found) -> None:
    town = found(programme=programme_text() + SOURCES)
    given = {"fiscal_year": 2025, "currency": "CNY", "amount_minor": 900_000, "source": "city"}
    programme = str(town.programme.id)

    def waits(who: str) -> set[UUID]:
        found = work(town.session, town.people[who].id, limit=500).rows
        return {row["subject_id"] for row in found if row["noun"] == "appropriation"}

    def propose_it() -> UUID:
        return town.take(
            "finance8", "appropriation.propose", None, programme_id=programme, **given
        ).subject_id

    dropped = propose_it()
    assert refused(town, "finance1", PROPOSE, None, programme_id=programme, **given) == {"exists_already"}
    assert refused(town, "finance7", "appropriation.withdraw", dropped, reason="x") == {"vote_of_another"}
    town.take("finance7", "appropriation.reject", dropped, reason="not decided yet")
    purse = propose_it()
    assert waits("finance1") == {purse} and waits("finance8") == set()
    due = town.payment("planned", project=town.funded())
    town.accept(town.one("SELECT milestone_id FROM payment WHERE id = %s", due))
    assert refused(town, "system", "payment.fall_due", due) == {"appropriation_missing"}
    assert refused(town, "finance8", "appropriation.vote", purse) == {"budget_same_person"}
    assert refused(town, "finance1", "budget_change.increase", purse, amount_minor=1, reason="x") == {
        "purse_not_voted"
    }
    assert lines(town.session, None) == []
    town.take("finance1", "appropriation.vote", purse)
    assert line(town, purse).voted == 900_000 and waits("finance1") == set()
    # The close: proposed, dropped, proposed again; whatever comes in between is asked about once more.
    assert refused(town, "finance2", "appropriation.close", purse) == {"close_not_proposed"}
    town.take("finance1", "appropriation.propose_close", purse, reason="over")
    assert waits("finance2") == {purse} and waits("finance1") == set()
    assert refused(town, "finance1", "appropriation.close", purse) == {"close_same_person"}
    town.take("finance2", "appropriation.keep_open", purse, reason="one more payment")
    town.take("finance1", "appropriation.propose_close", purse, reason="over")
    paid = town.payment("requested", project=town.funded())
    assert refused(town, "finance2", "appropriation.close", purse) == {"year_payments_hang"}
    town.take("finance4", "payment.send_back", paid, reason="next year")
    town.take("finance2", "appropriation.close", purse)
    assert line(town, purse).state == "closed"
    sound(town)


def test_a_ranking_has_the_same_money_before_it_as_the_what_if(found: Found) -> None:
    """Of this year what is left and what is promised of it; of an award what falls into it."""
    town = found(programme=programme_text() + SOURCES)
    vote(town, "city", 1_000_000)
    vote(town, "region", 700, office_path="/county/")
    town.clock.set(date(2025, 7, 1))  # The first milestone is late, the second falls into September.
    agreed = town.funded()
    later = town.milestones(agreed)[1]
    town.take("officer", "milestone.extend", later, due_on="2026-03-01", reason="a delay")
    programme = town.programme.compiled.programme
    wanted = town.apply()
    plan, office = town.all("SELECT plan, office_path FROM project WHERE id = %s", wanted)[0]
    what_if = fit(town.session, programme, "CNY", [Wanted(wanted, "", "", 900_000, plan, office)]).years[0]
    line = funds(town.session, programme.code, "CNY", [wanted], office)
    assert (line.left_minor, line.promised_minor) == (what_if.left, what_if.committed) == (1_000_000, 400_000)
    row = {"award_minor": None, "proposed_minor": 900_000, "requested_minor": 1, "taken_minor": 0}
    row |= {"currency": "CNY", "plan": plan, "tasks": [], "votes": [], "round_id": None, "state": "x"}
    row |= {"round_state": None, "score_milli": None}
    listed = ranking._listed(row, programme, town.clock.today())
    assert ranking.Line(of_year=True).amount_of(listed) == what_if.wanted
    assert ranking.Line(budget_minor=5).amount_of(listed) == 900_000

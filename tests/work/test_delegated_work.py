"""What is delegated stands in the delegate's work list, is told of in time, and is shown as done for another.

One town: ``officer2`` is a programme officer who acts for ``finance2`` from the third day to the sixth.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import pytest

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.mail.facts import load_letters
from milepost.mail.templates import render
from milepost.queries.sight import find_subject
from milepost.queries.timeline import timeline
from milepost.queries.work import work
from milepost.work.reminders import send_reminders
from states.refusals import Refused
from tests.invariants.town import START, Town
from tests.invariants.town_duties import delegate, grant


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def town(database: Database, clock: SimulatedClock) -> Iterator[Town]:
    with Town(database, clock) as made:
        made.vote()
        yield made


def listed(town: Town, who: str) -> dict[UUID, list[str]]:
    """What waits for somebody, with those for whom they would do it."""
    found = work(town.session, town.people[who].id, limit=500)
    return {row["subject_id"]: list(row["behalf"]) for row in found.rows}


def codes(town: Town, who: str, step: str, subject: UUID) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, subject)
    return [refusal.code for refusal in caught.value.refusals]


def test_what_is_delegated_waits_for_the_delegate_on_its_days_and_is_shown_as_done_for_another(
    town: Town,
) -> None:
    project = town.funded()
    payment = town.payment("requested", project=project)  # by finance1
    today = town.clock.today()
    first, last = today + timedelta(days=2), today + timedelta(days=5)
    days = {"from_on": first.isoformat(), "until_on": last.isoformat()}
    given = grant(town, "finance2", "officer2", **days)
    assert given in listed(town, "officer2"), "an offer waits for an answer"
    town.take("officer2", "delegation.accept", given)
    of_finance = {payment: ["finance2"]}

    def shown() -> dict[UUID, list[str]]:
        return {id: names for id, names in listed(town, "officer2").items() if names}

    assert given not in listed(town, "officer2")
    for day, expected in ((today, {}), (first, of_finance), (last, of_finance)):
        town.clock.set(day)
        assert shown() == expected, day
        assert listed(town, "finance2")[payment] == [], "it is the delegator's own"
    town.take("officer2", "payment.approve", payment)
    # Having had a hand in it neither of them has another one; and others' lists say nothing of delegations.
    assert shown() == {}
    assert payment not in listed(town, "finance2")
    assert listed(town, "finance3")[payment] == []
    seen = find_subject(town.session, town.people["supervisor"].id, "project", project)
    assert seen is not None
    happened, _ = timeline(town.session, seen.sight, project, limit=50)
    told = {(e.step, e.person, e.behalf) for e in happened if e.step.startswith("payment.")}
    assert ("payment.approve", "officer2", "finance2") in told
    assert ("payment.request", "finance1", "") in told
    grantee = find_subject(town.session, town.people["unit"].id, "project", project)
    assert grantee is not None
    told_to_unit, _ = timeline(town.session, grantee.sight, project, limit=50)
    assert {e.behalf for e in told_to_unit} == {""}
    town.clock.set(last + timedelta(days=1))
    assert shown() == {}


def test_beyond_its_sum_and_beside_a_clash_nothing_is_listed(town: Town) -> None:
    payment = town.payment("requested")  # 4000.00, by finance1; finance7 entered the account.
    small = delegate(town, "finance2", "officer2", limit_minor=399_999, currency="CNY")
    delegate(town, "finance1", "officer2")
    delegate(town, "finance7", "officer2")
    assert payment not in listed(town, "officer2")
    town.take("finance2", "delegation.revoke", small, reason="anew")
    delegate(town, "finance2", "officer2", duty="release")
    assert payment not in listed(town, "officer2")
    delegate(town, "finance3", "officer2", duty="approve")
    delegate(town, "finance4", "officer2")
    assert listed(town, "officer2")[payment] == ["finance3", "finance4"]


def test_whoever_acted_for_another_is_told_that_it_is_over(town: Town) -> None:
    payment = town.payment("requested")
    today = town.clock.today()
    tomorrow = (today + timedelta(days=1)).isoformat()
    given = delegate(town, "finance2", "officer2", from_on=tomorrow, until_on=tomorrow)
    assert codes(town, "officer2", "payment.approve", payment) == ["delegation_not_begun"]
    town.clock.set(today + timedelta(days=2))
    assert codes(town, "officer2", "payment.approve", payment) == ["delegation_over"]
    town.take("system", "delegation.end", given)
    assert codes(town, "officer2", "payment.approve", payment) == ["delegation_over"]
    again = delegate(town, "finance2", "officer2", until_on="2025-03-30")
    town.take("finance2", "delegation.revoke", again, reason="back")
    assert codes(town, "officer2", "payment.approve", payment) == ["delegation_withdrawn"]
    # Somebody who never acted for another hears what they always heard.
    assert codes(town, "officer", "payment.approve", payment) == ["not_permitted"]
    assert codes(town, "nobody", "payment.approve", payment) == ["not_found"]


def test_both_are_reminded_before_it_begins_and_before_it_ends_once(town: Town) -> None:
    today = town.clock.today()
    first, last = today + timedelta(days=10), today + timedelta(days=20)
    days = {"from_on": first.isoformat(), "until_on": last.isoformat()}
    delegate(town, "finance2", "officer2", **days)
    dropped = delegate(town, "finance3", "officer2", **days)
    town.take("finance3", "delegation.revoke", dropped, reason="no leave after all")

    def told() -> dict[tuple[str, str], str]:
        rows = town.all(
            "SELECT m.id, n.login, m.template FROM message m JOIN person n ON n.id = m.recipient_id "
            "WHERE m.template IN ('delegation_begins', 'delegation_ends')"
        )
        letters = load_letters(
            town.session.conn, [r[0] for r in rows], today=town.clock.today(), public_url="http://here"
        )
        said = {letter.id: render("en", letter.template, letter.values) for letter in letters}
        return {(login, template): said[id][0] for id, login, template in rows}

    def after(day: date) -> set[tuple[str, str]]:
        town.clock.set(day)
        send_reminders(town.session)
        send_reminders(town.session)
        return set(told())

    both = {"finance2", "officer2"}
    begins = {(who, "delegation_begins") for who in both}
    assert after(first - timedelta(days=2)) == set()
    assert after(first - timedelta(days=1)) == begins
    assert after(last - timedelta(days=4)) == begins
    assert after(last - timedelta(days=2)) == begins | {(who, "delegation_ends") for who in both}
    words = told()
    assert "you act for finance2" in words["officer2", "delegation_begins"]
    assert "officer2 no longer acts for you" in words["finance2", "delegation_ends"]
    assert town.one("SELECT count(*) FROM message WHERE template = 'delegation_begins'") == 2


def test_a_day_that_is_past_prepares_nobody(town: Town) -> None:
    today = town.clock.today()
    delegate(town, "finance2", "officer2", until_on=(today + timedelta(days=1)).isoformat())
    town.clock.set(today + timedelta(days=2))
    send_reminders(town.session)
    assert (
        town.one("SELECT count(*) FROM message WHERE template IN ('delegation_begins', 'delegation_ends')")
        == 0
    )
    of_it = "template IN ('delegation_begins', 'delegation_ends')"
    assert town.one(f"SELECT count(*) FROM message WHERE {of_it}") == 0

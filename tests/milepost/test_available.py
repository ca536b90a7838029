"""What ``available`` offers, ``perform`` does; what it greys out, ``perform`` refuses for the same reasons.

Asked for every state of every noun and every kind of person, against ``perform`` with valid input on a
transaction that is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from milepost.actions import perform
from milepost.available import Available, available, available_many
from milepost.db import Session
from milepost.decisions import PARENT
from schema.nouns import NOUNS as NOUN_TABLE
from states.refusals import Refused
from tests.invariants import town_receivable
from tests.invariants.conftest import Found
from tests.invariants.town import Town, person_id

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("available")

PEOPLE = (
    "unit",
    "lead",
    "officer",
    "judge",
    "expert1",
    "expert8",
    "finance1",
    "finance2",
    "finance6",
    "finance7",
    "supervisor",
    "counsel",
    "admin",
    "nobody",
)


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found()
    made.vote(10_000_000_000)
    return made


@pytest.fixture(scope="module")
def stood(town: Town) -> dict[tuple[str, str], UUID]:
    machines = town.programme.compiled.machines
    found = {(noun, state): town.stand(noun, state) for noun, m in machines.items() for state in m.states}
    held = town.apply()
    town.take("officer", "project.place_hold", held, reason="x")
    town.take("supervisor", "project.flag_integrity", held, reason="x")
    found["project", "held"] = held
    return found


class Undecided(psycopg.Connection[Any]):
    """A connection that takes back what it is told to commit: every step can be tried in every state."""

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        return super().execute("ROLLBACK" if query == "COMMIT" else query, *args, **kwargs)


@pytest.fixture(scope="module")
def paper(town: Town) -> Iterator[Session]:
    """A session whose steps are taken on paper. No constraint waits for the commit, so none is left out."""
    with Undecided.connect(town.database.url, autocommit=True) as conn:
        yield Session(conn, town.clock)


def answer(
    session: Session, town: Town, who: str, step: str, subject: UUID, input: dict[str, Any]
) -> set[str]:
    """The codes of the refusal; empty where ``perform`` would have done it."""
    try:
        perform(session, town.people[who], step, subject, input, f"paper-{uuid4()}")
    except Refused as refused:
        return {refusal.code for refusal in refused.refusals}
    return set()


def valid(town: Town, entry: Available, subject: UUID) -> dict[str, Any]:
    """Input that a step accepts, for the subject it is offered at."""
    programme = town.programme.compiled.programme
    rubric = programme.review.rubric if programme.review else ()
    later = date(2031, 1, 1).isoformat()
    given: dict[str, Any] = {
        "title": "t",
        "unit_name": "u",
        "leader_name": "l",
        "requested_minor": 1000,
        "plan": [],
        "met": [item.code for item in programme.checklist],
        "reason": "r",
        "opinion": "o",
        "outcome": "passed",
        "kind": "legal",
        "report": "r",
        "evidence": "e",
        "finding": "settled",
        "reference": "B",
        "account_name": "a",
        "account_no": "123456",
        "bank_name": "b",
        "answer": "a",
        "note": "n",
        "objector": "o",
        "contact": "c",
        "grounds": "g",
        "due_on": later,
        "evaluator_id": str(person_id("judge")),
        "expert_id": str(person_id("expert6")),
        "scores": {c.code: 1 for c in rubric},
        "tranche": 1,
        "amount_minor": 5,
        "hold_id": _hold(town, entry, subject),
        "again": False,
        "summary": "s",
        "fields": ["510"],
        "ground": "procedure",
        "statement": "s",
        "value": "4711",
        "present": 1,
        "in_favour": 1,
        "against": 0,
        "minutes": "m",
        "period_from": "2025-01-01",
        "period_to": "2025-02-28",
        "findings": [{"number": 1, "allowed_minor": 1, "reason": "r"}],
    }
    if entry.step.name == "draw.succeed":
        seat = town.all("SELECT round_id, expert_id FROM draw_seat WHERE draw_id = %s", entry.subject_id)
        given |= {"round_id": str(seat[0][0]), "expert_id": str(seat[0][1])} if seat else {}
    if entry.step.noun == "receivable":
        given |= _of_a_receivable(town, entry.subject_id)
    if entry.step.name == "budget_change.move":
        given["to_id"] = _purse_beside(town, entry.subject_id)
    wanted = entry.step.input.model_fields
    # What was paid of the tranche is the most that can have been spent of it.
    paid = town.one("SELECT paid_minor FROM tranche WHERE project_id = %s AND number = 1", subject)
    given["spent_minor"] = paid or 1
    return {name: value for name, value in given.items() if name in wanted}


def _of_a_receivable(town: Town, subject: UUID) -> dict[str, Any]:
    """What its steps ask for; money came in by a statement, and a payment of the project waits."""
    waits = (
        "SELECT y.id FROM payment y JOIN receivable r ON r.project_id = y.project_id "
        "WHERE r.id = %s AND y.state IN ('planned', 'due')"
    )
    came_in = town.one("SELECT id FROM bank_entry WHERE remittance = 'available'")
    stands = "SELECT id FROM receipt WHERE receivable_id = %s AND reversal_id IS NULL ORDER BY id LIMIT 1"
    return {
        "receipt_id": str(town.one(stands, subject) or UUID(int=0)),
        "correction_no": "D",
        "ground": "disallowed_cost",
        "legal_basis": "l",
        "decision_no": "D",
        "documents": [town_receivable.paper(town)],
        "ending": "uncollectable",
        "payment_id": str(town.one(waits, subject)),
        "number": 2,
        "first_on": date(2031, 1, 1).isoformat(),
        "received_on": town.clock.today().isoformat(),
        "entry_id": str(came_in or town_receivable.entry(town, 5, "available")),
    }


def _purse_beside(town: Town, purse: UUID) -> str:
    """A budget of the same year into which money may be moved."""
    year = town.one("SELECT fiscal_year FROM appropriation WHERE id = %s", purse)
    found = town.one("SELECT id FROM appropriation WHERE fiscal_year = %s AND id <> %s", year, purse)
    given = {"fiscal_year": year, "currency": "CNY", "amount_minor": 9, "office_path": "/beside/"}
    programme = str(town.programme.id)
    if found:
        return str(found)
    made = town.take("finance8", "appropriation.propose", None, programme_id=programme, **given).subject_id
    return str(town.take("finance6", "appropriation.vote", made).subject_id)


def _hold(town: Town, entry: Available, subject: UUID) -> str:
    kind = "integrity" if entry.step.name == "project.clear_integrity" else "hold"
    id = town.one(
        "SELECT id FROM hold WHERE project_id = %s AND kind = %s AND lifted_at IS NULL", subject, kind
    )
    return str(id or uuid4())


NOUNS = tuple(NOUN_TABLE)
# Between whom something is, where it is nobody else's.
PARTIES = {"delegation": ("finance8", "officer2")}
# Once it is there, nobody has anything to do with it.
DONE_WITH = ("bank_intake",)


@pytest.mark.parametrize("noun", NOUNS)
def test_what_is_offered_is_done_and_what_is_greyed_is_refused_for_the_same_reasons(
    town: Town, stood: dict[tuple[str, str], UUID], paper: Session, noun: str
) -> None:
    done = greyed = 0
    for (of, state), subject in stood.items():
        if of != noun:
            continue
        for who in (*PEOPLE, *PARTIES.get(noun, ())):
            for entry in available(paper, town.people[who], noun, subject):
                at = subject if noun == "project" else UUID(int=0)
                input = valid(town, entry, at)
                said = answer(paper, town, who, entry.step.name, entry.subject_id, input)
                where = f"{noun} {state}: {who} {entry.step.name}"
                assert said == {r.code for r in entry.refusals}, where
                done, greyed = done + entry.allowed, greyed + (not entry.allowed)
    assert done or noun in DONE_WITH


@pytest.mark.parametrize("noun", NOUNS)
def test_what_is_not_offered_is_refused(
    town: Town, stood: dict[tuple[str, str], UUID], paper: Session, noun: str
) -> None:
    machine = town.programme.compiled.machines[noun]
    for (of, state), subject in stood.items():
        if of != noun:
            continue
        for who in PEOPLE:
            offered = {entry.step.name for entry in available(paper, town.people[who], noun, subject)}
            for step in machine.steps_from(town.state(noun, subject)):
                if step.name not in offered:
                    said = answer(paper, town, who, step.name, subject, {})
                    assert said & {"not_permitted", "not_found"}, f"{noun} {state}: {who} {step.name}"


def test_the_parts_of_a_project_are_begun_only_by_those_to_whom_it_is_offered(
    town: Town, stood: dict[tuple[str, str], UUID], paper: Session
) -> None:
    machines = town.programme.compiled.machines
    for noun, over in PARENT.items():
        if over is None:
            continue
        for (of, state), subject in stood.items():
            if of != over:
                continue
            for who in PEOPLE:
                offered = {
                    e.step.name for e in available(paper, town.people[who], over, subject) if e.creates
                }
                for step in machines[noun].steps_from(""):
                    if step.name not in offered:
                        said = answer(paper, town, who, step.name, subject, {})
                        assert said & {"not_permitted", "not_found"}, f"{over} {state}: {who} {step.name}"


def test_nothing_is_offered_to_a_stranger_or_at_what_does_not_exist(
    town: Town, stood: dict[tuple[str, str], UUID]
) -> None:
    for (noun, _), subject in stood.items():
        assert available(town.session, town.people["nobody"], noun, subject) == []
        assert available(town.session, town.people["admin"], noun, subject) == []
    assert available(town.session, town.people["officer"], "project", uuid4()) == []


def test_asking_changes_nothing(town: Town, stood: dict[tuple[str, str], UUID]) -> None:
    before = town.one("SELECT count(*) FROM event"), town.one("SELECT sum(version) FROM project")
    for (noun, _), subject in stood.items():
        available(town.session, town.people["officer"], noun, subject)
    assert (town.one("SELECT count(*) FROM event"), town.one("SELECT sum(version) FROM project")) == before


def test_many_are_answered_as_one_by_one(town: Town, stood: dict[tuple[str, str], UUID]) -> None:
    for noun in NOUNS:
        ids = [subject for (of, _), subject in stood.items() if of == noun]
        for who in ("officer", "finance1", "nobody"):
            many = available_many(town.session, town.people[who], noun, [*ids, uuid4()])
            assert {id: offers for id, offers in many.items() if offers} == {
                id: offers for id in ids if (offers := available(town.session, town.people[who], noun, id))
            }


def test_every_step_tells_what_it_asks_for(town: Town, stood: dict[tuple[str, str], UUID]) -> None:
    for (noun, _), subject in stood.items():
        for entry in available(town.session, town.people["officer"], noun, subject):
            schema = entry.input_schema()
            assert schema["type"] == "object"
            for field in schema.get("properties", {}).values():
                assert field.get("zh") and field.get("en"), (entry.step.name, field)

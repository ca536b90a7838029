"""``perform_many`` is ``perform``, only faster: the same orders leave the same events, rows and mail.

Tried on two copies of one database: on one the orders are taken one by one, on the other set by set.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4, uuid5

import psycopg
import pytest

from milepost.actions import Actor, Order, Outcome, perform, perform_many
from milepost.embedded import EmbeddedPostgres
from milepost.evidence.chain import canonical
from states.case import NAMESPACE
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import Town, programme_text

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("many")

# What differs between two runs of the same orders: the number of the transaction.
NOT_COMPARED = {"event": "xid"}


@pytest.fixture(scope="module")
def original(found: Found) -> Town:
    """A town in which there is something of everything to be done."""
    town = found()
    town.vote(2_000_000)
    for state in ("planned", "reported", "returned"):
        town.stand("milestone", state)
    for state in ("planned", "due", "unknown"):
        town.payment(state)
    town.stand("task", "invited")
    town.stand("payee", "entered")
    town.close()
    town.database.close()
    return town


@pytest.fixture
def twins(found: Found, original: Town, server: EmbeddedPostgres) -> Iterator[tuple[Town, Town]]:
    name = psycopg.conninfo.conninfo_to_dict(original.database.url)["dbname"]
    one, many = found(copy_of=name), found(copy_of=name)
    for town in (one, many):
        town.clock.set(original.clock.now())
    yield one, many
    for town in (one, many):
        assert faults(town.session.conn) == []


def contents(town: Town) -> dict[str, list[Any]]:
    tables = [
        row[0]
        for row in town.all(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' "
            "AND table_type = 'BASE TABLE'"
        )
    ]
    return {
        t: sorted(
            row[0]
            for row in town.all(f'SELECT (to_jsonb(t) - %s)::text FROM "{t}" t', NOT_COMPARED.get(t, "-"))
        )
        for t in tables
    }


def one_by_one(town: Town, who: str, orders: list[Order]) -> list[tuple[str, ...]]:
    found = []
    for order in orders:
        try:
            receipt = perform(
                town.session,
                town.people[who],
                order.step,
                order.subject_id,
                order.input,
                order.request_id,
                expected_version=order.expected_version,
            )
            found.append((receipt.state, receipt.hash))
        except Refused as refused:
            found.append(tuple(r.code for r in refused.refusals))
    return found


def told(outcomes: list[Outcome]) -> list[tuple[str, ...]]:
    return [
        (o.receipt.state, o.receipt.hash) if o.receipt else tuple(r.code for r in o.refusals)
        for o in outcomes
    ]


def every(town: Town, noun: str, step: str, **input: Any) -> list[Order]:
    """An order for every subject of a noun, whether it may be taken or not."""
    ids: list[UUID] = [row[0] for row in town.all(f'SELECT id FROM "{noun}" ORDER BY id')]
    return [Order(step, id, input, f"{step}:{id}") for id in ids]


ROUNDS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("officer", "project", "project.place_hold", {"reason": "a look"}),
    ("unit", "milestone", "milestone.report", {"report": "done", "deliverables": 2}),
    ("judge", "milestone", "milestone.accept", {"opinion": "good"}),
    ("finance6", "payee", "payee.verify", {}),
    ("system", "payment", "payment.fall_due", {}),
    ("expert1", "task", "task.accept", {}),
    ("officer", "project", "project.terminate", {"reason": "the end"}),
]


def test_the_same_orders_leave_the_same_database(twins: tuple[Town, Town]) -> None:
    one, many = twins
    assert contents(one) == contents(many)
    for who, noun, step, input in ROUNDS:
        orders = every(one, noun, step, **input)
        outcomes = perform_many(many.session, many.people[who], orders)
        assert one_by_one(one, who, orders) == told(outcomes), step
        left, right = contents(one), contents(many)
        for table in left:
            assert left[table] == right[table], (step, table)


def test_payments_go_all_the_way_the_same(twins: tuple[Town, Town]) -> None:
    """With money for some of them only: the database refuses the set, and each is taken by itself."""
    ways = [
        ("system", "payment.fall_due", {}),
        ("finance1", "payment.request", {}),
        ("finance2", "payment.approve", {}),
        ("finance3", "payment.release", {}),
        ("system", "payment.instruct", {}),
        ("system", "payment.settle", {"reference": "B"}),
    ]
    one, many = twins
    milestones = every(one, "milestone", "milestone.report", report="x")
    accepted = every(one, "milestone", "milestone.accept", opinion="x")
    for who, orders in (("unit", milestones), ("judge", accepted)):
        assert one_by_one(one, who, orders) == told(perform_many(many.session, many.people[who], orders))
    said = set()
    for who, step, input in ways:
        orders = every(one, "payment", step, **input)
        outcomes = perform_many(many.session, many.people[who], orders)
        assert one_by_one(one, who, orders) == told(outcomes), step
        assert contents(one) == contents(many), step
        said |= {word for words in told(outcomes) for word in words}
    assert "appropriation_exhausted" in said
    assert one.one("SELECT count(*) FROM payment WHERE state = 'settled'") > 0


def test_the_set_is_taken_twice_and_done_once(twins: tuple[Town, Town]) -> None:
    one, _ = twins
    orders = every(one, "project", "project.place_hold", reason="x")
    first = perform_many(one.session, one.people["officer"], orders)
    again = perform_many(one.session, one.people["officer"], orders)
    done = [(a.receipt, b.receipt) for a, b in zip(first, again, strict=True) if a.receipt and b.receipt]
    assert done and all(b.repeated and a.hash == b.hash for a, b in done)


def test_several_orders_of_one_project_are_taken_in_their_order(twins: tuple[Town, Town]) -> None:
    one, many = twins
    project = one.one("SELECT id FROM project WHERE state = 'implementation' ORDER BY id LIMIT 1")
    orders = [Order("project.place_hold", project, {"reason": str(n)}, f"n{n}") for n in range(5)]
    orders.append(Order("project.suspend", project, {"reason": "x"}, "s"))
    orders.append(Order("project.suspend", project, {"reason": "x"}, "s2"))
    outcomes = perform_many(many.session, many.people["officer"], orders)
    assert one_by_one(one, "officer", orders) == told(outcomes)
    assert told(outcomes)[-1] == ("wrong_state",)
    assert contents(one) == contents(many)


def test_one_wrong_order_keeps_no_other_back(twins: tuple[Town, Town]) -> None:
    one, many = twins
    good = every(one, "project", "project.place_hold", reason="x")
    wrong = [
        Order("project.fly", good[0].subject_id, {}, "w1"),
        Order("sky.fall", good[0].subject_id, {}, "w2"),
        Order("milestone.fly", good[0].subject_id, {}, "w3"),
        Order("project.place_hold", uuid4(), {"reason": "x"}, "w4"),
        Order("project.place_hold", good[0].subject_id, {"reason": "nul\x00"}, "w5"),
        Order("project.place_hold", good[1].subject_id, {"reason": ""}, "w6"),
        Order("project.place_hold", good[2].subject_id, {"reason": "x"}, "w7", expected_version=99),
        Order("payment.release", uuid4(), {}, "w8"),
        Order("project.place_hold", good[3].subject_id, {"reason": "y"}, good[3].request_id),
        good[4],
    ]
    mixed = [order for pair in zip(wrong, good, strict=False) for order in pair] + good[len(wrong) :]
    outcomes = perform_many(many.session, many.people["officer"], mixed)
    assert one_by_one(one, "officer", mixed) == told(outcomes)
    assert [o.order for o in outcomes] == mixed
    assert contents(one) == contents(many)


def test_orders_that_name_no_request_or_create_something_are_a_mistake_of_the_caller(
    twins: tuple[Town, Town],
) -> None:
    one, _ = twins
    project = one.one("SELECT id FROM project LIMIT 1")
    for order in (
        Order("project.place_hold", project, {"reason": "x"}, ""),
        Order("payee.enter", project, {}, "r"),
    ):
        with pytest.raises(ValueError, match=r"request_id|creates"):
            perform_many(one.session, one.people["officer"], [order])


def test_no_orders_are_no_work(twins: tuple[Town, Town]) -> None:
    one, _ = twins
    seen: list[tuple[int, int]] = []
    assert (
        perform_many(one.session, one.people["officer"], [], progress=lambda a, b: seen.append((a, b))) == []
    )


def test_progress_ends_at_the_whole(twins: tuple[Town, Town]) -> None:
    one, _ = twins
    orders = every(one, "project", "project.place_hold", reason="x")
    seen: list[tuple[int, int]] = []
    perform_many(one.session, one.people["officer"], orders, progress=lambda a, b: seen.append((a, b)))
    assert seen[-1] == (len(orders), len(orders))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_subjects_of_several_programmes_go_in_one_set(twins: tuple[Town, Town]) -> None:
    for town in twins:
        small = town.publish(programme_text("small-grants"))
        town.apply(programme=small, code="SMALL")
    one, many = twins
    orders = every(one, "project", "project.place_hold", reason="x")
    assert one_by_one(one, "officer", orders) == told(
        perform_many(many.session, many.people["officer"], orders)
    )
    assert contents(one) == contents(many)


def newcomer(town: Town, seed: int) -> None:
    """Somebody with another role for each project, or none; evaluators and suspensions differ as well."""
    dice = random.Random(seed)
    id = uuid5(NAMESPACE, "test:newcomer")
    town.people["newcomer"] = Actor(id, fresh=True)
    conn = town.session.conn
    conn.execute(
        "INSERT INTO person (id, login, name, email, locale, active) "
        "VALUES (%s, 'newcomer', 'newcomer', 'n@example.org', 'zh', true)",
        (id,),
    )
    milestones = town.all("SELECT id, project_id, state FROM milestone ORDER BY id")
    for milestone, _, state in milestones:
        if state in ("planned", "returned") and dice.random() < 0.8:
            town.take("unit", "milestone.report", milestone, report="done")
        if state != "accepted" and dice.random() < 0.3:
            town.take("officer", "milestone.assign", milestone, evaluator_id=str(town.people["judge"].id))
    for n, project in enumerate(sorted({project for _, project, _ in milestones})):
        role = ("programme_officer", "evaluator", "applicant", None)[(n + seed) % 4]
        if role is not None:
            conn.execute(
                "INSERT INTO role_grant (id, person_id, role, project_id, granted_at) "
                "VALUES (%s, %s, %s, %s, %s)",
                (uuid5(id, str(project)), id, role, project, town.clock.now()),
            )
        if dice.random() < 0.2:
            town.take("officer", "project.suspend", project, reason="x")


@pytest.mark.parametrize("seed", range(2))
def test_subjects_that_share_their_words_get_their_own_answers(twins: tuple[Town, Town], seed: int) -> None:
    """What a set works out once is kept by all it depends on: no role or fact of one reaches another."""
    for town in twins:
        newcomer(town, seed)
    one, many = twins
    opinion, reason = {"opinion": "100% “good”\n"}, {"reason": "x"}
    ids = [row[0] for row in one.all("SELECT id FROM milestone ORDER BY id")]
    orders = [Order("milestone.accept", id, opinion, f"a%s:{id}") for id in ids]
    orders += [Order("milestone.waive", id, reason, f'w"ä\\:{id}') for id in ids]
    random.Random(seed).shuffle(orders)
    outcomes = perform_many(many.session, many.people["newcomer"], orders)
    assert one_by_one(one, "newcomer", orders) == told(outcomes)
    assert contents(one) == contents(many)
    found = many.all("SELECT role, body FROM event WHERE actor_id = %s", many.people["newcomer"].id)
    assert {role for role, _ in found} == {"programme_officer", "evaluator"}
    assert {word for words in told(outcomes) for word in words} >= {"not_found", "not_permitted"}
    for _, body in found:
        assert canonical(json.loads(body)) == bytes(body)

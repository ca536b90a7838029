"""Whoever comes at the same moment stands in line: one effect, and everybody else is told why not.

Real threads and real processes with connections of their own, let go together by a barrier:
M2 M3 M4 I1 I2 A2.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest

from milepost.actions import Actor, Order, Receipt, perform, perform_many
from milepost.clock import SimulatedClock
from milepost.db import Database, Session
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import START, Town, person_id, programme_text

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("race")

EIGHT = 8
TIMEOUT = 30


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found(programme=programme_text())
    made.vote()
    return made


@pytest.fixture(autouse=True)
def nothing_broken(town: Town) -> Iterator[None]:
    yield
    assert faults(town.session.conn) == []


@pytest.fixture(scope="module")
def crowd(town: Town) -> Iterator[Database]:
    """A pool with a connection for everybody who comes at once."""
    database = Database(town.database.url, clock=town.clock, pool_size=EIGHT + 2)
    with ThreadPoolExecutor(EIGHT) as warm:
        list(warm.map(lambda _: _touch(database), range(EIGHT)))
    yield database
    database.close()


def _touch(database: Database) -> None:
    with database.session() as session:
        session.conn.execute("SELECT pg_sleep(0.05)")


def together(crowd: Database, acts: list[Callable[[Session], Any]]) -> list[Any]:
    """Everybody at once; each gets the receipt, or the codes of the refusal."""
    barrier = Barrier(len(acts))

    def one(act: Callable[[Session], Any]) -> Any:
        with crowd.session() as session:
            barrier.wait(TIMEOUT)
            try:
                return act(session)
            except Refused as refused:
                return sorted(refusal.code for refusal in refused.refusals)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def step(who: Actor, name: str, subject: UUID | None, request: str, **input: Any) -> Callable[[Session], Any]:
    return lambda session: perform(session, who, name, subject, input, request)


def receipts(answers: list[Any]) -> list[Receipt]:
    return [answer for answer in answers if isinstance(answer, Receipt)]


# Threads ---------------------------------------------------------------------------------------------


def test_eight_people_releasing_one_payment_release_it_once(town: Town, crowd: Database) -> None:
    payment = town.payment("approved")
    project = town.one("SELECT project_id FROM payment WHERE id = %s", payment)
    for n in range(EIGHT):
        # For this project only: staff of the department review nothing.
        town.grant(f"expert{n + 1}", "finance_officer", project=project)
    people = [town.people[f"expert{n + 1}"] for n in range(EIGHT)]
    answers = together(
        crowd, [step(who, "payment.release", payment, f"rel{n}") for n, who in enumerate(people)]
    )
    assert len(receipts(answers)) == 1
    assert [a for a in answers if not isinstance(a, Receipt)] == [["wrong_state"]] * (EIGHT - 1)
    posted = town.one("SELECT count(*) FROM transfer WHERE payment_id = %s AND kind = 'post'", payment)
    assert posted == 1


def test_one_person_releasing_eight_times_releases_once(town: Town, crowd: Database) -> None:
    payment = town.payment("approved")
    finance = town.people["finance3"]
    answers = together(crowd, [step(finance, "payment.release", payment, f"r{n}") for n in range(EIGHT)])
    assert len(receipts(answers)) == 1
    assert town.one("SELECT count(*) FROM duty WHERE payment_id = %s AND duty = 'releaser'", payment) == 1


@pytest.mark.parametrize("noun", ["project", "call", "appropriation", "payee", "hold"])
def test_eight_times_one_request_is_one_effect_and_one_answer(town: Town, crowd: Database, noun: str) -> None:
    programme = str(town.programme.id)
    apply = {"code": "EIGHT", "title": "t", "programme_id": programme, "office_path": "/", "unit_name": "u"}
    apply |= {"leader_name": "l", "requested_minor": 5, "currency": "CNY"}
    call = {"programme_id": programme, "title": "c", "opens_on": "2025-03-03", "closes_on": "2025-04-03"}
    vote = {"programme_id": programme, "fiscal_year": 2077, "currency": "CNY", "amount_minor": 5}
    account = {"account_name": "a", "account_no": "123456", "bank_name": "b"}
    who, name, subject, input = {
        "project": ("unit", "project.apply", None, apply),
        "call": ("officer", "call.announce", None, call),
        "appropriation": ("finance1", "appropriation.propose", None, vote),
        "payee": ("unit", "payee.enter", town.apply(), account),
        "hold": ("officer", "project.place_hold", town.apply(), {"reason": "x"}),
    }[noun]
    act = step(town.people[who], name, subject, f"one-{noun}", **input)
    answers = together(crowd, [act] * EIGHT)
    assert len(receipts(answers)) == EIGHT, answers
    assert len({receipt.hash for receipt in answers}) == 1
    assert sorted(receipt.repeated for receipt in answers) == [False] + [True] * (EIGHT - 1)


def test_one_request_id_with_eight_inputs_has_one_effect(town: Town, crowd: Database) -> None:
    project, officer = town.apply(), town.people["officer"]
    acts = [step(officer, "project.place_hold", project, "same", reason=str(n)) for n in range(EIGHT)]
    answers = together(crowd, acts)
    assert len(receipts(answers)) == 1
    assert [a for a in answers if not isinstance(a, Receipt)] == [["request_reused"]] * (EIGHT - 1)


def test_one_code_for_eight_applications_is_given_once(town: Town, crowd: Database) -> None:
    given = {"title": "t", "programme_id": str(town.programme.id), "office_path": "/", "unit_name": "u"}
    given |= {"leader_name": "l", "requested_minor": 5, "currency": "CNY", "code": "RACED"}
    unit = town.people["unit"]
    answers = together(crowd, [step(unit, "project.apply", None, f"code{n}", **given) for n in range(EIGHT)])
    assert len(receipts(answers)) == 1
    assert [a for a in answers if not isinstance(a, Receipt)] == [["exists_already"]] * (EIGHT - 1)


def test_money_for_one_of_two_tranches_goes_to_one(found: Found) -> None:
    """M2: both find the gate open, one finds the money gone, and is told how much there is."""
    poor = found()
    poor.vote(1_000_000)
    first, second = (poor.payment("due") for _ in range(2))
    amount = poor.one("SELECT amount_minor FROM payment WHERE id = %s", first)
    spend = poor.payment("due", project=poor.funded(requested=1_500_000))
    poor.take("finance4", "payment.request", spend)
    left = 1_000_000 - poor.one("SELECT amount_minor FROM payment WHERE id = %s", spend)
    assert amount <= left < 2 * amount
    database = Database(poor.database.url, clock=poor.clock, pool_size=4)
    finance = [poor.people["finance1"], poor.people["finance2"]]
    answers = together(
        database,
        [step(finance[n], "payment.request", p, f"m{n}") for n, p in enumerate((first, second))],
    )
    database.close()
    assert len(receipts(answers)) == 1
    assert ["appropriation_exhausted"] in answers
    assert faults(poor.session.conn) == []


def test_the_loser_of_a_race_for_money_is_told_the_true_figures(found: Found) -> None:
    poor = found()
    poor.vote(500_000)
    payments = [poor.payment("due") for _ in range(2)]
    database = Database(poor.database.url, clock=poor.clock, pool_size=2)

    def asking(n: int) -> Callable[[Session], Any]:
        def act(session: Session) -> str:
            try:
                perform(session, poor.people[f"finance{n + 1}"], "payment.request", payments[n], {}, f"l{n}")
            except Refused as refused:
                return refused.refusals[0].fact("en")
            return ""

        return act

    told = together(database, [asking(0), asking(1)])
    database.close()
    assert sorted(told)[0] == ""
    assert "1,000.00 CNY" in sorted(told)[1] and "4,000.00 CNY" in sorted(told)[1]


def test_a_payee_changed_while_a_payment_is_approved_leaves_nothing_bound_to_the_old(
    town: Town, crowd: Database
) -> None:
    """I2: whichever comes first, no approved payment names an account that is not the project's."""
    for n in range(4):
        project = town.funded()
        payment = town.payment("requested", project=project)
        entry = {"account_name": "N", "account_no": "777777", "bank_name": "B"}
        payee = town.take("unit", "payee.enter", project, **entry).subject_id
        answers = together(
            crowd,
            [
                step(town.people["finance5"], "payee.verify", payee, f"v{n}"),
                step(town.people["finance2"], "payment.approve", payment, f"a{n}"),
            ],
        )
        assert isinstance(answers[0], Receipt)
        assert isinstance(answers[1], Receipt) or answers[1] == ["wrong_state"]
        assert town.state("payment", payment) == "void"
        bound = town.one(
            "SELECT count(*) FROM payment y JOIN project p ON p.id = y.project_id WHERE p.id = %s "
            "AND y.state IN ('requested', 'approved', 'released') AND y.payee_id <> p.payee_id",
            project,
        )
        assert bound == 0


def test_a_hold_and_a_release_at_once_leave_one_order_of_things(town: Town, crowd: Database) -> None:
    for n in range(4):
        project = town.funded()
        payment = town.payment("approved", project=project)
        answers = together(
            crowd,
            [
                step(town.people["supervisor"], "project.place_hold", project, f"h{n}", reason="x"),
                step(town.people["finance3"], "payment.release", payment, f"hr{n}"),
            ],
        )
        assert isinstance(answers[0], Receipt)
        released = isinstance(answers[1], Receipt)
        assert released == (town.state("payment", payment) == "released")
        # Released before the hold: then it stops at the bank's door.
        assert released or answers[1] == ["on_hold"]
        if released:
            with pytest.raises(Refused, match="on_hold"):
                town.take("system", "payment.instruct", payment)


def test_a_role_taken_back_meanwhile_ends_what_it_allowed(town: Town, crowd: Database) -> None:
    """A step sees the role or does not: what begins after the taking back is not done."""
    project = town.apply()
    grant = town.grant("nobody", "programme_officer", "/city/")
    clerk = town.people["nobody"]

    def revoke(session: Session) -> None:
        session.conn.execute("UPDATE role_grant SET revoked_at = now() WHERE id = %s", (grant,))

    acts: list[Callable[[Session], Any]] = [revoke]
    acts += [step(clerk, "project.place_hold", project, f"role{n}", reason="x") for n in range(EIGHT - 1)]
    answers = together(crowd, acts)
    done = len(receipts(answers))
    assert all(a is None or isinstance(a, Receipt) or a == ["not_found"] for a in answers)
    assert town.one("SELECT holds FROM project WHERE id = %s", project) == done
    with pytest.raises(Refused, match="not_found"):
        perform(town.session, clerk, "project.place_hold", project, {"reason": "x"}, "after")


def test_all_eight_write_into_one_chain_and_it_stays_linear(town: Town, crowd: Database) -> None:
    project = town.apply()
    officer = town.people["officer"]

    def ten(n: int) -> Callable[[Session], Any]:
        def act(session: Session) -> None:
            for m in range(10):
                perform(session, officer, "project.place_hold", project, {"reason": "x"}, f"line{n}-{m}")

        return act

    before = town.one("SELECT seq FROM chain WHERE id = %s", project)
    together(crowd, [ten(n) for n in range(EIGHT)])
    assert town.one("SELECT seq FROM chain WHERE id = %s", project) == before + 10 * EIGHT
    assert town.one("SELECT holds FROM project WHERE id = %s", project) == 10 * EIGHT


def test_steps_of_two_projects_under_one_call_do_not_wait_for_each_other(town: Town) -> None:
    """The lock is the project's own; a long step of one keeps nobody else waiting."""
    one, other = town.apply(), town.apply()
    with psycopg.connect(town.database.url) as held:
        held.execute("SELECT 1 FROM chain WHERE id = %s FOR UPDATE", (one,))
        town.session.conn.execute("SET lock_timeout = '300ms'")
        town.take("officer", "project.place_hold", other, reason="x")
        with pytest.raises(Refused, match="subject_busy"):
            town.take("officer", "project.place_hold", one, reason="x")
        town.session.conn.execute("SET lock_timeout = '10s'")


# Processes --------------------------------------------------------------------------------------------------


def _process(url: str, who: UUID, orders: list[Order], many: bool, gate: Any, answers: Any) -> None:
    """What each process does: wait for the other, then take all orders."""
    database = Database(url, clock=SimulatedClock(START), pool_size=1)
    try:
        with database.session() as session:
            gate.wait(TIMEOUT)
            actor, said = Actor(who, fresh=True), []
            if many:
                for outcome in perform_many(session, actor, orders):
                    said.append(outcome.receipt.hash if outcome.receipt else outcome.refusals[0].code)
            else:
                for order in orders:
                    try:
                        receipt = perform(
                            session, actor, order.step, order.subject_id, order.input, order.request_id
                        )
                        said.append(receipt.hash)
                    except Refused as refused:
                        said.append(refused.refusals[0].code)
            answers.put(said)
    finally:
        database.close()


def processes(town: Town, who: UUID, work: list[tuple[list[Order], bool]]) -> list[list[str]]:
    context = multiprocessing.get_context("spawn")
    gate, answers = context.Barrier(len(work)), context.Queue()
    started = [
        context.Process(target=_process, args=(town.database.url, who, orders, many, gate, answers))
        for orders, many in work
    ]
    for process in started:
        process.start()
    said = [answers.get(timeout=60) for _ in started]
    for process in started:
        process.join(TIMEOUT)
        assert process.exitcode == 0
    return said


@pytest.mark.parametrize(
    "many", [(True, True), (True, False), (False, False)], ids=["sets", "mixed", "single"]
)
def test_two_processes_doing_the_same_have_one_effect_for_each_fact(
    town: Town, many: tuple[bool, bool]
) -> None:
    name = "-".join(map(str, many))
    projects = [town.apply() for _ in range(12)]
    orders = [
        Order("project.place_hold", p, {"reason": "x"}, f"{name}:{p}:{n}") for p in projects for n in range(3)
    ]
    backwards = list(reversed(orders))
    said = processes(town, person_id("officer"), [(orders, many[0]), (backwards, many[1])])
    # Under one request id both were given the same receipt.
    assert sorted(said[0]) == sorted(said[1])
    assert len(set(said[0])) == len(orders)
    for project in projects:
        assert town.one("SELECT holds FROM project WHERE id = %s", project) == 3


def test_two_processes_with_requests_of_their_own_do_what_can_be_done_once(town: Town) -> None:
    projects = [town.apply() for _ in range(12)]
    work = [
        ([Order("project.withdraw", p, {"reason": "x"}, f"own{n}:{p}") for p in projects], n == 0)
        for n in range(2)
    ]
    said = processes(town, person_id("unit"), work)
    for codes in zip(*said, strict=True):
        assert len(codes) == 2
    done = [code for codes in said for code in codes if code != "wrong_state"]
    assert len(done) == len(projects)
    assert all(town.state("project", p) == "withdrawn" for p in projects)

"""The measurements measure what they say: contenders leave the same rows, copies are true, answers agree.

Every piece runs here at a tiny size. Nothing is timed: how fast it is, is for ``make bench`` to say.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import math
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from bench import accept, many, payment_stage, reads, release, single
from bench.lines import Line, take_turns
from bench.office import START, Office
from bench.server import database as bench_database
from bench.sizes import TINY, Sizes
from milepost.clock import SimulatedClock
from milepost.embedded import EmbeddedPostgres
from milepost.evidence.chain import Link, check_chain
from states.machines import static_machines

HAS_VIEWFLOW = importlib.util.find_spec("viewflow") is not None
Measure = Callable[[EmbeddedPostgres, Sizes], list[Line]]


@pytest.fixture
def office(server: EmbeddedPostgres) -> Iterator[Office]:
    clock = SimulatedClock(START)
    with bench_database(server, "test", clock) as database:
        opened = Office(database, clock, programmes=2)
        opened.open()
        yield opened


# -- lines ---------------------------------------------------------------------------------------------------


def test_contenders_take_turns_and_every_other_round_in_reverse() -> None:
    order: list[str] = []

    def show(name: str, figure: float) -> Callable[[], float]:
        return lambda: order.append(name) or figure  # type: ignore[func-returns-value]

    turns = take_turns({"a": show("a", 6.0), "b": show("b", 2.0)}, rounds=2)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert turns.figures == {"a": [6.0, 6.0], "b": [2.0, 2.0]}
    assert turns.ratio("a", "b") == 3.0


@pytest.mark.parametrize(
    ("bound", "ratio", "met"),
    [
        ("at least", 2.0, True),
        ("at least", 1.9, False),
        ("at most", 2.0, True),
        ("at most", 2.1, False),
        ("above", 2.0, False),
        ("above", 2.1, True),
    ],
)
def test_a_goal_is_met_on_its_side(bound: Any, ratio: float, met: bool) -> None:
    assert Line("x", ratio, "a / b", 2.0, bound).met is met


def test_a_line_without_a_goal_is_neither_met_nor_missed() -> None:
    assert Line("x", 1.0, "a / b").met is None


# -- the stage -----------------------------------------------------------------------------------------------


def test_a_copied_project_has_a_true_chain_of_its_own(office: Office) -> None:
    release.approved_payments(office, 8, programmes=2)
    with psycopg.connect(office.database.url) as conn:
        chains = conn.execute("SELECT id, seq, head FROM chain WHERE kind = 'project'").fetchall()
        assert len(chains) == 3
        for id, seq, head in chains:
            rows = conn.execute(
                "SELECT seq, prev_hash, body, hash FROM event WHERE chain_id = %s ORDER BY seq", (id,)
            )
            assert check_chain(id, [Link(*row) for row in rows], head=(seq, head)) == []


_LEFT = {
    "event": "chain_id = %(project)s AND step = 'payment.release' AND subject_id = %(payment)s",
    "payment": "id = %(payment)s",
    "duty": "payment_id = %(payment)s",
    "transfer": "payment_id = %(payment)s",
    "deadline": "subject_id = %(payment)s",
    "message": "source LIKE 'event:' || %(project)s || '%%' AND template = 'payment_released'",
    "account": "owner_id = %(project)s",
}
# What names a row or a moment of its own; the body differs by those names alone.
_OWN = {
    "id",
    "chain_id",
    "subject_id",
    "payment_id",
    "project_id",
    "owner_id",
    "tranche_id",
    "milestone_id",
    "payee_id",
    "appropriation_id",
    "hold_transfer_id",
    "post_transfer_id",
    "pending_id",
    "debit_id",
    "credit_id",
    "request_id",
    "source",
    "message_id",
    "context",
    "body",
    "fingerprint",
    "prev_hash",
    "hash",
    "xid",
}


def _left_by(conn: psycopg.Connection[Any], waiting: release.Waiting) -> dict[str, Any]:
    found: dict[str, Any] = {}
    given = {"project": str(waiting.project), "payment": str(waiting.payment)}
    cursor = conn.cursor(row_factory=dict_row)
    for table, where in _LEFT.items():
        rows = cursor.execute(f'SELECT * FROM "{table}" WHERE {where}', given).fetchall()
        kept = [{key: value for key, value in row.items() if key not in _OWN} for row in rows]
        found[table] = sorted(map(repr, kept))
        assert found[table], table
    return found


def test_the_bare_transaction_writes_the_rows_that_perform_writes(office: Office) -> None:
    by_perform, by_hand = release.approved_payments(office, 8, programmes=2)
    # Of one milestone each, so that all that differs between them is whose they are.
    ours, theirs = by_perform[0], by_hand[0]
    bare = release.Bare(
        static_machines()["payment"].id, office.clock.now(), office.clock.today() + dt.timedelta(days=2)
    )
    with office.database.session() as session:
        release.by_perform(session, ours)
        bare.release(session.conn, theirs)
        assert _left_by(session.conn, ours) == _left_by(session.conn, theirs)


def test_one_by_one_and_set_by_set_accept_every_milestone(office: Office) -> None:
    reported = accept.reported_milestones(office, together=12, singly=3)
    with office.database.session() as session:
        accept.one_by_one(session, reported.singly)
        accept.set_by_set(session, reported.together)
        ids: list[UUID] = [*reported.singly, *reported.together]
        rows = session.conn.execute("SELECT state FROM milestone WHERE id = ANY(%s)", (ids,)).fetchall()
        sent = session.conn.execute(
            "SELECT count(*) FROM message WHERE template = 'milestone_accepted'"
        ).fetchone()
    assert [row[0] for row in rows] == ["accepted"] * 15
    assert sent == (15,)


# -- the lines, tiny -----------------------------------------------------------------------------------------


def _figures(lines: list[Line]) -> list[str]:
    for line in lines:
        assert line.ratio is not None
        assert math.isfinite(line.ratio)
        assert line.compared.count(" / ") >= 1 or "exponent" in line.compared
        kept = line.as_json({"python": "3"})
        assert {"name", "ratio", "goal", "met", "compared", "versions", "raw"} <= kept.keys()
    return [line.name for line in lines]


def test_perform_is_held_against_the_bare_transaction(server: EmbeddedPostgres) -> None:
    lines = single.measure(server, TINY)
    assert _figures(lines) == ["perform, 1 client", "perform, 4 clients"]
    assert [line.goal for line in lines] == [0.6, 0.5]
    assert lines[0].raw["processes"]["ratio"] > 0


def test_perform_many_is_held_against_perform(server: EmbeddedPostgres) -> None:
    assert _figures(many.measure(server, TINY)) == ["perform_many"]


def test_the_check_is_held_against_the_question_by_hand_and_they_agree(server: EmbeddedPostgres) -> None:
    # Whether check and query give the same answer for every payment is asserted while measuring.
    assert _figures(payment_stage.measure(server, TINY)) == [
        "payment-stage check in full",
        "payment-stage check, little changed",
        "growth of the check, full",
        "growth of the check, changed",
    ]


def test_available_is_held_against_the_bare_row(server: EmbeddedPostgres) -> None:
    assert _figures(reads.measure(server, TINY)) == ["available() on a project"]


@pytest.mark.skipif(not HAS_VIEWFLOW, reason="django-viewflow is installed for `make bench` only")
def test_a_step_is_held_against_django_viewflow(server: EmbeddedPostgres) -> None:
    from bench import beside_viewflow

    assert _figures(beside_viewflow.measure(server, TINY)) == [
        "django-viewflow FSM",
        "django-viewflow human task",
        "django-viewflow process",
    ]

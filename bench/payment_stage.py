"""Line 3: the payment-stage check against the bare SQL that answers the same question, and how both grow."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import psycopg

from bench import waiting
from bench.lines import Line, Turns, take_turns
from bench.office import START, Office
from bench.server import database
from bench.sizes import Sizes
from milepost.clock import SimulatedClock
from milepost.db import Session
from milepost.embedded import EmbeddedPostgres
from milepost.work.checks import check_payments

ASKED = (
    "one hand-written SQL query that answers which of them have every gate open and which codes block the "
    "others, its rows fetched"
)
FULL = (
    "check_payments(full=True) over {n} waiting tranches: every gate of every payment asked, the findings "
    "compared with those on record / " + ASKED
)
CHANGED = (
    "check_payments() over {n} waiting tranches after something happened in {changed} projects: found, "
    "asked, recorded, people told / " + ASKED + " for all of them"
)
GROWTH = "exponent x of cost ~ n^x from {low} to {high} waiting tranches, {what}; 1 is linear"
LINEAR = 1.1


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """The three sizes one after the other; the goals are held against the middle one."""
    found = {n: _at(server, sizes, n) for n in sizes.waiting}
    low, middle, high = sizes.waiting
    at, first = found[middle]
    raw = {"unit": "seconds a check", "n": middle, "projects_changed": _changed(sizes, middle)}
    raw |= {"first_check_s": round(first, 3), **at.as_json()}
    changed = CHANGED.format(n=middle, changed=_changed(sizes, middle))
    lines = [
        Line(
            "payment-stage check in full",
            at.ratio("full", "bare"),
            FULL.format(n=middle),
            8.0,
            "at most",
            raw,
        ),
        Line(
            "payment-stage check, little changed", at.ratio("changed", "bare"), changed, 3.0, "at most", raw
        ),
    ]
    for what, words in (("full", "in full"), ("changed", "with one project in 200 changed")):
        costs = {n: found[n][0].median(what) for n in sizes.waiting}
        exponent = math.log(costs[high] / costs[low]) / math.log(high / low)
        compared = GROWTH.format(low=low, high=high, what=words)
        per_row = {str(n): cost / n for n, cost in costs.items()}
        bare = {str(n): found[n][0].median("bare") / n for n in sizes.waiting}
        figures = {"unit": "seconds a waiting tranche", "check": per_row, "bare": bare, "at": _detail(found)}
        lines.append(Line(f"growth of the check, {what}", exponent, compared, LINEAR, "at most", figures))
    return lines


def _detail(found: dict[int, tuple[Turns, float]]) -> dict[str, Any]:
    return {
        str(n): {**turns.as_json(), "first_check_s": round(first, 3)} for n, (turns, first) in found.items()
    }


def _changed(sizes: Sizes, payments: int) -> int:
    return max(1, sizes.changed * payments // sizes.waiting[1])


def _timed(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _at(server: EmbeddedPostgres, sizes: Sizes, payments: int) -> tuple[Turns, float]:
    """Seconds of the check in full, after little changed, and of the bare query; and of the very first."""
    rounds = sizes.rounds if payments <= sizes.waiting[1] else min(2, sizes.rounds)
    changed = _changed(sizes, payments)
    clock = SimulatedClock(START)
    with database(server, "waiting", clock) as db:
        office = Office(db, clock)
        office.open()
        waits = waiting.waiting_payments(office, payments, changed * (rounds + 1))
        with db.session() as session, psycopg.connect(db.url, autocommit=True) as reader:
            first = _timed(lambda: check_payments(session, full=True))
            _agree(session, office)

            def after_change() -> float:
                waits.happen(session, changed)
                return _timed(lambda: check_payments(session))

            turns = take_turns(
                {
                    "changed": after_change,
                    "full": lambda: _timed(lambda: check_payments(session, full=True)),
                    "bare": lambda: _timed(lambda: waiting.ask(reader, office)),
                },
                rounds,
            )
            _agree(session, office)
    return turns, first


def _agree(session: Session, office: Office) -> None:
    """What the check has on record is what the query by hand answers, payment by payment."""
    rows = session.conn.execute("SELECT payment_id, blocked::text FROM payment_check").fetchall()
    recorded = {id: ",".join(entry["code"] for entry in json.loads(blocked)) for id, blocked in rows}
    assert recorded == waiting.ask(session.conn, office), "check and query answer differently"

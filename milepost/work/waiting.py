"""Reads the payments that wait, with what their gates need, in batches: one query, bounded memory.

A full check streams one query, so that the planner joins once for all payments and the database reads on
while a batch is judged. A check of what changed first asks for the ids, of which there are few.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby, islice, pairwise
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo

from milepost.cases import PAYMENT_JOINS
from milepost.db import Session
from milepost.work.verdicts import Layout

WAITING = "s.state IN ('planned', 'due')"
FEW = 20_000
"""Up to so many changed payments are read by their ids; beyond, all are read in one pass."""

_SPAN = "s.id >= %(low)s AND s.id <= %(high)s"
_CHANGED = """(k.payment_id IS NULL OR k.chain_seq <> c.seq OR k.recheck_on <= %(today)s
  OR (k.funds_mark <> 0 AND k.funds_mark <> ALL(%(marks)s::bigint[])))"""
_BESIDE = "JOIN chain c ON c.id = s.project_id LEFT JOIN payment_check k ON k.payment_id = s.id"
_TAIL = "uuid_send(s.id), s.version, c.seq, k.chain_seq, k.recheck_on, k.funds_mark, k.blocked::text"


@dataclass(frozen=True, slots=True)
class Span:
    """A range of payment ids, both ends included: a slice of the work that another process may take."""

    low: UUID
    high: UUID


EVERY = Span(UUID(int=0), UUID(int=2**128 - 1))


def spans(count: int) -> list[Span]:
    """All ids in ``count`` ranges of equal width."""
    edges = [2**128 * n // count for n in range(count + 1)]
    return [Span(UUID(int=a), UUID(int=b - 1)) for a, b in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A waiting payment: its chain's end, and what the last check wrote (``seq`` None: nothing yet)."""

    id: UUID
    version: int
    chain_seq: int
    seq: int | None
    recheck_on: Any
    mark: int | None
    blocked: str | None

    @classmethod
    def of(cls, tail: Sequence[Any]) -> Recorded:
        """From the end of a row."""
        return cls(UUID(bytes=tail[0]), *tail[1:])


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True) or 1


@dataclass(frozen=True, slots=True)
class Marks:
    """Numbers that change when the appropriations of a programme do, by any of them.

    ``none`` is the one for payments that no appropriation reaches: they look again when there is another.
    """

    current: list[int]
    none: int
    of: Mapping[UUID, int]

    def mark(self, funds_id: UUID | None) -> int:
        """The mark of a payment that would draw on this appropriation; one voted since is not known here."""
        return self.none if funds_id is None else self.of.get(funds_id, self.none)

    @classmethod
    def read(cls, session: Session) -> Marks:
        """What the appropriations of the year are worth now."""
        year = session.clock.today().year
        rows = session.conn.execute(
            "SELECT a.programme_code, a.currency, a.id, ac.credits_posted - ac.debits_posted - "
            "ac.debits_pending FROM appropriation a JOIN account ac ON ac.kind = 'appropriation' AND "
            "ac.owner_id = a.id WHERE a.fiscal_year = %s AND a.state = 'voted' ORDER BY 1, 2, 3",
            (year,),
        ).fetchall()
        none = _digest(f"none:{year}:{[(code, money, id) for code, money, id, _ in rows]}")
        of: dict[UUID, int] = {}
        # A payment that no purse holds may be paid from any that grows, so all of a programme share a mark.
        for _, group in groupby(rows, key=lambda row: row[:2]):
            purses = list(group)
            mark = _digest(f"{[(id, left) for _, _, id, left in purses]}")
            of.update({id: mark for _, _, id, _ in purses})
        return cls([*dict.fromkeys(of.values()), none], none, of)


def count_waiting(conn: psycopg.Connection[Any], span: Span | None = None) -> int:
    """How many payments wait."""
    given = span or EVERY
    row = conn.execute(
        f"SELECT count(*) FROM payment s WHERE {WAITING} AND {_SPAN}", {"low": given.low, "high": given.high}
    ).fetchone()
    assert row is not None
    return int(row[0])


def anything_changed(session: Session) -> bool:
    """Whether a check of what changed would find a payment to examine."""
    params = {"today": session.clock.today(), "marks": Marks.read(session).current}
    row = session.conn.execute(
        f"SELECT EXISTS (SELECT 1 FROM payment s {_BESIDE} WHERE {WAITING} AND {_CHANGED})", params
    ).fetchone()
    return bool(row and row[0])


def batches(
    session: Session, layout: Layout, marks: Marks, *, full: bool, span: Span, size: int
) -> Iterator[Sequence[Sequence[Any]]]:
    """The rows to judge, ``size`` at a time: the layout's columns, then those of ``Recorded``."""
    today = session.clock.today()
    params = {
        "low": span.low,
        "high": span.high,
        "today": today,
        "year": today.year,
        "marks": marks.current,
    }
    if full:
        yield from _scanned(session.conn, _query(layout, WAITING), params, size)
        return
    changed = f"{WAITING} AND {_CHANGED}"
    ids = session.conn.execute(
        f"SELECT s.id FROM payment s {_BESIDE} WHERE {changed} AND {_SPAN} LIMIT {FEW + 1}", params
    ).fetchall()
    if len(ids) > FEW:
        yield from _scanned(session.conn, _query(layout, changed), params, size)
        return
    # Asked again by what was true of them, because another check may have come first.
    sql = _query(layout, f"{changed} AND s.id = ANY(%(ids)s)")
    for start in range(0, len(ids), size):
        params["ids"] = [row[0] for row in ids[start : start + size]]
        yield _fetch(session.conn, sql, params)


def _query(layout: Layout, where: str) -> str:
    return (
        f"SELECT {', '.join(layout.columns)}, {_TAIL} FROM payment s "
        f"JOIN project p ON p.id = s.project_id {_BESIDE} {PAYMENT_JOINS} WHERE {where} AND {_SPAN}"
    )


def _fetch(conn: psycopg.Connection[Any], sql: str, params: Any = None) -> list[Any]:
    with conn.cursor(binary=True) as cursor:
        return cursor.execute(sql, params, prepare=False).fetchall()


def _scanned(
    conn: psycopg.Connection[Any], sql: str, params: dict[str, Any], size: int
) -> Iterator[Sequence[Sequence[Any]]]:
    """Stream the rows over a connection of its own, so that the other one writes meanwhile."""
    with psycopg.connect(
        make_conninfo(conn.info.dsn, password=conn.info.password or None), autocommit=True
    ) as reader:
        # Enough to join in memory; a plan that runs this long gains nothing from being compiled.
        reader.execute("SET work_mem = '64MB'; SET jit = off; SET idle_in_transaction_session_timeout = 0")
        with (
            reader.cursor(binary=True) as cursor,
            closing(_stream(cursor, sql, params, size)) as rows,
        ):
            while batch := list(islice(rows, size)):
                yield batch


def _stream(
    cursor: psycopg.Cursor[Any], sql: str, params: dict[str, Any], size: int
) -> Generator[Sequence[Any], None, None]:
    yield from cursor.stream(sql, params, binary=True, size=min(size, 1000))


__all__ = [
    "EVERY",
    "FEW",
    "Marks",
    "Recorded",
    "Span",
    "anything_changed",
    "batches",
    "count_waiting",
    "spans",
]

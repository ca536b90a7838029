"""What a set works out once is what each order would have worked out for itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.alike import Alike
from milepost.decisions import Order, fingerprint_of
from milepost.writes import Json, execute, packed
from tests.conftest import DatabaseUrls

WORDS = st.text(max_size=20)
INPUTS = st.dictionaries(WORDS, st.one_of(st.none(), st.booleans(), st.integers(), WORDS, st.lists(WORDS)))


@given(
    INPUTS, st.lists(st.tuples(st.sampled_from(["a.b", "a.c"]), st.one_of(st.none(), st.uuids())), min_size=1)
)
def test_a_fingerprint_is_that_of_step_subject_and_input_in_sorted_json(
    input: dict[str, Any], asked: list[tuple[str, UUID | None]]
) -> None:
    """However many orders share the input, and whether the set remembers it or not."""
    alike = Alike()
    for step, subject in asked:
        order = Order(step, subject, input, "r")
        given = {"step": step, "subject": str(subject) if subject else None, "input": input}
        text = json.dumps(given, sort_keys=True, ensure_ascii=False)
        if any("\ud800" <= c <= "\udfff" for c in text):
            continue
        expected = hashlib.sha256(text.encode()).digest()
        assert fingerprint_of(order) == fingerprint_of(order, alike) == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["x", "y"])), max_size=30))
def test_an_answer_belongs_to_all_that_was_given(asked: list[tuple[int, str]]) -> None:
    things = [[0], [0], [1], {"k": 0}]
    alike, computed = Alike(), []

    def answer(thing: object, word: str) -> tuple[int, str]:
        computed.append((id(thing), word))
        return id(thing), word

    for which, word in asked:
        # The same text in another object is the same text; an equal list in another object is another one.
        thing = things[which]
        assert alike.once(answer, thing, "".join([word])) == (id(thing), word)
    assert len(computed) == len(set(computed)) == len(set(asked))


def test_an_object_that_is_gone_leaves_its_answer_to_no_other() -> None:
    """A new object may get the number of one that was freed: what was given is held on to."""
    alike = Alike()
    for n in range(1000):
        assert alike.once(list.copy, [n]) == [n]


def test_what_was_refused_is_asked_again() -> None:
    alike = Alike()
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            alike.once(int, "no number")


@pytest.fixture
def conn(database_urls: DatabaseUrls) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_urls.app, autocommit=True) as conn:
        yield conn


EAST = timezone(timedelta(hours=8))
ONE = uuid4()
COLUMNS: list[tuple[str, list[Any], list[Any]]] = [
    ("uuid", [ONE, str(ONE), None], [ONE, ONE, None]),
    ("bigint", [0, -(2**63), 2**63 - 1, None], [0, -(2**63), 2**63 - 1, None]),
    ("integer", [0, -(2**31), 2**31 - 1], [0, -(2**31), 2**31 - 1]),
    ("boolean", [True, False, None], [True, False, None]),
    (
        "date",
        [date(1, 1, 1), date(9999, 12, 31), "2024-02-29"],
        [date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29)],
    ),
    (
        "timestamptz",
        [datetime(1999, 12, 31, 23, 59, 59, 999999, UTC), datetime(2025, 4, 7, 8, 0, 0, 1, EAST), None],
        [datetime(1999, 12, 31, 23, 59, 59, 999999, UTC), datetime(2025, 4, 7, 0, 0, 0, 1, UTC), None],
    ),
    ("bytea", [b"", bytes(range(256)), None], [b"", bytes(range(256)), None]),
    ("jsonb", [{"a": ["中", 1, None]}, [], Json('{"b": "\\""}')], [{"a": ["中", 1, None]}, [], {"b": '"'}]),
    ("text", ["", "NULL", '{"a,\\}', "中文", None], ["", "NULL", '{"a,\\}', "中文", None]),
    ("text", ["same"] * 5, ["same"] * 5),
    ("text", [None] * 5, [None] * 5),
    ("text", [], []),
]


@pytest.mark.parametrize(("type_", "values", "read"), COLUMNS)
def test_the_database_reads_the_column_that_was_packed(
    conn: psycopg.Connection[Any], type_: str, values: list[Any], read: list[Any]
) -> None:
    conn.execute("SET timezone = 'UTC'")
    rows = execute(conn, f"SELECT x FROM unnest(%s::{type_}[]) x", (packed(type_, values),)).fetchall()
    assert [row[0] for row in rows] == read


@pytest.mark.parametrize(("type_", "value"), [("integer", 2**31), ("bigint", -(2**63) - 1)])
def test_a_number_too_large_for_its_column_is_an_error_of_the_data(type_: str, value: int) -> None:
    with pytest.raises(psycopg.DataError):
        packed(type_, [value, 0])

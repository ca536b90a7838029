"""One statement for all that a step leaves behind: events, states, rows, transfers, messages.

The database checks the whole at the end of the statement, so its parts cannot be seen, or lost, singly.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from psycopg.abc import Buffer, Params
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.json import Jsonb
from sqlalchemy import BigInteger, Boolean, Date, DateTime, Integer, LargeBinary, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from schema.tables import metadata

_TYPES = (
    (BigInteger, "bigint"),
    (Integer, "integer"),
    (Boolean, "boolean"),
    (DateTime, "timestamptz"),
    (Date, "date"),
    (LargeBinary, "bytea"),
    (Uuid, "uuid"),
    (JSONB, "jsonb"),
)
# Accounts may be there already: the treasury serves every year.
_IF_MISSING = frozenset({"account"})
_ONE_BY_ONE = 4  # up to here the rows are written out; beyond, they travel as arrays


@lru_cache(maxsize=1024)
def column_type(table: str, column: str) -> str:
    """PostgreSQL's name for a column's type."""
    kind = metadata.tables[table].columns[column].type
    return next((name for type_, name in _TYPES if isinstance(kind, type_)), "text")


@lru_cache(maxsize=2048)
def _insert(table: str, columns: tuple[str, ...], rows: int) -> str:
    names = ", ".join(f'"{c}"' for c in columns)
    types = [column_type(table, c) for c in columns]
    if rows <= _ONE_BY_ONE:
        one = "(" + ", ".join(f"%s::{t}" for t in types) + ")"
        source = "VALUES " + ", ".join([one] * rows)
    else:
        source = "SELECT * FROM unnest(" + ", ".join(f"%s::{t}[]" for t in types) + ")"
    tail = " ON CONFLICT DO NOTHING" if table in _IF_MISSING else ""
    return f'INSERT INTO "{table}" ({names}) {source}{tail}'


@lru_cache(maxsize=2048)
def _update(table: str, columns: tuple[str, ...], rows: int) -> str:
    types = ["uuid", *(column_type(table, c) for c in columns)]
    sets = ", ".join(f'"{c}" = u."{c}"' for c in columns)
    names = ", ".join(f'"{c}"' for c in ("id", *columns))
    if rows == 1:
        sets = ", ".join(f'"{c}" = %s::{t}' for c, t in zip(columns, types[1:], strict=True))
        return f'UPDATE "{table}" SET {sets} WHERE id = %s::uuid'
    if rows <= _ONE_BY_ONE:
        one = "(" + ", ".join(f"%s::{t}" for t in types) + ")"
        source = "(VALUES " + ", ".join([one] * rows) + ")"
    else:
        source = "unnest(" + ", ".join(f"%s::{t}[]" for t in types) + ")"
    return f'UPDATE "{table}" t SET {sets} FROM {source} AS u({names}) WHERE t.id = u.id'


_CLOSE_ONE = "UPDATE deadline SET closed_seq = %s WHERE subject_id = %s AND closed_seq IS NULL"
_CLOSE_MANY = (
    "UPDATE deadline d SET closed_seq = u.seq FROM unnest(%s::uuid[], %s::bigint[]) AS u(subject_id, seq) "
    "WHERE d.subject_id = u.subject_id AND d.closed_seq IS NULL"
)


class WriteSet:
    """Collects rows and changes, then writes them in one statement."""

    __slots__ = ("_closed", "_inserts", "_updates")

    def __init__(self) -> None:
        self._inserts: dict[tuple[str, tuple[str, ...]], list[tuple[Any, ...]]] = {}
        self._updates: dict[tuple[str, UUID], dict[str, Any]] = {}
        self._closed: list[tuple[UUID, int]] = []

    def insert(self, table: str, row: dict[str, Any]) -> None:
        """Add a row."""
        columns = tuple(row)
        self._inserts.setdefault((table, columns), []).append(tuple(row.values()))

    def update(self, table: str, id: UUID, columns: dict[str, Any]) -> None:
        """Change columns of a row; several changes of one row become one."""
        self._updates.setdefault((table, id), {}).update(columns)

    def close_deadlines(self, subject_id: UUID, seq: int) -> None:
        """The waiting of a subject ended with the event ``seq``."""
        self._closed.append((subject_id, seq))

    def _parts(self) -> list[tuple[str, list[Any]]]:
        parts: list[tuple[str, list[Any]]] = []
        for (table, columns), rows in self._inserts.items():
            parts.append((_insert(table, columns, _shape(len(rows))), _params(table, columns, rows)))
        groups: dict[tuple[str, tuple[str, ...]], list[tuple[Any, ...]]] = {}
        for (table, id), changed in self._updates.items():
            groups.setdefault((table, tuple(changed)), []).append((id, *changed.values()))
        for (table, columns), rows in groups.items():
            params = _params(table, ("id", *columns), rows)
            # Of one row the id comes last, in the condition.
            given = [*params[1:], params[0]] if len(rows) == 1 else params
            parts.append((_update(table, columns, _shape(len(rows))), given))
        if len(self._closed) == 1:
            parts.append((_CLOSE_ONE, [self._closed[0][1], self._closed[0][0]]))
        elif self._closed:
            subjects, seqs = zip(*self._closed, strict=True)
            parts.append((_CLOSE_MANY, [_array("uuid", subjects), _array("bigint", seqs)]))
        return parts

    def write(self, conn: psycopg.Connection[Any]) -> None:
        """Write it all, or nothing: one statement. Nothing collected, nothing sent."""
        self.packed()(conn)

    def packed(self) -> Callable[[psycopg.Connection[Any]], None]:
        """Make the statement ready; what comes back sends it."""
        parts = self._parts()
        if not parts:
            return lambda conn: None
        params = [value for _, values in parts for value in values]
        sql = _together(tuple(sql for sql, _ in parts))

        def send(conn: psycopg.Connection[Any]) -> None:
            cursor = psycopg.RawCursor(conn)
            cursor.adapters.register_dumper(Packed, _PackedDumper)
            cursor.execute(sql, params)

        return send


@lru_cache(maxsize=1024)
def _together(parts: tuple[str, ...]) -> bytes:
    """One statement of several, its placeholders numbered.

    Numbered here once for a shape, because psycopg would read so long a text anew each time it is sent.
    """
    *first, last = parts
    head = ", ".join(f"w{i} AS ({sql})" for i, sql in enumerate(first))
    pieces = (f"WITH {head} {last}" if first else last).split("%s")
    numbered = (f"{piece}${number}" for number, piece in enumerate(pieces[:-1], start=1))
    return ("".join(numbered) + pieces[-1]).encode()


def _shape(rows: int) -> int:
    return rows if rows <= _ONE_BY_ONE else _ONE_BY_ONE + 1


def _params(table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Values one after the other for a few rows, an array per column for many."""
    types = [column_type(table, column) for column in columns]
    if len(rows) <= _ONE_BY_ONE:
        return [
            _one_json(value) if type_ == "jsonb" and value is not None else value
            for row in rows
            for type_, value in zip(types, row, strict=True)
        ]
    by_column = zip(*rows, strict=True)
    return [_array(type_, column) for type_, column in zip(types, by_column, strict=True)]


class Json(str):
    """Text that is JSON already."""

    __slots__ = ()


def _one_json(value: Any) -> Any:
    return str(value) if type(value) is Json else Jsonb(value)


def packed(type_: str, values: Sequence[Any]) -> Packed:
    """Values of one type as one parameter of a statement that ``execute`` sends; there may be none."""
    return _array(type_, values)


def execute(conn: psycopg.Connection[Any], sql: str, params: Params) -> psycopg.Cursor[Any]:
    """Send a statement that may have packed parameters."""
    cursor = conn.cursor()
    cursor.adapters.register_dumper(Packed, _PackedDumper)
    return cursor.execute(sql, params)


class Packed(bytes):
    """An array in PostgreSQL's binary form; the statement names its type."""

    __slots__ = ()


class _PackedDumper(Dumper):
    """Hands a packed array on as it is."""

    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer | None:
        octets: bytes = obj
        return octets


_encode_json = json.JSONEncoder(ensure_ascii=False).encode
_length = struct.Struct("!i").pack
_bigint = struct.Struct("!iq").pack
_integer = struct.Struct("!ii").pack
_boolean = struct.Struct("!i?").pack
_EPOCH_DAY = date(2000, 1, 1).toordinal()
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UUID = _length(16)


def _sized(octets: bytes) -> bytes:
    return _length(len(octets)) + octets


def _uuid(value: UUID | str) -> bytes:
    # Facts that came as JSON name people and rows in text.
    return _UUID + (bytes.fromhex(value.replace("-", "")) if isinstance(value, str) else value.bytes)


def _day(value: date | str) -> bytes:
    # A day that was kept in a plan comes back as text.
    day = date.fromisoformat(value) if isinstance(value, str) else value
    return _integer(4, day.toordinal() - _EPOCH_DAY)


def _moment(value: datetime) -> bytes:
    since = value - _EPOCH
    return _bigint(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _jsonb(value: Any) -> bytes:
    text = value if type(value) is Json else _encode_json(value)
    return _sized(b"\x01" + text.encode())


# By type its number in PostgreSQL, and how an element is written behind its length.
_ELEMENT: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "uuid": (2950, _uuid),
    "bigint": (20, lambda value: _bigint(8, value)),
    "integer": (23, lambda value: _integer(4, value)),
    "boolean": (16, lambda value: _boolean(1, value)),
    "date": (1082, _day),
    "timestamptz": (1184, _moment),
    "bytea": (17, _sized),
    "jsonb": (3802, _jsonb),
    "text": (25, lambda value: _sized(value.encode())),
}
_NULL = _length(-1)


def _array(type_: str, values: Sequence[Any]) -> Packed:
    """A column as one parameter, packed here: the driver needs many times as long for its many cases.

    Many columns of a set hold the same in every row; it is written once.
    """
    oid, element = _ELEMENT[type_]
    if not values:
        return Packed(struct.pack("!iii", 0, 0, oid))
    first = values[0]
    try:
        if len(set(values) if type_ == "text" else set(map(id, values))) == 1:
            octets = (_NULL if first is None else element(first)) * len(values)
        else:
            octets = b"".join([_NULL if value is None else element(value) for value in values])
    except struct.error as error:
        # What the database would say of a number that its type cannot hold.
        raise psycopg.DataError(f"{type_} out of range: {error}") from None
    return Packed(struct.pack("!iiiii", 1, 1, oid, len(values), 1) + octets)

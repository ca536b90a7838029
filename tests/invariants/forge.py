"""Events written by hand, as somebody with the application's password and a SQL prompt would write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from schema.nouns import NOUNS
from states.case import SYSTEM_ID
from states.machines import static_machines

Conn = psycopg.Connection[Any]


@contextmanager
def refused(*codes: str) -> Iterator[None]:
    """The database refuses with one of these: an SQLSTATE or the name of a constraint."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    diagnosis = caught.value.diag
    assert {diagnosis.sqlstate, diagnosis.constraint_name} & set(codes), str(caught.value)


def forged_event(
    conn: Conn, noun: str, subject: UUID, step: str, to_state: str | None = None, **false: Any
) -> dict[str, Any]:
    """An event that fits its chain and its subject in every column but those told to be ``false``."""
    chain_column = NOUNS[noun].chain
    row = conn.execute(
        f'SELECT s.state, s.version, s.{chain_column}, c.seq, c.head FROM "{noun}" s '
        f"JOIN chain c ON c.id = s.{chain_column} WHERE s.id = %s",
        (subject,),
    ).fetchone()
    assert row is not None
    state, version, chain, seq, head = row
    machine = static_machines()[noun].id if noun != "project" else _machine_of(conn, subject)
    known = conn.execute(
        "SELECT to_state, role FROM allowed_step WHERE machine = %s AND step = %s AND from_state = %s "
        "ORDER BY to_state = %s DESC LIMIT 1",
        (machine, step, state, to_state or state),
    ).fetchone()
    body = f'{{"forged": "{uuid4()}"}}'.encode()
    event = {
        "chain_id": chain,
        "seq": seq + 1,
        "noun": noun,
        "subject_id": subject,
        "subject_seq": version + 1,
        "machine": machine,
        "step": step,
        "from_state": state,
        "to_state": to_state or (known[0] if known else state),
        "role": known[1] if known else "programme_officer",
        "actor_id": SYSTEM_ID,
        "request_id": f"forged-{uuid4()}",
        "fingerprint": b"",
        "at": "2025-03-03T00:00:00Z",
        "body": body,
        "prev_hash": head,
        **false,
    }
    event.setdefault("hash", sha256(bytes(event["prev_hash"]) + event["body"]).digest())
    return event


def _machine_of(conn: Conn, project: UUID) -> str:
    row = conn.execute("SELECT machine FROM project WHERE id = %s", (project,)).fetchone()
    assert row is not None
    return str(row[0])


def insert(conn: Conn, table: str, row: Mapping[str, Any]) -> None:
    """One plain INSERT."""
    names, values = ", ".join(f'"{c}"' for c in row), ", ".join(["%s"] * len(row))
    conn.execute(f'INSERT INTO "{table}" ({names}) VALUES ({values})', tuple(row.values()))


def write_event(conn: Conn, event: Mapping[str, Any], **columns: Any) -> None:
    """The event and its subject's row in one statement, as the engine writes them, with more ``columns``."""
    names, values = ", ".join(f'"{c}"' for c in event), ", ".join(["%s"] * len(event))
    changed = {"state": event["to_state"], "version": event["subject_seq"], **columns}
    sets = ", ".join(f'"{c}" = %s' for c in changed)
    conn.execute(
        f"WITH e AS (INSERT INTO event ({names}) VALUES ({values})) "
        f'UPDATE "{event["noun"]}" SET {sets} WHERE id = %s',
        (*event.values(), *changed.values(), event["subject_id"]),
    )


def write_birth(conn: Conn, event: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """The event that a row begins with and the row, in one statement."""
    names, values = ", ".join(f'"{c}"' for c in event), ", ".join(["%s"] * len(event))
    columns, given = ", ".join(f'"{c}"' for c in row), ", ".join(["%s"] * len(row))
    conn.execute(
        f"WITH e AS (INSERT INTO event ({names}) VALUES ({values})) "
        f'INSERT INTO "{event["noun"]}" ({columns}) VALUES ({given})',
        (*event.values(), *row.values()),
    )


def copied(conn: Conn, noun: str, of: UUID, **changes: Any) -> dict[str, Any]:
    """A row like an existing one, with a new id."""
    with conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute(f'SELECT * FROM "{noun}" WHERE id = %s', (of,)).fetchone()
    assert row is not None
    made = {k: psycopg.types.json.Jsonb(v) if isinstance(v, list | dict) else v for k, v in row.items()}
    return {**made, "id": uuid4(), **changes}

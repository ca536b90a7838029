"""A draw that was tampered with is named, whether it still follows from itself or not.

The owner of the database, with every trigger gone, changes one thing about a concluded draw.
The last test rewrites a whole draw so that it follows from itself again; what its events say gives it away.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from hashlib import sha256

import psycopg
import pytest

from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from milepost.evidence.verify_database import verify
from states.commitment import canonical
from states.drawing import draw
from states.draws import committed_of
from tests.evidence.lived import Copy
from tests.work.panels import Panels, draw_again, drawn, expert_actor

Statement = str
# The draw with a replacement; beside it there are one that was voided and its redraw.
FIRST = "jsonb_array_length(entries) > 0"
A_ROUND = "(SELECT min(id::text)::uuid FROM draw_round WHERE voided_at IS NULL)"
FOREIGN = "(SELECT person_id FROM expert WHERE person_id NOT IN (SELECT expert_id FROM draw_seat) LIMIT 1)"


@pytest.fixture(scope="module")
def concluded(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    """The name of a database with a draw that was announced, witnessed, concluded and followed up."""
    name = f"drawn_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        database = Database(server.url("milepost_app", name), owner_url=server.url("postgres", name))
        live(drawn(database, projects=2))
        database.close()
        yield name
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def live(panels: Panels) -> None:
    """Somebody declines and is followed; another draw is voided and made anew."""
    panels.fill()
    gone, task = next(iter(panels.live(0).items()))
    panels.world.take(expert_actor(gone), "task.decline", task, reason="示例")
    panels.fill()
    other = drawn(panels.world.database, name="V")
    other.world.take("programme_officer", "draw.void", other.draw_id, reason="示例：名单有误")
    draw_again(other.world, other.rounds, other.draw_id, reason="示例：重抽")


@pytest.fixture
def copy(server: EmbeddedPostgres, concluded: str) -> Iterator[Copy]:
    from tests.evidence.conftest import copied

    with copied(server, concluded) as copy:
        yield copy


def codes(copy: Copy) -> set[str]:
    return {fault.code for fault in verify(copy.database).faults}


def test_an_untouched_draw_is_clean(copy: Copy) -> None:
    assert verify(copy.database).faults == []


CHANGES: dict[str, tuple[list[Statement], str]] = {
    "a member exchanged": (
        [
            "UPDATE draw SET panels = jsonb_set(panels, '{panels,0,members,0}', "
            f"to_jsonb({FOREIGN}::text)) WHERE value IS NOT NULL"
        ],
        "draw_differs",
    ),
    "the value": (["UPDATE draw SET value = '9999.99'"], "draw_differs"),
    "the value's evidence": (["UPDATE draw SET value_evidence = 'x'"], "value_differs"),
    "the commitment": (
        ["UPDATE draw SET commitment = repeat('0', 64) WHERE jsonb_array_length(entries) > 0"],
        "draw_differs",
    ),
    "a byte of what was committed": (
        [
            "UPDATE draw SET committed = convert_to(replace(convert_from(committed, 'UTF8'), "
            "'\"size\":5', '\"size\":4'), 'UTF8')"
        ],
        "draw_differs",
    ),
    "bytes that say nothing": (["UPDATE draw SET committed = 'x'"], "draw_unreadable"),
    "the successor exchanged": (
        [
            "UPDATE draw SET entries = jsonb_set(entries, '{0,successors,0}', "
            f"to_jsonb({FOREIGN}::text)) WHERE jsonb_array_length(entries) > 0"
        ],
        "draw_differs",
    ),
    "a replacement forgotten": (
        ["UPDATE draw SET entries = '[]' WHERE jsonb_array_length(entries) > 0"],
        "draw_event_differs",
    ),
    "why somebody left": (
        [
            "UPDATE draw SET entries = jsonb_set(entries, '{0,reason}', '\"absent\"') "
            "WHERE jsonb_array_length(entries) > 0"
        ],
        "draw_event_differs",
    ),
    "a seat given to another": (
        [f"UPDATE draw_seat SET expert_id = {FOREIGN} WHERE entry = 1"],
        "draw_seat_differs",
    ),
    "a seat added": (
        [f"INSERT INTO draw_seat SELECT draw_id, round_id, {FOREIGN}, 0, 6 FROM draw_seat LIMIT 1"],
        "draw_seat_differs",
    ),
    "a seat removed": (["DELETE FROM draw_seat WHERE entry = 0 AND rank = 1"], "draw_seat_differs"),
    "a rank": (["UPDATE draw_seat SET rank = 9 WHERE entry = 0 AND rank = 1"], "draw_seat_differs"),
    "the supervisor": (
        ["UPDATE draw SET witness_id = (SELECT id FROM person WHERE login = 'counsel-1')"],
        "draw_event_differs",
    ),
    "no supervisor": (["UPDATE draw SET witness_id = NULL"], "draw_differs"),
    "the moment": (["UPDATE draw SET drawn_at = drawn_at - interval '1 day'"], "draw_row_differs"),
    "the name of the source": (["UPDATE draw SET source_name = 'x'"], "draw_row_differs"),
    "the day of the source": (["UPDATE draw SET source_on = source_on + 1"], "draw_row_differs"),
    "a round taken out": (
        [f"UPDATE draw_round SET voided_at = now() WHERE id = {A_ROUND}"],
        "draw_rounds_differ",
    ),
    "a round deleted": (
        [f"DELETE FROM draw_round WHERE id = {A_ROUND}"],
        "draw_rounds_differ",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_changed_about_a_draw_is_named(copy: Copy, what: str) -> None:
    statements, code = CHANGES[what]
    copy.tamper(*statements)
    assert code in codes(copy)


def _another_pool(committed: dict[str, object]) -> None:
    pool = committed["pool"]
    assert isinstance(pool, list)
    del pool[0]


def _another_value(committed: dict[str, object]) -> None:
    """The commitment as it was; the value is changed below."""


@pytest.mark.parametrize("change", [_another_pool, _another_value])
def test_a_draw_rewritten_to_follow_from_itself_again_differs_from_its_events(
    copy: Copy, change: Callable[[dict[str, object]], None]
) -> None:
    with copy.database.session() as session:
        row = session.conn.execute(f"SELECT id, committed FROM draw WHERE {FIRST}").fetchone()
        rounds = dict(session.conn.execute("SELECT project_id::text, round_id FROM draw_round").fetchall())
    assert row is not None
    committed = json.loads(bytes(row[1]))
    change(committed)
    stored = canonical(committed)
    fixed, text = committed_of(stored), "1234.56"
    panels = [
        {"project": p.project, "members": list(p.members), "short": list(p.short)}
        for p in draw(fixed, text).panels
    ]
    salt = f"(SELECT salt FROM draw WHERE id = '{row[0]}')"
    whose = f"(SELECT person_id FROM expert WHERE draw_alias({salt}, person_id) = '{{}}')"
    seats = ", ".join(
        f"('{row[0]}', '{rounds[panel['project']]}', {whose.format(member)}, 0, {rank})"
        for panel in panels
        for rank, member in enumerate(panel["members"], start=1)
    )
    made = json.dumps(panels)
    copy.tamper(
        f"UPDATE draw SET committed = decode('{stored.hex()}', 'hex'), value = '{text}', entries = '[]', "
        f"commitment = '{sha256(stored).hexdigest()}', "
        f"panels = jsonb_set(panels, '{{panels}}', '{made}') WHERE {FIRST}",
        f"DELETE FROM draw_seat WHERE draw_id = '{row[0]}'",
        f"INSERT INTO draw_seat (draw_id, round_id, expert_id, entry, rank) VALUES {seats}",
    )
    assert codes(copy) == {"draw_event_differs"}


def test_a_redraw_is_verified_beside_the_draw_it_names(copy: Copy) -> None:
    assert verify(copy.database).faults == []
    copy.tamper("UPDATE draw SET replaces_id = NULL WHERE replaces_id IS NOT NULL")
    assert codes(copy) == {"draw_row_differs"}

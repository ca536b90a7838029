"""Published programme versions, compiled once per process; publishing registers their machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg import errors
from psycopg.types.json import Jsonb

from config.programme_files import LoadedProgramme, load_programme
from milepost.clock import Clock
from milepost.evidence.chain import genesis
from schema.money import Explained
from states.case import NAMESPACE, SYSTEM_ID, chain_of_programme
from states.house import HOUSE_ID, house
from states.machines import Compiled, compile_programme, static_machines
from states.step import NounMachine

_lock = Lock()
_compiled: dict[str, Compiled] = {}


@dataclass(frozen=True, slots=True)
class Published:
    """A programme version as the database holds it."""

    id: UUID
    chain_id: UUID
    compiled: Compiled


def programme_id(code: str, version: int) -> UUID:
    """The id of a programme version, which follows from its name."""
    return uuid5(NAMESPACE, f"programme:{code}:{version}")


def compiled_from(source: str, digest: str) -> Compiled:
    """Compile a programme's text once per process."""
    with _lock:
        if digest not in _compiled:
            _compiled[digest] = compile_programme(load_programme(source, name=digest[:12]).programme)
        return _compiled[digest]


class OwnerNeeded(Explained):
    """Only the owner of the database says which steps there are; the application's own role may not."""

    def __init__(self) -> None:
        super().__init__(
            "owner_needed",
            "本版本的步骤尚未登记，应用的数据库账号无权登记。请设 MILEPOST_MIGRATION_URL 后重试。",
            "The steps of this version are not registered, and the application's account of the database may "
            "not do it. Set MILEPOST_MIGRATION_URL and try again.",
        )

    def __reduce__(self) -> Any:
        return type(self), ()


def _unknown(conn: psycopg.Connection[Any], machines: Iterable[NounMachine]) -> list[NounMachine]:
    known = {row[0] for row in conn.execute("SELECT id FROM machine WHERE sealed").fetchall()}
    return sorted({m.id: m for m in machines if m.id not in known}.values(), key=lambda m: m.id)


def _register(owner_url: str, machines: Iterable[NounMachine]) -> None:
    """Write what the database does not know yet, as its owner. Whoever else does it at once does no harm."""
    try:
        with psycopg.connect(owner_url, autocommit=True) as owner:
            for machine in machines:
                register_machine(owner, machine)
    except errors.InsufficientPrivilege:
        raise OwnerNeeded from None


def register_machine(conn: psycopg.Connection[Any], machine: NounMachine) -> None:
    """Write the machine's allowed steps and seal it. A machine that is there already stays as it is."""
    with conn.transaction():
        made = conn.execute(
            "INSERT INTO machine (id, noun, sealed) VALUES (%s, %s, false) ON CONFLICT DO NOTHING",
            (machine.id, machine.noun),
        )
        if not made.rowcount:
            return
        with conn.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO allowed_step (machine, step, from_state, to_state, role) "
                "VALUES (%s, %s, %s, %s, %s)",
                [(machine.id, *row) for row in machine.allowed()],
            )
        conn.execute("UPDATE machine SET sealed = true WHERE id = %s", (machine.id,))


def register_machines(conn: psycopg.Connection[Any], owner_url: str, *, thorough: bool = True) -> None:
    """Make this program's machines known, of every published version too: after an upgrade they are others.

    What happened under the earlier ones stays theirs. ``thorough`` False looks at the versions only where a
    machine that is the same for all is missing.
    """
    found = list(static_machines().values())
    if not thorough and not _unknown(conn, found):
        return
    for source, digest in conn.execute("SELECT source, digest FROM programme_version").fetchall():
        found += compiled_from(source, digest).machines.values()
    if missing := _unknown(conn, found):
        _register(owner_url, missing)


def ensure_system(conn: psycopg.Connection[Any]) -> None:
    """The person the flows act as: without a password, so that nobody logs in as it."""
    conn.execute(
        "INSERT INTO person (id, login, name, email, locale, active) "
        "VALUES (%s, 'system', '系统 · System', '', 'zh', true) ON CONFLICT DO NOTHING",
        (SYSTEM_ID,),
    )


def open_chain(conn: psycopg.Connection[Any], chain_id: UUID, kind: str) -> None:
    """A chain at its genesis; one that is there already stays."""
    conn.execute(
        "INSERT INTO chain (id, kind, seq, head) VALUES (%s, %s, 0, %s) ON CONFLICT DO NOTHING",
        (chain_id, kind, genesis(chain_id)),
    )


def publish(
    conn: psycopg.Connection[Any], loaded: LoadedProgramme, clock: Clock, *, owner_url: str
) -> Published:
    """Store a programme version and its machines; the same text again changes nothing.

    A version once published never changes: another text under its number raises ``VersionTaken``. Which
    steps its machines allow is written as the database's owner, or ``OwnerNeeded`` is raised.
    """
    programme = loaded.programme
    compiled = compiled_from(loaded.source_text, loaded.digest)
    ensure_system(conn)
    if missing := _unknown(conn, compiled.machines.values()):
        _register(owner_url, missing)
    chain = chain_of_programme(programme.code)
    id = programme_id(programme.code, programme.version)
    with conn.transaction():
        open_chain(conn, chain, "programme")
        conn.execute(
            "INSERT INTO programme_version (id, code, version, chain_id, source, digest, title, "
            "published_at, approvals) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                id,
                programme.code,
                programme.version,
                chain,
                loaded.source_text,
                loaded.digest,
                Jsonb(programme.title.model_dump()),
                clock.now(),
                Jsonb([tier.model_dump() for tier in programme.approvals]),
            ),
        )
        row = conn.execute("SELECT digest FROM programme_version WHERE id = %s", (id,)).fetchone()
        if programme.review is not None and row is not None and row[0] == loaded.digest:
            rules = programme.review.conflicts
            years = {"same_unit": rules.same_unit_years, "collaborator": rules.collaborator_years}
            for rule, number in years.items():
                conn.execute(
                    "INSERT INTO conflict_rule (programme_id, rule, years) VALUES (%s, %s, %s) "
                    "ON CONFLICT DO NOTHING",
                    (id, rule, number),
                )
    if row is None or row[0] != loaded.digest:
        raise VersionTaken(programme.code, programme.version)
    return Published(id, chain, compiled)


class VersionTaken(ValueError):
    """A published version has another text."""

    def __init__(self, code: str, version: int) -> None:
        self.code, self.version = code, version
        super().__init__(
            f"{code} version {version} is published with another text; give the changed file the next "
            f"version · {code} 第 {version} 版已发布且内容不同；请把修改后的文件改为下一版本号"
        )


def load_published(conn: psycopg.Connection[Any], id: UUID) -> Compiled | None:
    """The compiled programme of a version, or None where there is none; the house's for what is of none."""
    if id == HOUSE_ID:
        return house()
    row = conn.execute("SELECT source, digest FROM programme_version WHERE id = %s", (id,)).fetchone()
    return compiled_from(row[0], row[1]) if row else None


def stranded(conn: psycopg.Connection[Any]) -> list[str]:
    """Where rows stand in states that no machine of this program knows, as "noun.state (n)"; empty is well.

    A state that was renamed or dropped would leave them without a step; better not to start at all.
    """
    found: list[str] = []
    for noun, machine in static_machines().items():
        sql = f'SELECT state, count(*) FROM "{noun}" WHERE state <> ALL(%s) GROUP BY state ORDER BY state'
        rows = conn.execute(sql, (list(machine.states),)).fetchall()
        found += [f"{noun}.{state} ({count})" for state, count in rows]
    versions = conn.execute(
        "SELECT id, source, digest FROM programme_version ORDER BY code, version"
    ).fetchall()
    for id, source, digest in versions:
        machine = compiled_from(source, digest).machines["project"]
        rows = conn.execute(
            "SELECT state, count(*) FROM project WHERE programme_id = %s AND state <> ALL(%s) "
            "GROUP BY state ORDER BY state",
            (id, list(machine.states)),
        ).fetchall()
        found += [f"project.{state} ({count})" for state, count in rows]
    return found

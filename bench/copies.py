"""Copies of one real project: true rows with ids of their own, events rewritten and chained by real hashes.

They are loaded with COPY while triggers rest (``session_replication_role``), because the triggers are part
of what is measured later, not of how the stage is set. Checks and unique indexes hold as always.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5, sha256
from uuid import UUID

import psycopg

from bench.office import CURRENCY, PATTERN, programme_code
from milepost.evidence.chain import genesis
from states.case import account_id

# The tables of a project in the order of their references, and how the rows of one project are found.
TABLES = {
    "chain": "id = {p}",
    "project": "id = {p}",
    "role_grant": "project_id = {p}",
    "milestone": "project_id = {p}",
    "tranche": "project_id = {p}",
    "payee": "project_id = {p}",
    "payment": "project_id = {p}",
    "pledge": "project_id = {p}",
    "notice": "project_id = {p}",
    "account": "owner_id = {p}",
    "event": "chain_id = {p}",
    "transfer": "chain_id = {p}",
    "duty": "payment_id IN (SELECT id FROM payment WHERE project_id = {p})",
    "deadline": "chain_id = {p}",
    "message": "chain_id = {p}",
}
_ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_KINDS = ("commitment", "payable", "paid")
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Template:
    """Text with holes: the pieces between them, and which name of the copy fills each."""

    pieces: tuple[str, ...]
    holes: tuple[int, ...]

    def fill(self, names: Sequence[str]) -> str:
        """The text of one copy."""
        out = [self.pieces[0]]
        for piece, hole in zip(self.pieces[1:], self.holes, strict=True):
            out.append(names[hole])
            out.append(piece)
        return "".join(out)


@dataclass(slots=True)
class EventTemplate:
    """An event's row around its body, and the body as text."""

    before: Template
    body: Template
    after: Template


class Pattern:
    """The rows of one project, ready to be copied. ``names[0]`` is the project's own id."""

    def __init__(self, owner_url: str, project: UUID) -> None:
        self.owner_url = owner_url
        with psycopg.connect(owner_url) as conn:
            shared = {str(row[0]) for row in conn.execute("SELECT id FROM person")}
            rows = {table: self._rows(conn, table, project) for table in TABLES}
            self.appropriations = self._appropriations(conn)
        self._shared = shared
        self.names: list[str] = [str(project), PATTERN, programme_code(0)]
        self._index = {name: n for n, name in enumerate(self.names)}
        self.templates = {
            t: [self._template(r) for r in rows[t]] for t in TABLES if t not in ("event", "chain")
        }
        self.events = [self._event(row) for row in sorted(rows["event"], key=lambda r: int(r.split("\t")[1]))]
        self.length = len(self.events)
        kinds = {str(account_id(kind, project, CURRENCY)): kind for kind in _KINDS}
        self._accounts = {self._index[id]: kind for id, kind in kinds.items() if id in self._index}
        first = self.appropriations[0]
        self._programme = {
            self._index[name]: part
            for part, name in enumerate((programme_code(0), *first), start=0)
            if name in self._index
        }

    def _rows(self, conn: psycopg.Connection, table: str, project: UUID) -> list[str]:
        where = TABLES[table].format(p=f"'{project}'")
        with conn.cursor().copy(f'COPY (SELECT * FROM "{table}" WHERE {where}) TO STDOUT') as copy:
            return b"".join(bytes(part) for part in copy).decode().splitlines()

    def _appropriations(self, conn: psycopg.Connection) -> list[tuple[str, str, str]]:
        """Of each programme: its version's id, its appropriation's, that one's account's."""
        rows = conn.execute(
            "SELECT v.id, a.id FROM programme_version v JOIN appropriation a ON a.programme_id = v.id "
            "ORDER BY v.code"
        )
        return [(str(v), str(a), str(account_id("appropriation", a, CURRENCY))) for v, a in rows]

    def _hole(self, name: str) -> int:
        if name not in self._index:
            self._index[name] = len(self.names)
            self.names.append(name)
        return self._index[name]

    def _template(self, text: str) -> Template:
        pieces, holes, at = [], [], 0
        for found in re.finditer(f"{_ID}|{PATTERN}|{programme_code(0)}", text):
            if found.group() in self._shared:
                continue
            pieces.append(text[at : found.start()])
            holes.append(self._hole(found.group()))
            at = found.end()
        return Template((*pieces, text[at:]), tuple(holes))

    def _event(self, row: str) -> EventTemplate:
        cells = row.split("\t")
        body = bytes.fromhex(cells[14].removeprefix("\\\\x")).decode()
        return EventTemplate(
            self._template("\t".join(cells[:14])), self._template(body), self._template(cells[17])
        )

    def copy_names(self, number: int, programme: int, salt: str) -> list[str]:
        """What fills the holes in one copy."""
        names = [_id(f"{salt}:{number}:{hole}") for hole in range(len(self.names))]
        names[1] = f"{salt}-{number:07d}"
        for hole, part in self._programme.items():
            names[hole] = (programme_code(programme), *self.appropriations[programme])[part]
        for hole, kind in self._accounts.items():
            names[hole] = str(account_id(kind, UUID(names[0]), CURRENCY))
        return names

    def copy(self, count: int, *, programmes: int, salt: str) -> list[list[str]]:
        """Load copies, spread over the first programmes in turn; the names of each."""
        made = [self.copy_names(number, number % programmes, salt) for number in range(count)]
        with psycopg.connect(self.owner_url) as conn:
            conn.execute("SET session_replication_role = replica")
            for start in range(0, count, _BATCH):
                self._load(conn, made[start : start + _BATCH])
            self._add_up(conn, count, programmes)
            conn.commit()
            conn.autocommit = True
            conn.execute("VACUUM (ANALYZE)")
            conn.execute("CHECKPOINT")
        return made

    def _load(self, conn: psycopg.Connection, batch: list[list[str]]) -> None:
        lines: dict[str, list[str]] = {table: [] for table in TABLES}
        for names in batch:
            head = self._chain(names, lines["event"])
            lines["chain"].append(f"{names[0]}\tproject\t{self.length}\t\\\\x{head.hex()}")
            for table, templates in self.templates.items():
                lines[table] += [template.fill(names) for template in templates]
        for table, rows in ((table, rows) for table, rows in lines.items() if rows):
            with conn.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
                copy.write("\n".join(rows) + "\n")

    def _chain(self, names: list[str], lines: list[str]) -> bytes:
        """The events of one copy, each bound to the one before it."""
        head = genesis(UUID(names[0]))
        for event in self.events:
            body = event.body.fill(names).encode()
            hash = sha256(head + body).digest()
            lines.append(
                f"{event.before.fill(names)}\t\\\\x{body.hex()}\t\\\\x{head.hex()}\t\\\\x{hash.hex()}"
                f"\t{event.after.fill(names)}"
            )
            head = hash
        return head

    def _add_up(self, conn: psycopg.Connection, count: int, programmes: int) -> None:
        """The appropriations' accounts hold what the copies' transfers took."""
        conn.execute(
            "UPDATE account a SET debits_pending = t.pending, debits_posted = t.posted FROM ("
            "SELECT debit_id, sum(CASE kind WHEN 'pending' THEN amount_minor WHEN 'posted' THEN 0 "
            "ELSE -amount_minor END) AS pending, "
            "sum(CASE WHEN kind IN ('posted', 'post') THEN amount_minor ELSE 0 END) AS posted "
            "FROM transfer GROUP BY debit_id) t WHERE a.id = t.debit_id AND a.kind = 'appropriation'"
        )

    def rows_of(self, table: str) -> list[int]:
        """The holes of the ids of a table's rows, in the order of the pattern's rows."""
        return [template.holes[0] for template in self.templates[table]]


def _id(text: str) -> str:
    h = md5(text.encode(), usedforsecurity=False).hexdigest()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


__all__ = ["Pattern"]

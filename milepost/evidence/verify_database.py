"""Checks a whole database against its own evidence, and its evidence against a root that somebody holds.

Everything is read in one snapshot that blocks nobody. Events and transfers pass by in order, one at a time,
so memory does not grow with them. What is checked, in this order:

- every chain from its genesis, from the stored bytes: no gap, no other hash, its head the last event;
- every event's columns and transfers against what its body says, and nothing beside the bodies;
- every row against its last event, and every figure that rows carry against a recount (``recounts``);
- every draw of experts computed again from what was committed and the public value (``draws``), and the day
  until which each changed account rests (``rests``);
- every machine against the digest that names it;
- every seal against its leaves, and every leaf against today's chain, which must still begin with it;
- where the bank's files are at hand, each of them against the digest that was put on record.

A rewritten database can be made to agree with itself. What it cannot do is to agree with a root that was
handed out before: give that root, and an edit, a deletion, a reordering, a cut-off end or a restored old
backup shows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from milepost.db import Database
from milepost.evidence.bank_folder import check_folder
from milepost.evidence.chain import Link, check_chain, head_leaf
from milepost.evidence.draws import check_draws
from milepost.evidence.merkle import EMPTY_ROOT, leaf_hash, node_hash
from milepost.evidence.recounts import Recount, recounts
from milepost.evidence.rests import check_rests

SHOWN_MAX = 100
"""How many faults of one code are listed; the rest are counted."""

Progress = Callable[[int, int], None]
_STEP = 2000

_EVENTS = """SELECT chain_id::text, seq, noun, subject_id::text, subject_seq, machine, step, from_state,
  to_state, role, actor_id::text, request_id, at, body, prev_hash, hash FROM event ORDER BY chain_id, seq"""
_TRANSFERS = """SELECT chain_id::text, event_seq, id::text, debit_id::text, credit_id::text, amount_minor,
  currency, kind FROM transfer ORDER BY chain_id, event_seq"""
_HEADS = """SELECT coalesce(c.id, m.chain_id)::text, coalesce(c.seq, -1), coalesce(m.seq, 0)
  FROM chain c FULL JOIN (SELECT chain_id, max(seq) AS seq FROM event GROUP BY 1) m ON m.chain_id = c.id
  LEFT JOIN event e ON e.chain_id = m.chain_id AND e.seq = m.seq
  WHERE c.id IS NULL OR c.seq <> coalesce(m.seq, 0)
     OR c.head <> coalesce(e.hash, sha256('milepost:'::bytea || uuid_send(c.id)))"""
_LEAVES = """SELECT l.sealed_on, l.chain_id, l.seq, l.hash, e.hash FROM seal_leaf l
  LEFT JOIN event e ON e.chain_id = l.chain_id AND e.seq = l.seq ORDER BY l.sealed_on, l.position"""
_ALLOWED = """SELECT m.id, m.noun, a.step, a.from_state, a.to_state, a.role FROM machine m
  LEFT JOIN allowed_step a ON a.machine = m.id
  ORDER BY m.id, a.step COLLATE "C", a.from_state COLLATE "C", a.to_state COLLATE "C", a.role COLLATE "C" """
# Where each column of an event stands in the row, and its name in the body.
_COLUMNS = (
    (0, "chain"),
    (1, "seq"),
    (2, "noun"),
    (3, "subject"),
    (4, "version"),
    (5, "machine"),
    (6, "step"),
    (7, "from"),
    (8, "to"),
    (9, "role"),
    (10, "actor"),
    (11, "request"),
)
_TRANSFER_KEYS = ("id", "debit", "credit", "amount_minor", "currency", "kind")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as the evidence says: a stable code, where, and the fact in both languages."""

    code: str
    where: str
    zh: str
    en: str


@dataclass(slots=True)
class VerifyReport:
    """What was read, the newest seal's root, and everything that is wrong."""

    faults: list[Fault] = field(default_factory=list)
    chains: int = 0
    events: int = 0
    transfers: int = 0
    seals: int = 0
    root: str | None = None

    @property
    def ok(self) -> bool:
        """True when nothing is wrong."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """The report for programs; the shape is stable."""
        faults = [{"code": f.code, "where": f.where, "zh": f.zh, "en": f.en} for f in self.faults]
        counts = {name: getattr(self, name) for name in ("chains", "events", "transfers", "seals")}
        return {"ok": self.ok, **counts, "root": self.root, "faults": faults}


class _Findings:
    """Collects faults; of one code only the first are kept, so that a wrecked database fits in memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._kept: list[Fault] = []

    def add(self, code: str, where: object, zh: str, en: str) -> None:
        self._counts[code] += 1
        if self._counts[code] <= SHOWN_MAX:
            self._kept.append(Fault(code, str(where), zh, en))

    def all(self) -> list[Fault]:
        more = [
            Fault(code, "", f"另有 {n - SHOWN_MAX} 处同类问题。", f"{n - SHOWN_MAX} more of this kind.")
            for code, n in self._counts.items()
            if n > SHOWN_MAX
        ]
        return self._kept + more


def verify(
    database: Database,
    *,
    root: str | None = None,
    progress: Progress | None = None,
    files: Path | None = None,
) -> VerifyReport:
    """Check the whole database. ``root``: a sealed root in hex, as it was received when the seal was made.

    ``progress`` is told how many events of how many were read. ``files``: the folder where the bank's files
    lie once they were read, which are checked too.
    """
    report, findings = VerifyReport(), _Findings()
    with database.session() as session, session.conn.transaction():
        conn = session.conn
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Not what somebody may have put before it: these very tables are to be checked.
        conn.execute("SET LOCAL search_path TO public, pg_temp")
        _check_events(conn, report, findings, progress)
        _check_heads(conn, findings)
        for recount in recounts():
            _check_recount(conn, recount, findings)
        for fault in check_draws(conn):
            findings.add(fault.code, fault.where, fault.zh, fault.en)
        for payee, stored, due in check_rests(conn):
            findings.add(
                "payee_differs",
                payee,
                f"收款账户 {payee} 变更后的观察期止于 {stored}，应为 {due}。",
                f"The changed account {payee} rests until {stored}, and should until {due}.",
            )
        _check_machines(conn, findings)
        _check_seals(conn, report, findings, root)
        if files is not None:
            for code, where, zh, en in check_folder(conn, files):
                findings.add(code, where, zh, en)
    report.faults = findings.all()
    return report


def _stream(conn: psycopg.Connection[Any], name: str, sql: str) -> Iterator[Any]:
    with conn.cursor(name=name, binary=True) as cursor:
        cursor.itersize = _STEP
        cursor.execute(sql)
        yield from cursor


def _count(conn: psycopg.Connection[Any], table: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


# Events and transfers -------------------------------------------------------------------------------------


def _check_events(
    conn: psycopg.Connection[Any], report: VerifyReport, findings: _Findings, progress: Progress | None
) -> None:
    """Every chain from its genesis, and beside it the transfers that its events put on record."""
    total = _count(conn, "event")
    report.chains, report.transfers = _count(conn, "chain"), _count(conn, "transfer")
    beside = _Beside(_stream(conn, "verify_transfers", _TRANSFERS), findings)

    def links(rows: Iterator[Any]) -> Iterator[Link]:
        for row in rows:
            report.events += 1
            if progress is not None and (report.events % _STEP == 0 or report.events == total):
                progress(report.events, total)
            _check_event(row, beside.of(row[0], row[1]), findings)
            yield Link(row[1], row[14], row[13], row[15])

    for chain, rows in groupby(_stream(conn, "verify_events", _EVENTS), key=lambda row: row[0]):
        for fault in check_chain(UUID(chain), links(rows)):
            findings.add(fault.code, f"{chain}:{fault.seq}", fault.zh, fault.en)
    beside.rest()


class _Beside:
    """The transfers in the order of the events, event by event; what no event claims is a fault."""

    def __init__(self, rows: Iterator[Any], findings: _Findings) -> None:
        self._rows, self._findings = rows, findings
        self._next = next(rows, None)

    def of(self, chain: str, seq: int) -> list[Any]:
        found: list[Any] = []
        while self._next is not None and (self._next[0], self._next[1]) <= (chain, seq):
            if (self._next[0], self._next[1]) == (chain, seq):
                found.append(self._next)
            else:
                self._orphan(self._next)
            self._next = next(self._rows, None)
        return found

    def rest(self) -> None:
        while self._next is not None:
            self._orphan(self._next)
            self._next = next(self._rows, None)

    def _orphan(self, row: Any) -> None:
        self._findings.add(
            "transfer_without_event",
            row[2],
            f"划拨 {row[2]} 所指的第 {row[1]} 号事件不存在。",
            f"Transfer {row[2]} refers to event {row[1]}, which does not exist.",
        )


def _check_event(row: Any, transfers: list[Any], findings: _Findings) -> None:
    where = f"{row[0]}:{row[1]}"
    try:
        body = json.loads(row[13])
        if not isinstance(body, dict) or _exact(body) != row[13]:
            raise ValueError
        told = {t["id"]: tuple(t[key] for key in _TRANSFER_KEYS) for t in body["transfers"]}
        at = datetime.fromisoformat(body["at"])
    except (ValueError, KeyError, TypeError):
        findings.add(
            "body_malformed", where, "事件内容无法读取。", "The body of the event cannot be read as evidence."
        )
        return
    wrong = [name for index, name in _COLUMNS if body.get(name) != row[index]]
    if at != row[12]:
        wrong.append("at")
    if wrong:
        findings.add(
            "column_differs",
            where,
            f"第 {row[1]} 号事件的列与其内容不符：{'、'.join(wrong)}。",
            f"Event {row[1]}: these columns are not what its body says: {', '.join(wrong)}.",
        )
    _check_transfers(where, row[1], told, transfers, findings)


def _exact(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check_transfers(
    where: str, seq: int, told: dict[str, tuple[Any, ...]], stored: list[Any], findings: _Findings
) -> None:
    if not told and not stored:
        return
    there = {row[2]: tuple(row[2:]) for row in stored}
    for id in sorted(told.keys() - there.keys()):
        findings.add(
            "transfer_missing",
            where,
            f"缺少第 {seq} 号事件记载的划拨 {id}。",
            f"Transfer {id} of event {seq} is missing.",
        )
    for id in sorted(there.keys() - told.keys()):
        findings.add(
            "transfer_not_recorded",
            where,
            f"第 {seq} 号事件没有记载划拨 {id}。",
            f"Transfer {id} is not in what event {seq} put on record.",
        )
    for id in sorted(id for id in there.keys() & told.keys() if there[id] != told[id]):
        findings.add(
            "transfer_changed",
            where,
            f"划拨 {id} 与第 {seq} 号事件的记载不符。",
            f"Transfer {id} is not as event {seq} records it.",
        )


# Rows -----------------------------------------------------------------------------------------------------


def _check_heads(conn: psycopg.Connection[Any], findings: _Findings) -> None:
    for chain, head, last in _stream(conn, "verify_heads", _HEADS):
        findings.add(
            "head_differs",
            chain,
            f"链首记为第 {head} 号，最后一个事件是第 {last} 号，或哈希不同。",
            f"The head says event {head}, the last event is {last}, or their hashes differ.",
        )


def _check_recount(conn: psycopg.Connection[Any], recount: Recount, findings: _Findings) -> None:
    for where, stored, counted in _stream(conn, "verify_recount", recount.sql):
        findings.add(
            recount.code,
            where,
            f"{recount.zh}：{where}，存为 {stored}，应为 {counted}。",
            f"{recount.en[0].upper()}{recount.en[1:]}: {where}, stored {stored}, should be {counted}.",
        )


def _check_machines(conn: psycopg.Connection[Any], findings: _Findings) -> None:
    """A machine is named by the digest of its steps, and the name stands in every event."""
    rows = _stream(conn, "verify_machines", _ALLOWED)
    for (id, noun), steps in groupby(rows, key=lambda row: (row[0], row[1])):
        allowed = sorted(tuple(row[2:]) for row in steps if row[2] is not None)
        digest = sha256(json.dumps(allowed).encode()).hexdigest()[:16]
        if id != f"{noun}:{digest}":
            findings.add(
                "machine_changed",
                id,
                f"状态机 {id} 的步骤与其摘要不符。",
                f"The steps of the machine {id} are not those of its digest.",
            )


# Seals ----------------------------------------------------------------------------------------------------


class _GrowingRoot:
    """The root of RFC 6962 over records that come one at a time: one hash a level is all that is kept."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Take in one more leaf by its hash."""
        self.size += 1
        height, node = 0, leaf
        while self._peaks and self._peaks[-1][0] == height:
            node = node_hash(self._peaks.pop()[1], node)
            height += 1
        self._peaks.append((height, node))

    @property
    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            node = node_hash(left, node)
        return node


# Most chains have the same head on most days; those of an office's projects fit in here.
@lru_cache(maxsize=50_000)
def _leaf(chain: UUID, seq: int, head: bytes) -> bytes:
    return leaf_hash(head_leaf(chain, seq, head))


def _check_seals(
    conn: psycopg.Connection[Any], report: VerifyReport, findings: _Findings, root: str | None
) -> None:
    stored = {
        row[0]: (row[1], row[2].hex())
        for row in conn.execute("SELECT sealed_on, size, root FROM seal ORDER BY sealed_on").fetchall()
    }
    report.seals = len(stored)
    report.root = next(reversed(stored.values()))[1] if stored else None
    found: dict[Any, tuple[int, str]] = {}
    for day, leaves in groupby(_stream(conn, "verify_leaves", _LEAVES), key=lambda row: row[0]):
        growing = _GrowingRoot()
        for _, chain, seq, hash, today in leaves:
            growing.add(_leaf(chain, seq, hash))
            if hash != today:
                findings.add(
                    "sealed_event_changed",
                    f"{chain}:{seq}",
                    f"{day} 封存的第 {seq} 号事件已不在链上，或已被改动。",
                    f"Event {seq}, sealed on {day}, is gone from its chain or was changed.",
                )
        found[day] = (growing.size, growing.root.hex())
    for day in sorted(stored.keys() | found.keys()):
        if stored.get(day) != found.get(day, (0, EMPTY_ROOT.hex())):
            findings.add(
                "seal_differs",
                day,
                f"{day} 的封存根与其各叶不符。",
                f"The root sealed on {day} is not that of its leaves.",
            )
    if root is not None:
        _check_held_root(root.strip().lower(), {hex for _, hex in stored.values()}, findings)


def _check_held_root(root: str, known: set[str], findings: _Findings) -> None:
    if root not in known:
        findings.add(
            "root_unknown",
            root,
            "您持有的封存根不在此数据库中：它被改写过，或恢复自更早的备份。",
            "The root you hold is not among the seals here: this database was rewritten, or restored from an "
            "older backup.",
        )


__all__ = ["Fault", "VerifyReport", "verify"]

"""Writes everything about one project that an outsider needs to check it, with the script that checks it.

Of our account at the bank it does the same: its chain, and the bank's files that were read.
The bundle is a zip in the format that ``verify_bundle`` describes: events, transfers, documents, the proof
that the chain's head lies under a seal, and ``verify_bundle.py`` itself. The same database gives the same
bytes. A chain can only be checked whole, so a bundle holds every event with what was typed, reviews and
objectors among it: it is for courts and auditors (decision 0011). It is written beside its place and moved
there whole, so that half a bundle never lies about.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import psycopg

from milepost.db import Database
from milepost.evidence import verify_bundle
from milepost.evidence.bank_folder import placed
from milepost.evidence.chain import EvidenceError, head_leaf
from milepost.evidence.merkle import Tree
from states.case import chain_of_account

_EVENTS = "SELECT seq, prev_hash, body, hash FROM event WHERE chain_id = %s ORDER BY seq"
_TRANSFERS = """SELECT event_seq, id::text, debit_id::text, credit_id::text, amount_minor, currency, kind
  FROM transfer WHERE chain_id = %s ORDER BY event_seq, id"""
_README = """证据包 · Evidence bundle

离线核验，只需要 Python 3.8 或更高版本：
Check it offline, with nothing but Python 3.8 or newer:

    python verify_bundle.py BUNDLE.zip --root {root}

机密：内含评审意见、分数、回避理由、异议人和收款账号，供法院、审计和监督人员使用，不交给申报单位和异议人。
专家在其中只有编号；编号是谁，须向专家库查询。
Confidential: it holds reviews, scores, reasons of recusal, objectors and account numbers, for courts,
auditors and supervisors, never for applicants or objectors. Experts are ids in it, and the pool alone says
whose.

封存根应取自您当时收到的通知，而不是本文件。若不信任包内的脚本，请从可信来源另取一份。
Take the root from the notice you received at the time, not from this file; if you doubt the script in
here, take it from a source of your own.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written: how much is in it, and what its own verifier says."""

    path: Path
    project_id: UUID
    code: str
    events: int
    sealed_seq: int
    root: str
    report: verify_bundle.Report


@dataclass(frozen=True, slots=True)
class _Proof:
    seq: int
    index: int
    size: int
    path: list[bytes]
    root: bytes


def export_evidence(database: Database, project: str | UUID, out: Path) -> Exported:
    """Write the bundle of a project, named by code or id, to ``out`` and check it.

    Raises ``EvidenceError`` where there is no such project, or no seal over it yet.
    """
    return _export(database, lambda conn: _project(conn, project), out)


def export_account(database: Database, account: str, out: Path, files: Path | None = None) -> Exported:
    """Write the bundle of our account at the bank: the files that were read, and what names no project.

    ``files`` is the folder where those files lie; what is not there is openly withheld. Raises as above.
    """
    chain = chain_of_account(account)
    return _export(database, lambda conn: (chain, "bank"), out, files)


def _export(
    database: Database,
    found: Callable[[psycopg.Connection[Any]], tuple[UUID, str]],
    out: Path,
    files: Path | None = None,
) -> Exported:
    fresh = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        with database.session() as session, session.conn.transaction():
            session.conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            id, code = found(session.conn)
            proof = _proof(session.conn, id)
            with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as bundle:
                events = _fill(session.conn, id, proof, _Writer(bundle), files)
        os.replace(fresh, out)
    finally:
        fresh.unlink(missing_ok=True)
    report = verify_bundle.verify(out)
    return Exported(out, id, code, events, proof.seq, proof.root.hex(), report)


def _project(conn: psycopg.Connection[Any], project: str | UUID) -> tuple[UUID, str]:
    # Where a code happens to read like an id, the id wins.
    row = conn.execute(
        "SELECT id, code FROM project WHERE id::text = lower(%s) OR code = %s ORDER BY code = %s LIMIT 1",
        [str(project)] * 3,
    ).fetchone()
    if row is None:
        raise EvidenceError(
            "project_unknown",
            f"没有项目“{project}”。请核对项目编号。",
            f"There is no project {project!r}. Check its code.",
        )
    return row[0], row[1]


def _proof(conn: psycopg.Connection[Any], chain: UUID) -> _Proof:
    """The newest seal that took this chain in, and the way from the chain's leaf to its root."""
    newest = conn.execute(
        "SELECT max(sealed_on) FROM seal_leaf WHERE chain_id = %s HAVING max(sealed_on) IS NOT NULL", (chain,)
    ).fetchone()
    if newest is None:
        raise EvidenceError(
            "not_sealed_yet",
            "尚未封存。封存每晚进行；也可现在执行：milepost flow run sealing。",
            "It is under no seal yet. Sealing runs every night, or now: milepost flow run sealing.",
        )
    leaves = conn.execute(
        "SELECT chain_id, seq, hash FROM seal_leaf WHERE sealed_on = %s ORDER BY position", newest
    ).fetchall()
    index = next(i for i, leaf in enumerate(leaves) if leaf[0] == chain)
    tree = Tree(head_leaf(*leaf) for leaf in leaves)
    return _Proof(leaves[index][1], index, tree.size, tree.inclusion_proof(index), tree.root)


class _Writer:
    """Adds files to a zip and remembers the hash of each; the day of a file is always the same."""

    def __init__(self, bundle: zipfile.ZipFile) -> None:
        self._bundle = bundle
        self.files: dict[str, str] = {}

    @contextmanager
    def file(self, name: str) -> Iterator[_Hashing]:
        info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        with self._bundle.open(info, "w", force_zip64=True) as stream:
            hashing = _Hashing(stream)
            yield hashing
        self.files[name] = hashing.digest()

    def put(self, name: str, content: bytes) -> None:
        with self.file(name) as file:
            file.write(content)


class _Hashing:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._state = stream, sha256()

    def write(self, content: bytes) -> None:
        self._stream.write(content)
        self._state.update(content)

    def digest(self) -> str:
        return self._state.hexdigest()


def _fill(
    conn: psycopg.Connection[Any], chain: UUID, proof: _Proof, writer: _Writer, files: Path | None
) -> int:
    """Write every file of the bundle; the manifest last, since it lists the others."""
    head: tuple[int, str] = (0, "")
    documents: dict[str, None] = {}
    with writer.file("events.jsonl") as file, conn.cursor(name="export_events", binary=True) as cursor:
        cursor.execute(_EVENTS, (chain,))
        for seq, prev, body, hash in cursor:
            told = base64.b64encode(body).decode()
            file.write(_json({"seq": seq, "prev": prev.hex(), "body_b64": told, "hash": hash.hex()}) + b"\n")
            head = (seq, hash.hex())
            documents.update(dict.fromkeys(d["sha256"] for d in json.loads(body).get("documents", ())))
    writer.put("transfers.json", _json(_transfers(conn, chain)))
    withheld = _documents(conn, documents, writer, files)
    root, path = proof.root.hex(), [step.hex() for step in proof.path]
    shown = {"seq": proof.seq, "index": proof.index, "size": proof.size, "path": path, "root": root}
    writer.put("proof.json", _json(shown))
    writer.put("verify_bundle.py", Path(verify_bundle.__file__).read_bytes())
    writer.put("README.txt", _README.format(root=root).encode())
    manifest = {
        "format": verify_bundle.FORMAT,
        "project": str(chain),
        "head": {"seq": head[0], "hash": head[1]},
        "seal": {"root": root, "size": proof.size},
        "files": dict(sorted(writer.files.items())),
        "withheld": withheld,
    }
    writer.put("manifest.json", _json(manifest))
    return head[0]


def _transfers(conn: psycopg.Connection[Any], chain: UUID) -> list[dict[str, Any]]:
    keys = ("event_seq", "id", "debit", "credit", "amount_minor", "currency", "kind")
    return [dict(zip(keys, row, strict=True)) for row in conn.execute(_TRANSFERS, (chain,)).fetchall()]


def _documents(
    conn: psycopg.Connection[Any], digests: dict[str, None], writer: _Writer, files: Path | None
) -> list[dict[str, str]]:
    """Write each document that events record; one that is not stored here is openly withheld."""
    withheld = []
    for digest in digests:
        row = conn.execute("SELECT name, content FROM document WHERE sha256 = %s", (digest,)).fetchone()
        if row is None and files is not None and (path := placed(files, digest)) is not None:
            with writer.file(f"documents/{digest}{path.suffix.lower()}") as file, path.open("rb") as content:
                shutil.copyfileobj(content, file)
            continue
        if row is None:
            withheld.append({"sha256": digest, "reason": "文件未存于本系统 · not stored in this system"})
            continue
        ending = re.search(r"\.[A-Za-z0-9]{1,8}$", row[0])
        writer.put(f"documents/{digest}{ending.group().lower() if ending else ''}", row[1])
    return withheld


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


__all__ = ["Exported", "export_account", "export_evidence"]

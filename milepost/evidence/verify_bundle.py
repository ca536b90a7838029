#!/usr/bin/env python3
"""Check a Milepost evidence bundle offline, with nothing but Python 3.8 and its standard library.

    python verify_bundle.py BUNDLE [--root HEX]        BUNDLE is a .zip or a folder

Exit code 0: every check holds. 1: at least one does not, and the output says which. 2: wrong usage.
Without --root the bundle is only consistent with itself. The root that you, or someone you trust,
received when the seal was made is what rules out a bundle that was rewritten as a whole. For the
same reason take this script from a source of your own if you doubt the copy inside the bundle.

THE FORMAT, "milepost-evidence/1". Hashes are SHA-256 in lower-case hex, JSON is UTF-8, no JSON
holds a float or the same key twice, and paths use "/".

manifest.json       {"format": "milepost-evidence/1", "project": UUID,
                     "head": {"seq": n, "hash": HEX},      the last event in events.jsonl
                     "seal": {"root": HEX, "size": n},     the same as in proof.json
                     "files": {PATH: HEX, ...},            every file but manifest.json itself
                     "withheld": [{"sha256": HEX, "reason": TEXT}, ...]}   may be left out
                    "withheld" names documents that events record and the bundle leaves out.
                    Other keys are allowed and not checked.
events.jsonl        One event a line, from seq 1 without a gap:
                    {"seq": n, "prev": HEX, "body_b64": BASE64, "hash": HEX}
                    hash = SHA-256(prev bytes + body bytes); prev is the hash before it, and at
                    seq 1 SHA-256(b"milepost:" + the 16 bytes of the project's UUID). The body is
                    a JSON object. Two keys of it are read here, and both may be left out:
                    "transfers": [{"id", "debit", "credit", "amount_minor", "currency", "kind"}]
                    "documents": [{"sha256": HEX, ...}]
transfers.json      [{"event_seq": n, "id", "debit", "credit", "amount_minor", "currency", "kind"}]
                    Exactly the transfers that the events list, each under its event's seq, with
                    the same six values: two different accounts, an amount from 1 to 2^63 - 1.
documents/*         Exactly the documents that the events list by hash, less those withheld.
proof.json          {"seq": n, "index": n, "size": n, "path": [HEX, ...], "root": HEX}
                    RFC 6962 inclusion proof, leaf to root, index from 0, of the project's head at
                    the time of the seal. That is event "seq"; later events are not sealed yet.
                    The leaf's record is {"hash":HEX,"project":UUID,"seq":n}, written just so.
verify_bundle.py    This script; listed in "files" like any other file.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

FORMAT = "milepost-evidence/1"
AMOUNT_MAX = 2**63 - 1
TRANSFER_KEYS = ("id", "debit", "credit", "amount_minor", "currency", "kind")
# What desktops drop into a folder when it is opened; it is no part of the evidence.
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")

HELD = {
    "project": ("项目 {project}", "Project {project}"),
    "files": ("{count} 个文件与清单一致", "{count} files match the manifest"),
    "events": ("{count} 个事件首尾相接，无一改动", "{count} events form an unbroken chain"),
    "transfers": (
        "{count} 笔划拨借贷相等，均有事件为据",
        "{count} transfers balance, and events record each",
    ),
    "documents": ("{count} 份文件与事件记载一致", "{count} documents are as the events record them"),
    "sealed": ("至第 {seq} 号事件已封存于根 {root}", "Up to event {seq} all is sealed under the root {root}"),
    "root": ("封存根与您持有的一致", "The sealed root is the one you hold"),
}
NOTES = {
    "root_not_compared": (
        "请用 --root 将封存根 {root} 与您收到的相比对",
        "Compare the sealed root {root} with the one you received: --root",
    ),
    "not_sealed_yet": ("最后 {count} 个事件尚未封存", "The last {count} events are not sealed yet"),
    "document_withheld": (
        "第 {seq} 号事件的一份文件未提供：{why}",
        "A document of event {seq} is withheld: {why}",
    ),
}
FAULTS = {
    "bundle_unreadable": ("无法打开证据包：{why}", "The bundle cannot be opened: {why}"),
    "malformed": ("{file} 缺失或格式不符：{why}", "{file} is missing or malformed: {why}"),
    "name_unsafe": ("文件名不安全：{file}", "The file name is unsafe: {file}"),
    "name_twice": ("文件出现两次：{file}", "The file is there twice: {file}"),
    "file_missing": ("缺少文件：{file}", "The file is missing: {file}"),
    "file_unlisted": ("清单之外的文件：{file}", "The file is not in the manifest: {file}"),
    "file_changed": ("文件已被改动：{file}", "The file was changed: {file}"),
    "sequence": ("第 {before} 号事件之后是第 {seq} 号", "Event {seq} comes after event {before}"),
    "wrong_previous": ("第 {seq} 号事件与前一事件不相接", "Event {seq} does not follow from the one before"),
    "wrong_hash": ("第 {seq} 号事件的内容与其哈希不符", "The content of event {seq} is not that of its hash"),
    "wrong_head": (
        "事件链止于第 {seq} 号，与清单所列链首不符",
        "The chain ends at event {seq}, which is not the head in the manifest",
    ),
    "transfer_unbalanced": ("划拨 {id}：{zh}", "Transfer {id}: {en}"),
    "transfer_twice": ("划拨 {id} 出现两次", "Transfer {id} is there twice"),
    "transfer_without_event": (
        "划拨 {id} 所指的第 {seq} 号事件不存在",
        "Transfer {id} refers to event {seq}, which does not exist",
    ),
    "transfer_not_recorded": (
        "划拨 {id} 与第 {seq} 号事件的记载不符",
        "Transfer {id} is not as event {seq} records it",
    ),
    "transfer_missing": (
        "缺少第 {seq} 号事件记载的划拨 {id}",
        "Transfer {id} of event {seq} is missing from transfers.json",
    ),
    "document_unrecorded": ("没有事件记载此内容：{file}", "No event records the content of {file}"),
    "document_missing": (
        "缺少第 {seq} 号事件记载的文件 {digest}",
        "The document {digest} of event {seq} is missing",
    ),
    "wrong_seal": ("证明与清单所列封存不一致", "The proof is not for the seal in the manifest"),
    "sealed_event_missing": (
        "缺少封存时的链首，即第 {seq} 号事件",
        "Event {seq}, the head when the seal was made, is missing",
    ),
    "wrong_proof": (
        "第 {seq} 号事件不在封存根 {root} 之下",
        "Event {seq} is not under the sealed root {root}",
    ),
    "wrong_root": (
        "封存根 {root} 与您持有的 {held} 不符",
        "The sealed root {root} is not the one you hold, {held}",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing the check found out: a stable code, and the fact in both languages."""

    code: str
    zh: str
    en: str


@dataclass
class Report:
    """What was checked and held, what the reader should know, and what is wrong."""

    held: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)

    def hold(self, code: str, **facts: object) -> None:
        self.held.append(_finding(HELD, code, facts))

    def note(self, code: str, **facts: object) -> None:
        self.notes.append(_finding(NOTES, code, facts))

    def fault(self, code: str, **facts: object) -> None:
        self.faults.append(_finding(FAULTS, code, facts))

    @property
    def ok(self) -> bool:
        return not self.faults


def _finding(table: dict[str, tuple[str, str]], code: str, facts: dict[str, object]) -> Finding:
    # A file name with a line break in it could otherwise print a verdict of its own.
    shown = {key: _one_line(str(fact)) for key, fact in facts.items()}
    zh, en = table[code]
    return Finding(code, zh.format(**shown), en.format(**shown))


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:300])


class Bundle:
    """The files of a bundle by name, read where they are; nothing is ever unpacked."""

    def __init__(self, path: Path, report: Report) -> None:
        self._folder = path
        self._zip = None if path.is_dir() else zipfile.ZipFile(path)
        self.names: set[str] = set()
        for name in self._listed():
            parts = name.split("/")
            if parts[-1] in LITTER:
                continue
            if name.startswith("/") or "\\" in name or ".." in parts or self._is_link(name):
                report.fault("name_unsafe", file=name)
            elif name in self.names:
                report.fault("name_twice", file=name)
            else:
                self.names.add(name)

    def _listed(self) -> list[str]:
        if self._zip is not None:
            return [info.filename for info in self._zip.infolist() if not info.is_dir()]
        found = (p for p in sorted(self._folder.rglob("*")) if p.is_symlink() or not p.is_dir())
        return [p.relative_to(self._folder).as_posix() for p in found]

    def _is_link(self, name: str) -> bool:
        return self._zip is None and (self._folder / name).is_symlink()

    def open(self, name: str) -> IO[bytes]:
        if name not in self.names:
            raise ValueError("there is no such file")
        return (self._folder / name).open("rb") if self._zip is None else self._zip.open(name)

    def digest(self, name: str) -> str:
        state = hashlib.sha256()
        with self.open(name) as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                state.update(block)
        return state.hexdigest()

    def json(self, name: str) -> Any:
        with self.open(name) as stream:
            return parse(stream.read())

    def close(self) -> None:
        if self._zip is not None:
            self._zip.close()


def parse(text: bytes) -> Any:
    """JSON with one reading only: a key given twice and a float are refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key is given twice")
        return dict(pairs)

    def never(number: str) -> Any:
        raise ValueError(f"{number} is not a whole number")

    return json.loads(text.decode("utf-8"), object_pairs_hook=once, parse_float=never, parse_constant=never)


def hex_hash(value: Any) -> str:
    """The value, if it is a SHA-256 in lower-case hex."""
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError(f"{value!r} is not a SHA-256 in lower-case hex")
    return value


def whole(value: Any) -> int:
    """The value, if it is a whole number from 0."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a whole number from 0")
    return value


@dataclass
class Story:
    """What the events say: hashes by sequence, and the transfers and documents they put on record."""

    hashes: dict[int, str] = field(default_factory=dict)
    transfers: dict[str, tuple[int, tuple[Any, ...]]] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)


def verify(path: Path, root: str | None = None) -> Report:
    """Run every check on the bundle; a check that cannot run is a fault, never a silence."""
    report, story = Report(), Story()
    manifest: dict[str, Any] = {}
    try:
        bundle = Bundle(path, report)
    except (OSError, zipfile.BadZipFile) as problem:
        report.fault("bundle_unreadable", why=problem)
        return report
    checks: list[tuple[str, Callable[[], None]]] = [
        ("manifest.json", lambda: check_manifest(bundle, manifest, report)),
        ("manifest.json", lambda: check_files(bundle, manifest, report)),
        ("events.jsonl", lambda: check_events(bundle, manifest, story, report)),
        ("transfers.json", lambda: check_transfers(bundle, story, report)),
        ("documents", lambda: check_documents(bundle, manifest, story, report)),
        ("proof.json", lambda: check_proof(bundle, manifest, story, root, report)),
    ]
    for file, check in checks:
        try:
            check()
        # Whatever a forged file provokes is a fault of that file, and the next check still runs.
        except Exception as problem:
            report.fault("malformed", file=file, why=f"{type(problem).__name__} {problem}")
        if not manifest:
            break
    bundle.close()
    return report


def check_manifest(bundle: Bundle, manifest: dict[str, Any], report: Report) -> None:
    """The manifest is of this format and names a project, a head, a seal and files."""
    found = bundle.json("manifest.json")
    if found["format"] != FORMAT:
        raise ValueError(f"its format is {found['format']!r}, and this script reads {FORMAT!r}")
    if str(uuid.UUID(found["project"])) != found["project"]:
        raise ValueError("its project is not a UUID in the usual form")
    whole(found["head"]["seq"])
    whole(found["seal"]["size"])
    for digest in (found["head"]["hash"], found["seal"]["root"], *found["files"].values()):
        hex_hash(digest)
    manifest.update(found)
    report.hold("project", project=found["project"])


def check_files(bundle: Bundle, manifest: dict[str, Any], report: Report) -> None:
    """The bundle holds exactly the files of the manifest, unchanged."""
    before = len(report.faults)
    listed, there = manifest["files"], bundle.names - {"manifest.json"}
    for name in sorted(set(listed) - there):
        report.fault("file_missing", file=name)
    for name in sorted(there - set(listed)):
        report.fault("file_unlisted", file=name)
    for name in sorted(there & set(listed)):
        if bundle.digest(name) != listed[name]:
            report.fault("file_changed", file=name)
    if len(report.faults) == before:
        report.hold("files", count=len(there))


def check_events(bundle: Bundle, manifest: dict[str, Any], story: Story, report: Report) -> None:
    """The events form one unbroken chain from the project's id to the head in the manifest."""
    before = len(report.faults)
    seq, prev = 0, hashlib.sha256(b"milepost:" + uuid.UUID(manifest["project"]).bytes).hexdigest()
    with bundle.open("events.jsonl") as stream:
        for row in map(parse, stream):
            here, body = whole(row["seq"]), base64.b64decode(row["body_b64"], validate=True)
            if here != seq + 1:
                report.fault("sequence", seq=here, before=seq)
            if hex_hash(row["prev"]) != prev:
                report.fault("wrong_previous", seq=here)
            if hashlib.sha256(bytes.fromhex(row["prev"]) + body).hexdigest() != hex_hash(row["hash"]):
                report.fault("wrong_hash", seq=here)
            seq, prev = here, row["hash"]
            story.hashes[seq] = prev
            remember(story, seq, parse(body), report)
    if (seq, prev) != (manifest["head"]["seq"], manifest["head"]["hash"]):
        report.fault("wrong_head", seq=seq)
    if len(report.faults) == before:
        report.hold("events", count=len(story.hashes))


def remember(story: Story, seq: int, body: dict[str, Any], report: Report) -> None:
    """Keep what an event puts on record for the checks that follow."""
    for transfer in body.get("transfers", []):
        if transfer["id"] in story.transfers:
            report.fault("transfer_twice", id=transfer["id"])
        story.transfers[transfer["id"]] = (seq, six(transfer))
    for document in body.get("documents", []):
        story.documents.setdefault(hex_hash(document["sha256"]), seq)


def six(transfer: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two transfers the same; the types keep 1 from being the same as true."""
    return tuple((type(transfer[key]), transfer[key]) for key in TRANSFER_KEYS)


def check_transfers(bundle: Bundle, story: Story, report: Report) -> None:
    """Each transfer balances, and the transfers are exactly those that the events put on record."""
    before = len(report.faults)
    told: set[str] = set()
    for transfer in bundle.json("transfers.json"):
        name, seq = transfer["id"], whole(transfer["event_seq"])
        for zh, en in imbalances(transfer):
            report.fault("transfer_unbalanced", id=name, zh=zh, en=en)
        if name in told:
            report.fault("transfer_twice", id=name)
        if seq not in story.hashes:
            report.fault("transfer_without_event", id=name, seq=seq)
        elif story.transfers.get(name) != (seq, six(transfer)):
            report.fault("transfer_not_recorded", id=name, seq=seq)
        told.add(name)
    for name in sorted(set(story.transfers) - told):
        report.fault("transfer_missing", id=name, seq=story.transfers[name][0])
    if len(report.faults) == before:
        report.hold("transfers", count=len(told))


def imbalances(transfer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What keeps a transfer from moving one positive amount from one account to another."""
    amount, currency = transfer["amount_minor"], transfer["currency"]
    accounts = (transfer["debit"], transfer["credit"])
    if type(amount) is not int or not 0 < amount <= AMOUNT_MAX:
        yield f"金额 {amount!r} 不是正整数", f"the amount {amount!r} is not a positive whole number"
    if not all(isinstance(account, str) and account for account in accounts) or len(set(accounts)) != 2:
        yield "借贷双方不是两个账户", "debit and credit are not two accounts"
    if not isinstance(currency, str) or not re.fullmatch("[A-Z]{3,8}", currency):
        yield f"币种 {currency!r} 无效", f"the currency {currency!r} is not valid"


def check_documents(bundle: Bundle, manifest: dict[str, Any], story: Story, report: Report) -> None:
    """The documents are exactly those that the events list, less those openly withheld."""
    before = len(report.faults)
    there = {name: bundle.digest(name) for name in bundle.names if name.startswith("documents/")}
    withheld = {hex_hash(entry["sha256"]): entry["reason"] for entry in manifest.get("withheld", [])}
    present = set(there.values())
    for name, digest in sorted(there.items()):
        if digest not in story.documents:
            report.fault("document_unrecorded", file=name)
    for digest, seq in story.documents.items():
        if digest in present:
            continue
        if digest in withheld:
            report.note("document_withheld", seq=seq, why=withheld[digest])
        else:
            report.fault("document_missing", seq=seq, digest=digest)
    if len(report.faults) == before:
        report.hold("documents", count=len(there))


def check_proof(
    bundle: Bundle, manifest: dict[str, Any], story: Story, root: str | None, report: Report
) -> None:
    """The sealed head lies under the seal's root, and that root is the one the reader holds."""
    before = len(report.faults)
    proof = bundle.json("proof.json")
    seq, index, size = whole(proof["seq"]), whole(proof["index"]), whole(proof["size"])
    sealed, path = hex_hash(proof["root"]), [bytes.fromhex(hex_hash(step)) for step in proof["path"]]
    if (sealed, size) != (manifest["seal"]["root"], manifest["seal"]["size"]):
        report.fault("wrong_seal")
    if root is not None and root != sealed:
        report.fault("wrong_root", root=sealed, held=root)
    if seq not in story.hashes:
        report.fault("sealed_event_missing", seq=seq)
        return
    leaf = f'{{"hash":"{story.hashes[seq]}","project":"{manifest["project"]}","seq":{seq}}}'.encode()
    if included_root(leaf, index, size, path) != bytes.fromhex(sealed):
        report.fault("wrong_proof", seq=seq, root=sealed)
    if len(report.faults) == before:
        report.hold("sealed", seq=seq, root=sealed)
        if root is None:
            report.note("root_not_compared", root=sealed)
        else:
            report.hold("root")
    later = sum(1 for number in story.hashes if number > seq)
    if later:
        report.note("not_sealed_yet", count=later)


def included_root(record: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162 2.1.3.2), or None if it leads nowhere."""
    if index >= size:
        return None
    last, result = size - 1, hashlib.sha256(b"\x00" + record).digest()
    for step in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            result = hashlib.sha256(b"\x01" + step + result).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            result = hashlib.sha256(b"\x01" + result + step).digest()
        index, last = index >> 1, last >> 1
    return result if last == 0 else None


def show(report: Report) -> str:
    """The report for a reader, the Chinese line before the English one, the verdict last."""
    lines = []
    for label, findings in (("OK   ", report.held), ("NOTE ", report.notes), ("FAULT", report.faults)):
        for finding in findings:
            lines += [f"{label}  {finding.zh}", f"       {finding.en} [{finding.code}]"]
    if report.ok:
        lines += ["结论：通过，证据完整。", "VERIFIED: the evidence is intact."]
    else:
        count = len(report.faults)
        lines += [f"结论：未通过，发现 {count} 处问题，不可采信。"]
        lines += [f"NOT VERIFIED, faults found: {count}. Do not rely on this bundle."]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command line; see the top of this file."""
    parser = argparse.ArgumentParser(description="离线核验证据包 / Check a Milepost evidence bundle offline.")
    parser.add_argument("bundle", type=Path, help="证据包：zip 或文件夹 / the bundle: a zip or a folder")
    parser.add_argument("--root", metavar="HEX", help="您持有的封存根 / the sealed root that you hold")
    given = parser.parse_args(arguments)
    root = re.sub(r"\s", "", given.root).lower() if given.root is not None else None
    if root is not None and not re.fullmatch("[0-9a-f]{64}", root):
        parser.error("--root 应为 64 位十六进制 / --root is 64 hexadecimal digits")
    # A console of another code page must not keep the verdict from being shown.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    report = verify(given.bundle, root)
    print(show(report))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())

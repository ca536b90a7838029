"""Every event of a project is bound to all events before it: edit, delete or reorder one, and it shows.

A chain's hash is SHA-256(previous hash ‖ stored body bytes), counted from sequence 1. The first
previous hash comes from the project's id, so that a previous hash occurs once in the whole
database and a body cannot be passed off as another project's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from schema.money import Explained

_EXACT = (str, int, type(None))
# Made once: ``json.dumps`` makes an encoder for every call that asks for more than the ordinary.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
# The previous hash of a chain that belongs to no project.
GENESIS = bytes(32)
FIRST_SEQ = 1


class EvidenceError(Explained):
    """Something that cannot be turned into evidence, because it has no single exact form."""


@dataclass(frozen=True, slots=True)
class Link:
    """One event as it is stored: its place, the hash before it, the exact bytes, its own hash."""

    seq: int
    prev: bytes
    body: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a chain is broken: where, what, and the fact in both languages.

    `code` is one of empty, gap, out_of_order, wrong_genesis, wrong_previous, wrong_hash,
    truncated and wrong_head.
    """

    seq: int
    code: str
    zh: str
    en: str


def canonical(obj: Mapping[str, object]) -> bytes:
    """The one byte string that stands for an object: sorted keys, no spaces, UTF-8.

    Keys are text and sort by code point. Values are text, whole numbers, true, false, null, lists
    and objects. Anything with more than one way of being written (a float, a decimal, a moment,
    an identifier) is refused: give it as text.
    """
    if not isinstance(obj, dict):
        raise _not_canonical("$", obj)
    _require_exact(obj, "$")
    try:
        return _encode(obj).encode("utf-8")
    except UnicodeEncodeError:
        raise EvidenceError(
            "text_not_unicode",
            "文字中含有不成对的代理字符，无法存证。请更正该文字后重试。",
            "The text holds half a surrogate pair and cannot be kept as evidence. Correct the text.",
        ) from None


def event_hash(prev: bytes, body: bytes) -> bytes:
    """SHA-256(prev ‖ body). The previous hash has a fixed length, so the border cannot shift."""
    if len(prev) != 32:
        raise EvidenceError(
            "hash_length",
            f"前一哈希应为 32 字节，收到 {len(prev)} 字节。请传入完整的哈希。",
            f"A previous hash has 32 bytes, and this one has {len(prev)}. Give the whole hash.",
        )
    return sha256(prev + body).digest()


def genesis(project_id: UUID) -> bytes:
    """The previous hash of a project's first event; no two projects share one."""
    return sha256(b"milepost:" + project_id.bytes).digest()


def head_leaf(project_id: UUID, seq: int, head: bytes) -> bytes:
    """The record of a chain's head that a seal takes in as one leaf of its Merkle tree."""
    return canonical({"project": str(project_id), "seq": seq, "hash": head.hex()})


def check_chain(
    project_id: UUID, rows: Iterable[Link], *, head: tuple[int, bytes] | None = None
) -> list[Fault]:
    """Every fault of a chain, read in the order given; an intact chain has none.

    After a fault the check goes on from what is stored, so that one edit is one fault and not a
    fault in every later row. A cut-off end leaves an intact chain: only `head`, the sequence and
    hash on record elsewhere (a seal, a manifest), can show it. A chain may have grown since.
    """
    faults: list[Fault] = []
    expected_seq, expected_prev, last_hash = FIRST_SEQ, genesis(project_id), b""
    for row in rows:
        faults += _order_faults(row, expected_seq)
        if row.prev != expected_prev:
            faults.append(_wrong_previous(row, expected_seq))
        if len(row.prev) != 32 or event_hash(row.prev, row.body) != row.hash:
            faults.append(
                _fault(row.seq, "wrong_hash", "内容与其哈希不符", "its content does not match its hash")
            )
        if head and row.seq == head[0] and row.hash != head[1]:
            faults.append(
                _fault(row.seq, "wrong_head", "与记录在案的链首不符", "it is not the head on record")
            )
        expected_seq, expected_prev, last_hash = row.seq + 1, row.hash, row.hash
    return faults + _end_faults(expected_seq - 1, last_hash, head)


def _order_faults(row: Link, expected: int) -> list[Fault]:
    if row.seq > expected:
        missing = f"{expected}" if row.seq == expected + 1 else f"{expected}–{row.seq - 1}"
        return [
            _fault(row.seq, "gap", f"之前缺少第 {missing} 号事件", f"event {missing} before it is missing")
        ]
    if row.seq < expected:
        return [_fault(row.seq, "out_of_order", "顺序颠倒或重复", "it is out of order or repeated")]
    return []


def _wrong_previous(row: Link, expected_seq: int) -> Fault:
    if row.seq == expected_seq == FIRST_SEQ:
        return _fault(
            row.seq, "wrong_genesis", "不以本项目编号为起点", "it does not begin at this project's own id"
        )
    return _fault(
        row.seq, "wrong_previous", "与前一事件不相接", "it does not follow from the event before it"
    )


def _end_faults(last_seq: int, last_hash: bytes, head: tuple[int, bytes] | None) -> list[Fault]:
    if head is None:
        return []
    if not last_hash:
        return [Fault(head[0], "empty", "链上没有任何事件。", "The chain holds no event at all.")]
    if last_seq < head[0]:
        return [
            Fault(
                last_seq,
                "truncated",
                f"链止于第 {last_seq} 号事件，而记录在案的链首是第 {head[0]} 号。",
                f"The chain ends at event {last_seq}, and the head on record is event {head[0]}.",
            )
        ]
    return []


def _fault(seq: int, code: str, zh: str, en: str) -> Fault:
    return Fault(seq, code, f"第 {seq} 号事件：{zh}。", f"Event {seq}: {en}.")


def _require_exact(value: object, path: str) -> None:
    """Refuse, by its place, the first value that JSON cannot carry exactly."""
    if isinstance(value, dict):
        for key, item in value.items():
            # JSON would turn a key 1 into "1" without a word, and two keys into one.
            if not isinstance(key, str):
                raise _not_canonical(f"{path}.{key!r}", key)
            # What is plain ends here: a path is put into words only for what lies deeper.
            if not isinstance(item, _EXACT):
                _require_exact(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if not isinstance(item, _EXACT):
                _require_exact(item, f"{path}[{index}]")
    elif not isinstance(value, _EXACT):
        raise _not_canonical(path, value)


def _not_canonical(path: str, value: object) -> EvidenceError:
    kind = type(value).__name__
    return EvidenceError(
        "not_canonical",
        f"{path} 处的 {kind} 没有唯一的写法，无法存证。请改为文字或整数。",
        f"The {kind} at {path} has no single written form and cannot be kept as evidence. "
        "Give it as text or as a whole number.",
    )

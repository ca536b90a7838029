"""Who the names in a draw's record are: for supervisors, who can check that the names are those committed to.

A record calls everybody by names of its own, and commits to the hash of the salt they were made with. The
opening holds that salt and the ids of the pool. ``docs/draw.md`` says how one follows from the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milepost.experts.draw_record import Record
from milepost.experts.draw_shape import HASH, UUID, Keyed, Listed, misfits, read_json
from states.commitment import alias_of, canonical, names_hash
from states.seating import Finding

OPENING = Keyed({"draw": UUID, "commitment": HASH, "salt": HASH, "experts": Listed(UUID)})
"""The shape of an opening; a salt has as many digits as a hash."""


def write_opening(draw: str, commitment: str, salt: bytes, experts: list[str]) -> bytes:
    """An opening as supervisors take it away: canonical JSON and a line feed."""
    said = {"draw": draw, "commitment": commitment, "salt": salt.hex(), "experts": sorted(experts)}
    return canonical(said) + b"\n"


def check_names(record: Record, opening: bytes | str | Mapping[str, Any]) -> list[Finding]:
    """Where an opening is not that of a record: nothing, if each name is one expert's and each has one."""
    try:
        said = read_json(opening) if isinstance(opening, bytes | str) else opening
    except ValueError as problem:
        return [_finding("not_json", why=str(problem)[:200])]
    if findings := misfits(said, OPENING):
        return findings
    found, salt = [], bytes.fromhex(said["salt"])
    if (said["draw"], said["commitment"]) != (record.committed.draw, record.commitment):
        found.append(_finding("another_draw"))
    if names_hash(salt) != record.committed.names:
        found.append(_finding("salt_not_committed"))
    pool = {candidate.id for candidate in record.committed.pool}
    names = {alias_of(salt, expert) for expert in said["experts"]}
    if missing := sorted(pool - names):
        found.append(_finding("names_of_nobody", ids=", ".join(missing[:5])))
    if strangers := sorted(names - pool):
        found.append(_finding("names_not_there", ids=", ".join(strangers[:5])))
    return found


_WORDS = {
    "not_json": ("对照文件不是合格的 JSON：{why}。", "The names are not proper JSON: {why}."),
    "another_draw": ("对照文件属于另一次抽取。", "The names are those of another draw."),
    "salt_not_committed": (
        "盐值的哈希不是记录所承诺的。",
        "The salt's hash is not the one that the record committed to.",
    ),
    "names_of_nobody": ("记录中有代号不属于任何人：{ids}。", "Names of the record are nobody's: {ids}."),
    "names_not_there": (
        "对照文件中有人不在专家库快照中：{ids}。",
        "The names have people who are not in the pool: {ids}.",
    ),
}


def _finding(code: str, **facts: object) -> Finding:
    zh, en = _WORDS[code]
    return Finding(code, zh.format(**facts), en.format(**facts))


__all__ = ["check_names", "write_opening"]

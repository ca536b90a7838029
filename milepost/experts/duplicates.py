"""Two entries that may be one person: found, said why, and left to the officer, who retires one.

Certain: the same identity number. Likely: the same telephone number, or the same name at the same unit.
Possible: the same name elsewhere, or nearly the same name at the same unit. Two entries whose identity
numbers differ are two people, however much their names agree.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from uuid import UUID

from config.programmes import Text
from milepost.db import Session

CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"
REASONS: Mapping[str, tuple[str, Text]] = {
    "identity": (CERTAIN, Text(zh="证件号码相同", en="same identity number")),
    "phone": (LIKELY, Text(zh="电话相同", en="same telephone number")),
    "name_and_unit": (LIKELY, Text(zh="姓名与单位相同", en="same name at the same unit")),
    "name": (POSSIBLE, Text(zh="姓名相同，单位不同", en="same name at another unit")),
    "similar_name_and_unit": (
        POSSIBLE,
        Text(zh="姓名相近，单位相同", en="nearly the same name at the same unit"),
    ),
}
"""Why two entries may be one, with how sure that makes it, the surest first."""
DEGREES: Mapping[str, Text] = {
    CERTAIN: Text(zh="确定", en="Certain"),
    LIKELY: Text(zh="很可能", en="Likely"),
    POSSIBLE: Text(zh="可能", en="Possible"),
}
_DEGREES = tuple(DEGREES)
_GROUP_MAX = 200  # A name that more people bear says nothing, and their pairs would fill the list.


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is compared of an entry."""

    person_id: UUID | None
    login: str
    name: str
    units: frozenset[str] = frozenset()
    phone: str = ""
    identity_hash: str | None = None
    region: str = "/"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries and why they may be one; ``degree``: certain, likely or possible."""

    first: Candidate
    second: Candidate
    reasons: tuple[str, ...]
    degree: str = field(default=POSSIBLE)


def name_key(name: str) -> str:
    """A name without case, marks and the order of its parts: Li Wei and WEI, Li are one."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    parts = "".join(c if c.isalnum() else " " for c in folded).split()
    return " ".join(sorted(parts))


def reasons_between(one: Candidate, other: Candidate) -> tuple[str, ...]:
    """Why two entries may be one person, the surest reason first; empty: nothing says so."""
    known = [c.identity_hash for c in (one, other) if c.identity_hash]
    found = ["identity"] if len(known) == 2 and len(set(known)) == 1 else []
    if one.phone and one.phone == other.phone:
        found.append("phone")
    if len(set(known)) == 2:
        return tuple(found)
    left, right = name_key(one.name), name_key(other.name)
    together = bool(one.units & other.units)
    if left == right:
        found.append("name_and_unit" if together else "name")
    elif together and alike(left, right):
        found.append("similar_name_and_unit")
    return tuple(found)


def alike(left: str, right: str) -> bool:
    """Whether two names differ by one letter, left out or changed; two letters are too few."""
    if min(len(left), len(right)) < 3 or abs(len(left) - len(right)) > 1 or left == right:
        return False
    at = next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
    return left[at + 1 :] == right[at + 1 :] or left[at + 1 :] == right[at:] or left[at:] == right[at + 1 :]


def degree_of(reasons: Iterable[str]) -> str:
    """How sure the surest of some reasons is."""
    return min((REASONS[reason][0] for reason in reasons), key=_DEGREES.index)


def find_duplicates(session: Session) -> list[Pair]:
    """Every pair among the entries that are not retired, the surest first."""
    everybody = candidates(session)
    shared: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for one in everybody:
        if one.identity_hash:
            shared["identity", one.identity_hash].append(one)
        if one.phone:
            shared["phone", one.phone].append(one)
        shared["name", name_key(one.name)].append(one)
        for unit in one.units:
            # Two names that differ by one letter agree in some way of leaving out one letter.
            for part in _shortened(name_key(one.name)):
                shared["near", f"{unit}\0{part}"].append(one)
    pairs: dict[tuple[str, str], Pair] = {}
    for group in shared.values():
        if not 1 < len(group) <= _GROUP_MAX:
            continue
        for one, other in combinations(group, 2):
            first, second = sorted((one, other), key=lambda c: c.login)
            key = first.login, second.login
            if key not in pairs and one is not other and (reasons := reasons_between(first, second)):
                pairs[key] = Pair(first, second, reasons, degree_of(reasons))
    return sorted(pairs.values(), key=lambda p: (_DEGREES.index(p.degree), p.first.login, p.second.login))


def find_matches(session: Session, new: Candidate) -> list[tuple[Candidate, tuple[str, ...]]]:
    """Entries that may be somebody about to be entered, the surest first; one question to the database."""
    rows = session.conn.execute(
        # Who was retired is still the same person: returning is the way, not a second entry.
        f"{_CANDIDATES} WHERE x.identity_hash = %(identity)s OR x.active "
        "AND ((%(phone)s <> '' AND x.phone = %(phone)s) OR compared(n.name) = compared(%(name)s) "
        "OR EXISTS (SELECT 1 FROM affiliation a WHERE a.person_id = n.id AND a.unit_key = ANY(%(units)s)))",
        {
            "identity": new.identity_hash,
            "phone": new.phone,
            "name": new.name,
            "units": sorted(new.units),
        },
    ).fetchall()
    found = []
    for other in (_candidate(row) for row in rows):
        if other.person_id != new.person_id and (reasons := reasons_between(new, other)):
            found.append((other, reasons))
    return sorted(found, key=lambda f: (_DEGREES.index(degree_of(f[1])), f[0].login))


_CANDIDATES = """SELECT n.id, n.login, n.name,
  ARRAY(SELECT DISTINCT a.unit_key FROM affiliation a WHERE a.person_id = n.id),
  x.phone, x.identity_hash, x.region FROM expert x JOIN person n ON n.id = x.person_id"""


def candidates(session: Session) -> list[Candidate]:
    """Every entry that is not retired, as far as it is compared."""
    return [
        _candidate(row)
        for row in session.conn.execute(f"{_CANDIDATES} WHERE x.active ORDER BY n.login").fetchall()
    ]


def _candidate(row: Any) -> Candidate:
    id, login, name, units, phone, identity, region = row
    return Candidate(id, login, name, frozenset(units), phone, identity, region)


def _shortened(name: str) -> set[str]:
    return {name, *(name[:i] + name[i + 1 :] for i in range(len(name)))} if len(name) > 2 else {name}


__all__ = [
    "CERTAIN",
    "DEGREES",
    "LIKELY",
    "POSSIBLE",
    "REASONS",
    "Candidate",
    "Pair",
    "candidates",
    "degree_of",
    "find_duplicates",
    "find_matches",
    "name_key",
    "reasons_between",
]

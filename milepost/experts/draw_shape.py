"""The exact shape of a published draw: which keys there are, and what may stand under each.

``RECORD`` is the table of ``docs/draw.md`` in code. Nothing beyond it is accepted: a record has no place for
a name, a telephone number or a remark about a person.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

from states.commitment import FORMAT, OPEN_FORMAT, SUPERVISIONS
from states.drawing import GONE_REASONS, REQUIREMENTS
from states.seating import KINDS, Finding

SHOWN_MAX = 20
"""How many misfits of one file are told: the rest would bury them."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A plain value: what it must be, in both languages, and the test."""

    zh: str
    en: str
    fits: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of values of one shape."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Mapped:
    """An object whose keys are data, such as ids."""

    key: Leaf
    of: Shape


@dataclass(frozen=True, slots=True)
class Keyed:
    """An object with these keys and no others; those in ``may`` can be left out."""

    must: Mapping[str, Shape]
    may: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value of this shape, or null."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Told:
    """An object whose ``kind`` tells which of several shapes it has."""

    by_kind: Mapping[str, Keyed]


Shape = Leaf | Listed | Mapped | Keyed | Maybe | Told


def misfits(value: Any, shape: Shape, path: str = "") -> list[Finding]:
    """Where a value departs from a shape, by its path; at most ``SHOWN_MAX`` places."""
    return list(islice(_misfits(value, shape, path), SHOWN_MAX))


def read_json(data: bytes | str) -> Any:
    """JSON with one reading only: ValueError for a key given twice, a float, or what is no JSON at all."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key is given twice")
        return found

    def never(number: str) -> Any:
        raise ValueError(f"{number[:20]} is not a whole number")

    # Some editors put a mark at the beginning, which is no part of the text.
    text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    try:
        return json.loads(text, object_pairs_hook=once, parse_float=never, parse_constant=never)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _misfits(value: Any, shape: Shape, path: str) -> Iterator[Finding]:
    match shape:
        case Leaf():
            if not shape.fits(value):
                yield _misfit(path, shape.zh, shape.en)
        case Maybe():
            if value is not None:
                yield from _misfits(value, shape.of, path)
        case Listed():
            if not isinstance(value, list):
                yield _misfit(path, "应为列表", "a list is wanted")
                return
            for at, item in enumerate(value):
                yield from _misfits(item, shape.of, f"{path}[{at}]")
        case Mapped():
            if not isinstance(value, dict):
                yield _misfit(path, "应为对象", "an object is wanted")
                return
            for key, item in value.items():
                if not shape.key.fits(key):
                    yield _misfit(f"{path}.{key}", shape.key.zh, shape.key.en)
                yield from _misfits(item, shape.of, f"{path}.{key}")
        case Told():
            kind = value.get("kind") if isinstance(value, dict) else None
            if not isinstance(kind, str) or kind not in shape.by_kind:
                kinds = " / ".join(shape.by_kind)
                yield _misfit(f"{path}.kind", f"应为 {kinds}", f"{kinds} is wanted")
                return
            yield from _misfits(value, shape.by_kind[kind], path)
        case Keyed():
            yield from _keyed_misfits(value, shape, path)


def _keyed_misfits(value: Any, shape: Keyed, path: str) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _misfit(path, "应为对象", "an object is wanted")
        return
    before = f"{path}." if path else ""
    known = {**shape.must, **shape.may}
    for key in shape.must:
        if key not in value:
            yield _misfit(before + key, "缺失", "it is missing")
    for key, item in value.items():
        if key in known:
            yield from _misfits(item, known[key], before + key)
        else:
            yield _misfit(before + key, "没有这一项", "there is no such key")


def _misfit(path: str, zh: str, en: str) -> Finding:
    shown = "".join(c if c.isprintable() else "?" for c in path[:120]) or "$"
    return Finding("malformed", f"{shown} 不符合格式：{zh}。", f"{shown} does not fit: {en}.")


def _pattern(zh: str, en: str, pattern: str) -> Leaf:
    compiled = re.compile(pattern)
    return Leaf(zh, en, lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None)


def _number(least: int, most: int) -> Leaf:
    # A truth value is a whole number to Python, and not to anybody else.
    return Leaf(
        f"应为 {least} 至 {most} 的整数",
        f"a whole number from {least} to {most} is wanted",
        lambda value: type(value) is int and least <= value <= most,
    )


def _one_of(*words: str) -> Leaf:
    choice = " / ".join(words)
    return Leaf(
        f"应为 {choice}", f"{choice} is wanted", lambda value: isinstance(value, str) and value in words
    )


def _text(least: int, most: int) -> Leaf:
    def fits(value: Any) -> bool:
        # Half a surrogate pair can be written in JSON, and has no bytes that could be hashed.
        whole = isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)
        return whole and least <= len(value) <= most

    return Leaf(
        f"应为 {least} 至 {most} 个字符的文字",
        f"text of {least} to {most} characters is wanted",
        fits,
    )


def _calendar(zh: str, en: str, pattern: str, parse: Callable[[str], object]) -> Leaf:
    compiled = re.compile(pattern)

    def fits(value: Any) -> bool:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            return False
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return Leaf(zh, en, fits)


UUID = _pattern("应为小写 UUID", "a lower-case UUID is wanted", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HASH = _pattern("应为 64 位小写十六进制", "64 lower-case hex digits are wanted", "[0-9a-f]{64}")
HEX = _pattern("应为小写十六进制", "lower-case hex digits are wanted", "([0-9a-f]{2}){1,200}")
CODE = _pattern("应为代码", "a code is wanted", "[a-z][a-z0-9_.:-]{0,63}")
MOMENT = _calendar(
    "应为带秒和时差的时间，如 2026-05-04T09:00:00+08:00",
    "a moment with seconds and offset is wanted, such as 2026-05-04T09:00:00+08:00",
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}",
    datetime.fromisoformat,
)
DAY = _calendar(
    "应为日期，如 2026-05-04",
    "a day is wanted, such as 2026-05-04",
    "20[0-9]{2}-[0-9]{2}-[0-9]{2}",
    date.fromisoformat,
)
TRUTH = Leaf("应为 true 或 false", "true or false is wanted", lambda value: isinstance(value, bool))
SHARE = Leaf(
    "应为最简分数 [分子, 分母]",
    "a share as [numerator, denominator] is wanted",
    lambda value: (
        isinstance(value, list)
        and len(value) == 2
        and all(type(part) is int and 0 <= part <= 10**9 for part in value)
        and value[1] > 0
    ),
)
KIND, KEY, FIELD, WORDS = _one_of(*KINDS), _text(0, 200), _text(1, 40), _text(1, 4000)
COUNT, FROM_ONE = _number(0, 10**9), _number(1, 10**9)
SHORT = Listed(_one_of("pool", *REQUIREMENTS))
EXCLUDED = Mapped(UUID, CODE)

COMPOSITION = Keyed(
    {
        "size": COUNT,
        "odd": TRUTH,
        "minimums": Mapped(KIND, FROM_ONE),
        "off_site_share": SHARE,
        "one_per_institution": TRUTH,
        "field_digits": COUNT,
        "field_exempt": Listed(KIND),
    }
)
SOURCE = Told(
    {
        "drand": Keyed({"kind": WORDS, "chain_hash": HASH, "public_key": HEX, "round": FROM_ONE}),
        "figure": Keyed({"kind": WORDS, "zh": WORDS, "en": WORDS, "published_on": DAY}),
    }
)
CANDIDATE = Keyed(
    {
        "id": UUID,
        "kinds": Listed(KIND),
        "institution": KEY,
        "region": KEY,
        "fields": Listed(FIELD),
        "capacity": COUNT,
    }
)
PROJECT = Keyed(
    {
        "id": UUID,
        "region": _text(1, 200),
        "fields": Listed(FIELD),
        "excluded": EXCLUDED,
        "kept": Listed(UUID),
    }
)
_FIXED: Mapping[str, Shape] = {
    "draw": UUID,
    "attempt": FROM_ONE,
    "previous": Maybe(Keyed({"commitment": HASH, "reason": WORDS})),
    "programme": Keyed({"code": _text(1, 200), "version": FROM_ONE}),
    "committed_at": MOMENT,
    "supervision": _one_of(*SUPERVISIONS),
    "composition": COMPOSITION,
    "source": SOURCE,
    "pool": Listed(CANDIDATE),
    "projects": Listed(PROJECT),
}
COMMITTED = {
    OPEN_FORMAT: Keyed({"format": _one_of(OPEN_FORMAT), **_FIXED}),
    FORMAT: Keyed({"format": _one_of(FORMAT), "names": HASH, **_FIXED}),
}
VALUE = Keyed({"text": _text(1, 200), "taken_at": MOMENT}, {"signature": HEX, "previous_signature": HEX})
PANEL = Keyed({"project": UUID, "members": Listed(UUID), "short": SHORT})
REPLACEMENT = Keyed(
    {
        "project": UUID,
        "gone": UUID,
        "reason": _one_of(*GONE_REASONS),
        "at": MOMENT,
        "remaining": Mapped(UUID, COUNT),
        "excluded": EXCLUDED,
        "successors": Listed(UUID),
        "short": SHORT,
    }
)
WITNESS = Keyed({"person": UUID, "manner": _one_of("present", "signed"), "at": MOMENT})
_SHOWN: Mapping[str, Shape] = {
    "commitment": HASH,
    "value": Maybe(VALUE),
    "panels": Listed(PANEL),
    "replacements": Listed(REPLACEMENT),
    "witnesses": Listed(WITNESS),
}
RECORD = Keyed({"format": _one_of(FORMAT), "committed": COMMITTED[FORMAT], **_SHOWN})
OPEN_RECORD = Keyed({"format": _one_of(OPEN_FORMAT), "committed": COMMITTED[OPEN_FORMAT], **_SHOWN})

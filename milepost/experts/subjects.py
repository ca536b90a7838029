"""The subject classification (学科分类与代码, GB/T 13745): which code an expert or an application may name.

The first level is data with names in both languages (``subjects.toml``); below it a code of the second or
third level is its first three digits and two or four more.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from config.programmes import Text
from milepost.experts.permits import ExpertError

FIELDS_MAX = 10
_CODE = re.compile(r"\d{3}(?:\d{2}){0,2}", re.ASCII)


@lru_cache(maxsize=1)
def first_level() -> Mapping[str, Text]:
    """The first level by its code of three digits, in the order of the classification."""
    groups = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {code: Text(zh=pair[0], en=pair[1]) for group in groups.values() for code, pair in group.items()}


def subject_label(code: str) -> Text:
    """What a code stands for: its first level by name, and the code itself where it is more exact."""
    name = first_level().get(code[:3])
    if name is None:
        return Text(zh=code, en=code)
    return Text(zh=f"{code} {name.zh}", en=f"{code} {name.en}")


def subject_in(text: str) -> str:
    """A code as written, with points (520.20) or without, or a first level by name; others are refused."""
    bare = text.strip().replace(".", "").replace("．", "")
    if _CODE.fullmatch(bare) and bare[:3] in first_level():
        return bare
    named = [code for code, name in first_level().items() if text.strip().casefold() in _names(name)]
    if named:
        return named[0]
    near = [subject_label(code) for code in nearest(text)]
    zh, en = ("、".join(name.zh for name in near), ", ".join(name.en for name in near))
    raise ExpertError(
        "field_unknown",
        f"没有学科代码“{text.strip()[:40]}”。请填写 3、5 或 7 位代码；相近的有：{zh}。",
        f"There is no subject code {text.strip()[:40]!r}. Give a code of 3, 5 or 7 digits; near: {en}.",
    )


def subjects_in(texts: Iterable[str]) -> list[str]:
    """Several codes, each once and in order; a code that a more exact one already says stays all the same."""
    codes = sorted({subject_in(text) for text in texts if text.strip()})
    if len(codes) > FIELDS_MAX:
        raise ExpertError(
            "fields_too_many",
            f"学科代码至多 {FIELDS_MAX} 个，收到 {len(codes)} 个。请保留最主要的。",
            f"At most {FIELDS_MAX} subject codes, not {len(codes)}. Keep those that matter most.",
        )
    return codes


def nearest(text: str, most: int = 3) -> list[str]:
    """The first-level codes nearest to what somebody wrote, by name where it is words, else by digits."""
    digits = "".join(c for c in text if c.isascii() and c.isdigit())[:3]
    known = first_level()
    if not digits:
        words = text.strip().casefold()
        near = {name: code for code, label in known.items() for name in _names(label)}
        inside = [code for name, code in near.items() if words and words in name]
        close = [near[name] for name in difflib.get_close_matches(words, near, n=most, cutoff=0.4)]
        found = list(dict.fromkeys([*inside, *close]))
        return found[:most] or list(known)[:most]
    wanted = int(digits.ljust(3, "0"))
    return sorted(known, key=lambda code: (abs(int(code) - wanted), code))[:most]


def _names(name: Text) -> tuple[str, str]:
    return name.zh.casefold(), name.en.casefold()


__all__ = ["FIELDS_MAX", "first_level", "nearest", "subject_in", "subject_label", "subjects_in"]

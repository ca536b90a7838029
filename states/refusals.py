"""Every refusal by its code: the fact, the remedy and who can act, in Chinese and English.

The words stand in ``refusals.toml`` and, for whole areas, in ``refusals_<area>.toml`` beside it. A code is
stable: programs may rely on it. The words may improve.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from config.programmes import Shape, Text


class Words(Shape):
    """One row of the catalogue; ``{names}`` in the words are filled from the refusal's params."""

    who: tuple[str, ...]
    fact: Text
    remedy: Text


def _read() -> dict[str, Words]:
    """Every file's rows; a code that stands in two of them stops the start."""
    found: dict[str, Words] = {}
    for path in sorted(Path(__file__).parent.glob("refusals*.toml")):
        text = path.read_text(encoding="utf-8")
        rows = TypeAdapter(dict[str, Words]).validate_python(tomllib.loads(text))
        if twice := found.keys() & rows.keys():
            raise ValueError(f"{path.name}: said elsewhere already: {', '.join(sorted(twice))}")
        found |= rows
    return found


CATALOGUE: dict[str, Words] = _read()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step cannot be taken. Equal refusals are the same fact."""

    code: str
    params: tuple[tuple[str, Any], ...] = ()

    @property
    def who(self) -> tuple[str, ...]:
        """The roles that can act; ``anyone`` where it is the reader."""
        return CATALOGUE[self.code].who

    def _in(self, text: Text, locale: str) -> str:
        return (text.zh if locale == "zh" else text.en).format(**dict(self.params))

    def fact(self, locale: str) -> str:
        """What is the case, in the reader's language."""
        return self._in(CATALOGUE[self.code].fact, locale)

    def remedy(self, locale: str) -> str:
        """What would help."""
        return self._in(CATALOGUE[self.code].remedy, locale)

    def as_json(self) -> dict[str, Any]:
        """One shape of refusal for the API, the command line and the web."""
        return {
            "code": self.code,
            "fact": {"zh": self.fact("zh"), "en": self.fact("en")},
            "remedy": {"zh": self.remedy("zh"), "en": self.remedy("en")},
            "who": list(self.who),
        }


def refuse(code: str, **params: Any) -> Refusal:
    """A refusal from the catalogue; a code that is not in it crashes."""
    if code not in CATALOGUE:
        raise KeyError(f"no refusal is called {code!r}")
    return Refusal(code, tuple(params.items()))


class Refused(Exception):
    """Nothing was changed. ``refusals`` holds every reason, not the first only."""

    def __init__(self, refusals: list[Refusal]) -> None:
        self.refusals = refusals
        super().__init__("; ".join(f"{r.code}: {r.fact('en')} {r.remedy('en')}" for r in refusals))

"""The kinds of exceptions: what the bank said, what helps and who can do it, in Chinese and English."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from config.programmes import Text


class Kind(BaseModel):
    """One row of the catalogue; ``{names}`` are filled in from the exception."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fact: Text
    remedy: Text
    who: tuple[str, ...] = ("finance_officer",)


_CATALOGUE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
KINDS: Mapping[str, Kind] = {name: Kind.model_validate(row) for name, row in _CATALOGUE["exception"].items()}
WHY: Mapping[str, Text] = {name: Text.model_validate(row) for name, row in _CATALOGUE["why"].items()}


@dataclass(frozen=True, slots=True)
class Said:
    """An exception in words."""

    fact: Text
    remedy: Text
    why: Text | None


def said_of(kind: str, params: Mapping[str, Any]) -> Said:
    """The words of an exception, filled in; a kind that is not in the catalogue crashes."""
    row = KINDS[kind]
    known = {key: str(value) for key, value in params.items()}

    def filled(text: Text) -> Text:
        zh = known | {"said": known.get("zh", "")}
        en = known | {"said": known.get("en", "")}
        return Text(zh=text.zh.format(**zh), en=text.en.format(**en))

    return Said(filled(row.fact), filled(row.remedy), WHY.get(str(params.get("why", ""))))


__all__ = ["KINDS", "WHY", "Kind", "Said", "said_of"]

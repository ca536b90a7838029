"""Whatever is said of a bank file says where, what is the case and what would help, in Chinese and English.

The words stand in ``findings.toml``. A code is stable: programs may rely on it. An account number never
stands in a finding in full, because findings reach pages, mails and logs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from config.programmes import Text
from schema.money import Explained


class Words(BaseModel):
    """One row of the catalogue; ``{names}`` are filled in from the finding."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fact: Text
    remedy: Text
    blocks: bool = True


class _Catalogue(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    field: dict[str, Text]
    finding: dict[str, Words]


_CATALOGUE = _Catalogue.model_validate(
    tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
)
FINDINGS = _CATALOGUE.finding
FIELDS = _CATALOGUE.field


@dataclass(frozen=True, slots=True)
class Finding:
    """Something said of a file: ``row`` counts payments or entries from 1, ``line`` lines; 0 is the whole."""

    code: str
    field: str
    params: tuple[tuple[str, str], ...] = ()
    row: int = 0
    line: int = 0

    @property
    def blocks(self) -> bool:
        """Whether the file must not be used; otherwise a person should see it."""
        return FINDINGS[self.code].blocks

    def at(self, row: int = 0, line: int = 0) -> Finding:
        """The same, with its place."""
        return replace(self, row=row or self.row, line=line or self.line)

    def fact(self, locale: str) -> str:
        """What is the case, in the reader's language."""
        return self._filled(FINDINGS[self.code].fact, locale)

    def remedy(self, locale: str) -> str:
        """What would help."""
        return self._filled(FINDINGS[self.code].remedy, locale)

    def place(self, locale: str) -> str:
        """Where: row, line and field, as far as they are known."""
        zh = locale == "zh"
        parts = []
        if self.row:
            parts.append(f"第 {self.row} 行" if zh else f"row {self.row}")
        if self.line:
            parts.append(f"文件第 {self.line} 行" if zh else f"line {self.line} of the file")
        parts.append(FIELDS[self.field].zh if zh else FIELDS[self.field].en)
        return ("，" if zh else ", ").join(parts)

    def text(self, locale: str) -> str:
        """Place, fact and remedy in one."""
        mark = "：" if locale == "zh" else ": "
        gap = "" if locale == "zh" else " "
        return f"{self.place(locale)}{mark}{self.fact(locale)}{gap}{self.remedy(locale)}"

    def as_json(self) -> dict[str, Any]:
        """The finding as a program reads it."""
        return {
            "code": self.code,
            "field": self.field,
            "row": self.row,
            "line": self.line,
            "blocks": self.blocks,
            "fact": {"zh": self.fact("zh"), "en": self.fact("en")},
            "remedy": {"zh": self.remedy("zh"), "en": self.remedy("en")},
        }

    def _filled(self, text: Text, locale: str) -> str:
        return (text.zh if locale == "zh" else text.en).format(**dict(self.params))


def finding(code: str, field: str, **params: object) -> Finding:
    """A finding from the catalogue; a code or a field that is not in it crashes."""
    if code not in FINDINGS or field not in FIELDS:
        raise KeyError(f"no finding is called {code!r}, or no field {field!r}")
    return Finding(code, field, tuple((name, str(value)) for name, value in params.items()))


class FileUnreadable(Explained):
    """A file of which nothing was taken; ``finding`` says why and on which line."""

    def __init__(self, said: Finding) -> None:
        super().__init__(said.code, said.text("zh"), said.text("en"))
        self.finding = said

    @property
    def line(self) -> int:
        """The line it broke on, 0 where there is none."""
        return self.finding.line

    def __reduce__(self) -> Any:
        return type(self), (self.finding,)


class BatchRefused(Exception):
    """Nothing was handed over. ``findings`` holds every reason, not the first only."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        shown = "\n".join(said.text("en") for said in self.findings[:20])
        more = len(self.findings) - 20
        super().__init__(shown + (f"\nand {more} more" if more > 0 else ""))

    def __reduce__(self) -> Any:
        return type(self), (self.findings,)


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """Those that stop a file."""
    return [said for said in findings if said.blocks]


__all__ = [
    "FIELDS",
    "FINDINGS",
    "BatchRefused",
    "FileUnreadable",
    "Finding",
    "Words",
    "blocking",
    "finding",
]

"""A programme file becomes a Programme, or a list of everything that is wrong with it, line by line."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from config.programme_problems import Problem, ProgrammeError, shape_problem, syntax_problem
from config.programme_rules import broken_rules
from config.programmes import Programme
from config.toml_lines import KeyPath, Place, locate

__all__ = ["LoadedProgramme", "Problem", "ProgrammeError", "load_programme", "shipped_programmes"]


@dataclass(frozen=True, slots=True)
class LoadedProgramme:
    """A programme with the very text it was read from, so that a project can prove its rules years later."""

    programme: Programme
    source_text: str
    digest: str
    """SHA-256 of ``source_text`` in UTF-8, in hexadecimal."""
    name: str
    places: dict[KeyPath, Place]
    """Where each key stands, for whoever finds something wrong later."""


def load_programme(path_or_text: Path | str, *, name: str | None = None) -> LoadedProgramme:
    """Read a file (a ``Path``) or its text (a ``str``); ``name`` is what messages call it.

    Raises ``ProgrammeError`` with every problem found. A file that is not TOML has one; a file whose keys
    or values are wrong has all of those; one whose parts contradict each other has all of these.
    """
    shown = name or (path_or_text.name if isinstance(path_or_text, Path) else "programme")
    text = _text(path_or_text, shown)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProgrammeError(shown, [syntax_problem(text, error)]) from None
    # tomllib takes \r\n for \n; the places are then those of the same lines.
    places = locate(text.replace("\r\n", "\n"))
    try:
        programme = Programme.model_validate(data)
    except ValidationError as error:
        found = [shape_problem(detail) for detail in error.errors(include_url=False)]
        raise ProgrammeError(shown, [each.placed(places) for each in found if each is not None]) from None
    if broken := broken_rules(programme):
        raise ProgrammeError(shown, [each.placed(places) for each in broken])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return LoadedProgramme(programme, text, digest, shown, places)


def _text(path_or_text: Path | str, shown: str) -> str:
    if isinstance(path_or_text, str):
        return path_or_text
    try:
        # Some editors put a byte-order mark in front; it is no part of the programme.
        return path_or_text.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path_or_text.read_bytes().count(b"\n", 0, error.start) + 1
        problem = Problem(
            "not_utf8",
            line,
            None,
            "",
            "文件不是 UTF-8 编码。请另存为 UTF-8。",
            "The file is not UTF-8; save it as UTF-8.",
        )
        raise ProgrammeError(shown, [problem]) from None


def shipped_programmes() -> list[Path]:
    """The files of the programmes that come with the product, by name."""
    return sorted((Path(__file__).parent / "programmes").glob("*.toml"))

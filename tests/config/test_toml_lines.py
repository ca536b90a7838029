"""Guarantee: every key and element of a TOML text is found at the line and column where it stands."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from config.programme_files import shipped_programmes
from config.toml_lines import KeyPath, Place, locate, nearest, written

HARD = Path(__file__).parent / "hard.toml"


def paths_of(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    """Every path of a document, by a walk through the values that tomllib read."""
    found: set[KeyPath] = {path} if path else set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found |= paths_of(inner, (*path, index))
    return found


@pytest.mark.parametrize("path", [HARD, *shipped_programmes()], ids=lambda path: path.stem)
def test_every_path_of_the_document_has_a_place_and_no_other_has_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    places = locate(text)
    assert paths_of(tomllib.loads(text)) == set(places)


@pytest.mark.parametrize("path", [HARD, *shipped_programmes()], ids=lambda path: path.stem)
def test_what_stands_at_the_place_of_a_key_is_the_key_or_its_table(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    for keys, place in locate(text).items():
        here = lines[place.line - 1][place.column - 1 :]
        named = [key for key in keys if isinstance(key, str)]
        is_element = isinstance(keys[-1], int)
        assert here.startswith(("[", '"', *named)) or (is_element and here[0] in "'{-0123456789"), keys


@pytest.mark.parametrize(
    ("keys", "line", "column"),
    [
        (("title", "en"), 2, 27),
        (("quoted key", "inner"), 3, 1),
        (("list", 1), 5, 3),
        (("list", 2, 1), 6, 7),
        (("after",), 14, 1),
        (("fruit", 0, "name"), 17, 1),
        (("fruit", 1, "variety", 0, "name"), 21, 1),
        (("fruit", 1, "physical", "colour"), 23, 1),
        (("empty",), 24, 1),
    ],
)
def test_places_are_exact(keys: KeyPath, line: int, column: int) -> None:
    assert locate(HARD.read_text(encoding="utf-8"))[keys] == Place(line, column)


def test_a_missing_key_is_placed_at_the_table_it_is_missing_from() -> None:
    places = locate("a = 1\n[[b]]\nc = 2\n")
    assert nearest(places, ("b", 0, "d")) == Place(2, 1)
    assert nearest(places, ("nowhere",)) is None


def test_a_path_is_written_as_people_write_it() -> None:
    assert written(("tranches", 1, "gates", 0)) == "tranches[1].gates[0]"

"""Where files of the project lie that the program reads and that are in none of its packages."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def shipped(path: str) -> Path:
    """A file of the project by its path from the root: beside this module where it is installed, else there.

    Whatever is asked for here is named in ``pyproject.toml`` too, so that an installed program has it.
    """
    installed = _HERE / "shipped" / path
    return installed if installed.exists() else _HERE.parent / path


__all__ = ["shipped"]

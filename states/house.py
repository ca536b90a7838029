"""What belongs to no programme: rows that name ``HOUSE_ID`` instead of a programme version.

An entry that nobody knows is of no project and so of no programme, and yet a step is taken on it. The house
has the machines that are the same everywhere and a calendar, and nothing that a programme's file would say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import uuid5

from config.programmes import Deadline, Programme, Text
from states.case import NAMESPACE
from states.machines import BUILT_IN_DEADLINES, Compiled, static_machines

HOUSE_ID = uuid5(NAMESPACE, "programme:house")


@lru_cache(maxsize=1)
def house() -> Compiled:
    """The house's machines, under a name that no programme's file can have."""
    deadlines: dict[str, tuple[Deadline, ...]] = {built.of: (built,) for built in BUILT_IN_DEADLINES}
    # Not read from a file, so that asking it for a stage or a tranche fails instead of inventing one.
    said: dict[str, Any] = {"code": "house/", "version": 1, "title": Text(zh="本机构", en="The office")}
    return Compiled(Programme.model_construct(**said), dict(static_machines()), deadlines)


__all__ = ["HOUSE_ID", "house"]

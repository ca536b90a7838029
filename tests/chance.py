"""How much a run leaves to chance: nothing, unless somebody goes looking.

A suite that is red or green by luck tells whoever changed something nothing about the change. So what
Hypothesis makes is the same in every run, and ``MILEPOST_TEST_HISTORIES=20 make test`` makes twenty times as
many, other ones each time. What such a search finds becomes a test of its own.
"""

from __future__ import annotations

import os

from hypothesis import settings

FACTOR = max(1, int(os.environ.get("MILEPOST_TEST_HISTORIES", "1")))


def examples(usually: int) -> int:
    """How many examples or histories to try, where ``usually`` many are tried."""
    return usually * FACTOR


settings.register_profile("usual", derandomize=True)
settings.register_profile("search", derandomize=False, print_blob=True)
settings.load_profile("usual" if FACTOR == 1 else "search")

"""How much is measured: in full, quickly, or just enough to see that every piece runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts of each line. ``rounds`` are counted rounds; one more warms up."""

    rounds: int
    releases: int
    """Payments released in a round by each contender, all clients together."""
    clients: tuple[int, ...]
    together: int
    """Milestones accepted in one call of ``perform_many``, over all rounds."""
    singly: int
    """Milestones accepted one by one in a round."""
    waiting: tuple[int, ...]
    """Waiting payments that a payment-stage check is held against; the middle one is the line's size."""
    changed: int
    """Projects in which something happened since the last check."""
    tasks: int
    """Transitions, and human tasks, in a round against django-viewflow; projects that are read."""
    rest_s: int
    """How long ``serve`` rests before its memory is looked at."""
    matched: tuple[int, int]
    """Applications and experts of a round that is matched."""


FULL = Sizes(7, 480, (1, 4, 16), 100_000, 250, (10_000, 100_000, 1_000_000), 100, 250, 20, (2_000, 500))
QUICK = Sizes(3, 160, (1, 4, 16), 10_000, 150, (2_000, 10_000, 50_000), 20, 80, 5, (400, 100))
TINY = Sizes(1, 16, (1, 4), 40, 5, (20, 40, 80), 2, 3, 1, (20, 12))

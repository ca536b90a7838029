"""A line of the table: a ratio between contenders that took turns in the same run, held against a goal."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Bound = Literal["at least", "above", "at most"]


@dataclass(frozen=True, slots=True)
class Line:
    """One ratio: what was compared in words, the goal if there is one, and the figures it comes from."""

    name: str
    ratio: float | None
    compared: str
    goal: float | None = None
    bound: Bound = "at least"
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None or self.ratio is None:
            return None
        if self.bound == "above":
            return self.ratio > self.goal
        return self.ratio >= self.goal if self.bound == "at least" else self.ratio <= self.goal

    def as_json(self, versions: Mapping[str, str]) -> dict[str, Any]:
        """The line as ``results.json`` keeps it."""
        return {**asdict(self), "met": self.met, "versions": dict(versions)}


@dataclass(frozen=True, slots=True)
class Turns:
    """What contenders showed in turn: a figure a round each, and ratios of the same round."""

    figures: dict[str, list[float]]

    def median(self, name: str) -> float:
        """The contender's middle figure."""
        return statistics.median(self.figures[name])

    def ratio(self, name: str, to: str) -> float:
        """The middle of the rounds' ratios: what else the machine did in a round met both."""
        pairs = zip(self.figures[name], self.figures[to], strict=True)
        return statistics.median(a / b for a, b in pairs)

    def as_json(self) -> dict[str, Any]:
        """Medians and every round."""
        medians = {name: round(self.median(name), 4) for name in self.figures}
        rounds = {name: [round(f, 4) for f in figures] for name, figures in self.figures.items()}
        return {"medians": medians, "rounds": rounds}


def take_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> Turns:
    """Let contenders take turns, every other round in reverse; a first round warms up uncounted."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            figure = contenders[name]()
            if number > 0:
                figures[name].append(figure)
    return Turns(figures)

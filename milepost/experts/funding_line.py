"""How surely an application belongs above the funding line, drawn from what calibration leaves open.

Each draw is the round as it may truly be: severities, spreads and qualities within what the reviews allow.
In each the applications are put in order and the line is drawn anew; the chance is the share of draws in
which the application is above it. The same reviews, line, seed and number of draws give the same chances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost.experts.calibration import Calibration, Posterior
from schema.money import MINOR_MAX

if TYPE_CHECKING:
    from milepost.experts.rater_model import Floats, Ints

DRAWS = 4_000  # a chance of one half is then known to within 0.008
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Places:
    """The line lies below so many applications."""

    count: int


@dataclass(frozen=True, slots=True)
class Budget:
    """The line lies where, in rank order, the first amount no longer fits; amounts in minor units by code."""

    budget_minor: int
    amounts_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Chance:
    """That an application belongs above the line, in thousandths; None where nothing tells it.

    0 and 1000 only where every draw agrees.
    """

    application: str
    above_milli: int | None


def chances(
    calibration: Calibration, line: Places | Budget, *, draws: int = DRAWS, seed: int = 0
) -> tuple[Chance, ...]:
    """The chance of every application of the round, in order of code.

    KeyError: an amount is missing. ValueError: a negative count, budget or amount, or amounts whose sum
    is beyond what money holds.
    """
    codes = [figures.application for figures in calibration.applications]
    amounts = _amounts(codes, line)
    posterior = calibration.posterior
    if posterior is None:
        return tuple(Chance(code, None) for code in codes)
    import numpy as np

    above = np.zeros(len(codes), np.int64)
    for qualities in _qualities(posterior, draws, seed):
        order = np.argsort(-qualities, axis=1, kind="stable")
        if isinstance(line, Places):
            funded = order[:, : line.count].ravel()
        else:
            funded = order[np.cumsum(np.array(amounts, np.int64)[order], axis=1) <= line.budget_minor]
        above += np.bincount(funded, minlength=len(codes))
    return tuple(
        Chance(code, _thousandths(count, draws)) for code, count in zip(codes, above.tolist(), strict=True)
    )


def _amounts(codes: list[str], line: Places | Budget) -> list[int]:
    if isinstance(line, Places):
        if line.count < 0:
            raise ValueError("a count is negative")
        return []
    amounts = [line.amounts_minor[code] for code in codes]
    if line.budget_minor < 0 or min(amounts, default=0) < 0:
        raise ValueError("an amount is negative")
    if sum(amounts) > MINOR_MAX:
        raise ValueError("the amounts together are beyond what money holds")
    return amounts


def _thousandths(count: int, draws: int) -> int:
    if count in (0, draws):
        return 1000 if count else 0
    return min(max(round(1000 * count / draws), 1), 999)


def _qualities(posterior: Posterior, draws: int, seed: int) -> Iterator[Floats]:
    """Draws of every application's quality, a row each.

    Given the raters, a quality is known by its own reviews and by how qualities lie in the whole round: among
    many applications the best score is partly luck.
    """
    import numpy as np

    layout, fit = posterior.layout, posterior.fit
    generator = np.random.Generator(np.random.PCG64(seed))
    starts: Ints = np.flatnonzero(np.diff(layout.of, prepend=-1))
    spreads = fit.open_spreads**0.5
    error = fit.chance / layout.per_application
    trust = posterior.quality_variance / (posterior.quality_variance + error)
    centre = posterior.calibrated.mean()
    for begun in range(0, draws, _AT_ONCE):
        rows = min(_AT_ONCE, draws - begun)
        shifts = generator.standard_normal((rows, len(spreads))) @ fit.root_of_shifts.T
        stretches = generator.standard_normal((rows, len(spreads))) * spreads
        moved = shifts[:, layout.by] + stretches[:, layout.by] * fit.felt
        seen = posterior.calibrated - np.add.reduceat(moved, starts, axis=1) / layout.per_application
        chance = generator.standard_normal(seen.shape) * (trust * error) ** 0.5
        yield centre + trust * (seen - centre) + chance

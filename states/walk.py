"""Every combination of a project and its parts that can be reached, each with the shortest path to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from config.programmes import Tranche
from states.abstract import Model, World


@dataclass
class Walk:
    """Everything reachable in one small system, each combination with the step that first led there."""

    model: Model
    came: dict[World, tuple[World | None, str]] = field(default_factory=dict)
    onward: dict[World, list[World]] = field(default_factory=dict)

    @property
    def tranche(self) -> Tranche:
        """The tranche this walk follows."""
        return self.model.tranche

    def path(self, world: World) -> tuple[str, ...]:
        """The shortest sequence of steps to a combination."""
        steps: list[str] = []
        at: World | None = world
        while at is not None:
            at, step = self.came[at]
            steps.append(step)
        return tuple(reversed(steps))


def walk(model: Model) -> Walk:
    """Every combination that can be reached, breadth first."""
    done = Walk(model)
    waiting: deque[World] = deque()
    for step, world in model.beginnings():
        done.came.setdefault(world, (None, step))
        waiting.append(world)
    while waiting:
        world = waiting.popleft()
        done.onward[world] = []
        for step, after in model.successors(world):
            done.onward[world].append(after)
            if after not in done.came:
                done.came[after] = (world, step)
                waiting.append(after)
    return done


def always(before: World, after: World) -> bool:
    """Every step counts."""
    return True


def project_stands_still(before: World, after: World) -> bool:
    """Only steps of the parts count."""
    return before.project == after.project and before.columns == after.columns


def can_reach(
    walk: Walk,
    goal: Callable[[World], bool],
    counts: Callable[[World, World], bool] = always,
) -> set[World]:
    """The combinations from which some path of steps that count leads to the goal."""
    back: dict[World, list[World]] = {}
    for world, onward in walk.onward.items():
        for after in filter(lambda after: counts(world, after), onward):
            back.setdefault(after, []).append(world)
    good = {world for world in walk.came if goal(world)}
    waiting = list(good)
    while waiting:
        for before in back.get(waiting.pop(), ()):
            if before not in good:
                good.add(before)
                waiting.append(before)
    return good

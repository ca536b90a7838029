"""How the demo's experts judge: most fairly, two severely, one kindly, one gives every item the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from config.programmes import Criterion
from milepost.actions import Actor
from milepost.demo.applications import Application

SEVERE, STRICT, KIND = -14, -11, 7


@dataclass(frozen=True, slots=True)
class Task:
    """An expert's task as the scene needs it: ``seat`` counts within its round."""

    id: UUID
    expert_id: UUID
    login: str
    kinds: tuple[str, ...]
    state: str
    seat: int
    of: Application

    @property
    def actor(self) -> Actor:
        """The expert."""
        return Actor(self.expert_id, fresh=True)

    @property
    def walk_on(self) -> bool:
        """Whether a part can be given to this expert: for technology only, and no log-in of the demo's."""
        return self.kinds == ("technology",) and not self.login.startswith("expert")


@dataclass(frozen=True, slots=True)
class Raters:
    """By how many points of a hundred some always differ, and who does not tell the items apart."""

    bias: Mapping[UUID, int]
    even: UUID

    def scores(self, task: Task, rubric: Iterable[Criterion]) -> tuple[int, dict[str, int]]:
        """Marks as this expert gives them, and their level in percent; the same task gets the same."""
        merit, number = task.of.merit, task.of.number
        if task.expert_id == self.even:
            level = round(merit / 10) * 10
            return level, {c.code: c.max * level // 100 for c in rubric}
        level = merit + self.bias.get(task.expert_id, 0) + (7 * number + 5 * task.seat) % 9 - 4
        scores = {}
        for n, c in enumerate(rubric):
            share = level + 4 * ((number + 3 * n + 2 * task.seat) % 5 - 2)
            scores[c.code] = c.max * min(max(share, 10), 98) // 100
        return level, scores


def cast_raters(tasks: Sequence[Task]) -> Raters:
    """Give the parts to those with most to review, since habits show over several reviews only."""
    count = Counter(task.expert_id for task in tasks)
    kinds = {task.expert_id: task.kinds for task in tasks}
    busy = sorted(count, key=lambda id: (-count[id], id))
    technical = [id for id in busy if kinds[id] == ("technology",)]
    even = next(id for id in busy if "finance" in kinds[id])
    return Raters(dict(zip(technical, (SEVERE, STRICT, KIND), strict=False)), even)


__all__ = ["Raters", "Task", "cast_raters"]

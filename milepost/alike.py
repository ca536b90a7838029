"""What the orders of one set have in common is worked out once.

A thousand milestones are accepted with the same words by the same person: the words are read once, and what
their events have in common is written once. Only pure functions are asked here, and an answer is kept under
all that the function was given, so that no subject can get what belongs to another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Given = TypeVarTuple("Given")


class Alike:
    """The answers of pure functions while one set is decided; thrown away with the set."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], tuple[Any, tuple[Any, ...]]] = {}

    def once(self, make: Callable[[*Given], T], *given: *Given) -> T:
        """``make(*given)``, computed the first time only. What it raises is not kept.

        Text is compared by what it says, everything else by being the same object.
        """
        key = (make, *[part if type(part) is str else id(part) for part in given])
        found = self._kept.get(key)
        if found is None:
            # What was given is kept too: a number that stands for an object must not pass to another one.
            found = self._kept[key] = (make(*given), given)
        answer: T = found[0]
        return answer


__all__ = ["Alike"]

"""A round of review as plain values: what applications need, and what reviewers can give.

Nothing here knows a database. Names of applications and reviewers are their ids as text, because the same
text goes into the keyed hash that anyone can recompute.
"""

from __future__ import annotations

from dataclasses import dataclass

from schema.money import Explained
from states.seating import Composition

SCORE_MAX = 1_000_000
"""The affinity of a perfect pair; the least is 0, and every score is a whole number."""


class MatchingError(Explained):
    """A round that cannot be matched as it is given: a name twice, a panel that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Application:
    """What is to be judged: its subject codes, its text, whose it is, the panel it needs, where it is from.

    A reviewer whose institution is one of ``institution_keys`` is never matched with it. Who is not of
    ``region`` counts as off-site.
    """

    id: str
    fields: tuple[str, ...]
    text: str
    institution_keys: frozenset[str]
    panel: Composition
    region: str = ""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who judges: subject codes, a text on the own work, kinds, where from, and how many more tasks.

    ``load`` counts what may be added: what is assigned already does not use it up. An empty institution is
    unknown, and nobody's colleague; an empty region is unknown, and not off-site.
    """

    id: str
    fields: tuple[str, ...]
    text: str
    kinds: frozenset[str]
    region: str
    institution: str
    load: int

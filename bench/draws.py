"""How long a city's draw takes: 234 panels of 5 out of 1,080, with composition and conflicts, on one core."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING
from uuid import UUID

from bench.lines import Line, take_turns
from bench.sizes import Sizes
from milepost.experts.beacon import PublicValue
from milepost.experts.draw_record import announce, conclude, write
from milepost.experts.draw_verify import verify
from states.commitment import Candidate, Committed, FigureSource, Project
from states.drawing import draw
from states.seating import KINDS, Composition

if TYPE_CHECKING:
    from milepost.embedded import EmbeddedPostgres

VALUE = PublicValue("3417.12", "2026-05-06T15:30:00+08:00")
GOAL_S = 10
COMPARED = (
    "no ratio but seconds, to draw 234 panels of 5 out of 1,080 experts under a composition with 3 % "
    "conflicts: the slowest of three pools (a field that some share, none asked for, and one so rare that "
    "most panels stay short); beside it in the raw figures the verification of the published record"
)
POOLS = {"some fit": 3, "all fit": 0, "few fit": 5}


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Draw, and verify what is published, for each pool in turn. No database takes part."""
    drawings = {f"draw, {name}": _drawing(city(field_digits=digits)) for name, digits in POOLS.items()}
    verifying = {f"verify, {name}": _verifying(city(field_digits=digits)) for name, digits in POOLS.items()}
    turns = take_turns({**drawings, **verifying}, sizes.rounds)
    slowest = max(turns.median(name) for name in drawings)
    return [Line("draw of a city", slowest, COMPARED, GOAL_S, "at most", turns.as_json())]


def _drawing(fixed: Committed) -> Callable[[], float]:
    return _seconds(lambda: draw(fixed, VALUE.text))


def _verifying(fixed: Committed) -> Callable[[], float]:
    published = write(conclude(announce(fixed), VALUE))
    return _seconds(lambda: verify(published))


def _seconds(work: Callable[[], object]) -> Callable[[], float]:
    def timed() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return timed


def city(seed: int = 1, *, people: int = 1080, projects: int = 234, field_digits: int = 3) -> Committed:
    """1,080 experts of 180 institutions for 234 projects: fields, kinds, regions, 3 % conflicts each."""
    chance = random.Random(seed)
    institutions = [(f"unit {n}", f"region {chance.randrange(5)}") for n in range(180)]
    disciplines = chance.sample(range(110, 990, 10), 50)

    def name() -> str:
        return str(UUID(int=chance.getrandbits(128)))

    def field() -> str:
        return f"{chance.choice(disciplines)}{chance.randrange(10, 40)}"

    def kinds() -> tuple[str, ...]:
        if chance.random() < 0.5:
            return ("technology",)
        return tuple(chance.sample(KINDS, 1 if chance.random() < 0.7 else 2))

    pool = [
        Candidate(
            name(),
            kinds(),
            *chance.choice(institutions),
            fields=tuple({field(), field()}),
            capacity=chance.randint(2, 10),
        )
        for _ in range(people)
    ]
    ids = [person.id for person in pool]
    rounds = [
        Project(
            name(), "region 0", (field(),), dict.fromkeys(chance.sample(ids, people * 3 // 100), "same_unit")
        )
        for _ in range(projects)
    ]
    composition = Composition(
        5,
        {"technology": 3, "finance": 1},
        off_site_share=Fraction(2, 5),
        field_digits=field_digits,
        field_exempt=("finance",),
    )
    return Committed(
        draw=name(),
        programme="city",
        programme_version=1,
        committed_at="2026-05-04T09:00:00+08:00",
        composition=composition,
        pool=tuple(pool),
        projects=tuple(rounds),
        source=FigureSource(
            "某指数收盘点位，两位小数", "Closing value of an index, two decimals", "2026-05-06"
        ),
    )

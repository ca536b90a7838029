"""Judges many payments by the gates of ``states.gates``, each gate asked once for equal facts.

The rule stays where it is: a gate is called with a case, as ``perform`` calls it. Here the case notes what
the gate reads. A gate that read nothing but facts shared by many payments (states, counts, flags, the
year's funds) says the same of every payment with those facts, so its answer is kept; one that read a sum, a
day or an id of the payment's own is asked for each payment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn
from uuid import UUID

from config.programmes import Programme
from milepost.cases import PAYMENT_COLUMNS
from milepost.writes import column_type
from states.case import SYSTEM_ID, Case
from states.gates import Gate, gates_of
from states.refusals import Refusal

Column = tuple[str, str]
"""A part of a payment's case and a name in it: ("project", "holds")."""

TABLES = {
    "subject": "payment",
    "project": "project",
    "tranche": "tranche",
    "milestone": "milestone",
    "payee": "payee",
    "previous": "tranche",
}
KEYS: tuple[Column, ...] = (("project", "programme_id"), ("tranche", "code"), ("subject", "state"))
"""What is always read, first in every row: they choose the gates."""

# What the gates read today, so that the first check of a process need not find it out. A gate that reads
# more says so by way of ``Unread``, and the reading starts again with that column.
_KNOWN: dict[Column, None] = dict.fromkeys(
    [
        *KEYS,
        ("project", "state"),
        ("project", "agreement_signed_on"),
        ("project", "notice_closes_on"),
        ("project", "open_objections"),
        ("milestone", "state"),
        ("project", "reviews_done"),
        ("project", "pledged_unit"),
        ("project", "pledged_leader"),
        ("project", "integrity_flags"),
        ("project", "holds"),
        ("subject", "holds"),
        ("project", "payee_id"),
        ("project", "currency"),
        ("subject", "appropriation_id"),
        ("subject", "amount_minor"),
        ("funds", "id"),
        ("funds", "left_minor"),
    ]
)


KEPT = 10_000
"""So many patterns and verdicts are kept; beyond, they are found anew, so that memory stays bounded."""


class Unread(LookupError):
    """A gate asked for a column that was not read."""

    def __init__(self, column: Column) -> None:
        self.column = column
        super().__init__(f"a gate reads {column[0]}.{column[1]}, which was not read")


def learn(column: Column) -> None:
    """Read a column from now on. One that no case of a payment has is the gate's mistake: it crashes."""
    expression_of(column)
    _KNOWN[column] = None


@lru_cache(maxsize=256)
def expression_of(column: Column) -> str:
    """The SQL of a column in the query of ``milepost.cases`` for payments."""
    part, name = column
    if part in ("subject", "project"):
        column_type(TABLES[part], name)
        return f'{part[0]}."{name}"'
    for known, columns in PAYMENT_COLUMNS:
        if known == part:
            return next(expression for expression, alias in columns if alias == name)
    raise KeyError(column)


def _type_of(column: Column) -> str:
    part, name = column
    return column_type(TABLES[part], name) if part in TABLES else ("uuid" if name == "id" else "bigint")


def _own(column: Column) -> bool:
    """Whether a column is likely to differ from payment to payment."""
    return column[0] != "funds" and _type_of(column) in ("bigint", "uuid", "date", "timestamptz")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where what lies in a row: shared columns first, then those of each payment's own."""

    shared: tuple[Column, ...]
    own: tuple[Column, ...]

    @property
    def columns(self) -> list[str]:
        """The SQL of every column; shared ids and lists come raw, for they are read once a pattern."""
        raw = {"uuid": "uuid_send({})", "jsonb": "{}::text"}
        shared = [raw.get(_type_of(c), "{}").format(expression_of(c)) for c in self.shared]
        return [*shared, *(expression_of(c) for c in self.own)]

    def read(self, column: Column, raw: Any) -> Any:
        """A shared value as gates see it."""
        if raw is None:
            return None
        kind = _type_of(column)
        if kind == "uuid":
            return UUID(bytes=raw)
        return json.loads(raw) if kind == "jsonb" else raw


def layout() -> Layout:
    """The columns that gates are known to read."""
    keyed = {c for c in KEYS}
    rest = [c for c in _KNOWN if c not in keyed]
    return Layout((*KEYS, *(c for c in rest if not _own(c))), tuple(c for c in rest if _own(c)))


class Facts(dict[str, Any]):
    """A part of a case as gates read it; says so where a column was not loaded."""

    __slots__ = ("part",)

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part

    def __missing__(self, name: str) -> NoReturn:
        raise Unread((self.part, name))


class Traced(Facts):
    """The same, noting which columns are read."""

    __slots__ = ("seen",)

    def __init__(self, facts: Facts, seen: set[Column]) -> None:
        super().__init__(facts.part)
        dict.update(self, facts)
        self.seen = seen

    def __getitem__(self, name: str) -> Any:
        self.seen.add((self.part, name))
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]

    def _wholly(self, *_: object) -> NoReturn:
        raise TypeError("a gate reads its facts one by one, by name")

    __iter__ = __contains__ = keys = items = values = _wholly


class Probe(Case):
    """A case that notes whether the day was asked for."""

    __slots__ = ("looked_at_clock",)

    looked_at_clock: bool

    @property
    def today(self) -> date:
        self.looked_at_clock = True
        return _today.__get__(self)

    @today.setter
    def today(self, day: date) -> None:
        _today.__set__(self, day)

    @property
    def now(self) -> datetime:
        self.looked_at_clock = True
        return _now.__get__(self)

    @now.setter
    def now(self, instant: datetime) -> None:
        _now.__set__(self, instant)


# The slots of the dataclass, which the properties above hide.
_today: Any = Case.__dict__["today"]
_now: Any = Case.__dict__["now"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates say of a payment.

    ``blocked`` is the refusals as the database writes JSON. ``recheck_on`` is the next day that may change
    it by itself. ``by_funds``: a change of the appropriation may change it.
    """

    refusals: tuple[Refusal, ...]
    blocked: str
    recheck_on: date | None
    by_funds: bool

    @property
    def codes(self) -> frozenset[str]:
        """The gates that are shut, by the code of their refusal."""
        return frozenset(refusal.code for refusal in self.refusals)


@dataclass(frozen=True, slots=True)
class Asked:
    """A gate as it was asked once: what it answered, and what the answer rests on."""

    ask: Gate
    refusal: Refusal | None
    seen: frozenset[Column]
    clock: bool
    funds: bool


@dataclass(slots=True)
class Pattern:
    """Payments with equal shared facts: what holds for all of them, and the gates asked for each."""

    case: Probe
    own: list[tuple[Facts, str]]
    fixed: list[Asked]
    each: list[tuple[int, Asked]]
    unaided: Verdict
    """The verdict where no gate that is asked for each refuses, and no day is to come."""


class Bench:
    """Judges the rows of one check, of one day. ``programmes`` gives the programme of an id."""

    def __init__(self, now: datetime, today: date, programmes: Callable[[UUID], Programme]) -> None:
        self.now, self.today, self.programmes = now, today, programmes
        self.layout = layout()
        self._width = len(self.layout.shared)
        self._days = [
            self._width + at for at, column in enumerate(self.layout.own) if _type_of(column) == "date"
        ]
        self._patterns: dict[tuple[Any, ...], Pattern] = {}
        self._verdicts: dict[tuple[Any, ...], Verdict] = {}

    def judge(self, row: Sequence[Any]) -> Verdict:
        """The verdict on a row that begins with the columns of the layout."""
        key = tuple(row[: self._width])
        pattern = self._patterns.get(key)
        if pattern is None:
            if len(self._patterns) >= KEPT:
                self._patterns.clear()
            pattern = self._patterns[key] = self._pattern(row)
        if not pattern.each:
            return pattern.unaided
        at, case = self._width, pattern.case
        for facts, name in pattern.own:
            facts[name] = row[at]
            at += 1
        case.looked_at_clock = False
        found: list[tuple[int, Asked, Refusal]] = []
        for position, asked in pattern.each:
            refusal = asked.ask(case)
            if refusal is not None:
                found.append((position, asked, refusal))
        again = self._next_day(row) if case.looked_at_clock else None
        if not found and again is None:
            return pattern.unaided
        return self._verdict(pattern, found, again)

    def _pattern(self, row: Sequence[Any]) -> Pattern:
        """Ask every gate about the first payment of a pattern, and see which answers hold for all."""
        parts = {name: Facts(name) for name in (*TABLES, *(part for part, _ in PAYMENT_COLUMNS))}
        for column, raw in zip(self.layout.shared, row, strict=False):
            parts[column[0]][column[1]] = self.layout.read(column, raw)
        for column, value in zip(self.layout.own, row[self._width :], strict=False):
            parts[column[0]][column[1]] = value
        programme = self.programmes(UUID(bytes=row[0]))
        seen: set[Column] = set()
        traced = self._case({name: Traced(part, seen) for name, part in parts.items()}, programme)
        fixed: list[Asked] = []
        each: list[tuple[int, Asked]] = []
        for position, ask in enumerate(gates_of(programme, row[1])):
            asked = _trace(ask, traced, seen)
            if any(_own(column) for column in asked.seen):
                each.append((position, asked))
                # Its answer is this payment's own; what stands here is what it rests on.
                asked = replace(asked, refusal=None)
            fixed.append(asked)
        own = [(parts[part], name) for part, name in self.layout.own]
        pattern = Pattern(self._case(parts, programme), own, fixed, each, Verdict((), "", None, False))
        pattern.unaided = self._made(fixed, [], None)
        return pattern

    def _case(self, parts: Mapping[str, Facts], programme: Programme) -> Probe:
        facts = {name: part for name, part in parts.items() if name not in ("subject", "project")}
        return Probe(
            noun="payment",
            subject_id=SYSTEM_ID,
            subject=parts["subject"],
            project=parts["project"],
            programme=programme,
            actor_id=SYSTEM_ID,
            roles=frozenset({"system"}),
            now=self.now,
            today=self.today,
            facts=facts,
        )

    def _next_day(self, row: Sequence[Any]) -> date | None:
        """The first day to come on which a gate that compared today with a day may answer differently.

        A day matters when it comes and when it is over. Days of the payment that the gate did not ask for
        count as well: at worst it is asked once too often.
        """
        today = self.today
        days = [row[at] for at in self._days if row[at] is not None and row[at] >= today]
        return min((day if day > today else day + timedelta(days=1) for day in days), default=None)

    def _verdict(
        self, pattern: Pattern, found: list[tuple[int, Asked, Refusal]], again: date | None
    ) -> Verdict:
        key = (id(pattern), again, *(refusal for _, _, refusal in found))
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) >= KEPT:
                self._verdicts.clear()
            verdict = self._verdicts[key] = self._made(pattern.fixed, found, again)
        return verdict

    def _made(
        self, fixed: Sequence[Asked], found: list[tuple[int, Asked, Refusal]], again: date | None
    ) -> Verdict:
        answers = [asked.refusal for asked in fixed]
        for position, _, refusal in found:
            answers[position] = refusal
        refusals = tuple(refusal for refusal in answers if refusal is not None)
        days = [again] if again is not None else []
        for asked in fixed:
            if asked.clock and asked.funds:
                # Funds are a year's.
                days.append(date(self.today.year + 1, 1, 1))
            elif asked.clock and not any(_type_of(column) == "date" for column in asked.seen):
                days.append(self.today + timedelta(days=1))
        # While something else blocks it as well, only the gate that the funds shut waits for them.
        by_funds = any(
            asked.funds and (not refusals or answer is not None)
            for asked, answer in zip(fixed, answers, strict=True)
        )
        return Verdict(refusals, as_stored(refusals), min(days, default=None), by_funds)


def _trace(ask: Gate, case: Probe, seen: set[Column]) -> Asked:
    """Ask a gate and note what it reads. One that ever read funds is taken to do so always."""
    seen.clear()
    case.looked_at_clock = False
    refusal = ask(case)
    if any(part == "funds" for part, _ in seen):
        _READ_FUNDS.add(ask)
    return Asked(ask, refusal, frozenset(seen), case.looked_at_clock, ask in _READ_FUNDS)


_READ_FUNDS: set[Gate] = set()


@lru_cache(maxsize=4096)
def _fragment(refusal: Refusal) -> str:
    # PostgreSQL writes the keys of an object by length, then by their letters.
    params = sorted(refusal.params, key=lambda pair: (len(pair[0].encode()), pair[0].encode()))
    shown = {name: value if isinstance(value, int) else str(value) for name, value in params}
    return json.dumps({"code": refusal.code, "params": shown}, ensure_ascii=False)


def as_stored(refusals: Sequence[Refusal]) -> str:
    """Refusals as ``payment_check.blocked`` holds them, written as PostgreSQL writes them back."""
    return "[" + ", ".join(map(_fragment, refusals)) + "]"


__all__ = ["Bench", "Column", "Layout", "Unread", "Verdict", "as_stored", "learn"]

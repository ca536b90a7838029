"""Judges many payments by the gates of ``states.gates``, each gate asked once for equal facts.

The rule stays where it is: a gate is called with a case, as ``perform`` calls it. Here the case notes what
the gate reads. A gate that read nothing but facts shared by many payments (states, counts, flags, the
year's funds) says the same of every payment with those facts, so its answer is kept; one that read a sum, a
day or an id of the payment's own is asked for each payment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """A part of a case; notes which columns are read, and says so where one was not loaded."""

    __slots__ = ("part", "seen")

    def __init__(self, part: str, seen: set[Column]) -> None:
        super().__init__()
        self.part, self.seen = part, seen

    def __getitem__(self, name: str) -> Any:
        self.seen.add((self.part, name))
        try:
            return dict.__getitem__(self, name)
        except KeyError:
            raise Unread((self.part, name)) from None

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


@dataclass(slots=True)
class Pattern:
    """Payments with equal shared facts: the answers that hold for all of them, the gates asked for each."""

    case: Probe
    seen: set[Column]
    parts: dict[str, Facts]
    answers: list[tuple[Refusal | None, date | None, bool]]
    each: list[tuple[int, Gate]] = field(default_factory=list)
    own: list[tuple[Facts, str]] = field(default_factory=list)
    verdict: Verdict | None = None


class Bench:
    """Judges the rows of one check, of one day. ``programmes`` gives the programme of an id."""

    def __init__(self, now: datetime, today: date, programmes: Callable[[UUID], Programme]) -> None:
        self.now, self.today, self.programmes = now, today, programmes
        self.layout = layout()
        self._width = len(self.layout.shared)
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
        if pattern.verdict is not None:
            return pattern.verdict
        at = self._width
        for facts, name in pattern.own:
            dict.__setitem__(facts, name, row[at])
            at += 1
        answers = pattern.answers.copy()
        for position, ask in pattern.each:
            answers[position] = self._ask(pattern, ask)
        return self._verdict(answers)

    def shared(self, row: Sequence[Any], column: Column) -> Any:
        """A shared column of a row, as gates see it."""
        return self.layout.read(column, row[self.layout.shared.index(column)])

    def _pattern(self, row: Sequence[Any]) -> Pattern:
        """Ask every gate about the first payment of a pattern, and keep the answers that hold for all."""
        seen: set[Column] = set()
        parts = {name: Facts(name, seen) for name in (*TABLES, "funds")}
        for column, raw in zip(self.layout.shared, row, strict=False):
            dict.__setitem__(parts[column[0]], column[1], self.layout.read(column, raw))
        for column, value in zip(self.layout.own, row[self._width :], strict=False):
            dict.__setitem__(parts[column[0]], column[1], value)
        programme = self.programmes(UUID(bytes=row[0]))
        pattern = Pattern(self._case(parts, programme), seen, parts, [])
        pattern.own = [(parts[part], name) for part, name in self.layout.own]
        for ask in gates_of(programme, row[1]):
            pattern.answers.append(self._ask(pattern, ask))
            if any(_own(column) for column in seen):
                pattern.each.append((len(pattern.answers) - 1, ask))
        if not pattern.each:
            pattern.verdict = self._verdict(pattern.answers)
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

    def _ask(self, pattern: Pattern, ask: Gate) -> tuple[Refusal | None, date | None, bool]:
        """A gate's answer, the day on which time may change it, and whether funds may."""
        seen, case = pattern.seen, pattern.case
        seen.clear()
        case.looked_at_clock = False
        refusal = ask(case)
        by_funds = any(part == "funds" for part, _ in seen)
        return refusal, self._again(pattern, by_funds) if case.looked_at_clock else None, by_funds

    def _again(self, pattern: Pattern, by_funds: bool) -> date | None:
        """The first day to come that a gate which asked for today may answer differently.

        Funds are a year's. A day it compared with matters on that day and on the next. One that compared
        with none is asked again tomorrow.
        """
        if by_funds:
            return date(self.today.year + 1, 1, 1)
        days = [
            value.date() if isinstance(value, datetime) else value
            for part, name in pattern.seen
            if isinstance(value := dict.get(pattern.parts[part], name), date)
        ]
        if not days:
            return self.today + timedelta(days=1)
        return min(
            (d for day in days for d in (day, day + timedelta(days=1)) if d > self.today), default=None
        )

    def _verdict(self, answers: list[tuple[Refusal | None, date | None, bool]]) -> Verdict:
        key = tuple(answers)
        found = self._verdicts.get(key)
        if found is not None:
            return found
        refusals = tuple(refusal for refusal, _, _ in answers if refusal is not None)
        days = [day for _, day, _ in answers if day is not None]
        # While something else blocks it as well, only the gate that the funds shut waits for them.
        by_funds = any(funds and (refusal is not None or not refusals) for refusal, _, funds in answers)
        verdict = Verdict(refusals, as_stored(refusals), min(days, default=None), by_funds)
        if len(self._verdicts) >= KEPT:
            self._verdicts.clear()
        self._verdicts[key] = verdict
        return verdict


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

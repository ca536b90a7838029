"""A step is a row of data. This module gives rows their machine; nothing else imports ``transitions``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from transitions import Machine

from config.programmes import Text
from schema.inputs import NoInput, StepInput
from states.case import Case, Change

SAME = "="
Effect = Callable[[Case], Change]
Choose = Callable[[Case], str]
Asks = Callable[[Case], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Notify:
    """A template and the roles of the project that get it; ``when``: only of some cases."""

    template: str
    to: tuple[str, ...]
    when: Callable[[Case], bool] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One way from some states to another.

    ``source`` empty: the step creates its subject. ``target`` SAME: the state stays. Several targets:
    ``choose`` names the one. ``duty`` is what the actor has done for the payment from then on, and keeps
    everyone with another duty out. ``fresh`` asks for a password typed a moment ago. ``needs`` names the
    facts that the effect and the choice read, beside those of the guards. ``asks``: of the roles that may
    take the step those that this subject asks for, the most wanted first; the others are not permitted here.
    ``not_yet``: by state, the guard that says why a subject which stands there is not ready for the step.
    """

    name: str
    source: tuple[str, ...]
    target: str | tuple[str, ...]
    label: Text
    guards: tuple[str, ...] = ()
    input: type[StepInput] = NoInput
    effect: Effect | None = None
    choose: Choose | None = None
    notify: tuple[Notify, ...] = ()
    needs: tuple[str, ...] = ()
    duty: str | None = None
    fresh: bool = False
    asks: Asks | None = None
    not_yet: Mapping[str, str] = field(default_factory=dict)

    @property
    def noun(self) -> str:
        """The noun whose table of steps this row stands in."""
        return self.name.partition(".")[0]

    def pairs(self) -> list[tuple[str, str]]:
        """Every (from, to) this row allows."""
        sources = self.source or ("",)
        targets = self.target if isinstance(self.target, tuple) else (self.target,)
        return [(s, s if t == SAME else t) for s in sources for t in targets]


def words(zh: str, en: str) -> Text:
    """A label in both languages."""
    return Text(zh=zh, en=en)


@dataclass(slots=True)
class Cursor:
    """What ``transitions`` moves: a state, the verdicts of the guards, the state that was chosen."""

    state: str
    verdicts: Mapping[str, bool]
    chosen: str | None


def _held(guard: str) -> Callable[[Cursor], bool]:
    def holds(cursor: Cursor) -> bool:
        # A KeyError here means that a guard was never asked: a broken engine, so let it crash.
        return cursor.verdicts[guard]

    return holds


def _chosen(target: str) -> Callable[[Cursor], bool]:
    def is_chosen(cursor: Cursor) -> bool:
        return cursor.chosen == target

    return is_chosen


@dataclass(slots=True)
class NounMachine:
    """One noun's machine: the rows by name and one shared ``transitions.Machine`` without a model."""

    noun: str
    steps: dict[str, Step]
    permissions: Mapping[str, frozenset[str]]
    states: tuple[str, ...] = field(init=False)
    terminal: frozenset[str] = field(init=False)
    id: str = field(init=False)
    _machine: Machine = field(init=False)
    # What was found once stays so: the rows do not change.
    _roles: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    _reached: dict[tuple[str, str, str | None], str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        pairs = [pair for step in self.steps.values() for pair in step.pairs()]
        seen = dict.fromkeys(state for pair in pairs for state in pair)
        self.states = tuple(state for state in seen if state)
        leaves = {a for a, b in pairs if a and a != b}
        self.terminal = frozenset(state for state in self.states if state not in leaves)
        digest = hashlib.sha256(json.dumps(self.allowed()).encode()).hexdigest()[:16]
        self.id = f"{self.noun}:{digest}"
        self._machine = Machine(
            model=None,
            states=[*self.states, "new"],
            initial="new",
            auto_transitions=False,
            transitions=[row for step in self.steps.values() for row in self._rows(step)],
        )

    def _rows(self, step: Step) -> list[dict[str, Any]]:
        conditions = [_held(guard) for guard in step.guards]
        several = isinstance(step.target, tuple)
        return [
            {
                "trigger": step.name,
                "source": source or "new",
                "dest": target,
                "conditions": [*conditions, _chosen(target)] if several else conditions,
            }
            for source, target in step.pairs()
        ]

    def allowed(self) -> list[tuple[str, str, str, str]]:
        """Every (step, from, to, role) that may be, sorted: the machine's identity."""
        return sorted(
            (step.name, a, b, role)
            for step in self.steps.values()
            for a, b in step.pairs()
            for role in self.roles_of(step.name)
        )

    def roles_of(self, step: str) -> tuple[str, ...]:
        """Who may take a step, sorted; nobody unless ``states.roles`` says so."""
        roles = self._roles.get(step)
        if roles is None:
            roles = tuple(sorted(role for role, steps in self.permissions.items() if step in steps))
            self._roles[step] = roles
        return roles

    def steps_from(self, state: str) -> list[Step]:
        """The rows that start in a state, in the order of the table."""
        return [step for step in self.steps.values() if (state in step.source if state else not step.source)]

    def fire(self, step: Step, state: str, verdicts: Mapping[str, bool], case: Case) -> str:
        """The state the step leads to. Every guard of the step has its verdict; all hold."""
        chosen = step.choose(case) if step.choose else None
        # With every guard holding, the machine's answer follows from these three alone.
        key = (step.name, state, chosen)
        if key in self._reached and all(verdicts[guard] for guard in step.guards):
            return self._reached[key]
        cursor = Cursor(state or "new", verdicts, chosen)
        if not self._machine.events[step.name].trigger(cursor, cursor):
            raise AssertionError(f"{step.name} from {state!r} was refused by the machine but by no guard")
        self._reached[key] = cursor.state
        return cursor.state

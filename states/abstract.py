"""A small world in which a programme's own steps, guards, gates and effects run on representative facts.

Nothing here repeats a rule. A ``World`` is what can be told apart about one project: its state, the columns
that rules depend on and that never change back (``TRACKED``), and the states of its parts. For each world a
``Case`` is built and the functions that decide in the product are called with it. Facts that are data here:

- ``TRACKED`` columns belong to the world; a step's effect writes them.
- ``ENVIRONMENT`` facts come and go at people's will (a hold, a payee, the year's money). They are taken to
  be as a step needs them whenever somebody can make them so, and ``unkind`` turns one of them round.
- ``IGNORED`` columns are read by nobody who decides about progress or money.

A guard, a gate or an effect that touches anything else raises ``Unread``: no rule escapes the check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from schema import inputs
from schema.money import CURRENCIES
from states.abstract_facts import (
    ENDS,
    ENVIRONMENT,
    ID,
    IGNORED,
    INPUTS,
    LATER,
    NOTHING_YET,
    NOUN_OF,
    NOW,
    PARTS,
    PAST,
    QUIET,
    RENEWABLE,
    SUM,
    TODAY,
    TRACKED,
)
from states.approvals import APPROVER, approvals_needed
from states.case import SYSTEM_ID, Case, Change, Follow
from states.gates import GATES
from states.guards import GUARDS
from states.machines import Compiled
from states.step import SAME, Step


class Unread(LookupError):
    """A rule reads or writes something the check cannot see; give it a place in ``states.abstract``."""


class Facts(dict[str, Any]):
    """Columns or facts of a representative case; what is not there was never thought of."""

    def __missing__(self, key: str) -> Any:
        raise Unread(f"states.abstract knows nothing of {key!r}; enter it in TRACKED, ENVIRONMENT or IGNORED")


class World(NamedTuple):
    """All that can be told apart about one project. A part that is not there yet is the empty string."""

    project: str
    columns: tuple[Any, ...]
    notice: str = ""
    objection: str = ""
    milestone: str = ""
    payment: str = ""
    before: str = ""

    def column(self, name: str) -> Any:
        """A tracked column."""
        return self.columns[_AT[name]]

    def moved(self, part: str, state: str) -> World:
        """The same world with the project or one of its parts in another state."""
        changed: dict[str, Any] = {part: state}
        return self._replace(**changed)


_AT = {name: index for index, name in enumerate(TRACKED)}


@dataclass
class Model:
    """A project with one of its tranches: that tranche's payment and milestone, and the payment before it."""

    compiled: Compiled
    focus: int
    with_before: bool = False
    unkind: frozenset[str] = frozenset()
    _offered: dict[tuple[str, str], list[Step]] = field(default_factory=dict)
    _kind: dict[tuple[str, frozenset[str]], Facts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        programme = self.compiled.programme
        self.tranche = programme.tranches[self.focus]
        self.own_milestone = self.tranche.waits_for == "milestone"
        self.in_notice = "public_notice" in programme.stages
        # The payment before is followed only as far as it can be seen from this one: as if it had no gates.
        bare = [t.model_copy(update={"gates": ()}) for t in programme.tranches]
        self.without_gates = programme.model_copy(update={"tranches": tuple(bare)})
        self.currency = programme.currency if programme.currency in CURRENCIES else "CNY"

    # -- what can happen ------------------------------------------------------------------------------

    def beginnings(self) -> Iterator[tuple[str, World]]:
        """The worlds in which a project begins, with the step that begins it."""
        for step in self.offered("project", ""):
            assert isinstance(step.target, str)
            yield step.name, World(step.target, tuple(TRACKED.values()))

    def successors(self, world: World) -> Iterator[tuple[str, World]]:
        """Every step that somebody can take here, by name, with the world it leads to."""
        for part in ("project", *PARTS):
            noun, state = NOUN_OF.get(part, part), getattr(world, part)
            if (part in RENEWABLE and not self.in_notice) or (
                part not in (*RENEWABLE, "project") and not state
            ):
                continue
            for step in self.offered(noun, state):
                if step.name in QUIET or (step.target == SAME and part != "project"):
                    continue
                for case in self.cases(world, part, step):
                    if not self.refused(case, step) and (after := self._after(world, part, step, case)):
                        yield self._label(part, step), after

    def offered(self, noun: str, state: str) -> list[Step]:
        """The steps that start in a state and that some role may take."""
        if (noun, state) not in self._offered:
            machine = self.compiled.machines[noun]
            rows = [step for step in machine.steps_from(state) if machine.roles_of(step.name)]
            self._offered[noun, state] = rows
        return self._offered[noun, state]

    def refused(self, case: Case, step: Step) -> bool:
        """True when one of the step's guards objects."""
        return any(GUARDS[guard].check(case) for guard in step.guards)

    def opens(self, world: World, gate: str) -> bool:
        """True when a gate of the tranche is open in a world, or somebody can open it there."""
        return not GATES[gate](self.case(world, "payment"))

    def _label(self, part: str, step: Step) -> str:
        codes = self.compiled.programme.tranches
        if part == "payment" and len(codes) > 1:
            return f"{step.name}[{self.tranche.code}]"
        return f"{step.name}[before {self.tranche.code}]" if part == "before" else step.name

    # -- the facts of a case ------------------------------------------------------------------------

    def cases(self, world: World, part: str, step: Step) -> Iterator[Case]:
        """One case for every input and every finding that makes a difference to the step."""
        given = INPUTS.get(step.input, ({},))
        if step.input is inputs.Checklist:
            given = ({"met": tuple(item.code for item in self.compiled.programme.checklist)},)
        found = ("settled", "returned") if part in ("payment", "before") and step.choose else (None,)
        for values, attested in product(given, found):
            case = self.case(world, part)
            try:
                case.input = step.input(**values)
            except ValueError:
                raise Unread(f"states.abstract cannot fill in {step.input.__name__} of {step.name}") from None
            if attested and case.here["attested"]:
                case.subject = Facts({**case.here, "attested": attested})
            yield case

    def case(self, world: World, part: str) -> Case:
        """The representative case of one part of a world."""
        project = self._project(world)
        subject = project if part == "project" else self._subject(world, part, project)
        noun = NOUN_OF.get(part, part)
        state = getattr(world, part)
        return Case(
            noun=noun,
            subject_id=ID[part],
            subject=subject if state else None,
            project=project,
            programme=self.without_gates if part == "before" else self.compiled.programme,
            actor_id=SYSTEM_ID,
            roles=frozenset(),
            now=NOW,
            today=TODAY,
            facts=self._facts(world, part, noun, state, project),
        )

    def _project(self, world: World) -> Facts:
        return Facts(
            {
                **dict(zip(TRACKED, world.columns, strict=True)),
                **self.kind(world.project),
                "id": ID["project"],
                "state": world.project,
                "version": 1,
                "currency": self.currency,
                "requested_minor": SUM,
                "award_minor": SUM,
                "plan": [{"number": 1, "title": "-", "amount_minor": None, "due_on": PAST.isoformat()}],
            }
        )

    def kind(self, project_state: str) -> Facts:
        """The environment in a state of the project, as good as people can make it; ``unkind`` excepted."""
        at = (project_state, self.unkind)
        if at not in self._kind:
            self._kind[at] = Facts(
                {
                    name: env.good(self.compiled.programme, project_state)
                    if name not in self.unkind and all(self.possible(s, project_state) for s in env.by)
                    else env.bad
                    for name, env in ENVIRONMENT.items()
                }
            )
        return self._kind[at]

    def possible(self, name: str, project_state: str) -> bool:
        """True when somebody may take a step beside the project, or on it, while it stands in a state."""
        step = self.compiled.step(name)
        if step is None or not self.compiled.machines[step.noun].roles_of(name):
            return False
        if step.noun == "project":
            return project_state in step.source
        # Some parts can only be begun in certain states of the project; the guard says which.
        of, facts, programme = Facts({"state": project_state}), Facts(NOTHING_YET), self.compiled.programme
        case = Case(
            step.noun, ID["project"], None, of, programme, SYSTEM_ID, frozenset(), NOW, TODAY, facts=facts
        )
        return step.source != () or not self.refused(case, step)

    def _subject(self, world: World, part: str, project: Facts) -> Facts:
        state = getattr(world, part)
        return Facts(
            {
                "id": ID[part],
                "project_id": ID["project"],
                "state": state,
                "version": 1,
                "holds": 0,
                "evaluator_id": None,
                "due_on": PAST,
                "closes_on": PAST,
                # What fell due is the least there can be, so that it follows from whatever is verified.
                "amount_minor": SUM if self.tranche.basis == "fixed" else 1,
                "offset_minor": 0,
                "currency": self.currency,
                # The request takes it from the year's money; from then on the gate looks no further.
                "appropriation_id": None if state in ("planned", "due") else ID["funds"],
                "payee_id": project["payee_id"],
                "attested": project["attested"],
                "bank_reference": "-",
                "instruct_transfer_id": None,
                "tranche_id": ID[part],
                "milestone_id": ID["milestone"],
                "attempt": 1,
            }
        )

    def _facts(self, world: World, part: str, noun: str, state: str, project: Facts) -> Facts:
        acts = any(deadline.act for deadline in self.compiled.deadlines.get(f"{noun}.{state}", ()))
        planned = [(name, getattr(world, name)) for name in ("payment", "before") if getattr(world, name)]
        before: dict[str, Any] = dict.fromkeys(("amount_minor", "paid_minor", "spent_minor", "due_on"))
        if self.with_before and part == "payment":
            paid = SUM if world.before == "settled" else 0
            before = {
                "amount_minor": SUM,
                "paid_minor": paid,
                "spent_minor": min(paid, project["spent"]),
                "due_on": PAST,
            }
        return Facts(
            {
                "milestones": [{"id": ID["milestone"], "number": 1, "state": world.milestone}]
                if world.milestone
                else [],
                "payments": [
                    {"id": ID[name], "number": n, "state": s} for n, (name, s) in enumerate(planned)
                ],
                "milestone": {
                    "state": world.milestone if self.own_milestone else None,
                    "deliverables": 1,
                    "deliverables_accepted": project["delivered"],
                },
                "tranche": {
                    "code": self.tranche.code,
                    "paid_minor": 0,
                    "due_on": project["instalment_on"] if self.tranche.waits_for == "day" else None,
                },
                "plan": {
                    "taken_minor": 0,
                    "ceiling_minor": SUM,
                    "held_minor": project["held_back"],
                    "open": 0,
                },
                "previous": before,
                "funds": {"id": project["funds"], "left_minor": SUM},
                "payee": {"entered_by": None, "rests_until": None},
                "bank_doubts": 0,
                "set_off": None,
                # Interest is a payment like any other, with fewer gates; it is followed no further here.
                "lateness": {"fell_due_on": None, "last_number": 1},
                "interest_payment": None,
                "owed": {"left_minor": project["owed"]},
                "paid_transfer": ID["payment"],
                "duties": self._approvals(state) if noun == "payment" else [],
                "rounds": [],
                "requests": [{"state": project["request"]}],
                "noticed_minor": None,
                "own_conflict": False,
                # Claims are decided by themselves, whatever the project does; see ``claim.STEPS``.
                "claims": [],
                "call_state": "open",
                "deadline_due": PAST.isoformat() if acts else None,
                "notice_window": {"opens_on": PAST, "closes_on": PAST},
                # Whether the money of a year is enough is for people to bring about.
                "outlook": {},
                "parent_id": ID["notice"],
            }
        )

    def _approvals(self, payment: str) -> list[dict[str, Any]]:
        """What others have approved: all but the last while it is asked for, all once it is given."""
        needed = approvals_needed(self.compiled.programme, SUM)
        given = [role for role, number in needed.items() for _ in range(number)]
        if payment in ("planned", "due", "requested"):
            given = given[:-1] if payment == "requested" else []
        return [{"duty": APPROVER, "person_id": "another", "role": role} for role in given]

    # -- what a step leaves behind -----------------------------------------------------------------------

    def _after(self, world: World, part: str, step: Step, case: Case) -> World | None:
        target = step.choose(case) if step.choose else step.target
        change = step.effect(case) if step.effect else Change()
        assert isinstance(target, str)
        after = world if target == SAME else world.moved(part, target)
        written = {**(change.set if part == "project" else {}), **change.project}
        after = self._write(after, written)
        for follow in change.follow:
            followed = self._follow(after, part, follow)
            # A step that follows and is refused takes the first one back with it.
            if followed is None:
                return None
            after = followed
        for name in RENEWABLE:
            if getattr(after, name) in ENDS[name]:
                after = after.moved(name, "")
        return after

    def _write(self, world: World, written: Mapping[str, Any]) -> World:
        columns = list(world.columns)
        for name, value in written.items():
            if name in TRACKED:
                columns[_AT[name]] = value
            elif name not in IGNORED and name not in ENVIRONMENT:
                raise Unread(f"an effect writes {name!r}, which states.abstract does not know")
        return world._replace(columns=tuple(columns))

    def _follow(self, world: World, part: str, follow: Follow) -> World | None:
        noun = follow.step.partition(".")[0]
        step = self.compiled.step(follow.step)
        assert step is not None and isinstance(step.target, str), follow.step
        if not step.source:
            # An award plans the parts; a payment that came to nothing plans its tranche's next attempt.
            parts = [part] if NOUN_OF.get(part, part) == noun else [noun]
            if noun == "payment" and part == "project" and self.with_before:
                parts.append("before")
            for name in parts:
                world = world.moved(name, step.target)
            return world
        whose = next((name for name in PARTS if ID[name] == follow.subject_id), None)
        if whose is None or noun not in ("milestone", "payment"):
            raise Unread(f"{follow.step} follows from a step of {part}; states.abstract does not know where")
        return world.moved(whose, step.target) if getattr(world, whose) in step.source else None


__all__ = [
    "ENDS",
    "ENVIRONMENT",
    "ID",
    "IGNORED",
    "INPUTS",
    "LATER",
    "NOTHING_YET",
    "NOUN_OF",
    "NOW",
    "PARTS",
    "PAST",
    "QUIET",
    "RENEWABLE",
    "SUM",
    "TODAY",
    "TRACKED",
    "Facts",
    "Model",
    "Unread",
    "World",
]

"""Composes the machines of a programme version and refuses at start-up every name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from config.programmes import BUILT_IN_DAYS, Deadline, Programme, Reminder
from states import (
    bank_exception,
    bank_guards,
    bank_intake,
    batch,
    budget,
    budget_guards,
    claim_guards,
    claims,
    correction_guards,
    delegation,
    draws,
    funding,
    gates,
    milestone,
    payee,
    payee_guards,
    payment,
    payment_guards,
    plan_gates,
    proofs,
    receivable,
    receivable_guards,
    reopening,
    review,
    review_guards,
    review_requests,
)
from states.guards import GUARDS
from states.postings import POSTINGS
from states.project import project_steps
from states.roles import PERMISSIONS, ROLES
from states.stages import STAGES
from states.step import NounMachine, Step

# Their guards enter the table when they are read.
assert (
    review_guards and bank_guards and payment_guards and receivable_guards and claim_guards and budget_guards
)
assert payee_guards and plan_gates and proofs and reopening and correction_guards

STATIC: dict[str, tuple[Step, ...]] = {
    "milestone": milestone.STEPS,
    "payment": payment.STEPS,
    "payee": payee.STEPS,
    "receivable": receivable.STEPS,
    "round": review.ROUND_STEPS,
    "task": review.TASK_STEPS,
    "notice": review.NOTICE_STEPS,
    "objection": review.OBJECTION_STEPS,
    "review_request": review_requests.STEPS,
    "claim": claims.STEPS,
    "call": funding.CALL_STEPS,
    "draw": draws.STEPS,
    "delegation": delegation.STEPS,
    "batch": batch.STEPS,
    "bank_exception": bank_exception.STEPS,
    "bank_intake": bank_intake.STEPS,
    "appropriation": funding.APPROPRIATION_STEPS,
    "budget_change": budget.STEPS,
}

# Days that the law or the row itself sets, the same in every programme; a deadline acts once its day is past
# (a call opens on the morning of its first day: ``milepost.actions`` counts that one from the day before).
BUILT_IN_DEADLINES: tuple[Deadline, ...] = (
    Deadline(
        of="notice.open",
        name="notice_closes",
        length=0,
        unit="calendar_days",
        who=("programme_officer",),
        act="notice.end",
        from_field="closes_on",
    ),
    *(
        Deadline(
            of=f"delegation.{state}",
            name="delegation_begins",
            length=0,
            unit="calendar_days",
            who=("finance_officer", "programme_officer"),
            from_field="from_on",
        )
        for state in ("granted", "accepted")
    ),
    Deadline(
        of="delegation.granted",
        name="delegation_ends",
        length=0,
        unit="calendar_days",
        who=("finance_officer", "programme_officer"),
        act="delegation.end",
        from_field="until_on",
    ),
    Deadline(
        of="delegation.accepted",
        name="delegation_ends",
        length=0,
        unit="calendar_days",
        who=("finance_officer", "programme_officer"),
        act="delegation.end",
        from_field="until_on",
    ),
    Deadline(
        of="draw.announced",
        name="draw_value_due",
        length=0,
        unit="calendar_days",
        who=("programme_officer",),
        from_field="source_on",
    ),
    # NSFC 2024, art. 19: answered within sixty days.
    Deadline(
        of="review_request.filed",
        name="review_request_answer_due",
        length=60,
        unit="calendar_days",
        who=("programme_officer",),
    ),
    Deadline(
        of="receivable.proposed",
        name="receivable_confirmation_due",
        length=10,
        unit="working_days",
        who=("finance_officer",),
    ),
    Deadline(
        of="receivable.owed",
        name="refund_due",
        length=0,
        unit="calendar_days",
        who=("applicant", "principal_investigator"),
        from_field="next_due_on",
    ),
    Deadline(
        of="receivable.instalments",
        name="refund_instalment_due",
        length=0,
        unit="calendar_days",
        who=("applicant", "principal_investigator"),
        from_field="next_due_on",
    ),
    Deadline(
        of="call.planned",
        name="call_opens",
        length=0,
        unit="calendar_days",
        who=("programme_officer",),
        act="call.open",
        from_field="opens_on",
    ),
    Deadline(
        of="call.open",
        name="call_closes",
        length=0,
        unit="calendar_days",
        who=("programme_officer",),
        act="call.close",
        from_field="closes_on",
    ),
)

assert {deadline.name for deadline in BUILT_IN_DEADLINES} == set(BUILT_IN_DAYS)

# A day that the law sets is reminded of in every programme; where a file names reminders for it, those count.
BUILT_IN_REMINDERS: tuple[Reminder, ...] = (
    Reminder(deadline="review_request_answer_due", days=(-30, -7, -1, 1, 7), escalate_to=("supervisor",)),
    # Told to the two of them and nobody else (``milepost.work.reminders``).
    Reminder(deadline="delegation_begins", days=(-1,), template="delegation_begins"),
    Reminder(deadline="delegation_ends", days=(-3,), template="delegation_ends"),
    *(
        Reminder(
            deadline=name,
            days=(-14, -3, 1, 15, 30, 60, 90),
            template="refund_reminder",
            escalate_to=("programme_officer", "finance_officer"),
        )
        for name in ("refund_due", "refund_instalment_due")
    ),
)


class UnknownName(ValueError):
    """A name that nothing answers to, with the list of those that exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        super().__init__(f"no {kind} is called {name!r}; these exist: {', '.join(self.known)}")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A programme version ready to run: the programme, its machines, its deadlines by "noun.state"."""

    programme: Programme
    machines: dict[str, NounMachine]
    deadlines: dict[str, tuple[Deadline, ...]]

    @property
    def reminders(self) -> tuple[Reminder, ...]:
        """The programme's reminders, and those of built-in days that it says nothing about."""
        said = {reminder.deadline for reminder in self.programme.reminders}
        more = tuple(reminder for reminder in BUILT_IN_REMINDERS if reminder.deadline not in said)
        return (*self.programme.reminders, *more)

    def step(self, name: str) -> Step | None:
        """The row of a step in this programme, or None."""
        machine = self.machines.get(name.partition(".")[0])
        return machine.steps.get(name) if machine else None


@lru_cache
def static_machines() -> dict[str, NounMachine]:
    """The machines that are the same in every programme."""
    return {noun: _machine(noun, steps) for noun, steps in STATIC.items()}


def _machine(noun: str, steps: tuple[Step, ...]) -> NounMachine:
    for step in steps:
        for guard in step.guards:
            if guard not in GUARDS:
                raise UnknownName("guard", guard, GUARDS)
    permissions = {
        role: frozenset(n for n in names if n.startswith(f"{noun}.")) for role, names in PERMISSIONS.items()
    }
    return NounMachine(noun, {step.name: step for step in steps}, permissions)


def step_names() -> frozenset[str]:
    """Every step some programme could have: the static ones and those of all stages together."""
    return frozenset(step.name for steps in STATIC.values() for step in steps) | {
        name for names in PERMISSIONS.values() for name in names if name.startswith("project.")
    }


def compile_programme(programme: Programme) -> Compiled:
    """Resolve every name of a programme and compose its machines; an unknown name lists the known ones."""
    for stage in programme.stages:
        if stage not in STAGES:
            raise UnknownName("stage", stage, STAGES)
    for tranche in programme.tranches:
        for name in tranche.gates:
            if name not in gates.GATES:
                raise UnknownName("gate", name, gates.GATES)
    machines = {**static_machines(), "project": _machine("project", project_steps(programme))}
    known_states = {f"{noun}.{state}" for noun, machine in machines.items() for state in machine.states}
    table: dict[str, list[Deadline]] = {}
    for deadline in (*programme.deadlines, *BUILT_IN_DEADLINES):
        if deadline.of not in known_states:
            raise UnknownName("state", deadline.of, known_states)
        for role in deadline.who:
            if role not in ROLES:
                raise UnknownName("role", role, ROLES)
        if deadline.act is not None and deadline.act not in step_names():
            raise UnknownName("step", deadline.act, step_names())
        table.setdefault(deadline.of, []).append(deadline)
    for reminder in programme.reminders:
        for role in (*reminder.to, *reminder.escalate_to):
            if role not in ROLES:
                raise UnknownName("role", role, ROLES)
    return Compiled(programme, machines, {of: tuple(rows) for of, rows in table.items()})


def check_tables() -> None:
    """Every step has somebody, every permission and posting a step. Run at start-up."""
    names = step_names()
    for role, steps in PERMISSIONS.items():
        if role not in ROLES:
            raise UnknownName("role", role, ROLES)
        for step in steps - names:
            raise UnknownName("step", step, names)
    for step in POSTINGS:
        if step not in names:
            raise UnknownName("step", step, names)
    granted = {name for steps in PERMISSIONS.values() for name in steps}
    for step in names - granted:
        raise UnknownName("permission for", step, granted)


check_tables()

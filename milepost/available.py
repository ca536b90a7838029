"""``available``: what an actor could do with a subject now, and why not where not. Nothing is changed.

The same rows, guards and permissions as ``perform`` uses, so that a button and its refusal cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from milepost.actions import PROJECT_FACTS, Actor
from milepost.cases import load_cases, needs_of
from milepost.db import Session
from milepost.decisions import PARENT, permitted, state_objection
from states.case import Case
from states.guards import objections
from states.machines import Compiled, static_machines
from states.refusals import Refusal
from states.review_guards import CLOSED
from states.step import Step


@dataclass(frozen=True, slots=True)
class Available:
    """A step the actor's roles know at this subject: allowed, or every reason why not.

    ``subject_id`` is what ``perform`` is to be given: the subject, or the parent of what would be created.
    """

    step: Step
    subject_id: UUID
    version: int
    refusals: tuple[Refusal, ...]

    @property
    def allowed(self) -> bool:
        """True when nothing objects but what is still to be typed."""
        return not self.refusals

    @property
    def creates(self) -> bool:
        """True when the step makes something new under the subject."""
        return not self.step.source

    def input_schema(self) -> dict[str, Any]:
        """The JSON schema of what the step asks for; forms and the API render from it."""
        return self.step.input.model_json_schema()


def available(session: Session, actor: Actor, noun: str, subject_id: UUID) -> list[Available]:
    """The steps from the subject's state that the actor's roles know, then those that create its parts.

    An empty list also for what does not exist: to those without a role there is no difference.
    """
    return available_many(session, actor, noun, [subject_id]).get(subject_id, [])


def available_many(
    session: Session, actor: Actor, noun: str, subject_ids: Sequence[UUID]
) -> dict[UUID, list[Available]]:
    """The same for many subjects of one noun, read in one query; what does not exist is left out."""
    if not subject_ids:
        return {}
    cache: dict[UUID, Compiled] = {}
    facts = _facts_of(noun)
    cases = load_cases(session.conn, session.clock, noun, subject_ids, actor.id, facts, cache)
    return {id: _offered(case, actor, cache) for id, case in cases.items()}


def _offered(case: Case, actor: Actor, cache: dict[UUID, Compiled]) -> list[Available]:
    noun, subject_id = case.noun, case.subject_id
    compiled = cache[(case.project or case.here)["programme_id"]]
    found = [
        _asked(replace(case), step, compiled, actor)
        for step in compiled.machines[noun].steps_from(case.state)
    ]
    for child, over in PARENT.items():
        if over == noun:
            born = replace(case, noun=child, subject=None, facts={**case.facts, "parent_id": subject_id})
            found += [_asked(born, step, compiled, actor) for step in compiled.machines[child].steps_from("")]
    return [entry for entry in found if entry is not None]


_TOLD = frozenset({"audience", "closed_to"})
"""Who is sent word; asked for only where a step is taken."""


def _facts_of(noun: str) -> frozenset[str]:
    if noun == "project":
        beside = {"rounds", "declined_on", "own_conflict", "paid_open", "claims", "proofs"}
        return (PROJECT_FACTS - _TOLD) | beside
    needs = (needs_of(static_machines()[noun].steps.values()) - _TOLD) | {"round_tasks", "round_state"}
    if noun == "appropriation":
        needs |= {"purse"}
    # Of a notice objections are filed, which are of the review.
    return needs | {"own_conflict"} if noun == "notice" else needs


def _asked(case: Case, step: Step, compiled: Compiled, actor: Actor) -> Available | None:
    role = permitted(case, step, compiled.machines[case.noun])
    if isinstance(role, Refusal) or role == "system":
        return None
    case.role, case.input = role, None
    refusals: list[Refusal] = []
    wrong_state = state_objection(case, step)
    if wrong_state is not None:
        refusals.append(wrong_state)
    elif CLOSED in step.guards and (closed := objections(CLOSED, case)):
        refusals = closed
    else:
        refusals = [refusal for guard in step.guards for refusal in objections(guard, case)]
    # Each replacement in a draw is a version more: how many there were is closed with the review.
    hidden = case.noun == "draw" and case.subject is not None and case.facts["own_conflict"]
    version = 0 if case.subject is None or (hidden and case.here["state"] != "announced") else case.version
    subject_id = case.facts["parent_id"] if case.subject is None else case.subject_id
    return Available(step, subject_id, version, tuple(dict.fromkeys(refusals)))

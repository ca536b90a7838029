"""One decision about several applications of a list: each step by itself, each with its own answer.

Nothing is decided here. Every step goes through ``perform`` with a request id of the page that asked, so that
a page sent twice has one effect, and one application that is refused does not keep the others back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from milepost.actions import Actor, Receipt, perform
from milepost.db import Session
from milepost.work.conflicts import after_step
from states.refusals import Refusal, Refused

ROUND_STEPS = ("round.score", "round.decide")


@dataclass(frozen=True, slots=True)
class Target:
    """An application as the page showed it, and the steps to take on it, in their order.

    Versions are of the project and of its round; another one now means that the page is stale. ``given`` is
    what steps are told, by the step's name.
    """

    project_id: UUID
    project_version: int
    steps: tuple[str, ...]
    round_id: UUID | None = None
    round_version: int = 0
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one application: the steps taken, then what objected to the next, if anything."""

    target: Target
    receipts: tuple[Receipt, ...]
    refused: str = ""
    refusals: tuple[Refusal, ...] = ()


def take_together(session: Session, actor: Actor, targets: Iterable[Target], request: str) -> list[Done]:
    """Take the steps of each target in turn; the first refusal ends that one and no other."""
    return [_take(session, actor, target, request) for target in targets]


def _take(session: Session, actor: Actor, target: Target, request: str) -> Done:
    receipts: list[Receipt] = []
    round_version, project_version = target.round_version, target.project_version
    for step in target.steps:
        of_round = step in ROUND_STEPS
        subject = target.round_id if of_round else target.project_id
        # What creates something has no version to be stale; its guards look at how things stand.
        version = round_version if of_round else None if step.startswith("notice.") else project_version
        try:
            receipt = perform(
                session,
                actor,
                step,
                subject,
                target.given.get(step, {}),
                f"{request}:{step}:{target.project_id}",
                expected_version=version,
            )
        except Refused as refused:
            return Done(target, tuple(receipts), step, tuple(refused.refusals))
        after_step(session, receipt)
        receipts.append(receipt)
        if of_round:
            round_version = receipt.version
    return Done(target, tuple(receipts))


def conclusion(stage: str, round_state: str | None, project_state: str, *, passes: bool) -> tuple[str, ...]:
    """The steps from where a round stands to the end of its stage; none where it is not under review."""
    if project_state != stage or round_state is None:
        return ()
    steps = {
        "open": ROUND_STEPS,
        "quorum_reached": ROUND_STEPS,
        "scored": ROUND_STEPS[1:],
        "decided": (),
    }[round_state]
    return (*steps, f"project.conclude_{stage}") if passes else steps


def notice_input(opens_on: date | None, proposed_minor: int) -> dict[str, Any]:
    """What a notice is told: the first day, none for the next working day, and the proposed award."""
    return {"opens_on": opens_on.isoformat() if opens_on else None, "proposed_minor": proposed_minor}


def count(done: Sequence[Done]) -> tuple[int, int]:
    """How many went through, and how many were refused."""
    refused = sum(1 for one in done if one.refusals)
    return len(done) - refused, refused


__all__ = ["Done", "Target", "conclusion", "count", "notice_input", "take_together"]

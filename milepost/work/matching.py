"""Matches the open rounds of a list in the background, and invites whom the officer chose of the proposal.

A matching proposes, steps dispose: what is kept here is a proposal in the memory of one process, gone when it
ends, and every invitation is a step of its own with the same guards as by hand. Only who began a matching
sees it, and only as long as the list is theirs to see.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from config.programmes import Panel
from milepost.actions import Actor, perform
from milepost.db import Database
from milepost.experts.affinity import Affinity, Explanation, affinity
from milepost.experts.basis import region_of
from milepost.experts.matching import Matching, Stage, Terms, match
from milepost.experts.rounds import Application, Reviewer
from milepost.queries.matching import Material, material, open_rounds
from milepost.queries.rankings import Scope
from milepost.queries.sight import Row
from schema.money import Explained
from states.draws import composition_of
from states.refusals import Refusal, Refused

if TYPE_CHECKING:
    from milepost.experts.placing import Placing

log = logging.getLogger("milepost.matching")
LIVE = ("invited", "accepted", "late", "submitted")
KEPT = 6
AT_ONCE = 2
"""Matchings under way in one process: each takes a core."""
_LOOKED_AGAIN = 50


class MatchingBusy(Explained):
    """As many matchings are under way as there may be."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A pair of the proposal; ``fixed`` was asked before and is no proposal."""

    round_id: UUID
    code: str
    expert_id: UUID
    score: int
    fixed: bool

    @property
    def key(self) -> str:
        """What a form calls the pair."""
        return f"{self.round_id}:{self.expert_id}"


@dataclass(frozen=True, slots=True)
class Invited:
    """What became of one invitation; no refusals: it was sent."""

    pair: Proposed
    refusals: tuple[Refusal, ...] = ()


@dataclass(eq=False)
class Run:
    """One matching: under way, done, or stopped with the best so far; then the invitations of it."""

    database: Database
    owner: UUID
    scope: Scope
    panel: Panel
    terms: Terms
    id: UUID = field(default_factory=uuid4)
    stage: Stage | None = None
    error: Explained | None = None
    failed: bool = False
    material: Material | None = None
    affinity: Affinity | None = None
    matching: Matching | None = None
    inviting: int = 0
    invited: list[Invited] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether it computes or invites at this moment."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask for the best so far; invitations under way end after the one that is being sent."""
        self._stop.set()

    @cached_property
    def rounds(self) -> Mapping[str, Row]:
        """The rounds by the code of their application."""
        assert self.material is not None
        return {row["code"]: row for row in self.material.rounds}

    def pairs(self) -> list[Proposed]:
        """The proposal by application, the best first, those that stood before included."""
        if self.matching is None:
            return []
        made = [
            Proposed(
                self.rounds[pair.application]["round_id"],
                pair.application,
                UUID(pair.reviewer),
                pair.score,
                pair.fixed,
            )
            for pair in self.matching.pairs
        ]
        return sorted(made, key=lambda pair: (pair.code, -pair.score, str(pair.expert_id)))

    def explain(self, pair: Proposed) -> tuple[Explanation, Placing]:
        """Why the two fit, and why nobody who fits better sits there."""
        assert self.affinity is not None and self.matching is not None
        ids = (pair.code, str(pair.expert_id))
        return self.affinity.explain(*ids), self.matching.explain(*ids)

    def start(self, work: Any, *given: Any) -> None:
        """Do some work in a thread of its own; what goes wrong is kept for the page."""

        def guarded() -> None:
            try:
                work(*given)
            except Explained as error:
                self.error = error
            except Exception:
                # Nothing of it reaches the page; the log has the place.
                log.exception("matching %s", self.id)
                self.failed = True

        self._stop.clear()
        self._thread = threading.Thread(target=guarded, name=f"matching-{self.id}", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the work under way; for those who have nothing else to do."""
        if self._thread is not None:
            self._thread.join(seconds)


class Runs:
    """The matchings of one process, the latest few; safe to use from several threads."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._lock = threading.Lock()

    def begin(self, database: Database, owner: UUID, scope: Scope, panel: Panel, terms: Terms) -> Run:
        """Begin a matching; the owner's last one of that list is stopped and forgotten. ``MatchingBusy``."""
        with self._lock:
            for run in self._of(database, owner, scope):
                run.stop()
                self._runs.remove(run)
            if sum(run.busy for run in self._runs) >= AT_ONCE:
                raise MatchingBusy(
                    "matching_busy",
                    "已有匹配正在计算。请稍候再开始。",
                    "Other matchings are being worked out. Begin again in a while.",
                )
            run = Run(database, owner, scope, panel, terms)
            self._runs.append(run)
            for old in [run for run in self._runs if not run.busy][: max(len(self._runs) - KEPT, 0)]:
                self._runs.remove(old)
            run.start(compute, run)
        return run

    def latest(self, database: Database, owner: UUID, scope: Scope) -> Run | None:
        """The owner's matching of a list, or None."""
        with self._lock:
            found = self._of(database, owner, scope)
        return found[-1] if found else None

    def _of(self, database: Database, owner: UUID, scope: Scope) -> list[Run]:
        return [
            run
            for run in self._runs
            if run.database is database and run.owner == owner and run.scope == scope
        ]


RUNS = Runs()


def compute(run: Run) -> None:
    """Read, score, match."""
    with run.database.session() as session:
        run.material = material(session, run.owner, run.scope, run.panel)
    applications = _applications(run.material.rounds, run.panel)
    reviewers = _reviewers(run.material.pool)
    run.affinity = affinity(applications, reviewers)
    codes = {str(row["id"]): row["code"] for row in run.material.rounds}
    forbidden = {(codes[id], person) for id, people in run.material.barred.items() for person in people}
    fixed = set[tuple[str, str]]()
    for row in run.material.rounds:
        for task in row["tasks"]:
            # Who declined or was taken away is not asked again.
            (fixed if task["state"] in LIVE else forbidden).add((row["code"], task["id"]))

    def progress(stage: Stage) -> None:
        run.stage = stage

    run.matching = match(
        applications,
        reviewers,
        run.affinity.scores,
        forbidden=forbidden - fixed,
        fixed=fixed,
        terms=run.terms,
        progress=progress,
        stop=lambda: run.stopping,
    )


def _applications(rounds: Iterable[Row], panel: Panel) -> list[Application]:
    composition = composition_of(panel)
    return [
        Application(
            row["code"],
            tuple(row["fields"]),
            f"{row['title']}\n{row['summary'] or ''}",
            frozenset(row["unit_keys"]),
            composition,
            region_of(row["office_path"], panel.region_depth) or "/",
        )
        for row in rounds
    ]


def _reviewers(pool: Iterable[Row]) -> list[Reviewer]:
    return [
        Reviewer(
            row["id"],
            tuple(row["fields"]),
            row["words"],
            frozenset(row["kinds"]),
            row["region"],
            row["institution"],
            row["capacity"],
        )
        for row in pool
    ]


def invite(run: Run, actor: Actor, chosen: Sequence[Proposed]) -> None:
    """Invite the experts of some pairs, one step each, until done or stopped; each has its own answer.

    The request of a pair is the run's: pressed twice, an expert is invited once.
    """
    done = {one.pair.key for one in run.invited if not one.refusals}
    waiting = [pair for pair in chosen if not pair.fixed and pair.key not in done]
    run.invited = [one for one in run.invited if not one.refusals]
    run.inviting = len(run.invited) + len(waiting)
    with run.database.session() as session:
        for at, pair in enumerate(waiting):
            # A conflict that came about meanwhile ends this as it ends the page.
            if run.stopping or (at % _LOOKED_AGAIN == 0 and not open_rounds(session, run.owner, run.scope)):
                break
            try:
                perform(
                    session,
                    actor,
                    "task.invite",
                    pair.round_id,
                    {"expert_id": str(pair.expert_id)},
                    f"{run.id}:{pair.key}",
                )
            except Refused as refused:
                run.invited.append(Invited(pair, tuple(refused.refusals)))
            else:
                run.invited.append(Invited(pair))
    run.inviting = len(run.invited)


__all__ = ["RUNS", "Invited", "MatchingBusy", "Proposed", "Run", "Runs", "compute", "invite"]

"""Proves of a programme, before anyone applies, that every project gets through and no money leaves unearned.

``check_programme`` walks every reachable combination of project, milestone and payments that the composed
machines allow, breadth first, so that what it finds comes with the shortest path of steps. It proves:

- no dead end, and a closure within reach from every live combination;
- no payment released, handed to the bank, lost or settled while what its tranche waits for has not happened;
- no payment requested, released or handed over despite a hold, an integrity flag, an unverified payee,
  missing money, or any other gate its tranche names;
- every milestone and payment can be finished, whatever the project does;
- every gate of every tranche opens at some time, and every tranche can be settled;
- nobody's payment outlives the project; in every state somebody can act and has a deadline.

Why one milestone and one tranche at a time are enough. Milestones see nothing of each other, and payments
see of each other only whether the one before is settled and spent. The project sees of its parts only
whether *all* of them are finished, or *none* is with the bank. So for each tranche the walk follows the
project, that tranche's payment, its milestone, and, where a gate looks at it, the payment before as if it
had no gates of its own.

*Safety.* Leave the other parts out of a run of the whole and what remains is a run of this smaller system:
every guard over all parts becomes weaker when parts are left out, and the payment before is freer than it
really is. So what happens in no small run happens in no whole run.

*Liveness.* From any whole state each part, taken alone with the project standing still, can be finished:
that is what the small walks show. Finishing one disturbs no other. When all are finished, the project goes
on as if it had none, which every small walk contains. So if each small system reaches its closure from
everywhere, the whole does too.

Facts that people set and unset at will (holds, payee, money of the year, reviews of experts) are taken at
their best for progress, where somebody can bring that about, and one by one at their worst for money. See
``states.abstract`` for how the product's own functions are called.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.programmes import Programme
from states.abstract import ENDS, PARTS, Model, World
from states.machines import Compiled, compile_programme
from states.resolve import (
    Finding,
    deadlines_can_be_kept,
    disorder,
    idle_settings,
    nobody_waits_in_vain,
    unknown_names,
)
from states.safety import LIVE, despite, never_paid, outlived, unearned
from states.walk import Walk, can_reach, project_stands_still, walk

__all__ = ["Finding", "Report", "check_programme", "explore_programme"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and how much was looked at."""

    findings: list[Finding]
    combinations: int = 0
    steps: int = 0


def check_programme(programme: Programme) -> list[Finding]:
    """Everything that is wrong with a programme; an empty list is a proof that nothing of the above is."""
    return explore_programme(programme).findings


def explore_programme(programme: Programme, compiled: Compiled | None = None) -> Report:
    """The same with the number of combinations and steps; ``compiled`` if other machines are to be tried."""
    found = unknown_names(programme)
    if not found:
        found = list(disorder(programme))
    if found:
        return Report(found)
    compiled = compiled or compile_programme(programme)
    walks = [walk(model) for model in _models(compiled)]
    found += idle_settings(programme)
    blocked = [finding for each in walks for finding in stuck(each)]
    # Where projects get no further, that nothing is paid there is no news.
    examined = [unearned, despite, outlived, unfinished] + ([] if blocked else [never_paid])
    found += blocked
    found += (finding for each in walks for examine in examined for finding in examine(each))
    found += nobody_waits_in_vain(compiled, _reached(compiled, walks))
    found += deadlines_can_be_kept(compiled)
    steps = sum(len(after) for each in walks for after in each.onward.values())
    return Report(_once(found), sum(len(each.came) for each in walks), steps)


LOOKING_BACK = frozenset({"previous_tranche_spent", "expenditure_stated"})
"""The gates that look at the tranche before."""


def _models(compiled: Compiled) -> Iterator[Model]:
    for index, tranche in enumerate(compiled.programme.tranches):
        repeats = tranche.per_milestone or tranche.instalments > 1
        looks_back = bool(LOOKING_BACK & set(tranche.gates)) and (index > 0 or repeats)
        # The first of several milestones or instalments may have none before it.
        if not looks_back or (repeats and index == 0):
            yield Model(compiled, index)
        if looks_back:
            yield Model(compiled, index, with_before=True)


# -- progress -----------------------------------------------------------------------------------------


def stuck(walk: Walk) -> Iterator[Finding]:
    """From every live combination some step leads on, and some path leads to a closure."""
    machine = walk.model.compiled.machines["project"]
    closing = machine.steps.get("project.close")
    closed = set(closing.target) if closing is not None else set()
    after_closing = closed | {b for step in machine.steps.values() for a, b in step.pairs() if a in closed}
    good = can_reach(walk, lambda world: world.project in after_closing)
    bad = [world for world in walk.came if world not in good and world.project not in ENDS["project"]]
    if not bad:
        return
    stages = walk.model.compiled.programme.stages
    dead = next((w for w in bad if all(after == w for after in walk.onward[w])), None)
    world = dead or (bad[0] if good else _furthest(stages, bad))
    path = ("stages", stages.index(world.project)) if world.project in stages else ("stages",)
    if dead:
        yield Finding(
            "dead_end",
            path,
            f"项目到了 {_words(world)} 便无路可走。请检查该环节所需的条件。",
            f"In {_words(world)} no step leads on; check what this stage needs.",
            walk.path(world),
        )
    else:
        yield Finding(
            "closure_unreachable",
            path,
            f"从 {_words(world)} 再也到不了结项。请检查该环节及其后的环节。",
            f"From {_words(world)} no path leads to a closure; check this stage and those that follow.",
            walk.path(world),
        )


def _furthest(stages: tuple[str, ...], worlds: list[World]) -> World:
    """Where no project gets to its closure, the stage in which they all stop."""
    return max(worlds, key=lambda world: stages.index(world.project) if world.project in stages else -1)


def _words(world: World) -> str:
    parts = [f"{part}: {getattr(world, part)}" for part in PARTS if getattr(world, part)]
    return f"{world.project} ({', '.join(parts)})" if parts else world.project


def unfinished(walk: Walk) -> Iterator[Finding]:
    """Each part can be finished while the project stands still: the reduction rests on it."""
    over = ENDS["milestone"] | {""}
    good = can_reach(
        walk,
        lambda world: world.payment not in LIVE and world.before not in LIVE and world.milestone in over,
        project_stands_still,
    )
    for world in walk.came:
        if world not in good:
            yield Finding(
                "part_never_finishes",
                ("tranches", walk.model.focus),
                f"在 {_words(world)} 有里程碑或拨款再也了结不了。请检查其步骤和期限。",
                f"In {_words(world)} a milestone or a payment can never be finished; check its steps.",
                walk.path(world),
            )
            return


# -- what was reached ---------------------------------------------------------------------------------


def _reached(compiled: Compiled, walks: list[Walk]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Every state of every noun that occurs, with the shortest path to it where the walk follows it."""
    reached: dict[tuple[str, str], tuple[str, ...]] = {}
    for each in walks:
        for world in each.came:
            for noun in ("project", "milestone", "payment"):
                state = getattr(world, noun)
                if state and (noun, state) not in reached:
                    reached[noun, state] = each.path(world)
    stages = set(compiled.programme.stages)
    beside = ["payee"]
    if stages & {"remote_review", "panel_review"}:
        beside += ["round", "task"]
    if "public_notice" in stages:
        beside += ["notice", "objection"]
    if compiled.programme.claims is not None:
        beside.append("claim")
    for noun in beside:
        for state in compiled.machines[noun].states:
            reached.setdefault((noun, state), ())
    return reached


def _once(found: list[Finding]) -> list[Finding]:
    """Several walks may see the same; the shortest path is enough."""
    best: dict[tuple[object, ...], Finding] = {}
    for finding in found:
        at = (finding.code, finding.path, finding.zh)
        if at not in best or len(finding.shortest) < len(best[at].shortest):
            best[at] = finding
    return list(best.values())

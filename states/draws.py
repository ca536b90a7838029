"""The steps of a draw of experts (随机抽取): announced before its value is known, drawn by it, followed up.

Nobody brings a panel: the step that takes the value computes the panels (``states.drawing``), and so does the
step that fills a seat that fell vacant. What was announced is the very row of bytes that was hashed.
"""

from __future__ import annotations

import json
from fractions import Fraction
from hashlib import sha256
from typing import Any

from config.programmes import Panel as PanelRules
from schema.inputs import AnnounceDraw, ConcludeDraw, NoInput, Reason, Succeed
from states.case import Case, Change, chain_of_programme
from states.commitment import (
    Candidate,
    Committed,
    DrandSource,
    FigureSource,
    Project,
    Redraw,
    canonical,
    commitment,
    committed_from,
    document,
    names_hash,
)
from states.drawing import Drawn, Panel, Replacement, draw, replace, seed_of
from states.seating import Composition
from states.step import SAME, Step, words


def composition_of(panel: PanelRules) -> Composition:
    """A programme's panel as the draw counts it."""
    return Composition(
        size=panel.size,
        odd=panel.odd,
        minimums={kind: number for kind, number in panel.kinds if number},
        off_site_share=panel.off_site_share or Fraction(0),
        one_per_institution=panel.one_per_institution,
        field_digits=panel.field_digits,
        field_exempt=tuple(panel.field_exempt),
    )


def _announce(case: Case) -> Change:
    given: AnnounceDraw = case.input
    basis, review = case.facts["draw_basis"], case.programme.review
    assert review is not None, "a guard asks for a programme that draws"
    before = basis["previous"]
    fixed = Committed(
        draw=str(case.subject_id),
        programme=case.programme.code,
        programme_version=case.programme.version,
        committed_at=basis["committed_at"],
        composition=composition_of(review.panel),
        pool=tuple(_candidate(row) for row in basis["pool"]),
        projects=tuple(_project(row) for row in basis["projects"]),
        source=_source(given, basis["beacon"]),
        supervision="present" if review.panel.witness else "none",
        attempt=before["attempt"] + 1 if before else 1,
        previous=Redraw(before["commitment"], given.reason) if before else None,
        names=names_hash(basis["salt"]),
    )
    row = {
        "chain_id": chain_of_programme(case.programme.code),
        "programme_id": given.programme_id,
        "office_path": given.office_path,
        "title": given.title,
        "source_kind": given.source_kind,
        "source_name": given.source_name,
        "source_on": given.source_on,
        "committed": canonical(document(fixed)),
        "commitment": commitment(fixed),
        "salt": basis["salt"],
        "announced_at": case.now,
        "replaces_id": given.replaces,
        "reason": given.reason or None,
    }
    rounds = [
        {
            "id": case.new_id(f"draw_round:{project['round']}"),
            "draw_id": case.subject_id,
            "round_id": project["round"],
            "project_id": project["id"],
        }
        for project in basis["projects"]
    ]
    return Change(set=row, insert=[("draw_round", each) for each in rounds], digests=(commitment(fixed),))


def _candidate(row: dict[str, Any]) -> Candidate:
    return Candidate(
        row["id"],
        tuple(row["kinds"]),
        row["institution"],
        row["region"],
        tuple(row["fields"]),
        row["capacity"],
    )


def _project(row: dict[str, Any]) -> Project:
    return Project(row["id"], row["region"], tuple(row["fields"]), row["excluded"], tuple(row["kept"]))


def _source(given: AnnounceDraw, beacon: dict[str, Any]) -> DrandSource | FigureSource:
    if given.source_kind == "drand":
        return DrandSource(beacon["chain_hash"], beacon["public_key"], beacon["round"])
    return FigureSource(given.source_name, given.source_name, given.source_on.isoformat())


def committed_of(stored: bytes) -> Committed:
    """What a draw committed to, from the very bytes that were hashed."""
    return committed_from(json.loads(stored))


def entries_of(rows: list[dict[str, Any]]) -> list[Replacement]:
    """The replacement entries of a draw as its algorithm knows them."""
    return [
        Replacement(
            row["project"],
            row["gone"],
            row["reason"],
            row["at"],
            row["remaining"],
            row["excluded"],
            tuple(row["successors"]),
            tuple(row["short"]),
        )
        for row in rows
    ]


def outcome_digest(value: str, panels: list[dict[str, Any]]) -> str:
    """What the event of a draw puts on record of its outcome: the value and the panels, hashed."""
    return sha256(canonical({"value": value, "panels": panels})).hexdigest()


def entry_digest(entry: dict[str, Any]) -> str:
    """What the event of a replacement puts on record of its entry, whose facts nobody could recompute."""
    return sha256(canonical(entry)).hexdigest()


def drawn_of(row: dict[str, Any] | Any, committed: Committed) -> Drawn:
    """The outcome of a draw as the step that drew it left it: written once, and never changed since.

    Nothing else may write it (a trigger keeps it, the event has its hash, ``milepost verify`` computes it
    again), so that whoever fills one seat need not compute all panels.
    """
    seed = seed_of(committed.format, row["commitment"], row["value"])
    kept = row["panels"]["panels"]
    panels = tuple(Panel(p["project"], tuple(p["members"]), tuple(p["short"])) for p in kept)
    return Drawn(row["commitment"], seed.hex(), panels)


def _conclude(case: Case) -> Change:
    given: ConcludeDraw = case.input
    value = case.facts["value"]
    drawn = draw(committed_of(bytes(case.here["committed"])), value["text"])
    rounds = {row["project_id"]: row["round_id"] for row in case.facts["draw_rounds"]}
    people = value["people"]
    seats = [
        _seat(case, rounds[panel.project], people[expert], rank, 0)
        for panel in drawn.panels
        for rank, expert in enumerate(panel.members, start=1)
    ]
    panels = [
        {"project": p.project, "members": list(p.members), "short": list(p.short)} for p in drawn.panels
    ]
    return Change(
        set={
            "value": value["text"],
            "value_evidence": given.evidence,
            "drawn_at": case.now,
            "panels": {"seed": drawn.seed, "panels": panels, "signed": value["signed"]},
        },
        insert=[("draw_seat", seat) for seat in seats],
        digests=(outcome_digest(value["text"], panels),),
    )


def _seat(case: Case, round_id: str, expert: str, rank: int, entry: int) -> dict[str, Any]:
    return {
        "draw_id": case.subject_id,
        "round_id": round_id,
        "expert_id": expert,
        "rank": rank,
        "entry": entry,
    }


def _succeed(case: Case) -> Change:
    """The next in the same ranking who makes the panel whole again; where there is none, what is lacking."""
    given: Succeed = case.input
    seat, entries = case.facts["seat"], list(case.here["entries"])
    committed = committed_of(bytes(case.here["committed"]))
    made = replace(
        committed,
        drawn_of(case.here, committed),
        entries_of(entries),
        project=seat["project"],
        gone=seat["gone"],
        reason=seat["reason"],
        at=seat["at"],
        remaining=seat["remaining"],
        excluded=seat["excluded"],
    )
    entry = {
        "project": made.project,
        "gone": made.gone,
        "reason": made.reason,
        "at": made.at,
        "remaining": dict(made.remaining),
        "excluded": dict(made.excluded),
        "successors": list(made.successors),
        "short": list(made.short),
    }
    number = len(entries) + 1
    seats = [
        _seat(case, str(given.round_id), seat["people"][expert], rank, number)
        for rank, expert in enumerate(made.successors, start=1)
    ]
    return Change(
        set={"entries": [*entries, entry]},
        insert=[("draw_seat", each) for each in seats],
        digests=(entry_digest(entry),),
    )


def _void(case: Case) -> Change:
    ended = [("draw_round", row["id"], {"voided_at": case.now}) for row in case.facts["draw_rounds"]]
    return Change(set={"reason": case.input.reason}, update=ended)


STEPS: tuple[Step, ...] = (
    Step(
        "draw.announce",
        (),
        "announced",
        words("公告专家抽取", "Announce a draw"),
        input=AnnounceDraw,
        guards=(
            "programme_draws",
            "value_is_to_come",
            "source_is_named",
            "rounds_can_be_drawn",
            "redraw_says_why",
        ),
        effect=_announce,
    ),
    Step(
        "draw.witness",
        ("announced",),
        SAME,
        words("登记监督到场", "Be present as supervisor"),
        input=NoInput,
        guards=("not_witnessed_yet",),
        effect=lambda case: Change(set={"witness_id": case.actor_id}),
    ),
    Step(
        "draw.conclude",
        ("announced",),
        "drawn",
        words("填入公布的随机值并抽取", "Enter the value and draw"),
        input=ConcludeDraw,
        guards=("value_is_out", "value_is_true", "witnessed"),
        needs=("draw_rounds",),
        effect=_conclude,
    ),
    Step(
        "draw.succeed",
        ("drawn",),
        SAME,
        words("递补空出的席位", "Fill a vacant seat"),
        input=Succeed,
        guards=("review_not_closed", "seat_is_vacant"),
        effect=_succeed,
    ),
    Step(
        "draw.void",
        ("announced", "drawn"),
        "void",
        words("撤销抽取", "Void the draw"),
        input=Reason,
        guards=("review_not_closed", "draw_unused"),
        needs=("draw_rounds",),
        effect=_void,
    ),
)

__all__ = [
    "STEPS",
    "committed_of",
    "composition_of",
    "drawn_of",
    "entries_of",
    "entry_digest",
    "outcome_digest",
]

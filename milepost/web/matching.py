"""Panels by matching: the officer has a list's open rounds matched, reads why, and invites whom they choose.

Nothing is refused or granted here: a pair becomes a task by ``task.invite``, with the same guards as by hand.
Who has a conflict of interest with one of the applications finds no list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from milepost.actions import Actor
from milepost.experts.affinity import Explanation
from milepost.experts.matching import Terms
from milepost.experts.rounds import MatchingError
from milepost.experts.subjects import subject_label
from milepost.programmes import load_published
from milepost.queries import matching as reads
from milepost.queries.matching import matched_here
from milepost.queries.rankings import STAGES, Scope
from milepost.queries.sight import Row
from milepost.web.render import page
from milepost.web.visitor import Member, Missing, Typed, Visitor, text_of
from milepost.work.matching import LIVE, RUNS, Invited, Proposed, Run, invite
from schema.money import Explained
from states.labels import said
from states.machines import Compiled
from states.step import words

if TYPE_CHECKING:
    from milepost.experts.placing import Placing

router = APIRouter(include_in_schema=False)
ROWS = 60
"""Applications on one page of a proposal."""
PHASES: dict[str, Any] = {
    "flow": words("求总体最优", "the best for all"),
    "fill": words("补足空席", "filling seats"),
    "raise": words("提高匹配度", "raising the affinity"),
    "exact": words("精细改进", "improving exactly"),
    "prove": words("证明与最优的差距", "proving the gap"),
    "fair": words("照顾最弱的申报", "serving the worst-served"),
}
BETTER: dict[str, Any] = {
    "sits": words("已在本组", "sit here as well"),
    "busy": words("分给别的申报对全轮更好", "serve the round better elsewhere"),
    "chance": words("本轮随机关闭", "closed by chance"),
    "conflicts": words("须回避", "have a conflict"),
    "fields": words("学科不符", "not of the field"),
    "institution": words("与组内成员同单位", "of an institution that sits here"),
    "composition": words("不合专家组构成", "do not fit the composition"),
}


def _officer(visitor: Visitor) -> None:
    if "programme_officer" not in visitor.roles:
        raise Missing


@dataclass(frozen=True, slots=True)
class ListsPage:
    """The lists with open rounds that the reader may compose."""

    rows: list[Row]


@router.get("/matching")
def show_lists(visitor: Member) -> Response:
    """Every list with open rounds whose panels are composed by hand or by matching."""
    _officer(visitor)
    return page(visitor, "matchings.html", ListsPage(reads.open_lists(visitor.session, visitor.id)))


# One list -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seat:
    """One pair as the page shows it, with why."""

    pair: Proposed
    name: str
    why: Explanation
    placing: Placing
    subjects: tuple[str, ...]
    outcome: Invited | None


@dataclass(frozen=True, slots=True)
class Group:
    """One application with its seats and what is short of its panel."""

    row: Row
    seats: list[Seat]
    service: int
    short: str


@dataclass(frozen=True, slots=True)
class MatchingPage:
    """A list's open rounds, the matching of them if there is one, and a page of its proposal."""

    scope: Scope
    compiled: Compiled
    rounds: list[Row]
    run: Run | None
    groups: list[Group]
    open_pairs: int
    sent: int
    refused: list[tuple[Invited, str]]
    start: int
    error: str
    phases: Any = field(default_factory=lambda: PHASES)
    better: Any = field(default_factory=lambda: BETTER)

    @property
    def path(self) -> str:
        """The list's address."""
        return f"/matching/{self.scope.programme_id}/{self.scope.stage}"

    @property
    def call(self) -> str:
        """The call as an address has it."""
        return str(self.scope.call_id) if self.scope.call_id else ""

    @property
    def size(self) -> int:
        """How many members a panel has."""
        panel = matched_here(self.compiled)
        return panel.size if panel else 0

    @property
    def empty(self) -> int:
        """How many seats nobody was asked for."""
        asked = (sum(1 for task in row["tasks"] if task["state"] in LIVE) for row in self.rounds)
        return sum(max(self.size - seated, 0) for seated in asked)

    @property
    def earlier(self) -> int | None:
        """Where the page before this one begins."""
        return max(self.start - ROWS, 0) if self.start else None

    @property
    def later(self) -> int | None:
        """Where the next page begins."""
        return self.start + ROWS if self.start + ROWS < len(self.rounds) else None


def _found(visitor: Visitor, id: UUID, stage: str, call: str) -> tuple[Scope, Compiled, list[Row]]:
    """The list as it stands now, or nothing: not the reader's, closed by a conflict, or drawn by lot."""
    _officer(visitor)
    if stage not in STAGES:
        raise Missing
    try:
        scope = Scope(id, stage, UUID(call) if call else None)
    except ValueError:
        raise Missing from None
    compiled = load_published(visitor.session.conn, id)
    rounds = reads.open_rounds(visitor.session, visitor.id, scope) if matched_here(compiled) else []
    if compiled is None or not rounds:
        raise Missing
    return scope, compiled, rounds


@router.get("/matching/{id}/{stage}")
def show_matching(visitor: Member, id: UUID, stage: str, call: str = "", start: int = 0) -> Response:
    """The rounds, the form that begins a matching, how far it is, or its proposal."""
    scope, compiled, rounds = _found(visitor, id, stage, call)
    return _draw(visitor, scope, compiled, rounds, max(start, 0))


def _draw(
    visitor: Visitor, scope: Scope, compiled: Compiled, rounds: list[Row], start: int = 0, error: str = ""
) -> Response:
    run = RUNS.latest(visitor.web.database, visitor.id, scope)
    groups: list[Group] = []
    pairs: list[Proposed] = []
    refused: list[tuple[Invited, str]] = []
    if run is not None and run.matching is not None and run.material is not None:
        pairs = run.pairs()
        groups = _groups(visitor, run, pairs, start)
        names = run.material.names
        refused = [(one, names[str(one.pair.expert_id)]) for one in run.invited if one.refusals]
    sent = sum(1 for one in run.invited if not one.refusals) if run else 0
    if run is not None and run.error is not None:
        error = error or said(words(run.error.zh, run.error.en), visitor.locale)
    if run is not None and run.failed:
        told = words(
            "计算出错，没有任何内容被更改。请重新开始。", "It failed; nothing was changed. Begin again."
        )
        error = error or said(told, visitor.locale)
    fresh = sum(1 for pair in pairs if not pair.fixed) - sent
    view = MatchingPage(scope, compiled, rounds, run, groups, fresh, sent, refused, start, error)
    return page(visitor, "matching.html", view, status=422 if error and run is None else 200)


def _groups(visitor: Visitor, run: Run, pairs: list[Proposed], start: int) -> list[Group]:
    assert run.matching is not None and run.material is not None
    shown = sorted(run.rounds)[start : start + ROWS]
    service = dict(run.matching.service)
    short = {one.application: said(words(one.zh, one.en), visitor.locale) for one in run.matching.short}
    outcomes = {one.pair.key: one for one in list(run.invited)}
    by_code: dict[str, list[Seat]] = {code: [] for code in shown}
    for pair in pairs:
        if pair.code in by_code:
            why, placing = run.explain(pair)
            subjects = tuple(
                f"{said(subject_label(shared.application), visitor.locale)} ({shared.reviewer})"
                for shared in why.fields
            )
            name = run.material.names[str(pair.expert_id)]
            by_code[pair.code].append(Seat(pair, name, why, placing, subjects, outcomes.get(pair.key)))
    return [
        Group(run.rounds[code], seats, service.get(code, 0), short.get(code, ""))
        for code, seats in by_code.items()
    ]


def _back(scope: Scope) -> Response:
    query = urlencode({"call": str(scope.call_id)}) if scope.call_id else ""
    return RedirectResponse(f"/matching/{scope.programme_id}/{scope.stage}?{query}", 303)


@router.post("/matching/{id}/{stage}/start")
def start(visitor: Member, form: Typed, id: UUID, stage: str) -> Response:
    """Begin a matching of the list; one that is under way is stopped and forgotten."""
    scope, compiled, rounds = _found(visitor, id, stage, text_of(form, "call"))
    panel = matched_here(compiled)
    assert panel is not None
    try:
        RUNS.begin(visitor.web.database, visitor.id, scope, panel, _terms(form))
    except Explained as error:
        return _draw(visitor, scope, compiled, rounds, error=said(words(error.zh, error.en), visitor.locale))
    return _back(scope)


def _terms(form: FormData) -> Terms:
    typed = text_of(form, "open_percent") or "100"
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 3):
        raise MatchingError(
            "matching_terms",
            "配对概率上限应为 1 至 100 的整数。",
            "The probability is a whole number of 1 to 100.",
        )
    return Terms(fair=bool(text_of(form, "fair")), open_percent=int(typed), seed=text_of(form, "seed")[:200])


@router.post("/matching/{id}/{stage}/stop")
def stop(visitor: Member, form: Typed, id: UUID, stage: str) -> Response:
    """Stop with the best so far; or stop inviting."""
    scope, _, _ = _found(visitor, id, stage, text_of(form, "call"))
    run = RUNS.latest(visitor.web.database, visitor.id, scope)
    if run is not None:
        run.stop()
    return _back(scope)


@router.post("/matching/{id}/{stage}/invite")
def invite_chosen(visitor: Member, form: Typed, id: UUID, stage: str) -> Response:
    """Invite the experts of the chosen pairs, in the background; the page shows each answer."""
    scope, _, _ = _found(visitor, id, stage, text_of(form, "call"))
    run = RUNS.latest(visitor.web.database, visitor.id, scope)
    if run is None or str(run.id) != text_of(form, "run") or run.matching is None or run.busy:
        return _back(scope)
    keys = {str(value) for value in form.getlist("pair")}
    everything = text_of(form, "whom") == "all"
    chosen = [pair for pair in run.pairs() if everything or pair.key in keys]
    if chosen:
        run.start(invite, run, Actor(visitor.id), chosen)
    return _back(scope)

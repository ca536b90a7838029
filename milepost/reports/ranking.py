"""A review stage as one list: raw scores by the programme's rule, figures beside them, ranks, the line.

The raw score decides, and only what reached quorum and thresholds is ranked. All else stands beside it: the
calibrated score with its error, the chance to belong above the line, what looks odd (docs/scoring.md).
Before a round is scored its figures are those the reviews so far would give, and are marked as such.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from threading import Lock
from typing import Any, cast
from uuid import UUID

from config.programmes import Criterion, Programme, Text
from milepost.db import Session
from milepost.experts.calibration import Calibration, calibrate
from milepost.experts.funding_line import DRAWS, Budget, chances
from milepost.experts.patterns import Finding, Review, patterns
from milepost.experts.ranking import Proposal, Ranked, entries, propose, rank
from milepost.programmes import load_published
from milepost.queries.commitments import common_office
from milepost.queries.rankings import Funds, Scope, applications, funds
from milepost.queries.sight import Row
from states.case import SYSTEM_ID, Case
from states.labels import state_label
from states.machines import Compiled
from states.outlook import years_of
from states.review import BALLOT, PASS_MARK, SCALE, counted, failings, raw_score
from states.step import words

MANY = 400
"""From so many applications on, chances are drawn fewer times: known to within 0.016, and in a moment."""
DRAWS_FOR_MANY = 1_000
OUT = ("declined", "withdrawn", "lapsed", "terminated", "revoked")
_ON_RECORD = ("scored", "decided")
_KEPT = 6


@dataclass(frozen=True, slots=True)
class Listed:
    """One application of the list. Scores are thousandths of a percent point, None where there is none.

    ``counted``: the raw score is on record, not what the reviews so far would give. ``asked_minor`` is the
    award, or what is proposed, or what was asked for; ``amount_minor`` what of it is not yet on its way to
    the bank, ``year_minor`` what of that would fall into the present year. ``why_unranked`` says why it has
    no place; empty for those that have one.
    """

    row: Row
    raw_milli: int | None
    counted: bool
    reviews: int
    dropped: int
    spread_milli: int | None
    amount_minor: int
    asked_minor: int
    year_minor: int
    why_unranked: tuple[Text, ...] = ()
    calibrated_milli: int | None = None
    se_milli: int | None = None
    above_milli: int | None = None
    place: Ranked | None = None
    above_line: bool = False
    would_fit: bool = False

    @property
    def id(self) -> UUID:
        """The project."""
        return cast(UUID, self.row["id"])

    @property
    def code(self) -> str:
        """The project's code."""
        return str(self.row["code"])


@dataclass(frozen=True, slots=True)
class Line:
    """Where the line is asked for: below so many places, where a budget ends, or by the year's budget.

    ``of_year``: the budget is what is free of the present year, and of each award counts what falls into it,
    as in the what-if of the budget. A budget that somebody names is held against the whole awards.
    """

    places: int | None = None
    budget_minor: int | None = None
    of_year: bool = False

    def amount_of(self, one: Listed) -> int:
        """What an application takes of the budget by which the line is drawn."""
        return one.year_minor if self.of_year else one.amount_minor


@dataclass(frozen=True, slots=True)
class RankedList:
    """A stage's list: ranked first to last, then those without a place, and what to know about the figures.

    ``names`` has the experts' names by the codes that ``findings`` and ``calibration`` use, for those who may
    see names: whoever may read the list may.
    """

    scope: Scope
    compiled: Compiled
    currency: str
    ranked: tuple[Listed, ...]
    unranked: tuple[Listed, ...]
    line: Line
    proposal: Proposal | None
    split: tuple[str, ...]
    funds: Funds | None
    calibration: Calibration
    findings: tuple[Finding, ...]
    names: Mapping[str, str]

    @property
    def programme(self) -> Programme:
        """The programme version of the list."""
        return self.compiled.programme

    @property
    def rows(self) -> tuple[Listed, ...]:
        """Everything, in order."""
        return self.ranked + self.unranked

    @property
    def above(self) -> tuple[Listed, ...]:
        """The proposed ones."""
        return tuple(one for one in self.ranked if one.above_line)

    def decided_by(self, one: Listed) -> Text | None:
        """What sets an application behind the rank before it; None for the first and the unranked."""
        if one.place is None or not one.place.decided_by:
            return None
        code = one.place.decided_by
        return _TIES.get(code) or next(c.text for c in _rubric(self.programme) if c.code == code)


_TIES = {
    "raw_score": words("原始分", "raw score"),
    "valid_reviews": words("有效份数", "valid reviews"),
    "spread": words("极差", "spread"),
}


def ranked_list(
    session: Session, actor_id: UUID, scope: Scope, line: Line | None = None
) -> RankedList | None:
    """The list as it stands now, or None where there is none or it is not for this person."""
    found = applications(session, actor_id, scope)
    compiled = load_published(session.conn, scope.programme_id)
    if not found or compiled is None or compiled.programme.review is None:
        return None
    line, programme = line or Line(), compiled.programme
    listed = [_listed(row, programme, session.clock.today()) for row in found]
    currencies = {row["currency"] for row in found}
    currency = currencies.pop() if len(currencies) == 1 else ""
    money = None
    if currency:
        ids = [one.id for one in listed]
        office = common_office([row["office_path"] for row in found])
        money = funds(session, programme.code, currency, ids, office)
        if line.places is None and line.budget_minor is None and money.voted_minor is not None:
            line = Line(budget_minor=money.free_minor, of_year=True)
    return _put_together(scope, compiled, listed, line, currency, money)


# One application ------------------------------------------------------------------------------------------


def _rubric(programme: Programme) -> tuple[Criterion, ...]:
    return programme.review.rubric if programme.review else ()


def _case(row: Row, programme: Programme, score: int | None) -> Case:
    """The round as the programme's rules know it; a score that is not on record yet may be put in."""
    now = datetime.fromtimestamp(0, UTC)
    return Case(
        noun="round",
        subject_id=row["round_id"],
        subject={"stage": row["stage"], "state": row["round_state"], "score_milli": score, "version": 0},
        project=None,
        programme=programme,
        actor_id=SYSTEM_ID,
        roles=frozenset(),
        now=now,
        today=now.date(),
        facts={"round_tasks": row["tasks"], "votes": row["votes"]},
    )


def valid(row: Row) -> list[Row]:
    """The submitted reviews of an application's latest round."""
    return [task for task in row["tasks"] if task["state"] == "submitted"]


def _listed(row: Row, programme: Programme, today: date) -> Listed:
    scores = [task["score_milli"] for task in valid(row)]
    on_record = row["round_state"] in _ON_RECORD
    raw: int | None = None
    dropped = 0
    if scores:
        case = _case(row, programme, None)
        raw = row["score_milli"] if on_record else raw_score(case)
        dropped = len(scores) - len(counted(case))
    asked = row["award_minor"] or row["proposed_minor"] or row["requested_minor"]
    amount = max(asked - row["taken_minor"], 0)
    by_year = years_of(programme, asked, row["currency"], row["plan"], today) if amount else {}
    return Listed(
        row=row,
        raw_milli=raw,
        counted=on_record,
        reviews=len(scores),
        dropped=dropped,
        spread_milli=max(scores) - min(scores) if scores else None,
        amount_minor=amount,
        asked_minor=asked,
        year_minor=min(amount, by_year.get(today.year, 0)),
        why_unranked=tuple(_why_unranked(row, programme, raw)),
    )


def _why_unranked(row: Row, programme: Programme, raw: int | None) -> Iterable[Text]:
    review = programme.review
    assert review is not None
    if row["state"] in OUT:
        yield state_label("project", row["state"])
    if row["round_id"] is None:
        yield words("还没有评审轮次", "no review round yet")
        return
    have = len(valid(row))
    if have < review.quorum or raw is None:
        yield words(
            f"有效评审 {have} 份，须 {review.quorum} 份",
            f"{have} valid reviews, {review.quorum} needed",
        )
        return
    criteria = {f"criterion:{c.code}": c.text for c in review.rubric}
    for code in failings(_case(row, programme, raw)):
        if code == PASS_MARK:
            mark = f"{float(review.pass_mark):g}"
            yield words(f"低于合格线 {mark} 分", f"below the pass mark of {mark}")
        elif code == BALLOT:
            missing = words("还没有登记投票结果", "no ballot recorded yet")
            yield missing if not row["votes"] else words("投票未通过", "not carried by the ballot")
        else:
            text = criteria[code]
            yield words(f"“{text.zh}”平均低于门槛", f"mean of “{text.en}” below its threshold")


# The whole ------------------------------------------------------------------------------------------------


def reviews_of(rows: Iterable[Row], programme: Programme, *, every_item: bool) -> list[Review]:
    """Valid reviews as figures, by application code and expert id.

    Without ``every_item`` items that are passed or failed are left out: they are no marks to compare.
    """
    items = [c for c in _rubric(programme) if every_item or c.kind == "score"]
    return [
        Review(
            row["code"],
            str(task["expert_id"]),
            task["score_milli"],
            {c.code: task["scores"][c.code] * SCALE // c.max for c in items},
            task["comment"] or "",
            row["unit_name"],
        )
        for row in rows
        for task in valid(row)
    ]


def _put_together(
    scope: Scope,
    compiled: Compiled,
    listed: Sequence[Listed],
    line: Line,
    currency: str,
    money: Funds | None,
) -> RankedList:
    programme = compiled.programme
    ties = programme.review.tie_items if programme.review else ()
    by_code = {one.code: one for one in listed}
    able = {one.code: one for one in listed if not one.why_unranked}
    rows = [one.row for one in listed]
    made = entries(
        [r for r in reviews_of(rows, programme, every_item=True) if r.application in able],
        {code: one.raw_milli or 0 for code, one in able.items()},
        {code: line.amount_of(one) for code, one in able.items()},
    )
    order = rank(made, ties)
    given = reviews_of(rows, programme, every_item=False)
    calibration, findings = figures(given)
    figure = {one.application: one for one in calibration.applications}
    proposal = propose(order, line.budget_minor) if line.budget_minor is not None and currency else None
    above = _above(order, line, proposal)
    fit = set(proposal.would_fit) if proposal else set()
    chance = _chances(calibration, given, able, line, proposal)
    places = {place.entry.application: place for place in order}

    def filled(one: Listed) -> Listed:
        known = figure.get(one.code)
        return replace(
            one,
            calibrated_milli=known.calibrated_milli if known else None,
            se_milli=known.se_milli if known else None,
            above_milli=chance.get(one.code),
            place=places.get(one.code),
            above_line=one.code in above,
            would_fit=one.code in fit,
        )

    return RankedList(
        scope,
        compiled,
        currency,
        tuple(filled(by_code[place.entry.application]) for place in order),
        tuple(filled(one) for one in listed if one.why_unranked),
        line,
        proposal,
        proposal.split if proposal else _split(order, line),
        money,
        calibration,
        findings,
        {str(task["expert_id"]): task["name"] for row in rows for task in row["tasks"]},
    )


def _above(order: Sequence[Ranked], line: Line, proposal: Proposal | None) -> frozenset[str]:
    if proposal is not None:
        return frozenset(proposal.proposed)
    if line.places is None:
        return frozenset()
    return frozenset(place.entry.application for place in order[: line.places])


def _split(order: Sequence[Ranked], line: Line) -> tuple[str, ...]:
    """The equals that a number of places runs through."""
    if not line.places or line.places >= len(order):
        return ()
    rank_ = order[line.places].rank
    if order[line.places - 1].rank != rank_:
        return ()
    return tuple(place.entry.application for place in order if place.rank == rank_)


def _chances(
    calibration: Calibration,
    given: Sequence[Review],
    able: Mapping[str, Listed],
    line: Line,
    proposal: Proposal | None,
) -> dict[str, int | None]:
    """By application; those without a place take nothing of the budget in any draw, and have no chance."""
    if proposal is not None:
        budget, amounts = proposal.budget_minor, {code: line.amount_of(one) for code, one in able.items()}
    elif line.places is not None:
        budget, amounts = line.places, dict.fromkeys(able, 1)
    else:
        return {}
    codes = [figures.application for figures in calibration.applications]
    all_amounts = {code: amounts.get(code, 0) for code in codes}
    draws = DRAWS if len(codes) < MANY else DRAWS_FOR_MANY

    def draw() -> dict[str, int | None]:
        found = chances(calibration, Budget(budget, all_amounts), draws=draws)
        return {chance.application: chance.above_milli for chance in found if chance.application in able}

    return cast(dict[str, int | None], _kept(("chances", _digest(given), budget, all_amounts), draw))


# Figures of the same reviews are the same: they are worked out once and kept for the next reader.
_figures: OrderedDict[str, Any] = OrderedDict()
_lock = Lock()


def figures(given: Sequence[Review]) -> tuple[Calibration, tuple[Finding, ...]]:
    """The calibration of some reviews, and what looks odd in them."""
    return cast(
        tuple[Calibration, tuple[Finding, ...]],
        _kept(("figures", _digest(given)), lambda: (calibrate(given), patterns(given))),
    )


def _digest(given: Sequence[Review]) -> str:
    told = [[r.application, r.rater, r.score_milli, dict(r.items), r.comment, r.unit] for r in given]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _kept(about: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    with _lock:
        if key in _figures:
            _figures.move_to_end(key)
            return _figures[key]
    made = make()
    with _lock:
        _figures[key] = made
        while len(_figures) > _KEPT:
            _figures.popitem(last=False)
    return made


__all__ = ["OUT", "Line", "Listed", "RankedList", "figures", "ranked_list", "reviews_of", "valid"]

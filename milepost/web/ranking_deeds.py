"""Steps for several applications of a list: shown row by row first, then taken by whoever confirms them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from milepost.actions import Actor
from milepost.available import available_many
from milepost.reports.ranking import OUT, Listed, RankedList, ranked_list
from milepost.web.rankings import DEEDS, Asked, asked_of, deeds_of, listed_for
from milepost.web.render import page
from milepost.web.visitor import Member, Missing, Typed, Visitor, text_of
from milepost.work.together import Done, Target, conclusion, count, notice_input, take_together
from schema.money import Money, MoneyError
from states.labels import said
from states.refusals import Refusal
from states.step import words

router = APIRouter(include_in_schema=False)
AT_ONCE = 300
"""Applications of one confirmation: few enough to wait for, and for the form that carries them."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One row of a confirmation: the application, the steps to come, what already objects to the first."""

    one: Listed
    steps: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    amount: str = ""

    @property
    def token(self) -> str:
        """What the form carries: the project, versions as they were shown, and the steps."""
        round_ = f"{self.one.row['round_id'] or ''}:{self.one.row['round_version'] or 0}"
        return f"{self.one.id}:{self.one.row['version']}:{round_}:{','.join(self.steps)}"


@dataclass(frozen=True, slots=True)
class ConfirmPage:
    """What would be done, row by row, and what is left out because nothing is to be done."""

    asked: Asked
    ranking: RankedList
    deed: str
    label: Any
    planned: list[Planned]
    idle: list[Listed]
    too_many: int
    request_id: str
    errors: dict[str, str] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)


@router.post("/rankings/{id}/{stage}/confirm")
def confirm(visitor: Member, form: Typed, id: UUID, stage: str) -> Response:
    """Show what would be done for the chosen ones. Nothing is changed."""
    asked, found, deed = _of_form(visitor, form, id, stage)
    chosen = _chosen(found, text_of(form, "whom"), form.getlist("chosen"))
    if not chosen:
        return RedirectResponse(f"{asked.path}?{_query(asked)}", 303)
    return page(
        visitor, "ranking_confirm.html", _confirming(visitor, asked, found, deed, chosen, uuid4().hex)
    )


def _of_form(visitor: Visitor, form: FormData, id: UUID, stage: str) -> tuple[Asked, RankedList, str]:
    call, places, budget = (text_of(form, name) for name in ("call", "places", "budget"))
    asked = asked_of(visitor, id, stage, call, places, budget)
    found = listed_for(visitor, asked)
    deed = text_of(form, "deed")
    if deed not in deeds_of(visitor):
        raise Missing
    return asked, found, deed


def _query(asked: Asked) -> str:
    return urlencode({name: value for name, value in asked.query.items() if value})


def _chosen(found: RankedList, whom: str, ticked: Iterable[object]) -> list[Listed]:
    if whom == "above":
        return list(found.above)
    if whom == "below":
        return [one for one in found.ranked if not one.above_line]
    if whom == "all":
        return list(found.rows)
    ids = {str(value) for value in ticked}
    return [one for one in found.rows if str(one.id) in ids]


def _steps(found: RankedList, deed: str, one: Listed) -> tuple[str, ...]:
    row, stage = one.row, found.scope.stage
    if deed == "conclude":
        return conclusion(stage, row["round_state"], row["state"], passes=not one.why_unranked)
    if deed == "notice":
        ready = row["state"] == "public_notice" and row["notice_state"] != "open"
        return ("notice.publish",) if ready else ()
    return () if row["state"] in OUT else ("project.decline",)


def _confirming(
    visitor: Visitor, asked: Asked, found: RankedList, deed: str, chosen: list[Listed], request_id: str
) -> ConfirmPage:
    with_steps = [(one, _steps(found, deed, one)) for one in chosen]
    able = [(one, steps) for one, steps in with_steps if steps]
    objections = _objections(visitor, [(one, steps[0]) for one, steps in able[:AT_ONCE]])
    planned = [
        Planned(
            one,
            steps,
            objections.get(one.id, ()),
            f"{Money(one.asked_minor, one.row['currency']).major:f}" if deed == "notice" else "",
        )
        for one, steps in able[:AT_ONCE]
    ]
    idle = [one for one, steps in with_steps if not steps]
    more = max(len(able) - AT_ONCE, 0)
    return ConfirmPage(asked, found, deed, DEEDS[deed], planned, idle, more, request_id)


def _objections(visitor: Visitor, first: list[tuple[Listed, str]]) -> dict[UUID, tuple[Refusal, ...]]:
    """What objects now to the first step of each, by project: the same guards as when it is taken."""
    found: dict[UUID, tuple[Refusal, ...]] = {}
    for noun in ("round", "project"):
        mine = [(one, step) for one, step in first if (noun == "round") == step.startswith("round.")]
        ids = {one.row["round_id"] if noun == "round" else one.id: (one, step) for one, step in mine}
        for id, entries in available_many(visitor.session, visitor.actor, noun, list(ids)).items():
            one, step = ids[id]
            for entry in entries:
                if entry.step.name == step:
                    found[one.id] = entry.refusals
    return found


@dataclass(frozen=True, slots=True)
class OutcomePage:
    """What became of each row."""

    asked: Asked
    ranking: RankedList
    label: Any
    rows: list[tuple[Listed, Done]]
    done: int
    refused: int


@router.post("/rankings/{id}/{stage}/steps")
def take_steps(visitor: Member, form: Typed, id: UUID, stage: str) -> Response:
    """Take the confirmed steps; each row has its own answer. Sent twice, it is done once."""
    asked, found, deed = _of_form(visitor, form, id, stage)
    by_id = {str(one.id): one for one in found.rows}
    rows = [str(value).split(":") for value in form.getlist("row")][:AT_ONCE]
    shown = [parts for parts in rows if len(parts) == 5 and parts[0] in by_id]
    request = text_of(form, "request_id")[:64] or uuid4().hex
    targets, errors = [], {}
    for parts in shown:
        one = by_id[parts[0]]
        try:
            targets.append(_target(visitor, form, deed, one, parts))
        except MoneyError as wrong:
            errors[parts[0]] = said(words(wrong.zh, wrong.en), visitor.locale)
        except ValueError:
            errors["opens_on"] = said(words("日期无法识别。", "This is no date."), visitor.locale)
    if deed == "decline" and not text_of(form, "reason"):
        errors["reason"] = said(words("请写明理由。", "Say why."), visitor.locale)
    if errors or not targets:
        view = _confirming(visitor, asked, found, deed, [by_id[parts[0]] for parts in shown], request)
        typed = {name: str(value) for name, value in form.items() if isinstance(value, str)}
        view = replace(view, errors=errors, typed=typed)
        return page(visitor, "ranking_confirm.html", view, status=422)
    # A password typed a moment ago is asked for money only; none of these steps moves any.
    done = take_together(visitor.session, Actor(visitor.id), targets, request)
    went, refused = count(done)
    pairs = [(by_id[str(one.target.project_id)], one) for one in done]
    after = ranked_list(visitor.session, visitor.id, asked.scope, asked.line) or found
    return page(visitor, "ranking_done.html", OutcomePage(asked, after, DEEDS[deed], pairs, went, refused))


def _target(visitor: Visitor, form: FormData, deed: str, one: Listed, parts: list[str]) -> Target:
    """A row of the form; the steps it names are those that the deed knows, and no others."""
    known = {
        "conclude": ("round.score", "round.decide", f"project.conclude_{one.row['stage']}"),
        "notice": ("notice.publish",),
        "decline": ("project.decline",),
    }[deed]
    steps = tuple(step for step in parts[4].split(",") if step in known)
    given: dict[str, dict[str, Any]] = {}
    if deed == "notice":
        typed = text_of(form, "opens_on")
        amount = Money.parse(text_of(form, f"amount.{one.id}"), one.row["currency"]).minor
        given["notice.publish"] = notice_input(date.fromisoformat(typed) if typed else None, amount)
    if deed == "decline":
        given["project.decline"] = {"reason": text_of(form, "reason")}
    return Target(
        one.id,
        int(parts[1]),
        steps,
        UUID(parts[2]) if parts[2] else None,
        int(parts[3]),
        given,
    )

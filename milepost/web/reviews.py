"""An expert's task on one page: what is asked and until when, the application, the form, the submission.

What is typed is saved while it is typed, by the script of the page or by its button, and no way of sending
it loses it: a form that comes without a log-in comes back with everything and asks for the log-in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, RedirectResponse, Response

from config.programmes import Criterion, Text
from milepost import people
from milepost.actions import perform
from milepost.experts.conflicts import STAFF_RULE, rules
from milepost.experts.drafts import (
    DraftTooLong,
    Kept,
    Typed,
    kept_versions,
    read_draft,
    save_draft,
    take_back,
    typed_from,
)
from milepost.experts.subjects import subject_label
from milepost.queries.reviews import ExpertTask, expert_task
from milepost.web.login import authenticate, wait_text
from milepost.web.offers import Offer, offers_for
from milepost.web.render import page
from milepost.web.status import status_of
from milepost.web.visitor import Anyone, LoginNeeded, Loose, Member, Missing, Visitor, proven, text_of
from milepost.web.visitor import Typed as Proven
from schema.inputs import Scores
from states.refusals import Refusal, Refused
from states.step import words

router = APIRouter(include_in_schema=False)

SCALE_MAX = 5
"""Up to here a score is chosen from a row of numbers; beyond it is typed."""

COMMENT_MAX = next(m.max_length for m in Scores.model_fields["comment"].metadata if hasattr(m, "max_length"))
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_NOT_WHOLE = words("请填写整数。", "Give a whole number.")
_MISSING = words("请为此项打分。", "Give this one a score.")


@dataclass(frozen=True, slots=True)
class Line:
    """One criterion as it is drawn: what was typed, right or wrong, and what is wrong with it."""

    criterion: Criterion
    typed: str
    error: Text | None = None

    @property
    def widget(self) -> str:
        """How it is filled in."""
        if self.criterion.kind == "pass_fail":
            return "yes_no"
        scale = self.criterion.max <= SCALE_MAX and (not self.typed or self.typed in self.choices)
        return "scale" if scale else "number"

    @property
    def choices(self) -> list[str]:
        """The scores of a scale."""
        return [str(score) for score in range(self.criterion.max + 1)]


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """What the page of a task shows."""

    task: ExpertTask
    offers: Mapping[str, Offer]
    fields: list[Text]
    lines: list[Line]
    comment: str
    revision: int
    kept: list[Kept]
    unsent: Typed | None
    rules: list[Text]
    tab: str
    request_id: str
    said: str = ""
    refusals: tuple[Refusal, ...] = ()
    comment_max: int = COMMENT_MAX
    wrong: bool = False


def _task(visitor: Visitor, id: UUID) -> ExpertTask:
    task = expert_task(visitor.session, visitor.id, id)
    if task is None:
        raise Missing
    return task


def _submitted(task: ExpertTask) -> Typed:
    """What the record says: a review that was submitted, also one that was returned since."""
    scores = task.row["scores"] or {}
    return Typed({code: str(score) for code, score in scores.items()}, task.row["comment"] or "")


def _present(visitor: Visitor, task: ExpertTask) -> tuple[Typed, int]:
    """What the form begins with, and its revision: the draft, unless a review was submitted after it."""
    draft = read_draft(visitor.session, visitor.id, task.id)
    if draft is None or task.row["written_at_version"] > draft.task_version:
        return _submitted(task), draft.revision if draft else 0
    return draft.typed, draft.revision


def _typed(form: FormData, task: ExpertTask) -> Typed:
    found = {c.code: form.get(f"scores.{c.code}", "") for c in task.rubric}
    comment = form.get("comment", "")
    scores = {code: text for code, text in found.items() if isinstance(text, str)}
    return typed_from(scores, comment if isinstance(comment, str) else "", scores)


def _number(form: FormData, name: str) -> int:
    given = text_of(form, name)
    return int(given) if _WHOLE.fullmatch(given) else 0


def _save(visitor: Visitor, form: FormData, person_id: UUID, id: UUID, typed: Typed) -> Any:
    return save_draft(
        visitor.session,
        person_id,
        id,
        typed,
        base=_number(form, "base"),
        tab=text_of(form, "tab") or "-",
        sequence=_number(form, "sequence"),
        aside=text_of(form, "aside") == "1",
    )


def _by_script(visitor: Visitor) -> bool:
    return visitor.request.headers.get("accept", "") == "application/json"


# Reading ------------------------------------------------------------------------------------------------


@router.get("/tasks/{id}")
def show_task(visitor: Member, id: UUID, said: str = "") -> Response:
    """An expert's own task and what it needs; nobody else's."""
    task = _task(visitor, id)
    typed, revision = _present(visitor, task)
    return _draw(visitor, task, typed, revision, said=said if said in ("saved", "kept", "taken") else "")


@router.get("/tasks/{id}/draft")
def show_draft(visitor: Member, id: UUID) -> Response:
    """What was saved last, with the token that this log-in's forms carry; for the page's script."""
    task = _task(visitor, id)
    typed, revision = _present(visitor, task)
    return JSONResponse(
        {
            "csrf": visitor.csrf,
            "open": task.open,
            "revision": revision,
            "scores": dict(typed.scores),
            "comment": typed.comment,
        }
    )


def _draw(
    visitor: Visitor,
    task: ExpertTask,
    typed: Typed,
    revision: int,
    *,
    errors: Mapping[str, Text] | None = None,
    refusals: tuple[Refusal, ...] = (),
    said: str = "",
    status: int = 200,
) -> Response:
    offers = offers_for(visitor, "task", [task.id], {"expert"}).get(task.id, [])
    draft = read_draft(visitor.session, visitor.id, task.id)
    shown = typed if task.open else _submitted(task)
    readable = not task.decided and (task.open or task.row["state"] == "submitted")
    unsent = draft.typed if draft and readable and not task.open and draft.typed != shown else None
    view = ReviewPage(
        task=task,
        offers={offer.step.name: offer for offer in offers},
        fields=[subject_label(code) for code in task.row.get("fields") or ()],
        lines=[Line(c, shown.scores.get(c.code, ""), (errors or {}).get(c.code)) for c in task.rubric],
        comment=shown.comment,
        revision=revision,
        kept=kept_versions(visitor.session, visitor.id, task.id, shown) if readable else [],
        unsent=unsent,
        rules=[rule.text for name, rule in rules().items() if name != STAFF_RULE],
        tab=uuid4().hex,
        request_id=uuid4().hex,
        said=said,
        refusals=refusals,
        wrong=bool(errors),
    )
    return page(visitor, "review.html", view, status=status)


# Writing ------------------------------------------------------------------------------------------------


@router.post("/tasks/{id}/draft")
def save(visitor: Anyone, form: Loose, id: UUID) -> Response:
    """Keep what was typed, by the page's script or by its button."""
    if visitor.login is None:
        if _by_script(visitor):
            raise LoginNeeded
        return _log_in_first(visitor, form, id)
    task = _task(visitor, id)
    try:
        saved = _save(visitor, form, visitor.id, id, _typed(form, task))
    except DraftTooLong as error:
        text = error.zh if visitor.locale == "zh" else error.en
        return JSONResponse({"problem": text}, 422)
    if saved is None:
        raise Missing
    if _by_script(visitor):
        return JSONResponse({"revision": saved.revision, "kept": saved.kept})
    return RedirectResponse(f"/tasks/{id}?said={'kept' if saved.kept else 'saved'}", 303)


@router.post("/tasks/{id}/draft/take")
def take(visitor: Member, form: Proven, id: UUID) -> Response:
    """Bring a kept version back into the form; what stands there is kept in its place."""
    try:
        kept_id = UUID(text_of(form, "kept"))
    except ValueError:
        raise Missing from None
    if take_back(visitor.session, visitor.id, id, kept_id, tab=f"taken:{uuid4().hex}") is None:
        raise Missing
    return RedirectResponse(f"/tasks/{id}?said=taken#write", 303)


@router.post("/tasks/{id}/submit")
def submit(visitor: Anyone, form: Loose, id: UUID) -> Response:
    """Submit the review. What was typed is saved first, whatever becomes of the submission."""
    if visitor.login is None:
        return _log_in_first(visitor, form, id)
    task = _task(visitor, id)
    try:
        typed = _typed(form, task)
        saved = _save(visitor, form, visitor.id, id, typed)
    except DraftTooLong as error:
        text = error.zh if visitor.locale == "zh" else error.en
        return JSONResponse({"problem": text}, 422)
    revision = saved.revision if saved else _number(form, "base")
    if saved is not None and saved.kept:
        # Another window has newer text: the expert looks at both before one of them is the review.
        return _draw(visitor, task, typed, revision, said="kept", status=409)
    scores, errors = _scores(task, typed)
    if errors:
        return _draw(visitor, task, typed, revision, errors=errors, status=422)
    try:
        perform(
            visitor.session,
            visitor.actor,
            "task.submit",
            id,
            {"scores": scores, "comment": typed.comment},
            text_of(form, "request_id")[:100] or uuid4().hex,
        )
    except Refused as refused:
        status = status_of(refused.refusals)
        errors = _unfit(task, typed)
        # How it stands now: it may have been taken away or submitted elsewhere meanwhile.
        return _draw(
            visitor,
            _task(visitor, id),
            typed,
            revision,
            errors=errors,
            refusals=tuple(refused.refusals),
            status=status,
        )
    return RedirectResponse(f"/tasks/{id}?done=task.submit", 303)


def _scores(task: ExpertTask, typed: Typed) -> tuple[dict[str, int], dict[str, Text]]:
    """The scores as numbers; what is none is named at its place, what is missing is for the step's guards."""
    scores: dict[str, int] = {}
    errors: dict[str, Text] = {}
    for criterion in task.rubric:
        text = unicodedata.normalize("NFKC", typed.scores.get(criterion.code, "")).strip()
        if _WHOLE.fullmatch(text):
            scores[criterion.code] = int(text)
        elif text:
            errors[criterion.code] = _NOT_WHOLE
    return scores, errors


def _unfit(task: ExpertTask, typed: Typed) -> dict[str, Text]:
    """Where a refused review is incomplete, marked beside each criterion."""
    scores, _ = _scores(task, typed)
    wrong = {c.code: _MISSING for c in task.rubric if c.code not in scores}
    for criterion in task.rubric:
        if scores.get(criterion.code, 0) > criterion.max:
            wrong[criterion.code] = words(
                f"应在 0 至 {criterion.max} 之间。", f"It lies between 0 and {criterion.max}."
            )
    return wrong


# A form whose log-in ended --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoginFirst:
    """A log-in form that carries what was typed."""

    url: str
    carried: list[tuple[str, str]]
    comment: str
    login: str
    error: str


_OF_THE_LOGIN = frozenset({"csrf", "login", "password", "comment", "request_id", "sequence"})


def _log_in_first(visitor: Visitor, form: FormData, id: UUID) -> Response:
    """The log-in has ended: everything typed comes back with a log-in form, and is saved by logging in."""
    login, error, wait = text_of(form, "login")[:64], "", 0
    password = form.get("password", "")
    if isinstance(password, str) and password and proven(visitor, form):
        person, wait = authenticate(visitor, login, password)
        answer = _welcome(visitor, form, id, person) if person else None
        if answer is not None:
            return answer
        zh, en = (
            ("登录名或密码不正确。", "The login or the password is not right.")
            if person is None
            else (
                "这个账户现在不能填写此任务。内容仍在下方，可复制保存。",
                "That account does not write this task now. Your text is still below; copy it if need be.",
            )
        )
        error = wait_text(visitor.locale, wait) if wait else zh if visitor.locale == "zh" else en
    texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    view = LoginFirst(
        url=f"/tasks/{id}/draft",
        carried=[(name, value) for name, value in texts if name not in _OF_THE_LOGIN],
        comment=dict(texts).get("comment", ""),
        login=login,
        error=error,
    )
    return page(visitor, "review_login.html", view, status=429 if wait else 401)


def _welcome(visitor: Visitor, form: FormData, id: UUID, person: people.Person) -> Response | None:
    """Save what the form carried for who logged in, or nothing at all: a stranger's log-in opens nothing."""
    task = expert_task(visitor.session, person.id, id)
    try:
        saved = _save(visitor, form, person.id, id, _typed(form, task)) if task else None
    except DraftTooLong:
        return None
    if saved is None:
        return None
    hours = visitor.web.settings.session_hours
    token = people.open_login(visitor.logins, person.id, hours)
    answer = RedirectResponse(f"/tasks/{id}?said={'kept' if saved.kept else 'saved'}#write", 303)
    visitor.web.set_cookie(answer, "milepost", token, hours=hours)
    visitor.web.drop_cookie(answer, "milepost-before")
    return answer

"""One page for every step: the form its input model asks for, the refusals it met, the receipt it gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from config.programmes import Programme
from milepost.actions import Receipt, perform
from milepost.queries.receivables import SetOffShown, set_off_shown
from milepost.web.fields import Asked, Field, fields_of
from milepost.web.form_rows import MORE
from milepost.web.login import prove_again
from milepost.web.offers import Place, heading, home_of, locate, project_code
from milepost.web.render import page
from milepost.web.status import status_of
from milepost.web.typed import Reading, read
from milepost.web.visitor import Member, Missing, Typed, Visitor, text_of
from milepost.work.conflicts import after_step
from states.refusals import Refusal, Refused
from states.step import Step

router = APIRouter(include_in_schema=False)
_DECIDE_SET_OFF = ("receivable.agree_set_off", "receivable.drop_set_off")


@dataclass(frozen=True, slots=True)
class StepPage:
    """What the page of a step shows."""

    step: Step
    noun: str
    heading: str
    project: str
    back: str
    url: str
    fields: list[Field]
    refusals: tuple[Refusal, ...]
    programme: Programme | None
    siblings: tuple[Step, ...]
    request_id: str
    version: int
    state: str
    password: bool
    password_error: str
    can_submit: bool
    problems: bool
    about: SetOffShown | None = None
    """What somebody else proposed, where the step decides about it."""


def subject_id_of(request: Request) -> UUID | None:
    """The subject in the address; what is no id is no subject."""
    given = request.path_params.get("subject_id")
    if given is None:
        return None
    try:
        return UUID(given)
    except ValueError:
        raise Missing from None


SubjectId = Annotated[UUID | None, Depends(subject_id_of)]


@router.get("/steps/{step}")
@router.get("/steps/{step}/{subject_id}")
def show_step(visitor: Member, step: str, subject_id: SubjectId) -> Response:
    """The form of a step, or why it is not possible now."""
    place = locate(visitor, step, subject_id)
    reading = Reading()
    status = status_of(place.refusals) if place.refusals and _closed(place) else 200
    return _draw(visitor, place, reading, place.refusals, status=status)


@router.post("/steps/{step}")
@router.post("/steps/{step}/{subject_id}")
def take_step(visitor: Member, form: Typed, step: str, subject_id: SubjectId) -> Response:
    """Take the step; refused, the form comes back with what was typed and with every reason."""
    place = locate(visitor, step, subject_id)
    asked = _asked(visitor, place)
    reading = read(asked, form, visitor.web.settings.upload_bytes_max)
    if place.forbidden:
        return _draw(visitor, place, reading, place.forbidden, status=403)
    if text_of(form, MORE):
        # Nothing is handed in yet: the form comes back as typed, with more rows to type into.
        reading.errors.clear()
        return _draw(visitor, place, reading, ())
    if reading.errors:
        return _draw(visitor, place, reading, (), status=422)
    password = text_of(form, "password")
    token, wrong = prove_again(visitor, password) if place.step.fresh and password else (None, "")
    if wrong:
        return _draw(visitor, place, reading, (), status=403, password_error=wrong)
    try:
        receipt = perform(
            visitor.session,
            visitor.actor,
            step,
            subject_id,
            reading.input,
            text_of(form, "request_id")[:100] or uuid4().hex,
            expected_version=_version(form) if place.subject else None,
        )
    except Refused as refused:
        # What is shown now is how it stands now: the next try is about this, and is a request of its own.
        place = locate(visitor, step, subject_id)
        answer = _draw(visitor, place, reading, tuple(refused.refusals), status=status_of(refused.refusals))
    else:
        after_step(visitor.session, receipt)
        answer = RedirectResponse(_after(place, receipt), 303)
    if token:
        visitor.web.set_cookie(answer, "milepost", token, hours=visitor.web.settings.session_hours)
    return answer


def _version(form: FormData) -> int | None:
    given = text_of(form, "expected_version")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else -1


def _after(place: Place, receipt: Receipt) -> str:
    subject = place.subject
    noun, id = place.step.noun, receipt.subject_id
    project_id = subject.project_id if subject else None
    expert = subject is not None and "expert" in subject.sight.roles
    home = home_of(noun, id, project_id, as_expert=expert)
    path, mark, anchor = home.partition("#")
    return f"{path}?done={place.step.name}{mark}{anchor}"


def _asked(visitor: Visitor, place: Place) -> Asked:
    return Asked(visitor.session, visitor.id, visitor.locale, place.step, place.subject, place.programme)


def _begun(visitor: Visitor, asked: Asked) -> list[Field]:
    """The empty form; where the address names one of the choices of a field, with that chosen."""
    given = visitor.request.query_params
    return [
        replace(field, value=given[field.name])
        if given.get(field.name) in {option.value for option in field.options}
        else field
        for field in fields_of(asked)
    ]


def _closed(place: Place) -> bool:
    """Whether the step cannot even be tried: the form would only disappoint."""
    return bool(place.forbidden) or any(r.code == "wrong_state" for r in place.refusals)


def _about(visitor: Visitor, place: Place) -> SetOffShown | None:
    """The set-off that is agreed to or dropped, for those who may; who decides sees what it is about."""
    if place.step.name not in _DECIDE_SET_OFF or place.subject is None or place.forbidden:
        return None
    return set_off_shown(visitor.session, place.subject.id)


def _draw(
    visitor: Visitor,
    place: Place,
    reading: Reading,
    refusals: tuple[Refusal, ...],
    *,
    status: int = 200,
    password_error: str = "",
) -> Response:
    asked = _asked(visitor, place)
    subject = place.subject
    project_id = subject.project_id if subject else None
    expert = subject is not None and place.noun == "task" and "expert" in subject.sight.roles
    back = "/" if subject is None else home_of(place.noun, subject.id, project_id, as_expert=expert)
    view = StepPage(
        step=place.step,
        noun=place.noun,
        heading=heading(place.noun, subject.row, visitor.locale) if subject else "",
        # The task's own page says what its expert may know of the project.
        project="" if place.noun == "project" or expert else project_code(visitor.session, project_id),
        back=back,
        url=f"/steps/{place.step.name}" + (f"/{subject.id}" if subject else ""),
        fields=reading.fields(asked) if reading.values or reading.errors else _begun(visitor, asked),
        refusals=refusals,
        programme=place.programme,
        siblings=place.siblings,
        request_id=uuid4().hex,
        version=place.version,
        state=subject.state if subject else "",
        password=place.step.fresh and not visitor.fresh,
        password_error=password_error,
        can_submit=not _closed(place),
        problems=bool(reading.errors),
        about=_about(visitor, place),
    )
    return page(visitor, "step.html", view, status=status)

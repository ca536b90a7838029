"""For administrators: people and their roles, and the mail that nobody got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from milepost import people
from milepost.mail.outbox import DeadLetter, dead_letters, requeue
from milepost.queries import office
from milepost.queries.sight import Row
from milepost.web.render import page
from milepost.web.visitor import Administrator, Missing, Typed, Visitor, text_of
from states.labels import said
from states.roles import ROLES
from states.step import words

router = APIRouter(include_in_schema=False)
GIVEN = [role for role in ROLES if role != "system"]


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """People and the form for a new one, with what was typed."""

    rows: list[Row]
    next: str | None
    search: str
    typed: dict[str, str]
    error: str


@router.get("/people")
def show_people(visitor: Administrator, search: str = "", after: str = "") -> Response:
    """Everybody with an account."""
    return _people(visitor, search=search.strip()[:100], after=after)


def _people(
    visitor: Visitor,
    *,
    search: str = "",
    after: str = "",
    typed: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    found = office.people(visitor.session, search=search, after=after)
    view = PeoplePage(found.rows, found.next, search, typed or {}, error)
    return page(visitor, "people.html", view, status=422 if error else 200)


@router.post("/people")
def create_person(visitor: Administrator, form: Typed) -> Response:
    """A new account."""
    typed = {name: text_of(form, name) for name in ("login", "name", "email", "locale")}
    try:
        id = people.create_person(
            visitor.session, **typed, password=text_of(form, "password") or None, by=visitor.id
        )
    except people.PersonError as error:
        return _people(visitor, typed=typed, error=said(words(error.zh, error.en), visitor.locale))
    return RedirectResponse(f"/people/{id}", 303)


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One account."""

    row: dict[str, Any]
    roles: list[str]
    error: str
    typed: dict[str, str]


@router.get("/people/{id}")
def show_person(visitor: Administrator, id: UUID) -> Response:
    """One account with its roles and its history."""
    return _person(visitor, id)


def _person(visitor: Visitor, id: UUID, error: str = "", typed: dict[str, str] | None = None) -> Response:
    row = office.person(visitor.session, id)
    if row is None:
        raise Missing
    view = PersonPage(row, GIVEN, error, typed or {})
    return page(visitor, "person.html", view, status=422 if error else 200)


def _changed(
    visitor: Visitor, id: UUID, change: Callable[[], object], typed: dict[str, str] | None = None
) -> Response:
    if office.person(visitor.session, id) is None:
        raise Missing
    try:
        change()
    except people.PersonError as error:
        return _person(visitor, id, said(words(error.zh, error.en), visitor.locale), typed)
    return RedirectResponse(f"/people/{id}", 303)


@router.post("/people/{id}/password")
def set_password(visitor: Administrator, form: Typed, id: UUID) -> Response:
    """A new password; the person's log-ins end."""
    given = form.get("password")
    password = given if isinstance(given, str) else ""
    return _changed(visitor, id, lambda: people.set_password(visitor.session, id, password, by=visitor.id))


@router.post("/people/{id}/active")
def set_active(visitor: Administrator, form: Typed, id: UUID) -> Response:
    """Disable or enable an account."""
    active = text_of(form, "active") == "yes"
    return _changed(visitor, id, lambda: people.set_active(visitor.session, id, active, by=visitor.id))


@router.post("/people/{id}/grants")
def grant(visitor: Administrator, form: Typed, id: UUID) -> Response:
    """Give a role, for an office or for one project."""
    typed = {name: text_of(form, name) for name in ("role", "office_path", "project_code")}

    def give() -> None:
        project_id = None
        if typed["project_code"]:
            project_id = office.project_by_code(visitor.session, typed["project_code"])
            if project_id is None:
                raise people.PersonError(
                    "project_unknown",
                    f"没有编号为“{typed['project_code']}”的项目。",
                    f"There is no project with the code {typed['project_code']!r}.",
                )
        people.grant(
            visitor.session,
            id,
            typed["role"],
            office_path=typed["office_path"] or None,
            project_id=project_id,
            by=visitor.id,
        )

    return _changed(visitor, id, give, typed)


@router.post("/people/{id}/grants/{grant_id}/revoke")
def revoke(visitor: Administrator, form: Typed, id: UUID, grant_id: UUID) -> Response:
    """Take a role back."""
    return _changed(visitor, id, lambda: people.revoke(visitor.session, grant_id, by=visitor.id))


@dataclass(frozen=True, slots=True)
class MailPage:
    """What waits to go out, and what nobody got."""

    counts: dict[str, int]
    letters: list[DeadLetter]


@router.get("/mail")
def show_mail(visitor: Administrator) -> Response:
    """Mail that was given up, with the reason."""
    letters = dead_letters(visitor.web.database)
    return page(visitor, "mail.html", MailPage(office.mail_counts(visitor.session), letters))


@router.post("/mail")
def send_again(visitor: Administrator, form: Typed) -> Response:
    """Queue the chosen ones again."""
    chosen = []
    for value in form.getlist("id"):
        try:
            chosen.append(UUID(str(value)))
        except ValueError:
            raise Missing from None
    requeue(visitor.web.database, chosen)
    return RedirectResponse("/mail", 303)

"""Log in and out, prove a password again, choose a language."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from milepost import people
from milepost.web.render import page
from milepost.web.visitor import Anyone, Member, Typed, Visitor, text_of

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The log-in form: where to go then, what was typed, what was wrong."""

    next: str = "/"
    login: str = ""
    error: str = ""


def safe_next(path: str) -> str:
    """A page of ours to go to; anything that could leave this site is the start page."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if inside and len(path) < 500 else "/"


def wait_text(locale: str, seconds: int) -> str:
    """How long somebody who failed too often has to wait."""
    minutes = -(-seconds // 60)
    if locale == "zh":
        return f"尝试次数过多。请 {minutes} 分钟后再试，或请管理员重设密码。"
    return (
        f"Too many tries. Try again in {minutes} minute(s), or ask the administrator to reset the password."
    )


def authenticate(visitor: Visitor, login: str, password: str) -> tuple[people.Person | None, int]:
    """Who that is, or nobody and how long to wait; one's own and one's address's failures are counted."""
    client = visitor.request.client
    address = client.host if client else "-"
    web = visitor.web
    wait = max(web.by_login.wait(login), web.by_address.wait(address))
    if wait:
        return None, wait
    person, digest = people.hash_of(visitor.session, login)
    if people.verify(digest, password) and person is not None:
        web.by_login.forget(login)
        return person, 0
    web.by_login.fail(login)
    web.by_address.fail(address)
    return None, 0


def prove_again(visitor: Visitor, password: str) -> tuple[str | None, str]:
    """The password once more: a new token whose log-in is fresh, or why not. The visitor goes on as it."""
    person, wait = authenticate(visitor, visitor.person.login, password)
    if person is None:
        if wait:
            return None, wait_text(visitor.locale, wait)
        return None, "密码不正确。" if visitor.locale == "zh" else "The password is not right."
    hours = visitor.web.settings.session_hours
    token = people.open_login(visitor.logins, person.id, hours, instead_of=visitor.token)
    visitor.login = people.find_login(visitor.logins, token, hours)
    assert visitor.login is not None
    visitor.token, visitor.csrf = token, visitor.login.csrf
    return token, ""


@router.get("/login")
def show_login(visitor: Anyone, next: str = "/") -> Response:
    """The log-in form."""
    if visitor.login is not None:
        return RedirectResponse(safe_next(next), 303)
    return page(visitor, "login.html", LoginPage(next=safe_next(next)))


@router.post("/login")
def log_in(visitor: Anyone, form: Typed) -> Response:
    """A new session under a new id; what was there before ends."""
    login, next = text_of(form, "login")[:64], safe_next(text_of(form, "next", "/"))
    password = form.get("password", "")
    person, wait = authenticate(visitor, login, password if isinstance(password, str) else "")
    if person is None:
        wrong = (
            "登录名或密码不正确。忘记密码请联系管理员重设。"
            if visitor.locale == "zh"
            else "The login or the password is not right. The administrator can reset a password."
        )
        view = LoginPage(next, login, wait_text(visitor.locale, wait) if wait else wrong)
        return page(visitor, "login.html", view, status=429 if wait else 401)
    hours = visitor.web.settings.session_hours
    token = people.open_login(visitor.logins, person.id, hours, instead_of=visitor.token)
    answer = RedirectResponse(next, 303)
    visitor.web.set_cookie(answer, "milepost", token, hours=hours)
    visitor.web.drop_cookie(answer, "milepost-before")
    return answer


@router.post("/logout")
def log_out(visitor: Member, form: Typed) -> Response:
    """The session ends here and in the database."""
    if visitor.token:
        people.close_login(visitor.session, visitor.token)
    answer = RedirectResponse("/login", 303)
    visitor.web.drop_cookie(answer, "milepost")
    return answer


@router.post("/language")
def choose_language(visitor: Anyone, form: Typed) -> Response:
    """The person's language from now on, and this browser's."""
    locale = text_of(form, "locale")
    answer = RedirectResponse(safe_next(text_of(form, "next", "/")), 303)
    if locale in people.LOCALES:
        if visitor.login is not None:
            people.set_locale(visitor.session, visitor.id, locale)
        answer.set_cookie("lang", locale, max_age=31_536_000, path="/", samesite="lax", httponly=True)
    return answer


def login_address(path: str, query: str) -> str:
    """Where somebody is sent who has to log in first."""
    return "/login?next=" + quote(f"{path}?{query}" if query else path, safe="")

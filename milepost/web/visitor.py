"""Who is at the door: the log-in behind a request, the rules that routes name, tokens against forgery.

Every route names exactly one rule (``RULES``); which objects it then shows is for ``milepost.queries``.
Who lacks a rule's role is told what a stranger is told: there is no such page.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from config.settings import Settings
from milepost import people
from milepost.actions import Actor
from milepost.clock import Clock, SystemClock
from milepost.db import Database, Session
from milepost.experts.permits import READERS
from milepost.queries.sight import BANK, FUNDS, roles_anywhere

WAIT_SECONDS = 5.0


class LoginNeeded(Exception):
    """The page is for those who logged in."""


class Missing(Exception):
    """There is no such thing, or it is not for this person: nobody can tell which."""


class Forged(Exception):
    """A form or a call that does not come from our own pages."""


class Limiter:
    """At most so many failures in a span, by key; kept by each web process in memory."""

    def __init__(self, most: int, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self._now = most, seconds, now
        self._failed: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def wait(self, key: str) -> int:
        """How many seconds until another try is heard; 0: now."""
        with self._lock:
            recent = self._recent(key)
            return 0 if len(recent) < self.most else max(1, int(recent[0] + self.seconds - self._now()))

    def fail(self, key: str) -> None:
        """Count a failure."""
        with self._lock:
            if len(self._failed) > 10_000:
                for stale in [k for k in self._failed if not self._recent(k)]:
                    del self._failed[stale]
            self._failed[key] = [*self._recent(key), self._now()]

    def forget(self, key: str) -> None:
        """It went well: begin anew."""
        with self._lock:
            self._failed.pop(key, None)

    def _recent(self, key: str) -> list[float]:
        since = self._now() - self.seconds
        return [at for at in self._failed.get(key, ()) if at > since]


@dataclass(slots=True)
class Web:
    """What every request shares."""

    database: Database
    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    """What log-ins are timed by: a person's minutes are real, also where the office's days are simulated."""
    by_login: Limiter = field(default_factory=lambda: Limiter(8, 300))
    by_address: Limiter = field(default_factory=lambda: Limiter(60, 300))

    def cookie(self, name: str) -> str:
        """A cookie's name: bound to host and TLS where there is TLS."""
        return f"__Host-{name}" if self.settings.https else name

    def set_cookie(self, response: Response, name: str, value: str, *, hours: int | None = None) -> None:
        """Set a cookie that scripts cannot read."""
        response.set_cookie(
            self.cookie(name),
            value,
            max_age=hours * 3600 if hours else None,
            path="/",
            secure=self.settings.https,
            httponly=True,
            samesite="lax",
        )

    def drop_cookie(self, response: Response, name: str) -> None:
        """Take a cookie back."""
        response.delete_cookie(
            self.cookie(name), path="/", secure=self.settings.https, httponly=True, samesite="lax"
        )


@dataclass(slots=True)
class Visitor:
    """One request's person, language and database session."""

    web: Web
    request: Request
    session: Session
    locale: str
    csrf: str
    login: people.Login | None = None
    token: str | None = None
    roles: frozenset[str] = frozenset()

    @property
    def person(self) -> people.Person:
        """Who is logged in; a route that asks for this names a rule that needs a log-in."""
        if self.login is None:
            raise LoginNeeded
        return self.login.person

    @property
    def id(self) -> UUID:
        """The person's id."""
        return self.person.id

    @property
    def logins(self) -> Session:
        """The same connection by the clock of log-ins."""
        return Session(self.session.conn, self.web.clock)

    @property
    def fresh(self) -> bool:
        """Whether a password was typed a moment ago, as releasing money needs."""
        if self.login is None:
            return False
        age = self.web.clock.now() - self.login.fresh_at
        return age <= timedelta(minutes=self.web.settings.reauthentication_minutes)

    @property
    def actor(self) -> Actor:
        """The person as ``perform`` knows them."""
        return Actor(self.id, self.fresh)


def locale_of(request: Request, settings: Settings) -> str:
    """The language of somebody without an account: chosen, preferred by the browser, or the office's."""
    chosen = request.cookies.get("lang")
    if chosen in people.LOCALES:
        return chosen
    for part in request.headers.get("accept-language", "").split(","):
        language = part.split(";")[0].strip()[:2].lower()
        if language in people.LOCALES:
            return language
    return settings.locale


def _token(request: Request, web: Web) -> tuple[str | None, bool]:
    """The log-in's token and whether a browser sends it by itself."""
    given = request.headers.get("authorization", "")
    if given[:7].lower() == "bearer ":
        return given[7:].strip(), False
    return request.cookies.get(web.cookie("milepost")), True


# Rules ------------------------------------------------------------------------------------------------


def anyone(request: Request) -> Iterator[Visitor]:
    """Everybody, logged in or not."""
    web: Web = request.app.state.web
    token, by_browser = _token(request, web)
    with web.database.session(timeout=WAIT_SECONDS) as session:
        timed = Session(session.conn, web.clock)
        login = people.find_login(timed, token, web.settings.session_hours) if token else None
        request.state.by_browser = by_browser
        if login is None:
            before = request.cookies.get(web.cookie("milepost-before")) or secrets.token_urlsafe(24)
            yield Visitor(web, request, session, locale_of(request, web.settings), before)
        else:
            roles = roles_anywhere(session, login.person.id)
            yield Visitor(web, request, session, login.person.locale, login.csrf, login, token, roles)


def member(visitor: Annotated[Visitor, Depends(anyone, scope="function")]) -> Visitor:
    """Whoever logged in; what they see of anything is narrowed by the queries."""
    if visitor.login is None:
        raise LoginNeeded
    return visitor


def administrator(visitor: Annotated[Visitor, Depends(member, scope="function")]) -> Visitor:
    """Administrators: people and mail, no state and no money."""
    return _holding(visitor, frozenset({"administrator"}))


def funds_reader(visitor: Annotated[Visitor, Depends(member, scope="function")]) -> Visitor:
    """Those who see the yearly budgets."""
    return _holding(visitor, FUNDS)


def bank_reader(visitor: Annotated[Visitor, Depends(member, scope="function")]) -> Visitor:
    """Those who see what goes to the bank and what it says."""
    return _holding(visitor, BANK)


def pool_reader(visitor: Annotated[Visitor, Depends(member, scope="function")]) -> Visitor:
    """Those who see the expert pool; which regions of it is for the queries."""
    return _holding(visitor, READERS)


def _holding(visitor: Visitor, roles: frozenset[str]) -> Visitor:
    if not visitor.roles & roles:
        raise Missing
    return visitor


RULES = (anyone, member, administrator, funds_reader, bank_reader, pool_reader)
Anyone = Annotated[Visitor, Depends(anyone, scope="function")]
Member = Annotated[Visitor, Depends(member, scope="function")]
Administrator = Annotated[Visitor, Depends(administrator, scope="function")]
FundsReader = Annotated[Visitor, Depends(funds_reader, scope="function")]
BankReader = Annotated[Visitor, Depends(bank_reader, scope="function")]
PoolReader = Annotated[Visitor, Depends(pool_reader, scope="function")]


async def checked_form(
    request: Request, visitor: Annotated[Visitor, Depends(anyone, scope="function")]
) -> AsyncIterator[FormData]:
    """The form that was sent, after its token proved that one of our pages made it."""
    async with _form_of(request) as form:
        # Before the log-in the token is the cookie's: another site can neither read nor set that one.
        if visitor.login is None and visitor.web.cookie("milepost-before") not in request.cookies:
            raise Forged if request.url.path.startswith(OPEN_FORMS) else LoginNeeded
        if not proven(visitor, form):
            raise Forged
        yield form


async def loose_form(
    request: Request, visitor: Annotated[Visitor, Depends(anyone, scope="function")]
) -> AsyncIterator[FormData]:
    """The same, but a form whose log-in ended comes through, unproven: it may be shown again and no more."""
    async with _form_of(request) as form:
        if visitor.login is not None and not proven(visitor, form):
            raise Forged
        yield form


def _form_of(request: Request) -> Any:
    # A cost claim has many lines, each with a file; every other form is small.
    many = request.url.path.startswith(("/steps/claim.", "/claims/"))
    files, fields = (200, 10_000) if many else (20, 1000)
    return request.form(max_files=files, max_fields=fields, max_part_size=1024 * 1024)


def proven(visitor: Visitor, form: FormData) -> bool:
    """Whether one of our pages made the form, for this very log-in or browser."""
    given = form.get("csrf")
    return isinstance(given, str) and hmac.compare_digest(given.encode(), visitor.csrf.encode())


OPEN_FORMS = ("/login", "/language", "/invitations/")
Typed = Annotated[FormData, Depends(checked_form, scope="function")]
Loose = Annotated[FormData, Depends(loose_form, scope="function")]


def text_of(form: FormData, name: str, default: str = "") -> str:
    """One text field of a form."""
    value = form.get(name, default)
    return value.strip() if isinstance(value, str) else default

"""Draws pages: one Jinja environment per language, with the words, sums and days of that language."""

from __future__ import annotations

import calendar
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from config.programmes import Programme, Text
from milepost.experts.permits import READERS
from milepost.queries.sight import BANK, DRAWS, FUNDS, OBJECTORS, SEES
from milepost.reports.payment_words import acted, left_out_said
from milepost.web.visitor import Visitor
from schema.money import Money
from states.delegation import COLLEAGUES
from states.labels import (
    choice_label,
    duty_label,
    noun_label,
    progress_said,
    role_label,
    said,
    state_label,
    step_label,
    worded,
)
from states.reference import spaced
from states.refusals import Refusal
from states.step import words

HERE = Path(__file__).resolve().parent
MONTHS = tuple(calendar.month_name)
# States in which a subject goes on, has come to a good end, or needs somebody's attention.
_GOOD = frozenset(
    {"accepted", "settled", "verified", "decided", "submitted", "ended", "closed_passed", "voted"}
)
_BAD = frozenset(
    {
        "overdue",
        "rejected",
        "returned",
        "unknown",
        "late",
        "suspended",
        "terminated",
        "revoked",
        "filed",
        "lapsed",
    }
)
_QUIET = frozenset(
    {"void", "superseded", "replaced", "waived", "archived", "closed", "withdrawn", "declined"}
)


def tone(noun: str, state: str) -> str:
    """How a state looks: good, bad, quiet or under way."""
    if (noun, state) in (("task", "accepted"), ("claim", "submitted")):
        return "live"
    return "good" if state in _GOOD else "bad" if state in _BAD else "quiet" if state in _QUIET else "live"


def asset(name: str) -> str:
    """The address of a file of ours, which changes with its content."""
    digest = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?{digest}"


def _day(locale: str, value: date | None) -> str:
    if value is None:
        return "—"
    if locale == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {MONTHS[value.month]} {value.year}"


def _until(locale: str, due: date | None, today: date) -> str:
    """How far a day is, in words."""
    if due is None:
        return ""
    days = (due - today).days
    if days == 0:
        return "今天" if locale == "zh" else "today"
    if days < 0:
        return f"已逾期 {-days} 天" if locale == "zh" else f"{-days} day{'s' if days < -1 else ''} overdue"
    return f"还有 {days} 天" if locale == "zh" else f"in {days} day{'s' if days > 1 else ''}"


def _money(locale: str, minor: int | None, currency: str) -> str:
    return "—" if minor is None else Money(minor, currency).format(locale)


def _who(locale: str, roles: Iterable[str]) -> str:
    return ("、" if locale == "zh" else ", ").join(said(role_label(role), locale) for role in roles)


@lru_cache(maxsize=4)
def environment(locale: str, zone: str) -> Environment:
    """The environment of one language; an undefined name in a template is an error."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def moment(value: datetime) -> str:
        local = value.astimezone(ZoneInfo(zone))
        return f"{_day(locale, local.date())} {local:%H:%M}"

    def in_words(refusal: Refusal, programme: Programme | None = None) -> Refusal:
        return worded(refusal, locale, programme)

    env.globals.update(
        locale=locale,
        t=lambda zh, en: zh if locale == "zh" else en,
        say=lambda text: said(text if isinstance(text, Text) else Text(**text), locale),
        spaced=spaced,
        money=lambda minor, currency: _money(locale, minor, currency),
        day=lambda value: _day(locale, value),
        moment=moment,
        on=lambda value: _day(locale, value.astimezone(ZoneInfo(zone)).date()),
        until=lambda due, today: _until(locale, due, today),
        noun=lambda name: said(noun_label(name), locale),
        state=lambda name, value: said(state_label(name, value), locale),
        role=lambda name: said(role_label(name), locale),
        who=lambda roles: _who(locale, roles),
        step=lambda name: said(step_label(name), locale),
        duty=lambda name: said(duty_label(name), locale),
        progress=lambda found: progress_said(found, locale),
        acted=lambda person, behalf: acted(person, behalf, locale),
        left_out=lambda why: said(left_out_said(why or ""), locale),
        choice=lambda name: said(choice_label(name), locale),
        worded=in_words,
        tone=tone,
        asset=asset,
        query=lambda **given: urlencode({k: v for k, v in given.items() if v}),
    )
    return env


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An entry of the main menu; no roles: for everybody who logged in."""

    href: str
    label: Text
    roles: frozenset[str] = frozenset()


MENU = (
    MenuItem("/", words("我的工作", "My work")),
    MenuItem(
        "/projects", words("项目", "Projects"), frozenset(r for r, seen in SEES.items() if "project" in seen)
    ),
    MenuItem("/matching", words("专家匹配", "Matching"), frozenset({"programme_officer"})),
    MenuItem("/rankings", words("评审排名", "Rankings"), OBJECTORS),
    MenuItem("/calls", words("申报指南", "Calls")),
    MenuItem("/appropriations", words("年度预算", "Budgets"), FUNDS),
    MenuItem("/forecast", words("预测", "Forecast"), FUNDS),
    MenuItem("/ageing", words("账龄", "Ageing"), FUNDS),
    MenuItem("/receivables", words("应退款", "Owed back"), FUNDS),
    MenuItem("/bank", words("银行往来", "Bank"), BANK),
    MenuItem("/delegations", words("委托", "Delegations"), frozenset({*COLLEAGUES, "supervisor"})),
    MenuItem("/programmes", words("计划", "Programmes")),
    MenuItem("/draws", words("专家抽取", "Draws"), DRAWS),
    MenuItem("/experts", words("专家库", "Experts"), READERS),
    MenuItem("/experts/me", words("我的专家信息", "My expert profile"), frozenset({"expert"})),
    MenuItem("/people", words("人员", "People"), frozenset({"administrator"})),
    MenuItem("/mail", words("邮件", "Mail"), frozenset({"administrator"})),
)


def programme_names(visitor: Visitor) -> Callable[[str], str]:
    """What a programme is called in its newest version, by its code; read when a page first asks."""
    found: dict[str, str] = {}

    def name(code: str) -> str:
        if not found:
            rows = visitor.session.conn.execute(
                "SELECT DISTINCT ON (code) code, title FROM programme_version ORDER BY code, version DESC"
            ).fetchall()
            found.update((row[0], str(row[1].get(visitor.locale) or row[0])) for row in rows)
        return found.get(code, code)

    return name


def page(visitor: Visitor, template: str, view: Any = None, *, status: int = 200) -> HTMLResponse:
    """A page in the visitor's language. ``view`` is the page's own typed context."""
    env = environment(visitor.locale, visitor.web.settings.timezone)
    html = env.get_template(template).render(
        view=view,
        visitor=visitor,
        person=visitor.login.person if visitor.login else None,
        menu=[m for m in MENU if visitor.login and (not m.roles or m.roles & visitor.roles)],
        csrf=visitor.csrf,
        today=visitor.session.clock.today(),
        path=visitor.request.url.path,
        programme_name=programme_names(visitor),
        done=visitor.request.query_params.get("done", ""),
    )
    response = HTMLResponse(html, status)
    if visitor.login is None:
        visitor.web.set_cookie(response, "milepost-before", visitor.csrf)
    return response

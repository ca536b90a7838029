"""Draws of expert panels: for the office the list and each draw, for everybody what is published.

The published part asks for no log-in and calls experts by names of each draw's own: whoever kept a
commitment can compare it with the list, take the record away and compute it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from config.places import shipped
from milepost.queries import draws
from milepost.queries.draws import DrawView
from milepost.queries.sight import DRAWS, Row
from milepost.web.markup import rendered
from milepost.web.offers import Offer, offers_for, roots
from milepost.web.public import language
from milepost.web.render import environment, page
from milepost.web.visitor import Anyone, Member, Missing
from states.step import Step, words

router = APIRouter(include_in_schema=False)
KEPT_SECONDS = 60

KINDS: dict[str, Any] = {
    "technology": words("技术", "technology"),
    "management": words("管理", "management"),
    "finance": words("财务", "finance"),
    "investment": words("投资", "investment"),
}
LACKING: dict[str, Any] = {
    "pool": words("专家库", "the pool"),
    "conflicts": words("无利益冲突的专家", "experts without a conflict"),
    **{f"kind:{kind}": words(f"{text.zh}类专家", f"experts of {text.en}") for kind, text in KINDS.items()},
    "off_site": words("异地专家", "experts from elsewhere"),
    "institution": words("不同单位的专家", "experts of different institutions"),
    "fields": words("学科相合的专家", "experts of the field"),
    "capacity": words("还可参评的专家", "experts with time left"),
}
GONE: dict[str, Any] = {
    "declined": words("谢绝", "declined"),
    "recused": words("自请回避", "recused"),
    "conflict": words("利益冲突", "conflict of interest"),
    "absent": words("逾期或缺席", "late or absent"),
    "barred": words("不能参评", "cannot review"),
}


@dataclass(frozen=True, slots=True)
class DrawsPage:
    """The draws of the reader's offices, and how to begin another."""

    rows: list[Row]
    next: str | None
    roots: list[Step]
    waiting: list[Row]


@router.get("/draws")
def show_draws(visitor: Member, after: str = "") -> Response:
    """The draws, the newest first, and the rounds for which none stands."""
    if not visitor.roles & DRAWS:
        raise Missing
    found = draws.draws(visitor.session, visitor.id, after=after)
    waiting = draws.rounds_to_draw(visitor.session, visitor.id)
    view = DrawsPage(found.rows, found.next, roots(visitor.roles, "draw"), waiting)
    return page(visitor, "draws.html", view)


@dataclass(frozen=True, slots=True)
class DrawPage:
    """One draw with its buttons and the words for what its record says by code."""

    draw: DrawView
    offers: list[Offer]
    kinds: dict[str, Any]
    lacking: dict[str, Any]
    gone: dict[str, Any]
    opens: bool


@router.get("/draws/{id}")
def show_draw(visitor: Member, id: UUID) -> Response:
    """What was committed, the value, the panels, the replacements, the draws before and after."""
    view = draws.draw_view(visitor.session, visitor.id, id)
    if view is None:
        raise Missing
    offers = offers_for(visitor, "draw", [id], visitor.roles).get(id, [])
    opens = "supervisor" in visitor.roles and draws.names_for(visitor.session, visitor.id, id) is not None
    return page(visitor, "draw.html", DrawPage(view, offers, KINDS, LACKING, GONE, opens))


@router.get("/draws/{id}/record.json")
def take_record(visitor: Member, id: UUID) -> Response:
    """The record of a draw of the reader's offices; the same bytes as are published."""
    found = draws.draw_named(visitor.session, visitor.id, str(id))
    record = draws.record_for(visitor.session, visitor.id, found) if found else None
    if record is None:
        raise Missing
    return _record(record, str(id)[:8])


@router.get("/draws/{id}/names.json")
def take_names(visitor: Member, id: UUID) -> Response:
    """Who the names in the record are: for supervisors."""
    names = draws.names_for(visitor.session, visitor.id, id)
    if names is None:
        raise Missing
    return _record(names, f"{str(id)[:8]}-names")


def _record(record: bytes, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="draw-{name}.json"'}
    return Response(record, media_type="application/json", headers=headers)


# For everybody ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PublishedPage:
    """Every commitment there is, void ones too."""

    rows: list[Row]
    next: str | None


@router.get("/public/draws")
def show_published(request: Request, visitor: Anyone, after: str = "") -> Response:
    """Commitments and records of all draws: no log-in, the same for everybody, ids and no names."""
    found = draws.published(visitor.session, after=after)
    locale = language(request, visitor)
    template = environment(locale, visitor.web.settings.timezone).get_template("public_draws.html")
    html = template.render(view=PublishedPage(found.rows, found.next), path=request.url.path)
    headers = {
        "cache-control": f"public, max-age={KEPT_SECONDS}",
        "vary": "accept-language",
        "content-language": "zh-CN" if locale == "zh" else "en",
    }
    return HTMLResponse(html, headers=headers)


METHOD = shipped("docs/draw.md")
"""How experts are drawn, for whoever wants to compute a draw without a program of ours."""


@dataclass(frozen=True, slots=True)
class MethodPage:
    """The description in the reader's language, with the example that both languages share."""

    html: str


@lru_cache(maxsize=2)
def method(locale: str) -> str:
    """The description as HTML, in one language."""
    _, chinese, english, example = re.split(r"(?m)^## .*\n", METHOD.read_text(encoding="utf-8"))
    title = "## 例 · Example\n"
    return rendered((chinese if locale == "zh" else english) + title + example)


@router.get("/public/draws/method")
def show_method(request: Request, visitor: Anyone) -> Response:
    """How experts are drawn: no log-in."""
    if not METHOD.is_file():
        raise Missing
    locale = language(request, visitor)
    template = environment(locale, visitor.web.settings.timezone).get_template("public_method.html")
    html = template.render(view=MethodPage(method(locale)), path=request.url.path)
    headers = {"vary": "accept-language", "content-language": "zh-CN" if locale == "zh" else "en"}
    return HTMLResponse(html, headers=headers)


@router.get("/public/draws/method.md")
def take_method(visitor: Anyone) -> Response:
    """The same as it is written, in both languages."""
    if not METHOD.is_file():
        raise Missing
    headers = {"content-disposition": 'attachment; filename="draw.md"'}
    return Response(METHOD.read_bytes(), media_type="text/markdown; charset=utf-8", headers=headers)


@router.get("/public/draws/{commitment}.json")
def take_published(visitor: Anyone, commitment: str) -> Response:
    """One record by its commitment."""
    record = draws.record_by_commitment(visitor.session, commitment)
    if record is None:
        raise Missing
    return _record(record, commitment[:12])

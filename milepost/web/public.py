"""Public notices for everybody: no log-in, no cookie, the same bytes for whoever asks in a language.

What stands here is what ``milepost.queries.notices`` publishes. A page never depends on who asks; whatever
stands between may keep it for a few minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from milepost.people import LOCALES
from milepost.queries import notices
from milepost.queries.notices import Notice
from milepost.queries.sight import Row
from milepost.web.render import environment
from milepost.web.visitor import Anyone, Missing, Visitor
from states.step import words

router = APIRouter(prefix="/public", include_in_schema=False)
KEPT_SECONDS = 300
STATES: dict[str, Any] = {
    "coming": words("即将公示", "To begin"),
    "open": words("公示中", "Open"),
    "over": words("公示期满", "Over"),
    "withdrawn": words("已撤回", "Withdrawn"),
}


def language(request: Request, visitor: Visitor) -> str:
    """The language asked for in the address, else the browser's, else the office's; never a cookie's."""
    asked = request.query_params.get("lang", "")
    if asked in LOCALES:
        return asked
    for part in request.headers.get("accept-language", "").split(","):
        preferred = part.split(";")[0].strip()[:2].lower()
        if preferred in LOCALES:
            return preferred
    return visitor.web.settings.locale


def _page(request: Request, visitor: Visitor, template: str, view: Any) -> Response:
    locale = language(request, visitor)
    env = environment(locale, visitor.web.settings.timezone)
    html = env.get_template(template).render(view=view, path=request.url.path, states=STATES)
    headers = {
        "cache-control": f"public, max-age={KEPT_SECONDS}",
        "vary": "accept-language",
        "content-language": "zh-CN" if locale == "zh" else "en",
    }
    return HTMLResponse(html, headers=headers)


@dataclass(frozen=True, slots=True)
class ListsPage:
    """The lists that can be read now."""

    rows: list[Row]
    days: int = notices.SHOWN_DAYS


@router.get("/notices")
def show_lists(request: Request, visitor: Anyone) -> Response:
    """Every list of notices, the latest first."""
    return _page(request, visitor, "public_lists.html", ListsPage(notices.public_lists(visitor.session)))


@dataclass(frozen=True, slots=True)
class ListPage:
    """One list: all projects of a programme whose notice opens on one day; it is never empty."""

    rows: list[Notice]
    programme_id: UUID
    opens_on: date

    @property
    def first(self) -> Notice:
        """What is the same for all of them."""
        return self.rows[0]


@router.get("/notices/lists/{programme_id}/{opens_on}")
def show_list(request: Request, visitor: Anyone, programme_id: UUID, opens_on: date) -> Response:
    """One list as a table that can be printed."""
    found = notices.public_list(visitor.session, programme_id, opens_on)
    if not found:
        raise Missing
    return _page(request, visitor, "public_list.html", ListPage(found, programme_id, opens_on))


@router.get("/notices/{id}")
def show_notice(request: Request, visitor: Anyone, id: UUID) -> Response:
    """One project's notice."""
    found = notices.public_notice(visitor.session, id)
    if found is None:
        raise Missing
    return _page(request, visitor, "public_notice.html", found)

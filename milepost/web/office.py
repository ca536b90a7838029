"""What is the office's: programmes and calls."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from milepost.programmes import load_published
from milepost.queries import office
from milepost.queries.sight import Row
from milepost.web.offers import Offer, offers_for, roots
from milepost.web.render import page
from milepost.web.visitor import Member, Missing
from states.diagram import picture
from states.diagram_svg import svg
from states.machines import Compiled
from states.step import Step

router = APIRouter(include_in_schema=False)
# A drawing styles itself and runs nothing.
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class TablePage:
    """Rows with their buttons, and the steps that make a new one."""

    rows: list[Row]
    offers: dict[UUID, list[Offer]]
    roots: list[Step]


@router.get("/calls")
def calls(visitor: Member) -> Response:
    """The calls for applications."""
    rows = office.calls(visitor.session)
    offers = offers_for(visitor, "call", [row["id"] for row in rows], visitor.roles)
    return page(visitor, "calls.html", TablePage(rows, offers, roots(visitor.roles, "call")))


@router.get("/programmes")
def programmes(visitor: Member) -> Response:
    """Every published programme version."""
    return page(visitor, "programmes.html", TablePage(office.programmes(visitor.session), {}, []))


@dataclass(frozen=True, slots=True)
class ProgrammePage:
    """One version: what its file says, and the very text."""

    row: Row
    compiled: Compiled


@router.get("/programmes/{id}")
def programme(visitor: Member, id: UUID) -> Response:
    """One programme version."""
    row = office.programme(visitor.session, id)
    compiled = load_published(visitor.session.conn, id)
    if row is None or compiled is None:
        raise Missing
    return page(visitor, "programme.html", ProgrammePage(row, compiled))


@router.get("/programmes/{id}/diagram.svg")
def diagram(visitor: Member, id: UUID) -> Response:
    """The project's machine in this version, drawn."""
    compiled = load_published(visitor.session.conn, id)
    if compiled is None:
        raise Missing
    drawn = svg(picture(compiled.machines["project"]), visitor.locale)
    return Response(drawn, media_type="image/svg+xml", headers={"content-security-policy": SVG_POLICY})

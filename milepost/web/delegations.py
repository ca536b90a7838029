"""Delegations: what one gave and what one was given, with what can be done about each."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from milepost.queries.delegations import delegations
from milepost.queries.sight import Row, roles_anywhere
from milepost.web.offers import Offer, offers_for, roots
from milepost.web.render import page
from milepost.web.visitor import Member, Missing
from states.delegation import COLLEAGUES
from states.step import Step

router = APIRouter(include_in_schema=False)
READERS = frozenset({*COLLEAGUES, "supervisor"})


@dataclass(frozen=True, slots=True)
class DelegationsPage:
    """The reader's delegations, the newest first; of supervisors everybody's."""

    rows: list[Row]
    offers: dict[UUID, list[Offer]]
    roots: list[Step]


@router.get("/delegations")
def show(visitor: Member) -> Response:
    """Who acts for whom."""
    roles = roles_anywhere(visitor.session, visitor.id)
    if not roles & READERS:
        raise Missing
    rows = delegations(visitor.session, visitor.id, every="supervisor" in roles)
    offers = offers_for(visitor, "delegation", [row["id"] for row in rows], roles)
    return page(visitor, "delegations.html", DelegationsPage(rows, offers, roots(roles, "delegation")))

"""A cost claim's page: its lines, what was found of each, where an invoice was handed in before."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from config.programmes import Programme
from milepost.programmes import load_published
from milepost.queries.claims import ClaimView, claim_view, evidence_of, proofs_of
from milepost.queries.sight import find_subject
from milepost.web.offers import Offer, heading, offers_for, project_code
from milepost.web.projects import attachment
from milepost.web.render import page
from milepost.web.visitor import Member, Missing
from states.claim_guards import categories
from states.labels import said

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ClaimPage:
    """One claim as its reader sees it; ``names`` puts categories into words."""

    claim: ClaimView
    programme: Programme
    heading: str
    project: str
    offers: list[Offer]
    names: dict[str, str]


@router.get("/claims/{id}")
def show(visitor: Member, id: UUID) -> Response:
    """One claim."""
    found = claim_view(visitor.session, visitor.id, id)
    compiled = load_published(visitor.session.conn, found.subject.programme_id) if found else None
    if found is None or compiled is None:
        raise Missing
    known = categories(compiled.programme)
    view = ClaimPage(
        claim=found,
        programme=compiled.programme,
        heading=heading("claim", found.row, visitor.locale),
        project=project_code(visitor.session, found.subject.project_id),
        offers=offers_for(visitor, "claim", [id], found.subject.sight.roles).get(id, []),
        names={code: said(category.text, visitor.locale) for code, category in known.items()},
    )
    return page(visitor, "claim.html", view)


@router.get("/claims/{id}/evidence/{digest}")
def evidence(visitor: Member, id: UUID, digest: str) -> Response:
    """The file behind a line, for saving."""
    if not evidence_of(visitor.session, visitor.id, id, digest):
        raise Missing
    return attachment(visitor, digest)


@router.get("/projects/{id}/papers/{digest}")
def paper(visitor: Member, id: UUID, digest: str) -> Response:
    """A file of a paper that was handed in, for saving."""
    subject = find_subject(visitor.session, visitor.id, "project", id)
    shown = proofs_of(visitor.session, id) if subject and "claim" in subject.sight.nouns else []
    if digest not in {file for row in shown for file in row["documents"]}:
        raise Missing
    return attachment(visitor, digest)


__all__ = ["router"]

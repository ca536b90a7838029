"""A cost claim's page: its lines, what was found of each, where an invoice was handed in before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response

from config.programmes import Programme
from milepost.documents import store
from milepost.importing.cells import CellError
from milepost.importing.claims import ClaimReport, import_lines
from milepost.importing.tables import FileRefused
from milepost.programmes import load_published
from milepost.queries.claims import ClaimView, claim_view, evidence_of, proofs_of
from milepost.queries.sight import find_subject
from milepost.web.offers import Offer, heading, offers_for, project_code
from milepost.web.projects import attachment
from milepost.web.render import page
from milepost.web.status import status_of
from milepost.web.visitor import Member, Missing, Typed, Visitor
from states.claim_guards import categories
from states.labels import said
from states.refusals import Refusal, Refused
from states.step import words

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ClaimPage:
    """One claim as its reader sees it; ``names`` puts categories into words, ``report`` is of an import."""

    claim: ClaimView
    programme: Programme
    heading: str
    project: str
    offers: list[Offer]
    names: dict[str, str]
    writable: bool
    staff: bool
    report: ClaimReport | None = None
    wrong: str = ""
    refusals: tuple[Refusal, ...] = ()


@router.get("/claims/{id}")
def show(visitor: Member, id: UUID) -> Response:
    """One claim."""
    return _drawn(visitor, id)


def _drawn(visitor: Visitor, id: UUID, *, status: int = 200, **more: Any) -> Response:
    found = claim_view(visitor.session, visitor.id, id)
    compiled = load_published(visitor.session.conn, found.subject.programme_id) if found else None
    if found is None or compiled is None:
        raise Missing
    known = categories(compiled.programme)
    offers = offers_for(visitor, "claim", [id], found.subject.sight.roles).get(id, [])
    view = ClaimPage(
        claim=found,
        programme=compiled.programme,
        heading=heading("claim", found.row, visitor.locale),
        project=project_code(visitor.session, found.subject.project_id),
        offers=offers,
        names={code: said(category.text, visitor.locale) for code, category in known.items()},
        staff=found.subject.sight.names,
        writable=any(offer.step.name == "claim.save" and offer.allowed for offer in offers),
        **more,
    )
    return page(visitor, "claim.html", view, status=status)


@router.post("/claims/{id}/lines")
def take_in(visitor: Member, form: Typed, id: UUID) -> Response:
    """Lines from a spreadsheet, with the files that it names; what cannot be taken is named by its row."""
    table, most = form.get("table"), visitor.web.settings.upload_bytes_max
    if not isinstance(table, UploadFile) or not table.filename:
        wrong = words("请选择表格文件。", "Choose a spreadsheet.")
        return _drawn(visitor, id, status=422, wrong=said(wrong, visitor.locale))
    papers = {
        paper.filename: paper
        for paper in form.getlist("papers")
        if isinstance(paper, UploadFile) and paper.filename
    }

    def resolve(name: str) -> str:
        paper = papers.get(name)
        if paper is None:
            raise CellError(
                "evidence_missing",
                f"没有一并上传凭证文件“{name[:80]}”。",
                f"The file {name[:80]!r} was not chosen with the table.",
            )
        paper.file.seek(0)
        content = paper.file.read(most + 1)
        return store(visitor.session, name, content, visitor.id, most).sha256

    try:
        content = table.file.read(most + 1)
        report = import_lines(visitor.session, visitor.actor, id, table.filename, content, resolve)
    except FileRefused as refused:
        return _drawn(visitor, id, status=422, wrong=said(words(refused.zh, refused.en), visitor.locale))
    except Refused as refused:
        if [refusal.code for refusal in refused.refusals] == ["not_found"]:
            raise Missing from None
        found = tuple(refused.refusals)
        return _drawn(visitor, id, status=status_of(found), refusals=found)
    return _drawn(visitor, id, status=422 if report.refused else 200, report=report)


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

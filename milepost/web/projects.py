"""My work, the projects, one project with its parts and timeline, an expert's task, documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from milepost.documents import Stored, content_of, described
from milepost.experts.subjects import subject_label
from milepost.programmes import load_published
from milepost.queries.feedback import feedback
from milepost.queries.projects import (
    Page,
    ProjectView,
    own_task,
    project_list,
    project_view,
    stage_left,
    states_in_use,
)
from milepost.queries.reviews import expert_task
from milepost.queries.sight import Row, find_subject
from milepost.queries.timeline import Happening, timeline
from milepost.queries.work import work
from milepost.web.budget import SECOND
from milepost.web.offers import Offer, heading, home_of, offers_for, roots
from milepost.web.render import page
from milepost.web.visitor import Member, Missing, Visitor
from schema.nouns import NOUNS
from states.claim_guards import categories
from states.delegation import DELEGABLE
from states.labels import said
from states.machines import Compiled
from states.roles import PERMISSIONS
from states.stages import STAGES
from states.step import Step

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits for the reader: what, where, what can be done, until when."""

    row: Row
    heading: str
    url: str
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class WorkPage:
    """Today's work."""

    items: list[Waiting]
    next: str | None
    first: bool
    roots: list[Step]


# Never what an item waits for: a stop that has to be there first, and what is its proposer's alone.
_BESIDE = {
    "payment.place_hold",
    "payment.lift_hold",
    "project.place_hold",
    "project.lift_hold",
    "budget_change.withdraw",
    "appropriation.withdraw",
}


def _possible(row: Row, compiled: Compiled, roles: frozenset[str]) -> list[Step]:
    """The steps the reader's roles know from here; of a project those of its stage, not those beside it."""
    mine = set().union(*(PERMISSIONS.get(role, frozenset()) for role in roles))
    machine = compiled.machines[row["noun"]]
    if row["behalf"]:
        mine = set(DELEGABLE)
    mine -= _BESIDE
    if row["noun"] == "appropriation":
        mine &= set(SECOND["vote" if row["state"] == "proposed" else "close"])
    known = [step for step in machine.steps_from(row["state"]) if step.name in mine]
    return [step for step in known if row["noun"] != "project" or len(step.source) == 1] or known


@router.get("/")
def my_work(visitor: Member, after: str = "") -> Response:
    """What waits for the person, the most urgent first."""
    try:
        found: Page = work(visitor.session, visitor.id, after=after)
    except ValueError:
        raise Missing from None
    programmes: dict[UUID, Compiled | None] = {}
    items = []
    for row in found.rows:
        id = row["programme_id"]
        if id not in programmes:
            programmes[id] = load_published(visitor.session.conn, id)
        compiled = programmes[id]
        assert compiled is not None
        if row["noun"] in ("appropriation", "budget_change"):
            # Neither has a code of its own: whose money it is says more than an id.
            row["code"] = said(compiled.programme.title, visitor.locale)
        named = {**row, "title": row["part_title"]}
        head = "" if row["noun"] == "project" else heading(row["noun"], named, visitor.locale)
        expert = "expert" in visitor.roles and row["noun"] == "task"
        url = home_of(row["noun"], row["subject_id"], row["project_id"], as_expert=expert)
        items.append(Waiting(row, head, url, _possible(row, compiled, visitor.roles)))
    view = WorkPage(items, found.next, not after, roots(visitor.roles, "project"))
    return page(visitor, "work.html", view)


@dataclass(frozen=True, slots=True)
class ListPage:
    """The projects that match."""

    rows: list[Row]
    next: str | None
    search: str
    state: str
    states: list[str]
    roots: list[Step]


@router.get("/projects")
def projects(visitor: Member, search: str = "", state: str = "", after: str = "") -> Response:
    """The projects the person may see."""
    search = search.strip()[:200]
    found = project_list(visitor.session, visitor.id, search=search, state=state, after=after)
    states = states_in_use(visitor.session)
    order = list(STAGES)
    states.sort(key=lambda s: (order.index(s) if s in order else len(order), s))
    view = ListPage(found.rows, found.next, search, state, states, roots(visitor.roles, "project"))
    return page(visitor, "projects.html", view)


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """One project as its reader sees it."""

    project: ProjectView
    offers: dict[UUID, list[Offer]]
    stages: list[tuple[str, str]]
    documents: dict[str, Stored]
    happenings: list[Happening]
    before: str | None
    earlier: bool
    names: dict[UUID, str]
    feedback: list[Row]
    subjects: Callable[[list[str]], list[str]]
    categories: dict[str, str]


def _stages(visitor: Visitor, project: ProjectView) -> list[tuple[str, str]]:
    """The stages in order, each past, present or ahead; where a project left the line, its last one ended."""
    stages = project.compiled.programme.stages
    at = project.row["state"]
    at = project.row["suspended_from"] if at == "suspended" else at
    ended = project.row["state"].startswith("closed") or project.row["state"] == "archived"
    where = stages.index(at) if at in stages else len(stages) if ended else -1
    if where == -1 and (last := stage_left(visitor.session, project.row["id"], stages)) is not None:
        out = stages.index(last)
        return [(s, "past" if i < out else "ended" if i == out else "ahead") for i, s in enumerate(stages)]
    return [(s, "past" if i < where else "present" if i == where else "ahead") for i, s in enumerate(stages)]


@router.get("/projects/{id}")
def project(visitor: Member, id: UUID, before: str = "") -> Response:
    """One project."""
    found = project_view(visitor.session, visitor.id, id)
    if found is None:
        # A mail's link names the project; to its expert that is their own task.
        own = own_task(visitor.session, visitor.id, id)
        if own is None or expert_task(visitor.session, visitor.id, own) is None:
            raise Missing
        return RedirectResponse(f"/tasks/{own}", 303)
    offers = offers_for(visitor, "project", [id], found.sight.roles)
    names: dict[UUID, str] = {}
    for noun, part in found.parts().items():
        offers.update(offers_for(visitor, noun, [row["id"] for row in part], found.sight.roles))
        names.update({row["id"]: heading(noun, row, visitor.locale) for row in part})
    digests = [d for row in (*found.milestones, *found.proofs) for d in row["documents"] or ()]
    digests += [digest for payee in found.payees for digest in payee["documents"] or ()]
    happenings, earlier = timeline(visitor.session, found.sight, id, before=before[:64] or None)
    view = ProjectPage(
        found,
        offers,
        _stages(visitor, found),
        described(visitor.session, digests),
        happenings,
        earlier,
        bool(before),
        names,
        feedback(visitor.session, id, found.compiled.programme) if found.sight.grantee_only else [],
        lambda codes: [said(subject_label(code), visitor.locale) for code in codes],
        {code: said(c.text, visitor.locale) for code, c in categories(found.compiled.programme).items()},
    )
    return page(visitor, "project.html", view)


@router.get("/go/{noun}/{id}")
def go(visitor: Member, noun: str, id: UUID) -> Response:
    """The page that shows a subject: the address that mails carry."""
    subject = find_subject(visitor.session, visitor.id, noun, id) if noun in NOUNS else None
    if subject is None:
        raise Missing
    whole = "task" in subject.sight.nouns
    home = home_of(noun, id, subject.project_id, as_expert=noun == "task" and not whole)
    return RedirectResponse(home, 303)


@router.get("/{noun}/{id}/documents/{digest}")
def document(visitor: Member, noun: str, id: UUID, digest: str) -> Response:
    """A document of a subject the person may see; always an attachment, never shown in the page."""
    subject = find_subject(visitor.session, visitor.id, noun, id) if noun in NOUNS else None
    if subject is None or digest not in (subject.row.get("documents") or ()):
        raise Missing
    return attachment(visitor, digest)


def attachment(visitor: Visitor, digest: str) -> Response:
    """The bytes of a document for saving."""
    known: Any = described(visitor.session, [digest]).get(digest)
    content = content_of(visitor.session, digest)
    if known is None or content is None:
        raise Missing
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            "content-disposition": f"attachment; filename*=UTF-8''{quote(known.name, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
        },
    )

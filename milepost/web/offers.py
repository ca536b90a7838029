"""What can be done with a subject, as buttons: allowed ones lead to a form, the others say every reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from config.programmes import Programme
from milepost.available import Available, available_many
from milepost.bank.exceptions import said_of
from milepost.db import Session
from milepost.decisions import PARENT
from milepost.programmes import load_published
from milepost.queries.delegations import lapsed
from milepost.queries.sight import Row, Subject, find_subject
from milepost.web.visitor import Missing, Visitor
from states.labels import every_step, noun_label, said
from states.machines import Compiled
from states.reference import spaced
from states.refusals import Refusal, refuse
from states.roles import PERMISSIONS
from states.step import SAME, Step

# Inputs that say no more than why: steps that share one of these are not one form with two buttons.
_GENERIC = frozenset({"NoInput", "Note", "Reason"})
# Another stage; a panel that does not vote; nothing was decided against the application;
# nothing can be owed; nothing was proposed; a year that is closed, or
# is not; somebody else's proposal.
_NO_OCCASION = frozenset(
    {
        "stage_differs",
        "ballot_not_wanted",
        "nothing_to_review",
        "claims_not_foreseen",
        "no_proof_waits",
        "nothing_was_paid",
        "write_off_not_proposed",
        "purse_closed",
        "purse_not_voted",
        "vote_of_another",
        "close_not_proposed",
        "close_waits",
        "no_holds",
        "reopening_not_proposed",
        "reopening_waits",
        "purse_not_closed",
        "lapse_due",
        "lapse_not_due",
        "nothing_left",
        "proposed_by_another",
        "set_off_not_proposed",
    }
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A button: where it leads, or every reason why not."""

    step: Step
    url: str
    refusals: tuple[Refusal, ...]

    @property
    def allowed(self) -> bool:
        """Whether nothing objects but what is still to be typed."""
        return not self.refusals


def offer_of(entry: Available) -> Offer:
    """One answer of ``available`` as a button."""
    return Offer(entry.step, f"/steps/{entry.step.name}/{entry.subject_id}", entry.refusals)


def takes_steps(roles: Iterable[str], noun: str) -> bool:
    """Whether some role takes some step on a noun or makes one of its parts."""
    nouns = {noun, *(child for child, over in PARENT.items() if over == noun)}
    return any(name.partition(".")[0] in nouns for role in roles for name in PERMISSIONS.get(role, ()))


def offers_for(visitor: Visitor, noun: str, ids: list[UUID], roles: Iterable[str]) -> dict[UUID, list[Offer]]:
    """The buttons of some subjects of one noun, in one query; those that can be pressed first."""
    if not ids or not takes_steps(roles, noun):
        return {}
    mine = set().union(*(PERMISSIONS.get(role, frozenset()) for role in roles))
    found = available_many(visitor.session, visitor.actor, noun, ids)
    return {
        id: sorted(
            (offer_of(e) for e in entries if e.step.name in mine and not _elsewhere(e)),
            key=lambda o: not o.allowed,
        )
        for id, entries in found.items()
    }


def _elsewhere(entry: Available) -> bool:
    """What belongs elsewhere, or has no occasion, is no button here, as no step from another state is."""
    return any(refusal.code in _NO_OCCASION for refusal in entry.refusals)


def roots(roles: Iterable[str], noun: str) -> list[Step]:
    """The steps that make something from nothing which these roles may take."""
    mine = set().union(*(PERMISSIONS.get(role, frozenset()) for role in roles))
    return [
        step
        for step in every_step().values()
        if step.noun == noun and not step.source and PARENT[noun] is None and step.name in mine
    ]


_FORBIDDEN = frozenset({"not_permitted", "delegation_over", "delegation_withdrawn", "delegation_not_begun"})


@dataclass(frozen=True, slots=True)
class Place:
    """A step where somebody stands before it: its row, its subject or parent, what objects now."""

    step: Step
    noun: str
    subject: Subject | None
    compiled: Compiled | None
    version: int
    refusals: tuple[Refusal, ...]
    siblings: tuple[Step, ...] = ()

    @property
    def forbidden(self) -> tuple[Refusal, ...]:
        """Why the visitor's roles for this very project do not allow the step; empty: they do."""
        return tuple(refusal for refusal in self.refusals if refusal.code in _FORBIDDEN)

    @property
    def programme(self) -> Programme | None:
        """The programme of the subject, where there is one yet."""
        return self.compiled.programme if self.compiled else None


def locate(visitor: Visitor, name: str, subject_id: UUID | None) -> Place:
    """The step by name on a subject the visitor may see; anything else is missing."""
    known = every_step().get(name)
    if known is None or not any(name in PERMISSIONS[role] for role in PERMISSIONS if role != "system"):
        raise Missing
    noun = known.noun if known.source else PARENT[known.noun]
    if noun is None:
        if subject_id is not None or not roots(visitor.roles, known.noun):
            raise Missing
        return Place(known, known.noun, None, None, 0, ())
    subject = find_subject(visitor.session, visitor.id, noun, subject_id) if subject_id else None
    compiled = load_published(visitor.session.conn, subject.programme_id) if subject else None
    step = compiled.step(name) if compiled else None
    if subject is None or compiled is None or step is None:
        over = _lapsed(visitor, known, subject_id)
        if over is None:
            raise Missing
        return Place(known, noun, None, None, 0, (over,))
    return _placed(visitor, step, noun, subject, compiled)


def _lapsed(visitor: Visitor, step: Step, subject_id: UUID | None) -> Refusal | None:
    """Whoever acted for another hears that this is over, also of an open form of what they see no more."""
    return lapsed(visitor.session.conn, visitor.session.clock.today(), visitor.id, step.name, subject_id)


def _placed(visitor: Visitor, step: Step, noun: str, subject: Subject, compiled: Compiled) -> Place:
    roles = compiled.machines[step.noun].roles_of(step.name)
    if not subject.sight.roles & set(roles):
        refusal = _lapsed(visitor, step, subject.id) or refuse(
            "not_permitted", step=step.name, roles=", ".join(roles)
        )
        return Place(step, noun, subject, compiled, subject.version, (refusal,))
    entries = available_many(visitor.session, visitor.actor, noun, [subject.id]).get(subject.id, [])
    entry = next((e for e in entries if e.step.name == step.name), None)
    if entry is None:
        refusal = _lapsed(visitor, step, subject.id) or refuse(
            "wrong_state", state=subject.state, step=step.name, sources=", ".join(step.source) or "-"
        )
        return Place(step, noun, subject, compiled, subject.version, (refusal,))
    siblings = tuple(
        e.step
        for e in entries
        if e.allowed and e.step.name != step.name and e.step.input is step.input and _one_form(e.step, step)
    )
    return Place(step, noun, subject, compiled, entry.version, entry.refusals, siblings)


def _one_form(a: Step, b: Step) -> bool:
    """A draft and its submission are one form with two buttons; acceptance and rejection are not."""
    return a.input.__name__ not in _GENERIC and SAME in (a.target, b.target)


def heading(noun: str, row: Row, locale: str) -> str:
    """What a subject is called on a page."""
    name = said(noun_label(noun), locale)
    if noun in ("project", "call"):
        return f"{row.get('code', '')} {row['title']}".strip()
    number = f" {row['number']}" if row.get("number") is not None else ""
    title = f" · {row['title']}" if row.get("title") else ""
    if noun == "appropriation":
        return f"{name} {row['programme_code']} {row['fiscal_year']} {row['source']}"
    if noun == "receivable":
        return f"{name} {spaced(row['reference'])}"
    if noun == "batch":
        return f"{name} {row['execution_on']}"
    if noun == "bank_exception":
        return str(said(said_of(row["kind"], row["params"]).fact, locale))
    return f"{name}{number}{title}"


def home_of(noun: str, subject_id: UUID, project_id: UUID | None, *, as_expert: bool) -> str:
    """The page on which a subject is shown."""
    if noun == "task" and as_expert:
        return f"/tasks/{subject_id}"
    if noun == "draw":
        return f"/draws/{subject_id}"
    if noun in ("batch", "bank_exception"):
        return f"/bank#{noun}-{subject_id}"
    if noun == "delegation":
        return f"/delegations#delegation-{subject_id}"
    if noun == "payment":
        return f"/payments/{subject_id}"
    if noun == "claim":
        return f"/claims/{subject_id}"
    if noun == "budget_change":
        return f"/appropriations#budget_change-{subject_id}"
    if noun == "appropriation":
        return f"/appropriations#appropriation-{subject_id}"
    if noun == "call":
        return f"/{noun}s"
    if noun == "project" or project_id is None:
        return f"/projects/{project_id or subject_id}"
    return f"/projects/{project_id}#{noun}-{subject_id}"


def project_code(session: Session, project_id: UUID | None) -> str:
    """A project's code and title, for the line above a form."""
    if project_id is None:
        return ""
    row = session.conn.execute("SELECT code, title FROM project WHERE id = %s", (project_id,)).fetchone()
    return f"{row[0]} {row[1]}" if row else ""

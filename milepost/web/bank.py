"""The loop with the bank, for finance: batches, what is in them, the register of files, what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from milepost.queries import bank
from milepost.queries.sight import Row
from milepost.web.login import prove_again
from milepost.web.offers import Offer, offers_for, roots
from milepost.web.render import page
from milepost.web.status import status_of
from milepost.web.visitor import BankReader, Missing, Typed, Visitor, text_of
from milepost.work.bank_exceptions import HOWS, RESOLVERS, How, resolve
from states.refusals import Refusal, Refused
from states.step import Step

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class BankPage:
    """What is with the bank and what does not fit. ``wrong`` is the exception whose form came back."""

    files_in_use: bool
    batches: list[Row]
    offers: dict[UUID, list[Offer]]
    roots: list[Step]
    exceptions: list[dict[str, Any]]
    resolved: list[dict[str, Any]]
    files: list[Row]
    may_resolve: bool
    wrong: UUID | None = None
    refusals: tuple[Refusal, ...] = ()
    typed: str = ""
    password_error: str = ""


def _drawn(visitor: Visitor, *, status: int = 200, **more: Any) -> Response:
    session = visitor.session
    rows = bank.batches(session)
    view = BankPage(
        files_in_use=visitor.web.settings.bank == "files",
        batches=rows,
        offers=offers_for(visitor, "batch", [row["id"] for row in rows[:50]], visitor.roles),
        roots=roots(visitor.roles, "batch"),
        exceptions=bank.exceptions(session),
        resolved=bank.exceptions(session, resolved=True)[:20],
        files=bank.files(session)[:50],
        may_resolve=bool(visitor.roles & RESOLVERS),
        **more,
    )
    return page(visitor, "bank.html", view, status=status)


@router.get("/bank")
def show(visitor: BankReader) -> Response:
    """Batches, exceptions, the register."""
    return _drawn(visitor)


@router.get("/bank/batches/{id}")
def show_batch(visitor: BankReader, id: UUID) -> Response:
    """One batch: its payments, those left out and why, the files about it."""
    row = bank.batch(visitor.session, id)
    if row is None:
        raise Missing
    offers = offers_for(visitor, "batch", [id], visitor.roles).get(id, [])
    return page(visitor, "bank_batch.html", BatchPage(row, offers))


@dataclass(frozen=True, slots=True)
class BatchPage:
    """One batch with its steps."""

    row: Row
    offers: list[Offer]


@router.post("/bank/exceptions/{id}")
def clear_up(visitor: BankReader, form: Typed, id: UUID) -> Response:
    """Say what an exception was; refused, the page comes back with the reasons and what was typed."""
    chosen: How = next((how for how in HOWS if how == text_of(form, "how")), "explain")
    note, password = text_of(form, "note")[:4000], text_of(form, "password")
    token, wrong = prove_again(visitor, password) if password else (None, "")
    if wrong:
        return _drawn(visitor, status=403, wrong=id, typed=note, password_error=wrong)
    try:
        resolve(visitor.session, visitor.actor, id, chosen, note)
    except Refused as refused:
        found = tuple(refused.refusals)
        if [one.code for one in found] == ["not_found"]:
            raise Missing from None
        answer = _drawn(visitor, status=status_of(found), wrong=id, typed=note, refusals=found)
    else:
        answer = RedirectResponse("/bank", 303)
    if token:
        visitor.web.set_cookie(answer, "milepost", token, hours=visitor.web.settings.session_hours)
    return answer


__all__ = ["router"]

"""The loop with the bank, for finance: batches, what is in them, the register of files, what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from milepost.queries import bank
from milepost.queries.sight import Row
from milepost.web.offers import Offer, offers_for, roots
from milepost.web.render import page
from milepost.web.visitor import BankReader, Missing
from states.step import Step

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class BankPage:
    """What is with the bank and what does not fit; ``ways`` are the steps of exceptions."""

    files_in_use: bool
    batches: list[Row]
    offers: dict[UUID, list[Offer]]
    roots: list[Step]
    exceptions: list[dict[str, Any]]
    ways: dict[UUID, list[Offer]]
    resolved: list[dict[str, Any]]
    files: list[Row]


@router.get("/bank")
def show(visitor: BankReader) -> Response:
    """Batches, exceptions, the register."""
    session = visitor.session
    rows = bank.batches(session, visitor.id)
    doubts = bank.exceptions(session, visitor.id)
    view = BankPage(
        files_in_use=visitor.web.settings.bank == "files",
        batches=rows,
        offers=offers_for(visitor, "batch", [row["id"] for row in rows[:50]], visitor.roles),
        roots=roots(visitor.roles, "batch"),
        exceptions=doubts,
        ways=_fitting(offers_for(visitor, "bank_exception", [row["id"] for row in doubts], visitor.roles)),
        resolved=bank.exceptions(session, visitor.id, resolved=True)[:20],
        files=bank.files(session, visitor.id, office=visitor.web.settings.bank_office)[:50],
    )
    return page(visitor, "bank.html", view)


# To match or to use is only for some kinds of exceptions: there it is no button at all.
_NOT_OF_THIS_KIND = frozenset({"no_likely_payment", "statement_not_in_doubt"})


def _fitting(offers: dict[UUID, list[Offer]]) -> dict[UUID, list[Offer]]:
    return {
        id: [one for one in some if not any(r.code in _NOT_OF_THIS_KIND for r in one.refusals)]
        for id, some in offers.items()
    }


@router.get("/bank/batches/{id}")
def show_batch(visitor: BankReader, id: UUID) -> Response:
    """One batch: its payments, those left out and why, the files about it."""
    row = bank.batch(visitor.session, id, visitor.id)
    if row is None:
        raise Missing
    offers = offers_for(visitor, "batch", [id], visitor.roles).get(id, [])
    return page(visitor, "bank_batch.html", BatchPage(row, offers))


@dataclass(frozen=True, slots=True)
class BatchPage:
    """One batch with its steps."""

    row: Row
    offers: list[Offer]


__all__ = ["router"]

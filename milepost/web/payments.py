"""One payment on one page: where the money is, what it waits for, who let it pass and on what evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from config.programmes import Text
from milepost.documents import Stored, described
from milepost.queries.payments import payment_sight
from milepost.reports.payment_words import BANK_SAID, OUTCOMES, TRANSFERS, account_label, beside
from milepost.web.offers import Offer, offers_for
from milepost.web.render import page
from milepost.web.visitor import Member, Missing, Visitor
from milepost.work.payment_papers import TITLES, Kind, paper_of, papers_of
from milepost.work.payment_why import PaymentWhy, payment_why

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """A payment as its reader sees it. ``offers`` without those reasons that the gates tell already."""

    why: PaymentWhy
    offers: list[Offer]
    documents: dict[str, Stored]
    papers: list[Kind]
    titles: dict[Kind, Text]
    account_label: Callable[[str], Text] = account_label
    beside: Callable[[str], Text] = beside
    transfers: Any = None
    said: Any = None
    outcomes: Any = None


def reading_for(visitor: Visitor, id: UUID) -> PaymentWhy:
    """The payment as the visitor may see it; one that is not theirs is missing."""
    sight = payment_sight(visitor.session, visitor.id, id)
    why = payment_why(visitor.session, sight, id) if sight is not None else None
    if why is None:
        raise Missing
    return why


@router.get("/payments/{id}")
def show_payment(visitor: Member, id: UUID) -> Response:
    """Everything about one payment."""
    why = reading_for(visitor, id)
    told = {gate.refusal for gate in why.gates if gate.refusal is not None}
    offers = [
        Offer(offer.step, offer.url, tuple(r for r in offer.refusals if r not in told) or offer.refusals)
        for offer in offers_for(visitor, "payment", [id], why.read.sight.roles).get(id, [])
    ]
    # What only the gates object to is said by the gates.
    offers = [offer for offer in offers if offer.allowed or not set(offer.refusals) <= told]
    view = PaymentPage(
        why,
        offers,
        described(visitor.session, why.row["documents"] or ()),
        papers_of(why),
        TITLES,
        transfers=TRANSFERS,
        said=BANK_SAID,
        outcomes=OUTCOMES,
    )
    return page(visitor, "payment.html", view)


@router.get("/payments/{id}/papers/{kind}")
def show_paper(visitor: Member, id: UUID, kind: Kind) -> Response:
    """A paper of the payment, laid out for A4: the browser prints it or saves it as PDF."""
    paper = paper_of(reading_for(visitor, id), kind)
    if paper is None:
        raise Missing
    return page(visitor, "payment_paper.html", paper)


__all__ = ["reading_for", "router"]

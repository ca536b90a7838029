"""What grantees owe: how old it is, each receivable, credits that nobody claimed; the demand to print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from config.programmes import Text
from milepost.bank.desk import desk_of
from milepost.capitals import capitals
from milepost.mail.facts import day
from milepost.queries import office
from milepost.queries import receivables as owed
from milepost.queries.sight import BANK, Row
from milepost.reports.ageing import BANDS, Aged, ageing
from milepost.web.offers import Offer, offers_for
from milepost.web.render import page
from milepost.web.visitor import FundsReader, Member, Missing
from milepost.work.ageing_sheet import ageing_sheet
from schema.money import Money
from schema.receivable import OPEN
from states.labels import choice_label
from states.reference import spaced

router = APIRouter(include_in_schema=False)
Ending = Literal["xlsx", "csv"]
_MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class OwedPage:
    """What is owed to the reader's offices; ``credits`` only for those who see the bank."""

    bands: dict[str, Text]
    aged: list[Aged]
    rows: list[Row]
    offers: dict[UUID, list[Offer]]
    credits: list[dict[str, Any]]
    may_receive: bool
    offices: dict[str, str]

    def spaced(self, reference: str) -> str:
        """A reference as people copy it."""
        return spaced(reference)


@router.get("/receivables")
def show(visitor: FundsReader) -> Response:
    """What is owed, the oldest first."""
    session = visitor.session
    rows = owed.receivables(session, visitor.id)
    open_ones = owed.receivables(session, visitor.id, only_open=True)
    first = [row["id"] for row in rows if row["state"] in (*OPEN, "proposed")][:50]
    view = OwedPage(
        bands=dict(BANDS),
        aged=ageing(open_ones, session.clock.today()),
        rows=rows,
        offers=offers_for(visitor, "receivable", first, visitor.roles),
        credits=owed.loose_credits(session, visitor.id) if visitor.roles & BANK else [],
        may_receive="finance_officer" in visitor.roles,
        offices={row["path"]: row[f"name_{visitor.locale}"] for row in office.offices(session)},
    )
    return page(visitor, "receivables.html", view)


@router.get("/receivables/ageing.{ending}")
def give_sheet(visitor: FundsReader, ending: Ending) -> Response:
    """The ageing as a spreadsheet."""
    today = visitor.session.clock.today()
    rows = owed.receivables(visitor.session, visitor.id, only_open=True)
    content = ageing_sheet(rows, today, ending)
    headers = {"content-disposition": f'attachment; filename="receivables-{today}.{ending}"'}
    return Response(content, media_type=_MEDIA[ending], headers=headers)


@dataclass(frozen=True, slots=True)
class DemandPage:
    """A demand (退款通知): what, why, by when, under which reference, to which account."""

    row: Row
    reference: str
    ground: Text
    amount: str
    received: str
    left: str
    capitals: str
    account: str
    holder: str
    office: str
    due: dict[str, str]
    made: str


def _written(minor: int, currency: str) -> str:
    """A sum so that both languages read it."""
    return Money(minor, currency).format("en")


@router.get("/receivables/{id}/demand")
def demand(visitor: Member, id: UUID) -> Response:
    """The demand of one receivable, to be printed; while it is only proposed there is none."""
    row = owed.demand(visitor.session, visitor.id, id)
    if row is None or row["confirmed_on"] is None:
        raise Missing
    desk = desk_of(visitor.web.settings)
    money = Money(row["left_minor"], row["currency"])
    view = DemandPage(
        row=row,
        reference=spaced(row["reference"]),
        ground=choice_label(row["ground"]),
        amount=_written(row["amount_minor"], row["currency"]),
        received=_written(row["received_minor"], row["currency"]) if row["received_minor"] else "",
        left=_written(money.minor, row["currency"]),
        capitals=capitals(money) if row["currency"] == "CNY" else "",
        account=desk.debtor.account.number if desk else "",
        holder=desk.debtor.name if desk else "",
        office=row["office_zh"] or "",
        due={locale: day(row["next_due_on"], locale) for locale in ("zh", "en")},
        made=day(row["confirmed_on"], "zh"),
    )
    return page(visitor, "demand.html", view)


__all__ = ["router"]

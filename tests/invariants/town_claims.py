"""How a cost claim gets to each of its states in a town."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from milepost.documents import store

if TYPE_CHECKING:
    from tests.invariants.town import Town

CLAIMS = """
[claims]
categories = [
  { code = "equipment", text = { zh = "设备费", en = "Equipment" }, at_most = "50%" },
  { code = "staff", text = { zh = "人员费", en = "Staff" } },
  { code = "indirect", text = { zh = "间接费", en = "-" }, at_most = "20%", of = "others", evidence = false },
]
"""
PERIOD = {"period_from": "2025-01-01", "period_to": "2025-02-28"}


def claiming_text(text: str) -> str:
    """Small grants whose work is done and accepted, with costs that are claimed, under a code of its own."""
    named = text.replace('code = "', 'code = "claiming-', 1)
    staged = named.replace('"approval", "closure"', '"approval", "implementation", "acceptance", "closure"')
    assert staged != named
    return f"{staged}\n{CLAIMS}"


def brought(town: Town, name: str = "invoice.pdf", who: str = "unit") -> str:
    """A file that somebody of the town handed in, by its hash."""
    content = b"%PDF-1.7 " + name.encode()
    return store(town.session, name, content, town.people[who].id, 10_000).sha256


def line(town: Town, amount: int = 100_000, **more: Any) -> dict[str, Any]:
    """A line that lacks nothing."""
    invoice = f"INV-{town.next_request()}"
    return {
        "category": "staff",
        "spent_on": "2025-02-03",
        "payee": "Lab Ltd",
        "invoice_no": invoice,
        "description": "tests",
        "amount_minor": amount,
        "evidence": brought(town, f"{invoice}.pdf"),
        **more,
    }


def claim(town: Town, state: str, *, project: UUID | None = None, lines: list[Any] | None = None) -> UUID:
    """A claim for January and February, brought to a state."""
    if project is None:
        programme = town.claiming()
        project = town.apply(programme=programme)
        town.advance(project, "implementation")
    given = {**PERIOD, "lines": [line(town)] if lines is None else lines}
    made = town.take("unit", "claim.open", project, **given).subject_id
    if state not in ("draft", "withdrawn"):
        town.take("unit", "claim.submit", made)
    if state == "withdrawn":
        town.take("unit", "claim.withdraw", made, reason="not now")
    elif state == "returned":
        town.take("finance1", "claim.return", made, reason="unreadable")
    elif state == "accepted":
        allow(town, made)
        town.take("finance1", "claim.accept", made)
    return made


def allow(town: Town, claim: UUID, who: str = "finance1") -> None:
    """Allow every line in full."""
    rows = town.all("SELECT number, amount_minor FROM claim_line WHERE claim_id = %s AND live", claim)
    findings = [{"number": number, "allowed_minor": amount, "reason": "seen"} for number, amount in rows]
    town.take(who, "claim.examine", claim, findings=findings)

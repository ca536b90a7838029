"""The steps of an exception (异常): something the bank said that does not fit our books, until it is clear.

The system raises it; finance says what it was, or the bank's own next statement does. While it is open
nothing more is sent for its tranche (guard ``bank_agrees``). Its events stand in the chain of the project
whose payment it names or probably means, so that no release of that project can pass it by; what names none
stands in the chain of the account.
"""

from __future__ import annotations

from schema.inputs import Reason
from schema.inputs_bank import ClearUp, RaiseException
from states.case import Case, Change
from states.step import Step, words


def _raise(case: Case) -> Change:
    given: RaiseException = case.input
    ground = case.facts["ground"]
    row = given.model_dump(exclude={"account_chain_id", "office_path"})
    entry = [("bank_entry", given.entry_id, {"outcome": "queued"})] if given.entry_id is not None else []
    return Change(set={**ground, **row, "raised_at": case.now}, update=entry)


def _cleared_up(case: Case) -> Change:
    return Change(
        set={"resolved_by": case.actor_id, "resolved_at": case.now, "note": case.input.note},
    )


def _match(case: Case) -> Change:
    """The entry is taken up for the likely payment by the next reconciliation."""
    change = _cleared_up(case)
    change.update = [
        ("bank_entry", case.here["entry_id"], {"payment_id": case.here["likely_id"], "outcome": "new"})
    ]
    return change


def _use(case: Case) -> Change:
    """Everything that was held back with the statement counts from the next reconciliation on."""
    change = _cleared_up(case)
    change.update = [("bank_entry", row["id"], {"outcome": "new"}) for row in case.facts["held_entries"]]
    return change


def _reopen(case: Case) -> Change:
    return Change(set={"resolved_by": None, "resolved_at": None, "note": None})


STEPS: tuple[Step, ...] = (
    Step("bank_exception.raise", (), "open", words("提出", "Raise"), input=RaiseException, effect=_raise),
    Step(
        "bank_exception.explain",
        ("open",),
        "explained",
        words("说明并办结", "Explain and close"),
        input=ClearUp,
        effect=_cleared_up,
    ),
    Step(
        "bank_exception.match",
        ("open",),
        "matched",
        words("认领为可能的那一笔", "Take the likely match"),
        input=ClearUp,
        guards=("likely_payment_fits",),
        effect=_match,
        fresh=True,
    ),
    Step(
        "bank_exception.use",
        ("open",),
        "used",
        words("采用此对账单", "Use the statement"),
        input=ClearUp,
        guards=("statement_is_in_doubt",),
        needs=("held_entries",),
        effect=_use,
        fresh=True,
    ),
    Step(
        "bank_exception.clear",
        ("open",),
        "cleared",
        words("由对账单办结", "Cleared by the statement"),
        input=ClearUp,
        effect=_cleared_up,
    ),
    Step(
        "bank_exception.reopen",
        ("explained",),
        "open",
        words("重新待查", "Ask again"),
        input=Reason,
        guards=("exception_stands",),
        effect=_reopen,
    ),
)

__all__ = ["STEPS"]

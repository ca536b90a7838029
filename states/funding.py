"""The steps of a call for applications and of a yearly appropriation: a programme's own, no project's.

An appropriation is voted, and its year closed, by two people: one proposes, another confirms. The money comes
with the confirmation of the vote; until then nothing can be drawn on it.
"""

from __future__ import annotations

from typing import Any

from schema.inputs import AnnounceCall, Appropriate, Note, Reason
from schema.inputs_budget import OpenCarried
from states.case import Case, Change, account_id, chain_of_programme
from states.step import SAME, Effect, Step, words


def _announce(case: Case) -> Change:
    given: AnnounceCall = case.input
    return Change(set={"chain_id": chain_of_programme(case.programme.code), **given.model_dump()})


CALL_STEPS: tuple[Step, ...] = (
    Step(
        "call.announce",
        (),
        "planned",
        words("发布申报指南", "Announce a call"),
        input=AnnounceCall,
        effect=_announce,
    ),
    Step("call.open", ("planned",), "open", words("开始受理", "Open"), guards=("deadline_passed",)),
    Step("call.close", ("planned", "open"), "closed", words("截止受理", "Close")),
)


def source_of(case: Case) -> str:
    """The source that was named, or the programme's first."""
    given: Appropriate = case.input
    return given.source or case.programme.budget.sources[0].code


def pays_interest(case: Case, source: str) -> bool:
    """Whether a source is the programme's line for interest, and for nothing of an award."""
    rule = case.programme.late_interest
    return rule is not None and rule.paid_from == source


def _accounts(case: Case, currency: str) -> list[tuple[str, dict[str, Any]]]:
    owners = (("treasury", chain_of_programme(case.programme.code)), ("appropriation", case.subject_id))
    return [
        (
            "account",
            {
                "id": account_id(kind, owner, currency),
                "kind": kind,
                "owner_id": owner,
                "currency": currency,
            },
        )
        for kind, owner in owners
    ]


def _propose(case: Case) -> Change:
    given: Appropriate = case.input
    source = source_of(case)
    row = given.model_dump() | {
        "chain_id": chain_of_programme(case.programme.code),
        "programme_code": case.programme.code,
        "source": source,
        "source_rank": [each.code for each in case.programme.budget.sources].index(source),
        "origin_year": given.fiscal_year,
        "for_interest": pays_interest(case, source),
        "proposed_by": case.actor_id,
    }
    return Change(set=row, insert=_accounts(case, given.currency))


def _open_carried(case: Case) -> Change:
    given: OpenCarried = case.input
    row = given.model_dump() | {
        "chain_id": chain_of_programme(case.programme.code),
        "programme_code": case.programme.code,
        "amount_minor": 0,
    }
    return Change(set=row, insert=_accounts(case, given.currency))


def _by(column: str) -> Effect:
    def put(case: Case) -> Change:
        return Change(set={column: case.actor_id})

    return put


def _propose_close(case: Case) -> Change:
    return Change(set={"closing_by": case.actor_id, "closing_reason": case.input.reason})


def _keep_open(case: Case) -> Change:
    return Change(set={"closing_by": None, "closing_reason": None})


APPROPRIATION_STEPS: tuple[Step, ...] = (
    Step(
        "appropriation.propose",
        (),
        "proposed",
        words("提出年度预算", "Propose an appropriation"),
        guards=("source_known",),
        input=Appropriate,
        effect=_propose,
    ),
    Step(
        "appropriation.vote",
        ("proposed",),
        "voted",
        words("确认年度预算", "Confirm the appropriation"),
        guards=("vote_proposed_by_another",),
        input=Note,
        effect=_by("voted_by"),
    ),
    Step(
        "appropriation.reject",
        ("proposed",),
        "rejected",
        words("不予确认年度预算", "Reject the appropriation"),
        guards=("vote_proposed_by_another",),
        input=Reason,
    ),
    Step(
        "appropriation.withdraw",
        ("proposed",),
        "withdrawn",
        words("撤回年度预算", "Withdraw the appropriation"),
        guards=("vote_proposed_by_oneself",),
        input=Reason,
    ),
    Step(
        "appropriation.open_carried",
        (),
        "voted",
        words("设立结转预算", "Open for carried-over money"),
        input=OpenCarried,
        effect=_open_carried,
    ),
    Step(
        "appropriation.propose_close",
        ("voted",),
        SAME,
        words("提出关闭年度", "Propose to close the year"),
        guards=("close_not_proposed", "nothing_hangs", "no_change_waits"),
        input=Reason,
        effect=_propose_close,
    ),
    Step(
        "appropriation.close",
        ("voted",),
        "closed",
        words("确认关闭年度", "Close the year"),
        guards=("close_proposed", "close_proposed_by_another", "nothing_hangs", "no_change_waits"),
        input=Note,
        effect=_by("closed_by"),
    ),
    Step(
        "appropriation.keep_open",
        ("voted",),
        SAME,
        words("不关闭年度", "Keep the year open"),
        guards=("close_proposed",),
        input=Reason,
        effect=_keep_open,
    ),
)

"""The steps of a call for applications and of a yearly appropriation: a programme's own, no project's."""

from __future__ import annotations

from typing import Any

from schema.inputs import AnnounceCall, Appropriate, Reason
from schema.inputs_budget import OpenCarried
from states.case import Case, Change, account_id, chain_of_programme
from states.step import Step, words


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


def _vote(case: Case) -> Change:
    given: Appropriate = case.input
    source = source_of(case)
    row = given.model_dump() | {
        "chain_id": chain_of_programme(case.programme.code),
        "programme_code": case.programme.code,
        "source": source,
        "source_rank": [each.code for each in case.programme.budget.sources].index(source),
        "origin_year": given.fiscal_year,
        "for_interest": pays_interest(case, source),
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


APPROPRIATION_STEPS: tuple[Step, ...] = (
    Step(
        "appropriation.vote",
        (),
        "voted",
        words("登记年度预算", "Vote an appropriation"),
        guards=("source_known",),
        input=Appropriate,
        effect=_vote,
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
        "appropriation.close",
        ("voted",),
        "closed",
        words("关闭年度预算", "Close the year"),
        guards=("nothing_hangs", "no_change_waits"),
        input=Reason,
    ),
)

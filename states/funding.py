"""The steps of a call for applications and of a yearly appropriation: a programme's own, no project's."""

from __future__ import annotations

from schema.inputs import AnnounceCall, Appropriate, Increase, Reason
from states.case import Case, Change, account_id, chain_of_programme
from states.step import SAME, Step, words


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


def _vote(case: Case) -> Change:
    given: Appropriate = case.input
    chain = chain_of_programme(case.programme.code)
    row = {"chain_id": chain, "programme_code": case.programme.code, **given.model_dump()}
    accounts = [
        {
            "id": account_id(kind, owner, given.currency),
            "kind": kind,
            "owner_id": owner,
            "currency": given.currency,
        }
        for kind, owner in (("treasury", chain), ("appropriation", case.subject_id))
    ]
    return Change(set=row, insert=[("account", account) for account in accounts])


def _increase(case: Case) -> Change:
    return Change(set={"amount_minor": case.here["amount_minor"] + case.input.amount_minor})


APPROPRIATION_STEPS: tuple[Step, ...] = (
    Step(
        "appropriation.vote",
        (),
        "voted",
        words("登记年度预算", "Vote an appropriation"),
        input=Appropriate,
        effect=_vote,
    ),
    Step(
        "appropriation.increase",
        ("voted",),
        SAME,
        words("追加预算", "Increase"),
        input=Increase,
        effect=_increase,
    ),
    Step("appropriation.close", ("voted",), "closed", words("关闭年度预算", "Close the year"), input=Reason),
)

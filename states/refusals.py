"""Every refusal in one table: the fact, the remedy and who can act, in Chinese and English.

A code is stable: programs may rely on it. The words may improve.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OFFICER = ("programme_officer",)
FINANCE = ("finance_officer",)
UNIT = ("applicant",)
LEADER = ("principal_investigator",)
GRANTEE = ("applicant", "principal_investigator")
ANYONE = ("anyone",)

# code: (who, fact zh, fact en, remedy zh, remedy en)
CATALOGUE: dict[str, tuple[tuple[str, ...], str, str, str, str]] = {
    # The engine
    "not_found": (
        ANYONE,
        "没有这个对象，或您无权查看。",
        "There is no such thing, or you may not see it.",
        "请从“我的工作”重新打开。",
        "Open it again from your work list.",
    ),
    "unknown_step": (
        ANYONE,
        "没有“{step}”这个步骤。",
        "There is no step “{step}”.",
        "可用的步骤：{known}。",
        "Steps that exist: {known}.",
    ),
    "not_permitted": (
        ("administrator",),
        "您的角色不能执行“{step}”。",
        "Your roles do not allow “{step}”.",
        "请由以下角色办理：{roles}。",
        "It can be done by: {roles}.",
    ),
    "wrong_state": (
        ANYONE,
        "当前状态为“{state}”，不能执行“{step}”。",
        "It is “{state}” now; “{step}” is not possible from there.",
        "该步骤可从以下状态执行：{sources}。",
        "It is possible from: {sources}.",
    ),
    "exists_already": (
        ANYONE,
        "“{what}”已经存在。",
        "“{what}” exists already.",
        "请打开已有的，或换一个编号。",
        "Open the existing one or choose another code.",
    ),
    "input_invalid": (
        ANYONE,
        "填写的内容有误：{problems}。",
        "Something that was filled in is wrong: {problems}.",
        "请改正后重新提交；已填内容不会丢失。",
        "Correct it and submit again; nothing you typed is lost.",
    ),
    "stale_page": (
        ANYONE,
        "您打开之后它已变化（{seen} → {now}）。",
        "It has changed since you opened it ({seen} → {now}).",
        "请刷新后再决定；已填内容保留。",
        "Look at it again and decide anew; what you typed is kept.",
    ),
    "request_reused": (
        ANYONE,
        "这个请求编号已用于另一项操作。",
        "This request id was used for something else.",
        "请用新的编号重新提交。",
        "Submit again under a new id.",
    ),
    "subject_busy": (
        ANYONE,
        "另一项操作正在处理同一项目。",
        "Something else is working on the same project right now.",
        "请稍候再试；用同一请求编号不会重复。",
        "Try again in a moment; the same request id has one effect.",
    ),
    "person_inactive": (
        ("administrator",),
        "此账户已停用。",
        "This account is disabled.",
        "请联系管理员。",
        "Ask the administrator.",
    ),
    "fresh_login_needed": (
        ANYONE,
        "放款前需要重新输入密码。",
        "Releasing money needs a password typed just now.",
        "请重新登录后继续。",
        "Log in again and continue.",
    ),
    # Application and stages
    "programme_unknown": (
        ("administrator",),
        "没有这个计划版本。",
        "There is no such programme version.",
        "请选择已发布的计划。",
        "Choose one that is published.",
    ),
    "programme_differs": (
        OFFICER,
        "所选计划与项目的计划不同。",
        "The programme differs from the project's.",
        "请从项目的计划选择。",
        "Choose the project's own.",
    ),
    "currency_differs": (
        ANYONE,
        "币种 {given} 与计划的 {wanted} 不同。",
        "The currency {given} is not the programme's {wanted}.",
        "请改用 {wanted}。",
        "Use {wanted}.",
    ),
    "plan_does_not_add_up": (
        GRANTEE,
        "里程碑合计 {sum} 不等于申请金额 {total}。",
        "The milestones add up to {sum}, the total asked for is {total}.",
        "请修改里程碑金额或申请金额，使两者相等。",
        "Change the milestones or the total until they agree.",
    ),
    "plan_missing": (
        GRANTEE,
        "尚无里程碑计划。",
        "There is no milestone plan.",
        "请填写里程碑计划。",
        "Plan the milestones.",
    ),
    "plan_too_long": (
        GRANTEE,
        "里程碑多于 {most} 个。",
        "There are more than {most} milestones.",
        "请合并里程碑。",
        "Join some of them.",
    ),
    "call_not_open": (
        OFFICER,
        "申报指南未开放受理。",
        "The call is not open.",
        "请在受理期内提交。",
        "Hand in while the call is open.",
    ),
    "pledge_unit_missing": (
        UNIT,
        "申报单位尚未签署科研诚信承诺书。",
        "The unit has not signed the integrity pledge.",
        "请申报单位签署。",
        "The unit signs it.",
    ),
    "pledge_leader_missing": (
        LEADER,
        "项目负责人尚未签署科研诚信承诺书。",
        "The principal investigator has not signed the integrity pledge.",
        "请项目负责人签署。",
        "The principal investigator signs it.",
    ),
    "pledge_signed_already": (
        ANYONE,
        "承诺书已经签署。",
        "The pledge is signed already.",
        "无需再签。",
        "Nothing more to do.",
    ),
    "checklist_incomplete": (
        OFFICER,
        "以下条件未确认：{missing}。",
        "Not confirmed: {missing}.",
        "请逐项核实，或不予受理。",
        "Check each one, or decline the application.",
    ),
    "review_undecided": (
        OFFICER,
        "本阶段评审尚未决定。",
        "The review of this stage is not decided.",
        "请完成并决定评审轮次。",
        "Complete and decide the review round.",
    ),
    "review_not_passed": (
        OFFICER,
        "评审未通过。",
        "The review did not pass.",
        "请不予立项，或另组织一轮评审。",
        "Decline, or hold another round.",
    ),
    "round_open_already": (
        OFFICER,
        "本阶段已有未决的评审轮次。",
        "A round of this stage is still undecided.",
        "请先决定该轮次。",
        "Decide that one first.",
    ),
    "stage_differs": (
        OFFICER,
        "项目不在“{stage}”阶段。",
        "The project is not in the stage “{stage}”.",
        "请在项目进入该阶段后办理。",
        "Do it when the project gets there.",
    ),
    "award_exceeds_request": (
        OFFICER,
        "立项金额 {award} 超过申请金额 {requested}。",
        "The award {award} is more than the {requested} asked for.",
        "请填写不超过申请金额的数。",
        "Award at most what was asked for.",
    ),
    "agreement_not_signed_by_grantee": (
        UNIT,
        "承担单位尚未签署任务书。",
        "The grantee has not signed the agreement.",
        "请承担单位先签署。",
        "The grantee signs first.",
    ),
    "agreement_signed_already": (
        ANYONE,
        "任务书已经签署。",
        "The agreement is signed already.",
        "无需再签。",
        "Nothing more to do.",
    ),
    "milestones_unfinished": (
        GRANTEE,
        "里程碑尚未完成：{numbers}。",
        "Milestones are unfinished: {numbers}.",
        "请提交、评价或免除这些里程碑。",
        "Report, evaluate or waive them.",
    ),
    "rectified_already": (
        OFFICER,
        "整改只有一次，已经用过。",
        "There is one rectification, and it was used.",
        "请作出验收结论。",
        "Decide the outcome.",
    ),
    "acceptance_undecided": (
        OFFICER,
        "验收尚无结论。",
        "The acceptance has no outcome.",
        "请作出验收结论。",
        "Decide the outcome.",
    ),
    "payments_unfinished": (
        FINANCE,
        "拨付尚未了结：{numbers}。",
        "Payments are unfinished: {numbers}.",
        "请拨付完毕，或作废不再支付的拨款。",
        "Settle them, or void what will not be paid.",
    ),
    "no_holds": (
        OFFICER,
        "没有这条冻结记录。",
        "There is no such hold.",
        "请选择仍有效的一条。",
        "Choose one that still stands.",
    ),
    "tranche_unknown": (
        GRANTEE,
        "没有第 {number} 笔拨款。",
        "There is no tranche {number}.",
        "请填写已有的序号。",
        "Give a number that exists.",
    ),
    "spent_more_than_paid": (
        GRANTEE,
        "累计支出 {spent} 超过已拨 {paid}。",
        "Spent {spent} is more than was paid, {paid}.",
        "请核对专账。",
        "Check the separate account.",
    ),
    "spending_falls": (
        GRANTEE,
        "累计支出不能小于上次填报的 {before}。",
        "What was spent in total cannot fall below the {before} reported before.",
        "请填报累计数。",
        "Report the total so far.",
    ),
    # Milestones
    "report_missing": (
        GRANTEE,
        "里程碑尚无报告。",
        "The milestone has no report.",
        "请提交报告。",
        "Hand in a report.",
    ),
    "not_the_evaluator": (
        OFFICER,
        "该里程碑已指定由他人评价。",
        "Somebody else is to evaluate this milestone.",
        "请由指定的评价人办理，或改派。",
        "Let the evaluator act, or assign another.",
    ),
    "not_an_evaluator": (
        OFFICER,
        "此人不能被指派。",
        "This person cannot be assigned.",
        "请选择具有评价人或专家角色、且与项目无利益关系的人。",
        "Choose one who has the role and no interest in the project.",
    ),
    "due_day_not_later": (
        OFFICER,
        "新期限不晚于原期限 {due}。",
        "The new day is not later than {due}.",
        "请填写更晚的日期。",
        "Give a later day.",
    ),
    "not_due_yet": (
        ANYONE,
        "期限 {due} 尚未过去。",
        "The deadline {due} has not passed.",
        "请等到期限之后。",
        "Wait until it has.",
    ),
    # Review
    "not_your_task": (
        ("expert",),
        "这不是您的评审任务。",
        "This is not your review task.",
        "请打开您自己的任务。",
        "Open one of yours.",
    ),
    "expert_in_round_already": (
        OFFICER,
        "该专家已在本轮中。",
        "This expert is in the round already.",
        "请另选专家。",
        "Choose another.",
    ),
    "scores_incomplete": (
        ("expert",),
        "评分标准未全部打分：{missing}。",
        "Criteria without a score: {missing}.",
        "请为每项打分。",
        "Score each one.",
    ),
    "score_out_of_range": (
        ("expert",),
        "“{criterion}”的分数须在 0 至 {max} 之间。",
        "The score for “{criterion}” must lie between 0 and {max}.",
        "请改正分数。",
        "Correct it.",
    ),
    "quorum_missing": (
        OFFICER,
        "有效评审 {have} 份，少于规定的 {need} 份。",
        "{have} valid reviews; the quorum is {need}.",
        "请催交或补充专家。",
        "Remind the experts, or invite more.",
    ),
    # Notice
    "notice_missing": (
        OFFICER,
        "尚未公示。",
        "No public notice was published.",
        "请发布公示。",
        "Publish it.",
    ),
    "notice_running": (
        OFFICER,
        "公示期至 {closes}，尚未结束。",
        "The public notice runs to {closes}.",
        "请等待公示期满。",
        "Wait for its end.",
    ),
    "notice_open_already": (
        OFFICER,
        "已有公示在进行。",
        "A notice is running already.",
        "请等其结束或撤回。",
        "Wait for its end, or withdraw it.",
    ),
    "objection_open": (
        OFFICER,
        "有 {count} 件异议未处理。",
        "{count} objection(s) are open.",
        "请逐件答复。",
        "Answer each one.",
    ),
    "notice_day_past": (
        OFFICER,
        "公示开始日早于今天。",
        "The notice would open before today.",
        "请填写今天或以后的日期。",
        "Give today or a later day.",
    ),
    # Gates
    "agreement_not_signed": (
        OFFICER,
        "任务书未签署。",
        "The task agreement is not signed.",
        "请双方签署任务书。",
        "Both sides sign it.",
    ),
    "milestone_not_accepted": (
        ("evaluator", "programme_officer"),
        "里程碑未通过（现为“{state}”）。",
        "The milestone is not accepted (it is “{state}”).",
        "请提交并评价里程碑。",
        "It has to be reported and accepted.",
    ),
    "acceptance_not_passed": (
        OFFICER,
        "项目未通过验收。",
        "The project has not passed acceptance.",
        "请完成验收。",
        "Conclude the acceptance.",
    ),
    "integrity_flagged": (
        ("supervisor",),
        "有 {count} 条科研诚信记录未解除。",
        "{count} integrity flag(s) stand.",
        "请监督人员核实并解除。",
        "The supervisor examines and clears them.",
    ),
    "on_hold": (
        OFFICER,
        "项目被冻结（{count} 条）。",
        "The project is on hold ({count}).",
        "请解除冻结。",
        "Lift the hold.",
    ),
    "payee_missing": (
        GRANTEE,
        "没有经核实的收款账户。",
        "There is no verified payee account.",
        "请登记收款账户，并由第二人核实。",
        "Enter the account; a second person verifies it.",
    ),
    "own_contribution_short": (
        GRANTEE,
        "自筹到位 {have}，应为 {need}。",
        "Own contribution evidenced {have}, needed {need}.",
        "请提供自筹到位凭证。",
        "Bring evidence of the contribution.",
    ),
    "previous_tranche_unpaid": (
        FINANCE,
        "上一笔拨款尚未付清。",
        "The previous tranche is not paid.",
        "请先付清。",
        "Pay it first.",
    ),
    "previous_tranche_unspent": (
        GRANTEE,
        "上一笔拨款已用 {have}，应用 {need}。",
        "{have} of the previous tranche is spent; {need} is needed.",
        "请填报支出。",
        "Report the spending.",
    ),
    "appropriation_missing": (
        FINANCE,
        "{year} 年度没有 {currency} 预算。",
        "There is no appropriation for {year} in {currency}.",
        "请登记年度预算。",
        "Vote the year's appropriation.",
    ),
    "appropriation_exhausted": (
        FINANCE,
        "预算余额 {have}，不足 {need}。",
        "The appropriation has {have} left; {need} is needed.",
        "请追加预算，或待下一年度。",
        "Increase it, or wait for next year's.",
    ),
    "award_exceeded": (
        FINANCE,
        "拨付将超过立项金额。",
        "This would exceed the award.",
        "请核对各笔拨款。",
        "Check the tranches.",
    ),
    "required_review_missing": (
        ("counsel",),
        "应审未审：{kinds}。",
        "Required reviews are missing: {kinds}.",
        "请法律顾问完成审查。",
        "Counsel reviews them.",
    ),
    "project_stopped": (
        OFFICER,
        "项目状态为“{state}”，不拨付。",
        "The project is “{state}”: no money moves.",
        "请先恢复项目。",
        "Resume it first.",
    ),
    # Payments
    "four_eyes": (
        FINANCE,
        "您已在本笔拨付中担任“{duty}”。",
        "You were this payment's {duty} already.",
        "请由另一位财务人员办理。",
        "Ask another finance officer.",
    ),
    "binding_broken": (
        FINANCE,
        "收款账户在申请之后已变更。",
        "The payee has changed since the request.",
        "请作废并重新申请。",
        "Void the payment and request it anew.",
    ),
    "tranche_has_live_payment": (
        FINANCE,
        "该笔拨款已有进行中的拨付。",
        "This tranche has a live payment already.",
        "请办理那一笔。",
        "Go on with that one.",
    ),
    "payee_same_person": (
        FINANCE,
        "收款账户须由登记人以外的人核实。",
        "Someone else than who entered the account must verify it.",
        "请另一位财务人员核实。",
        "Ask another finance officer.",
    ),
    "attestation_missing": (
        FINANCE,
        "尚无第一人的查证结论。",
        "No first person has attested an outcome.",
        "请先由一人查证。",
        "One person attests first.",
    ),
    "gates_all_open": (
        FINANCE,
        "拨付条件全部满足。",
        "Every condition for this payment holds.",
        "无需退回。",
        "Nothing to take back.",
    ),
    "amount_not_released": (
        FINANCE,
        "拨付未放款。",
        "The payment was not released.",
        "请先放款。",
        "Release it first.",
    ),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step cannot be taken. Equal refusals are the same fact."""

    code: str
    params: tuple[tuple[str, Any], ...] = ()
    who: tuple[str, ...] = field(default=())

    def _fill(self, text: str) -> str:
        return text.format(**dict(self.params)) if self.params else text

    def fact(self, locale: str) -> str:
        """What is the case, in the reader's language."""
        return self._fill(CATALOGUE[self.code][1 if locale == "zh" else 2])

    def remedy(self, locale: str) -> str:
        """What would help."""
        return self._fill(CATALOGUE[self.code][3 if locale == "zh" else 4])

    def as_json(self) -> dict[str, Any]:
        """One shape of refusal for the API, the command line and the web."""
        return {
            "code": self.code,
            "fact": {"zh": self.fact("zh"), "en": self.fact("en")},
            "remedy": {"zh": self.remedy("zh"), "en": self.remedy("en")},
            "who": list(self.who),
        }


def refuse(code: str, **params: Any) -> Refusal:
    """A refusal from the catalogue; a code that is not in it crashes."""
    return Refusal(code, tuple(params.items()), CATALOGUE[code][0])


class Refused(Exception):
    """Nothing was changed. ``refusals`` holds every reason, not the first only."""

    def __init__(self, refusals: list[Refusal]) -> None:
        self.refusals = refusals
        super().__init__("; ".join(f"{r.code}: {r.fact('en')} {r.remedy('en')}" for r in refusals))

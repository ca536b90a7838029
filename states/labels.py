"""What people read for a code: states, nouns, roles, duties, choices and steps, in Chinese and English.

Stages bring their own label (``states.stages``), steps theirs (their row). A refusal that carries codes is
put into words here, so that pages, mails and the command line say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from config.programmes import BudgetCategory, Claims, Criterion, Programme, Review, RuleSet, Text, Tranche
from states.approvals import Progress, listed
from states.machines import STATIC
from states.project import project_steps
from states.refusals import Refusal
from states.roles import ROLES
from states.stages import STAGES
from states.step import Step, words

NOUNS: Mapping[str, Text] = {
    "project": words("项目", "Project"),
    "milestone": words("里程碑", "Milestone"),
    "payment": words("拨付", "Payment"),
    "payee": words("收款账户", "Payee account"),
    "receivable": words("应退款", "Receivable"),
    "round": words("评审轮次", "Review round"),
    "task": words("评审任务", "Review task"),
    "notice": words("公示", "Public notice"),
    "objection": words("异议", "Objection"),
    "review_request": words("复审请求", "Request for review"),
    "claim": words("费用申报", "Cost claim"),
    "call": words("申报指南", "Call"),
    "draw": words("专家抽取", "Draw of experts"),
    "delegation": words("委托", "Delegation"),
    "appropriation": words("年度预算", "Appropriation"),
    "budget_change": words("预算调整", "Change of budget"),
    "batch": words("银行批次", "Bank batch"),
    "bank_exception": words("银行异常", "Bank exception"),
    "bank_intake": words("银行来文", "File of the bank"),
}

STATES: Mapping[str, Mapping[str, Text]] = {
    "project": {
        **{name: stage.label for name, stage in STAGES.items()},
        "lapsed": words("逾期失效", "Lapsed"),
        "declined": words("不予立项", "Declined"),
        "withdrawn": words("已撤回", "Withdrawn"),
        "suspended": words("暂停", "Suspended"),
        "terminated": words("已终止", "Terminated"),
        "revoked": words("已撤销", "Revoked"),
        "closed_passed": words("通过验收结项", "Closed, passed"),
        "closed_without_pass": words("结题", "Closed without pass"),
        "closed_failed": words("验收不通过结项", "Closed, failed"),
        "archived": words("已归档", "Archived"),
    },
    "milestone": {
        "planned": words("计划中", "Planned"),
        "due": words("到期", "Due"),
        "overdue": words("逾期", "Overdue"),
        "reported": words("已提交，待评价", "Reported, to be evaluated"),
        "returned": words("退回修改", "Returned for revision"),
        "accepted": words("已通过", "Accepted"),
        "rejected": words("未通过", "Rejected"),
        "waived": words("已免除", "Waived"),
    },
    "payment": {
        "planned": words("计划中", "Planned"),
        "due": words("可申请拨付", "Due"),
        "requested": words("已申请，待审批", "Requested"),
        "approved": words("已审批，待放款", "Approved"),
        "released": words("已放款，待交银行", "Released"),
        "instructed": words("已交银行", "With the bank"),
        "settled": words("已到账", "Settled"),
        "returned": words("银行退回", "Returned by the bank"),
        "unknown": words("结果不明", "Outcome unknown"),
        "void": words("已作废", "Void"),
    },
    "payee": {
        "entered": words("待核实", "To be verified"),
        "verified": words("已核实", "Verified"),
        "rejected": words("不符", "Rejected"),
        "superseded": words("已被取代", "Superseded"),
    },
    "receivable": {
        "proposed": words("已认定，待确认", "Established, to be confirmed"),
        "owed": words("应退", "Owed"),
        "instalments": words("分期退还中", "Owed in instalments"),
        "settled": words("已退清", "Paid back"),
        "written_off": words("已核销", "Written off"),
        "cancelled": words("已撤销", "Cancelled"),
    },
    "round": {
        "open": words("评审中", "Open"),
        "quorum_reached": words("已达有效份数", "Quorum reached"),
        "scored": words("已汇总", "Scored"),
        "decided": words("已定结果", "Decided"),
    },
    "task": {
        "invited": words("已邀请", "Invited"),
        "accepted": words("评审中", "Accepted"),
        "declined": words("已谢绝", "Declined"),
        "recused": words("已回避", "Recused"),
        "submitted": words("已提交", "Submitted"),
        "late": words("逾期", "Late"),
        "replaced": words("已更换", "Replaced"),
        "taken_away": words("已收回", "Taken away"),
    },
    "notice": {
        "open": words("公示中", "Open"),
        "ended": words("公示期满", "Ended"),
        "withdrawn": words("已撤回", "Withdrawn"),
    },
    "objection": {
        "filed": words("待答复", "To be answered"),
        "upheld": words("成立", "Upheld"),
        "dismissed": words("不成立", "Dismissed"),
    },
    "review_request": {
        "filed": words("待答复", "To be answered"),
        "upheld": words("成立", "Upheld"),
        "dismissed": words("驳回", "Dismissed"),
    },
    "claim": {
        "draft": words("草稿", "Draft"),
        "submitted": words("待审核", "To be examined"),
        "returned": words("已退回", "Returned"),
        "accepted": words("已审定", "Accepted"),
        "withdrawn": words("已撤回", "Withdrawn"),
    },
    "delegation": {
        "granted": words("待接受", "To be accepted"),
        "accepted": words("有效", "Accepted"),
        "declined": words("未接受", "Declined"),
        "revoked": words("已提前结束", "Ended early"),
        "ended": words("已到期", "Over"),
    },
    "draw": {
        "announced": words("已公告，待随机值", "Announced, waiting for its value"),
        "drawn": words("已抽取", "Drawn"),
        "void": words("已撤销", "Void"),
    },
    "call": {
        "planned": words("未开始", "Planned"),
        "open": words("受理中", "Open"),
        "closed": words("已截止", "Closed"),
    },
    "batch": {
        "made": words("已编制，待交付", "Made, to be handed over"),
        "handed_over": words("已批准交付", "To be written"),
        "written": words("文件已生成", "Written"),
        "sent": words("已交银行", "With the bank"),
        "answered": words("银行已回执", "Answered by the bank"),
        "closed": words("已办结", "Closed"),
        "lapsed": words("已作罢", "Lapsed"),
        "discarded": words("已撤销", "Discarded"),
    },
    "bank_exception": {
        "open": words("待查明", "To be cleared up"),
        "explained": words("已说明", "Explained"),
        "matched": words("已认领", "Matched"),
        "used": words("已采用", "Used"),
        "cleared": words("对账单已办结", "Cleared by the statement"),
    },
    "bank_intake": {"recorded": words("已登记", "On record")},
    "appropriation": {
        "proposed": words("待确认", "To be confirmed"),
        "voted": words("执行中", "In force"),
        "closed": words("已关闭", "Closed"),
        "rejected": words("未予同意", "Rejected"),
        "withdrawn": words("已撤回", "Withdrawn"),
    },
    "budget_change": {
        "proposed": words("待确认", "To be confirmed"),
        "confirmed": words("已确认", "Confirmed"),
        "rejected": words("未予同意", "Rejected"),
        "withdrawn": words("已撤回", "Withdrawn"),
    },
}

DUTIES: Mapping[str, Text] = {
    "requester": words("申请人", "requester"),
    "approver": words("审批人", "approver"),
    "releaser": words("放款人", "releaser"),
    "payee_editor": words("收款账户登记人", "editor of the payee's account"),
    "represented": words("由他人代行的人", "the one acted for"),
    "objector": words("退回人", "the one who sent it back"),
    "first_attester": words("第一查证人", "first attester"),
    "second_attester": words("第二查证人", "second attester"),
}

CHOICES: Mapping[str, Text] = {
    "passed": words("通过", "Passed"),
    "closed_without_pass": words("结题", "Closed without pass"),
    "failed": words("不通过", "Failed"),
    "settled": words("已到账", "Settled"),
    "returned": words("已退回", "Returned"),
    "legal": words("合法性审查", "legal review"),
    "fair_competition": words("公平竞争审查", "fair-competition review"),
    "technology": words("技术", "Technology"),
    "management": words("管理", "Management"),
    "finance": words("财务", "Finance"),
    "investment": words("投资", "Investment"),
    "figure": words("将公布的数字", "A figure to be published"),
    "drand": words("drand 公共随机信标", "drand, a public beacon"),
    "procedure": words("程序", "Procedure"),
    "fact": words("事实", "Fact"),
    "recusal": words("回避", "Recusal"),
    "academic_judgement": words("学术判断", "Academic judgement"),
    "leader": words("负责人", "Leader"),
    "member": words("成员", "Member"),
    "unit": words("单位", "Unit"),
    "same_unit": words("同一单位", "same unit"),
    "own_application": words("本人申报", "own application"),
    "own_competing_application": words("本人另有竞争申报", "own competing application"),
    "kin": words("亲属", "kin"),
    "collaborator": words("合作关系", "collaborator"),
    "co_applicant": words("共同申报", "applied together"),
    "supervisor": words("师生或上下级", "supervisor line"),
    "economic": words("经济往来", "economic tie"),
    "declared": words("本人申报的其他关系", "declared"),
    "named_unsuitable": words("申请人要求回避", "named unsuitable by the applicant"),
    "department_staff": words("主管部门工作人员", "staff of the department"),
    "disallowed_cost": words("不予认可的支出", "Disallowed cost"),
    "surplus": words("结余", "Surplus"),
    "termination": words("项目终止", "Termination"),
    "revocation": words("项目撤销", "Revocation"),
    "overpayment": words("多付", "Overpayment"),
    "agreed": words("已同意", "Agreed"),
    "applied": words("已抵扣", "Set off"),
    "released": words("未抵扣", "Dropped"),
    "undone": words("已撤回", "Undone"),
    "done": words("已更正", "Corrected"),
    "dropped": words("未予更正", "Not corrected"),
    "receipt": words("冲销入账", "Reversal of a receipt"),
    "write_off": words("恢复应退款", "Reversal of the write-off"),
    "proposed": words("已提请", "Proposed"),
    "uncollectable": words("确实无法收回", "Cannot be collected"),
    "quashed": words("决定被撤销", "The decision was quashed"),
    "hold": words("冻结", "Hold"),
    "payment": words("本笔拨付的冻结", "Hold on a payment"),
    "every": words("申请、审批、放款", "Requesting, approving, releasing"),
    "request": words("仅申请", "Requesting only"),
    "approve": words("仅审批", "Approving only"),
    "release": words("仅放款", "Releasing only"),
    "finance_officer": words("财务人员", "Finance officer"),
    "programme_officer": words("项目主管", "Programme officer"),
    "cn": words("境内账户（账号和联行号）", "Domestic account (number and bank code)"),
    "iban": words("IBAN 账户", "IBAN"),
    "integrity": words("科研诚信", "Integrity"),
    "agreement": words("签署任务书后", "After the agreement"),
    "milestone": words("里程碑通过后", "After its milestone"),
    "acceptance": words("验收通过后", "After acceptance"),
    "day": words("约定日期", "On its day"),
    "segregated_ledger": words("专账", "Separate ledger"),
    "final_accounts": words("决算", "Final accounts"),
    "audit_report": words("审计报告", "Audit report"),
    "accepted": words("认可", "Accepted"),
    "fixed": words("固定金额", "A fixed sum"),
    "verified": words("按核定支出", "By verified spending"),
    "retained": words("保留金", "What was held back"),
    "interest": words("逾期利息", "Interest for late payment"),
    "lateness": words("逾期利息", "Interest for late payment"),
    "pre_subsidy": words("前补助", "Pre-subsidy"),
    "post_subsidy": words("后补助", "Post-subsidy"),
    "milestone_subsidy": words("里程碑阶段性补助", "Milestone subsidy"),
    "lump_sum": words("总额包干", "Lump sum"),
    "small_grant": words("小额资助", "Small grant"),
}

ANYONE = words("任何人", "Anyone")


def said(text: Text, locale: str) -> str:
    """A text in the reader's language."""
    return text.zh if locale == "zh" else text.en


def _plain(code: str) -> Text:
    """A code nobody gave words to yet, at least readable."""
    readable = code.replace("_", " ")
    return Text(zh=readable or "-", en=readable or "-")


def noun_label(noun: str) -> Text:
    """What a noun is called."""
    return NOUNS.get(noun) or _plain(noun)


def state_label(noun: str, state: str) -> Text:
    """What a state of a noun is called; a stage by its own label."""
    return STATES.get(noun, {}).get(state) or _plain(state)


def role_label(role: str) -> Text:
    """What a role is called; "anyone" is one as well."""
    return ANYONE if role == "anyone" else ROLES.get(role) or _plain(role)


def duty_label(duty: str) -> Text:
    """What somebody was for a payment."""
    return DUTIES.get(duty.replace(" ", "_")) or _plain(duty)


def choice_label(value: str) -> Text:
    """What one of a few values is called."""
    return CHOICES.get(value) or _plain(value)


@lru_cache(maxsize=1)
def every_step() -> Mapping[str, Step]:
    """Every step that some programme could have, by name; project steps as with all stages together."""
    name = words("全部阶段", "All stages")
    everything = Programme(
        code="all-stages",
        version=1,
        title=name,
        support_mode="milestone_subsidy",
        currency="CNY",
        rule_set=RuleSet(title=name),
        stages=tuple(STAGES),
        review=Review(rubric=(Criterion(code="all", text=name, max=1),)),
        tranches=(
            Tranche(code="all", title=name, waits_for="agreement", gates=("final_accounts_accepted",)),
        ),
        claims=Claims(categories=(BudgetCategory(code="all", text=name),)),
    )
    rows = [*project_steps(everything), *(step for steps in STATIC.values() for step in steps)]
    return {step.name: step for step in rows}


def step_label(name: str) -> Text:
    """What a step is called."""
    step = every_step().get(name)
    return step.label if step else _plain(name.partition(".")[2] or name)


def _codes(value: str, programme: Programme | None, locale: str) -> str:
    known: dict[str, Text] = {}
    if programme is not None:
        known.update({item.code: item.text for item in programme.checklist})
        if programme.review is not None:
            known.update({criterion.code: criterion.text for criterion in programme.review.rubric})
        if programme.claims is not None:
            known.update({category.code: category.text for category in programme.claims.categories})
    join = "、" if locale == "zh" else ", "
    return join.join(said(known[c], locale) if c in known else c for c in value.split(", "))


def _counted(part: str, locale: str) -> str:
    """A role with a number, as ``states.approvals.listed`` writes it."""
    role, _, number = part.partition(" ")
    return f"{said(role_label(role), locale)} × {number}"


def progress_said(progress: Progress, locale: str) -> str:
    """How far the approvals of a payment are: "1 of 2 approvals; still needed: Finance officer × 1"."""
    missing = ("、" if locale == "zh" else ", ").join(
        _counted(part, locale) for part in listed(progress.missing).split(", ") if part
    )
    if locale == "zh":
        return f"审批 {progress.given}/{progress.needed}" + (f"；还需：{missing}" if missing else "，已齐全")
    told = f"{progress.given} of {progress.needed} approvals"
    return f"{told}; still needed: {missing}" if missing else f"{told}, complete"


def _param(key: str, value: object, noun: str, programme: Programme | None, locale: str) -> object:
    """One parameter of a refusal in words, where it is a code."""
    if not isinstance(value, str) or value in ("-", "?"):
        return value
    join = "、" if locale == "zh" else ", "
    if key == "state":
        return said(state_label(noun, value), locale)
    if key == "step":
        return said(step_label(value), locale)
    if key in ("sources", "stage"):
        where = "project" if key == "stage" else noun
        return join.join(said(state_label(where, s), locale) for s in value.replace(" / ", ", ").split(", "))
    if key == "roles":
        return join.join(said(role_label(role), locale) for role in value.split(", "))
    if key == "wanted":
        return join.join(_counted(part, locale) for part in value.split(", "))
    if key == "duty":
        return said(duty_label(value), locale)
    if key in ("kinds", "rules"):
        return join.join(said(choice_label(kind), locale) for kind in value.split(", "))
    if key in ("missing", "criterion", "category", "known_categories"):
        return _codes(value, programme, locale)
    return value


_NOUN_OF = {"milestone_not_accepted": "milestone", "project_stopped": "project"}


def worded(refusal: Refusal, locale: str, programme: Programme | None = None) -> Refusal:
    """The refusal with its codes in words: "implementation" reads 实施, "project.approve" 批准立项."""
    given = dict(refusal.params)
    noun = _NOUN_OF.get(refusal.code) or str(given.get("step", "project.")).partition(".")[0]
    params = tuple((key, _param(key, value, noun, programme, locale)) for key, value in refusal.params)
    return replace(refusal, params=params)

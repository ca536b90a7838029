"""What each gate asks for, in words: the fact that holds where the gate is open.

A refusal says what is missing; a page that shows every gate, also the open ones, needs the positive name.
"""

from __future__ import annotations

from collections.abc import Mapping

from config.programmes import Text
from states.step import words

GATE_LABELS: Mapping[str, Text] = {
    "project_paying": words("项目在执行中", "The project is under way"),
    "agreement_signed": words("任务书已由双方签署", "The agreement is signed by both"),
    "notice_ended": words("公示期满，异议均已答复", "The public notice has ended, no objection is open"),
    "milestone_accepted": words("里程碑已通过", "The milestone is accepted"),
    "acceptance_passed": words("项目验收通过", "The project passed its acceptance"),
    "pledges_signed": words("科研诚信承诺书已签", "The integrity pledges are signed"),
    "integrity_clear": words("没有科研诚信问题", "No integrity flag stands"),
    "no_hold": words("没有冻结", "No hold stands"),
    "payee_verified": words("收款账户已由第二人核实", "The payee's account is verified by a second person"),
    "payment_not_held": words("本笔没有冻结", "No hold stands on this payment"),
    "payee_rested": words("收款账户变更后的静置期已满", "A changed account has rested"),
    "own_contribution_evidenced": words("自筹资金已到位", "The own contribution is evidenced"),
    "previous_tranche_spent": words("上一笔已支出到比例", "Enough of the payment before is spent"),
    "appropriation_available": words("年度预算足够", "The year's appropriation suffices"),
    "nothing_owed": words("没有未作决定的应退款", "Nothing is owed back and undecided"),
    "required_reviews_done": words("必要的审查已完成", "The required reviews are done"),
    "spending_verified": words("有可拨的核定支出", "Verified spending is there to be paid for"),
    "set_off_covered": words("金额不少于约定的抵扣", "The sum is no less than what is set off"),
    "segregated_ledger_evidenced": words("专账核算已认可", "The separate ledger is evidenced"),
    "final_accounts_accepted": words("决算已认可", "The final accounts are accepted"),
    "audit_report_present": words(
        "审计报告已认可（达到限额时）", "An audit report is accepted, where one is needed"
    ),
    "day_reached": words("约定日期已到", "Its day has come"),
    "expenditure_stated": words("此前的支出已报并审定", "Spending up to the instalment before is accepted"),
    "work_package_complete": words("工作包全部交付并认可", "The work package is wholly complete"),
}

# The steps whose last event says how a gate came to be as it is; of ``project_paying`` each change of stage.
GATE_STEPS: Mapping[str, tuple[str, ...]] = {
    "agreement_signed": ("project.sign_agreement",),
    "notice_ended": ("notice.publish", "notice.end", "notice.withdraw"),
    "milestone_accepted": (
        "milestone.report",
        "milestone.return",
        "milestone.accept",
        "milestone.reject",
        "milestone.waive",
        "milestone.fall_overdue",
    ),
    "acceptance_passed": ("project.record_acceptance",),
    "pledges_signed": ("project.sign_unit_pledge", "project.sign_leader_pledge"),
    "integrity_clear": ("project.flag_integrity", "project.clear_integrity"),
    "no_hold": ("project.place_hold", "project.lift_hold"),
    "payee_verified": ("payee.verify",),
    "payee_rested": ("payee.verify",),
    "own_contribution_evidenced": ("project.evidence_contribution",),
    "previous_tranche_spent": ("project.report_spending",),
    "appropriation_available": ("appropriation.vote", "budget_change.increase", "budget_change.move"),
    "nothing_owed": (
        "receivable.confirm",
        "receivable.receive",
        "receivable.grant_instalments",
        "receivable.agree_set_off",
        "receivable.write_off",
    ),
    "required_reviews_done": ("project.record_review",),
    "spending_verified": ("claim.accept",),
    "set_off_covered": ("receivable.agree_set_off", "receivable.drop_set_off"),
    "expenditure_stated": ("claim.accept",),
    "segregated_ledger_evidenced": ("project.decide_proof",),
    "final_accounts_accepted": ("project.decide_proof",),
    "audit_report_present": ("project.decide_proof",),
    "work_package_complete": ("milestone.accept", "milestone.reject", "milestone.waive"),
}
# Whose open deadline tells until when a shut gate waits.
GATE_NOUNS: Mapping[str, str] = {
    "spending_verified": "claim",
    "expenditure_stated": "claim",
    "work_package_complete": "milestone",
    "milestone_accepted": "milestone",
    "payee_verified": "payee",
    "nothing_owed": "receivable",
    "set_off_covered": "receivable",
    "notice_ended": "notice",
    "agreement_signed": "project",
    "acceptance_passed": "project",
}


def gate_label(name: str) -> Text:
    """What a gate asks for."""
    plain = name.replace("_", " ")
    return GATE_LABELS.get(name) or words(plain, plain)


__all__ = ["GATE_LABELS", "GATE_NOUNS", "GATE_STEPS", "gate_label"]

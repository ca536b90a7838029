"""Who may take which step. The default is no: a step that stands nowhere here is nobody's."""

from __future__ import annotations

from config.programmes import Text

ROLES: dict[str, Text] = {
    "applicant": Text(zh="申报/承担单位", en="Applicant unit"),
    "principal_investigator": Text(zh="项目负责人", en="Principal investigator"),
    "programme_officer": Text(zh="项目主管", en="Programme officer"),
    "evaluator": Text(zh="里程碑评价人", en="Milestone evaluator"),
    "expert": Text(zh="评审专家", en="Expert"),
    "finance_officer": Text(zh="财务人员", en="Finance officer"),
    "supervisor": Text(zh="监督人员", en="Supervisor"),
    "counsel": Text(zh="法律顾问", en="Legal counsel"),
    "administrator": Text(zh="系统管理员", en="Administrator"),
    "system": Text(zh="系统", en="The system"),
}

_APPLICATION = {"project.apply", "project.revise", "project.describe", "project.submit", "project.withdraw"}

_CLAIMING = {"claim.open", "claim.save", "claim.submit", "claim.withdraw", "project.set_budget"}
_EXAMINING = {"claim.examine", "claim.accept", "claim.return"}

PERMISSIONS: dict[str, frozenset[str]] = {
    "applicant": frozenset(
        _APPLICATION
        | {
            "project.sign_unit_pledge",
            "project.sign_agreement_as_grantee",
            "project.report_spending",
            "milestone.report",
            "payee.enter",
            "review_request.file",
            *_CLAIMING,
        }
    ),
    "principal_investigator": frozenset(
        _APPLICATION
        | {"project.sign_leader_pledge", "project.report_spending", "milestone.report", "review_request.file"}
        | _CLAIMING
    ),
    "programme_officer": frozenset(
        {
            "project.apply",
            "project.pass_completeness",
            "project.return_for_completion",
            "project.confirm_eligibility",
            "project.conclude_remote_review",
            "project.conclude_panel_review",
            "project.record_public_defence",
            "project.record_site_visit",
            "project.record_interagency_consultation",
            "project.conclude_notice",
            "project.approve",
            "project.decline",
            "project.sign_agreement",
            "project.complete_implementation",
            "project.record_acceptance",
            "project.require_rectification",
            "project.close",
            "project.archive",
            "project.suspend",
            "project.resume",
            "project.terminate",
            "project.revoke",
            "project.place_hold",
            "project.lift_hold",
            # Only where a programme's tier asks for it (``states.approvals``).
            "payment.approve",
            "milestone.accept",
            "milestone.return",
            "milestone.reject",
            "milestone.waive",
            "milestone.extend",
            "milestone.assign",
            "round.open",
            "round.score",
            "round.decide",
            "round.record_vote",
            "task.invite",
            "task.replace",
            "task.reopen",
            "project.describe",
            "project.amend_team",
            "project.reinstate",
            "draw.announce",
            "draw.conclude",
            "draw.succeed",
            "draw.void",
            "review_request.uphold",
            "review_request.dismiss",
            "notice.publish",
            "notice.withdraw",
            "objection.file",
            "objection.uphold",
            "objection.dismiss",
            "call.announce",
            "call.close",
            "receivable.establish",
            "receivable.cancel",
            "receivable.propose_write_off",
            "project.set_budget",
            *_EXAMINING,
        }
    ),
    "evaluator": frozenset({"milestone.accept", "milestone.return", "milestone.reject"}),
    "expert": frozenset({"task.accept", "task.decline", "task.recuse", "task.save_draft", "task.submit"}),
    "finance_officer": frozenset(
        {
            "payment.request",
            "payment.approve",
            "payment.send_back",
            "payment.release",
            "payment.void",
            "payment.attest",
            "payment.confirm",
            "payee.enter",
            "payee.verify",
            "payee.reject",
            "project.evidence_contribution",
            "appropriation.vote",
            "appropriation.increase",
            "appropriation.close",
            "batch.make",
            "batch.hand_over",
            "batch.discard",
            *_EXAMINING,
            "project.place_hold",
            "project.lift_hold",
            "receivable.establish",
            "receivable.confirm",
            "receivable.cancel",
            "receivable.grant_instalments",
            "receivable.receive",
            "receivable.receive_slip",
            "receivable.receive_over",
            "receivable.propose_write_off",
            "receivable.keep",
            "receivable.write_off",
        }
    ),
    "supervisor": frozenset(
        {"project.flag_integrity", "project.clear_integrity", "project.place_hold", "draw.witness"}
    ),
    "counsel": frozenset({"project.record_review"}),
    # People, roles, programmes, settings: never a state, never money.
    "administrator": frozenset(),
    "system": frozenset(
        {
            "project.lapse_application",
            "project.lapse_agreement",
            "project.conclude_notice",
            "milestone.plan",
            "milestone.fall_due",
            "milestone.fall_overdue",
            "milestone.waive",
            "payment.plan",
            "payment.fall_due",
            "payment.fall_back",
            "payment.instruct",
            "payment.settle",
            "payment.bank_return",
            "payment.lose",
            "payment.not_received",
            "payment.return_late",
            "payment.void",
            "payee.supersede",
            "receivable.receive",
            "receivable.receive_over",
            "notice.end",
            "round.reach_quorum",
            "task.invite",
            "task.fall_late",
            "task.replace",
            "task.take_away",
            "draw.succeed",
            "call.open",
            "call.close",
            "batch.write",
            "batch.send",
            "batch.lapse",
            "batch.answer",
            "batch.close",
        }
    ),
}

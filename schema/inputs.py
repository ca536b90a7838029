"""What each step asks for. The same model makes the form, the API's schema and the check of what came in."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from schema.money import CURRENCIES


def _number(value: Any) -> Any:
    """True is no sum of one."""
    if isinstance(value, bool):
        raise PydanticCustomError("not_a_number", "write a whole number")
    return value


# Beyond these no term can be counted: there are no months after the calendar's last year.
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2200, 12, 31))]
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Line = Annotated[str, Field(min_length=1, max_length=300)]
Minor = Annotated[int, BeforeValidator(_number), Field(gt=0, le=9_000_000_000_000_000)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=0, le=1_000_000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _accounted_for(code: str) -> str:
    """A sum in a currency that nobody knows could be neither shown nor added up."""
    if code not in CURRENCIES:
        known = ", ".join(CURRENCIES)
        raise PydanticCustomError("currency_unknown", "use one of {known}", {"known": known})
    return code


Currency = Annotated[str, AfterValidator(_accounted_for)]
Office = Annotated[str, Field(pattern=r"^/([a-z0-9-]+/)*$", max_length=300)]


def ask(zh: str, en: str, *, widget: str = "", default: Any = ...) -> Any:
    """A field with its label in both languages; ``widget`` tells a form what it is (money, text, people…)."""
    return Field(default, title=en, json_schema_extra={"zh": zh, "en": en, "widget": widget})


class StepInput(BaseModel):
    """Nothing unknown is accepted, and text is kept as typed but for blanks around it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class NoInput(StepInput):
    """The step asks for nothing."""


class Note(StepInput):
    """A remark that may be left out."""

    note: Annotated[str, Field(max_length=4000)] = ask("说明", "Note", widget="text", default="")


class Reason(StepInput):
    """Why: required, since somebody will ask."""

    reason: Text = ask("理由", "Reason", widget="text")


class PlannedMilestone(BaseModel):
    """A milestone as the application plans it; its sum in minor units, its day."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    number: int = Field(ge=0, le=999)
    title: Line
    amount_minor: Minor | None = None
    due_on: Day | None = None


class Apply(StepInput):
    """An application (申报书)."""

    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$")] = ask("项目编号", "Code")
    title: Line = ask("项目名称", "Title")
    programme_id: UUID = ask("计划", "Programme", widget="programme")
    call_id: UUID | None = ask("申报指南", "Call", widget="call", default=None)
    office_path: Annotated[str, Field(pattern=r"^/([a-z0-9-]+/)*$")] = ask(
        "归口管理部门", "Office", widget="office"
    )
    unit_name: Line = ask("申报单位", "Applicant unit")
    leader_name: Line = ask("项目负责人", "Principal investigator")
    requested_minor: Minor = ask("申请金额", "Amount requested", widget="money")
    currency: Currency = ask("币种", "Currency")
    plan: tuple[PlannedMilestone, ...] = ask("里程碑计划", "Milestone plan", widget="plan", default=())


class Revise(StepInput):
    """What of an application may still be changed before it is handed in."""

    title: Line = ask("项目名称", "Title")
    unit_name: Line = ask("申报单位", "Applicant unit")
    leader_name: Line = ask("项目负责人", "Principal investigator")
    requested_minor: Minor = ask("申请金额", "Amount requested", widget="money")
    plan: tuple[PlannedMilestone, ...] = ask("里程碑计划", "Milestone plan", widget="plan", default=())


Subject = Annotated[str, Field(pattern=r"^[0-9]{3}([0-9]{2}([0-9]{2})?)?$")]


class Member(BaseModel):
    """Somebody in an application's team, or a unit that takes part; ``person_id``: the account, if any."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)
    name: Annotated[str, Field(max_length=200)] = ""
    unit: Annotated[str, Field(max_length=300)] = ""
    part: Literal["leader", "member", "unit"] = "member"
    person_id: UUID | None = None
    identity_hash: Sha256 | None = None


class Unsuitable(BaseModel):
    """An expert whom the applicant asks not to be sent the application; no reason is required."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)
    name: Annotated[str, Field(min_length=1, max_length=200)]
    unit: Annotated[str, Field(max_length=300)] = ""


class Describe(StepInput):
    """What an application is about and who stands behind it: experts are found, and barred, by it."""

    summary: Text = ask("摘要", "Summary", widget="text")
    fields: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=5)] = ask(
        "学科代码", "Subject codes", widget="subjects"
    )
    team: Annotated[tuple[Member, ...], Field(max_length=100)] = ask(
        "项目组成员与合作单位", "Team and partners", widget="team", default=()
    )
    unsuitable: Annotated[tuple[Unsuitable, ...], Field(max_length=20)] = ask(
        "申请回避的专家", "Experts asked not to review", widget="unsuitable", default=()
    )


class AmendTeam(StepInput):
    """Who stands behind the application from now on, and why it changed."""

    team: Annotated[tuple[Member, ...], Field(max_length=100)] = ask(
        "项目组成员与合作单位", "Team and partners", widget="team", default=()
    )
    reason: Text = ask("理由", "Reason", widget="text")


class Checklist(StepInput):
    """The conditions of eligibility found to be met, by code."""

    met: tuple[str, ...] = ask("符合的条件", "Conditions met", widget="checklist", default=())
    note: Annotated[str, Field(max_length=4000)] = ask("说明", "Note", widget="text", default="")


class Approve(StepInput):
    """The award; left out, it is the sum requested."""

    award_minor: Minor | None = ask("立项金额", "Award", widget="money", default=None)
    document_no: Annotated[str, Field(max_length=200)] = ask("文号", "Document number", default="")


class AcceptanceOutcome(StepInput):
    """The outcome of the final acceptance (验收): passed, closed without pass, failed."""

    outcome: Literal["passed", "closed_without_pass", "failed"] = ask("验收结论", "Outcome")
    opinion: Text = ask("验收意见", "Opinion", widget="text")


class PlaceHold(StepInput):
    """A reason why no money moves for now."""

    reason: Text = ask("理由", "Reason", widget="text")


class LiftHold(StepInput):
    """Which hold ends, and why."""

    hold_id: UUID = ask("冻结记录", "Hold", widget="hold")
    reason: Text = ask("理由", "Reason", widget="text")


class Contribute(StepInput):
    """Own contribution (自筹) with the evidence that was seen."""

    amount_minor: Minor = ask("自筹金额", "Own contribution", widget="money")
    evidence: Text = ask("凭证", "Evidence", widget="text")
    documents: tuple[Sha256, ...] = ask("凭证文件", "Files", widget="documents", default=())


class ReportSpending(StepInput):
    """What was spent of a tranche so far, in total, from the separate account (专账)."""

    tranche: int = Field(
        ge=1, title="Tranche", json_schema_extra={"zh": "拨款序号", "en": "Tranche", "widget": ""}
    )
    spent_minor: Minor = ask("累计支出", "Spent in total", widget="money")


class RecordReview(StepInput):
    """A required review (legal, fair competition…) that was done."""

    kind: Annotated[str, Field(pattern=r"^[a-z_]{2,40}$")] = ask("审查类别", "Kind of review")
    opinion: Text = ask("审查意见", "Opinion", widget="text")


class PlanMilestone(PlannedMilestone, StepInput):
    """A milestone of the agreement."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    evaluator_id: UUID | None = None


class MilestoneReport(StepInput):
    """What the grantee hands in for a milestone."""

    report: Text = ask("里程碑报告", "Report", widget="text")
    deliverables: Count | None = ask("交付物数量", "Deliverables", default=None)
    documents: tuple[Sha256, ...] = ask("附件", "Documents", widget="documents", default=())


class MilestoneDecision(StepInput):
    """What the evaluator finds."""

    opinion: Text = ask("评价意见", "Opinion", widget="text")
    deliverables_accepted: Count | None = ask("认可的交付物", "Deliverables accepted", default=None)


class AssignEvaluator(StepInput):
    """Who evaluates the milestone."""

    evaluator_id: UUID = ask("评价人", "Evaluator", widget="person:evaluator")


class NewDueDay(StepInput):
    """A new due day and why."""

    due_on: Day = ask("新期限", "New due day", widget="date")
    reason: Text = ask("理由", "Reason", widget="text")


class PlanPayment(StepInput):
    """An attempt to pay a tranche."""

    tranche_id: UUID
    attempt: int = Field(ge=1)
    amount_minor: Minor
    currency: str
    milestone_id: UUID | None = None


class BankAnswer(StepInput):
    """What the bank itself said; ``reference`` is its own."""

    reference: Line = ask("银行流水号", "Bank reference")
    reason: Annotated[str, Field(max_length=1000)] = ask("原因", "Reason", default="")


class Attest(StepInput):
    """What a person found out about a payment whose outcome is unknown, and from what evidence."""

    finding: Literal["settled", "returned"] = ask("查证结论", "Finding")
    evidence: Text = ask("凭证", "Evidence", widget="text")


class Void(StepInput):
    """Why a payment is called off; ``again`` plans the tranche's next attempt."""

    reason: Text = ask("理由", "Reason", widget="text")
    again: bool = ask("重新安排拨付", "Plan it again", default=True)


class OpenRound(StepInput):
    """A round of review; the stage is the project's present one."""


class Invite(StepInput):
    """An expert for a task."""

    expert_id: UUID = ask("专家", "Expert", widget="person:expert")
    replaces: UUID | None = ask("替换的任务", "Replaces", default=None)


class Scores(StepInput):
    """A score for each criterion of the rubric, by code, and a comment."""

    scores: dict[str, Annotated[int, Field(ge=0)]] = ask("评分", "Scores", widget="rubric")
    comment: Annotated[str, Field(max_length=20000)] = ask("评审意见", "Comment", widget="text", default="")


class RecordVote(StepInput):
    """A secret ballot as it was counted; who is absent has no vote and cannot be represented."""

    present: Annotated[int, Field(ge=1, le=999)] = ask("到会人数", "Members present")
    in_favour: Count = ask("赞成", "In favour")
    against: Count = ask("反对", "Against")
    abstained: Count = ask("弃权", "Abstained", default=0)
    minutes: Text = ask("会议纪要", "Minutes", widget="text")


class AnnounceDraw(StepInput):
    """A draw for some rounds, and the public value to come that will decide it."""

    programme_id: UUID = ask("计划", "Programme", widget="programme")
    office_path: Annotated[str, Field(pattern=r"^/([a-z0-9-]+/)*$")] = ask("部门", "Office", widget="office")
    title: Line = ask("抽取名称", "Title")
    rounds: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=2000)] = ask(
        "评审轮次", "Review rounds", widget="rounds"
    )
    source_kind: Literal["figure", "drand"] = ask("公开随机值", "Public value", default="figure")
    source_name: Line = ask(
        "随机值名称（将于何处公布）", "Which value, and where it will be published", widget="source"
    )
    source_on: Day = ask("公布日", "Published on", widget="date")
    replaces: UUID | None = ask("重新抽取：原抽取", "Redraw: the draw before", widget="draw", default=None)
    reason: Annotated[str, Field(max_length=4000)] = ask("理由", "Reason", widget="text", default="")


class ConcludeDraw(StepInput):
    """The public value exactly as it was published, and where that can be looked up."""

    value: Annotated[str, Field(min_length=1, max_length=1000)] = ask("公布的随机值", "The published value")
    evidence: Text = ask("公布出处", "Where it was published", widget="text")


class Succeed(StepInput):
    """A seat of a drawn panel that fell vacant; the successor follows from the draw."""

    round_id: UUID = ask("评审轮次", "Round", widget="drawn_round")
    expert_id: UUID = ask("离任专家", "Expert who left", widget="drawn_expert")


class FileReviewRequest(StepInput):
    """A request to review a decision (复审). Academic judgement is no ground (NSFC 2024, art. 19)."""

    ground: Literal["procedure", "fact", "recusal", "academic_judgement"] = ask("理由类别", "Ground")
    statement: Text = ask("复审请求", "Request", widget="text")


class PublishNotice(StepInput):
    """The day a public notice is issued and the day its window opens."""

    opens_on: Day | None = ask("公示开始日", "First day", widget="date", default=None)
    proposed_minor: Minor | None = ask("拟立项金额", "Proposed award", widget="money", default=None)


class FileObjection(StepInput):
    """An objection; a person signs with a telephone number, a unit with its seal."""

    objector: Annotated[str, Field(max_length=300)] = ask(
        "异议人（保密）", "Objector (confidential)", default=""
    )
    contact: Annotated[str, Field(max_length=300)] = ask(
        "联系方式（保密）", "Contact (confidential)", default=""
    )
    grounds: Text = ask("异议事由", "Grounds", widget="text")


class Answer(StepInput):
    """The answer to an objection."""

    answer: Text = ask("答复", "Answer", widget="text")


class AnnounceCall(StepInput):
    """A call and its window, both days included."""

    programme_id: UUID = ask("计划", "Programme", widget="programme")
    title: Line = ask("指南名称", "Title")
    opens_on: Day = ask("受理开始日", "Opens on", widget="date")
    closes_on: Day = ask("受理截止日", "Closes on", widget="date")


class Appropriate(StepInput):
    """What a programme may spend in a fiscal year; without a source it is the programme's first."""

    programme_id: UUID = ask("计划", "Programme", widget="programme")
    fiscal_year: Annotated[int, Field(ge=2000, le=2200)] = ask("预算年度", "Fiscal year")
    currency: Currency = ask("币种", "Currency")
    amount_minor: Minor = ask("预算金额", "Amount", widget="money")
    source: Annotated[str, Field(max_length=60)] = ask(
        "资金来源", "Source", widget="money_source", default=""
    )
    office_path: Office = ask("单位", "Office", widget="office", default="/")


class MakeBatch(StepInput):
    """Which released payments go to the bank together, and when they are to be executed."""

    programme_id: UUID = ask("计划", "Programme", widget="programme")
    currency: Currency = ask("币种", "Currency")
    execution_on: Day = ask("执行日", "Day of execution")
    office_path: Office = ask("部门（含下级）", "Office, with those below it", widget="office", default="/")
    released_until: Day | None = ask("截止到此日放款的", "Released by the end of", default=None)


class WriteBatch(StepInput):
    """The file a batch became, fixed before anybody can take it; by row, what was left out and why."""

    file_name: Line = ask("文件名", "File")
    sha256: Sha256 = ask("文件摘要", "Digest")
    size: Annotated[int, Field(gt=0)] = ask("字节数", "Bytes")
    staged_as: Line = ask("待交付文件名", "Staged as")
    number: Annotated[int, Field(gt=0)] = ask("笔数", "Payments")
    total_minor: Minor = ask("合计", "Total")
    left_out: dict[str, str] = ask("未列入", "Left out", default={})
    findings: tuple[dict[str, Any], ...] = ask("提示", "Remarks", default=())

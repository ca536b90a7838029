"""What a new version of a programme would change for the projects that run under the old one.

Nothing moves here. A running project keeps its version until somebody takes the step that changes it; this is
what they read before they do. A project whose state the new version does not know would be stranded: it is
named, and the change has to wait for it or leave it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from config.programme_rules import percent
from config.programmes import Deadline, Programme, Text, Tranche
from states.labels import choice_label, role_label, state_label, step_label
from states.machines import Compiled
from states.step import words

Kind = Literal["gained", "lost", "changed"]
SUSPENDED = "suspended"
UNITS = {
    "working_days": words("个工作日", "working days"),
    "calendar_days": words("日", "days"),
    "months": words("个月", "months"),
    "years": words("年", "years"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the new version says otherwise; ``path`` is its place in a programme file."""

    kind: Kind
    path: str
    words: Text


@dataclass(frozen=True, slots=True)
class Project:
    """A running project: what people call it, where it stands, and where from if it is suspended."""

    code: str
    state: str
    suspended_from: str | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What lies ahead of one project: stages it would meet anew or no longer meet, in their order."""

    project: Project
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything that changes, for whom, and who would be stranded."""

    differences: tuple[Difference, ...]
    outlooks: tuple[Outlook, ...]
    stranded: tuple[Project, ...]

    @property
    def possible(self) -> bool:
        """True when every running project can move."""
        return not self.stranded

    def lines(self, locale: str) -> list[str]:
        """The whole preview in sentences, those that stop the change first."""
        zh = locale == "zh"
        lines = [_stranded(project, zh) for project in self.stranded]
        lines += [each.words.zh if zh else each.words.en for each in self.differences]
        lines += [_outlook(each, zh) for each in self.outlooks if each.gained or each.lost]
        return lines or ["没有变化。" if zh else "Nothing changes."]


def preview(old: Compiled, new: Compiled, running: Iterable[Project | tuple[str, str]]) -> Preview:
    """Compare two versions for the projects that run under the old one, given as (code, state) or in full."""
    projects = [each if isinstance(each, Project) else Project(*each) for each in running]
    known = set(new.machines["project"].states)
    stranded = [p for p in projects if p.state not in known or _nowhere_to_resume(p, known)]
    outlooks = [_ahead(old.programme, new.programme, p) for p in projects if p not in stranded]
    return Preview(tuple(differences(old.programme, new.programme)), tuple(outlooks), tuple(stranded))


def _nowhere_to_resume(project: Project, known: set[str]) -> bool:
    return project.state == SUSPENDED and project.suspended_from not in (None, *known)


def _ahead(old: Programme, new: Programme, project: Project) -> Outlook:
    """The stages after the project's own, compared; a stage put in behind it passes it by."""
    at = project.suspended_from if project.state == SUSPENDED else project.state
    if at not in old.stages or at not in new.stages:
        return Outlook(project, (), ())
    before, after = old.stages[old.stages.index(at) :], new.stages[new.stages.index(at) :]
    return Outlook(
        project,
        tuple(stage for stage in after if stage not in before),
        tuple(stage for stage in before if stage not in after),
    )


# -- differences --------------------------------------------------------------------------------------


def differences(old: Programme, new: Programme) -> Iterator[Difference]:
    """What the new version says otherwise, in the order of a programme file."""
    yield from _heading(old, new)
    yield from _stages(old.stages, new.stages)
    yield from _tranches(old, new)
    yield from _deadlines(old, new)
    for name, zh, en in (
        ("pledge_signers", "承诺书签署人", "Who signs the pledges"),
        ("checklist", "资格条件", "The checklist of eligibility"),
        ("review", "评审办法", "How experts review"),
        ("notice_working_days", "公示天数", "The length of the public notice"),
        ("anonymous_objections", "匿名异议的受理", "Whether anonymous objections are taken"),
        ("review_request_days", "申请复审的期限", "The time to request a review"),
        ("milestones", "里程碑计划", "The plan of milestones"),
        ("gate_settings", "拨付条件的数值", "The figures of the gates"),
        ("payees", "收款账户的规定", "What accounts are paid to"),
        ("approvals", "拨付审批的档次", "Who approves payments, by their sum"),
        ("claims", "费用申报的科目", "What costs are claimed under"),
        ("retention", "保留金比例", "What is held back"),
        ("late_interest", "逾期利息", "What is owed for paying late"),
        ("budget", "预算和退款去向", "The budget, and where refunds go"),
        ("before_balance_at_most", "余款之前的上限", "The most that is paid before the balance"),
        ("reminders", "提醒", "Reminders"),
        ("rule_set", "管理办法文件", "The rule set"),
    ):
        if getattr(old, name) != getattr(new, name):
            yield Difference("changed", name, words(f"{zh}有变化。", f"{en}: changed."))


def _heading(old: Programme, new: Programme) -> Iterator[Difference]:
    if old.currency != new.currency:
        sentence = words(
            f"币种由 {old.currency} 改为 {new.currency}；已立项项目的金额不会换算。",
            f"The currency changes from {old.currency} to {new.currency}; no award is converted.",
        )
        yield Difference("changed", "currency", sentence)
    if old.calendar != new.calendar:
        sentence = words(
            f"期限改按 {new.calendar} 日历计算。", f"Deadlines are counted by the calendar {new.calendar}."
        )
        yield Difference("changed", "calendar", sentence)


def _stages(old: Sequence[str], new: Sequence[str]) -> Iterator[Difference]:
    for stage in new:
        if stage not in old:
            label = state_label("project", stage)
            sentence = words(f"新增环节“{label.zh}”。", f"New stage: {label.en}.")
            yield Difference("gained", f"stages.{stage}", sentence)
    for stage in old:
        if stage not in new:
            label = state_label("project", stage)
            sentence = words(f"取消环节“{label.zh}”。", f"Stage no longer there: {label.en}.")
            yield Difference("lost", f"stages.{stage}", sentence)
    if [s for s in old if s in new] != [s for s in new if s in old]:
        yield Difference("changed", "stages", words("环节顺序有变化。", "The stages come in another order."))


def _tranches(old: Programme, new: Programme) -> Iterator[Difference]:
    before = {tranche.code: tranche for tranche in old.tranches}
    after = {tranche.code: tranche for tranche in new.tranches}
    for code, tranche in after.items():
        if code not in before:
            sentence = words(f"新增分期“{tranche.title.zh}”。", f"New tranche: {tranche.title.en}.")
            yield Difference("gained", f"tranches.{code}", sentence)
        else:
            yield from _tranche(before[code], tranche)
    for code, tranche in before.items():
        if code not in after:
            sentence = words(
                f"取消分期“{tranche.title.zh}”；已列入的拨付不受影响。",
                f"Tranche no longer there: {tranche.title.en}; payments already planned stay.",
            )
            yield Difference("lost", f"tranches.{code}", sentence)


COMPUTING = ("basis", "rate", "cap_minor", "minimum_minor", "instalments", "after_months", "every_months")


def _tranche(old: Tranche, new: Tranche) -> Iterator[Difference]:
    path, zh, en = f"tranches.{new.code}", new.title.zh, new.title.en
    if old.share != new.share:
        a, b = (percent(share) if share is not None else None for share in (old.share, new.share))
        sentence = words(
            f"“{zh}”的比例由 {a or '其余部分'} 改为 {b or '其余部分'}；已签任务书的项目金额不变。",
            f"{en}: the share changes from {a or 'the rest'} to {b or 'the rest'}; "
            "awards already planned keep their sums.",
        )
        yield Difference("changed", f"{path}.share", sentence)
    if (old.waits_for, old.milestone) != (new.waits_for, new.milestone):
        a_, b_ = choice_label(old.waits_for), choice_label(new.waits_for)
        sentence = words(
            f"“{zh}”由等待“{a_.zh}”改为“{b_.zh}”。", f"{en}: waits for “{b_.en}” instead of “{a_.en}”."
        )
        yield Difference("changed", f"{path}.waits_for", sentence)
    if any(getattr(old, name) != getattr(new, name) for name in COMPUTING):
        sentence = words(
            f"“{zh}”的金额或日期改按新的办法计算；已列入的拨付不变。",
            f"{en}: its sum or its days follow from new figures; payments already planned stay.",
        )
        yield Difference("changed", f"{path}.basis", sentence)
    for gate in new.gates:
        if gate not in old.gates:
            sentence = words(f"“{zh}”新增拨付条件 {gate}。", f"{en}: new gate {gate}.")
            yield Difference("gained", f"{path}.gates.{gate}", sentence)
    for gate in old.gates:
        if gate not in new.gates:
            sentence = words(f"“{zh}”取消拨付条件 {gate}。", f"{en}: no longer asks for {gate}.")
            yield Difference("lost", f"{path}.gates.{gate}", sentence)


def _deadlines(old: Programme, new: Programme) -> Iterator[Difference]:
    before = {deadline.name: deadline for deadline in old.deadlines}
    after = {deadline.name: deadline for deadline in new.deadlines}
    for name in dict.fromkeys((*after, *before)):
        path = f"deadlines.{name}"
        a, b = before.get(name), after.get(name)
        if a == b:
            continue
        if b is None and a is not None:
            where = _where(a)
            sentence = words(f"“{where.zh}”不再有期限。", f"{where.en}: no deadline any more.")
            yield Difference("lost", path, sentence)
        elif b is not None:
            where, length = _where(b), _length(b)
            was = _length(a) if a is not None else None
            zh = (
                f"“{where.zh}”的期限由 {was.zh} 改为 {length.zh}。"
                if was
                else f"“{where.zh}”新增期限：{length.zh}。"
            )
            en = (
                f"{where.en}: {length.en} instead of {was.en}."
                if was
                else f"{where.en}: new deadline, {length.en}."
            )
            yield Difference("changed" if was else "gained", path, words(zh, en))


def _where(deadline: Deadline) -> Text:
    noun, _, state = deadline.of.partition(".")
    return state_label(noun, state)


def _length(deadline: Deadline) -> Text:
    """A deadline in words: how long, from when, who, and what happens then."""
    unit = UNITS[deadline.unit]
    zh, en = f"{deadline.length} {unit.zh}", f"{deadline.length} {unit.en}"
    if deadline.from_field:
        zh, en = f"{deadline.from_field} 起 {zh}", f"{en} from {deadline.from_field}"
    who = [role_label(role) for role in deadline.who]
    zh += f"（{'、'.join(role.zh for role in who)}"
    en += f" ({', '.join(role.en for role in who)}"
    if deadline.act:
        act = step_label(deadline.act)
        zh, en = f"{zh}；到期{act.zh}", f"{en}; then: {act.en}"
    return words(f"{zh}）", f"{en})")


# -- sentences about projects -----------------------------------------------------------------------------


def _stranded(project: Project, zh: bool) -> str:
    at = project.state
    if project.state == SUSPENDED and project.suspended_from is not None:
        at = project.suspended_from
    label = state_label("project", at)
    if zh:
        return f"{project.code} 处于“{label.zh}”，新版本没有这个环节。请先办完该环节，或不变更此项目。"
    return (
        f"{project.code} is in “{label.en}”, which the new version does not have; "
        "conclude that stage first, or leave this project under its version."
    )


def _outlook(outlook: Outlook, zh: bool) -> str:
    new, gone = ([state_label("project", s) for s in stages] for stages in (outlook.gained, outlook.lost))
    if zh:
        parts = [f"还要经过{'、'.join(s.zh for s in new)}"] if new else []
        parts += [f"不再经过{'、'.join(s.zh for s in gone)}"] if gone else []
        return f"{outlook.project.code}：{'；'.join(parts)}。"
    parts = [f"will also pass {', '.join(s.en for s in new)}"] if new else []
    parts += [f"will no longer pass {', '.join(s.en for s in gone)}"] if gone else []
    return f"{outlook.project.code} {' and '.join(parts)}."

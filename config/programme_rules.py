"""What the parts of one programme file owe each other: shares, names within the file, review arithmetic.

Only what a file can be asked by itself. Whether a stage, a gate, a role or a step of that name exists, and
whether projects get through, is asked one layer up, in ``states.explore``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial

from config.plan_rules import PLAN_RULES
from config.programme_problems import Found
from config.programmes import BUILT_IN_DAYS, Programme
from config.toml_lines import KeyPath

Rule = Callable[[Programme], Iterator[Found]]
SCORED_STAGES = ("remote_review", "panel_review")
_NAME = re.compile(r"[a-z_]+\.[a-z_]+")


def broken_rules(programme: Programme) -> list[Found]:
    """Everything in this file that contradicts something else in it."""
    return [found for rule in RULES for found in rule(programme)]


def percent(share: Fraction) -> str:
    """A share as people read it, exactly: "40%" where it comes out even, else "1/3"."""
    hundred = share * 100
    return f"{hundred.numerator}%" if hundred.denominator == 1 else str(share)


def names_are_unique(programme: Programme) -> Iterator[Found]:
    """Whatever is referred to by name has a name of its own."""
    yield from _repeated("stage_repeated", programme.stages, lambda n: ("stages", n))
    yield from _repeated("signer_repeated", programme.pledge_signers, lambda n: ("pledge_signers", n))
    checklist = [item.code for item in programme.checklist]
    yield from _repeated("code_repeated", checklist, lambda n: ("checklist", n, "code"))
    tranches = [tranche.code for tranche in programme.tranches]
    yield from _repeated("code_repeated", tranches, lambda n: ("tranches", n, "code"))
    sources = [source.code for source in programme.budget.sources]
    yield from _repeated("code_repeated", sources, lambda n: ("budget", "sources", n, "code"))
    deadlines = [deadline.name for deadline in programme.deadlines]
    yield from _repeated("code_repeated", deadlines, lambda n: ("deadlines", n, "name"))
    if programme.review is not None:
        rubric = [criterion.code for criterion in programme.review.rubric]
        yield from _repeated("code_repeated", rubric, lambda n: ("review", "rubric", n, "code"))
        yield from _repeated(
            "code_repeated", programme.review.tie_items, lambda n: ("review", "tie_items", n)
        )
    for index, tranche in enumerate(programme.tranches):
        yield from _repeated("gate_repeated", tranche.gates, partial(_gate_path, index))


def _gate_path(tranche: int, gate: int) -> KeyPath:
    return ("tranches", tranche, "gates", gate)


def _repeated(code: str, names: Iterable[str], path: Callable[[int], KeyPath]) -> Iterator[Found]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Found(
                code,
                path(index),
                f"“{name}”写了两次。请删去一个或改名。",
                f'"{name}" is written twice; remove one or rename it.',
            )
        seen.add(name)


def shares_make_the_whole(programme: Programme) -> Iterator[Found]:
    """The tranches pay the award, no more and no less.

    Fixed shares alone add up to 100 %. Beside a ``per_milestone`` tranche they leave something for it: it
    pays each milestone's own amount, and the milestones are planned to add up to what the fixed shares
    leave. It may say that remainder as its own ``share``; then the sum is checked too.
    """
    spread = [(n, tranche) for n, tranche in enumerate(programme.tranches) if tranche.per_milestone]
    fixed = [
        (n, tranche)
        for n, tranche in enumerate(programme.tranches)
        if not tranche.per_milestone and tranche.basis != "retained"
    ]
    for index, _ in spread[1:]:
        yield Found(
            "second_per_milestone",
            ("tranches", index, "per_milestone"),
            "已有一个按里程碑拨付的分期，再有一个会重复支付。请合并。",
            "Another tranche already pays every milestone; a second would pay it again. Join them.",
        )
    for index, tranche in fixed:
        if tranche.share is None:
            yield Found(
                "share_missing",
                ("tranches", index),
                f'分期 {tranche.code} 没有比例。请写 share = "40%"。',
                f'Tranche {tranche.code} has no share; write share = "40%".',
            )
    if len(spread) > 1 or any(tranche.share is None for _, tranche in fixed):
        return
    whole = sum((tranche.share for tranche in programme.tranches if tranche.share is not None), Fraction(0))
    last = ("tranches", max((n for n, _ in (*fixed, *spread)), default=0), "share")
    open_rest = spread and spread[0][1].share is None
    if open_rest and whole >= 1:
        yield Found(
            "shares_not_whole",
            ("tranches", spread[0][0]),
            f"固定分期已占 {percent(whole)}，里程碑没有余额可拨。请减少固定分期。",
            f"The fixed shares take {percent(whole)} and leave nothing for the milestones; lower them.",
        )
    elif not open_rest and whole != 1:
        yield Found(
            "shares_not_whole",
            last,
            f"各分期比例之和是 {percent(whole)}，须是 100%。请改正各 share。",
            f"The shares add up to {percent(whole)}; correct them so that they make 100%.",
        )


def tranches_name_their_milestone(programme: Programme) -> Iterator[Found]:
    """A tranche that waits for a milestone says which one the plan has, or that it pays each of them."""
    plan, milestones = programme.milestones.plan, programme.milestones
    for index, tranche in enumerate(programme.tranches):
        at: KeyPath = ("tranches", index)
        if tranche.per_milestone and tranche.waits_for != "milestone":
            yield Found(
                "per_milestone_waits",
                (*at, "waits_for"),
                '按里程碑拨付的分期须写 waits_for = "milestone"。',
                'A tranche that pays per milestone has to say waits_for = "milestone".',
            )
        if tranche.per_milestone and not plan and not milestones.from_application:
            yield Found(
                "milestones_missing",
                at,
                "没有里程碑可拨付。请写 [[milestones.plan]] 或 from_application = true。",
                "There are no milestones to pay; write [[milestones.plan]] or from_application = true.",
            )
        named = tranche.milestone
        if named is not None and (tranche.waits_for != "milestone" or tranche.per_milestone):
            yield Found(
                "milestone_unused",
                (*at, "milestone"),
                "此分期不等待单个里程碑。请删去 milestone。",
                "This tranche does not wait for one milestone; remove milestone.",
            )
        elif tranche.waits_for == "milestone" and not tranche.per_milestone and named is None:
            yield Found(
                "milestone_unnamed",
                at,
                "请写明等待第几个里程碑（milestone = 1），或写 per_milestone = true。",
                "Say which milestone it waits for (milestone = 1), or write per_milestone = true.",
            )
        elif named is not None and not 1 <= named <= len(plan):
            yield Found(
                "milestone_unknown",
                (*at, "milestone"),
                f"计划里没有第 {named} 个里程碑，共有 {len(plan)} 个。请改号或补写计划。",
                f"The plan has {len(plan)} milestones and no number {named}; correct the number or add one.",
            )


def milestone_plan_is_sound(programme: Programme) -> Iterator[Found]:
    """Planned milestones come in order, are not too many, and share out everything or say no share."""
    plan = programme.milestones.plan
    if len(plan) > programme.milestones.at_most:
        yield Found(
            "too_many_milestones",
            ("milestones", "plan"),
            f"计划有 {len(plan)} 个里程碑，上限是 {programme.milestones.at_most}。请提高 at_most 或删减。",
            f"The plan has {len(plan)} milestones, at_most is {programme.milestones.at_most}; "
            "raise it or remove some.",
        )
    for index in range(1, len(plan)):
        if plan[index].after_months < plan[index - 1].after_months:
            yield Found(
                "milestones_out_of_order",
                ("milestones", "plan", index, "after_months"),
                "里程碑早于前一个。请按时间排列。",
                "This milestone is due before the one above it; put them in order.",
            )
    shares = [milestone.share for milestone in plan if milestone.share is not None]
    if shares and len(shares) < len(plan):
        yield Found(
            "share_missing",
            ("milestones", "plan"),
            "有的里程碑写了 share，有的没有。请都写或都不写。",
            "Some milestones have a share and some have none; give one to all or to none.",
        )
    elif shares and sum(shares) != 1:
        total = percent(sum(shares, Fraction(0)))
        yield Found(
            "shares_not_whole",
            ("milestones", "plan", len(plan) - 1, "share"),
            f"里程碑比例之和是 {total}，须是 100%。请改正。",
            f"The milestones' shares add up to {total}; correct them so that they make 100%.",
        )


def review_can_be_counted(programme: Programme) -> Iterator[Found]:
    """A programme with a scored stage says how it is scored, and some scores pass and some do not."""
    scored = [stage for stage in programme.stages if stage in SCORED_STAGES]
    review = programme.review
    if review is None:
        if scored:
            yield Found(
                "review_missing",
                ("stages", programme.stages.index(scored[0])),
                f"有 {scored[0]} 环节却没有评审办法。请写 [review] 和 [[review.rubric]]。",
                f"The stage {scored[0]} has no rule to score by; write [review] and [[review.rubric]].",
            )
        return
    if not scored:
        yield Found(
            "review_unused",
            ("review",),
            f"没有评审环节（{'、'.join(SCORED_STAGES)}）。请删去 [review]。",
            f"No stage is scored ({', '.join(SCORED_STAGES)}); remove [review] or add one.",
        )
    if review.pass_mark == 0:
        yield Found(
            "pass_mark_zero",
            ("review", "pass_mark"),
            "合格线是 0，谁都合格。请写 1 到 100，例如 60。",
            "With a pass mark of 0 everybody passes; write 1 to 100, for example 60.",
        )
    if not review.rubric:
        yield Found(
            "empty",
            ("review", "rubric"),
            "没有评分项。请写 [[review.rubric]]。",
            "There is no criterion; write [[review.rubric]].",
        )
    codes = [criterion.code for criterion in review.rubric]
    for index, code in enumerate(review.tie_items):
        if code not in codes:
            yield Found(
                "criterion_unknown",
                ("review", "tie_items", index),
                f"没有评分项“{code}”，有：{'、'.join(codes)}。请改正。",
                f'No criterion is called "{code}"; there are: {", ".join(codes)}. Correct it.',
            )
    in_order = [code for code in codes if code in review.tie_items]
    if sorted(in_order) == sorted(review.tie_items) and in_order != list(review.tie_items):
        yield Found(
            "tie_items_out_of_order",
            ("review", "tie_items"),
            f"同分时按评分表的顺序比较。请写 {'、'.join(in_order)}。",
            f"Ties are broken in the rubric's order; write {', '.join(in_order)}.",
        )
    for index, criterion in enumerate(review.rubric):
        if criterion.threshold > criterion.max:
            yield Found(
                "threshold_above_max",
                ("review", "rubric", index, "threshold"),
                f"门槛 {criterion.threshold} 高于满分 {criterion.max}，没有人能通过。请改低。",
                f"The threshold {criterion.threshold} is above the most ({criterion.max}): nobody passes. "
                "Lower it.",
            )


def panel_can_be_composed(programme: Programme) -> Iterator[Found]:
    """The panel has room for everyone it wants, and reaches the quorum."""
    review = programme.review
    if review is None:
        return
    panel, at = review.panel, ("review", "panel")
    wanted = sum(number for _, number in panel.kinds)
    if wanted > panel.size:
        yield Found(
            "panel_too_small",
            (*at, "kinds"),
            f"各类专家最少共 {wanted} 人，而评审组只有 {panel.size} 人。请提高 size 或减少人数。",
            f"The kinds ask for {wanted} experts, the panel has {panel.size}; raise size or ask for fewer.",
        )
    if panel.odd and panel.size % 2 == 0:
        yield Found(
            "panel_even",
            (*at, "size"),
            f"评审组 {panel.size} 人是偶数。请改为奇数，或写 odd = false。",
            f"A panel of {panel.size} is even; make it odd, or write odd = false.",
        )
    if panel.by != "hand" and review.quorum > panel.size:
        yield Found(
            "quorum_above_panel",
            ("review", "quorum"),
            f"有效份数 {review.quorum} 多于评审组人数 {panel.size}。请改低 quorum 或提高 size。",
            f"The quorum of {review.quorum} exceeds the panel of {panel.size}; lower it or raise size.",
        )
    if review.ballot is not None and "panel_review" not in programme.stages:
        yield Found(
            "ballot_unused",
            ("review", "ballot"),
            "没有会议评审环节（panel_review），无从表决。请删去 [review.ballot]。",
            "No panel meets (there is no stage panel_review); remove [review.ballot].",
        )
    for index, criterion in enumerate(review.rubric):
        if criterion.kind == "pass_fail" and criterion.max != 1:
            yield Found(
                "pass_fail_max",
                ("review", "rubric", index, "max"),
                "是否类评分项的满分是 1。请写 max = 1。",
                "A pass/fail line is 0 or 1; write max = 1.",
            )


def deadlines_are_well_formed(programme: Programme) -> Iterator[Found]:
    """A deadline is of ``noun.state``, and what it does by itself is a step of the same noun."""
    for index, deadline in enumerate(programme.deadlines):
        at: KeyPath = ("deadlines", index)
        names = {"of": deadline.of} | ({"act": deadline.act} if deadline.act is not None else {})
        malformed = [key for key, value in names.items() if not _NAME.fullmatch(value)]
        for key in malformed:
            yield Found(
                "name_malformed",
                (*at, key),
                f'{key} 须写成“名词.名称”，例如 "project.application"。',
                f'{key} has the form noun.name, for example "project.application".',
            )
        if (
            not malformed
            and deadline.act is not None
            and deadline.act.split(".")[0] != deadline.of.split(".")[0]
        ):
            yield Found(
                "act_of_another",
                (*at, "act"),
                f"期限属于 {deadline.of}，动作 {deadline.act} 属于别的对象。请改成同一对象的动作。",
                f"The deadline is of {deadline.of}, but {deadline.act} acts on something else. "
                "Name a step of the same noun.",
            )
        if deadline.length == 0 and deadline.from_field is None:
            yield Found(
                "length_zero",
                (*at, "length"),
                "期限为 0 且不从某个日期起算。请写 length 或 from_field。",
                "The deadline is over at once; write a length, or from_field to count from a date.",
            )


def reminders_refer_to_deadlines(programme: Programme) -> Iterator[Found]:
    """Every reminder is about a deadline of this file or one that all programmes have, and can happen."""
    known = [*(deadline.name for deadline in programme.deadlines), *BUILT_IN_DAYS]
    for index, reminder in enumerate(programme.reminders):
        if reminder.deadline not in known:
            close = difflib.get_close_matches(reminder.deadline, known, n=1)
            hint_zh, hint_en = (f"是否要写 {close[0]}？", f"Did you mean {close[0]}? ") if close else ("", "")
            names = ", ".join(known) or "-"
            yield Found(
                "deadline_unknown",
                ("reminders", index, "deadline"),
                f"没有名为“{reminder.deadline}”的期限。{hint_zh}已有：{names}。",
                f'There is no deadline "{reminder.deadline}". {hint_en}There are: {names}.',
            )
        if reminder.escalate_to and max(reminder.days) <= 0:
            yield Found(
                "escalation_never",
                ("reminders", index, "days"),
                "写了 escalate_to，却没有逾期后的提醒。请在 days 里加正数，例如 7。",
                "escalate_to is given but no reminder follows the deadline; add a positive day, such as 7.",
            )


def approval_tiers_rise(programme: Programme) -> Iterator[Found]:
    """Tiers begin at nothing, rise, and never ask for fewer people of a larger sum."""
    tiers = programme.approvals
    for index, tier in enumerate(tiers):
        at: KeyPath = ("approvals", index)
        before = tiers[index - 1] if index else None
        if (tier.above_minor > 0) if before is None else tier.above_minor <= before.above_minor:
            yield Found(
                "tiers_out_of_order",
                (*at, "above_minor"),
                "审批档次须从 0 起，逐档递增。请改正 above_minor。",
                "The tiers begin at 0 and rise; correct above_minor.",
            )
        fewer = before and [r for r, n in before.approvers.items() if tier.approvers.get(r, 0) < n]
        if fewer:
            yield Found(
                "tier_asks_for_fewer",
                (*at, "approvers"),
                f"金额更大，所需的 {'、'.join(fewer)} 反而更少。请改正 approvers。",
                f"A larger sum asks for fewer of {', '.join(fewer)}; correct approvers.",
            )
    if len(tiers) > 1 and programme.currency == "XXX":
        yield Found(
            "tiers_without_currency",
            ("approvals", 1),
            "各项目币种不同时，金额档次没有意义。请只写一档。",
            "Where each project has its own currency, a sum divides nothing; write one tier.",
        )


RULES: tuple[Rule, ...] = (
    approval_tiers_rise,
    names_are_unique,
    shares_make_the_whole,
    tranches_name_their_milestone,
    milestone_plan_is_sound,
    review_can_be_counted,
    panel_can_be_composed,
    deadlines_are_well_formed,
    reminders_refer_to_deadlines,
    *PLAN_RULES,
)

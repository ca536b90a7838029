"""What has to hold in every combination before money moves, and that every tranche can be paid at all.

``EARNED`` is said of the world itself, ``DANGERS`` of the facts that people set and unset. Neither looks at a
gate: it is the gates that are on trial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from config.programmes import Programme, Tranche
from states.abstract import ENDS, SUM, Model, World
from states.proofs import ASKED_BY
from states.resolve import Finding
from states.walk import Walk

LEFT_OR_LEAVING = ("released", "instructed", "unknown", "settled")
LIVE = ("planned", "due", "requested", "approved", "released", "instructed", "unknown")


@dataclass(frozen=True, slots=True)
class Earned:
    """What must have happened before a tranche is paid, said of the world itself and not by a gate."""

    gate: str
    zh: str
    en: str
    applies: Callable[[Programme, Tranche], bool]
    holds: Callable[[World], bool]


EARNED = (
    Earned(
        "agreement_signed", "任务书尚未签署", "the agreement is not signed",
        lambda programme, tranche: True,
        lambda world: world.column("agreement_signed_on") is not None,
    ),
    Earned(
        "notice_ended", "公示尚未结束或有异议", "the notice has not ended without an open objection",
        lambda programme, tranche: "public_notice" in programme.stages,
        lambda world: world.column("notice_state") == "ended" and not world.column("open_objections"),
    ),
    Earned(
        "milestone_accepted", "里程碑尚未通过", "the milestone is not accepted",
        lambda programme, tranche: tranche.waits_for == "milestone",
        lambda world: world.milestone == "accepted",
    ),
    Earned(
        "acceptance_passed", "验收尚未通过", "the acceptance is not passed",
        lambda programme, tranche: tranche.waits_for == "acceptance",
        lambda world: world.column("acceptance_outcome") == "passed",
    ),
)  # fmt: skip

MONEY_STEPS = ("payment.request", "payment.release", "payment.instruct")


@dataclass(frozen=True, slots=True)
class Danger:
    """A fact of the environment that has to stop a payment, the gate that looks at it, and where."""

    fact: str
    gate: str
    zh: str
    en: str
    always: bool = True
    steps: tuple[str, ...] = MONEY_STEPS
    applies: Callable[[Tranche], bool] = lambda tranche: True


DANGERS = (
    Danger("holds", "no_hold", "拨付已被冻结", "there is a hold"),
    Danger("integrity_flags", "integrity_clear", "有未解除的失信标记", "there is an integrity flag"),
    Danger("payee_id", "payee_verified", "收款账户未经核实", "the payee is not verified"),
    # What was requested already holds its money; from then on the year's account no longer matters.
    Danger("funds", "appropriation_available", "年度预算没有余额", "the year's money is gone",
           steps=("payment.request",)),
    Danger("own_contribution_minor", "own_contribution_evidenced", "自筹资金未到位",
           "own contribution is not evidenced", always=False),
    Danger("reviews_done", "required_reviews_done", "必需的审查未完成",
           "a required review is not done", always=False),
    Danger("owed", "nothing_owed", "应退款尚未退还也未作决定", "something is owed back and undecided",
           always=False),
    Danger("spent", "previous_tranche_spent", "前一笔拨款尚未使用", "the tranche before is not spent",
           always=False),
    Danger("verified_minor", "spending_verified", "没有核定支出", "no spending is verified",
           applies=lambda tranche: tranche.basis == "verified"),
    Danger("held_back", "spending_verified", "没有保留金", "nothing was held back",
           applies=lambda tranche: tranche.basis == "retained"),
    Danger("instalment_on", "day_reached", "约定日期未到", "its day has not come",
           applies=lambda tranche: tranche.waits_for == "day"),
    Danger("accounts_until", "expenditure_stated", "此前的支出未报", "spending before is not accounted for",
           always=False),
    *(Danger("proofs", gate, "材料未认可", "a paper is not accepted", always=False) for gate in ASKED_BY),
    Danger("delivered", "work_package_complete", "工作包没有全部交付", "the work package is not complete",
           always=False),
)  # fmt: skip


def unearned(walk: Walk) -> Iterator[Finding]:
    """No payment is on its way or paid while what its tranche waits for has not happened."""
    programme = walk.model.compiled.programme
    for earned in EARNED:
        if not earned.applies(programme, walk.tranche):
            continue
        for world in walk.came:
            if world.payment in LEFT_OR_LEAVING and not earned.holds(world):
                yield Finding(
                    "paid_unearned",
                    ("tranches", walk.model.focus, "gates"),
                    f"分期 {walk.tranche.code} 会在{earned.zh}时付出。请在 gates 里加上 {earned.gate}。",
                    f"Tranche {walk.tranche.code} can be paid while {earned.en}; "
                    f"add {earned.gate} to its gates.",
                    walk.path(world),
                )
                break


def _no_audit(programme: Programme) -> bool:
    """Whether the representative award is below what needs an audit."""
    return programme.gate_settings.audit_from_minor > SUM


def despite(walk: Walk) -> Iterator[Finding]:
    """No money moves despite a hold, a flag, an unverified payee or a gate that the tranche names."""
    for danger in DANGERS:
        if not danger.applies(walk.tranche) or not (danger.always or danger.gate in walk.tranche.gates):
            continue
        if danger.gate == "audit_report_present" and _no_audit(walk.model.compiled.programme):
            continue
        if danger.fact in ("spent", "accounts_until") and not walk.model.with_before:
            continue
        if danger.fact == "reviews_done" and not walk.model.compiled.programme.gate_settings.required_reviews:
            continue
        unkind = replace(walk.model, unkind=frozenset({danger.fact}))
        hit = next(((w, s) for w in walk.came for s in _money_steps(unkind, w, danger)), None)
        if hit is not None:
            world, step = hit
            yield Finding(
                "paid_despite",
                ("tranches", walk.model.focus, "gates"),
                f"{danger.zh}时，分期 {walk.tranche.code} 仍能执行 {step}。请在 gates 里加上 {danger.gate}。",
                f"Tranche {walk.tranche.code} goes through {step} although {danger.en}; "
                f"add {danger.gate} to its gates.",
                (*walk.path(world), step),
            )


def _money_steps(model: Model, world: World, danger: Danger) -> Iterator[str]:
    offered = model.offered("payment", world.payment) if world.payment else []
    for step in offered:
        if step.name in danger.steps and any(
            not model.refused(case, step) for case in model.cases(world, "payment", step)
        ):
            yield step.name


def never_paid(walk: Walk) -> Iterator[Finding]:
    """Every gate of the tranche opens at some time, and the tranche can be settled."""
    planned = [world for world in walk.came if world.payment in LIVE]
    shut = [
        (index, gate)
        for index, gate in enumerate(walk.tranche.gates)
        if planned and not any(walk.model.opens(world, gate) for world in planned)
    ]
    for index, gate in shut:
        yield Finding(
            "gate_never_opens",
            ("tranches", walk.model.focus, "gates", index),
            f"条件 {gate} 永远不会满足，分期 {walk.tranche.code} 付不出去。请删去或补写它等待的环节。",
            f"The gate {gate} never opens, so tranche {walk.tranche.code} is never paid; "
            "remove it or add what it waits for.",
        )
    if not planned:
        yield Finding(
            "tranche_never_planned",
            ("tranches", walk.model.focus),
            f"没有环节安排分期 {walk.tranche.code} 的拨付。请在 stages 里加上 approval 或 task_agreement。",
            f"No stage plans the payment of tranche {walk.tranche.code}; "
            "add approval or task_agreement to the stages.",
        )
    elif not shut and not any(world.payment == "settled" for world in walk.came):
        yield Finding(
            "tranche_never_paid",
            ("tranches", walk.model.focus),
            f"没有任何路径能付出分期 {walk.tranche.code}。请检查环节顺序和条件。",
            f"On no path is tranche {walk.tranche.code} paid; check the stages and its gates.",
        )


def outlived(walk: Walk) -> Iterator[Finding]:
    """When a project is over, none of its payments is still alive."""
    for world in walk.came:
        if world.project in ENDS["project"] and world.payment in LIVE:
            yield Finding(
                "payment_outlives_project",
                ("tranches", walk.model.focus),
                f"项目已是 {world.project}，分期 {walk.tranche.code} 的拨款仍为 {world.payment}。"
                "请调整环节顺序。",
                f"The project is {world.project} while the payment of tranche {walk.tranche.code} is still "
                f"{world.payment}; change the order of the stages.",
                walk.path(world),
            )
            return

"""Every name in a programme means something, its order makes sense, and in every state somebody has a day.

What needs no path to be seen. ``states.explore`` asks the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from config.programme_problems import Found, Problem
from config.programmes import Deadline, Programme
from config.toml_lines import KeyPath, Place
from schema.inputs import RecordReview
from schema.money import CURRENCIES
from schema.tables import metadata
from states.abstract import ENDS, QUIET
from states.gates import GATES
from states.machines import STATIC, Compiled
from states.project import project_steps
from states.roles import PERMISSIONS, ROLES
from states.stages import STAGES
from states.step import SAME, NounMachine, Step

OWN_CURRENCY = "XXX"  # each project's own
# What would have no sense the other way round, though every step could be taken.
PRECEDES = (
    ("approval", "task_agreement"),
    ("approval", "implementation"),
    ("task_agreement", "implementation"),
    ("implementation", "acceptance"),
)
# Nobody has to act here, so nobody has a deadline.
WAITING = {
    "payment.planned": "it waits for its gates, and whoever opens those has a deadline of their own",
    "payee.verified": "the account in force; nothing is left to do",
    "claim.draft": "the grantee's own; nobody waits for it until it is handed in",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a programme, where in its file, and the shortest path of steps that shows it."""

    code: str
    path: KeyPath
    zh: str
    en: str
    shortest: tuple[str, ...] = ()

    def placed(self, places: dict[KeyPath, Place]) -> Problem:
        """The same with its line in the file; the shortest path stands at the end of the words."""
        steps = " → ".join(self.shortest)
        zh = f"{self.zh}最短路径：{steps}。" if steps else self.zh
        en = f"{self.en} Shortest path: {steps}." if steps else self.en
        return Found(self.code, self.path, zh, en).placed(places)


# -- names ----------------------------------------------------------------------------------------


def unknown_names(programme: Programme) -> list[Finding]:
    """Every name that nothing answers to, with those that do."""
    found = list(_unknown_stages_and_gates(programme))
    if programme.currency not in CURRENCIES and programme.currency != OWN_CURRENCY:
        found.append(_unknown("currency", "币种", ("currency",), programme.currency, CURRENCIES))
    if not any(finding.code == "stage_unknown" for finding in found):
        found += _unknown_in_deadlines(programme)
    for index, reminder in enumerate(programme.reminders):
        at: KeyPath = ("reminders", index)
        found += _unknown_roles((*at, "to"), reminder.to)
        found += _unknown_roles((*at, "escalate_to"), reminder.escalate_to)
    for index, kind in enumerate(programme.gate_settings.required_reviews):
        try:
            RecordReview(kind=kind, opinion="-")
        except ValueError:
            found.append(
                Finding(
                    "review_kind_malformed",
                    ("gate_settings", "required_reviews", index),
                    f"“{kind}”不能作为审查类别。请用小写字母和下划线，例如 legal。",
                    f'"{kind}" cannot be a kind of review; use lower-case letters and _, such as legal.',
                )
            )
    return found


def _unknown_stages_and_gates(programme: Programme) -> Iterator[Finding]:
    for index, stage in enumerate(programme.stages):
        if stage not in STAGES:
            yield _unknown("stage", "环节", ("stages", index), stage, STAGES)
    for number, tranche in enumerate(programme.tranches):
        for index, gate in enumerate(tranche.gates):
            if gate not in GATES:
                yield _unknown("gate", "拨付条件", ("tranches", number, "gates", index), gate, GATES)


def _unknown_in_deadlines(programme: Programme) -> Iterator[Finding]:
    tables = {**STATIC, "project": project_steps(programme)}
    steps = {step.name for rows in tables.values() for step in rows}
    states = {f"{noun}.{state}" for noun, rows in tables.items() for state in _states(rows)}
    for index, deadline in enumerate(programme.deadlines):
        at: KeyPath = ("deadlines", index)
        if deadline.of not in states:
            yield _unknown("state", "状态", (*at, "of"), deadline.of, _of_same_noun(deadline.of, states))
            continue
        if deadline.act is not None and deadline.act not in steps:
            own = _of_same_noun(deadline.act, steps & PERMISSIONS["system"])
            yield _unknown("step", "步骤", (*at, "act"), deadline.act, own)
        yield from _unknown_roles((*at, "who"), deadline.who)
        noun = deadline.of.partition(".")[0]
        days = {c.name for c in metadata.tables[noun].columns if c.type.python_type.__name__ == "date"}
        if deadline.from_field is not None and deadline.from_field not in days:
            yield _unknown("field", "日期栏", (*at, "from_field"), deadline.from_field, days)


def _of_same_noun(name: str, known: Iterable[str]) -> list[str]:
    """Those of the same noun, so that the list stays short; of an unknown noun, all."""
    names = list(known)
    noun = name.partition(".")[0]
    return [each for each in names if each.startswith(f"{noun}.")] or names


def _states(rows: Iterable[Step]) -> set[str]:
    return {state for step in rows for pair in step.pairs() for state in pair if state}


def _unknown_roles(path: KeyPath, names: tuple[str, ...]) -> Iterator[Finding]:
    for index, name in enumerate(names):
        if name not in ROLES:
            yield _unknown("role", "角色", (*path, index), name, ROLES)


def _unknown(kind: str, zh: str, path: KeyPath, name: str, known: Iterable[str]) -> Finding:
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    hint_zh, hint_en = (f"是否要写 {close[0]}？", f"Did you mean {close[0]}? ") if close else ("", "")
    return Finding(
        f"{kind}_unknown",
        path,
        f"没有名为“{name}”的{zh}。{hint_zh}已有：{', '.join(names)}。",
        f'No {kind} is called "{name}". {hint_en}There are: {", ".join(names)}.',
    )


# -- order ----------------------------------------------------------------------------------------


def disorder(programme: Programme) -> Iterator[Finding]:
    """Stages that cannot stand where they stand, and settings that nothing looks at."""
    stages = programme.stages
    if stages[0] != "application":
        yield Finding(
            "application_not_first",
            ("stages", 0),
            "第一个环节须是 application（申报）。请把它放在最前。",
            'Every project begins with an application; put "application" first.',
        )
    if stages[-1] != "closure":
        yield Finding(
            "closure_not_last",
            ("stages", len(stages) - 1),
            "最后一个环节须是 closure（结项）。请把它放在最后。",
            'Every project ends in a closure; put "closure" last.',
        )
    for first, second in PRECEDES:
        if first in stages and second in stages and stages.index(first) > stages.index(second):
            yield Finding(
                "stages_out_of_order",
                ("stages", stages.index(second)),
                f"{second} 不能先于 {first}。请调换顺序。",
                f"{second} cannot come before {first}; change their order.",
            )
    for index, tranche in enumerate(programme.tranches):
        if tranche.waits_for == "acceptance" and "acceptance" not in stages:
            yield Finding(
                "acceptance_missing",
                ("tranches", index, "waits_for"),
                f"分期 {tranche.code} 等待验收，但没有 acceptance 环节。请补写环节或改 waits_for。",
                f"Tranche {tranche.code} waits for an acceptance, and there is no such stage; "
                "add acceptance to the stages or change waits_for.",
            )


def idle_settings(programme: Programme) -> Iterator[Finding]:
    """A gate that could never shut, a requirement that no gate asks for."""
    reviews = programme.gate_settings.required_reviews
    asking = [tranche for tranche in programme.tranches if "required_reviews_done" in tranche.gates]
    if reviews and not asking:
        yield Finding(
            "setting_idle",
            ("gate_settings", "required_reviews"),
            "写了必需审查，却没有分期要求 required_reviews_done。请在 gates 里加上，或删去。",
            "Reviews are required, but no tranche asks for them; add required_reviews_done to its gates.",
        )
    for number, tranche in enumerate(programme.tranches):
        for index, gate in enumerate(tranche.gates):
            alone = number == 0 and not tranche.per_milestone and tranche.instalments == 1
            nothing_before = gate in ("previous_tranche_spent", "expenditure_stated") and alone
            if nothing_before or (gate == "required_reviews_done" and not reviews):
                yield Finding(
                    "gate_idle",
                    ("tranches", number, "gates", index),
                    f"条件 {gate} 在此永远满足，没有作用。请删去，或补写它要核对的内容。",
                    f"The gate {gate} never shuts here; remove it or write what it is to look at.",
                )


# -- people -----------------------------------------------------------------------------------------


def nobody_waits_in_vain(
    compiled: Compiled, reached: dict[tuple[str, str], tuple[str, ...]]
) -> Iterator[Finding]:
    """In every state reached somebody can act and has a deadline; ``reached`` gives the path there."""
    for (noun, state), path in reached.items():
        machine = compiled.machines[noun]
        of = f"{noun}.{state}"
        if state in ENDS[noun] or of in WAITING:
            continue
        deadlines = compiled.deadlines.get(of, ())
        moving = {
            role
            for step in machine.steps_from(state)
            if step.target != SAME
            for role in machine.roles_of(step.name)
        }
        if not moving - {"system"} and not any(deadline.act for deadline in deadlines):
            yield Finding(
                "nobody_acts",
                ("deadlines",),
                f"在 {of} 没有人能办理，也没有到期自动执行的步骤。请写一个带 act 的期限。",
                f"In {of} nobody can act and nothing happens by itself; write a deadline with an act.",
                path,
            )
        if not deadlines:
            yield Finding(
                "deadline_missing",
                ("deadlines",),
                f'{of} 没有期限，无人知道办到何时。请加一行 of = "{of}"。',
                f'{of} has no deadline: nobody knows until when; add one with of = "{of}".',
                path,
            )


def deadlines_can_be_kept(compiled: Compiled) -> Iterator[Finding]:
    """Whoever a deadline names can do something there, and what happens by itself can happen."""
    for index, deadline in enumerate(compiled.programme.deadlines):
        machine = compiled.machines[deadline.of.partition(".")[0]]
        state = deadline.of.partition(".")[2]
        able = {
            role
            for step in machine.steps_from(state)
            if step.name not in QUIET
            for role in machine.roles_of(step.name)
        }
        at: KeyPath = ("deadlines", index)
        if deadline.act is None and not able & set(deadline.who):
            names = ", ".join(sorted(able - {"system"})) or "-"
            yield Finding(
                "deadline_for_bystander",
                (*at, "who"),
                f"{', '.join(deadline.who)} 在 {deadline.of} 不能推进任何步骤。可写：{names}。",
                f"{', '.join(deadline.who)} cannot move anything in {deadline.of}; name one of: {names}.",
            )
        if deadline.act is not None:
            yield from _act(deadline, (*at, "act"), machine)


def _act(deadline: Deadline, path: KeyPath, machine: NounMachine) -> Iterator[Finding]:
    name, state = str(deadline.act), deadline.of.partition(".")[2]
    sources = machine.steps[name].source if name in machine.steps else ()
    if state not in sources:
        yield Finding(
            "act_impossible",
            path,
            f"{name} 不能从 {deadline.of} 执行，只能从：{', '.join(sources) or '-'}。请改正 of 或 act。",
            f"{name} cannot be taken from {deadline.of}, only from {', '.join(sources) or '-'}; "
            "correct of or act.",
        )
    elif "system" not in machine.roles_of(name):
        own = sorted(step for step in machine.steps if "system" in machine.roles_of(step))
        yield Finding(
            "act_not_the_systems",
            path,
            f"系统无权自动执行 {name}。可写：{', '.join(own)}。",
            f"The system may not take {name} by itself; it may take {', '.join(own)}.",
        )

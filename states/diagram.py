"""The machines as pictures: Mermaid for documents, and ``docs/workflows.md`` written from the programmes.

``python -m states.diagram`` writes the document anew; a test fails when it is not current. The pictures for
pages are drawn by ``states.diagram_svg`` from the same ``Picture``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from config.programme_files import load_programme, shipped_programmes
from config.programmes import Programme, Text
from states.labels import choice_label, every_step, noun_label, role_label, said, state_label
from states.machines import STATIC, Compiled, compile_programme, static_machines
from states.preview import UNITS
from states.step import SAME, NounMachine

WORKFLOWS = Path(__file__).resolve().parent.parent / "docs" / "workflows.md"
MANY = 4  # From so many states on, a step is drawn once for all of them.
# Never on the straight line, though a short cut may lead through it.
ASIDE = frozenset({"suspended", "declined"})
# Where the straight line through a machine ends; everything else stands beside it.
GOAL = {
    "project": "archived",
    "milestone": "accepted",
    "payment": "settled",
    "payee": "verified",
    "receivable": "settled",
    "round": "decided",
    "task": "submitted",
    "notice": "ended",
    "objection": "upheld",
    "review_request": "upheld",
    "claim": "accepted",
    "draw": "drawn",
    "delegation": "ended",
    "call": "open",
    "appropriation": "closed",
    "budget_change": "confirmed",
    "batch": "closed",
    "bank_exception": "explained",
    "bank_intake": "recorded",
}


@dataclass(frozen=True, slots=True)
class Link:
    """Steps between the same states, joined. ``sources`` or ``targets`` has several where they are many."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    labels: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """What there is to draw: the straight line through the machine, what stands beside it, and the links."""

    noun: str
    spine: tuple[str, ...]
    beside: tuple[str, ...]
    ends: frozenset[str]
    links: tuple[Link, ...]


def picture(machine: NounMachine) -> Picture:
    """A machine's picture. Steps that create their subject or change no state are left out."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Text]] = {}
    for step in machine.steps.values():
        if step.target == SAME or not step.source:
            continue
        targets = step.target if isinstance(step.target, tuple) else (step.target,)
        for sources, reached in _drawn(step.source, targets):
            found.setdefault((sources, reached), []).append(step.label)
    links = tuple(Link(a, b, tuple(dict.fromkeys(labels))) for (a, b), labels in found.items())
    spine = _spine(machine)
    beside = tuple(state for state in machine.states if state not in spine)
    return Picture(machine.noun, spine, beside, machine.terminal, links)


def _drawn(
    sources: tuple[str, ...], targets: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    if len(sources) >= MANY or len(targets) >= MANY:
        yield sources, targets
    else:
        yield from (((source,), (target,)) for source in sources for target in targets if source != target)


def _spine(machine: NounMachine) -> tuple[str, ...]:
    """The shortest way from the beginning to the goal, by the rows in their order."""
    first = next(step.target for step in machine.steps.values() if not step.source)
    assert isinstance(first, str)
    ways: dict[str, tuple[str, ...]] = {first: (first,)}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        for step in machine.steps_from(state):
            for source, target in step.pairs():
                if source == state and target not in ways and target not in ASIDE:
                    ways[target] = (*ways[state], target)
                    waiting.append(target)
    return ways.get(GOAL[machine.noun]) or max(ways.values(), key=len)


def in_words(text: Text, locale: str) -> str:
    """A label in one language, or in both for a document that everybody reads."""
    return f"{text.zh} · {text.en}" if locale == "both" else said(text, locale)


def several(drawn: Picture, states: tuple[str, ...], locale: str) -> str:
    """Many states in few words: a run of the straight line by its ends, the others by name."""
    on_line = [state for state in drawn.spine if state in states]
    run = drawn.spine[drawn.spine.index(on_line[0]) : drawn.spine.index(on_line[-1]) + 1] if on_line else ()
    names = [in_words(state_label(drawn.noun, state), locale) for state in states if state not in run]
    if on_line and list(run) == on_line and len(run) > 2:
        ends = [in_words(state_label(drawn.noun, state), locale) for state in (run[0], run[-1])]
        return ", ".join([" … ".join(ends), *names])
    return ", ".join(in_words(state_label(drawn.noun, state), locale) for state in states)


# -- Mermaid ----------------------------------------------------------------------------------------


def mermaid(drawn: Picture, locale: str = "both") -> str:
    """The picture as a Mermaid ``stateDiagram-v2`` of plain states and arrows, which every renderer takes."""
    lines = ["stateDiagram-v2"]
    groups: dict[tuple[str, ...], str] = {}
    for link in drawn.links:
        for states in (link.sources, link.targets):
            if len(states) > 1 and states not in groups:
                groups[states] = f"any_{len(groups) + 1}"
    for state in (*drawn.spine, *drawn.beside):
        lines.append(f'    state "{_plain(in_words(state_label(drawn.noun, state), locale))}" as {state}')
    for states, name in groups.items():
        lines.append(f'    state "{_plain(several(drawn, states, locale))}" as {name}')
    lines.append(f"    [*] --> {drawn.spine[0]}")
    for link in drawn.links:
        a, b = (groups.get(states, states[0]) for states in (link.sources, link.targets))
        label = " / ".join(in_words(text, locale) for text in link.labels)
        lines.append(f"    {a} --> {b} : {_plain(label)}")
    lines += [f"    {state} --> [*]" for state in (*drawn.spine, *drawn.beside) if state in drawn.ends]
    return "\n".join(lines) + "\n"


def _plain(label: str) -> str:
    """No sign that means something to Mermaid."""
    return label.translate(str.maketrans('":;#\n', "'：；＃ "))


# -- docs/workflows.md ------------------------------------------------------------------------------


def workflows() -> str:
    """The whole document: the shipped programmes, then the machines that all programmes share."""
    parts = [
        "# 工作流 · Workflows",
        "本文由 `python -m states.diagram` 生成，请勿手改。 · Written by `python -m states.diagram`; "
        "do not edit.",
        "## 计划 · Programmes",
    ]
    for path in shipped_programmes():
        compiled = compile_programme(load_programme(path).programme)
        parts += _programme(compiled)
    parts += ["## 各对象 · What all programmes share"]
    for noun in STATIC:
        machine = static_machines()[noun]
        parts += [
            f"### {in_words(noun_label(noun), 'both')}",
            _fenced(mermaid(picture(machine))),
            _steps_table(machine),
        ]
    parts += ["## 项目步骤 · Steps of a project", _who_table()]
    return "\n\n".join(parts) + "\n"


def _programme(compiled: Compiled) -> list[str]:
    programme = compiled.programme
    return [
        f"### {in_words(programme.title, 'both')}",
        f"`{programme.code}` v{programme.version} · {programme.currency}",
        _fenced(mermaid(picture(compiled.machines["project"]))),
        _tranche_table(programme),
        _deadline_table(compiled),
    ]


def _fenced(text: str) -> str:
    return f"```mermaid\n{text}```"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _tranche_table(programme: Programme) -> str:
    rows = []
    for tranche in programme.tranches:
        share = str(tranche.share * 100) + " %" if tranche.share is not None else "其余 · the rest"
        waits = in_words(choice_label(tranche.waits_for), "both")
        gates = ", ".join(f"`{gate}`" for gate in tranche.gates)
        rows.append((in_words(tranche.title, "both"), share, waits, gates))
    return _table(("分期 · Tranche", "比例 · Share", "等待 · Waits for", "条件 · Gates"), rows)


def _deadline_table(compiled: Compiled) -> str:
    rows = []
    for deadline in compiled.programme.deadlines:
        noun, _, state = deadline.of.partition(".")
        where = f"{in_words(noun_label(noun), 'both')}: {in_words(state_label(noun, state), 'both')}"
        unit = UNITS[deadline.unit]
        length = f"{deadline.length} {unit.zh} · {deadline.length} {unit.en}"
        if deadline.from_field:
            length = f"`{deadline.from_field}`" + (f" + {length}" if deadline.length else "")
        who = ", ".join(in_words(role_label(role), "both") for role in deadline.who)
        act = compiled.step(deadline.act) if deadline.act else None
        rows.append((where, length, who, in_words(act.label, "both") if act else ""))
    return _table(("状态 · In", "期限 · Within", "谁 · Who", "到期自动 · Then by itself"), rows)


def _steps_table(machine: NounMachine) -> str:
    rows = []
    for step in machine.steps.values():
        pairs = step.pairs()
        name = machine.noun
        sources = [in_words(state_label(name, a), "both") for a in dict.fromkeys(a for a, _ in pairs) if a]
        targets = [in_words(state_label(name, b), "both") for b in dict.fromkeys(b for _, b in pairs)]
        rows.append(
            (
                f"`{step.name}`",
                in_words(step.label, "both"),
                ", ".join(sources),
                "=" if step.target == SAME else ", ".join(targets),
                _roles(machine.roles_of(step.name)),
            )
        )
    return _table(("步骤 · Step", "", "从 · From", "到 · To", "谁 · Who"), rows)


def _who_table() -> str:
    machine = compile_programme(load_programme(shipped_programmes()[0]).programme).machines["project"]
    rows = [
        (f"`{step.name}`", in_words(step.label, "both"), _roles(machine.roles_of(step.name)))
        for step in every_step().values()
        if step.noun == "project"
    ]
    return _table(("步骤 · Step", "", "谁 · Who"), rows)


def _roles(names: Iterable[str]) -> str:
    return ", ".join(in_words(role_label(name), "both") for name in names)


if __name__ == "__main__":
    WORKFLOWS.write_text(workflows(), encoding="utf-8")

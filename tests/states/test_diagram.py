"""Guarantee: the pictures show every step and state there is, stay readable, and the document is current."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from config.programme_files import load_programme, shipped_programmes
from states.diagram import GOAL, WORKFLOWS, mermaid, picture, workflows
from states.diagram_svg import svg
from states.labels import said, state_label
from states.machines import compile_programme, static_machines
from states.step import SAME, NounMachine

PROGRAMMES = {path.stem: load_programme(path).programme for path in shipped_programmes()}
MACHINES: dict[str, NounMachine] = {
    **{name: compile_programme(programme).machines["project"] for name, programme in PROGRAMMES.items()},
    **static_machines(),
}
SVG = "{http://www.w3.org/2000/svg}"
each_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))


def test_the_document_is_current() -> None:
    assert WORKFLOWS.read_text(encoding="utf-8") == workflows(), "Write it anew: python -m states.diagram"


@each_machine
def test_the_picture_has_every_way_from_one_state_to_another(machine: NounMachine) -> None:
    drawn = picture(machine)
    ways = {(a, b) for link in drawn.links for a in link.sources for b in link.targets if a != b}
    rows = [step for step in machine.steps.values() if step.source and step.target != SAME]
    assert ways == {(a, b) for step in rows for a, b in step.pairs() if a != b}
    assert sorted((*drawn.spine, *drawn.beside)) == sorted(machine.states)


@each_machine
def test_the_straight_line_leads_from_the_beginning_to_the_goal(machine: NounMachine) -> None:
    spine = picture(machine).spine
    assert spine[-1] == GOAL[machine.noun]
    pairs = {pair for step in machine.steps.values() for pair in step.pairs()}
    assert ("", spine[0]) in pairs
    assert all(pair in pairs for pair in pairwise(spine))


@pytest.mark.parametrize("name", PROGRAMMES)
def test_the_stages_of_a_programme_stand_in_their_order(name: str) -> None:
    stages = PROGRAMMES[name].stages
    assert picture(MACHINES[name]).spine[: len(stages)] == stages


LINE = re.compile(
    r'stateDiagram-v2|    state "[^";:#\n]+" as \w+|    (\[\*\]|\w+) --> (\[\*\]|\w+)( : [^";:#\n]+)?'
)


@each_machine
@pytest.mark.parametrize("locale", ["zh", "en", "both"])
def test_mermaid_uses_only_plain_states_and_arrows(machine: NounMachine, locale: str) -> None:
    lines = mermaid(picture(machine), locale).splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    declared = {line.rsplit(" as ", 1)[1] for line in lines if " as " in line}
    used = {name for line in lines if "-->" in line for name in re.findall(r"(?<!\S)\w+(?= -->|$| :)", line)}
    assert {name for name in used if name in machine.states or name.startswith("any_")} <= declared


def boxes(text: str) -> list[tuple[float, float, float, float]]:
    root = ElementTree.fromstring(text)
    found = root.iter(f"{SVG}rect")
    return [tuple(float(box.attrib[k]) for k in ("x", "y", "width", "height")) for box in found]  # type: ignore[misc]


@each_machine
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_svg_shows_every_state_once_and_none_over_another(machine: NounMachine, locale: str) -> None:
    text = svg(picture(machine), locale)
    root = ElementTree.fromstring(text)
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    words = [element.text for element in root.iter(f"{SVG}text")]
    for state in machine.states:
        assert said(state_label(machine.noun, state), locale) in words
    placed = boxes(text)
    assert len(placed) == len(machine.states)
    for x, y, w, h in placed:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(placed, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


@each_machine
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_svg_names_every_step_and_no_name_lies_over_another(machine: NounMachine, locale: str) -> None:
    root = ElementTree.fromstring(svg(picture(machine), locale))
    labels = [e for e in root.iter(f"{SVG}text") if e.attrib.get("class") == "step"]
    written = " / ".join(str(label.text) for label in labels)
    for step in machine.steps.values():
        if step.source and step.target != SAME:
            assert said(step.label, locale) in written
    spots = [(label.attrib["x"], label.attrib["y"], label.attrib["text-anchor"]) for label in labels]
    assert len(spots) == len(set(spots))


def test_the_svg_marks_where_a_subject_stands() -> None:
    text = svg(picture(MACHINES["payment"]), current="approved")
    assert text.count('class="here"') == 1
    assert 'class="here"' not in svg(picture(MACHINES["payment"]))

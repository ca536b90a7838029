"""Whatever is changed in a published draw is found, and what cannot be read is said in a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace as but
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.experts.beacon import PublicValue
from milepost.experts.draw_record import (
    Record,
    Witness,
    announce,
    appended,
    conclude,
    read,
    witnessed,
    write,
)
from milepost.experts.draw_verify import verify
from states.commitment import Committed, Redraw
from states.drawing import GONE_REASONS, REQUIREMENTS, DrawError, members_after, replace
from states.seating import Composition
from tests.experts import second_draw
from tests.experts.draw_scene import candidate, committed, expert, project

DESCRIPTION = Path(__file__).resolve().parents[2] / "docs" / "draw.md"
VALUE = PublicValue("3417.12", "2026-05-06T15:30:00+08:00")
WITNESS = Witness("00000000-0000-4000-8000-0000000000f1", "present", "2026-05-06T15:30:00+08:00")
A = project(1).id
NAMES = "5a" * 32


def codes(data: object, **given_: Any) -> list[str]:
    findings = verify(data, **given_)  # type: ignore[arg-type]
    assert all(finding.zh and finding.en for finding in findings)
    return [finding.code for finding in findings]


def fixed(**other: Any) -> Committed:
    pool = [candidate(n, ("technology", "finance", "management")[n % 3], capacity=3) for n in range(15)]
    composition = Composition(
        3, {"technology": 1, "finance": 1}, off_site_share=Fraction(1, 3), field_digits=3
    )
    projects = [project(1, excluded={expert(0): "kin"}), project(2)]
    return but(committed(pool, composition, projects, supervision="present", names=NAMES), **other)


def drawn_record() -> Record:
    """Two projects, a supervisor, a member of the first panel who declined and a successor who did."""
    record = witnessed(conclude(announce(fixed()), VALUE), WITNESS)
    record = declined(record, record.panels[0].members[0], "2026-05-07T10:00:00+08:00")
    (successor,) = record.replacements[0].successors
    return declined(record, successor, "2026-05-07T11:00:00+08:00")


def declined(record: Record, gone: str, at: str) -> Record:
    entry = replace(
        record.committed,
        record.drawn(),
        record.replacements,
        project=record.drawn().panels[0].project,
        gone=gone,
        reason="declined",
        at=at,
        remaining={expert(5): 1},
    )
    return appended(record, entry)


RECORD = drawn_record()
SAID: dict[str, Any] = json.loads(write(RECORD))


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    said = deepcopy(SAID)
    change(said)
    return said


# -- what holds ------------------------------------------------------------------------------------


def test_a_true_record_holds_before_the_value_and_after() -> None:
    assert codes(write(announce(fixed()))) == []
    assert codes(write(RECORD)) == []
    assert codes(write(RECORD).decode(), held=RECORD.commitment.upper() + "\n") == []


def test_records_of_the_first_format_hold_as_they_did() -> None:
    """They know people by the ids of the pool; what they say beside that is checked by the same rules."""
    old = witnessed(conclude(announce(fixed(names="")), VALUE), WITNESS)
    said = json.loads(write(old))
    assert said["format"] == said["committed"]["format"] == "milepost-draw/1"
    assert "names" not in said["committed"] and codes(said) == []
    assert second_draw.panels_of(said["committed"], old.commitment, VALUE.text) == said["panels"]
    assert write(read(write(old))) == write(old)
    mixed: list[dict[str, Any]] = [
        {**said, "format": "milepost-draw/2"},
        {**said, "committed": {**said["committed"], "names": NAMES}},
        {**SAID, "committed": {key: v for key, v in SAID["committed"].items() if key != "names"}},
        {**SAID, "format": "milepost-draw/1"},
    ]
    assert all(set(codes(one)) == {"malformed"} for one in mixed)


def test_a_record_is_the_same_bytes_whenever_it_is_written_and_survives_being_laid_out_anew() -> None:
    assert write(read(write(RECORD))) == write(RECORD)
    assert read(write(RECORD)) == RECORD
    laid_out = "\ufeff" + json.dumps(SAID, indent=4)
    assert codes(laid_out.encode()) == []


def test_the_example_of_the_description_is_what_both_implementations_compute() -> None:
    text = DESCRIPTION.read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    said = json.loads(block)
    assert codes(block) == []
    commitment, value = second_draw.commitment_of(said["committed"]), said["value"]["text"]
    assert commitment == said["commitment"]
    assert second_draw.panels_of(said["committed"], commitment, value) == said["panels"]
    (entry,) = said["replacements"]
    followed = second_draw.successors_of(
        said["committed"], commitment, value, said["panels"], said["replacements"], 0
    )
    assert followed == (entry["successors"], entry["short"])
    record = read(block)
    for figure in (
        record.commitment,
        record.drawn().seed,
        str(len(second_draw.written(said["committed"]).encode())),
    ):
        assert figure in text.partition("```json")[2].partition("```")[2]
    for one in record.committed.projects:
        name = second_draw.keyed_hash(bytes.fromhex(record.drawn().seed), f"project:{one.id}")
        assert f"`{name.hex()}`" in text
        for person in record.committed.pool:
            rank = second_draw.keyed_hash(bytes.fromhex(record.drawn().seed), f"expert:{one.id}:{person.id}")
            assert f"…{person.id[-2:]} | `{rank.hex()[:16]}`" in text


def test_the_description_names_every_key_and_every_code_of_a_record_in_both_languages() -> None:
    text = DESCRIPTION.read_text(encoding="utf-8")
    chinese, english = text.partition("\n## English\n")[::2]

    def keys(value: object) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value))
        if not isinstance(value, dict):
            return set()
        return {key for key in value if "-" not in key}.union(*map(keys, value.values()))

    wanted = keys(SAID) | {"signature", "previous_signature", "chain_hash", "public_key", "round"}
    wanted |= {*GONE_REASONS, *REQUIREMENTS, "pool"}
    for language in (chinese, english):
        assert (
            sorted(word for word in wanted if f"`{word}`" not in language and f'"{word}"' not in language)
            == []
        )


# -- what was changed ------------------------------------------------------------------------------


def swap(rows: list[Any]) -> None:
    rows[0], rows[1] = rows[1], rows[0]


def double(rows: list[Any]) -> None:
    rows.insert(1, deepcopy(rows[0]))


def put(said: dict[str, Any], path: str, value: object) -> None:
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    at: Any = said
    for step in way:
        at = at[step]
    at[last] = value


STRANGER = "00000000-0000-4000-8000-00000000ffff"
NEXT = SAID["replacements"][1]["successors"][0]
SPARE = next(expert(n) for n in range(15) if expert(n) not in SAID["panels"][1]["members"])
FIRST, SECOND, *_ = SAID["panels"][1]["members"]
# Somebody of the pool who sits nowhere and follows nobody.
IDLE = next(n for n in range(1, 15) if expert(n) not in json.dumps([SAID["panels"], SAID["replacements"]]))
NOTHING = {"project": STRANGER, "members": [], "short": []}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        # What was committed to.
        ("committed.pool.3.region", "home", {"commitment_changed"}),
        ("committed.pool.3.capacity", 9, {"commitment_changed"}),
        ("committed.composition.field_digits", 2, {"commitment_changed"}),
        ("committed.composition.size", 4, {"commitment_changed", "size_even"}),
        ("committed.projects.0.excluded", {}, {"commitment_changed"}),
        ("committed.programme.version", 2, {"commitment_changed"}),
        ("committed.committed_at", "2026-05-04T09:00:01+08:00", {"commitment_changed"}),
        ("committed.source.en", "Another figure", {"commitment_changed"}),
        (f"committed.projects.0.excluded.{STRANGER}", "kin", {"commitment_changed", "excluded_unknown"}),
        ("committed.composition.off_site_share", [2, 6], {"commitment_changed", "not_exact"}),
        ("commitment", "0" * 64, {"commitment_changed", "panel_changed"}),
        # The value.
        ("value", None, {"panels_without_value"}),
        ("value.text", "3417.13", {"panel_changed"}),
        ("value.text", " 3417.12", {"value_not_exact", "panel_changed"}),
        ("value.taken_at", "2026-05-04T08:59:59+08:00", {"value_taken_first", "value_taken_early"}),
        ("value.taken_at", "2026-05-05T23:59:59+08:00", {"value_taken_early"}),
        ("value.taken_at", "2026-05-06T00:30:00+09:00", {"value_taken_early"}),
        ("value.signature", "ab", {"signature_of_figure"}),
        # The panels.
        ("panels.1.members.0", SPARE, {"panel_changed"}),
        ("panels.1.members.0", STRANGER, {"panel_changed", "member_unknown"}),
        ("panels.1.members.0", SECOND, {"panel_changed", "member_twice"}),
        ("panels.1.members", [FIRST, SECOND], {"panel_changed"}),
        ("panels.1.short", ["fields"], {"short_changed"}),
        # The replacements.
        ("replacements.1.successors", [expert(0)], {"replacement_changed"}),
        ("replacements.1.successors", [STRANGER], {"replacement_changed", "successor_unknown"}),
        ("replacements.1.successors", [], {"replacement_changed"}),
        (f"replacements.1.remaining.{NEXT}", 0, {"replacement_changed"}),
        (f"replacements.1.excluded.{NEXT}", "kin", {"replacement_changed"}),
        (f"replacements.1.remaining.{expert(1)}", 3, {"replacement_not_exact"}),
        ("replacements.1.gone", expert(0), {"entry_not_member"}),
        ("replacements.1.project", STRANGER, {"entry_project_unknown"}),
        ("witnesses", [], {"witness_missing"}),
    ],
)
def test_a_changed_value_is_found_and_named(path: str, value: object, expected: set[str]) -> None:
    finds(changed(lambda said: put(said, path, value)), expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda said: said["committed"]["pool"].pop(IDLE), {"commitment_changed"}),
        (lambda said: swap(said["committed"]["pool"]), {"commitment_changed", "not_exact"}),
        (lambda said: double(said["committed"]["pool"]), {"commitment_changed", "candidate_twice"}),
        (lambda said: double(said["committed"]["projects"]), {"commitment_changed", "project_twice"}),
        (lambda said: swap(said["panels"]), {"order_changed"}),
        (lambda said: said["panels"].pop(1), {"panel_missing"}),
        (lambda said: said["panels"].pop(0), {"panel_missing"}),
        (lambda said: double(said["panels"]), {"panel_twice"}),
        (lambda said: said["panels"].append(NOTHING), {"panel_of_nothing"}),
        (lambda said: swap(said["panels"][1]["members"]), {"panel_changed"}),
        (lambda said: said["panels"][1]["members"].append(SPARE), {"panel_changed"}),
        (lambda said: said["replacements"].pop(0), {"entry_not_member"}),
        (lambda said: swap(said["replacements"]), {"entry_not_member"}),
        (lambda said: double(said["replacements"]), {"entry_not_member"}),
    ],
)
def test_what_is_added_left_out_or_moved_is_found_and_named(
    change: Callable[[dict[str, Any]], object], expected: set[str]
) -> None:
    finds(changed(change), expected)


def finds(said: dict[str, Any], expected: set[str]) -> None:
    found = set(codes(said))
    assert expected <= found
    # What is beside the point is not cried over: only panels that really differ may come on top.
    assert found - expected <= {"panel_changed", "replacement_changed", "order_changed"}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [found for at, item in enumerate(value) for found in leaves(item, (*path, at))]
    return [path]


# What is told and from which nothing need follow: moments, reasons, loads of people who rank behind.
FREE = {
    "value": {"taken_at"},
    "replacements": {"at", "reason"},
    "witnesses": {"person", "at", "manner"},
}
BOUND = [path for path in leaves(SAID) if path[-1] not in FREE.get(path[0], ()) and "remaining" not in path]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(BOUND), st.data())
def test_no_single_value_can_be_changed_unnoticed(path: tuple[Any, ...], data: st.DataObject) -> None:
    said = deepcopy(SAID)
    at: Any = said
    for step in path[:-1]:
        at = at[step]
    old = at[path[-1]]
    same_sort = (
        st.integers(0, 20) if type(old) is int else st.sampled_from([expert(3), "home", "51010", "", "x"])
    )
    new = data.draw((st.booleans() if type(old) is bool else same_sort).filter(lambda one: one != old))
    at[path[-1]] = new
    assert codes(said) != []


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(leaves(SAID)),
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.lists(st.integers())
    | st.floats()
    | st.just({}),
    st.integers(0, 6),
)
def test_nothing_that_a_file_may_hold_raises_an_exception(path: tuple[Any, ...], junk: Any, up: int) -> None:
    said = deepcopy(SAID)
    at: Any = said
    path = path[: max(1, len(path) - up)]
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = junk
    codes(said)
    codes(json.dumps(said))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b"PK\x03\x04", "not_json"),
        ("{", "not_json"),
        ("[" * 100_000, "not_json"),
        ('{"a": 1, "a": 2}', "not_json"),
        (json.dumps(SAID).replace('"capacity": 3', '"capacity": 3.0', 1), "not_json"),
        (json.dumps(SAID).replace('"capacity": 3', '"capacity": NaN', 1), "not_json"),
        ('{"version": ' + "9" * 5000 + "}", "not_json"),
        ("null", "malformed"),
        ("[]", "malformed"),
        ("3", "malformed"),
        ("{}", "malformed"),
        (changed(lambda r: r.pop("panels")), "malformed"),
        (changed(lambda r: r["committed"].pop("pool")), "malformed"),
        (changed(lambda r: put(r, "format", "milepost-draw/3")), "malformed"),
        (changed(lambda r: put(r, "committed.pool.0.name", "Zhang San")), "malformed"),
        (changed(lambda r: put(r, "committed.pool.0.kinds", ["law"])), "malformed"),
        (changed(lambda r: put(r, "committed.pool.0.capacity", True)), "malformed"),
        (changed(lambda r: put(r, "committed.pool.0.region", "\ud800")), "malformed"),
        (changed(lambda r: put(r, "committed.committed_at", "2026-02-30T09:00:00+08:00")), "malformed"),
        (changed(lambda r: put(r, "committed.committed_at", "2026-05-04T09:00:00Z")), "malformed"),
        (changed(lambda r: put(r, "committed.composition.off_site_share", [1, 0])), "malformed"),
        (changed(lambda r: put(r, "committed.source.kind", "dice")), "malformed"),
        (changed(lambda r: put(r, "replacements.0.reason", "disliked")), "malformed"),
    ],
)
def test_what_is_no_record_is_said_in_a_sentence(data: Any, code: str) -> None:
    found = verify(data)
    assert {finding.code for finding in found} == {code}
    assert all("Traceback" not in finding.en for finding in found)
    with pytest.raises(DrawError):
        read(data)


def test_a_misfit_is_named_by_its_place_and_a_thousand_do_not_bury_the_first() -> None:
    (finding,) = verify(changed(lambda r: put(r, "committed.pool.2.capacity", -1)))
    assert "committed.pool[2].capacity" in finding.en and "committed.pool[2].capacity" in finding.zh
    assert len(verify(changed(lambda r: r["panels"].extend([1] * 1000)))) == 20


def test_a_rewritten_draw_is_found_by_whoever_kept_the_commitment() -> None:
    other = fixed(draw="00000000-0000-4000-8000-0000000000d2")
    rewritten = witnessed(conclude(announce(other), VALUE), WITNESS)
    assert codes(write(rewritten)) == []
    assert codes(write(rewritten), held=RECORD.commitment) == ["commitment_not_held"]


def test_a_draw_is_concluded_once() -> None:
    with pytest.raises(DrawError) as refused:
        conclude(RECORD, VALUE)
    assert [finding.code for finding in refused.value.findings] == ["drawn_already"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"draw": "D1"},
        {"programme_version": 0},
        {"committed_at": "2026-05-04T09:00:00"},
        {"pool": (candidate(1, id="Zhang San"),)},
        {"composition": Composition(4)},
    ],
)
def test_what_would_be_found_wrong_is_never_announced(wrong: dict[str, Any]) -> None:
    with pytest.raises(DrawError):
        announce(fixed(**wrong))


# -- supervisors and redraws -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("supervision", "manners", "expected"),
    [
        ("none", [], []),
        ("present", [], ["witness_missing"]),
        ("present", ["present"], []),
        ("present", ["signed"], []),
        ("signed", [], ["witness_missing"]),
        ("signed", ["present"], ["witness_unsigned"]),
        ("signed", ["present", "signed"], []),
    ],
)
def test_the_supervisor_that_the_programme_asks_for_is_on_record(
    supervision: str, manners: list[str], expected: list[str]
) -> None:
    record = conclude(announce(fixed(supervision=supervision)), VALUE)
    for manner in manners:
        record = witnessed(record, but(WITNESS, manner=manner))
    assert codes(write(record)) == expected


def redraw(before: Record, *, kept: tuple[str, ...] = (), **other: Any) -> Record:
    """Another attempt for the first project alone."""
    again = fixed(
        **{
            "draw": STRANGER,
            "attempt": before.committed.attempt + 1,
            "previous": Redraw(before.commitment, "两人同日因故不能参加 / two are prevented"),
            "projects": (project(1, kept=kept),),
            "committed_at": "2026-05-08T09:00:00+08:00",
            "source": but(fixed().source, published_on="2026-05-11"),
            **other,
        }
    )
    return witnessed(conclude(announce(again), but(VALUE, taken_at="2026-05-11T16:00:00+08:00")), WITNESS)


def sitting(record: Record, at: str) -> tuple[str, ...]:
    return members_after(record.drawn(), record.replacements, at)


def test_a_redraw_names_the_attempt_before_and_keeps_only_who_sat() -> None:
    second = redraw(RECORD, kept=sitting(RECORD, A)[:1])
    third = redraw(second)
    first_bytes, second_bytes, third_bytes = write(RECORD), write(second), write(third)
    assert codes(second_bytes) == codes(second_bytes, earlier=[first_bytes, second_bytes]) == []
    assert codes(third_bytes, earlier=[first_bytes, second_bytes]) == []
    # Seen from the first, the later ones are on its line.
    assert codes(first_bytes, earlier=[second_bytes, third_bytes]) == []
    assert codes(third_bytes, earlier=[first_bytes]) == ["previous_not_there"]


def test_an_attempt_that_was_dropped_is_found_by_whoever_kept_its_record() -> None:
    second, other = redraw(RECORD), redraw(RECORD, draw=expert(999))
    assert codes(write(second), earlier=[write(RECORD), write(other)]) == ["attempt_hidden"]
    fresh = witnessed(conclude(announce(fixed(draw=expert(998))), VALUE), WITNESS)
    assert codes(write(fresh), earlier=[write(RECORD)]) == ["attempt_hidden"]
    # A draw for other projects is nobody's hidden attempt.
    apart = fixed(draw=expert(997), projects=(project(9),))
    assert codes(write(announce(apart)), earlier=[write(RECORD)]) == []


def test_a_redraw_that_miscounts_or_keeps_a_stranger_is_found() -> None:
    assert codes(write(redraw(RECORD, attempt=5)), earlier=[write(RECORD)]) == ["attempt_number"]
    stranger = next(expert(n) for n in range(1, 15) if expert(n) not in sitting(RECORD, A))
    assert codes(write(redraw(RECORD, kept=(stranger,))), earlier=[write(RECORD)]) == ["kept_never_sat"]
    assert codes(write(RECORD), earlier=[b"{}"])[0] == "malformed"

"""Guarantee: a programme file is taken whole, or refused with every problem, its line and its remedy."""

from __future__ import annotations

import hashlib
import pickle
import tomllib
from fractions import Fraction
from pathlib import Path

import pytest

from config.programme_files import ProgrammeError, load_programme, shipped_programmes
from config.programmes import Programme

MINIMAL = """\
code = "tiny"
version = 1
title = { zh = "小", en = "Tiny" }
support_mode = "small_grant"
currency = "CNY"
stages = ["application", "approval", "closure"]
rule_set = { title = { zh = "办法", en = "Rules" } }

[[tranches]]
code = "all"
title = { zh = "全额", en = "All" }
waits_for = "agreement"
share = "100%"
gates = ["no_hold"]

[[deadlines]]
of = "project.application"
name = "application_due"
length = 30
unit = "calendar_days"
who = ["applicant"]
"""

REVIEW = '[review]\nrubric = [{ code = "a", text = { zh = "甲", en = "A" }, max = 5, threshold = %s }]\n'
TWO_SHARES = '[[tranches]]\ncode = "b"\ntitle = {zh="乙",en="B"}\nwaits_for = "acceptance"\ngates = []\n'


def edited(before: str, after: str) -> str:
    assert MINIMAL.count(before) == 1, before
    return MINIMAL.replace(before, after)


def problems_of(text: str) -> list[tuple[str, int | None, str]]:
    with pytest.raises(ProgrammeError) as raised:
        load_programme(text, name="tiny.toml")
    for problem in raised.value.problems:
        assert problem.zh.endswith("。") and problem.en.endswith("."), problem
    return [(problem.code, problem.line, problem.path) for problem in raised.value.problems]


# -- what is taken ----------------------------------------------------------------------------------


def test_a_file_is_kept_with_its_text_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    loaded = load_programme(path)
    assert loaded.programme.tranches[0].share == Fraction(1)
    assert loaded.source_text == MINIMAL
    assert loaded.digest == hashlib.sha256(MINIMAL.encode()).hexdigest()
    assert load_programme(loaded.source_text, name="again").digest == loaded.digest


def test_a_byte_order_mark_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load_programme(path).programme == load_programme(MINIMAL).programme


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("60", Fraction(60)),
        ('"2/3"', Fraction(200, 3)),
        ('"66.5%"', Fraction(133, 2)),
        ("100", Fraction(100)),
    ],
)
def test_a_pass_mark_is_exact(written: str, meant: Fraction) -> None:
    review = (REVIEW % 3).replace("[review]\n", f"[review]\npass_mark = {written}\n")
    text = edited('"application", "approval"', '"application", "panel_review", "approval"') + review
    loaded = load_programme(text).programme
    assert loaded.review is not None and loaded.review.pass_mark == meant


@pytest.mark.parametrize("path", shipped_programmes(), ids=lambda path: path.stem)
def test_every_shipped_programme_loads_under_its_own_name(path: Path) -> None:
    assert load_programme(path).programme.code == path.stem


def test_six_programmes_are_shipped() -> None:
    assert len(shipped_programmes()) == 6


# -- what is refused ----------------------------------------------------------------------------------

SYNTAX = [
    ('title = { zh = "小"', "title = { zh = “小”", "全角"),
    ('currency = "CNY"', "currency = CNY", "quotes"),
    ('currency = "CNY"', 'currency = "CNY', "quotation mark"),
    ('currency = "CNY"', 'currency "CNY"', "equals"),
    ('currency = "CNY"', 'currency = "CNY" calendar = "CN"', "Only one key"),
    ('currency = "CNY"', 'code = "again"', "written twice"),
    ('"approval", "closure"]', '"approval" "closure"]', "not closed"),
]


@pytest.mark.parametrize(("before", "after", "remedy"), SYNTAX)
def test_a_syntax_error_names_its_line_and_the_remedy(before: str, after: str, remedy: str) -> None:
    text = edited(before, after)
    with pytest.raises(ProgrammeError) as raised:
        load_programme(text, name="tiny.toml")
    (problem,) = raised.value.problems
    line = MINIMAL[: MINIMAL.index(before)].count("\n") + 1
    assert problem.code == "toml_syntax"
    assert problem.line == line
    assert remedy in problem.en + problem.zh


SHAPE = [
    ("version = 1", "version = 0", ("out_of_range", 2, "version")),
    ("version = 1", 'version = "one"', ("wrong_kind", 2, "version")),
    ('currency = "CNY"\n', "", ("key_missing", None, "currency")),
    ('code = "all"\n', "", ("key_missing", 9, "tranches[0].code")),
    ('currency = "CNY"', 'currency = "CNY"\ncalender = "CN"', ("key_unknown", 6, "calender")),
    ('currency = "CNY"', 'currency = "CNY"\ncalendar = "US"', ("choice_unknown", 6, "calendar")),
    ('code = "tiny"', 'code = "Tiny One"', ("code_malformed", 1, "code")),
    ('share = "100%"', "share = 1.0", ("not_a_share", 13, "tranches[0].share")),
    ('share = "100%"', 'share = "none"', ("not_a_share", 13, "tranches[0].share")),
    ('share = "100%"', 'share = "-40%"', ("not_a_share", 13, "tranches[0].share")),
    ('share = "100%"', 'share = "1/0"', ("not_a_share", 13, "tranches[0].share")),
    ('share = "100%"', 'share = "140%"', ("more_than_the_whole", 13, "tranches[0].share")),
    ('who = ["applicant"]', "who = []", ("empty", 21, "deadlines[0].who")),
    ('who = ["applicant"]', 'who = "applicant"', ("wrong_kind", 21, "deadlines[0].who")),
    ('zh = "小"', 'zh = ""', ("empty", 3, "title.zh")),
    ("length = 30", "length = 30.5", ("wrong_kind", 19, "deadlines[0].length")),
    ('rule_set = { title = { zh = "办法", en = "Rules" } }', "rule_set = 4", ("wrong_kind", 7, "rule_set")),
]


@pytest.mark.parametrize(("before", "after", "problem"), SHAPE)
def test_a_wrong_shape_is_refused_at_its_line(
    before: str, after: str, problem: tuple[str, int | None, str]
) -> None:
    assert problems_of(edited(before, after)) == [problem]


RULES = [
    ('"approval", "closure"', '"approval", "approval"', ("stage_repeated", 6, "stages[2]")),
    ('gates = ["no_hold"]', 'gates = ["no_hold", "no_hold"]', ("gate_repeated", 14, "tranches[0].gates[1]")),
    ('share = "100%"', 'share = "90%"', ("shares_not_whole", 13, "tranches[0].share")),
    ('share = "100%"\n', "", ("share_missing", 9, "tranches[0]")),
    ('"agreement"', '"milestone"', ("milestone_unnamed", 9, "tranches[0]")),
    ('"agreement"', '"milestone"\nmilestone = 1', ("milestone_unknown", 13, "tranches[0].milestone")),
    ('"agreement"', '"agreement"\nmilestone = 1', ("milestone_unused", 13, "tranches[0].milestone")),
    ('"approval", "closure"', '"panel_review", "closure"', ("review_missing", 6, "stages[1]")),
    ('of = "project.application"', 'of = "application"', ("name_malformed", 17, "deadlines[0].of")),
    ("length = 30", 'length = 30\nact = "milestone.waive"', ("act_of_another", 20, "deadlines[0].act")),
    ("length = 30", "length = 0", ("length_zero", 19, "deadlines[0].length")),
]


@pytest.mark.parametrize(("before", "after", "problem"), RULES)
def test_parts_that_contradict_each_other_are_refused_at_their_line(
    before: str, after: str, problem: tuple[str, int | None, str]
) -> None:
    assert problems_of(edited(before, after)) == [problem]


PLAN = '[[milestones.plan]]\ntitle = {zh="一",en="One"}\nafter_months = %d\n%s\n'
SPREAD = MINIMAL.replace('share = "100%"', "per_milestone = true").replace('"agreement"', '"milestone"')
PANEL = MINIMAL.replace('"approval"', '"panel_review"')
REMINDER = '[[reminders]]\ndeadline = "application_due"\ndays = [-1]\n'
MANY = TWO_SHARES.replace('"acceptance"', '"milestone"') + "per_milestone = true"
TWO_ITEMS = """[review]
tie_items = ["b", "a"]
rubric = [
  { code = "a", text = { zh = "甲", en = "A" }, max = 5 },
  { code = "b", text = { zh = "乙", en = "B" }, max = 5 },
]
"""
ADDED = [
    (MINIMAL + REVIEW % 3, ("review_unused", 22, "review")),
    (PANEL + REVIEW % 6, ("threshold_above_max", 23, "review.rubric[0].threshold")),
    (PANEL + "[review]\nrubric = []", ("empty", 23, "review.rubric")),
    (PANEL + (REVIEW % 3).replace("\n", "\npass_mark = 0\n", 1), ("pass_mark_zero", 23, "review.pass_mark")),
    (
        PANEL + (REVIEW % 3).replace("\n", '\ntie_items = ["b"]\n', 1),
        ("criterion_unknown", 23, "review.tie_items[0]"),
    ),
    (
        PANEL + (REVIEW % 3).replace("\n", '\ntie_items = ["a", "a"]\n', 1),
        ("code_repeated", 23, "review.tie_items[1]"),
    ),
    (
        PANEL + TWO_ITEMS,
        ("tie_items_out_of_order", 23, "review.tie_items"),
    ),
    (MINIMAL + REMINDER.replace("app", "ap"), ("deadline_unknown", 23, "reminders[0].deadline")),
    (MINIMAL + REMINDER + "escalate_to = ['counsel']", ("escalation_never", 24, "reminders[0].days")),
    (MINIMAL + TWO_SHARES + 'share = "5%"', ("shares_not_whole", 27, "tranches[1].share")),
    (
        MINIMAL.replace('"100%"', '"95%"') + TWO_SHARES.replace('"b"', '"all"') + 'share = "5%"',
        ("code_repeated", 23, "tranches[1].code"),
    ),
    (SPREAD, ("milestones_missing", 9, "tranches[0]")),
    (SPREAD + PLAN % (6, "") + TWO_SHARES + 'share = "100%"', ("shares_not_whole", 9, "tranches[0]")),
    (SPREAD + PLAN % (6, "") + MANY, ("second_per_milestone", 31, "tranches[1].per_milestone")),
    (
        MINIMAL + PLAN % (6, "") + PLAN % (3, ""),
        ("milestones_out_of_order", 28, "milestones.plan[1].after_months"),
    ),
    (MINIMAL + PLAN % (6, 'share="50%"') + PLAN % (9, ""), ("share_missing", 22, "milestones.plan")),
    (
        MINIMAL + PLAN % (6, 'share="50%"') + PLAN % (9, 'share="40%"'),
        ("shares_not_whole", 29, "milestones.plan[1].share"),
    ),
    (
        MINIMAL + "[milestones]\nat_most = 1\n" + PLAN % (6, "") + PLAN % (9, ""),
        ("too_many_milestones", 24, "milestones.plan"),
    ),
]


@pytest.mark.parametrize(("text", "problem"), ADDED)
def test_what_is_added_has_to_fit(text: str, problem: tuple[str, int | None, str]) -> None:
    assert problems_of(text) == [problem]


def test_all_problems_come_at_once_and_in_the_order_of_the_file() -> None:
    text = edited("version = 1", "version = 0").replace('share = "100%"', "share = 0.4").replace("30", '"x"')
    assert [line for _, line, _ in problems_of(text)] == [2, 13, 19]
    text = edited('share = "100%"', 'share = "90%"').replace("length = 30", "length = 0")
    assert [code for code, _, _ in problems_of(text)] == ["shares_not_whole", "length_zero"]


def test_a_misspelt_key_is_told_its_likely_name_and_all_names() -> None:
    with pytest.raises(ProgrammeError) as raised:
        load_programme(edited("waits_for", "wait_for"), name="tiny.toml")
    unknown = next(problem for problem in raised.value.problems if problem.code == "key_unknown")
    assert "waits_for?" in unknown.en and "per_milestone" in unknown.en


def test_a_file_in_another_encoding_is_told_to_be_saved_again(tmp_path: Path) -> None:
    path = tmp_path / "gbk.toml"
    path.write_bytes(MINIMAL.encode("gbk"))
    with pytest.raises(ProgrammeError, match="save it as UTF-8") as raised:
        load_programme(path)
    assert raised.value.problems[0].line is not None


def test_the_message_reads_like_a_compilers_and_survives_another_process() -> None:
    with pytest.raises(ProgrammeError) as raised:
        load_programme(edited('share = "100%"', 'share = "90%"'), name="tiny.toml")
    assert str(raised.value).startswith("tiny.toml:13: tranches[0].share: The shares add up to 90%")
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)


def test_every_key_of_the_shape_can_be_asked_for_by_a_broken_file() -> None:
    # The words are made from pydantic's findings; whatever comes must come with a line and a remedy.
    data = tomllib.loads(MINIMAL)
    for key in data:
        text = "\n".join(line for line in MINIMAL.splitlines() if not line.startswith(key))
        if key not in ("tranches", "deadlines"):
            assert ("key_missing", None, key) in problems_of(text)
    assert Programme.model_validate(data)

"""A problem in a programme file: which line, what is wrong there, what to write instead; in two languages.

Here are also the words for what the TOML reader and the shape (``config.programmes``) find. The rules
between the parts of a file are in ``config.programme_rules``.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.programmes import Programme
from config.toml_lines import KeyPath, Place, nearest, written


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right. ``code`` is for programs, ``zh`` and ``en`` give fact and remedy to people."""

    code: str
    line: int | None
    column: int | None
    path: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Found:
    """A problem that does not know its line yet."""

    code: str
    path: KeyPath
    zh: str
    en: str

    def placed(self, places: Mapping[KeyPath, Place]) -> Problem:
        """The same, with the line of the key, or of the closest thing around it."""
        place = nearest(dict(places), self.path)
        line, column = (place.line, place.column) if place else (None, None)
        return Problem(self.code, line, column, written(self.path), self.zh, self.en)


class ProgrammeError(ValueError):
    """A programme file that cannot be used; ``problems`` lists everything found, in the order of the file."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.name = name
        self.problems = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
        super().__init__("\n".join(self._line(problem) for problem in self.problems))

    def _line(self, problem: Problem) -> str:
        where = f"{self.name}:{problem.line}" if problem.line else self.name
        what = f" {problem.path}:" if problem.path else ""
        return f"{where}:{what} {problem.en} {problem.zh} [{problem.code}]"

    def __reduce__(self) -> tuple[type[ProgrammeError], tuple[str, list[Problem]]]:
        return type(self), (self.name, self.problems)


# -- what the TOML reader says --------------------------------------------------------------------

_FULL_WIDTH = str.maketrans("“”‘’，＝［］｛｝．：＃", "\"\"'',=[]{}.:#")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*")

# The reader's English message, as far as it is certain, and what the writer should do about it.
_SYNTAX: tuple[tuple[str, str, str], ...] = (
    (
        "Illegal character '\\n'",
        "引号没有闭合。请在这一行末尾补上引号。",
        "A quotation mark is not closed; close it.",
    ),
    ("Unterminated string", "引号没有闭合。请补上引号。", "A quotation mark is not closed; close it."),
    (
        "Expected '=' after a key",
        "键后面缺少等号。请写成 键 = 值。",
        "An equals sign is missing; write key = value.",
    ),
    (
        "Invalid value",
        '值不合写法。文字要加英文引号，例如 "CNY"。',
        'Not a value; put text in quotes, like "CNY".',
    ),
    (
        "Unclosed array",
        "列表没有闭合。请补上 ] 或逗号。",
        "A list is not closed; add the missing ] or comma.",
    ),
    (
        "Unclosed inline table",
        "花括号没有闭合。请补上 } 或逗号。",
        "A { is not closed; add the missing } or comma.",
    ),
    (
        "Cannot overwrite a value",
        "同一个键写了两次。请删去一个。",
        "The same key is written twice; remove one.",
    ),
    (
        "Duplicate inline table key",
        "同一个键写了两次。请删去一个。",
        "The same key is written twice; remove one.",
    ),
    (
        "Cannot declare",
        "同一个表写了两次。重复的段落请写成 [[表名]]。",
        "The same table is written twice; a part that repeats is written [[name]].",
    ),
    ("Cannot mutate", "同一个表写了两次。请合成一处。", "The same table is written twice; join them."),
    ("Expected newline", "一行只能写一个键。请另起一行。", "Only one key fits on a line; start a new line."),
    (
        "Invalid statement",
        "这一行不是 键 = 值，也不是 [表名]。",
        "This line is neither key = value nor [table].",
    ),
)


def syntax_problem(text: str, error: tomllib.TOMLDecodeError) -> Problem:
    """Say which line the reader stumbled over, and what to write there."""
    found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    line, column = (int(found[1]), int(found[2])) if found else (text.count("\n") + 1, 1)
    lines = text.split("\n")
    shown = lines[line - 1] if line <= len(lines) else ""
    bare = _QUOTED.sub("", shown)
    if (wrong := next((sign for sign in bare if ord(sign) in _FULL_WIDTH), None)) is not None:
        right = wrong.translate(_FULL_WIDTH)
        return Problem(
            "toml_syntax",
            line,
            shown.index(wrong) + 1,
            "",
            f"这一行有全角符号“{wrong}”。请改为英文半角 {right}。",
            f"This line has the full-width sign {wrong}; write {right} instead.",
        )
    message = str(error).split(" (at ")[0]
    zh, en = next(
        ((zh, en) for start, zh, en in _SYNTAX if message.startswith(start)),
        (
            f"这一行不是有效的 TOML：{message}。请改正。",
            f"This line is not valid TOML: {message}. Correct it.",
        ),
    )
    return Problem("toml_syntax", line, column, "", zh, en)


# -- what the shape says --------------------------------------------------------------------------

# What a value of this name looks like, for whoever left it out or wrote another kind of value.
_EXAMPLE = {
    "title": '{ zh = "…", en = "…" }',
    "text": '{ zh = "…", en = "…" }',
    "rule_set": '[rule_set] title = { zh = "…", en = "…" }',
    "share": '"40%"',
    "stages": '["application", "approval", "closure"]',
    "gates": '["agreement_signed", "no_hold"]',
    "who": '["applicant"]',
    "days": "[-14, -3, 7]",
    "of": '"project.application"',
    "currency": '"CNY"',
    "waits_for": '"agreement"',
    "tranches": '[[tranches]] code = "first"',
    "rubric": '[[review.rubric]] code = "novelty"',
    "unit": '"calendar_days"',
    "support_mode": '"pre_subsidy"',
}
_KIND = {
    "string_type": ("加引号的文字", "text in quotes"),
    "int_type": ("整数", "a whole number"),
    "int_parsing": ("整数", "a whole number"),
    "int_from_float": ("整数", "a whole number"),
    "bool_type": ("true 或 false", "true or false"),
    "bool_parsing": ("true 或 false", "true or false"),
    "tuple_type": ("方括号列表", "a list in square brackets"),
    "model_type": ("一个表", "a table"),
}


def shape_problem(detail: ErrorDetails) -> Found | None:
    """One finding of the shape in the words of whoever writes programme files; None if it only echoes."""
    kind, path, context = detail["type"], detail["loc"], detail.get("ctx", {})
    name = str(path[-1]) if path else ""
    example = _EXAMPLE.get(name, "…")
    if kind == "missing":
        shown = example if example.startswith("[") and " " in example else f"{name} = {example}"
        return Found(
            "key_missing", path, f"缺少 {name}。请写上 {shown}。", f"{name} is missing; write {shown}."
        )
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind in _KIND:
        zh, en = _KIND[kind]
        hint_zh, hint_en = (f"，例如 {example}", f", for example {example}") if example != "…" else ("", "")
        return Found("wrong_kind", path, f"{name} 须是{zh}{hint_zh}。", f"{name} has to be {en}{hint_en}.")
    if kind == "literal_error":
        choices = str(context["expected"]).replace("'", '"')
        written_here = f"“{detail['input']}”"
        return Found(
            "choice_unknown",
            path,
            f"{name} 不能是{written_here}。可写：{choices.replace(' or ', '、')}。",
            f"{name} cannot be {written_here}; write {choices}.",
        )
    if kind == "too_short":
        # An element that was refused is missing from the count; it has a problem of its own.
        if detail["input"]:
            return None
        return Found(
            "empty", path, f"{name} 不能为空。例如 {example}。", f"{name} is empty; for example {example}."
        )
    if kind == "string_too_short":
        return Found("empty", path, f"{name} 不能为空。请写上文字。", f"{name} is empty; write the words.")
    return _other(kind, path, name, detail, context)


def _other(kind: str, path: KeyPath, name: str, detail: ErrorDetails, context: dict[str, Any]) -> Found:
    if kind == "string_pattern_mismatch":
        return Found(
            "code_malformed",
            path,
            f"{name} 只能用小写字母、数字和连字符，以字母开头，例如 small-grants。",
            f"{name} takes lower-case letters, digits and hyphens, a letter first; for example small-grants.",
        )
    if kind == "not_a_share":
        return Found(
            "not_a_share",
            path,
            f'{name} 须写成大于 0 的文字比例，例如 "40%" 或 "2/5"。',
            f'{name} is a share above nought, written as text: for example "40%" or "2/5".',
        )
    if kind == "more_than_the_whole":
        return Found(kind, path, f"{name} 超过 100%。请改低。", f"{name} is more than 100%; lower it.")
    bounds = {
        "greater_than": ("大于", "more than", "gt"),
        "greater_than_equal": ("不小于", "at least", "ge"),
        "less_than_equal": ("不大于", "at most", "le"),
    }
    if kind in bounds:
        zh, en, key = bounds[kind]
        limit = context[key]
        return Found("out_of_range", path, f"{name} 须{zh} {limit}。", f"{name} has to be {en} {limit}.")
    said = detail["msg"]
    return Found(
        "wrong_value", path, f"{name} 的值不合要求：{said}。请改正。", f"{name}: {said}. Correct it."
    )


def _unknown_key(path: KeyPath) -> Found:
    name = str(path[-1])
    known = sorted(_keys_at(path[:-1]))
    close = difflib.get_close_matches(name, known, n=1)
    hint_zh, hint_en = (f"是否要写 {close[0]}？", f"Did you mean {close[0]}? ") if close else ("", "")
    return Found(
        "key_unknown",
        path,
        f"没有 {name} 这个键。{hint_zh}此处可写：{'、'.join(known)}。",
        f"There is no key {name} here. {hint_en}The keys are {', '.join(known)}.",
    )


def _keys_at(path: KeyPath) -> set[str]:
    """The keys that the table at ``path`` may have."""
    model: type[BaseModel] = Programme
    for part in path:
        if isinstance(part, str):
            inner = _model_in(model.model_fields[part].annotation)
            if inner is None:
                return set()
            model = inner
    return set(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)

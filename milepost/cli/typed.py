"""Turns what was typed for a step, as JSON or as key=value, into the input of ``perform``.

A sum is written as people write it (``amount=1.5万元`` for ``amount_minor``), a person by login
(``expert=wang`` for ``expert_id``), a programme by code, rounds by their projects
(``rounds=P-1,P-2``), a file by its path (``documents=@report.pdf``), a
part by a dot (``scores.quality=8``). What does not fit is left to the step's own model, which says so by
field; nothing is dropped in silence.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from milepost.cli.subjects import Named, find, person_named, programme_named
from milepost.cli.terminal import Usage
from milepost.db import Session
from milepost.documents import not_brought, store
from schema.money import Money
from states.step import Step

_PEOPLE = ("expert_id", "evaluator_id", "delegate_id")


def read_input(
    session: Session,
    step: Step | None,
    pairs: Sequence[str],
    given: str | None,
    subject: Named | None,
    *,
    person_id: UUID,
    bytes_max: int,
) -> dict[str, Any]:
    """The input: the JSON first, each key=value over it. ``given`` is JSON, or @FILE with it."""
    input = _json(given) if given else {}
    fields = step.input.model_fields if step is not None else {}
    typed: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise Usage(
                "pair_malformed",
                f"“{pair}”不是 名称=值 的形式。",
                f"{pair!r} is not key=value. Quote values with blanks: 'reason=two words'.",
            )
        typed[key.strip()] = value
    currency = str(typed.get("currency") or input.get("currency") or (subject.currency if subject else ""))
    for key, value in typed.items():
        head, dot, rest = key.partition(".")
        if dot:
            input.setdefault(head, {})[rest] = _loose(value)
            continue
        name = _field(head, fields)
        if name.endswith("_minor") and name != head:
            input[name] = Money.parse(value, currency or "CNY", allow_negative=False).minor
        elif name in _PEOPLE:
            input[name] = str(person_named(session, value))
        elif name == "programme_id":
            input[name] = str(programme_named(session, value))
        elif name == "rounds":
            input[name] = [_round(session, part) for part in value.split(",") if part.strip()]
        elif name == "round_id":
            input[name] = _round(session, value)
        elif name == "documents":
            input[name] = [_document(session, d, person_id, bytes_max) for d in value.split(",") if d]
        else:
            input[name] = _value(value, fields.get(name))
    _own_documents(session, input, person_id)
    return input


def _json(text: str) -> dict[str, Any]:
    source = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    try:
        value = json.loads(source)
    except ValueError as error:
        raise Usage(
            "json_malformed", f"--input 不是有效的 JSON：{error}。", f"--input is not JSON: {error}."
        ) from None
    if not isinstance(value, dict):
        raise Usage("json_malformed", "--input 须为 JSON 对象 {…}。", "--input is to be a JSON object {…}.")
    return value


def _field(key: str, fields: Any) -> str:
    """``amount`` means ``amount_minor`` and ``expert`` means ``expert_id`` where the step asks for these."""
    if key not in fields:
        for ending in ("_minor", "_id"):
            if f"{key}{ending}" in fields:
                return f"{key}{ending}"
    return key


def _value(text: str, field: Any) -> Any:
    """Lists and objects as JSON, lists of words also by commas; everything else is the model's to read."""
    if text.startswith(("[", "{")):
        return _loose(text)
    shape = str(field.annotation) if field is not None else ""
    if "tuple[" in shape:
        return [part.strip() for part in text.split(",") if part.strip()]
    if shape == "<class 'bool'>":
        return _loose(text)
    return text


def _loose(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _round(session: Session, text: str) -> str:
    """A round by its id, or the latest of a project: CODE/round, or the code alone."""
    part = text.strip()
    found = find(session, part)
    return str((found if found.noun == "round" else find(session, f"{part}/round")).id)


def _document(session: Session, text: str, person_id: UUID, bytes_max: int) -> str:
    if not text.startswith("@"):
        return text
    file = Path(text[1:])
    return store(session, file.name, file.read_bytes(), person_id, bytes_max).sha256


def _own_documents(session: Session, input: dict[str, Any], person_id: UUID) -> None:
    """Knowing a hash is not having the file: only what the person handed in can be attached."""
    digests = input.get("documents")
    strange = not_brought(session, person_id, digests) if isinstance(digests, list) and digests else []
    if strange:
        raise Usage(
            "document_unknown",
            f"您没有上传过文件 {strange[0][:16]}…；请写 documents=@文件路径。",
            f"You never handed in the document {strange[0][:16]}…; write documents=@PATH.",
        )


__all__ = ["read_input"]

"""The published record of a draw: whoever has it can check every name in it, and nobody's name is in it.

One JSON document: what was committed, its hash, the random value, the panels, the replacements in order, and
the supervisor's presence. It is published twice, before the value exists and after; a redraw is another
record, which names the one before. ``verify`` recomputes everything and says where a record departs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

from milepost.experts.beacon import PublicValue, check_source, check_value
from milepost.experts.draw_shape import COMMITTED, OPEN_RECORD, RECORD, misfits, read_json
from states.commitment import OPEN_FORMAT, Committed, canonical, commitment, committed_from, document
from states.drawing import DrawError, Drawn, Panel, Replacement, draw, seed_of
from states.seating import Finding


@dataclass(frozen=True, slots=True)
class Witness:
    """A supervisor who was there: by id, "present" or "signed", and when."""

    person: str
    manner: str
    at: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands. Without a ``value`` it is the announcement; panels come with the value."""

    committed: Committed
    commitment: str
    value: PublicValue | None = None
    panels: tuple[Panel, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    witnesses: tuple[Witness, ...] = ()

    def drawn(self) -> Drawn:
        """The panels as ``states.drawing.replace`` takes them; ValueError before there is a value."""
        if self.value is None:
            raise ValueError("nothing has been drawn yet")
        seed = seed_of(self.committed.format, self.commitment, self.value.text)
        return Drawn(self.commitment, seed.hex(), self.panels)


def announce(committed: Committed) -> Record:
    """The record to publish before the value exists; DrawError for whatever would be found wrong in it."""
    findings = misfits(document(committed), COMMITTED[committed.format], "committed")
    if not findings:
        findings = [*committed.problems(), *check_source(committed)]
    if findings:
        raise DrawError(findings)
    return Record(committed, commitment(committed))


def conclude(announced: Record, value: PublicValue) -> Record:
    """The record with the value and the panels that follow from it; DrawError for a value not announced."""
    if announced.value is not None:
        raise DrawError([_finding("drawn_already")])
    if findings := check_value(announced.committed, value):
        raise DrawError(findings)
    return changed(announced, value=value, panels=draw(announced.committed, value.text).panels)


def appended(record: Record, entry: Replacement) -> Record:
    """The record with one more replacement, which ``states.drawing.replace`` has made."""
    return changed(record, replacements=(*record.replacements, entry))


def witnessed(record: Record, witness: Witness) -> Record:
    """The record with one more supervisor."""
    return changed(record, witnesses=(*record.witnesses, witness))


def write(record: Record) -> bytes:
    """The record as it is published: canonical JSON and a line feed. The same record gives the same bytes."""
    return canonical(_document(record)) + b"\n"


def parsed(data: bytes | str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The record as JSON of the published shape; DrawError, with the places, where it is not."""
    try:
        said = read_json(data) if isinstance(data, bytes | str) else data
    except ValueError as problem:
        raise DrawError([_finding("not_json", why=str(problem)[:200])]) from None
    old = isinstance(said, dict) and said.get("format") == OPEN_FORMAT
    if findings := misfits(said, OPEN_RECORD if old else RECORD):
        raise DrawError(findings)
    return said


def read(data: bytes | str | Mapping[str, Any]) -> Record:
    """The record that a file holds; DrawError where it is not of the published shape.

    What it says is not checked here: see ``milepost.experts.draw_verify``.
    """
    said = parsed(data)
    value = said["value"]
    return Record(
        committed_from(said["committed"]),
        said["commitment"],
        PublicValue(**value) if value is not None else None,
        tuple(
            Panel(panel["project"], tuple(panel["members"]), tuple(panel["short"]))
            for panel in said["panels"]
        ),
        tuple(
            Replacement(**{**entry, "successors": tuple(entry["successors"]), "short": tuple(entry["short"])})
            for entry in said["replacements"]
        ),
        tuple(Witness(**witness) for witness in said["witnesses"]),
    )


def _document(record: Record) -> dict[str, Any]:
    value = record.value
    return {
        "format": record.committed.format,
        "committed": document(record.committed),
        "commitment": record.commitment,
        "value": value
        and {
            name: text
            for name, text in (
                ("text", value.text),
                ("taken_at", value.taken_at),
                ("signature", value.signature),
                ("previous_signature", value.previous_signature),
            )
            if text
        },
        "panels": [
            {"project": panel.project, "members": list(panel.members), "short": list(panel.short)}
            for panel in record.panels
        ],
        "replacements": [
            {
                "project": entry.project,
                "gone": entry.gone,
                "reason": entry.reason,
                "at": entry.at,
                "remaining": dict(entry.remaining),
                "excluded": dict(entry.excluded),
                "successors": list(entry.successors),
                "short": list(entry.short),
            }
            for entry in record.replacements
        ],
        "witnesses": [
            {"person": witness.person, "manner": witness.manner, "at": witness.at}
            for witness in record.witnesses
        ],
    }


_WORDS = {
    "not_json": (
        "文件不是合格的 JSON：{why}。",
        "The file is not proper JSON: {why}.",
    ),
    "drawn_already": ("本次抽取已有结果。", "This draw has been made."),
}


def _finding(code: str, **facts: object) -> Finding:
    zh, en = _WORDS[code]
    return Finding(code, zh.format(**facts), en.format(**facts))

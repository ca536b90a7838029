"""What a draw of experts commits to before its random value exists, as one exact row of bytes and its hash.

Whoever has the commitment (64 hex digits, published in advance) can tell afterwards that the pool, the
composition, the projects and the announced random value are those of that day. ``docs/draw.md`` says the same
in words; a second implementation in the tests is written from there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any
from uuid import UUID

from states.seating import KINDS, Composition, Finding

OPEN_FORMAT, FORMAT = "milepost-draw/1", "milepost-draw/2"
"""Records of the first format hold the ids by which experts are known; of the second, names of their own."""
SUPERVISIONS = ("none", "present", "signed")
"""What the programme asks of the supervisor: nothing, presence, or a signature."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody of the pool. ``id`` is a UUID as text, by ``alias_of``, and nothing else says who it is.

    ``institution`` and ``region`` are keys that are compared as they are written; an empty institution is
    nobody's colleague, an empty region is not known to be elsewhere. ``capacity`` is how many more panels the
    person may join.
    """

    id: str
    kinds: tuple[str, ...]
    institution: str
    region: str
    fields: tuple[str, ...]
    capacity: int


@dataclass(frozen=True, slots=True)
class Project:
    """A project whose panel is drawn. ``excluded``: candidate to reason code. ``kept``: who sits already."""

    id: str
    region: str
    fields: tuple[str, ...]
    excluded: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DrandSource:
    """A round, still to come, of a public drand network: its chain hash and public key in hex."""

    chain_hash: str
    public_key: str
    round: int


@dataclass(frozen=True, slots=True)
class FigureSource:
    """A figure that others will publish on a day named in advance: an index, a lottery number.

    The words say which figure, by whom, and how it is written (decimals, order of the numbers).
    """

    zh: str
    en: str
    published_on: str


@dataclass(frozen=True, slots=True)
class Redraw:
    """The attempt that this one comes after, by its commitment, and why it was not left at that."""

    commitment: str
    reason: str


@dataclass(frozen=True, slots=True)
class Committed:
    """All that a draw depends on but the random value. Moments are text with seconds and offset.

    ``names`` is the hash of the salt under which the candidates' ids were made; empty in the first format.
    """

    draw: str
    programme: str
    programme_version: int
    committed_at: str
    composition: Composition
    pool: tuple[Candidate, ...]
    projects: tuple[Project, ...]
    source: DrandSource | FigureSource
    supervision: str = "none"
    attempt: int = 1
    previous: Redraw | None = None
    names: str = ""

    @property
    def format(self) -> str:
        """The format in which it is written."""
        return FORMAT if self.names else OPEN_FORMAT

    def problems(self) -> list[Finding]:
        """What contradicts itself: nobody may be drawn from this. Nothing, if a draw is possible."""
        ids = {candidate.id for candidate in self.pool}
        found = self.composition.problems()
        for code, names in (
            ("candidate_twice", _twice(candidate.id for candidate in self.pool)),
            ("candidate_without_kind", _without_kind(self.pool)),
            ("capacity_negative", [c.id for c in self.pool if c.capacity < 0]),
            ("project_twice", _twice(project.id for project in self.projects)),
            ("excluded_unknown", _unknown(ids, self.projects, "excluded")),
            ("kept_unknown", _unknown(ids, self.projects, "kept")),
        ):
            if names:
                found.append(_problem(code, ids=_some(names)))
        for project in self.projects:
            if conflicted := sorted(set(project.kept) & set(project.excluded)):
                found.append(_problem("kept_excluded", project=project.id, ids=_some(conflicted)))
            if len(set(project.kept)) < len(project.kept):
                found.append(_problem("kept_twice", project=project.id))
            if len(project.kept) > self.composition.size:
                found.append(_problem("kept_too_many", project=project.id, size=self.composition.size))
        if not self.projects:
            found.append(_problem("no_project"))
        if self.supervision not in SUPERVISIONS:
            found.append(_problem("supervision_unknown", words=self.supervision))
        if self.attempt < 1 or (self.attempt == 1) != (self.previous is None):
            found.append(_problem("attempt_without_previous", attempt=self.attempt))
        return found


_WORDS = {
    "candidate_twice": ("专家库快照中重复列出：{ids}。", "The pool lists these twice: {ids}."),
    "candidate_without_kind": (
        "专家类别缺失、重复或不存在：{ids}。",
        "Without a kind, or with one that is named twice or does not exist: {ids}.",
    ),
    "capacity_negative": ("剩余可评数不能为负：{ids}。", "Remaining capacity is negative: {ids}."),
    "project_twice": ("项目重复列出：{ids}。", "These projects are listed twice: {ids}."),
    "excluded_unknown": (
        "被排除的人不在专家库快照中：{ids}。",
        "Excluded, but not in the pool: {ids}.",
    ),
    "kept_unknown": ("保留席位的人不在专家库快照中：{ids}。", "Kept, but not in the pool: {ids}."),
    "kept_excluded": (
        "项目 {project} 保留了应回避的人：{ids}。",
        "Project {project} keeps somebody who is excluded: {ids}.",
    ),
    "kept_twice": (
        "项目 {project} 的保留席位中有人重复。",
        "Project {project} keeps the same person twice.",
    ),
    "kept_too_many": (
        "项目 {project} 保留的席位超过评审组人数 {size}。",
        "Project {project} keeps more than the {size} members of a panel.",
    ),
    "no_project": ("没有任何项目可供抽取。", "There is no project to draw for."),
    "supervision_unknown": ("没有这样的监督方式：{words}。", "There is no such supervision: {words}."),
    "attempt_without_previous": (
        "第 {attempt} 次抽取：首次抽取不得、此后各次必须注明前一次。",
        "Attempt {attempt}: a first attempt names no earlier one, and every later one must.",
    ),
}


def canonical(value: object) -> bytes:
    """The one row of bytes that stands for JSON: keys sorted by code point, no blanks, UTF-8.

    Values are text, whole numbers, true, false, null, lists and objects with text as keys. In text only the
    quotation mark, the backslash and control characters are escaped. A float is a TypeError.
    """
    _refuse_inexact(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def document(committed: Committed) -> dict[str, Any]:
    """The committed part as JSON: lists that have no order of their own are sorted by code point."""
    return {
        "format": committed.format,
        **({"names": committed.names} if committed.names else {}),
        "draw": committed.draw,
        "attempt": committed.attempt,
        "previous": committed.previous
        and {"commitment": committed.previous.commitment, "reason": committed.previous.reason},
        "programme": {"code": committed.programme, "version": committed.programme_version},
        "committed_at": committed.committed_at,
        "supervision": committed.supervision,
        "composition": _composition(committed.composition),
        "source": _source(committed.source),
        "pool": [
            {
                "id": candidate.id,
                "kinds": sorted(candidate.kinds),
                "institution": candidate.institution,
                "region": candidate.region,
                "fields": sorted(candidate.fields),
                "capacity": candidate.capacity,
            }
            for candidate in sorted(committed.pool, key=lambda candidate: candidate.id)
        ],
        "projects": [
            {
                "id": project.id,
                "region": project.region,
                "fields": sorted(project.fields),
                "excluded": dict(project.excluded),
                "kept": sorted(project.kept),
            }
            for project in sorted(committed.projects, key=lambda project: project.id)
        ],
    }


def committed_from(said: Mapping[str, Any]) -> Committed:
    """The reverse of ``document``, for JSON that has its shape; KeyError or TypeError for any other."""
    rules, source, previous = said["composition"], said["source"], said["previous"]
    return Committed(
        draw=said["draw"],
        programme=said["programme"]["code"],
        programme_version=said["programme"]["version"],
        committed_at=said["committed_at"],
        composition=Composition(
            size=rules["size"],
            minimums=dict(rules["minimums"]),
            odd=rules["odd"],
            off_site_share=Fraction(*rules["off_site_share"]),
            one_per_institution=rules["one_per_institution"],
            field_digits=rules["field_digits"],
            field_exempt=tuple(rules["field_exempt"]),
        ),
        pool=tuple(
            Candidate(
                row["id"],
                tuple(row["kinds"]),
                row["institution"],
                row["region"],
                tuple(row["fields"]),
                row["capacity"],
            )
            for row in said["pool"]
        ),
        projects=tuple(
            Project(
                row["id"],
                row["region"],
                tuple(row["fields"]),
                dict(row["excluded"]),
                tuple(row["kept"]),
            )
            for row in said["projects"]
        ),
        source=DrandSource(source["chain_hash"], source["public_key"], source["round"])
        if source["kind"] == "drand"
        else FigureSource(source["zh"], source["en"], source["published_on"]),
        supervision=said["supervision"],
        attempt=said["attempt"],
        previous=Redraw(previous["commitment"], previous["reason"]) if previous is not None else None,
        names=said.get("names", ""),
    )


def alias_of(salt: bytes | None, id: str) -> str:
    """What a draw calls an expert: a UUID that follows from the id under its salt; without one, the id.

    Whoever has no salt can link an expert neither with the pool nor with another draw. The database knows the
    same as ``draw_alias``.
    """
    return str(UUID(bytes=sha256(salt + id.encode()).digest()[:16])) if salt else id


def names_hash(salt: bytes | None) -> str:
    """The hash of a salt, which is committed to and gives nothing away; of none, empty."""
    return sha256(salt).hexdigest() if salt else ""


def commitment(committed: Committed) -> str:
    """SHA-256 of the canonical bytes of the committed part, in lower-case hex: what is published first."""
    return sha256(canonical(document(committed))).hexdigest()


def _composition(composition: Composition) -> dict[str, object]:
    share = composition.off_site_share
    return {
        "size": composition.size,
        "odd": composition.odd,
        # A kind without a minimum and a minimum of none are the same, so they have one form.
        "minimums": {kind: number for kind, number in composition.minimums.items() if number},
        "off_site_share": [share.numerator, share.denominator],
        "one_per_institution": composition.one_per_institution,
        "field_digits": composition.field_digits,
        "field_exempt": sorted(composition.field_exempt),
    }


def _source(source: DrandSource | FigureSource) -> dict[str, object]:
    if isinstance(source, DrandSource):
        return {
            "kind": "drand",
            "chain_hash": source.chain_hash,
            "public_key": source.public_key,
            "round": source.round,
        }
    return {"kind": "figure", "zh": source.zh, "en": source.en, "published_on": source.published_on}


def _refuse_inexact(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("a commitment holds no floats: give whole numbers or text")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("keys of a commitment are text")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _refuse_inexact(item)


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)


def _without_kind(pool: Iterable[Candidate]) -> list[str]:
    return [c.id for c in pool if not c.kinds or _twice(c.kinds) or set(c.kinds) - set(KINDS)]


def _unknown(known: set[str], projects: Iterable[Project], of: str) -> list[str]:
    return sorted({name for project in projects for name in getattr(project, of)} - known)


def _some(names: list[str]) -> str:
    """The first few by name; a thousand wrong ids would bury every other finding."""
    more = f" … (+{len(names) - 5})" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _problem(code: str, **facts: object) -> Finding:
    zh, en = _WORDS[code]
    return Finding(code, zh.format(**facts), en.format(**facts))

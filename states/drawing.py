"""Who is drawn follows from what was committed and from a public random value, and from nothing else.

From the commitment and the value comes a seed; by it the projects are put in an order, and for each project
the candidates. Project by project the first valid panel in that project's ranking is seated, and uses up
capacity. Whoever leaves a panel is followed by the first in the same ranking who makes it whole again.
``docs/draw.md`` describes every byte of this for people who trust no program of ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from states.commitment import Candidate, Committed, Project, commitment
from states.seating import KINDS, Demand, Finding, Trait, can_be_filled, first_panel

GONE_REASONS = ("declined", "recused", "conflict", "absent", "barred")
"""Why a member leaves a panel: said no, withdrew for partiality, a conflict appeared, silent, banned."""

REQUIREMENTS = (
    "conflicts",
    *(f"kind:{kind}" for kind in KINDS),
    "off_site",
    "institution",
    "fields",
    "capacity",
)
"""What can stand in the way of a panel. Where several could be to blame, the later ones are named."""

_NOTHING: frozenset[str] = frozenset()


class DrawError(ValueError):
    """A draw or a replacement that is asked for wrongly; ``findings`` say why, in both languages."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(" ".join(f"{finding.en} {finding.zh}" for finding in findings))
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class Panel:
    """Who sits: first those kept, by id, then those drawn, by rank. ``short`` names what left none to draw.

    A short panel holds only those kept. ``short`` is ("pool",) when the pool is too small whatever is asked,
    else the requirements without which there would be a panel, none of them to spare.
    """

    project: str
    members: tuple[str, ...]
    short: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """The outcome: panels in the order in which the projects were drawn. Hashes are lower-case hex."""

    commitment: str
    seed: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Replacement:
    """One entry after the draw: who left which panel and why, and who came.

    ``remaining`` are the capacities at that moment that differ from those committed; ``excluded`` are
    conflicts that came up since, with their reason codes. More than one successor comes only where earlier
    seats stayed empty. Without a successor, ``short`` says what is in the way.
    """

    project: str
    gone: str
    reason: str
    at: str
    remaining: Mapping[str, int]
    excluded: Mapping[str, str]
    successors: tuple[str, ...]
    short: tuple[str, ...] = ()


def seed_of(format: str, commitment: str, value: str) -> bytes:
    """The 32 bytes that decide everything: SHA-256 of format, commitment and value as text."""
    return sha256(f"{format}:seed:{commitment}:{value}".encode()).digest()


def draw(committed: Committed, value: str) -> Drawn:
    """The panels that follow from a commitment and the canonical text of its random value.

    DrawError, if the commitment contradicts itself. 234 panels of 5 out of 1,080 take about a second.
    """
    if problems := committed.problems():
        raise DrawError(problems)
    return draw_under(committed, commitment(committed), value)


def draw_under(committed: Committed, stated: str, value: str) -> Drawn:
    """The same under a commitment as it is stated: a verifier then sees which panels a change touched."""
    seed = seed_of(committed.format, stated, value)
    pool = _Pool(committed, seed)
    remaining = {candidate.id: candidate.capacity for candidate in committed.pool}
    panels = []
    for project in sorted(committed.projects, key=lambda one: (_rank(seed, f"project:{one.id}"), one.id)):
        kept = tuple(sorted(project.kept))
        came, short = pool.fill(_Vacancy(project, kept, (), project.excluded, remaining))
        for name in came:
            remaining[name] -= 1
        panels.append(Panel(project.id, kept + came, short))
    return Drawn(stated, seed.hex(), tuple(panels))


def members_after(drawn: Drawn, entries: Iterable[Replacement], project: str) -> tuple[str, ...]:
    """Who sits on a project's panel once the entries are taken in; KeyError for an unknown project."""
    members = {panel.project: panel.members for panel in drawn.panels}[project]
    for entry in entries:
        if entry.project == project:
            members = (*(name for name in members if name != entry.gone), *entry.successors)
    return members


def replace(
    committed: Committed,
    drawn: Drawn,
    entries: Sequence[Replacement],
    *,
    project: str,
    gone: str,
    reason: str,
    at: str,
    remaining: Mapping[str, int],
    excluded: Mapping[str, str] | None = None,
) -> Replacement:
    """The entry by which a member leaves and the first suitable person in the ranking follows.

    ``entries`` are all those before, in order. ``remaining`` is how many more panels each candidate may join
    now, whatever used up the rest; who is not named has the capacity committed. ``excluded`` are conflicts
    beyond those committed. Nobody who left this panel comes back. DrawError for somebody who does not sit
    there, an unknown project or reason, and names that are not in the pool.
    """
    new_conflicts = dict(excluded or {})
    place = next((known for known in committed.projects if known.id == project), None)
    members = members_after(drawn, entries, project) if place is not None else ()
    capacities = {candidate.id: candidate.capacity for candidate in committed.pool}
    wrong = []
    if place is None:
        wrong.append(_wrong("entry_project_unknown", project=project))
    elif gone not in members:
        wrong.append(_wrong("entry_not_member", project=project, gone=gone))
    if reason not in GONE_REASONS:
        wrong.append(_wrong("entry_reason_unknown", reason=reason, reasons=", ".join(GONE_REASONS)))
    if strangers := sorted({*remaining, *new_conflicts} - set(capacities)):
        wrong.append(_wrong("entry_names_unknown", ids=", ".join(strangers[:5])))
    if wrong or place is None:
        raise DrawError(wrong)
    vacancy = _Vacancy(
        place,
        sitting=tuple(name for name in members if name != gone),
        gone={entry.gone for entry in entries if entry.project == project} | {gone},
        excluded={*place.excluded, *new_conflicts},
        remaining={**capacities, **remaining},
    )
    came, short = _Pool(committed, bytes.fromhex(drawn.seed)).fill(vacancy)
    differing = {name: number for name, number in sorted(remaining.items()) if number != capacities[name]}
    return Replacement(project, gone, reason, at, differing, dict(sorted(new_conflicts.items())), came, short)


@dataclass(frozen=True, slots=True)
class _Vacancy:
    """Seats to fill on one panel: who sits, who left it, who is excluded, and what capacity all have."""

    project: Project
    sitting: Sequence[str]
    gone: Collection[str]
    excluded: Collection[str]
    remaining: Mapping[str, int]


class _Pool:
    """The candidates made ready for filling one panel after another."""

    def __init__(self, committed: Committed, seed: bytes) -> None:
        self.seed = seed
        self.rules = committed.composition
        self.exempt = _bits(self.rules.field_exempt)
        self.people = {
            candidate.id: (candidate, _bits(candidate.kinds), self._prefixes(candidate.fields))
            for candidate in committed.pool
        }

    def fill(self, vacancy: _Vacancy) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who joins, by rank, and what is lacking where nobody can."""
        eligible = self._eligible(vacancy, _NOTHING)
        ranked = sorted(
            (_rank(self.seed, f"expert:{vacancy.project.id}:{name}"), name, trait) for name, trait in eligible
        )
        places = first_panel(
            self._sitting(vacancy, _NOTHING), [trait for _, _, trait in ranked], self._demand(_NOTHING)
        )
        if places is None:
            return (), self._lacking(vacancy)
        return tuple(ranked[place][1] for place in places), ()

    def _lacking(self, vacancy: _Vacancy) -> tuple[str, ...]:
        """The requirements without which there would be a panel, none of which can be put back.

        All are waived, then put back one by one in the order of ``REQUIREMENTS`` as long as a panel remains
        possible. What people can change most easily is put back last, and so is named where it is the cause.
        """

        def possible(waived: frozenset[str]) -> bool:
            return can_be_filled(
                self._sitting(vacancy, waived),
                lambda: (trait for _, trait in self._eligible(vacancy, waived)),
                self._demand(waived),
            )

        waived = frozenset(REQUIREMENTS)
        if not possible(waived):
            return ("pool",)
        for requirement in REQUIREMENTS:
            if possible(waived - {requirement}):
                waived -= {requirement}
        return tuple(requirement for requirement in REQUIREMENTS if requirement in waived)

    def _eligible(self, vacancy: _Vacancy, waived: frozenset[str]) -> Iterator[tuple[str, Trait]]:
        """Everybody who may be seated, if the waived requirements did not exist."""
        away = {*vacancy.sitting, *vacancy.gone}
        if "conflicts" not in waived:
            away.update(vacancy.excluded)
        asked = "capacity" not in waived
        wanted = self._prefixes(vacancy.project.fields)
        for name, (candidate, kinds, prefixes) in self.people.items():
            if name in away or (asked and vacancy.remaining[name] < 1):
                continue
            usable = self._usable(kinds, prefixes, wanted, waived)
            if usable:
                yield name, self._trait(candidate, usable, vacancy.project, waived)

    def _sitting(self, vacancy: _Vacancy, waived: frozenset[str]) -> list[Trait]:
        """Those who sit: asked neither for capacity nor for a field, but counted by the same rule."""
        wanted = self._prefixes(vacancy.project.fields)
        return [
            self._trait(candidate, self._usable(kinds, prefixes, wanted, waived), vacancy.project, waived)
            for candidate, kinds, prefixes in (self.people[name] for name in vacancy.sitting)
        ]

    def _usable(
        self, kinds: int, prefixes: frozenset[str], wanted: frozenset[str], waived: frozenset[str]
    ) -> int:
        """The kinds somebody may count for: all with a field in common, else the exempt ones."""
        if self.rules.field_digits == 0 or "fields" in waived or not prefixes.isdisjoint(wanted):
            return kinds
        return kinds & self.exempt

    def _trait(self, candidate: Candidate, kinds: int, project: Project, waived: frozenset[str]) -> Trait:
        off_site = candidate.region not in ("", project.region)
        apart = self.rules.one_per_institution and candidate.institution and "institution" not in waived
        # Where institutions do not matter everybody is a group of one, which no institution can be.
        group = f"institution:{candidate.institution}" if apart else f"person:{candidate.id}"
        return Trait(kinds, off_site, group)

    def _demand(self, waived: frozenset[str]) -> Demand:
        minimums = (0 if f"kind:{kind}" in waived else self.rules.minimums.get(kind, 0) for kind in KINDS)
        off_site = 0 if "off_site" in waived else self.rules.off_site_least()
        return Demand(self.rules.size, tuple(minimums), off_site)

    def _prefixes(self, fields: Iterable[str]) -> frozenset[str]:
        return frozenset(code[: self.rules.field_digits] for code in fields)


def _rank(seed: bytes, name: str) -> bytes:
    return hmac.digest(seed, name.encode(), "sha256")


def _bits(kinds: Iterable[str]) -> int:
    return sum(1 << KINDS.index(kind) for kind in kinds)


_WORDS = {
    "entry_project_unknown": (
        "项目 {project} 不在本次抽取之列。",
        "Project {project} is not part of this draw.",
    ),
    "entry_not_member": (
        "{gone} 不在项目 {project} 的评审组中，无从替换。",
        "{gone} does not sit on the panel of project {project} and cannot be replaced there.",
    ),
    "entry_reason_unknown": (
        "没有这样的替换原因：{reason}。可用：{reasons}。",
        "There is no such reason for a replacement: {reason}. There are: {reasons}.",
    ),
    "entry_names_unknown": ("不在专家库快照中：{ids}。", "Not in the pool: {ids}."),
}


def _wrong(code: str, **facts: object) -> Finding:
    zh, en = _WORDS[code]
    return Finding(code, zh.format(**facts), en.format(**facts))

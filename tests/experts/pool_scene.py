"""An office with experts, their units and ties, and applications with teams: what conflicts are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from milepost import people
from milepost.actions import Actor
from milepost.experts.conflicts import Conflict, conflicts_of
from tests.builders import World

TODAY = date(2025, 3, 3)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_numbers = count(1)


@dataclass
class PoolScene:
    """Writes the pool as plain rows, as the application's user, and applications by steps."""

    world: World
    made: list[UUID] = field(default_factory=list)

    def execute(self, sql: str, *params: Any) -> None:
        with self.world.database.session() as session:
            session.conn.execute(sql, params)

    def person(
        self,
        name: str = "",
        *units: str | tuple[str, date | None],
        identity: str | None = None,
        role: str = "expert",
        path: str = "/",
    ) -> Actor:
        """An expert with units: a name alone is where they work now, with a day when they left."""
        number = next(_numbers)
        with self.world.database.session() as session:
            id = people.create_person(session, login=f"pool-{number}", name=name or f"专家{number}")
            people.grant(session, id, role, office_path=path)
            session.conn.execute(
                "INSERT INTO expert (person_id, kinds, region, yearly_load, identity_hash, version, "
                "updated_at) VALUES (%s, '[\"technology\"]', '/', 99, %s, 1, %s)",
                (id, identity, LONG_AGO),
            )
        for unit in units:
            unit_name, left = (unit, None) if isinstance(unit, str) else unit
            self.affiliate(id, unit_name, left)
        return Actor(id, fresh=True)

    def affiliate(self, person: UUID, unit_name: str, left: date | None = None) -> None:
        self.execute(
            "INSERT INTO affiliation (id, person_id, unit_name, unit_key, to_on) VALUES (%s, %s, %s, '', %s)",
            uuid4(),
            person,
            unit_name,
            left,
        )

    def tie(
        self,
        person: Actor,
        kind: str,
        *,
        name: str | None = None,
        to: Actor | None = None,
        unit: str | None = None,
        project: UUID | None = None,
        until: date | None = None,
        ended: datetime | None = None,
        evidence: str = "",
    ) -> None:
        self.execute(
            "INSERT INTO tie (id, person_id, kind, other_name, other_person_id, other_unit_key, project_id, "
            "until_on, evidence, declared_by, declared_at, ended_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            uuid4(),
            person.id,
            kind,
            name,
            to.id if to else None,
            unit,
            project,
            until,
            evidence or f"{kind} on record",
            person.id,
            LONG_AGO,
            ended,
        )

    def project(
        self,
        unit: str = "",
        leader: str = "",
        *,
        team: Sequence[dict[str, Any]] = (),
        unsuitable: Sequence[dict[str, str]] = (),
        by: Actor | str = "applicant",
        withdrawn: bool = False,
        **given: Any,
    ) -> UUID:
        """An application with its team; nothing in it is shared with another unless it is told."""
        number = next(_numbers)
        given.setdefault("code", f"{self.world.name}-{number}")
        given |= {"unit_name": unit or f"申报单位{number}", "leader_name": leader or f"负责人{number}"}
        if isinstance(by, Actor):
            given |= self._application(given["code"])
            id = self.world.take(by, "project.apply", None, **given).subject_id
        else:
            id = self.world.apply(given.pop("code"), **given)
        if team or unsuitable:
            self.describe(id, team, unsuitable, by=by)
        if withdrawn:
            self.world.take(by, "project.withdraw", id, reason="test")
        return id

    def _application(self, code: str) -> dict[str, Any]:
        return {
            "title": code,
            "programme_id": str(self.world.published.id),
            "office_path": "/",
            "requested_minor": 100_000_000,
            "currency": "CNY",
        }

    def describe(
        self,
        project: UUID,
        team: Sequence[dict[str, Any]] = (),
        unsuitable: Sequence[dict[str, str]] = (),
        *,
        by: Actor | str = "applicant",
    ) -> None:
        self.world.take(
            by,
            "project.describe",
            project,
            summary="摘要",
            fields=["520"],
            team=list(team),
            unsuitable=list(unsuitable),
        )

    def conflicts(self, project: UUID, person: Actor, day: date = TODAY) -> dict[str, str]:
        """The rules that bar somebody from a project, each with its evidence."""
        found = self.of([project], [person], day).get((project, person.id), ())
        return {conflict.rule: conflict.evidence for conflict in found}

    def of(
        self, projects: Sequence[UUID], persons: Sequence[Actor], day: date = TODAY
    ) -> dict[tuple[UUID, UUID], tuple[Conflict, ...]]:
        with self.world.database.session() as session:
            return conflicts_of(session.conn, projects, [p.id for p in persons], day)


def member(name: str, unit: str = "", **more: Any) -> dict[str, Any]:
    """Somebody in a team."""
    return {"name": name, "unit": unit, "part": "member", **more}

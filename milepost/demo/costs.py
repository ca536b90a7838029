"""Two projects that claim their costs: one claim decided, one to examine today, one still being written.

The programme is the example of claimed costs that comes with the source; where that is not there, the demo
goes without. One invoice was handed in by both projects, so that an examiner sees it pointed out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from config.places import shipped
from config.programme_files import load_programme
from milepost.calendar import back_from, is_working_day
from milepost.db import Database
from milepost.demo.city import Scene, actor_of, path_of
from milepost.demo.office import Office
from milepost.demo.people import HOW_MANY
from milepost.documents import store
from milepost.programmes import Published, publish

PROGRAMME = shipped("examples/cost-claims/programme.toml")
AWARD_MINOR = 80_000_000
# Category, payee, invoice, what for, sum in minor units; the file is named after the invoice.
Cost = tuple[str, str, str, str, int]
DECIDED: tuple[Cost, ...] = (
    ("equipment", "示例仪器有限公司", "04500190011", "光谱仪租用", 8_600_000),
    ("materials", "示例玻璃厂", "04500190377", "试样玻璃", 1_245_050),
    ("staff", "项目组", "工资表-1", "项目人员劳务", 3_200_000),
    ("indirect", "示例单位", "", "间接费用", 2_000_000),
)
TO_EXAMINE: tuple[Cost, ...] = (
    ("testing", "示例检测中心", "31000220145", "第三方检测", 2_480_000),
    ("materials", "示例化工公司", "45010020331", "溶剂与耗材", 655_000),
    ("equipment", "示例仪器有限公司", "04500190902", "显微镜维修", 1_180_000),
)
ELSEWHERE: tuple[Cost, ...] = (("testing", "示例检测中心", "31000220145", "材料检测", 2_480_000),)


class Together:
    """Several scenes, each told of every day."""

    def __init__(self, *scenes: Scene) -> None:
        self._scenes = scenes

    @property
    def first(self) -> date:
        """The day on which the first of them begins."""
        return min(scene.first for scene in self._scenes)

    def live(self, day: date) -> None:
        """What happens on a day."""
        for scene in self._scenes:
            if scene.first <= day:
                scene.live(day)


class CostClaims:
    """The scene: made for a database and the day it is to stand on, then told of each day that comes."""

    def __init__(self, database: Database, today: date) -> None:
        self.database, self.today = database, today
        self.projects: dict[int, UUID] = {}
        self._published: Published | None = None
        script: tuple[tuple[int, Callable[[], None]], ...] = (
            (50, self._begin),
            (12, lambda: self._claim(1, "first", 60, 21, DECIDED)),
            (9, self._decide),
            (4, lambda: self._claim(2, "other", 40, 6, ELSEWHERE)),
            (3, lambda: self._claim(1, "second", 20, 6, TO_EXAMINE)),
            (1, self._draft),
        )
        self._beats = [(self._day(before), act) for before, act in script] if PROGRAMME.is_file() else []

    @property
    def first(self) -> date:
        """The day on which the scene begins."""
        return self._beats[0][0] if self._beats else self.today

    def _day(self, before: int) -> date:
        last = self.today
        while not is_working_day(last)[0]:
            last -= timedelta(days=1)
        return back_from(last, before, unit="working_days")

    def live(self, day: date) -> None:
        """What people do that day; called once a day, with the clock on it."""
        while self._beats and self._beats[0][0] <= day:
            self._beats.pop(0)[1]()

    def _office(self, unit: int) -> Office:
        assert self._published is not None, "the programme is published first"
        staff = (("programme_officer", "officer"), ("finance_officer", "finance"))
        people = {
            role: tuple(actor_of(f"{login}{n}") for n in range(1, HOW_MANY[role] + 1))
            for role, login in staff
        }
        people["applicant"] = (actor_of(f"unit{unit:02d}"),)
        people["principal_investigator"] = (actor_of(f"lead{unit:02d}"),)
        return Office(
            self.database,
            self._published,
            people,
            name=f"demo:H-{unit:02d}:{self.database.clock.today()}",
            path=path_of(unit),
        )

    def _begin(self) -> None:
        with self.database.session() as session:
            programme, owner = load_programme(PROGRAMME), self.database.owner_url
            self._published = publish(session.conn, programme, self.database.clock, owner_url=owner)
        for year in {self.database.clock.today().year, self.today.year}:
            self._office(1).vote(500_000_000, year=year)
        for unit, topic in ((1, "特种玻璃"), (2, "环保涂层")):
            office = self._office(unit)
            project = office.apply(
                f"H-{unit:02d}",
                requested_minor=AWARD_MINOR,
                title=f"示例项目 H-{unit:02d}：{topic}（虚构）",
                unit_name=f"示例单位 {unit:02d}",
                leader_name=f"示例负责人 {unit:02d}",
            )
            office.bring_to(project, "implementation")
            budget = {"equipment": 30_000_000, "materials": 15_000_000, "testing": 12_000_000}
            budget |= {"staff": 15_000_000, "indirect": 8_000_000}
            office.take("applicant", "project.set_budget", project, budget=budget)
            self.projects[unit] = project

    def _lines(self, unit: int, costs: tuple[Cost, ...], spent_on: date) -> list[dict[str, Any]]:
        lines = []
        for category, payee, invoice, description, amount in costs:
            evidence = None
            if invoice:
                content = f"示例凭证 {invoice}：{payee}，{description}（虚构）\n".encode()
                with self.database.session() as session:
                    by = actor_of(f"unit{unit:02d}").id
                    evidence = store(session, f"{invoice}.txt", content, by, 10_000).sha256
            lines.append(
                {
                    "category": category,
                    "spent_on": spent_on.isoformat(),
                    "payee": payee,
                    "invoice_no": invoice if invoice.isdigit() else "",
                    "description": description,
                    "amount_minor": amount,
                    "evidence": evidence,
                }
            )
        return lines

    def _claim(self, unit: int, name: str, back: int, until: int, costs: tuple[Cost, ...]) -> None:
        """A claim for a period so many days back, handed in."""
        office, today = self._office(unit), self.database.clock.today()
        first, last = today - timedelta(days=back), today - timedelta(days=until)
        period = {"period_from": first.isoformat(), "period_to": last.isoformat()}
        lines = self._lines(unit, costs, last - timedelta(days=2))
        claim = office.take(
            "applicant", "claim.open", self.projects[unit], f"demo:claim:{name}", **period, lines=lines
        ).subject_id
        office.take("applicant", "claim.submit", claim, f"demo:claim:{name}:submit")

    def _decide(self) -> None:
        office = self._office(1)
        claim = office.value("SELECT id FROM claim WHERE project_id = %s AND number = 1", self.projects[1])
        findings = [
            {"number": n, "allowed_minor": cost[4], "reason": ""} for n, cost in enumerate(DECIDED, start=1)
        ]
        findings[2] |= {"allowed_minor": 2_400_000, "reason": "一人不在项目组名单内，核减其劳务费。"}
        office.take("finance_officer", "claim.examine", claim, findings=findings)
        office.take("finance_officer", "claim.accept", claim, note="其余凭证齐全。")

    def _draft(self) -> None:
        """The next claim, begun and not finished: a line without evidence, one without a sum."""
        office, today = self._office(2), self.database.clock.today()
        period = {"period_from": (today - timedelta(days=20)).isoformat(), "period_to": today.isoformat()}
        lines = self._lines(2, TO_EXAMINE[1:2], today - timedelta(days=3))
        lines.append({"category": "staff", "payee": "项目组", "description": "本月劳务，待核对"})
        office.take("applicant", "claim.open", self.projects[2], **period, lines=lines)


__all__ = ["PROGRAMME", "CostClaims", "Together"]

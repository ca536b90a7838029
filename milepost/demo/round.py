"""A call of a drawn, double-blind programme from its announcement to the notice; and a second one under way.

The first is over: reviews came in, one expert declined, one recused, one was found to have a tie, one was
late; the best are under notice, one has an objection, one who was declined asks for a review. The second
stands open, so that officers, experts and supervisors have something to do at once. Everything is a step,
and who sits where is up to the draws: whoever plays a part is found among those who were drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from config.programme_files import load_programme
from milepost.calendar import back_from, is_working_day
from milepost.db import Database
from milepost.demo.applications import FIRST, SECOND, Application, comment
from milepost.demo.city import PROGRAMMES, actor_of, path_of
from milepost.demo.office import Office
from milepost.demo.panels import announce_draw, conclude_draw
from milepost.demo.people import HOW_MANY
from milepost.demo.pool import fill_pool
from milepost.demo.raters import Raters, Task, cast_raters
from milepost.experts import pool
from milepost.experts.drafts import Typed, save_draft
from milepost.programmes import Published, publish
from milepost.queries.rankings import Scope
from milepost.reports.ranking import ranked_list
from milepost.work.conflicts import take_away_conflicted
from milepost.work.reviews import fill_panels

CODE = "city-key-projects"
BUDGET_MINOR = 900 * 1_000_000
NOTARY = "示例公证处当日公布的五位数字（虚构） · Five digits of the day from the Example Notary (invented)"
EVIDENCE = "示例公证处当日公告（虚构）"
BOOKED = ("accepted", "late")
DRAWN, TO_DRAW, TO_COME = SECOND[:4], SECOND[4:6], SECOND[6:]


class ReviewRound:
    """The scene: made for a database and the day it is to stand on, then told of each day that comes."""

    def __init__(self, database: Database, today: date) -> None:
        self.database, self.today = database, today
        self.projects: dict[str, UUID] = {}
        self.rounds: dict[str, UUID] = {}
        self.parts: dict[str, Task] = {}
        self._offices: dict[int, Office] = {}
        self._published: Published | None = None
        self._raters: Raters | None = None
        self._late_since: date | None = None
        self._draws: dict[str, UUID] = {}
        self._calls: dict[str, UUID] = {}
        self._beats = [(self.day(before), act) for before, act in self._script()]

    @property
    def first(self) -> date:
        """The day on which the scene begins."""
        return self._beats[0][0]

    def day(self, before: int) -> date:
        """The day so many working days before the last working day up to today."""
        last = self.today
        while not is_working_day(last)[0]:
            last -= timedelta(days=1)
        return back_from(last, before, unit="working_days") if before else last

    def live(self, day: date) -> None:
        """What people do that day; called once a day, with the clock on it."""
        done = False
        while self._beats and self._beats[0][0] <= day:
            self._beats.pop(0)[1]()
            done = True
        self._review_late(day)
        if done and self.rounds:
            # What the flow does: conflicts end tasks, the drawn are invited, vacant seats go to the next.
            with self.database.session() as session:
                take_away_conflicted(session)
                fill_panels(session)

    def _script(self) -> list[tuple[int, Callable[[], None]]]:
        """What is done how many working days before today."""
        first: list[tuple[int, Callable[[], None]]] = [
            (60, self._begin),
            (60, lambda: self._call("first", "重点研发（人工智能与工业软件）", 57, 38)),
            *((n, lambda some=FIRST[k : k + 3]: self._apply("first", some)) for n, k in ((56, 0), (53, 3))),
            *((n, lambda some=FIRST[k : k + 3]: self._submit(some)) for n, k in ((51, 0), (48, 3))),
            (47, lambda: self._apply("first", FIRST[6:])),
            (42, lambda: self._submit(FIRST[6:])),
            (36, lambda: self._each(FIRST, "project.pass_completeness")),
            (34, lambda: self._eligible(FIRST)),
            (31, lambda: self._open_rounds("first", FIRST, self.day(30))),
            (30, lambda: self._conclude("first", "40917")),
            (29, self._answer_first),
            (28, self._recuse),
            (27, self._find_tie),
            *((n, lambda: self._accept(FIRST)) for n in (26, 25, 24)),
            *((n, lambda k=k: self._review(FIRST, k)) for k, n in enumerate((23, 22, 20, 19))),
            (9, lambda: self._each_round(FIRST, "round.score")),
            (7, lambda: self._each_round(FIRST, "round.decide")),
            (4, self._conclude_review),
            (3, self._decline),
            (2, self._notice),
            (1, self._object_and_request),
        ]
        second: list[tuple[int, Callable[[], None]]] = [
            (34, lambda: self._call("second", "重点研发（装备、电子与食品）", 32, 16)),
            (30, lambda: self._apply("second", SECOND)),
            (22, lambda: self._submit(SECOND)),
            (12, lambda: self._each(SECOND, "project.pass_completeness")),
            (10, lambda: self._eligible(SECOND)),
            (5, lambda: self._open_rounds("second", DRAWN, self.day(4))),
            (4, lambda: self._conclude("second", "27350")),
            (3, self._answer_second),
            (2, lambda: self._review_some({"K-11": 1, "K-13": 3, "K-14": 2})),
            (1, lambda: self._review_some({"K-13": 2, "K-14": 1})),
            (1, self._draft),
            (1, lambda: self._open_rounds("today", TO_DRAW, self.today)),
            (0, lambda: self._open_rounds("tomorrow", TO_COME, self.today + timedelta(days=1), False)),
        ]
        return sorted([*first, *second], key=lambda beat: -beat[0])

    # -- the office ----------------------------------------------------------------------------------------

    def _office(self, number: int = 0) -> Office:
        """The bureau (0) or the n-th unit, with its own applicant."""
        if number not in self._offices:
            assert self._published is not None, "the programme is published first"
            people = {
                role: tuple(actor_of(f"{login}{n}") for n in range(1, HOW_MANY[role] + 1))
                for role, login in (
                    ("programme_officer", "officer"),
                    ("finance_officer", "finance"),
                    ("supervisor", "supervisor"),
                    ("expert", "expert"),
                )
            }
            if number:
                people["applicant"] = (actor_of(f"unit{number:02d}"),)
                people["principal_investigator"] = (actor_of(f"lead{number:02d}"),)
            name, path = (f"demo:{CODE}:{number}", path_of(number)) if number else (f"demo:{CODE}", "/")
            self._offices[number] = Office(self.database, self._published, people, name=name, path=path)
        return self._offices[number]

    def _begin(self) -> None:
        with self.database.session() as session:
            programme = load_programme(PROGRAMMES / f"{CODE}.toml")
            owner = self.database.owner_url
            self._published = publish(session.conn, programme, self.database.clock, owner_url=owner)
        office = self._office()
        fill_pool(
            self.database,
            officer=office.who("programme_officer").id,
            supervisor=office.who("supervisor").id,
        )
        for year in range(self.first.year, self.today.year + 1):
            office.vote(BUDGET_MINOR, year=year)

    def _call(self, key: str, title: str, opens: int, closes: int) -> None:
        office = self._office()
        self._calls[key] = office.take(
            "programme_officer",
            "call.announce",
            None,
            programme_id=str(office.published.id),
            title=f"示例申报指南：{title}",
            opens_on=self.day(opens).isoformat(),
            closes_on=self.day(closes).isoformat(),
        ).subject_id

    def _apply(self, call: str, some: Sequence[Application]) -> None:
        for one in some:
            self.projects[one.code] = self._office(one.number).apply(
                one.code,
                requested_minor=one.sum_wan * 1_000_000,
                dossier=one.dossier(),
                title=one.title,
                unit_name=one.unit,
                leader_name=one.leader,
                call_id=str(self._calls[call]),
            )

    def _submit(self, some: Sequence[Application]) -> None:
        for one in some:
            self._office(one.number).submit(self.projects[one.code])

    def _each(self, some: Sequence[Application], step: str, **given: Any) -> None:
        for one in some:
            self._office().take("programme_officer", step, self.projects[one.code], **given)

    def _each_round(self, some: Sequence[Application], step: str) -> None:
        for one in some:
            self._office().take("programme_officer", step, self.rounds[one.code])

    def _eligible(self, some: Sequence[Application]) -> None:
        met = [item.code for item in self._office().programme.checklist]
        self._each(some, "project.confirm_eligibility", met=met)

    # -- draws and tasks -----------------------------------------------------------------------------------

    def _open_rounds(self, key: str, some: Sequence[Application], on: date, witnessed: bool = True) -> None:
        office = self._office()
        for one in some:
            id = office.take("programme_officer", "round.open", self.projects[one.code]).subject_id
            self.rounds[one.code] = id
        codes = " – ".join(dict.fromkeys((some[0].code, some[-1].code)))
        self._draws[key] = announce_draw(
            office,
            [self.rounds[one.code] for one in some],
            title=f"示例评审组抽取：{codes}",
            source_on=on,
            source_name=NOTARY,
            witnessed=witnessed,
        )

    def _conclude(self, key: str, value: str) -> None:
        conclude_draw(self._office(), self._draws[key], value=value, evidence=EVIDENCE)

    def tasks(self, some: Sequence[Application], states: Sequence[str]) -> list[Task]:
        """The tasks in these states, round by round."""
        found: list[Task] = []
        for one in some:
            rows = self._office().rows(
                "SELECT t.id, t.expert_id, n.login, x.kinds, t.state FROM task t "
                "JOIN person n ON n.id = t.expert_id JOIN expert x ON x.person_id = n.id "
                "WHERE t.round_id = %s ORDER BY n.login",
                self.rounds[one.code],
            )
            every = [
                Task(id, expert, login, tuple(kinds), state, seat, one)
                for seat, (id, expert, login, kinds, state) in enumerate(rows)
            ]
            found += [task for task in every if task.state in states]
        return found

    def _accept(self, some: Sequence[Application], *, but: Sequence[UUID] = ()) -> None:
        for task in self.tasks(some, ("invited",)):
            if task.id not in but:
                self._office().take(task.actor, "task.accept", task.id)

    def _answer_first(self) -> None:
        """Give each part to another expert of another application; all but the one who declines accept."""
        invited = self.tasks(FIRST, ("invited",))
        for part in ("declines", "recuses", "tied", "late"):
            taken = list(self.parts.values())
            self.parts[part] = next(
                task
                for task in invited
                if task.walk_on and all(task.expert_id != t.expert_id and task.of != t.of for t in taken)
            )
        declines = self.parts["declines"]
        self._office().take(
            declines.actor, "task.decline", declines.id, reason="示例：出差在外，无法按期评审。"
        )
        self._accept(FIRST, but=[declines.id])

    def _recuse(self) -> None:
        self._accept(FIRST)
        task = self.parts["recuses"]
        self._office().take(
            task.actor, "task.recuse", task.id, reason="示例：从内容判断，我曾参与该技术的前期论证。"
        )

    def _find_tie(self) -> None:
        self._accept(FIRST)
        task = self.parts["tied"]
        with self.database.session() as session:
            pool.declare_tie(
                session,
                task.expert_id,
                kind="collaborator",
                other_name=task.of.leader,
                other_unit=task.of.unit,
                since_on=self.today - timedelta(days=300),
                evidence="示例：去年合作发表论文，系统外线索核实。",
                by=self._office().who("programme_officer").id,
            )

    # -- reviews -------------------------------------------------------------------------------------------

    def _review(self, some: Sequence[Application], quarter: int) -> None:
        """A quarter of the reviews; with the last all that are left but the late one."""
        self._raters = self._raters or cast_raters(self.tasks(FIRST, BOOKED))
        for task in self.tasks(some, BOOKED):
            mine = quarter == 3 or (task.seat + task.of.number) % 4 == quarter
            if mine and task.id != self.parts["late"].id:
                self._write(task)

    def _review_late(self, day: date) -> None:
        """The late one answers on a working day after the reminder."""
        if "late" not in self.parts or not is_working_day(day)[0]:
            return
        late = [t for t in self.tasks([self.parts["late"].of], ("late",)) if t.id == self.parts["late"].id]
        if late and self._late_since is None:
            self._late_since = day
        elif late:
            self._write(late[0])

    def _write(self, task: Task) -> None:
        office = self._office()
        review = office.programme.review
        assert review is not None and self._raters is not None
        percent, scores = self._raters.scores(task, review.rubric)
        office.take(
            task.actor,
            "task.submit",
            task.id,
            scores=scores,
            comment=comment(task.of, task.kinds[0], task.seat, percent),
        )

    # -- decisions -----------------------------------------------------------------------------------------

    def _outcomes(self) -> list[tuple[Application, int, bool]]:
        found = {
            row[0]: row[1:]
            for row in self._office().rows(
                "SELECT id, score_milli, passed FROM round WHERE id = ANY(%s)",
                [self.rounds[one.code] for one in FIRST],
            )
        }
        return [(one, *found[self.rounds[one.code]]) for one in FIRST]

    def _conclude_review(self) -> None:
        passed = [one for one, _, passed in self._outcomes() if passed]
        self._each(passed, "project.conclude_remote_review")

    def _decline(self) -> None:
        failed = [one for one, _, passed in self._outcomes() if not passed]
        self._each(failed, "project.decline", reason="示例：评审得分未达到 60 分，不予立项。")

    def _notice(self) -> None:
        """Those above the line of the ranking, as the officer sees it; who passed and comes after waits."""
        assert self._published is not None
        scope = Scope(self._published.id, "remote_review", self._calls["first"])
        with self.database.session() as session:
            ranking = ranked_list(session, actor_of("officer1").id, scope)
        assert ranking is not None
        above = {one.id for one in ranking.above}
        for one in FIRST:
            if self.projects[one.code] in above:
                self._office().take(
                    "programme_officer",
                    "notice.publish",
                    self.projects[one.code],
                    proposed_minor=one.sum_wan * 1_000_000,
                )

    def _object_and_request(self) -> None:
        office = self._office()
        notice = office.rows(
            "SELECT n.id FROM notice n JOIN project p ON p.id = n.project_id WHERE p.id = ANY(%s) "
            "ORDER BY p.code LIMIT 1",
            list(self.projects.values()),
        )[0][0]
        office.take(
            "programme_officer",
            "objection.file",
            notice,
            objector="示例异议人",
            contact="000-0000-0000",
            grounds="示例：认为申报书所列前期成果与另一单位重复。",
        )
        # The first declined applicant may still ask; another one has done so.
        asks = [one for one, _, passed in self._outcomes() if not passed][1]
        self._office(asks.number).take(
            "principal_investigator",
            "review_request.file",
            self.projects[asks.code],
            ground="fact",
            statement="示例：评审意见称没有数据来源，而申报书附件三已列明，请予核实。",
        )

    # -- the round under way -------------------------------------------------------------------------------

    def _answer_second(self) -> None:
        waits = [t.id for t in self.tasks(SECOND[:1], ("invited",)) if t.login == "expert1"]
        self._accept(DRAWN, but=waits)

    def _review_some(self, numbers: dict[str, int]) -> None:
        """So many more reviews for each application, but none of those that the demo's log-ins may write."""
        for one in DRAWN:
            tasks = [t for t in self.tasks([one], BOOKED) if t.login != "expert1"]
            for task in tasks[: numbers.get(one.code, 0)]:
                self._write(task)

    def _draft(self) -> None:
        """The first expert has begun to write, and comes back to it."""
        for task in self.tasks(SECOND[1:2], BOOKED):
            if task.login == "expert1":
                typed = Typed(
                    {"novelty": "21", "feasibility": "28"},
                    "示例草稿：冷链各环节的传感方案写得清楚，成本测算还要再核对。\n效益部分未看完。",
                )
                with self.database.session() as session:
                    save_draft(session, task.expert_id, task.id, typed, base=0, tab="demo")


__all__ = ["CODE", "ReviewRound"]

"""Guarantee: every notification the product names has words in both languages, they can be filled from real
rows, and nothing confidential is among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from milepost.actions import SYSTEM, Actor
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.demo.people import NewPerson, enter_people
from milepost.documents import store
from milepost.mail import templates
from milepost.mail.facts import load_letters
from milepost.mail.outbox import Mailing, queue_many
from milepost.mail.sink import MailSink
from milepost.mail.templates import (
    NAMES,
    QUEUED_BY_FLOWS,
    WordsWrong,
    catalogue,
    check_templates,
    known_template,
    render,
    template_names,
)
from milepost.work.reminders import send_reminders
from states.labels import every_step
from states.machines import UnknownName
from states.refusals import refuse
from tests.builders import PROGRAMMES, World, build
from tests.milepost.mail.refunds_scene import refunds

if TYPE_CHECKING:
    from tests.milepost.mail.conftest import Outbox

ACCOUNT = "6222000011112222"
OBJECTOR, PHONE = "匿名举报人甲", "13912345678"
EXPERT_WORDS = "与项目负责人同单位"

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "cost-claims" / "programme.toml"


# -- the start-up check ------------------------------------------------------------------------------------


def test_every_template_that_a_step_or_a_shipped_programme_names_exists(database: Database) -> None:
    check_templates([build(database).programme])


def test_a_missing_template_stops_the_start_and_lists_those_that_exist(database: Database) -> None:
    programme = build(database).programme
    wrong = programme.reminders[0].model_copy(update={"template": "gentle_nudge"})
    with pytest.raises(UnknownName, match=r"gentle_nudge.*deadline_reminder.*payment_due"):
        check_templates([programme.model_copy(update={"reminders": (wrong,)})])
    with pytest.raises(UnknownName, match="payment_settled"):
        known_template("payment_setled")


@pytest.fixture
def words(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The words in a folder of the test's own, to be spoilt."""
    for path in templates.WORDS.glob("*.toml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(templates, "WORDS", tmp_path)
    catalogue.cache_clear()
    yield tmp_path
    catalogue.cache_clear()


@pytest.mark.parametrize(
    ("locale", "old", "new", "said"),
    [
        ("en", "[mail.payment_due]", "[mail.payment_dew]", "differ in: payment_dew, payment_due"),
        ("en", "{{ tranche }} is paid", "{{ trance }} is paid", r"mail.payment_settled.subject uses trance;"),
        ("zh", "{% for b in blocked %}", "{% for b in blocked }", "zh.toml: mail.payment_blocked.happened"),
        ("zh", '"task.late" =', '"task.tardy" =', "no words for 'task.late'"),
        ("en", '\nhappened = "Both', '\nhapened = "Both', "mail.agreement_signed has subject, happened"),
    ],
)
def test_words_that_do_not_fit_stop_the_start_and_say_where(
    words: Any, locale: str, old: str, new: str, said: str
) -> None:
    path = words / f"{locale}.toml"
    text = path.read_text(encoding="utf-8")
    spoilt = text.replace(old, new).replace(old.replace("{% for", "{%- for"), new)
    assert spoilt != text
    path.write_text(spoilt, encoding="utf-8")
    with pytest.raises((WordsWrong, UnknownName), match=said):
        check_templates()


def test_a_template_cannot_reach_into_the_program(words: Any) -> None:
    path = words / "en.toml"
    text = path.read_text(encoding="utf-8")
    attack = "{{ blocked.__class__.__mro__ }}"
    path.write_text(text.replace("The project was not approved.", attack), encoding="utf-8")
    values = {name: "" for name in NAMES} | {"blocked": []}
    with pytest.raises(Exception, match="unsafe"):
        render("en", "project_declined", values)


# -- every template from real rows -------------------------------------------------------------------------


def _applications(world: World) -> None:
    world.take("programme_officer", "project.return_for_completion", world.project_at("completeness_check"),
               reason="请补充 营业执照")  # fmt: skip
    world.take("applicant", "project.withdraw", world.project_at("approval"), reason="示例")
    world.take("programme_officer", "project.decline", world.project_at("approval"), reason="示例")
    late = world.project_at("task_agreement")
    draft = world.apply("draft-1")
    world.clock.advance(timedelta(days=400))
    world.take("system", "project.lapse_agreement", late)
    world.take("system", "project.lapse_application", draft)


def _reviews(world: World) -> None:
    project = world.project_at("remote_review")
    _, tasks = world.open_round(project, experts=3)
    experts = world.people["expert"]
    world.take(experts[0], "task.decline", tasks[0], reason=EXPERT_WORDS)
    world.take(experts[1], "task.recuse", tasks[1], reason=EXPERT_WORDS)
    world.clock.advance(timedelta(days=60))
    world.take("system", "task.fall_late", tasks[2])
    _second_thoughts(world)
    notice = world.publish_notice(world.project_at("public_notice"))
    filed = {"objector": OBJECTOR, "contact": PHONE, "grounds": f"{OBJECTOR}认为不公"}
    world.take("programme_officer", "objection.file", notice, **filed)


def _second_thoughts(world: World) -> None:
    project = world.apply("T-second")
    told = {"summary": "示例", "fields": ["510"]}
    world.take("applicant", "project.describe", project, **told)
    world.bring_to(project, "remote_review")
    world.take("programme_officer", "project.amend_team", project, team=[], reason="示例")
    _, tasks = world.open_round(project, experts=2)
    world.review_task(tasks[0])
    world.take("programme_officer", "task.reopen", tasks[0], reason=EXPERT_WORDS)
    world.take("system", "task.take_away", tasks[1], reason=EXPERT_WORDS)
    for verb in ("dismiss", "uphold"):
        if world.state(project) != "declined":
            world.take("programme_officer", "project.decline", project, reason="示例")
        said = {"ground": "procedure", "statement": EXPERT_WORDS}
        request = world.take("applicant", "review_request.file", project, **said).subject_id
        world.take("programme_officer", f"review_request.{verb}", request, answer="示例")
    world.take("programme_officer", "project.reinstate", project, reason="示例")


def _milestones(world: World) -> None:
    for state in ("returned", "rejected", "waived", "overdue"):
        milestone = world.milestone_at(state)
        if state == "overdue":
            later = (world.clock.today() + timedelta(days=90)).isoformat()
            world.take("programme_officer", "milestone.extend", milestone, due_on=later, reason="示例")


def _stops(world: World) -> None:
    for verb in ("terminate", "revoke"):
        project = world.project_at("implementation")
        hold = world.take("programme_officer", "project.place_hold", project, reason="示例").subject_id
        hold = world.value("SELECT id FROM hold WHERE project_id = %s", hold)
        world.take(
            world.people["finance_officer"][0], "project.lift_hold", project, hold_id=str(hold), reason="示例"
        )
        world.take("programme_officer", "project.suspend", project, reason="示例")
        world.take("programme_officer", "project.resume", project, reason="示例")
        world.take("programme_officer", f"project.{verb}", project, reason="示例")
    acceptance = world.project_at("acceptance")
    world.take("programme_officer", "project.require_rectification", acceptance, reason="示例")
    world.bring_to(acceptance, "closed_passed")


def _payments(world: World) -> None:
    finance = world.people["finance_officer"]
    _, payment = world.payment_at("requested")
    world.take(finance[1], "payment.send_back", payment, reason=f"账号 {ACCOUNT} 有误，电话 {PHONE}")
    world.pay(world.payment_at("due")[1], "void")
    world.pay(world.payment_at("instructed")[1], "returned")
    _, late = world.payment_at("settled")
    world.take(SYSTEM, "payment.return_late", late, reference="B", reason=f"账号 {ACCOUNT} 已销户")
    project, payment = world.payment_at("unknown")
    taken = {row[0] for row in world.rows("SELECT person_id FROM duty WHERE payment_id = %s", payment)}
    attesters = [officer for officer in finance if officer.id not in taken]
    world.take(attesters[0], "payment.attest", payment, finding="settled", evidence="对账单")
    rejected = world.enter_payee(project, verified=False)
    world.take(attesters[0], "payee.reject", rejected, reason="户名与账号6222 0000 1111 2222不符")


TIERS = """
[[approvals]]
approvers = { finance_officer = 1 }

[[approvals]]
above_minor = 1_000_000_000
approvers = { finance_officer = 1, programme_officer = 1 }
"""


def _other_accounts(world: World) -> None:
    project, _ = world.payment_at("due")
    world.enter_payee(project)


def _delegations(world: World) -> None:
    finance, officer = world.people["finance_officer"][0], world.people["programme_officer"][1]
    today = world.clock.today().isoformat()
    asked = {
        "programme_id": str(world.published.id),
        "office_path": "/",
        "role": "finance_officer",
        "delegate_id": str(officer.id),
        "from_on": today,
        "until_on": today,
        "reason": "示例",
    }
    given = world.take(finance, "delegation.grant", None, **asked).subject_id
    world.take(officer, "delegation.accept", given)
    with world.database.session() as session:
        send_reminders(session)
    world.take(officer, "delegation.revoke", given, reason="示例")


def _held(world: World) -> None:
    _, payment = world.payment_at("due")
    world.take("supervisor", "payment.place_hold", payment, reason=f"账号 {ACCOUNT}")
    hold = world.value("SELECT id FROM hold WHERE payment_id = %s", payment)
    world.take("programme_officer", "payment.lift_hold", payment, hold_id=str(hold), reason="示例")


def _large_sums(world: World) -> None:
    _, payment = world.payment_at("requested", requested_minor=10**10)
    world.take(world.people["finance_officer"][1], "payment.approve", payment)


def _second_attester(world: World) -> None:
    """A fifth finance officer confirms: the other four have had a duty in the payment."""
    fifth = NewPerson("finance_officer-5", "finance officer 5", (("finance_officer", "/"),))
    with world.database.session() as session:
        enter_people(session, [fifth])
    for (payment,) in world.rows("SELECT id FROM payment WHERE state = 'unknown'"):
        world.take(Actor(fifth.id, fresh=True), "payment.confirm", payment)


def _claims(world: World) -> None:
    claiming = build(world.database, EXAMPLE, name="C")
    project = claiming.project_at("implementation")
    today = world.clock.today()
    period = {name: (today - timedelta(days=days)).isoformat()
              for name, days in (("period_from", 60), ("period_to", 1))}  # fmt: skip
    line = {"category": "indirect", "spent_on": period["period_to"], "payee": "示例", "description": "示例",
            "amount_minor": 1}  # fmt: skip
    both = [line, {**line, "category": "staff", "amount_minor": 10}]
    with world.database.session() as session:
        both[1]["evidence"] = store(session, "a.pdf", b"%PDF-1.7", world.who("applicant").id, 99).sha256
    claim = claiming.take("applicant", "claim.open", project, **period, lines=both).subject_id
    claiming.take("applicant", "claim.submit", claim)
    claiming.take("finance_officer", "claim.return", claim, reason="示例")
    claiming.take("applicant", "claim.submit", claim)
    findings = [{"number": n, "allowed_minor": line["amount_minor"]} for n, line in enumerate(both, start=1)]
    claiming.take("finance_officer", "claim.examine", claim, findings=findings)
    claiming.take("finance_officer", "claim.accept", claim)
    claiming.take("finance_officer", "claim.propose_reopen", claim, reason="示例")
    claiming.take("programme_officer", "claim.reopen", claim)
    paper = {"kind": "final_accounts", "documents": [both[1]["evidence"]]}
    claiming.take("applicant", "project.hand_in_proof", project, **paper)
    proof = claiming.value("SELECT id FROM proof")
    found = {"proof_id": str(proof), "outcome": "returned", "opinion": "示例"}
    claiming.take("finance_officer", "project.decide_proof", project, **found)


def _by_flows(world: World) -> None:
    officer, expert = world.people["programme_officer"][0].id, world.people["expert"][8].id
    payment = world.value("SELECT id FROM payment WHERE state = 'planned' LIMIT 1")
    project = world.value("SELECT id FROM project LIMIT 1")
    deadlines = world.rows("SELECT DISTINCT ON (noun, name) id FROM deadline ORDER BY noun, name")
    short = refuse("own_contribution_short", have="1.00", need="2.00").as_json()
    seal = {"sealed_on": "2025-03-03", "size": 7, "root": "ab" * 32}
    mailings = [
        Mailing("blocked", (officer,), "payment_blocked",
                {"payment_id": str(payment), "codes": ["payee_missing", "own_contribution_short", short]}),
        Mailing("seal", (officer,), "daily_seal", seal),
        Mailing("bank:1", (officer,), "bank_exceptions", {"number": 3, "bank_file": "camt053-1.xml"}),
        Mailing("panel:1", (officer,), "panel_short", {}, project),
        Mailing("code", (expert,), "login_code", {"login_code": str(officer)}),
        *(
            Mailing(f"reminder:{row[0]}:-3", (officer, expert), "deadline_reminder",
                    {"deadline_id": str(row[0]), "days": -3, "escalated": n % 2 == 0, "covers": [-7, -3]})
            for n, row in enumerate(deadlines)
        ),
    ]  # fmt: skip
    with world.database.session() as session:
        queue_many(session.conn, mailings, now=world.clock.now())


def _everything_happens(world: World) -> None:
    for part in (
        _applications,
        _reviews,
        _milestones,
        _stops,
        _payments,
        _large_sums,
        _held,
        _delegations,
        _claims,
        _other_accounts,
        _second_attester,
        refunds,
        _by_flows,
    ):
        part(world)


def test_every_mail_can_be_written_in_both_languages_and_tells_nothing_confidential(
    database: Database, outbox: Outbox, clock: SimulatedClock, tmp_path: Path
) -> None:
    file = tmp_path / "tiers.toml"
    shipped = (PROGRAMMES / "city-milestone-subsidy.toml").read_text(encoding="utf-8")
    file.write_text(shipped + TIERS, encoding="utf-8")
    world = build(database, file)
    _everything_happens(world)
    used = {row[0] for row in world.rows("SELECT DISTINCT template FROM message")}
    assert used == template_names(), "what no step brings about has no use, what one names has its mail"
    for locale in ("zh", "en"):
        outbox.change("UPDATE person SET locale = %s", locale)
        outbox.change("UPDATE message SET state = 'queued', raw = NULL, next_attempt_at = %s", clock.now())
        with MailSink() as sink:
            outbox.settings = replace(outbox.settings, port=sink.port)
            report = outbox.deliver(limit=10_000)
        assert (report.retried, report.dead, report.left) == (0, 0, 0)
        _inspect(world, sink, locale)


def _inspect(world: World, sink: MailSink, locale: str) -> None:
    who = {row[0]: row[1] for row in world.rows("SELECT message_id, template FROM message")}
    subjects: dict[str, str] = {}
    for mail in sink.list():
        parsed = sink.read(mail.message_id)
        text = f"{parsed['Subject']}\n{parsed.get_content()}".replace("\r\n", "\n")
        template = who[mail.message_id]
        subjects[template] = text
        assert parsed["Content-Language"] == locale
        assert not re.search(r"[{}]|None|Undefined", text), text
        reader = str(parsed["To"].addresses[0].display_name)
        bare = text.replace(reader, "")
        for secret in (ACCOUNT, "6222 0000 1111 2222", OBJECTOR, PHONE, EXPERT_WORDS, "对账单"):
            assert secret not in text, (template, secret)
        assert not re.search(r"(expert|evaluator) \d", bare), text
        assert "https://grants.example" in text
        wanted = "需要您办理：|您无需办理。" if locale == "zh" else "What you have to do: |nothing to do."
        assert re.search(wanted, text), text
        if locale == "en":
            lines = [line for line in text.splitlines() if not line.startswith((">", "Project:"))]
            chinese = re.compile(r"[一-鿿]")
            assert not chinese.search(re.sub(r"“[^”]*”|示例单位|系统 ·", "", "\n".join(lines[1:]))), text
    assert set(subjects) == template_names()


def test_a_slice_is_read_in_few_queries_however_long_it_is(
    database: Database, outbox: Outbox, clock: SimulatedClock
) -> None:
    world = build(database)
    world.payment_at("settled")
    ids = [row[0] for row in world.rows("SELECT id FROM message")]
    assert len(ids) > 30
    with database.session() as session:
        statements = []
        execute = session.conn.execute

        class Counting:
            """The connection, counting what is asked of it."""

            def execute(self, sql: str, params: object = None) -> Any:
                statements.append(sql)
                return execute(sql, params)

        load_letters(session.conn, ids, today=clock.today(), public_url="")
        letters = load_letters(Counting(), ids, today=clock.today(), public_url="")  # type: ignore[arg-type]
    assert len(letters) == len(ids)
    assert len(statements) <= 3, "the mails, the one programme under review, the key of the links"


def letter_of(database: Database, outbox: Outbox, template: str, login: str) -> tuple[str, str]:
    """Subject and body of the newest mail of a template to a person."""
    rows = outbox.rows(
        "SELECT m.id FROM message m JOIN person r ON r.id = m.recipient_id WHERE m.template = %s "
        "AND r.login = %s ORDER BY m.created_at DESC, m.event_seq DESC LIMIT 1",
        template,
        login,
    )
    with database.session() as session:
        (letter,) = load_letters(
            session.conn, [rows[0][0]], today=database.clock.today(), public_url="https://g.example"
        )
    return render(letter.locale, letter.template, letter.values)


def test_a_mail_says_what_happened_what_to_do_until_when_and_where(
    database: Database, outbox: Outbox
) -> None:
    world = build(database)
    milestone = world.milestone_at("returned")
    project: UUID = world.value("SELECT project_id FROM milestone WHERE id = %s", milestone)
    code, due = world.rows(
        "SELECT p.code, d.due_on FROM project p JOIN deadline d ON d.chain_id = p.id "
        "WHERE p.id = %s AND d.subject_id = %s AND d.closed_seq IS NULL",
        project,
        milestone,
    )[0]
    subject, body = letter_of(database, outbox, "milestone_returned", "applicant-1")
    assert subject == f"【{code}】里程碑 1 报告退回修改"
    assert "里程碑 1“里程碑 1”的报告需要修改" in body
    assert "说明：\n> 示例：请补充\n" in body
    assert "需要您办理：请按说明修改后重新提交。" in body
    assert f"期限：{due.year}年{due.month}月{due.day}日" in body
    assert f"https://g.example/projects/{project}\n" in body


def test_who_need_not_act_is_told_who_must(database: Database, outbox: Outbox) -> None:
    world = build(database)
    world.project_at("completeness_check")
    _, applicant = letter_of(database, outbox, "project_submitted", "applicant-1")
    _, officer = letter_of(database, outbox, "project_submitted", "programme_officer-1")
    assert "您无需办理。" in applicant and "下一步由项目主管办理，期限：" in applicant
    assert "需要您办理：请审查申报材料。" in officer and "\n期限：" in officer


@pytest.mark.parametrize(("days", "subject"), [(10, "还有 10 天"), (0, "今天到期"), (-7, "已逾期 7 天")])
def test_a_reminder_counts_the_days_from_the_day_it_is_written(
    database: Database, outbox: Outbox, days: int, subject: str
) -> None:
    world = build(database)
    milestone = world.milestone_at("planned")
    deadline, due = world.rows(
        "SELECT id, due_on FROM deadline WHERE subject_id = %s AND closed_seq IS NULL", milestone
    )[0]
    world.clock.set(due - timedelta(days=days))
    context = {"deadline_id": str(deadline), "days": -days, "escalated": days < 0, "covers": []}
    both = (world.people["applicant"][0].id, world.people["programme_officer"][0].id)
    with database.session() as session:
        mailing = Mailing(f"reminder:{deadline}:{-days}", both, "deadline_reminder", context)
        queue_many(session.conn, [mailing], now=world.clock.now())
    said, body = letter_of(database, outbox, "deadline_reminder", "applicant-1")
    assert said.endswith(f"{subject}：提交里程碑报告")
    assert "里程碑 1“里程碑 1”：“提交里程碑报告”的期限是" in body
    assert "需要您办理：提交里程碑报告。" in body
    _, officer = letter_of(database, outbox, "deadline_reminder", "programme_officer-1")
    assert ("请督促办理" in officer) == (days < 0)


def test_a_supervisors_reason_reaches_finance_but_not_the_grantee(database: Database, outbox: Outbox) -> None:
    world = build(database)
    world.take("supervisor", "project.place_hold", world.project_at("implementation"), reason="正在调查")
    _, grantee = letter_of(database, outbox, "hold_placed", "applicant-1")
    _, finance = letter_of(database, outbox, "hold_placed", "finance_officer-1")
    assert "正在调查" not in grantee
    assert "正在调查" in finance


def test_a_template_could_not_name_an_expert_or_an_evaluator_if_it_tried(database: Database) -> None:
    world = build(database)
    _, tasks = world.open_round(world.project_at("remote_review"), experts=1)
    world.take(world.people["expert"][0], "task.decline", tasks[0], reason=EXPERT_WORDS)
    milestone = world.milestone_at("planned")
    evaluator = world.people["evaluator"][0]
    world.take("programme_officer", "milestone.assign", milestone, evaluator_id=str(evaluator.id))
    world.take("applicant", "milestone.report", milestone, report="示例")
    world.take(evaluator, "milestone.accept", milestone, opinion="很好")
    ids = [row[0] for row in world.rows("SELECT id FROM message")]
    with database.session() as session:
        letters = load_letters(session.conn, ids, today=database.clock.today(), public_url="")
    values = {letter.template: letter.values for letter in letters}
    assert (values["task_declined"]["actor"], values["task_declined"]["reason"]) == ("评审专家", "")
    assert values["milestone_accepted"]["actor"] == "里程碑评价人"
    assert values["milestone_accepted"]["reason"] == "> 很好"
    assert values["agreement_signed"]["actor"].startswith("programme officer")


def test_no_step_notifies_of_what_only_flows_queue() -> None:
    named = {notify.template for step in every_step().values() for notify in step.notify}
    assert not named & set(QUEUED_BY_FLOWS)

"""What waits, what a project looks like, why it waits, and taking a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from milepost.cli.app import app, command
from milepost.cli.terminal import Terminal

if TYPE_CHECKING:
    from uuid import UUID

    from config.programmes import Programme
    from milepost.cli.subjects import Named
    from milepost.cli.why import Way, Why
    from milepost.db import Session
    from milepost.queries.projects import ProjectView
    from milepost.queries.sight import Subject as SubjectSeen

Subject = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT",
        help="项目编号、编号/m2（里程碑）、编号/t1（拨付）或 id · CODE, CODE/m2, CODE/t1, id.",
    ),
]


@command(app, "todo", "今日待办，最急的在前 · Today's work, the most urgent first.", acts=True)
def todo(
    terminal: Terminal,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="最多几条 · At most so many.")] = 50,
) -> None:
    from milepost.queries.work import work
    from states.labels import noun_label

    with terminal.session() as session:
        person = terminal.person(session)
        page = work(session, person.id, limit=limit)
        today = session.clock.today()
    if terminal.as_json:
        items = [{**row, "name": _name(row)} for row in page.rows]
        terminal.answer(
            {"ok": True, "person": person.login, "today": today, "work": items, "more": bool(page.next)}
        )
        return
    if not page.rows:
        terminal.line("没有待办事项。", "Nothing waits for you.")
        return
    rows = []
    for row in page.rows:
        late = row["due_on"] is not None and row["due_on"] < today
        rows.append(
            (
                _name(row),
                terminal.text(noun_label(row["noun"])),
                _state(terminal, row["noun"], row["state"]),
                f"{row['due_on']}{' !' if late else ''}" if row["due_on"] else "",
                _title(terminal, row) + _behalf(terminal, row),
                _money(terminal, row["amount_minor"], row["currency"]),
            )
        )
    heads = (
        ("对象", "subject"),
        ("类别", "what"),
        ("状态", "state"),
        ("期限", "due"),
        ("名称", "title"),
        ("金额", "amount"),
    )
    terminal.table(heads, rows, title=f"{person.name} · {today}")
    if page.next:
        terminal.line("还有更多：--limit。", "There is more: --limit.")


def _behalf(terminal: Terminal, row: dict[str, Any]) -> str:
    """For whom it would be done by delegation."""
    names = terminal.say("、", ", ").join(row["behalf"])
    return terminal.say(f"（代{names}）", f" (for {names})") if names else ""


def _name(row: dict[str, Any]) -> str:
    """How the command line calls it, ready to be typed."""
    if row["noun"] in ("milestone", "payment") and row["number"] is not None:
        return f"{row['code']}/{'m' if row['noun'] == 'milestone' else 't'}{row['number']}"
    return str(row["code"]) if row["noun"] == "project" else str(row["subject_id"])


def _title(terminal: Terminal, row: dict[str, Any]) -> str:
    """What it is about: of an exception, what the bank said."""
    if row["noun"] == "bank_exception":
        from milepost.bank.exceptions import said_of

        return terminal.text(said_of(row["kind"], row["params"]).fact)
    return str(row["part_title"] or row["title"])


def _state(terminal: Terminal, noun: str, state: str) -> str:
    from states.labels import state_label

    return terminal.text(state_label(noun, state))


def _money(terminal: Terminal, minor: int | None, currency: str) -> str:
    from schema.money import Money

    return "" if minor is None else Money(minor, currency).format(terminal.locale)


# Show -----------------------------------------------------------------------------------------------------


@command(app, "show", "一个项目或其一部分：现状、资金、经过 · A project or a part of it.", acts=True)
def show(
    terminal: Terminal,
    subject: Subject,
    events: Annotated[
        int, typer.Option("--events", min=0, max=500, help="最近几个事件 · Latest events.")
    ] = 15,
) -> None:
    from milepost.available import available
    from milepost.queries.projects import project_view
    from milepost.queries.timeline import timeline

    with terminal.session() as session:
        actor = terminal.actor(session)
        named, seen = seen_by(session, actor.id, subject)
        offers = available(session, actor, named.noun, named.id)
        view = project_view(session, actor.id, named.id) if named.noun == "project" else None
        told = timeline(session, view.sight, named.id, limit=events)[0] if view and events else []
    if terminal.as_json:
        answer: dict[str, Any] = {"ok": True, "noun": named.noun, "subject": seen.row}
        if view is not None:
            answer |= {"parts": view.parts(), "holds": view.holds, "deadlines": view.deadlines}
            answer["blocked"] = {
                str(id): [r.as_json() for r in refusals] for id, refusals in view.blocked.items()
            }
            answer["events"] = [{**_slots(h), "at": h.at.isoformat()} for h in told]
        answer["steps"] = [
            {"step": o.step.name, "allowed": o.allowed, "refusals": [r.as_json() for r in o.refusals]}
            for o in offers
        ]
        terminal.answer(answer)
        return
    if view is not None:
        _show_project(terminal, view)
    else:
        rows = [(key, value) for key, value in seen.row.items() if value is not None]
        terminal.table((("字段", "field"), ("内容", "value")), rows, title=f"{named.noun} {subject}")
    _show_offers(terminal, offers, view.compiled.programme if view else None)
    heads = (("序", "seq"), ("时间", "at"), ("步骤", "step"), ("经办", "who"), ("说明", "why"))
    if told:
        from milepost.reports.payment_words import acted
        from states.labels import role_label, step_label

        zone = terminal.settings.zone
        happened = [
            (
                h.seq,
                f"{h.at.astimezone(zone):%Y-%m-%d %H:%M}",
                terminal.text(step_label(h.step)),
                acted(h.person, h.behalf, terminal.locale) or terminal.text(role_label(h.role)),
                h.why[:80],
            )
            for h in told
        ]
        terminal.table(heads, happened, title=terminal.say("经过", "What happened"))


def seen_by(session: Session, actor_id: UUID, subject: str) -> tuple[Named, SubjectSeen]:
    """A subject as somebody sees it; what is not there and what is not theirs to see read the same."""
    from dataclasses import replace

    from milepost.cli.subjects import find
    from milepost.cli.terminal import Usage
    from milepost.queries.reviews import reference
    from milepost.queries.sight import find_subject
    from states.refusals import Refused, refuse

    try:
        named = find(session, subject)
    except Usage:
        raise Refused([refuse("not_found")]) from None
    seen = find_subject(session, actor_id, named.noun, named.id)
    if seen is None:
        raise Refused([refuse("not_found")])
    if named.project_id and find_subject(session, actor_id, "project", named.project_id) is None:
        # An expert's own task: the project's code often names its unit.
        named = replace(named, code=reference(named.id))
    return named, seen


def _slots(value: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(value)


def _show_project(terminal: Terminal, view: ProjectView) -> None:
    row, locale = view.row, terminal.locale
    currency = row["currency"]
    facts = [
        (terminal.say("状态", "state"), _state(terminal, "project", row["state"])),
        (terminal.say("计划", "programme"), f"{row['programme_code']} · {view.compiled.programme.version}"),
        (terminal.say("单位", "unit"), row["unit_name"]),
        (terminal.say("负责人", "leader"), row["leader_name"]),
        (terminal.say("申请金额", "requested"), _money(terminal, row["requested_minor"], currency)),
        (terminal.say("立项金额", "award"), _money(terminal, row["award_minor"], currency)),
        *((terminal.say("冻结", "hold"), hold["reason"]) for hold in view.holds),
    ]
    terminal.table((("", ""), ("", "")), facts, title=f"{row['code']} {row['title']}")
    if view.milestones:
        heads = (("里程碑", "milestone"), ("名称", "title"), ("期限", "due"), ("状态", "state"))
        rows = [
            (f"m{m['number']}", m["title"], m["due_on"], _state(terminal, "milestone", m["state"]))
            for m in view.milestones
        ]
        terminal.table(heads, rows)
    if view.payments:
        heads = (("拨付", "payment"), ("金额", "amount"), ("状态", "state"), ("受阻于", "blocked by"))
        rows = [
            (
                f"t{y['number']}" + (f" #{y['attempt']}" if y["attempt"] > 1 else ""),
                _money(terminal, y["amount_minor"], y["currency"]),
                _state(terminal, "payment", y["state"]),
                "\n".join(
                    _fact(refusal, locale, view.compiled.programme)
                    for refusal in view.blocked.get(y["id"], ())
                ),
            )
            for y in view.payments
        ]
        terminal.table(heads, rows)
    if view.deadlines:
        due = (("期限", "due"), ("事项", "deadline"), ("对象", "of"))
        terminal.table(due, [(d["due_on"], d["name"], d["noun"]) for d in view.deadlines])


def _fact(refusal: Any, locale: str, programme: Programme | None) -> str:
    from states.labels import worded

    return str(worded(refusal, locale, programme).fact(locale))


def _show_offers(terminal: Terminal, offers: list[Any], programme: Programme | None) -> None:
    if not offers:
        return
    rows = [
        (
            "✓" if offer.allowed else "✗",
            offer.step.name,
            terminal.text(offer.step.label),
            "\n".join(_fact(refusal, terminal.locale, programme) for refusal in offer.refusals),
        )
        for offer in sorted(offers, key=lambda offer: not offer.allowed)
    ]
    heads = (("", ""), ("步骤", "step"), ("名称", "name"), ("不能的原因", "why not"))
    terminal.table(heads, rows, title=terminal.say("可办理的步骤", "Steps"))


# Do -------------------------------------------------------------------------------------------------------


@command(app, "do", "办理一个步骤 · Take a step.", acts=True)
def do(
    terminal: Terminal,
    step: Annotated[str, typer.Argument(metavar="STEP", help="步骤，如 milestone.accept · The step's name.")],
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            help="对象；新建项目、指南、预算时写 - · Its subject; - where it makes a new root.",
        ),
    ] = "-",
    pairs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="填写的内容 · What the step asks for."),
    ] = None,
    given: Annotated[
        str | None, typer.Option("--input", help="JSON 或 @文件 · JSON, or @FILE with it.")
    ] = None,
    request_id: Annotated[
        str | None,
        typer.Option("--request-id", help="请求编号：相同编号不会办理两次 · The same id has one effect."),
    ] = None,
    expect: Annotated[
        int | None, typer.Option("--expect", help="只在版本未变时办理 · Only if it is still this version.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="从标准输入读取密码 · Read the password from stdin.")
    ] = False,
) -> None:
    from uuid import uuid4

    from milepost.actions import perform
    from milepost.cli.subjects import find
    from milepost.cli.typed import read_input
    from milepost.queries.sight import find_subject
    from milepost.work.conflicts import after_step
    from states.labels import every_step
    from states.refusals import Refused, refuse

    given_pairs = list(pairs or ())
    if "=" in subject:
        # `do project.apply code=P-1 …`: a step that makes a root has no subject to name.
        given_pairs.insert(0, subject)
        subject = "-"
    row = every_step().get(step)
    with terminal.session() as session:
        named = None if subject == "-" else find(session, subject)
        if row is not None:
            _fits(row, named, subject)
        actor = terminal.actor(session, fresh=bool(row and row.fresh), password_stdin=password_stdin)
        if named is not None and find_subject(session, actor.id, named.noun, named.id) is None:
            # As on the pages: what somebody may not see is not there for them.
            raise Refused([refuse("not_found")])
        bytes_max = terminal.settings.upload_bytes_max
        input = read_input(session, row, given_pairs, given, named, person_id=actor.id, bytes_max=bytes_max)
        receipt = perform(
            session,
            actor,
            step,
            named.id if named else None,
            input,
            request_id or str(uuid4()),
            expected_version=expect,
        )
        after_step(session, receipt)
        seen = find_subject(session, actor.id, "project", receipt.chain_id)
    # Its place in the chain would tell how much happened in a review that is not theirs to see.
    place = receipt.seq if seen is None or seen.sight.counts else None
    if terminal.as_json:
        told = {**_slots(receipt), "seq": place, "at": receipt.at.isoformat()}
        terminal.answer({"ok": True, "receipt": told})
        return
    noun = step.partition(".")[0]
    label = terminal.text(row.label) if row else step
    state = _state(terminal, noun, receipt.state)
    again = terminal.say("（此前已办理）", " (done before)") if receipt.repeated else ""
    terminal.line(f"✓ {label}{again} → {state}", f"✓ {label}{again} → {state}")
    zh, en = ("", "") if place is None else (f"第 {place} 号", f"{place} ")
    rest = f"{noun} {receipt.subject_id}"
    terminal.line(f"  {zh}事件 {receipt.hash[:16]}…，{rest}", f"  event {en}{receipt.hash[:16]}…, {rest}")


def _fits(row: Any, named: Any, subject: str) -> None:
    """A step is taken on its own noun; one that makes something, on what it is made for."""
    from milepost.cli.terminal import Usage
    from milepost.decisions import PARENT

    wanted = row.noun if row.source else PARENT[row.noun]
    if (named.noun if named else None) == wanted:
        return
    if wanted is None:
        raise Usage(
            "subject_unfit",
            f"“{row.name}”不作用于已有对象，请写 -。",
            f"{row.name} is not taken on something that exists: write - for the subject.",
        )
    here = {"milestone": "CODE/m1", "payment": "CODE/t1", "project": "CODE"}.get(wanted, f"CODE/{wanted}")
    raise Usage(
        "subject_unfit",
        f"“{row.name}”作用于 {wanted}，而“{subject}”不是。请写成 {here} 或其 id。",
        f"{row.name} is taken on a {wanted}, and {subject!r} is none. Write {here}, or its id.",
    )


# Why ------------------------------------------------------------------------------------------------------


@command(
    app,
    "why",
    "为什么在等：受阻于什么、谁能办、到何时；--as 只说此人可知的 · "
    "What blocks it, who can act, until when; with --as only what that person may know.",
    acts=True,
)
def why(terminal: Terminal, subject: Subject) -> None:
    from milepost.cli.payments import payment_reading, tell_payment
    from milepost.cli.subjects import find
    from milepost.cli.why import explain
    from milepost.programmes import load_published

    with terminal.session() as session:
        if terminal.login:
            named, seen = seen_by(session, terminal.person(session).id, subject)
            found = explain(session, named, reader=seen.sight)
            payment = payment_reading(session, named, seen.sight)
        else:
            named = find(session, subject)
            found = explain(session, named)
            payment = payment_reading(session, named, None)
        compiled = load_published(session.conn, named.programme_id)
    if terminal.as_json:
        more = {"payment": payment.as_json()} if payment is not None else {}
        terminal.answer({"ok": True, **found.as_json(), **more})
        return
    assert compiled is not None
    _tell(terminal, found, compiled.programme, 0)
    if payment is not None:
        tell_payment(terminal, payment)


def _tell(terminal: Terminal, found: Why, programme: Programme, depth: int) -> None:
    indent = "  " * depth
    terminal.print(f"{indent}{found.label}: {_state(terminal, found.subject.noun, found.subject.state)}")
    for name, due, who in found.deadlines:
        from states.labels import role_label

        roles = terminal.say("、", ", ").join(terminal.text(role_label(role)) for role in who)
        terminal.line(
            f"{indent}  期限 {due}（{name}），由 {roles}", f"{indent}  until {due} ({name}), by {roles}"
        )
    if found.approvals is not None:
        from states.labels import progress_said

        terminal.print(f"{indent}  {progress_said(found.approvals, terminal.locale)}")
    for refusal in found.blocked or ():
        _tell_refusal(terminal, refusal, programme, f"{indent}  ")
    if found.blocked == []:
        terminal.line(f"{indent}  拨付条件均已满足。", f"{indent}  Every condition for paying holds.")
    shut = set(found.blocked or ())
    for way in (way for way in found.ways if way.onward):
        _tell_way(terminal, way, programme, shut, f"{indent}  ")
    for part in found.parts:
        _tell(terminal, part, programme, depth + 1)


def _tell_way(terminal: Terminal, way: Way, programme: Programme, known: set[Any], indent: str) -> None:
    from states.labels import role_label

    if way.who:
        who = ", ".join(f"{w.name} ({w.login})" for w in way.who[:3]) + (" …" if len(way.who) > 3 else "")
    elif way.roles == ("system",):
        terminal.line(
            f"{indent}→ {way.step.label.zh} [{way.step.name}]：条件满足后由系统自动办理",
            f"{indent}→ {way.step.label.en} [{way.step.name}]: by the system, once conditions hold",
        )
        return
    else:
        roles = terminal.say("、", ", ").join(terminal.text(role_label(role)) for role in way.roles)
        who = terminal.say(f"无人（需要：{roles}）", f"nobody (needed: {roles})") if way.told else roles
    mark = "→" if not way.refusals and (way.who or not way.told) else "✗"
    terminal.print(f"{indent}{mark} {terminal.text(way.step.label)} [{way.step.name}]: {who}")
    for refusal in way.refusals:
        # A gate that was told above is not told again for every step that asks it.
        if refusal not in known:
            _tell_refusal(terminal, refusal, programme, f"{indent}  ")


def _tell_refusal(terminal: Terminal, refusal: Any, programme: Programme, indent: str) -> None:
    from states.labels import role_label, worded

    told = worded(refusal, terminal.locale, programme)
    who = terminal.say("、", ", ").join(terminal.text(role_label(role)) for role in told.who)
    fact, remedy = told.fact(terminal.locale), told.remedy(terminal.locale)
    terminal.line(
        f"{indent}✗ {fact}{remedy}（可办理：{who}）", f"{indent}✗ {fact} {remedy} (Who can act: {who})"
    )

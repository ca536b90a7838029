"""A payment at the terminal: what ``milepost why`` adds for one, and its papers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from milepost.cli.app import app, command
from milepost.cli.terminal import Terminal

if TYPE_CHECKING:
    from milepost.cli.subjects import Named
    from milepost.db import Session
    from milepost.queries.sight import Sight
    from milepost.work.payment_why import PaymentWhy


def payment_reading(session: Session, named: Named, reader: Sight | None) -> PaymentWhy | None:
    """The reading of a payment, None for another noun. Without a reader as the office's staff see it."""
    from milepost.queries.payments import payment_sight
    from milepost.queries.sight import Sight
    from milepost.work.payment_why import payment_why
    from states.case import SYSTEM_ID

    if named.noun != "payment":
        return None
    # Whoever asks at the machine itself sees what supervisors see: account numbers stay masked.
    staff: Sight | None = Sight(SYSTEM_ID, frozenset({"programme_officer", "supervisor"}))
    sight = staff if reader is None else payment_sight(session, reader.actor_id, named.id)
    return payment_why(session, sight, named.id) if sight is not None else None


def tell_payment(terminal: Terminal, why: PaymentWhy) -> None:
    """The gates, the duties, the bank's words and the legs of the money, in tables."""
    from milepost.reports.payment_words import TRANSFERS, account_label, acted
    from states.labels import duty_label, said, step_label

    text, locale, row = terminal.text, terminal.locale, why.row
    terminal.print(text(why.headline))
    for note in why.notes:
        terminal.print(text(note))
    zone = terminal.settings.zone

    def when(event: Any) -> str:
        return "" if event is None else f"{event.at.astimezone(zone):%Y-%m-%d}"

    def who(event: Any) -> str:
        return "" if event is None else acted(event.person, event.behalf, locale)

    gates = [
        (
            "✗" if gate.refusal else "✓",
            gate.refusal.fact(locale) if gate.refusal else text(gate.label),
            when(gate.event),
            who(gate.event),
            gate.due_on or "",
            gate.event.hash[:12] if gate.event else "",
        )
        for gate in why.gates
    ]
    heads = (("", ""), ("条件", "gate"), ("自", "since"), ("经办", "by"), ("期限", "until"), ("哈希", "hash"))
    if gates:
        terminal.table(heads, gates, title=terminal.say("拨付条件", "Conditions"))
    duties = [(said(duty_label(d.duty), locale), d.name, when(d.event)) for d in why.duties]
    if duties:
        terminal.table((("职责", "duty"), ("人员", "who"), ("时间", "when")), duties)
    if why.approvals is not None:
        _tell_approvals(terminal, why)
    entries = [
        (e["booked_on"], e["source"], e["said"], e["amount_minor"], e["reference"], e["outcome"])
        for e in why.read.entries
    ]
    if entries:
        bank = (
            ("日期", "day"),
            ("来源", "source"),
            ("所述", "said"),
            ("分", "minor units"),
            ("流水号", "reference"),
            ("处理", "outcome"),
        )
        terminal.table(bank, entries, title=terminal.say("银行往来", "At the bank"))
    for x in why.read.exceptions:
        if x["state"] == "open":
            terminal.print(f"! {text(x['said'].fact)} {text(x['said'].remedy)}")
    legs = [
        (
            f"{leg['at'].astimezone(zone):%Y-%m-%d}",
            text(step_label(leg["step"])),
            text(account_label(leg["debit"])),
            text(account_label(leg["credit"])),
            text(TRANSFERS[leg["kind"]]),
        )
        for leg in why.read.legs
    ]
    if legs:
        ledger = (("日期", "day"), ("步骤", "step"), ("借", "debit"), ("贷", "credit"), ("", ""))
        terminal.table(ledger, legs, title=terminal.say("账上的每一步", "In the ledger"))
    if row["bank_reference"]:
        terminal.line(f"银行流水号 {row['bank_reference']}", f"Bank reference {row['bank_reference']}")


def _tell_approvals(terminal: Terminal, why: PaymentWhy) -> None:
    """Who has approved, who still may, until when, and what undid earlier approvals."""
    from milepost.reports.payment_words import acted
    from states.labels import progress_said, role_label, step_label

    found, locale, zone = why.approvals, terminal.locale, terminal.settings.zone
    assert found is not None
    if why.row["state"] in ("due", "released"):
        terminal.print(progress_said(found.progress, locale))
    if found.until:
        terminal.line(f"  审批期限 {found.until}", f"  approvals until {found.until}")
    for given in found.given:
        day = f"{given.at.astimezone(zone):%Y-%m-%d %H:%M}" if given.at else ""
        role = terminal.text(role_label(given.role))
        terminal.print(f"  ✓ {acted(given.name, given.behalf, locale)} ({role}) {day}")
    for wanted in found.wanted:
        names = terminal.say("、", ", ").join(acted(name, behalf, locale) for name, behalf in wanted.may)
        role = terminal.text(role_label(wanted.role))
        terminal.line(
            f"  ○ 还缺 {role} × {wanted.number}；可审批：{names or '没有人'}",
            f"  ○ missing: {role} × {wanted.number}; who still may: {names or 'nobody'}",
        )
    for undone in found.undone:
        names = terminal.say("、", ", ").join(undone.approvers)
        day = f"{undone.at.astimezone(zone):%Y-%m-%d}"
        what = terminal.text(step_label(undone.step))
        by = f" {undone.by}" if undone.by else ""
        terminal.line(
            f"  ✗ 第 {undone.attempt} 次办理的审批已作废：{names}（{what}{by} {day}）{undone.why}",
            f"  ✗ undone with attempt {undone.attempt}: {names} ({what}{by} {day}) {undone.why}",
        )


@command(
    app,
    "voucher",
    "一笔拨付的单据：记账凭证、付款申请单、到账通知 · A payment's voucher, order or remittance advice.",
    acts=True,
)
def voucher(
    terminal: Terminal,
    payment: Annotated[
        str, typer.Argument(metavar="PAYMENT", help="拨付，如 P-1/t1 · The payment, such as P-1/t1.")
    ],
    paper: Annotated[
        Literal["voucher", "order", "advice"], typer.Option("--paper", help="哪种单据 · Which paper.")
    ] = "voucher",
) -> None:
    from milepost.cli.steps import seen_by
    from milepost.cli.subjects import find
    from milepost.cli.terminal import Usage
    from milepost.work.payment_papers import TITLES, paper_of

    with terminal.session() as session:
        if terminal.login:
            named, seen = seen_by(session, terminal.person(session).id, payment)
            why = payment_reading(session, named, seen.sight)
        else:
            why = payment_reading(session, find(session, payment), None)
        found = paper_of(why, paper) if why is not None else None
    if why is None:
        raise Usage("subject_unfit", f"“{payment}”不是拨付。", f"{payment!r} is no payment.")
    if found is None:
        title = TITLES[paper]
        raise Usage(
            "paper_missing",
            f"这笔拨付现在没有{title.zh}：申请后有付款申请单，入账后有凭证，到账后有通知。",
            f"There is no {title.en.lower()} of this payment now: an order comes with the request, a voucher "
            "with the first entry in the ledger, an advice once it is paid; each for who may see it.",
        )
    answer = found.as_json()
    if terminal.as_json:
        terminal.answer({"ok": True, **answer})
        return
    row, locale = why.row, terminal.locale
    facts = [
        (terminal.say("编号", "number"), found.number),
        (terminal.say("项目", "project"), f"{row['code']} {row['title']}"),
        (terminal.say("承担单位", "grantee"), row["unit_name"]),
        (terminal.say("收款人", "payee"), f"{row['account_name']} {row['bank_name']} {row['account_no']}"),
        (terminal.say("金额", "amount"), answer["amount"][locale]),
        *((terminal.say("说明", "note"), terminal.text(note)) for note in why.notes),
        (terminal.say("大写", "capitals"), found.capitals),
        (terminal.say("款项依据", "earned by"), terminal.text(found.earned)),
        *((d["label"][locale], f"{d['name']} {d['at'] or ''}") for d in answer["duties"]),
        (terminal.say("银行流水号", "bank reference"), row["bank_reference"] or ""),
        (terminal.say("到账日", "paid on"), row["settled_on"] or ""),
        (terminal.say("最后事件", "last event"), answer["last_event_hash"]),
        (terminal.say("封存", "seal"), answer["seal"]["root"] if answer["seal"] else ""),
    ]
    terminal.table((("", ""), ("", "")), facts, title=terminal.text(found.title))
    lines = [
        (x["label"][locale], x["debit_minor"] or "", x["credit_minor"] or "", x["step_label"][locale])
        for x in answer["lines"]
    ]
    if lines:
        heads = (
            ("科目", "account"),
            ("借（分）", "debit, minor"),
            ("贷（分）", "credit, minor"),
            ("步骤", "step"),
        )
        terminal.table(
            heads, [*lines, (terminal.say("合计", "total"), found.total_minor, found.total_minor, "")]
        )


__all__ = ["payment_reading", "tell_payment"]

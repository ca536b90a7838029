"""Where a payment stands, in plain words: what people hear who ask where the money is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from config.programmes import Text
from milepost.mail.facts import day
from states.labels import state_label
from states.payment import STEPS
from states.refusals import CATALOGUE
from states.step import words

PAYMENT_STATES = frozenset(state for step in STEPS for state in step.source) | {"returned", "void"}

# The ledger's accounts, as papers and pages call them.
ACCOUNTS: Mapping[str, Text] = {
    "treasury": words("财政拨入", "Treasury"),
    "appropriation": words("年度预算指标", "Appropriation of the year"),
    "commitment": words("项目已承诺", "Commitment to the project"),
    "payable": words("应付（在途）", "Payable, on its way"),
    "paid": words("已拨付", "Paid to the grantee"),
    "receivable": words("应收（退款）", "Receivable"),
}
TRANSFERS: Mapping[str, Text] = {
    "posted": words("入账", "posted"),
    "pending": words("预留", "reserved"),
    "post": words("预留转入账", "reservation posted"),
    "void": words("预留解除", "reservation released"),
}
BANK_SAID: Mapping[str, Text] = {
    "debit": words("对账单：已付出", "Statement: paid out"),
    "credit": words("对账单：已退回", "Statement: came back"),
    "accepted": words("回执：已受理", "Report: accepted"),
    "pending": words("回执：处理中", "Report: pending"),
    "rejected": words("回执：拒绝", "Report: rejected"),
    "settled": words("回执：已付", "Report: settled"),
}
OUTCOMES: Mapping[str, Text] = {
    "new": words("待处理", "to be looked at"),
    "held": words("所在文件不平，暂不入账", "held: its file does not add up"),
    "waiting": words("等对账单印证", "waits for the statement"),
    "applied": words("已入账", "entered in our books"),
    "noted": words("已登记", "noted"),
    "queued": words("列入待查", "in the queue of exceptions"),
}


def account_label(kind: str) -> Text:
    """What an account of the ledger is called."""
    return ACCOUNTS.get(kind) or words(kind, kind)


# What may stand beside a duty's person, by its column.
BESIDE: Mapping[str, Text] = {"for": words("代", "for")}


# What stands for a bank reference where all of it was set off.
SET_OFF = "-"


def beside(column: str) -> Text:
    """What another person or word beside a duty is: who was acted for, and whatever else its row says."""
    plain = column.replace("_", " ")
    return BESIDE.get(column) or words(plain, plain)


def last_digits(account_no: str | None) -> str:
    """The last four characters of an account; nothing where there is none."""
    bare = (account_no or "").replace(" ", "")
    return bare[-4:] if len(bare) > 4 else ""


def both(zh: str, en: str, **given: date | None) -> Text:
    """Words with days in them, each in its language's writing."""
    return words(
        zh.format(**{k: day(v, "zh") for k, v in given.items()}),
        en.format(**{k: day(v, "en") for k, v in given.items()}),
    )


def headline(row: Mapping[str, Any], shut: int, asked: int) -> Text:
    """One sentence for the state it stands in. ``shut`` of ``asked`` gates are shut where gates are asked."""
    state = row["state"]
    if state in _BEFORE_BANK and shut:
        be = "is" if shut == 1 else "are"
        return words(
            f"还不能拨付：{asked} 项条件中有 {shut} 项未满足。",
            f"Not payable yet: {shut} of {asked} conditions {be} not met.",
        )
    if state == "settled" and row["bank_reference"] == SET_OFF:
        return both(
            "已于 {on} 以应退款全额抵扣结清，银行没有付款。",
            "It was settled on {on} by set-off against what was owed; the bank paid nothing.",
            on=row["settled_on"],
        )
    if state == "settled":
        tail = last_digits(row["account_no"])
        zh, en = (f"，收款账户尾号 {tail}", f", to the account ending in {tail}") if tail else ("", "")
        if row["bank_reference"]:
            zh += f"，银行流水号 {row['bank_reference']}"
            en += f", bank reference {row['bank_reference']}"
        return both(
            "银行已于 {on} 付出" + _safe(zh) + "。",
            "The bank paid it on {on}" + _safe(en) + ".",
            on=row["settled_on"],
        )
    return _STATES.get(state) or words(state, state)


def _safe(text: str) -> str:
    """What the bank wrote, as it is."""
    return text.replace("{", "{{").replace("}", "}}")


_BEFORE_BANK = ("planned", "due", "requested", "approved", "released")
_STATES: Mapping[str, Text] = {
    "planned": words(
        "条件已全部满足，下一次例行检查即转为可申请。",
        "Every condition is met; the next routine check makes it due.",
    ),
    "due": words("条件已全部满足，等财务申请拨付。", "Every condition is met; finance is to request it."),
    "requested": words(
        "已申请，等申请人以外的人审批。", "Requested; others than the requester are to approve it."
    ),
    "approved": words(
        "审批已齐全，等另一位财务人员放款。", "Approved; another finance officer is to release it."
    ),
    "released": words("已放款，等交付银行。", "Released; it goes to the bank next."),
    "instructed": words(
        "已交银行，等银行的对账单。", "It is with the bank; the bank's statement is awaited."
    ),
    "unknown": words(
        "银行没有回音，结果不明。查明之前不会再付一次。",
        "The bank has not answered and the outcome is unknown. Until it is, nothing is paid a second time.",
    ),
    "returned": words("银行退回了这一笔，款项没有付出。", "The bank returned it: the money did not arrive."),
    "void": words("本次办理已作废，没有付款。", "This attempt was voided; nothing was paid by it."),
}


def acted(person: str, behalf: str, locale: str) -> str:
    """Who did something and, by delegation, for whom: "Li Wei for Wang Fang"."""
    if not behalf:
        return person
    return f"{person}（代{behalf}）" if locale == "zh" else f"{person} for {behalf}"


def next_attempt(attempts: Sequence[Mapping[str, Any]], attempt: int) -> Mapping[str, Any] | None:
    """The attempt that came after this one."""
    return next((a for a in attempts if a["attempt"] == attempt + 1), None)


def left_out_said(why: str) -> Text:
    """Why a batch left a payment out: its state, or the codes of what refused it; words stay as they are."""
    parts = why.split(", ")
    known = [_in_words(part) for part in parts]
    if any(text is None for text in known):
        return words(why, why)
    found = [text for text in known if text is not None]
    return words("".join(t.zh for t in found), " ".join(t.en for t in found))


def _in_words(code: str) -> Text | None:
    if code in CATALOGUE:
        row = CATALOGUE[code]
        # What refused it is over; without its figures the remedy says as much.
        return next((t for t in (row.fact, row.remedy) if "{" not in t.zh + t.en), None)
    if code in PAYMENT_STATES:
        label = state_label("payment", code)
        return words(f"{label.zh}。", f"{label.en}.")
    return None


__all__ = [
    "BANK_SAID",
    "OUTCOMES",
    "SET_OFF",
    "TRANSFERS",
    "account_label",
    "acted",
    "beside",
    "both",
    "headline",
    "last_digits",
    "left_out_said",
    "next_attempt",
]

"""What a payment was earned by, and which one comes after it, in words that papers and mails share."""

from __future__ import annotations

from config.programmes import Text
from schema.money import Money
from states.labels import choice_label
from states.step import words


def earned_by(waits_for: str, milestone: int | None, title: str | None) -> Text:
    """The milestone that was accepted, by number and title; otherwise what the tranche waited for."""
    label = choice_label(waits_for)
    if milestone is None:
        return label
    return words(f"里程碑 {milestone}“{title or ''}”通过", f"milestone {milestone} “{title or ''}”, accepted")


def next_payment(tranche: int | None, amount: Money | None, waits_for: str, milestone: int | None) -> Text:
    """What the grantee is to expect after this one."""
    if tranche is None or amount is None:
        return words("本项目没有后续拨付。", "No further payment is planned for this project.")
    what = choice_label(waits_for)
    zh, en = what.zh, _lower(what.en)
    if milestone is not None:
        zh, en = f"里程碑 {milestone} 通过后", f"{en} {milestone}"
    return words(
        f"下一笔是第 {tranche} 笔，{amount.format('zh')}，{zh}拨付。",
        f"Next comes payment {tranche}, {amount.format('en')}, {en}.",
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


__all__ = ["earned_by", "next_payment"]

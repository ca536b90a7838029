"""What each figure of a ranking is called and means; pages, sheets and the command line say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.programmes import Text
from states.step import words


@dataclass(frozen=True, slots=True)
class Figure:
    """A column: what stands above it, and what it means."""

    head: Text
    meaning: Text


FIGURES: Mapping[str, Figure] = {
    "rank": Figure(
        words("名次", "Rank"),
        words(
            "按原始分排列；相同时依次看计划指定的评分项、有效份数（多者在前）、极差（小者在前）。"
            "全部相同的名次相同，编号只决定谁先列出。",
            "By raw score; equals by the items that the programme names, then more valid reviews, then the "
            "lower spread. Where all are equal the rank is shared, and the code only settles who is listed "
            "first.",
        ),
    ),
    "raw": Figure(
        words("原始分", "Raw score"),
        words(
            "计划规则算出的得分，决定名次。未汇总的轮次按已收到的评审试算，并标明“试算”。",
            "The score that the programme's rule makes; it decides the rank. Before a round is counted it is "
            "what the reviews so far would give, and is marked as such.",
        ),
    ),
    "reviews": Figure(
        words("有效份数", "Valid reviews"),
        words(
            "已提交的评审份数；达到规定份数时去掉最高、最低各一份，去掉几份在括号中注明。",
            "Reviews submitted. From the programme's number on, the highest and the lowest are dropped; how "
            "many were dropped stands in brackets.",
        ),
    ),
    "spread": Figure(
        words("极差", "Spread"),
        words("最高有效分减最低有效分。", "The highest valid score less the lowest."),
    ),
    "calibrated": Figure(
        words("校准分 ± 误差", "Calibrated ± error"),
        words(
            "扣除各位专家一贯的宽严和打分幅度之后的平均分，± 后为标准误。列在原始分旁边供参考，不改动名次。",
            "The mean with each expert's usual severity and spread taken out, and its standard error. It "
            "stands beside the raw score and changes no rank.",
        ),
    ),
    "chance": Figure(
        words("应在线上的概率", "Chance to belong above the line"),
        words(
            "考虑评审的偶然误差和专家的宽严，反复模拟这一轮，该申报落在资助线以上的比例。接近一半，说明分数不足以区分。",
            "How often the application is above the line when the round is drawn again and again within what "
            "chance and severities leave open. Near one half the scores do not tell.",
        ),
    ),
    "decided_by": Figure(
        words("与前一名的区别", "Set apart by"),
        words(
            "是哪一项把它与前一名次分开。",
            "What sets it behind the rank before.",
        ),
    ),
    "amount": Figure(
        words("金额", "Amount"),
        words(
            "已立项的为立项金额，已公示的为拟立项金额，其余为申请金额。",
            "The award where there is one, what the notice proposed, or what was requested.",
        ),
    ),
    "line": Figure(
        words("资助线", "Funding line"),
        words(
            "从第一名起依次累加金额，到第一个放不下的为止；后面金额较小的不得越过它。跳过后还放得下的，只作说明。"
            "按本年预算划线时，每项只计预计本年到期的部分；自行填写预算时，计全额。",
            "Amounts are added from the first rank to the first that does not fit; nothing smaller passes "
            "it. What would fit if it were skipped is said and not done. By the year's budget, only the part "
            "of each that is expected to be due this year counts; by a budget that is typed, the whole.",
        ),
    ),
}

PATTERNS_NOTE = words(
    "以下各条只是提请留意，任何一份评审都没有因此删除或降权。",
    "These are reasons to look. No review was removed or weighed down for them.",
)


def points(milli: int | None, places: int = 2) -> str:
    """Thousandths of a point as people read them; a dash where there is none."""
    return "—" if milli is None else f"{milli / 1000:.{places}f}"


def percent(milli: int | None) -> str:
    """A chance in thousandths as people read it: only what is certain is 0 or 100."""
    if milli is None:
        return "—"
    if milli in (0, 1000):
        return f"{milli // 10}%"
    return "<1%" if milli < 10 else ">99%" if milli > 990 else f"{round(milli / 10)}%"


__all__ = ["FIGURES", "PATTERNS_NOTE", "Figure", "percent", "points"]

"""What the figures of a yearly budget are called, in their order: for pages, sheets and the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from config.programmes import Text
from milepost.queries.budget import Line
from states.step import words

CAME: Mapping[str, Text] = {
    "opening": words("年初数", "Opening"),
    "voted": words("本年安排", "Voted"),
    "increased": words("追加", "Increased"),
    "decreased": words("调减", "Decreased"),
    "moved_in": words("调入", "Moved in"),
    "moved_out": words("调出", "Moved out"),
    "carried_in": words("上年结转", "Carried in"),
}
BECAME: Mapping[str, Text] = {
    "paid": words("已付", "Paid"),
    "on_way": words("付款途中", "On its way"),
    "held": words("已占用", "Reserved"),
    "carried_out": words("结转下年", "Carried out"),
    "lapsed": words("结余上缴", "Lapsed"),
    "left": words("剩余", "Left"),
}
RETURNED = words("其中退回", "Returned")
REFUNDED = words("其中承担单位退款", "of which by grantees")
TAKEN_OFF = frozenset({"decreased", "moved_out"})
"""What is subtracted on the side of what there was."""

KINDS: Mapping[str, Text] = {
    "increase": words("追加", "Increase"),
    "decrease": words("调减", "Decrease"),
    "move": words("调剂", "Move"),
    "carry_over": words("结转下年", "Carry-over"),
    "lapse": words("结余上缴", "Lapse"),
}
COMMITTED = words("已立项待申请", "Committed")
FREE = words("可再立项", "Free")
BUDGET = words("预算", "Budget")
EXECUTED = words("执行率", "Executed")
SOURCE = words("资金来源", "Source")
ORIGIN = words("资金年度", "Money of")
OFFICE = words("单位", "Office")
PROGRAMME = words("计划", "Programme")
CURRENCY = words("币种", "Currency")
YEAR = words("预算年度", "Fiscal year")
STATE = words("状态", "State")
TOTAL = words("合计", "Total")


def amounts(line: Line) -> dict[str, int]:
    """The close report's figures of an appropriation, by name, in their order."""
    return {name: getattr(line, name) for name in (*CAME, *BECAME)}


__all__ = [
    "BECAME",
    "BUDGET",
    "CAME",
    "COMMITTED",
    "CURRENCY",
    "EXECUTED",
    "FREE",
    "KINDS",
    "OFFICE",
    "ORIGIN",
    "PROGRAMME",
    "REFUNDED",
    "RETURNED",
    "SOURCE",
    "STATE",
    "TAKEN_OFF",
    "TOTAL",
    "YEAR",
    "amounts",
]

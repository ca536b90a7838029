"""Reads ``milestone_deliveries.csv``: what was handed in, by whom it was evaluated, what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from milepost.importing.cells import CellError, day_in, name_in, people_in, whole_in
from milepost.importing.tables import Finding, Row, Table, read_table
from schema.money import Explained

FILE = "milestone_deliveries.csv"
COLUMNS = (
    "project",
    "milestone",
    "delivered_on",
    "deliverables",
    "evaluations",
    "evaluated_on",
    "decided_on",
    "outcome",
    "deliverables_accepted",
    "evaluators",
)
OUTCOMES = ("accepted", "in_progress", "not_evaluated")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A milestone as it was delivered and, where that happened, evaluated and decided."""

    row: int
    project: str
    milestone: int
    delivered_on: date
    deliverables: int
    evaluations: int
    evaluated_on: date | None
    decided_on: date | None
    outcome: str
    deliverables_accepted: int | None
    evaluators: tuple[str, ...]

    @property
    def evaluator(self) -> str:
        """Who had the last word."""
        return self.evaluators[-1]

    @property
    def taken_up_on(self) -> date:
        """The day the evaluator began; never before the delivery, never after the decision."""
        assert self.decided_on is not None
        return min(max(self.evaluated_on or self.decided_on, self.delivered_on), self.decided_on)


def read_deliveries(folder: Path) -> tuple[list[Delivery], Table]:
    """Every delivery that can be taken, in the file's order, and the file with its refusals and remarks."""
    table = read_table(folder / FILE, COLUMNS)
    taken: dict[tuple[str, int], Delivery] = {}
    for row in table.rows:
        try:
            delivery = _delivery(row)
            first = taken.get((delivery.project, delivery.milestone))
            if first is not None:
                raise CellError(
                    "milestone_repeated",
                    f"第 {first.row} 行已有同一项目的里程碑 {first.milestone}。请删除或更正此行。",
                    f"Row {first.row} has milestone {first.milestone} of the same project already. The first "
                    "one counts; delete or correct this row.",
                )
        except Explained as wrong:
            table.refused.append(Finding(FILE, row.number, row["project"], wrong.code, wrong.zh, wrong.en))
            continue
        taken[delivery.project, delivery.milestone] = delivery
        table.remarks.extend(_remarks(delivery))
    return list(taken.values()), table


def _delivery(row: Row) -> Delivery:
    outcome = row["outcome"]
    if outcome not in OUTCOMES:
        known = ", ".join(OUTCOMES)
        raise CellError(
            "outcome_unknown",
            f"没有结果“{outcome[:40]}”。请使用：{known}。",
            f"There is no outcome {outcome[:40]!r}. Use one of: {known}.",
        )
    delivery = Delivery(
        row=row.number,
        project=name_in(row["project"]),
        milestone=whole_in(row["milestone"], "milestone", 999),
        delivered_on=day_in(row["delivered_on"], "delivered_on"),
        deliverables=whole_in(row["deliverables"], "deliverables"),
        evaluations=whole_in(row["evaluations"], "evaluations"),
        evaluated_on=day_in(row["evaluated_on"], "evaluated_on") if row["evaluated_on"] else None,
        decided_on=day_in(row["decided_on"], "decided_on") if row["decided_on"] else None,
        outcome=outcome,
        deliverables_accepted=(
            whole_in(row["deliverables_accepted"], "deliverables_accepted")
            if row["deliverables_accepted"]
            else None
        ),
        evaluators=people_in(row["evaluators"]),
    )
    _check(delivery)
    return delivery


def _check(delivery: Delivery) -> None:
    """What the row says must be able to be true together."""
    if delivery.outcome == "not_evaluated":
        if delivery.decided_on or delivery.evaluators or delivery.deliverables_accepted is not None:
            raise CellError(
                "outcome_contradicts",
                "结果为 not_evaluated，却填有评价或决定。请更正结果，或清空这些列。",
                "The outcome is not_evaluated, yet there is an evaluation or a decision. Correct the outcome "
                "or empty those columns.",
            )
        return
    if delivery.decided_on is None:
        raise CellError(
            "decided_on_missing",
            f"结果为 {delivery.outcome}，但没有 decided_on。请补上决定日期。",
            f"The outcome is {delivery.outcome} but decided_on is empty. Fill in the day of the decision.",
        )
    if not delivery.evaluators:
        raise CellError(
            "evaluator_missing",
            f"结果为 {delivery.outcome}，但没有评价人。请补上 evaluators。",
            f"The outcome is {delivery.outcome} but no evaluator is named. Fill in evaluators.",
        )
    if delivery.decided_on < delivery.delivered_on:
        raise CellError(
            "decided_before_delivered",
            f"决定日 {delivery.decided_on} 早于交付日 {delivery.delivered_on}。请更正日期。",
            f"It was decided on {delivery.decided_on}, before it was delivered on {delivery.delivered_on}. "
            "Correct the days.",
        )


def _remarks(delivery: Delivery) -> list[Finding]:
    found: list[tuple[str, str, str]] = []
    accepted, evaluated, decided = (
        delivery.deliverables_accepted,
        delivery.evaluated_on,
        delivery.decided_on,
    )
    if accepted is not None and accepted > delivery.deliverables:
        found.append(
            (
                "more_accepted_than_delivered",
                f"认可的交付物 {accepted} 多于交付的 {delivery.deliverables}；照录。",
                f"{accepted} deliverables were accepted of {delivery.deliverables} delivered; kept.",
            )
        )
    if evaluated is not None and decided is not None and decided < evaluated:
        found.append(
            (
                "decided_before_evaluated",
                f"决定日 {decided} 早于评价日 {evaluated}；按决定日办理。",
                f"Decided on {decided}, before it was evaluated on {evaluated}; the decision counts.",
            )
        )
    if evaluated is not None and evaluated < delivery.delivered_on:
        found.append(
            (
                "evaluated_before_delivered",
                f"评价日 {evaluated} 早于交付日 {delivery.delivered_on}；按交付日起评。",
                f"It was evaluated on {evaluated}, before it was delivered on {delivery.delivered_on}; "
                "the evaluation is taken to begin with the delivery.",
            )
        )
    if delivery.outcome == "not_evaluated" and (delivery.evaluations or evaluated):
        found.append(
            (
                "evaluation_without_outcome",
                "有评价记录但无结果；按未评价处理。",
                "There is an evaluation but no outcome; it counts as not evaluated.",
            )
        )
    return [Finding(FILE, delivery.row, delivery.project, *words) for words in found]

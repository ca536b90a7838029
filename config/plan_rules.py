"""What the tranches of a programme owe each other where sums are computed, held back, or paid on days."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from config.programme_problems import Found
from config.programmes import Programme, Tranche
from config.toml_lines import KeyPath

RESERVED_CODE = "late_interest"


def _percent(share: Fraction) -> str:
    hundred = share * 100
    return f"{hundred.numerator}%" if hundred.denominator == 1 else str(share)


def computed_sums_can_be_found(programme: Programme) -> Iterator[Found]:
    """A computed tranche has claims to follow from, settings of its own, and no fixed sum behind it."""
    computed = False
    for index, tranche in enumerate(programme.tranches):
        at: KeyPath = ("tranches", index)
        if tranche.basis == "verified" and programme.claims is None:
            yield Found(
                "claims_missing",
                (*at, "basis"),
                f"分期 {tranche.code} 按核定支出计算，但没有费用申报。请写 [claims] 和 categories。",
                f"Tranche {tranche.code} follows from verified spending, and nothing is claimed; "
                "write [claims] with its categories.",
            )
        if tranche.basis == "verified" and tranche.per_milestone:
            yield Found(
                "basis_per_milestone",
                (*at, "basis"),
                "按里程碑拨付的分期金额固定。请删去 basis 或 per_milestone。",
                "What is paid per milestone has sums of its own; remove basis or per_milestone.",
            )
        if computed and tranche.basis == "fixed":
            yield Found(
                "fixed_after_computed",
                (*at, "basis"),
                f"分期 {tranche.code} 金额固定，却排在按核定支出计算的分期之后，累计会算错。请移到前面。",
                f"Tranche {tranche.code} has a fixed sum and stands behind a computed one, which counts "
                "all that was paid before it; put it first.",
            )
        computed = computed or tranche.basis == "verified"
        for key in _idle(tranche):
            yield Found(
                "basis_setting_unused",
                (*at, key),
                f'{key} 只用于 basis = "verified" 的分期。请删去或改 basis。',
                f'{key} is for tranches of basis = "verified"; remove it or change the basis.',
            )
        if tranche.cap_minor is not None and tranche.minimum_minor > tranche.cap_minor:
            yield Found(
                "minimum_above_cap",
                (*at, "minimum_minor"),
                f"最低额 {tranche.minimum_minor} 高于上限 {tranche.cap_minor}，永远付不出。请改低。",
                f"The minimum of {tranche.minimum_minor} is above the cap of {tranche.cap_minor}: "
                "nothing is ever paid. Lower it.",
            )


def _idle(tranche: Tranche) -> list[str]:
    if tranche.basis == "verified":
        return []
    given = {
        "rate": tranche.rate != 1,
        "cap_minor": tranche.cap_minor is not None,
        "minimum_minor": tranche.minimum_minor > 0,
    }
    return [key for key, said in given.items() if said]


def retention_is_released(programme: Programme) -> Iterator[Found]:
    """What is held back is released once, by the last tranche, after the acceptance."""
    releasing = [n for n, tranche in enumerate(programme.tranches) if tranche.basis == "retained"]
    last = len(programme.tranches) - 1
    if programme.retention is not None and not releasing:
        yield Found(
            "retention_never_released",
            ("retention",),
            '有保留金，却没有退还它的分期。请在最后加 basis = "retained" 的分期。',
            'Something is held back and never paid; add a last tranche with basis = "retained".',
        )
    if programme.retention == 1:
        yield Found(
            "retention_whole",
            ("retention",),
            "保留金是全部，什么也付不出。请改低，例如 5%。",
            "Everything is held back, so nothing is ever paid; lower it, for example to 5%.",
        )
    for index in releasing:
        tranche, at = programme.tranches[index], ("tranches", index)
        if programme.retention is None:
            yield Found(
                "retention_missing",
                (*at, "basis"),
                '没有保留金可退还。请写 retention = "5%" 或删去此分期。',
                'Nothing is held back; write retention = "5%" or remove this tranche.',
            )
        if index != last or tranche.waits_for != "acceptance":
            yield Found(
                "retention_not_last",
                (*at, "basis"),
                '退还保留金的分期须是最后一个，并写 waits_for = "acceptance"。',
                'What was held back is paid last, after acceptance; put it last, waits_for = "acceptance".',
            )
        if tranche.share is not None or tranche.per_milestone or tranche.instalments > 1:
            key = "share" if tranche.share is not None else "basis"
            yield Found(
                "retention_with_share",
                (*at, key),
                "保留金从其他分期中扣出，没有自己的比例。请删去 share。",
                "What was held back comes from the other tranches and has no share of its own; remove it.",
            )


def interest_has_its_own_line(programme: Programme) -> Iterator[Found]:
    """Interest is paid from a source that the file has and that no award is paid from."""
    named = [tranche.code for tranche in programme.tranches]
    if RESERVED_CODE in named:
        yield Found(
            "code_reserved",
            ("tranches", named.index(RESERVED_CODE), "code"),
            f"“{RESERVED_CODE}”留作逾期利息。请改名。",
            f'"{RESERVED_CODE}" is kept for interest; name the tranche otherwise.',
        )
    rule = programme.late_interest
    if rule is None or rule.paid_from is None:
        return
    sources = [source.code for source in programme.budget.sources]
    if rule.paid_from not in sources:
        yield Found(
            "interest_source_unknown",
            ("late_interest", "paid_from"),
            f"利息的资金来源“{rule.paid_from}”不在 [[budget.sources]] 中。请写上。",
            f'The source "{rule.paid_from}" that pays interest is not among [[budget.sources]]; add it.',
        )
    elif sources[0] == rule.paid_from:
        yield Found(
            "interest_source_first",
            ("late_interest", "paid_from"),
            "第一个资金来源付项目经费，不能只付利息。请另写一个 [[budget.sources]]，排在后面。",
            "The first source pays awards and cannot be for interest alone; add one to [[budget.sources]].",
        )


def instalments_have_days(programme: Programme) -> Iterator[Found]:
    """What waits for a day says when; what is paid in several parts says how far apart."""
    for index, tranche in enumerate(programme.tranches):
        at: KeyPath = ("tranches", index)
        on_day = tranche.waits_for == "day"
        if on_day and (
            tranche.after_months is None or (tranche.instalments > 1) != bool(tranche.every_months)
        ):
            yield Found(
                "instalment_days_missing",
                (*at, "waits_for"),
                f"分期 {tranche.code} 等待约定日期。请写 after_months；分几期付的再写 every_months。",
                f"Tranche {tranche.code} waits for a day; write after_months, and every_months "
                "where there are several instalments.",
            )
        elif not on_day and (
            tranche.after_months is not None or tranche.every_months or tranche.instalments > 1
        ):
            yield Found(
                "instalment_unused",
                (*at, "waits_for"),
                '分期付款须写 waits_for = "day"。',
                'Instalments are paid on days; write waits_for = "day".',
            )


def balance_is_left(programme: Programme) -> Iterator[Found]:
    """No more than was promised is paid before the last tranche."""
    most = programme.before_balance_at_most
    if most is None:
        return
    kept = 1 - (programme.retention or Fraction(0))
    before = sum((t.share for t in programme.tranches[:-1] if t.share is not None), Fraction(0)) * kept
    if before > most:
        yield Found(
            "balance_too_small",
            ("before_balance_at_most",),
            f"最后一笔之前合计可付 {_percent(before)}，超过 {_percent(most)}。请减少前面各期。",
            f"Before the last tranche {_percent(before)} may be paid, more than {_percent(most)}; "
            "lower the others.",
        )


PLAN_RULES = (
    computed_sums_can_be_found,
    retention_is_released,
    interest_has_its_own_line,
    instalments_have_days,
    balance_is_left,
)

__all__ = ["PLAN_RULES"]

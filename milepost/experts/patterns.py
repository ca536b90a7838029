"""What looks odd in a review round is pointed out with its figures, and nothing is ever taken away for it.

Every rule compares a rater with others on the same applications, or with the rest of the round, so that a
kind round or a coarse scale is no finding. A finding is a reason to look, not a verdict; the raw score
stays what the programme's rule makes of it.

Scores and items are whole thousandths of a percent point of their own full marks, 0..100_000, as
``states.review.weighted_score`` gives them. Medians stand where means would let one odd score hide itself.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, pstdev
from typing import Literal

from config.programmes import Text

MAD_TO_SD = 1.4826  # the median absolute deviation of a normal law, times this, is its standard deviation

Code = Literal[
    "outlying_score",
    "halo",
    "even_marks",
    "repeated_marks",
    "same_text_one_rater",
    "same_text_several_raters",
    "unit_favoured",
    "unit_disfavoured",
]


@dataclass(frozen=True, slots=True)
class Review:
    """One valid review. ``items`` by criterion code; ``unit`` is the institution that applies."""

    application: str
    rater: str
    score_milli: int
    items: Mapping[str, int] = field(default_factory=dict)
    comment: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is pointed out: practice, not law, hence every figure can be set."""

    outlier_deviations: float = 3.5
    outlier_at_least_milli: int = 10_000
    unit_deviations: float = 3.5
    unit_at_least_milli: int = 5_000
    unit_reviews: int = 3
    halo_ratio: float = 0.4
    halo_reviews: int = 4
    halo_others_milli: int = 3_000
    marks_reviews: int = 3
    marks_chance: float = 0.0001
    marks_share: float = 0.5
    text_characters: int = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at: whom and what it touches, and the figures it rests on.

    Figures that end in ``_milli`` are thousandths of a percent point; those in ``_hundredths`` are
    hundredths; the rest are counts.
    """

    code: Code
    raters: tuple[str, ...]
    applications: tuple[str, ...]
    figures: Mapping[str, int]
    unit: str = ""

    def said(self, names: Mapping[str, str] | None = None) -> Text:
        """The finding in words; ``names`` puts what the reader may see in the place of a rater's code."""
        shown = names or {}
        template = _WORDS[self.code]
        figures = {key: _shown(key, value) for key, value in self.figures.items()}
        raters = [shown.get(rater, rater) for rater in self.raters]

        def fill(text: str, comma: str) -> str:
            return text.format(
                raters=comma.join(raters),
                applications=comma.join(self.applications),
                unit=self.unit,
                **figures,
            )

        return Text(zh=fill(template.zh, "、"), en=fill(template.en, ", "))


def _shown(key: str, value: int) -> str:
    if key.endswith("_milli"):
        return f"{value / 1000:.1f}"
    return f"{value / 100:.1f}" if key.endswith("_hundredths") else str(value)


_WORDS: Mapping[Code, Text] = {
    "outlying_score": Text(
        zh="{raters} 给 {applications} 评 {score_milli} 分，其余 {others} 位专家的参照分为 "
        "{reference_milli} 分，相差 {difference_milli} 分；扣除该专家一贯的高低后，"
        "为本轮常见差距的 {deviations_hundredths} 倍。",
        en="{raters} gave {applications} {score_milli}; the other {others} stand at {reference_milli}, "
        "a difference of {difference_milli}. Less what this rater always gives more or less, that is "
        "{deviations_hundredths} times the usual deviation in this round.",
    ),
    "halo": Text(
        zh="{raters} 在 {reviews} 份评审中，同一申报书各项评分的离散度平均只有 {own_milli} 分，"
        "其他专家对相同申报书为 {others_milli} 分；有 {lower} 份低于他人。各项可能没有分别评判。",
        en="Over {reviews} reviews the items of {raters} vary by {own_milli} within an application on "
        "average, those of others on the same applications by {others_milli}; {lower} reviews vary less "
        "than the others'. The items may not have been judged apart.",
    ),
    "even_marks": Text(
        zh="{raters} 的 {reviews} 份评审中有 {alike} 份各项得分率完全相同；"
        "本轮其他专家 {other_reviews} 份中有 {other_alike} 份如此。",
        en="In {alike} of the {reviews} reviews of {raters} every item has the same share of its full marks; "
        "of the {other_reviews} reviews by others {other_alike} are so.",
    ),
    "repeated_marks": Text(
        zh="{raters} 的 {reviews} 份评审中有 {alike} 份逐项给出同一组分数；"
        "本轮其他专家 {other_reviews} 份中有 {other_alike} 份给出这组分数。",
        en="In {alike} of the {reviews} reviews of {raters} item by item the same marks are given; of the "
        "{other_reviews} reviews by others {other_alike} give these marks.",
    ),
    "same_text_one_rater": Text(
        zh="{raters} 对 {applications} 的评语完全相同（{characters} 字，{reviews} 份）。",
        en="The comments of {raters} on {applications} are identical ({characters} characters, "
        "{reviews} reviews).",
    ),
    "same_text_several_raters": Text(
        zh="{raters} 的评语完全相同（{characters} 字，{reviews} 份），涉及 {applications}。",
        en="The comments of {raters} are identical ({characters} characters, {reviews} reviews), "
        "on {applications}.",
    ),
    "unit_favoured": Text(
        zh="{raters} 对 {unit} 的 {reviews} 份评审（{applications}）都高于其一贯水平，与其他专家相比平均多 "
        "{difference_milli} 分（对照其另外 {rest} 份评审），为其标准误的 {deviations_hundredths} 倍。",
        en="All {reviews} reviews of {raters} on {unit} ({applications}) lie above that rater's usual: "
        "compared with the other raters {difference_milli} more on average than in {rest} reviews elsewhere, "
        "{deviations_hundredths} times the standard error.",
    ),
    "unit_disfavoured": Text(
        zh="{raters} 对 {unit} 的 {reviews} 份评审（{applications}）都低于其一贯水平，与其他专家相比平均少 "
        "{difference_milli} 分（对照其另外 {rest} 份评审），为其标准误的 {deviations_hundredths} 倍。",
        en="All {reviews} reviews of {raters} on {unit} ({applications}) lie below that rater's usual: "
        "compared with the other raters {difference_milli} less on average than in {rest} reviews elsewhere, "
        "{deviations_hundredths} times the standard error.",
    ),
}


def patterns(reviews: Iterable[Review], limits: Limits | None = None) -> tuple[Finding, ...]:
    """Everything worth a look in a round, in one order whatever the order of the reviews.

    ValueError: a rater reviewed an application twice.
    """
    limits = limits or Limits()
    given = sorted(reviews, key=lambda review: (review.application, review.rater))
    if len({(review.application, review.rater) for review in given}) < len(given):
        raise ValueError("a rater reviewed an application twice")
    by_rater: dict[str, list[Review]] = defaultdict(list)
    by_application: dict[str, list[Review]] = defaultdict(list)
    for review in given:
        by_rater[review.rater].append(review)
        by_application[review.application].append(review)
    found = [
        *_scores(by_rater, by_application, limits),
        *_marks(given, by_rater, limits),
        *_texts(given, limits),
    ]
    even = {finding.raters for finding in found if finding.code == "even_marks"}
    # Whoever gives every item the same varies by nothing; that is said once.
    found += [finding for finding in _halo(by_rater, by_application, limits) if finding.raters not in even]
    order = {code: number for number, code in enumerate(_WORDS)}
    return tuple(sorted(found, key=lambda f: (order[f.code], f.raters, f.applications, f.unit)))


# -- scores, and units ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Apart:
    """How far a review lies from the others on its application, all in thousandths of a point."""

    review: Review
    others: int
    reference: float
    difference: float
    beyond: float
    """The difference less the rater's usual one, as the rater's other reviews show it."""


def _scores(
    by_rater: Mapping[str, Sequence[Review]],
    by_application: Mapping[str, Sequence[Review]],
    limits: Limits,
) -> Iterator[Finding]:
    apart = {rater: list(_apart(mine, by_application)) for rater, mine in by_rater.items()}
    everyone = [abs(one.beyond) for mine in apart.values() for one in mine]
    if not everyone:
        return
    # One point is the least that counts as usual: where all agree, a small difference is no finding.
    deviation = max(MAD_TO_SD * median(everyone), 1_000.0)
    for mine in apart.values():
        for one in mine:
            if _outlying(one, deviation, limits):
                yield _outlier(one, deviation)
        yield from _units(mine, deviation, limits)


def _apart(mine: Sequence[Review], by_application: Mapping[str, Sequence[Review]]) -> Iterator[_Apart]:
    compared: list[tuple[Review, int, float, float]] = []
    for review in mine:
        others = [r.score_milli for r in by_application[review.application] if r is not review]
        if len(others) >= 2:
            reference = _reference(review.score_milli, others)
            compared.append((review, len(others), reference, review.score_milli - reference))
    for index, (review, count, reference, difference) in enumerate(compared):
        elsewhere = [d for at, (_, _, _, d) in enumerate(compared) if at != index]
        usual = median(elsewhere) if len(elsewhere) >= 3 else 0.0
        yield _Apart(review, count, reference, difference, difference - usual)


def _reference(score: int, others: Sequence[int]) -> float:
    """The others' median. Of two others the nearer: were one of them odd, their middle would be so too."""
    return min(others, key=lambda other: abs(other - score)) if len(others) == 2 else median(others)


def _outlying(one: _Apart, deviation: float, limits: Limits) -> bool:
    return (
        abs(one.difference) >= limits.outlier_at_least_milli
        and abs(one.beyond) >= limits.outlier_deviations * deviation
        and one.difference * one.beyond > 0
    )


def _outlier(one: _Apart, deviation: float) -> Finding:
    figures = {
        "score_milli": one.review.score_milli,
        "reference_milli": round(one.reference),
        "difference_milli": round(one.difference),
        "others": one.others,
        "deviations_hundredths": round(100 * abs(one.beyond) / deviation),
    }
    return Finding("outlying_score", (one.review.rater,), (one.review.application,), figures)


def _units(mine: Sequence[_Apart], deviation: float, limits: Limits) -> Iterator[Finding]:
    """Where a rater's difference from the others depends on who applies."""
    for unit in sorted({one.review.unit for one in mine} - {""}):
        there = [one for one in mine if one.review.unit == unit]
        rest = [one.difference for one in mine if one.review.unit != unit]
        if min(len(there), len(rest)) < limits.unit_reviews:
            continue
        usual = median(rest)
        more = fmean(one.difference for one in there) - usual
        error = deviation * math.sqrt(1 / len(there) + 1 / len(rest))
        always = all((one.difference - usual) * more > 0 for one in there)
        if not always or abs(more) < limits.unit_at_least_milli or abs(more) < limits.unit_deviations * error:
            continue
        yield Finding(
            "unit_favoured" if more > 0 else "unit_disfavoured",
            (there[0].review.rater,),
            tuple(one.review.application for one in there),
            {
                "reviews": len(there),
                "rest": len(rest),
                "difference_milli": round(abs(more)),
                "deviations_hundredths": round(100 * abs(more) / error),
            },
            unit,
        )


# -- items ---------------------------------------------------------------------------------------------------


def _row(review: Review) -> tuple[int, ...]:
    """The marks item by item; of a review without items the score is all there is."""
    return tuple(review.items[code] for code in sorted(review.items)) or (review.score_milli,)


def _even(row: tuple[int, ...]) -> bool:
    return len(row) >= 3 and len(set(row)) == 1


def _halo(
    by_rater: Mapping[str, Sequence[Review]],
    by_application: Mapping[str, Sequence[Review]],
    limits: Limits,
) -> Iterator[Finding]:
    """Raters whose items hardly vary within an application where those of others do."""
    varied = {id(r): pstdev(_row(r)) for rows in by_rater.values() for r in rows if len(r.items) >= 3}
    for rater, mine in by_rater.items():
        pairs: list[tuple[float, float]] = []
        for review in mine:
            beside = [
                varied[id(r)]
                for r in by_application[review.application]
                if r is not review and id(r) in varied
            ]
            if id(review) in varied and len(beside) >= 2:
                pairs.append((varied[id(review)], median(beside)))
        if len(pairs) < limits.halo_reviews:
            continue
        own, others = fmean(a for a, _ in pairs), fmean(b for _, b in pairs)
        lower = sum(a < b for a, b in pairs)
        if others < limits.halo_others_milli or own > limits.halo_ratio * others or lower < 0.8 * len(pairs):
            continue
        figures = {
            "reviews": len(pairs),
            "lower": lower,
            "own_milli": round(own),
            "others_milli": round(others),
        }
        yield Finding("halo", (rater,), _applications(mine), figures)


def _marks(
    given: Sequence[Review], by_rater: Mapping[str, Sequence[Review]], limits: Limits
) -> Iterator[Finding]:
    """Raters who give every item the same, or many applications the same row, more than chance explains."""
    rows = Counter(map(_row, given))
    every, even = len(given), sum(count for row, count in rows.items() if _even(row))
    for rater, mine in by_rater.items():
        if len(mine) < limits.marks_reviews or every == len(mine):
            continue
        own = Counter(map(_row, mine))
        alike = [review for review in mine if _even(_row(review))]
        if _beyond_chance(len(alike), len(mine), even, every, limits):
            yield _alike("even_marks", rater, alike, len(mine), even, every)
            continue
        row, count = min(own.items(), key=lambda pair: (-pair[1], pair[0]))
        if _beyond_chance(count, len(mine), rows[row], every, limits):
            same = [review for review in mine if _row(review) == row]
            yield _alike("repeated_marks", rater, same, len(mine), rows[row], every)


def _beyond_chance(alike: int, reviews: int, everywhere: int, every: int, limits: Limits) -> bool:
    """Whether so many would be rare in a rater who is as the others are; of those we saw only so many."""
    if alike < max(limits.marks_reviews, limits.marks_share * reviews):
        return False
    share = (everywhere - alike + 1) / (every - reviews + 2)
    tail = sum(
        math.comb(reviews, n) * share**n * (1 - share) ** (reviews - n) for n in range(alike, reviews + 1)
    )
    return tail <= limits.marks_chance


def _alike(
    code: Literal["even_marks", "repeated_marks"],
    rater: str,
    same: Sequence[Review],
    reviews: int,
    everywhere: int,
    every: int,
) -> Finding:
    figures = {
        "reviews": reviews,
        "alike": len(same),
        "other_reviews": every - reviews,
        "other_alike": everywhere - len(same),
    }
    return Finding(code, (rater,), _applications(same), figures)


# -- texts ---------------------------------------------------------------------------------------------------


def _texts(given: Sequence[Review], limits: Limits) -> Iterator[Finding]:
    """Comments that are the same but for case, width, spaces and punctuation."""
    together: dict[str, list[Review]] = defaultdict(list)
    for review in given:
        folded = unicodedata.normalize("NFKC", review.comment).casefold()
        bare = "".join(character for character in folded if character.isalnum())
        if len(bare) >= limits.text_characters:
            together[bare].append(review)
    for bare, same in together.items():
        if len(same) < 2:
            continue
        raters = tuple(sorted({review.rater for review in same}))
        yield Finding(
            "same_text_one_rater" if len(raters) == 1 else "same_text_several_raters",
            raters,
            _applications(same),
            {"reviews": len(same), "characters": len(bare)},
        )


def _applications(reviews: Iterable[Review]) -> tuple[str, ...]:
    return tuple(sorted({review.application for review in reviews}))
